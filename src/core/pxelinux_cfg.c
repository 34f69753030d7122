/* PXELINUX's configuration, rendered.  A line is all the structure that it has. */
#include "core/pxelinux_cfg.h"

#include "base/escape.h"

#include <errno.h>
#include <stdio.h>

#define RETRY_S 10

/* A name on the server that was asked; in PXELINUX's `address::name` nothing is put before the name. */
static void add_server(const struct machine_vars *vars, struct text *out)
{
	if (vars->facts->transport == TRANSPORT_HTTP)
		text_addf(out, "%s/", vars->base.s);
	else
		text_addf(out, "%s::", ip4_str(vars->server).s);
}

/* A tftp URL as address::name; the profile's own files from the server that was asked. */
static void add_file(const struct file_ref *f, const char *name, const struct machine_vars *vars,
	struct text *out)
{
	const char *host, *path;

	if (!f->is_url) {
		add_server(vars, out);
		text_addf(out, "%s/%s", vars->files, name);
		return;
	}
	host = f->path + strlen("tftp://");
	path = host + strcspn(host, "/");
	escape_pxelinux(out, (struct span){ (const uint8_t *)host, (size_t)(path - host) });
	text_adds(out, "::");
	escape_pxelinux(out, span_str(path[0] ? path + 1 : path));
}

static void add_kernel(const struct profile *p, const struct machine_vars *vars, struct text *out)
{
	char name[32];

	text_adds(out, "LABEL bootsmith\n    LINUX ");
	add_file(&p->kernel, "kernel", vars, out);
	text_addc(out, '\n');
	for (size_t i = 0; i < p->n_initrds; i++) {
		text_adds(out, i == 0 ? "    INITRD " : ",");
		(void)snprintf(name, sizeof(name), "initrd%zu", i);
		add_file(&p->initrds[i], name, vars, out);
	}
	if (p->n_initrds)
		text_addc(out, '\n');
}

static int add_cmdline(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	struct text line = { 0 };
	int r;

	if (p->cmdline[0] == '\0')
		return 0;
	r = machine_vars_render(span_str(p->cmdline), vars, escape_cmdline, &line, ret_error);
	if (r == 0) {
		text_adds(out, "    APPEND ");
		escape_pxelinux(out, text_span(&line)); /* YAML's block texts end in a newline */
		text_addc(out, '\n');
	}
	text_free(&line);
	return r;
}

/* PXELINUX leaves something of itself behind whenever it reads another
 * configuration: after 125 times it has "Too many open files".  Started anew, it
 * does not; so its own file is what is better run again. */
static void add_again(const struct profile *p, const struct machine_vars *vars, struct text *out)
{
	text_adds(out, "LABEL again\n");
	if (!p || !p->bootfile.path) {
		text_adds(out, "    CONFIG ");
		escape_pxelinux(out, span_str(vars->url));
	} else {
		text_adds(out, "    PXE ");
		if (!p->bootfile.is_url)
			add_server(vars, out);
		escape_pxelinux(out, span_str(p->bootfile.path));
	}
	text_addc(out, '\n');
}

static void add_say(const char *before, const char *text, struct text *out)
{
	text_addf(out, "SAY %s", before);
	escape_screen(out, span_str(text), "");
	text_addc(out, '\n');
}

/* A load that failed ends at PXELINUX's prompt, and so does PROMPT 1: what is run after the time there. */
static void add_timeout(struct text *out)
{
	text_addf(out, "TIMEOUT %d\nONTIMEOUT again\n", RETRY_S * 10); /* in tenths of a second */
}

/* The first of the profile's files that PXELINUX cannot fetch, or NULL. */
static const struct file_ref *find_unreachable(const struct profile *p)
{
	for (size_t i = 0; i <= p->n_initrds; i++) {
		const struct file_ref *f = i == 0 ? &p->kernel : &p->initrds[i - 1];

		if (f->is_url && !span_has_prefix(span_str(f->path), SPAN_LIT("tftp://")))
			return f;
	}
	return NULL;
}

int pxelinux_cfg_profile(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	const struct file_ref *unreachable = p->kind == PROFILE_KERNEL ? find_unreachable(p) : NULL;
	char reason[256];
	int r;

	if (unreachable) {
		(void)snprintf(reason, sizeof(reason), "PXELINUX cannot fetch %.128s of profile %s",
			unreachable->path, p->name);
		pxelinux_cfg_retry(reason, p, vars, out);
		return out->failed ? -ENOMEM : 0;
	}
	text_addf(out, "SAY bootsmith: profile %s for %s\n", p->name,
		vars->facts->has_mac ? mac_str(vars->facts->mac).s : "this machine");
	if (p->message)
		add_say("", p->message, out);
	text_adds(out, "PROMPT 0\nDEFAULT bootsmith\n");
	if (p->kind == PROFILE_LOCAL) {
		text_adds(out,
			"LABEL bootsmith\n    LOCALBOOT 0\n"); /* back to the BIOS, whose next device is it */
		return out->failed ? -ENOMEM : 0;
	}
	add_timeout(out);
	add_kernel(p, vars, out);
	r = add_cmdline(p, vars, out, ret_error);
	if (r < 0)
		return r;
	add_again(p, vars, out);
	return out->failed ? -ENOMEM : 0;
}

void pxelinux_cfg_retry(const char *reason, const struct profile *p,
	const struct machine_vars *vars, struct text *out)
{
	add_say("bootsmith: ", reason, out);
	text_addf(out, "SAY Trying again in %d seconds\nPROMPT 1\nDEFAULT again\n", RETRY_S);
	add_timeout(out);
	add_again(p, vars, out);
}
