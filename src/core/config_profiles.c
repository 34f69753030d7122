/* Profiles: what machines boot.
 *
 * Checks form only: whether a file is there, the machine must be asked.
 */
#include "core/config_load_impl.h"
#include "core/machine_vars.h"

#include <errno.h>
#include <stdio.h>

struct reading {
	struct profile profile;
	struct src_pos initrd_pos, cmdline_pos, loader_pos, secure_boot_pos, install_pos;
	bool has_kernel, has_script, has_bootfile, local_boot;
};

static bool is_url(struct span s)
{
	for (size_t i = 0; i + 2 < s.n; i++)
		if (memcmp(s.p + i, "://", 3) == 0)
			return true;
	return false;
}

static bool check_url(struct loading *l, const struct yaml *v)
{
	static const char *const schemes[] = { "http://", "https://", "tftp://" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct span scheme = span_str(schemes[i]);

		if (span_has_prefix(v->text, scheme) && v->text.n > scheme.n &&
			v->text.p[scheme.n] != '/' && !memchr(v->text.p, ' ', v->text.n))
			return true;
	}
	load_unexpected(l, v, "a URL such as http://server/path (http, https or tftp, no blanks)");
	return false;
}

bool load_file_ref(struct loading *l, const struct yaml *v, struct file_ref *ret)
{
	static const char expected[] =
		"the path of a file below the root such as debian/linux, or its URL";
	const char *path = load_text(l, v, expected);

	if (!path)
		return false;
	if (is_url(span_str(path))) {
		if (!check_url(l, v))
			return false;
		*ret = (struct file_ref){ .path = path, .is_url = true, .pos = v->pos };
		return true;
	}
	while (*path == '/')
		path++;
	if (*path == '\0' || path[strlen(path) - 1] == '/') {
		load_unexpected(l, v, expected);
		return false;
	}
	if (load_has_parent_step(span_str(path))) {
		config_error_add(l->errs, v->pos,
			"`..` leads out of the root: only files below it are served");
		return false;
	}
	*ret = (struct file_ref){ .path = path, .pos = v->pos };
	return true;
}

static bool is_http_url(struct span s)
{
	return span_has_prefix(s, SPAN_LIT("http://")) || span_has_prefix(s, SPAN_LIT("https://"));
}

/* A part of an image: of http and https we fetch it ourselves, and machines find it
 * as profiles/NAME/PART (core/locate.c). */
static bool read_part(struct loading *l, const struct yaml *v, const struct profile *p,
	const char *part, struct file_ref *ret)
{
	const char *name;

	if (v->kind != YAML_MAP && !(v->kind == YAML_SCALAR && is_http_url(v->text)))
		return load_file_ref(l, v, ret);
	name = arena_printf(l->arena, "profiles/%s/%s", p->name, part);
	l->no_memory = l->no_memory || !name;
	return name && load_upstream(l, v, name, ret);
}

static void read_kernel(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_kernel = true;
	(void)read_part(l, v, &r->profile, "kernel", &r->profile.kernel);
}

static void read_initrd(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct file_ref *list;

	r->initrd_pos = v->key_pos;
	list = LOAD_ARRAY(l, struct file_ref, yaml_count(v));
	if (!list)
		return;
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i)) {
		char part[32];

		(void)snprintf(part, sizeof(part), "initrd%zu", r->profile.n_initrds);
		if (read_part(l, i, &r->profile, part, &list[r->profile.n_initrds]))
			r->profile.n_initrds++;
	}
	r->profile.initrds = list;
}

static void read_cmdline(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct template_error error;
	const char *cmdline;

	r->cmdline_pos = v->key_pos;
	if (v->kind == YAML_NULL || (v->kind == YAML_SCALAR && v->text.n == 0))
		return;
	cmdline = load_text(l, v, "the kernel's command line, a text such as console=ttyS0");
	if (!cmdline)
		return;
	r->profile.cmdline = cmdline;
	if (machine_vars_check(span_str(cmdline), &error) == -EINVAL)
		config_error_add(l->errs, v->pos,
			"the command line cannot be rendered: %s (bootsmith.yaml(5) lists the variables)",
			error.message);
}

static void read_script(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_script = true;
	if (load_file_ref(l, v, &r->profile.script) && r->profile.script.is_url)
		config_error_add(l->errs, v->pos,
			"a script is rendered here, so it must be a file below http.root, not a "
			"URL");
}

static void read_bootfile(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_bootfile = true;
	(void)load_file_ref(l, v, &r->profile.bootfile);
}

static void read_local_boot(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	if (load_bool(l, v, &r->local_boot) && !r->local_boot)
		config_error_add(l->errs, v->pos, "local_boot is either true or not there at all");
	r->local_boot = true;
}

static void read_loader(struct loading *l, const struct yaml *v, void *into)
{
	static const char *const words[] = { "auto", "ipxe", "grub", "shim", "uki" };
	struct reading *r = into;
	unsigned word;

	if (!load_word(l, v, words, ARRAY_LEN(words), &word))
		return;
	r->loader_pos = v->pos;
	r->profile.loader = (enum loader)word;
}

