/* grub.cfg, rendered.  All that is not ours stands in single quotes and goes
 * through escape_grub(). */
#include "core/grub_cfg.h"

#include "base/escape.h"

#include <errno.h>
#include <stdio.h>

#define RETRY_S 10

static void add_quoted(struct text *out, struct span s)
{
	text_addc(out, '\'');
	escape_grub(out, s);
	text_addc(out, '\'');
}

/* GRUB joins its arguments with blanks and puts an argument that has blanks into
 * quotes (grub-core/lib/cmdline.c), which the kernel understands.  So the line is
 * cut here into the words that the kernel would see, and each word quoted.  Before
 * a backslash or a quote within a word it puts a backslash: that cannot be helped. */
static void add_words(struct text *out, struct span line)
{
	struct text word = { 0 };
	bool in_quotes = false;

	for (size_t i = 0; i <= line.n; i++) {
		uint8_t c = i < line.n ? line.p[i] : '\n';
		bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';

		if (c == '"') {
			in_quotes = !in_quotes;
		} else if (i < line.n && (!blank || in_quotes)) {
			text_addc(&word, (char)c);
		} else if (word.n) {
			text_addc(out, ' ');
			add_quoted(out, text_span(&word));
			text_reset(&word);
		}
	}
	out->failed = out->failed || word.failed;
	text_free(&word);
}

static int add_cmdline(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	struct text line = { 0 };
	int r = machine_vars_render(span_str(p->cmdline), vars, escape_cmdline, &line, ret_error);

	if (r == 0)
		add_words(out, text_span(&line));
	text_free(&line);
	return r;
}

/* "http://host:80/path" as (http,host:80)/path, tftp likewise; the profile's own files
 * below the device that the function was called with. */
static void add_file(const struct machine_vars *vars, const struct file_ref *f, const char *name,
	struct text *out)
{
	const char *host, *path;

	text_addc(out, ' ');
	if (!f->is_url) {
		text_addf(out, "\"$1\"/%s/%s", vars->files, name);
		return;
	}
	host = f->path + strlen("http://");
	path = host + strcspn(host, "/");
	text_addf(out, "'(%.4s,", f->path);
	escape_grub(out, (struct span){ (const uint8_t *)host, (size_t)(path - host) });
	text_addc(out, ')');
	escape_grub(out, span_str(path));
	text_addc(out, '\'');
}

static void add_initrds(const struct profile *p, const struct machine_vars *vars, struct text *out)
{
	char name[32];

	text_adds(out, "\t\tif initrd");
	for (size_t i = 0; i < p->n_initrds; i++) {
		(void)snprintf(name, sizeof(name), "initrd%zu", i);
		add_file(vars, &p->initrds[i], name, out);
	}
	text_adds(out, "; then\n\t\t\tboot\n\t\tfi\n");
}

static int add_load_function(const struct profile *p, const struct machine_vars *vars,
	struct text *out, struct template_error *ret_error)
{
	int r;

	text_adds(out, "function bootsmith_load {\n\techo \"Loading from $1\"\n\tif linux");
	add_file(vars, &p->kernel, "kernel", out);
	r = add_cmdline(p, vars, out, ret_error);
	if (r < 0)
		return r;
	text_adds(out, "; then\n");
	if (p->n_initrds)
		add_initrds(p, vars, out);
	else
		text_adds(out, "\t\tboot\n");
	text_adds(out, "\tfi\n}\n");
	return 0;
}

static bool may_have_http(const struct profile *p, const struct machine_vars *vars)
{
	return vars->facts->transport == TRANSPORT_HTTP || p->bootfile.path;
}

/* Under Secure Boot GRUB is locked down, and says so on the screen when HTTP would need a module. */
static void add_loads(const struct profile *p, const struct machine_vars *vars, struct text *out)
{
	const struct span http = SPAN_LIT("http://");
	struct span base = span_str(vars->base.s);

	if (may_have_http(p, vars) && span_has_prefix(base, http)) {
		text_adds(out, "if [ \"$lockdown\" != y ]; then\n\tbootsmith_load '(http,");
		escape_grub(out, span_skip(base, http.n));
		text_adds(out, ")'\nfi\n");
	}
	text_addf(out, "bootsmith_load '(tftp,%s)'\n", ip4_str(vars->server).s);
}

static void add_echo(const char *before, const char *text, struct text *out)
{
	text_addf(out, "echo '%s", before);
	escape_screen(out, span_str(text), "'");
	text_adds(out, "'\n");
}

/* The file that waits already runs this one by `source`: then there is nothing to
 * do but to end, so that nothing piles up however long the machine waits. */
