/* Reading the configuration file, and looking for the files that it names.
 *
 * Files below a root are looked for exactly as they will be served (edge/files.h):
 * a symlink that leads out of the root is a mistake that is better found now.
 */
#include "app/config_files.h"

#include "app/efi_files.h"
#include "app/https_files.h"
#include "app/template_files.h"
#include "core/config_yaml.h"
#include "core/machine_vars.h"
#include "core/text_kind.h"
#include "edge/ca_file.h"
#include "edge/files.h"

#include <errno.h>
#include <unistd.h>

static const struct src_pos nowhere = { 0, 0 };

static int report_read(struct config_errors *errs, int r)
{
	switch (r) {
	case -ENOENT:
		config_error_add(
			errs, nowhere, "the file does not exist: give another one with -c FILE");
		break;
	case -EISDIR:
		config_error_add(errs, nowhere,
			"this is a directory: give the file in it, such as bootsmith.yaml");
		break;
	case -EPERM:
		config_error_add(errs, nowhere,
			"this is no regular file: a configuration is read from a file only");
		break;
	case -EACCES:
		config_error_add(errs, nowhere,
			"no permission to read it: run as root, or make it readable");
		break;
	case -EFBIG:
		config_error_add(
			errs, nowhere, "the file is larger than 16 MiB: this is no configuration");
		break;
	default:
		config_error_add(errs, nowhere, "cannot read it: %s", strerror(-r));
		break;
	}
	return r;
}

int config_files_read(const char *path, struct config_errors *errs, struct text *ret_source)
{
	struct text source = { 0 };
	struct stat st;
	int fd, r = files_open_path(path, &fd, &st);

	if (r < 0)
		return report_read(errs, r);
	r = st.st_size > (off_t)YAML_SIZE_MAX ? -EFBIG : files_read_all(fd, YAML_SIZE_MAX, &source);
	(void)close(fd);
	if (r < 0)
		return report_read(errs, r);
	*ret_source = source;
	return 0;
}

/* Why a file could not be opened, as the end of a sentence. */
static const char *why_not(int r)
{
	switch (r) {
	case -ENOENT:
		return "does not exist";
	case -ENOTDIR:
		return "does not exist: a part of the path is no directory";
	case -EISDIR:
		return "is a directory, not a file";
	case -EPERM:
		return "is no regular file";
	case -EXDEV:
		return "leads out of the root through a symlink, so it would not be served: copy "
		       "the file";
	case -EACCES:
		return "cannot be read: no permission";
	default:
		return strerror(-r);
	}
}

/* The Debian package that has a file of this name, as a hint; "" when unknown. */
static const char *package_hint(const char *path)
{
	static const struct {
		const char *name, *hint;
	} hints[] = {
		{ "undionly.kpxe", " (apt install ipxe: /usr/lib/ipxe/undionly.kpxe)" },
		{ "ipxe.efi", " (apt install ipxe: /usr/lib/ipxe/ipxe.efi)" },
		{ "snponly.efi", " (apt install ipxe: /usr/lib/ipxe/snponly.efi)" },
		{ "ipxe.pxe", " (apt install ipxe: /usr/lib/ipxe/ipxe.pxe)" },
		{ "pxelinux.0", " (apt install pxelinux, then copy /usr/lib/PXELINUX/pxelinux.0)" },
		{ "lpxelinux.0",
			" (apt install pxelinux, then copy /usr/lib/PXELINUX/lpxelinux.0)" },
		{ "syslinux.efi",
			" (apt install syslinux-efi, then copy it from /usr/lib/SYSLINUX.EFI)" },
	};
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strcmp(hints[i].name, name) == 0)
			return hints[i].hint;
	return "";
}

/* A root while it is looked into. */
struct root {
	const char *path;
	int fd; /* -1: it is not there */
	int error;
	bool reported; /* its absence is an error already: none for each file in it */
};

static struct root root_open(
	const char *path, const char *key, struct src_pos pos, struct config_errors *errs)
{
	struct root root = { .path = path, .fd = -1 };

	root.error = files_open_root(path, &root.fd);
	if (root.error < 0 && pos.line != 0) {
		config_error_add(errs, pos, "%s: %s %s: create the directory, or correct the path",
			key, path,
			root.error == -ENOTDIR ? "is no directory" : why_not(root.error));
		root.reported = true;
	}
	return root;
}

static void root_close(struct root *root)
{
	if (root->fd >= 0)
		(void)close(root->fd);
}

static int look(const struct root *root, const char *path)
{
	struct stat st;
	int fd, r;

	if (root->fd < 0)
		return root->error;
	r = files_open_below(root->fd, span_str(path), &fd, &st);
	if (r == 0)
		(void)close(fd);
	return r;
}

static void check_http_file(
	const struct root *http, const struct file_ref *f, struct config_errors *errs)
{
	int r;

	if (!f->path || f->is_url || f->upstream || http->reported)
		return;
	r = look(http, f->path);
	if (r < 0)
		config_error_add(errs, f->pos, "%s/%s %s: put the file there, or correct the path",
			http->path, f->path, why_not(r));
}

