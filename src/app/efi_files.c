/* Looks into UEFI images; see efi_files.h. */
#include "app/efi_files.h"

#include "app/boot_parts.h"
#include "app/snapshot.h"
#include "app/unified_image.h"
#include "edge/files.h"

#include <errno.h>
#include <unistd.h>

static struct span head_of(const struct efi_head *h)
{
	return (struct span){ h->octets, h->n };
}

static bool read_head(int fd, struct efi_head *ret, struct text *why)
{
	ret->n = 0;
	while (ret->n < sizeof(ret->octets)) {
		ssize_t n = pread(
			fd, ret->octets + ret->n, sizeof(ret->octets) - ret->n, (off_t)ret->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			text_addf(why, "cannot be read: %s", strerror(errno));
		if (n <= 0)
			return n == 0;
		ret->n += (size_t)n;
	}
	return true;
}

bool efi_file_check(int fd, const struct stat *st, const struct efi_wanted *wanted,
	struct efi_head *ret, struct text *why)
{
	return read_head(fd, ret, why) &&
		efi_check(head_of(ret), (uint64_t)st->st_size, wanted, &ret->pe, why);
}

/* --- loaders --- */

/* BIOS runs plain code.  For it a UEFI image is the wrong file; what the right one is,
 * its octets do not tell. */
static bool suits_bios(int fd, const struct stat *st, struct text *why)
{
	const struct efi_wanted any = { .arch = ARCH_UNKNOWN };
	struct text ignored = { 0 };
	struct efi_head head;
	bool is_efi = efi_file_check(fd, st, &any, &head, &ignored);

	text_free(&ignored);
	if (is_efi)
		text_adds(why, "is a UEFI image, and BIOS runs none");
	return !is_efi;
}

/* What the configuration names; of the usual places nothing is promised. */
static void check_loader(
	const struct config *cfg, enum loader_family f, enum arch a, struct config_errors *errs)
{
	const struct loader_file *l = &cfg->loaders.file[f][a];
	const struct efi_wanted wanted = { .arch = a };
	struct efi_head head;
	struct text why = { 0 };
	const char *path;
	bool good = true;
	struct stat st;
	int fd;

	if (l->pos.line == 0 || site_loader_open(cfg, f, a, &path, &fd, &st) < 0)
		return;
	if (a == ARCH_BIOS)
		good = suits_bios(fd, &st, &why);
	else if (pe_machine_of(a) != 0)
		good = efi_file_check(fd, &st, &wanted, &head, &why);
	if (!good)
		config_error_add(errs, l->pos, "%s for %s, %s, %s: name another file",
			loader_family_name(f), arch_name(a), path, text_str(&why));
	text_free(&why);
	(void)close(fd);
}

/* --- profiles --- */

/* Firmware with Secure Boot loads a signed shim only, which loads a signed GRUB. */
static void check_secure_loader(const struct config *cfg, const struct profile *p,
	enum loader_family f, enum arch a, struct config_errors *errs)
{
	const struct efi_wanted wanted = { .arch = a, .is_signed = true };
	struct efi_head head;
	struct text why = { 0 };
	const char *path;
	struct stat st;
	int fd;

	if (site_loader_open(cfg, f, a, &path, &fd, &st) < 0)
		return; /* boot_decide() says what is missing, and for whom */
	if (!efi_file_check(fd, &st, &wanted, &head, &why))
		config_error_add(errs, p->pos,
			"secure_boot: %s for %s, %s, %s: install a distribution's signed one",
			loader_family_name(f), arch_name(a), path, text_str(&why));
	text_free(&why);
	(void)close(fd);
}

/* And that a signed kernel, which tells what machines the profile is for. */
static void check_secure(const struct config *cfg, const struct profile *p, int http_root,
	struct config_errors *errs)
{
	const struct efi_wanted wanted = { .is_signed = true };
	struct efi_head head;
	struct text why = { 0 };
	struct stat st;
	int fd;

	if (p->kernel.is_url || p->kernel.upstream ||
		files_open_below(http_root, span_str(p->kernel.path), &fd, &st) < 0)
		return;
	if (efi_file_check(fd, &st, &wanted, &head, &why)) {
		check_secure_loader(cfg, p, FAMILY_SHIM, pe_arch_of(head.pe.machine), errs);
		check_secure_loader(cfg, p, FAMILY_GRUB, pe_arch_of(head.pe.machine), errs);
	} else {
		config_error_add(errs, p->kernel.pos,
			"%s/%s %s: use a distribution's signed kernel, or no secure_boot",
			cfg->http_root, p->kernel.path, text_str(&why));
	}
	text_free(&why);
	(void)close(fd);
}

/* What is missing is told elsewhere. */
static bool has_all_files(const struct profile *p, int http_root)
{
	const struct file_ref *f;

	for (size_t i = 0; (f = boot_part(p, i)); i++) {
		struct stat st;
		int fd;

		if (f->is_url || f->upstream)
			continue;
		if (files_open_below(http_root, span_str(f->path), &fd, &st) < 0)
			return false;
		(void)close(fd);
	}
	return true;
}

/* As it will be made for a machine, but for its command line; of what lies elsewhere nothing
 * is known yet. */
static void check_image(const struct config *cfg, const struct profile *p, int http_root,
	struct config_errors *errs)
{
	const struct boot_parts of = {
		.cfg = cfg, .profile = p, .family = FAMILY_STUB, .arch = ARCH_UNKNOWN
	};
	struct http_parts *parts = NULL;
	struct text why = { 0 };
	int r;

	if (!has_all_files(p, http_root))
		return;
	r = unified_image_assemble(&of, &parts, &why);
	if (r < 0 && r != -ENODATA)
		config_error_add(errs, p->kernel.pos, "loader: uki makes no image of this: %s",
			text_str(&why));
	http_parts_free(parts);
	text_free(&why);
}

void efi_files_check(const struct config *cfg, int http_root, struct config_errors *errs)
{
	for (enum loader_family f = 0; f < FAMILY_COUNT; f++)
		for (enum arch a = 0; a < ARCH_COUNT; a++)
			check_loader(cfg, f, a, errs);
	for (size_t i = 0; i < cfg->n_profiles && http_root >= 0; i++) {
		const struct profile *p = &cfg->profiles[i];

		if (p->kind == PROFILE_KERNEL && p->secure_boot)
			check_secure(cfg, p, http_root, errs);
		if (p->kind == PROFILE_KERNEL && p->loader == LOADER_UKI)
			check_image(cfg, p, http_root, errs);
	}
}
