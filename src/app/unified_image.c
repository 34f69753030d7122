/* Makes unified kernel images of profiles; see unified_image.h. */
#include "app/unified_image.h"

#include "app/efi_files.h"
#include "base/escape.h"
#include "core/uki.h"

#include <errno.h>
#include <stdlib.h>

/* While the parts are opened and looked into. */
struct assembly {
	const struct boot_parts *of;
	struct http_parts *parts; /* files in the order of enum uki_file */
	bool is_partial;          /* one lies elsewhere, and is not here */
	struct efi_head stub;
	uint64_t *initrd_sizes;
	struct text *why;
};

static int open_part(struct assembly *a, struct root *root, size_t i)
{
	struct source_file *fetched = a->of->fetched;
	int r = boot_part_open(root, boot_part(a->of->profile, i), fetched ? &fetched[i] : NULL,
		&a->parts->files[UKI_KERNEL + i], a->why);

	if (r != -ENODATA)
		return r;
	a->is_partial = true;
	return 0;
}

static int open_parts(struct assembly *a, struct root *root)
{
	size_t n = a->of->profile->n_initrds;
	int r = open_part(a, root, 0);

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = open_part(a, root, i + 1);
		a->initrd_sizes[i] = (uint64_t)a->parts->files[UKI_INITRD + i].st.st_size;
	}
	return r;
}

/* Is the kernel one that firmware of the machine runs?  *ret: which it is for. */
static int check_kernel(struct assembly *a, enum arch *ret)
{
	const struct efi_wanted wanted = { .arch = a->of->arch };
	const struct source_file *f = &a->parts->files[UKI_KERNEL];
	struct text wrong = { 0 };
	struct efi_head head;
	int r = 0;

	if (f->fd < 0)
		*ret = a->of->arch;
	else if (efi_file_check(f->fd, &f->st, &wanted, &head, &wrong))
		*ret = pe_arch_of(head.pe.machine);
	else
		r = boot_part_refuse(
			a->of->cfg->http_root, &a->of->profile->kernel, text_str(&wrong), a->why);
	text_free(&wrong);
	return r;
}

static int open_stub(struct assembly *a, enum arch arch)
{
	const struct efi_wanted wanted = { .arch = arch };
	struct source_file *f = &a->parts->files[UKI_STUB];
	struct text wrong = { 0 };
	const char *path = a->of->cfg->loaders.file[FAMILY_STUB][arch].path;
	int r = a->of->files
		? site_open_again(a->of->files->loader[FAMILY_STUB][arch], &f->fd, &f->st)
		: site_loader_open(a->of->cfg, FAMILY_STUB, arch, &path, &f->fd, &f->st);

	if (r < 0) {
		text_addf(a->why,
			"there is no EFI stub for %s: install systemd-boot-efi, or name one with loaders: {stub: {%s: FILE}}",
			arch_name(arch), arch_name(arch));
		return -EBADMSG;
	}
	if (!efi_file_check(f->fd, &f->st, &wanted, &a->stub, &wrong))
		r = -EBADMSG;
	if (r < 0)
		text_addf(a->why, "%s %s", path, text_str(&wrong));
	text_free(&wrong);
	return r;
}

/* What the spec has from the target's own /etc/os-release: we know our name of it. */
static void add_os_release(const struct profile *p, struct text *out)
{
	text_adds(out, "ID=linux\nPRETTY_NAME=\"");
	escape_name(out, span_str(p->name));
	text_adds(out, "\"\n");
}

static int lay_out(struct assembly *a)
{
	struct text os_release = { 0 };
	const char *reason = NULL;
	int r = -ENOMEM;

	add_os_release(a->of->profile, &os_release);
	if (!os_release.failed) {
		const struct uki_parts parts = {
			.stub_head = { a->stub.octets, a->stub.n },
			.stub = &a->stub.pe,
			.kernel_size = (uint64_t)a->parts->files[UKI_KERNEL].st.st_size,
			.initrd_sizes = a->initrd_sizes,
			.n_initrds = a->of->profile->n_initrds,
			.os_release = text_span(&os_release),
			.cmdline = a->of->text,
		};

		r = uki_layout(&parts, &a->parts->pieces, &reason);
	}
	if (r == -EINVAL) {
		text_adds(a->why, reason);
		r = -EBADMSG;
	}
	text_free(&os_release);
	return r;
}

static int assemble(struct assembly *a)
{
	struct root root = root_open(a->of->cfg->http_root);
	enum arch arch = ARCH_UNKNOWN;
	int r = open_parts(a, &root);

	if (r == 0)
		r = check_kernel(a, &arch);
	if (r == 0 && arch != ARCH_UNKNOWN) /* else nobody knows yet for what machines it is */
		r = open_stub(a, arch);
	if (r == 0)
		r = a->is_partial ? -ENODATA : lay_out(a);
	root_close(&root);
	return r;
}

int unified_image_assemble(const struct boot_parts *of, struct http_parts **ret, struct text *why)
{
	size_t n = of->profile->n_initrds;
	struct assembly a = {
		.of = of, .initrd_sizes = calloc(n + 1, sizeof(uint64_t)), .why = why
	};
	int r = a.initrd_sizes ? http_parts_new(UKI_INITRD + n, &a.parts) : -ENOMEM;

	if (r == 0)
		r = assemble(&a);
	free(a.initrd_sizes);
	if (r < 0)
		http_parts_free(a.parts);
	else
		*ret = a.parts;
	return r;
}