/* What would fail on the machine's screen tonight is better said now. */
static void check_script(
	const struct root *http, const struct file_ref *f, struct config_errors *errs)
{
	struct template_error error;
	struct text source = { 0 };
	struct stat st;
	int fd;

	if (!f->path || http->fd < 0 || files_open_below(http->fd, span_str(f->path), &fd, &st) < 0)
		return; /* said already */
	if (files_read_all(fd, CONFIG_SCRIPT_MAX, &source) < 0)
		config_error_add(errs, f->pos,
			"%s/%s cannot be read, or is larger than %u KiB: this is no script",
			http->path, f->path, CONFIG_SCRIPT_MAX >> 10);
	else if (machine_vars_check(text_span(&source), &error) == -EINVAL)
		config_error_add(errs, f->pos, "%s/%s, line %u: %s: correct the script", http->path,
			f->path, error.line, error.message);
	(void)close(fd);
	text_free(&source);
}

/* Of one template: more of the same kind would hide the rest. */
#define MACHINES_NAMED_MAX 20u

/* Does each machine that has this profile by name have what the template asks for? */
static void check_machines(const struct config *cfg, const struct profile *p,
	const struct profile_file *f, struct span source, const struct template_sink *sink,
	struct config_errors *errs)
{
	const struct facts facts = { .client = CLIENT_IPXE };
	struct text out = { 0 };
	unsigned n = 0;

	for (size_t i = 0; i < cfg->n_machines && n < MACHINES_NAMED_MAX; i++) {
		const struct machine *m = &cfg->machines[i];
		const struct machine_vars vars = { .facts = &facts, .machine = m, .profile = p };
		struct template_error error;

		if (m->profile != p)
			continue;
		text_reset(&out);
		if (machine_vars_render_as(source, &vars, sink, &out, &error) != -EINVAL)
			continue;
		n++;
		config_error_add(errs, m->pos,
			"the file %s cannot be rendered for %s: %s, line %u: %s", f->name, m->name,
			error.partial[0] ? error.partial : f->source.path, error.line,
			error.message);
	}
	text_free(&out);
}

static void check_template(const struct config *cfg, const struct root *templates,
	const struct profile *p, const struct profile_file *f, struct config_errors *errs)
{
	const struct text_kind *kind = text_kind_of(span_str(f->name));
	struct template_files files = { .dirfd = templates->fd };
	const struct template_sink sink = { kind->stranger, kind->own, template_files_read,
		&files };
	struct template_error error;
	struct span source;
	int r;

	if (templates->reported)
		return;
	r = template_files_read(&files, span_str(f->source.path), &source);
	if (r < 0)
		config_error_add(errs, f->source.pos,
			"%s/%s %s: put the template there, or correct the path", templates->path,
			f->source.path, why_not(r));
	else if (machine_vars_check_as(source, cfg, &sink, &error) == -EINVAL)
		config_error_add(errs, f->source.pos, "%s/%s, line %u: %s: correct the template",
			templates->path, error.partial[0] ? error.partial : f->source.path,
			error.line, error.message);
	else
		check_machines(cfg, p, f, source, &sink, errs);
	template_files_free(&files);
}

static void check_templates(const struct config *cfg, struct config_errors *errs)
{
	struct root templates = root_open(
		cfg->templates_root, "templates.root", cfg->templates_root_pos, errs);

	for (size_t i = 0; i < cfg->n_profiles; i++)
		for (size_t j = 0; j < cfg->profiles[i].n_files; j++)
			check_template(cfg, &templates, &cfg->profiles[i],
				&cfg->profiles[i].files[j], errs);
	root_close(&templates);
}

/* A bootfile goes by TFTP or by HTTP, so either root may have it. */
static void check_bootfile(const struct root *tftp, const struct root *http,
	const struct file_ref *f, struct config_errors *errs)
{
	int by_tftp, by_http;

	if (!f->path || f->is_url || tftp->reported || http->reported)
		return;
	by_tftp = look(tftp, f->path);
	by_http = look(http, f->path);
	if (by_tftp == 0 || by_http == 0)
		return;
	if (by_tftp != -ENOENT)
		config_error_add(errs, f->pos, "%s/%s %s", tftp->path, f->path, why_not(by_tftp));
	else if (by_http != -ENOENT)
		config_error_add(errs, f->pos, "%s/%s %s", http->path, f->path, why_not(by_http));
	else
		config_error_add(errs, f->pos,
			"neither %s/%s nor %s/%s exists: put the file there%s, or correct the path",
			tftp->path, f->path, http->path, f->path, package_hint(f->path));
}

