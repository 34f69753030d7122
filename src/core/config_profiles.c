/* Profiles: what machines boot; and loaders: what brings them to iPXE first.
 *
 * Checks form only: whether a file is there, the machine must be asked.
 */
#include "core/config_load_impl.h"
#include "core/machine_vars.h"

#include <errno.h>

struct reading {
	struct profile profile;
	struct src_pos initrd_pos, cmdline_pos;
	bool has_kernel, has_script, has_bootfile, local_boot;
};

static bool is_url(struct span s)
{
	for (size_t i = 0; i + 2 < s.n; i++)
		if (memcmp(s.p + i, "://", 3) == 0)
			return true;
	return false;
}

static bool has_parent_step(struct span s)
{
	while (s.n > 0) {
		const uint8_t *slash = memchr(s.p, '/', s.n);
		size_t n = slash ? (size_t)(slash - s.p) : s.n;

		if (n == 2 && s.p[0] == '.' && s.p[1] == '.')
			return true;
		s = span_skip(s, slash ? n + 1 : n);
	}
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

/* A path below a root, or a URL; *ret has no path after an error. */
static bool read_file(struct loading *l, const struct yaml *v, struct file_ref *ret)
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
	if (has_parent_step(span_str(path))) {
		config_error_add(l->errs, v->pos,
			"`..` leads out of the root: only files below it are served");
		return false;
	}
	*ret = (struct file_ref){ .path = path, .pos = v->pos };
	return true;
}

static void read_kernel(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_kernel = true;
	(void)read_file(l, v, &r->profile.kernel);
}

static void read_initrd(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct file_ref *list;

	r->initrd_pos = v->key_pos;
	if (v->kind == YAML_MAP) {
		load_unexpected(l, v, "the path of an initrd, or a list of them");
		return;
	}
	list = LOAD_ARRAY(l, struct file_ref, yaml_count(v));
	if (!list)
		return;
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i))
		if (read_file(l, i, &list[r->profile.n_initrds]))
			r->profile.n_initrds++;
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
		config_error_add(l->errs, v->pos, "the command line cannot be rendered: %s (bootsmith.yaml(5) lists the variables)",
			error.message);
}

static void read_script(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_script = true;
	if (read_file(l, v, &r->profile.script) && r->profile.script.is_url)
		config_error_add(l->errs, v->pos,
			"a script is rendered here, so it must be a file below http.root, not a "
			"URL");
}

static void read_bootfile(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_bootfile = true;
	(void)read_file(l, v, &r->profile.bootfile);
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
	if (word <= 1)
		r->profile.loader = word == 0 ? LOADER_AUTO : LOADER_IPXE;
	else
		config_error_add(l->errs, v->pos,
			"the loader `%s` is not in this version yet: use auto or ipxe",
			words[word]);
}

static void read_options(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_options(l, v, OPTIONS_OF_PROFILE, &r->profile.options);
}

static const struct load_key profile_keys[] = {
	{ "kernel", read_kernel },
	{ "initrd", read_initrd },
	{ "cmdline", read_cmdline },
	{ "script", read_script },
	{ "bootfile", read_bootfile },
	{ "local_boot", read_local_boot },
	{ "loader", read_loader },
	{ "options", read_options },
};

static void finish_profile(struct loading *l, struct reading *r, const struct yaml *v)
{
	int kinds = r->has_kernel + r->has_script + r->has_bootfile + r->local_boot;

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
	if (kinds == 1 && !r->has_kernel && r->initrd_pos.line != 0)
		config_error_add(l->errs, r->initrd_pos,
			"initrd belongs to a kernel, and this profile has none");
	if (kinds == 1 && !r->has_kernel && r->cmdline_pos.line != 0)
		config_error_add(l->errs, r->cmdline_pos,
			"cmdline belongs to a kernel, and this profile has none");
	r->profile.kind = r->has_kernel	    ? PROFILE_KERNEL
			  : r->has_script   ? PROFILE_SCRIPT
			  : r->has_bootfile ? PROFILE_BOOTFILE
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

static void read_loaders_dir(struct loading *l, const struct yaml *v, void *into)
{
	const char *dir = load_absolute_path(l, v);

	(void)into;
	if (!dir)
		return;
	l->cfg->loaders.dir = dir;
	l->cfg->loaders.pos = v->pos;
}

static void read_loader_file(struct loading *l, const struct yaml *v, void *into)
{
	const char *file =
		load_text(l, v, "an iPXE binary, by its name below `dir` or its absolute path");
	enum arch arch;

	(void)into;
	if (!file || arch_parse(v->key, &arch) < 0)
		return;
	if (file[0] != '/' && has_parent_step(span_str(file))) {
		config_error_add(l->errs, v->pos,
			"`..` leads out of loaders.dir: give the absolute path instead");
		return;
	}
	l->cfg->loaders.file[arch] = file;
	l->cfg->loaders.file_pos[arch] = v->pos;
}

void load_loaders(struct loading *l, const struct yaml *v, void *unused)
{
	struct load_key keys[ARCH_COUNT] = { { "dir", read_loaders_dir } };
	size_t n = 1;

	(void)unused;
	for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++)
		keys[n++] = (struct load_key){ arch_name(a), read_loader_file };
	(void)load_map(l, v, "loaders", keys, n, NULL);
}