static void add_retry(const char *url, struct text *out)
{
	text_addf(out,
		"echo 'Trying again in %d seconds'\n"
		"if [ -z \"$bootsmith_waits\" ]; then\n"
		"\tset bootsmith_waits=yes\n"
		"\twhile true; do\n"
		"\t\tsleep %d\n"
		"\t\tsource ",
		RETRY_S, RETRY_S);
	add_quoted(out, span_str(url));
	text_adds(out, "\n\tdone\nfi\n");
}

/* EDK2 takes GRUB's `exit` for success and opens its setup, so on UEFI the loader
 * on the disk is looked for: shim first, which Secure Boot needs. */
static void add_local(struct text *out)
{
	text_adds(out,
		"echo 'Booting from the local disk'\n"
		"if [ \"$grub_platform\" = pc ]; then\n"
		"\tinsmod biosdisk\n"
		"\tchainloader (hd0)+1\n"
		"\tboot\n"
		"else\n"
		"\tinsmod regexp\n"
		"\tset bootsmith_arch=x64\n"
		"\tif [ \"$grub_cpu\" = i386 ]; then\n"
		"\t\tset bootsmith_arch=ia32\n"
		"\telif [ \"$grub_cpu\" = arm64 ]; then\n"
		"\t\tset bootsmith_arch=aa64\n"
		"\tfi\n"
		"\tfor loader in (hd*)/EFI/*/shim$bootsmith_arch.efi (hd*)/EFI/*/grub$bootsmith_arch.efi"
		" (hd*)/EFI/systemd/systemd-boot$bootsmith_arch.efi (hd*)/EFI/Microsoft/Boot/bootmgfw.efi"
		" (hd*)/EFI/BOOT/BOOT*.EFI; do\n"
		"\t\tif [ -e \"$loader\" ]; then\n"
		"\t\t\techo \"Starting $loader\"\n"
		"\t\t\tchainloader \"$loader\"\n"
		"\t\t\tboot\n"
		"\t\tfi\n"
		"\tdone\n"
		"fi\n"
		"exit\n");
}

static bool can_fetch(struct span url, bool has_http)
{
	return span_has_prefix(url, SPAN_LIT("tftp://")) ||
		(has_http && span_has_prefix(url, SPAN_LIT("http://")));
}

/* The first of the profile's files that GRUB cannot fetch, or NULL. */
static const struct file_ref *find_unreachable(
	const struct profile *p, const struct machine_vars *vars)
{
	for (size_t i = 0; i <= p->n_initrds; i++) {
		const struct file_ref *f = i == 0 ? &p->kernel : &p->initrds[i - 1];

		if (f->is_url && !can_fetch(span_str(f->path), may_have_http(p, vars)))
			return f;
	}
	return NULL;
}

static void add_title(const struct profile *p, const struct machine_vars *vars, struct text *out)
{
	text_addf(out, "echo 'bootsmith: profile %s for %s'\n", p->name,
		vars->facts->has_mac ? mac_str(vars->facts->mac).s : "this machine");
	if (p->message)
		add_echo("", p->message, out);
}

int grub_cfg_profile(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	const struct file_ref *unreachable = find_unreachable(p, vars);
	char reason[256];
	int r;

	if (p->kind == PROFILE_KERNEL && unreachable) {
		(void)snprintf(reason, sizeof(reason), "GRUB cannot fetch %.128s of profile %s",
			unreachable->path, p->name);
		grub_cfg_retry(reason, vars->url, out);
		return out->failed ? -ENOMEM : 0;
	}
	add_title(p, vars, out);
	if (p->kind == PROFILE_LOCAL) {
		add_local(out);
		return out->failed ? -ENOMEM : 0;
	}
	r = add_load_function(p, vars, out, ret_error);
	if (r < 0)
		return r;
	add_loads(p, vars, out);
	text_addf(out,
		"echo 'bootsmith: profile %s could not be loaded; the log of the server says why'\n",
		p->name);
	add_retry(vars->url, out);
	return out->failed ? -ENOMEM : 0;
}

int grub_cfg_disk(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	int r;

	add_title(p, vars, out);
	r = add_load_function(p, vars, out, ret_error);
	if (r < 0)
		return r;
	text_addf(out,
		"bootsmith_load \"($root)\"\n"
		"echo 'bootsmith: profile %s could not be loaded'\n"
		"echo 'Starting anew in %d seconds'\n"
		"sleep %d\n"
		"reboot\n",
		p->name, RETRY_S, RETRY_S);
	return out->failed ? -ENOMEM : 0;
}

void grub_cfg_retry(const char *reason, const char *url, struct text *out)
{
	add_echo("bootsmith: ", reason, out);
	add_retry(url, out);
}