static void read_secure_boot(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	if (load_bool(l, v, &r->profile.secure_boot) && r->profile.secure_boot)
		r->secure_boot_pos = v->key_pos;
}

static void read_install(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	if (load_bool(l, v, &r->profile.install) && r->profile.install)
		r->install_pos = v->key_pos;
}

static void read_options(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_options(l, v, OPTIONS_OF_PROFILE, &r->profile.options);
}

static void read_vars(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_vars(l, v, &r->profile.vars, &r->profile.n_vars);
}

static void read_files(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_profile_files(l, v, &r->profile);
}

static const struct load_key profile_keys[] = {
	{ "kernel", read_kernel },
	{ "initrd", read_initrd },
	{ "cmdline", read_cmdline },
	{ "script", read_script },
	{ "bootfile", read_bootfile },
	{ "local_boot", read_local_boot },
	{ "loader", read_loader },
	{ "secure_boot", read_secure_boot },
	{ "vars", read_vars },
	{ "files", read_files },
	{ "install", read_install },
	{ "options", read_options },
};

/* What a profile may have only beside a kernel. */
static void check_belongs_to_kernel(struct loading *l, struct src_pos pos, const char *what)
{
	if (pos.line != 0)
		config_error_add(
			l->errs, pos, "%s belongs to a kernel, and this profile has none", what);
}

/* iPXE has no signature, nor has an image that is made here. */
static void check_secure_boot(struct loading *l, const struct reading *r)
{
	static const char *const unsigned_ways[] = { [LOADER_IPXE] = "ipxe", [LOADER_UKI] = "uki" };
	enum loader way = r->profile.loader;

	if (r->profile.secure_boot && (way == LOADER_IPXE || way == LOADER_UKI))
		config_error_add(l->errs, r->loader_pos,
			"Secure Boot refuses what `%s` would load, since it is not signed: use loader: shim with secure_boot: true",
			unsigned_ways[way]);
}

static void finish_profile(struct loading *l, struct reading *r, const struct yaml *v)
{
	/* A kernel may have a boot file beside it, which is its loader then. */
	int kinds = r->has_kernel + r->has_script + (r->has_bootfile && !r->has_kernel) +
		r->local_boot;

	if (kinds == 0)
		config_error_add(l->errs, v->key_pos,
			"the profile `%.63s` boots nothing: give it one of kernel, script, "
			"bootfile or local_boot: true",
			r->profile.name);
	if (kinds > 1)
		config_error_add(l->errs, v->key_pos,
			"the profile `%.63s` has more than one of kernel, script, bootfile and "
			"local_boot: keep one",
			r->profile.name);
	if (kinds == 1 && !r->has_kernel) {
		check_belongs_to_kernel(l, r->initrd_pos, "initrd");
		check_belongs_to_kernel(l, r->cmdline_pos, "cmdline");
		check_belongs_to_kernel(l, r->secure_boot_pos, "secure_boot");
	}
	if (r->local_boot && r->install_pos.line != 0)
		config_error_add(l->errs, r->install_pos,
			"local_boot installs nothing: install belongs to what does");
	check_secure_boot(l, r);
	r->profile.kind = r->has_kernel ? PROFILE_KERNEL
		: r->has_script         ? PROFILE_SCRIPT
		: r->has_bootfile       ? PROFILE_BOOTFILE
					: PROFILE_LOCAL;
}

void load_profiles(struct loading *l, const struct yaml *v)
{
	struct profile *profiles;
	size_t n = 0;

	if (v->kind != YAML_MAP) {
		if (v->kind != YAML_NULL)
			load_unexpected(l, v,
				"a map of profiles by name such as {debian: {kernel: "
				"debian/linux}}");
		return;
	}
	profiles = LOAD_ARRAY(l, struct profile, v->n);
	if (!profiles)
		return;
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct reading r = { .profile = { .cmdline = "", .pos = i->key_pos } };

		r.profile.name = arena_strdup(l->arena, i->key);
		l->no_memory = l->no_memory || !r.profile.name;
		if (!r.profile.name)
			return;
		(void)load_check_name(l, i->key, i->key_pos, "a profile");
		if (load_map(l, i, "a profile", profile_keys, ARRAY_LEN(profile_keys), &r))
			finish_profile(l, &r, i);
		profiles[n++] = r.profile;
	}
	l->cfg->profiles = profiles;
	l->cfg->n_profiles = n;
}

const struct profile *load_profile_ref(struct loading *l, const struct yaml *v)
{
	struct suggestion near = { .given = v->text };
	const struct profile *p;
	struct span name;

	if (!load_scalar(l, v, "the name of a profile", &name))
		return NULL;
	p = config_find_profile(l->cfg, name);
	if (p)
		return p;
	for (size_t i = 0; i < l->cfg->n_profiles; i++)
		suggestion_offer(&near, l->cfg->profiles[i].name);
	if (near.best)
		config_error_add(l->errs, v->pos,
			"no profile is called `%.63s`: did you mean `%s`?", (const char *)name.p,
			near.best);
	else
		config_error_add(l->errs, v->pos,
			"no profile is called `%.63s`: define it under `profiles`",
			(const char *)name.p);
	return NULL;
}