static void check_profiles(const struct config *cfg, const struct root *tftp,
	const struct root *http, struct config_errors *errs)
{
	for (size_t i = 0; i < cfg->n_profiles; i++) {
		const struct profile *p = &cfg->profiles[i];

		switch (p->kind) {
		case PROFILE_KERNEL:
			check_http_file(http, &p->kernel, errs);
			for (size_t j = 0; j < p->n_initrds; j++)
				check_http_file(http, &p->initrds[j], errs);
			check_bootfile(tftp, http, &p->bootfile, errs);
			break;
		case PROFILE_SCRIPT:
			check_http_file(http, &p->script, errs);
			check_script(http, &p->script, errs);
			break;
		case PROFILE_BOOTFILE:
			check_bootfile(tftp, http, &p->bootfile, errs);
			break;
		case PROFILE_LOCAL:
			break;
		}
	}
}

static void check_loader(const struct loaders *loaders, const struct root *dir,
	enum loader_family f, enum arch a, struct config_errors *errs)
{
	const struct loader_file *l = &loaders->file[f][a];
	struct text path = { 0 };
	struct stat st;
	int fd, r;

	if (l->pos.line == 0 || (l->path[0] != '/' && dir->reported))
		return;
	text_addf(&path, "%s%s%s", l->path[0] == '/' ? "" : loaders->dir,
		l->path[0] == '/' ? "" : "/", l->path);
	r = path.failed ? -ENOMEM : files_open_path(text_str(&path), &fd, &st);
	if (r == 0)
		(void)close(fd);
	else
		config_error_add(errs, l->pos,
			"%s for %s, %s, %s: install it%s, or correct the path",
			loader_family_name(f), arch_name(a), text_str(&path), why_not(r),
			package_hint(l->path));
	text_free(&path);
}

static void check_loaders(const struct loaders *loaders, struct config_errors *errs)
{
	struct root dir = root_open(loaders->dir, "loaders.dir", loaders->pos, errs);

	root_close(&dir);
	for (enum loader_family f = 0; f < FAMILY_COUNT; f++)
		for (enum arch a = 0; a < ARCH_COUNT; a++)
			check_loader(loaders, &dir, f, a, errs);
}

static void check_https(const struct config *cfg, struct config_errors *errs)
{
	struct tls_report report = { 0 };
	struct ssl_ctx_st *context = NULL;
	int r = https_files_open(cfg, &report, &context);

	for (size_t i = 0; i < report.n; i++) {
		const struct tls_problem *p = &report.list[i];
		const struct https_pair *pair = &cfg->https_pairs[p->pair];

		if (!p->warning)
			config_error_add(errs, p->of_key ? pair->key_pos : pair->certificate_pos,
				"%s", text_str(&p->sentence));
	}
	if (r == -ENOMEM)
		errs->failed = true;
	tls_report_free(&report);
	tls_context_unref(context);
}

static void check_images_ca(const struct images_config *images, struct config_errors *errs)
{
	int r = images->ca ? ca_file_check(images->ca) : 0;

	if (r == -EBADMSG)
		config_error_add(errs, images->ca_pos,
			"images.ca: %s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
			images->ca);
	else if (r < 0)
		config_error_add(errs, images->ca_pos,
			"images.ca: %s %s: put the certificates there, or correct the path",
			images->ca, r == -EFBIG ? "is larger than 16 MiB" : why_not(r));
}

int config_files_check(const struct config *cfg, struct config_errors *errs)
{
	size_t before = errs->n;
	struct root tftp = root_open(cfg->tftp_root, "tftp.root", cfg->tftp_root_pos, errs);
	struct root http = root_open(cfg->http_root, "http.root", cfg->http_root_pos, errs);

	check_profiles(cfg, &tftp, &http, errs);
	check_loaders(&cfg->loaders, errs);
	check_templates(cfg, errs);
	check_https(cfg, errs);
	check_images_ca(&cfg->images, errs);
	efi_files_check(cfg, http.fd, errs);
	root_close(&tftp);
	root_close(&http);
	config_errors_sort(errs);
	return errs->n > before || errs->failed ? -ENOENT : 0;
}

int config_files_load(const char *path, const struct config_override *o, struct config_errors *errs,
	struct text *source, struct config **ret_config)
{
	char message[CONFIG_MESSAGE_MAX];
	struct config *cfg;
	int r = config_files_read(path, errs, source);

	if (r < 0)
		return r;
	r = config_load_partly(path, text_span(source), errs, &cfg);
	if (r < 0)
		return r;
	r = o ? config_override_apply(cfg, o, message) : 0;
	if (r == -EINVAL)
		config_error_add(errs, nowhere, "%s", message);
	if (r != -ENOMEM)
		r = config_files_check(cfg, errs);
	if (r == 0 && errs->n > 0)
		r = -EINVAL;
	if (r < 0) {
		config_free(cfg);
		return r;
	}
	*ret_config = cfg;
	return 0;
}

void config_files_print_errors(
	const char *path, struct span source, const struct config_errors *errs, struct text *out)
{
	for (size_t i = 0; i < errs->n; i++)
		config_error_print(&errs->list[i], path, source, out);
	if (errs->n == 0)
		text_addf(out, "%s: error: out of memory\n", path);
	else
		text_addf(out, "%zu mistake%s in %s\n", errs->n, errs->n == 1 ? "" : "s", path);
}
