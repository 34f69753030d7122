/* machines/WHO/boot.img: a disk with shim, GRUB, this machine's grub.cfg and a profile's
 * kernel and initrds, which UEFI loads by HTTP into a RAM disk (UEFI 2.10 24.7.2) and boots as
 * it boots any disk: signed parts of a distribution, and no network for GRUB.
 *
 * Opens the parts and lays them out (core/fat_image.h); nothing is copied.
 */
#pragma once

#include "app/snapshot.h"
#include "edge/http_source.h"

#define BOOT_DISK_FILES "boot" /* the directory of kernel and initrds */

struct boot_disk {
	const struct config *cfg;
	const struct site_files *files; /* with the loaders open */
	const struct profile *profile;  /* of a kernel */
	enum loader_family family;      /* FAMILY_SHIM: shim and GRUB; FAMILY_GRUB: it alone */
	enum arch arch;                 /* of the machine */
	struct span grub_cfg;
	struct source_file *fetched; /* kernel and initrds that lie elsewhere, each in its place (boot_part()) */
};

/* Opens the files and lays them out; what was fetched moves.  -EBADMSG with a sentence in *why when they make no
 * disk; -ENOMEM.  May wait for a disk. */
int boot_disk_assemble(
	const struct boot_disk *disk, struct http_parts **ret, struct text *why) WARN_UNUSED;
