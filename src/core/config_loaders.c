/* `loaders:`, the binaries that bring a machine to its kernel: iPXE's by
 * architecture, those of the other families in maps of their own. */
#include "core/config_load_impl.h"

static void read_dir(struct loading *l, const struct yaml *v, void *into)
{
	const char *dir = load_absolute_path(l, v);

	(void)into;
	if (!dir)
		return;
	l->cfg->loaders.dir = dir;
	l->cfg->loaders.pos = v->pos;
}

static void set_file(
	struct loading *l, enum loader_family f, const struct yaml *v, const char *path)
{
	enum arch arch;

	if (path && arch_parse(v->key, &arch) == 0)
		l->cfg->loaders.file[f][arch] = (struct loader_file){ .path = path, .pos = v->pos };
}

static void read_ipxe(struct loading *l, const struct yaml *v, void *into)
{
	const char *file = load_text(
		l, v, "an iPXE binary, by its name below `dir` or its absolute path");

	(void)into;
	if (file && file[0] != '/' && load_has_parent_step(span_str(file)))
		config_error_add(l->errs, v->pos,
			"`..` leads out of loaders.dir: give the absolute path instead");
	else
		set_file(l, FAMILY_IPXE, v, file);
}

static void read_other(struct loading *l, const struct yaml *v, void *into)
{
	const enum loader_family *family = into;

	set_file(l, *family, v, load_absolute_path(l, v));
}

/* Adds a key for each architecture. */
static size_t add_archs(struct load_key *keys, enum arch first, load_fn *read)
{
	size_t n = 0;

	for (enum arch a = first; a < ARCH_OTHER; a++)
		keys[n++] = (struct load_key){ arch_name(a), read };
	return n;
}

static void read_family(
	struct loading *l, const struct yaml *v, enum loader_family family, const char *what)
{
	struct load_key keys[ARCH_COUNT];
	/* Shim and the stub are EFI programs. */
	size_t n = add_archs(keys, family == FAMILY_GRUB ? ARCH_BIOS : ARCH_IA32, read_other);

	(void)load_map(l, v, what, keys, n, &family);
}

static void read_grub(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	read_family(l, v, FAMILY_GRUB, "loaders.grub");
}

static void read_shim(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	read_family(l, v, FAMILY_SHIM, "loaders.shim");
}

static void read_stub(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	read_family(l, v, FAMILY_STUB, "loaders.stub");
}

void load_loaders(struct loading *l, const struct yaml *v, void *unused)
{
	struct load_key keys[ARCH_COUNT + 4] = { { "dir", read_dir } };
	size_t n = 1 + add_archs(keys + 1, ARCH_BIOS, read_ipxe);

	(void)unused;
	keys[n++] = (struct load_key){ "grub", read_grub };
	keys[n++] = (struct load_key){ "shim", read_shim };
	keys[n++] = (struct load_key){ "stub", read_stub };
	(void)load_map(l, v, "loaders", keys, n, NULL);
}
