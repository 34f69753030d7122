/* Makes disks with GRUB and a kernel; see boot_disk.h. */
#include "app/boot_disk.h"

#include "app/efi_files.h"
#include "core/fat_image.h"
#include "edge/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* How the files of the parts are numbered; further initrds follow. */
enum disk_file {
	DISK_SHIM,
	DISK_GRUB,
	DISK_KERNEL,
	DISK_INITRD,
};

/* Where GRUB looks for its configuration, as it was built: Debian's grubnet, grub and gcd, an
 * image like its own beside it, and the one of debian-installer (debian/build-efi-images). */
static const char *const places[] = { "grub/grub.cfg", "EFI/debian/grub.cfg", "boot/grub/grub.cfg",
	"EFI/BOOT/grub.cfg", "debian-installer/amd64/grub/grub.cfg",
	"debian-installer/arm64/grub/grub.cfg", "debian-installer/i386/grub/grub.cfg" };

#define NAME_MAX_OCTETS 40u

/* While the parts are opened. */
struct assembly {
	const struct boot_parts *of;
	struct http_parts *parts; /* files in the order of enum disk_file */
	struct fat_file *files;   /* of the volume */
	char (*names)[NAME_MAX_OCTETS];
	size_t n_files;
	struct text *why;
};

static int refuse(struct assembly *a, const char *path, const char *reason)
{
	text_addf(a->why, "%s %s", path, reason);
	return -EBADMSG;
}

/* What was opened as that part becomes a file of the volume. */
static void put_file(struct assembly *a, size_t part, const char *format, ...) PRINTF(3, 4);
static void put_file(struct assembly *a, size_t part, const char *format, ...)
{
	char *name = a->names[a->n_files];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(name, NAME_MAX_OCTETS, format, ap);
	va_end(ap);
	a->files[a->n_files++] = (struct fat_file){ .path = name,
		.file = (unsigned)part,
		.size = (uint64_t)a->parts->files[part].st.st_size };
}

/* Is it what Secure Boot lets through?  Without it, GRUB also boots what is no UEFI image. */
static int check_kernel(struct assembly *a)
{
	const struct efi_wanted wanted = { .arch = a->of->arch, .is_signed = true };
	const struct source_file *f = &a->parts->files[DISK_KERNEL];
	struct text wrong = { 0 };
	struct efi_head head;
	int r = 0;

	if (a->of->profile->secure_boot && !efi_file_check(f->fd, &f->st, &wanted, &head, &wrong))
		r = boot_part_refuse(
			a->of->cfg->http_root, &a->of->profile->kernel, text_str(&wrong), a->why);
	text_free(&wrong);
	return r;
}

static int open_profile(struct assembly *a, struct root *root)
{
	const struct file_ref *f;
	int r = 0;

	for (size_t i = 0; r == 0 && (f = boot_part(a->of->profile, i)); i++) {
		r = boot_part_open(
			root, f, &a->of->fetched[i], &a->parts->files[DISK_KERNEL + i], a->why);
		if (r == 0 && i == 0)
			r = check_kernel(a);
		if (r == 0 && i == 0)
			put_file(a, DISK_KERNEL, BOOT_DISK_FILES "/kernel");
		else if (r == 0)
			put_file(a, DISK_KERNEL + i, BOOT_DISK_FILES "/initrd%zu", i - 1);
	}
	return r;
}

static int open_loader(struct assembly *a, enum loader_family family, enum disk_file part)
{
	const struct boot_parts *d = a->of;
	const struct efi_wanted wanted = { .arch = d->arch, .is_signed = d->profile->secure_boot };
	struct source_file *f = &a->parts->files[part];
	const char *path = d->cfg->loaders.file[family][d->arch].path;
	struct text wrong = { 0 };
	struct efi_head head;
	int r = site_open_again(d->files->loader[family][d->arch], &f->fd, &f->st);

	if (r < 0)
		return refuse(a, path, strerror(-r));
	if (!efi_file_check(f->fd, &f->st, &wanted, &head, &wrong))
		r = refuse(a, path, text_str(&wrong));
	text_free(&wrong);
	return r;
}

/* Firmware runs \EFI\BOOT\BOOT*.EFI of a disk, and shim the GRUB beside itself. */
static int open_loaders(struct assembly *a)
{
	const char *suffix = pe_machine_suffix(a->of->arch);
	int r = open_loader(a, FAMILY_GRUB, DISK_GRUB);

	if (r == 0 && a->of->family == FAMILY_SHIM)
		r = open_loader(a, FAMILY_SHIM, DISK_SHIM);
	if (r < 0)
		return r;
	if (a->of->family == FAMILY_SHIM) {
		put_file(a, DISK_SHIM, "EFI/BOOT/BOOT%s.EFI", suffix);
		put_file(a, DISK_GRUB, "EFI/BOOT/grub%s.efi", suffix);
	} else {
		put_file(a, DISK_GRUB, "EFI/BOOT/BOOT%s.EFI", suffix);
	}
	return 0;
}

static int lay_out(struct assembly *a)
{
	const char *reason = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		a->files[a->n_files++] = (struct fat_file){ .path = places[i],
			.octets = a->of->text };
	r = fat_image_layout(a->files, a->n_files, &a->parts->pieces, &reason);
	if (r == -EINVAL) {
		text_adds(a->why, reason);
		r = -EBADMSG;
	}
	return r;
}

static int assemble(struct assembly *a)
{
	struct root root = root_open(a->of->cfg->http_root);
	int r = open_loaders(a);

	if (r == 0)
		r = open_profile(a, &root);
	if (r == 0)
		r = lay_out(a);
	root_close(&root);
	return r;
}

int boot_disk_assemble(const struct boot_parts *of, struct http_parts **ret, struct text *why)
{
	size_t n_parts = DISK_INITRD + of->profile->n_initrds,
	       n_files = n_parts + ARRAY_LEN(places);
	struct assembly a = { .of = of,
		.files = calloc(n_files, sizeof(*a.files)),
		.names = calloc(n_parts, sizeof(*a.names)),
		.why = why };
	int r = a.files && a.names ? http_parts_new(n_parts, &a.parts) : -ENOMEM;

	if (r == 0)
		r = assemble(&a);
	free(a.files);
	free(a.names);
	if (r < 0)
		http_parts_free(a.parts);
	else
		*ret = a.parts;
	return r;
}
