/* machines/WHO/boot.img: a disk with shim, GRUB, this machine's grub.cfg and a profile's
 * kernel and initrds, which UEFI loads by HTTP into a RAM disk (UEFI 2.10 24.7.2) and boots as
 * it boots any disk: signed parts of a distribution, and no network for GRUB.
 *
 * Opens the parts and lays them out (core/fat_image.h); nothing is copied.
 */
#pragma once

#include "app/boot_parts.h"

#define BOOT_DISK_FILES "boot" /* the directory of kernel and initrds */

/* Opens the files and lays them out; what was fetched moves.  of->files are not NULL.
 * -EBADMSG with a sentence in *why when they make no disk; -ENOMEM.  May wait for a disk. */
int boot_disk_assemble(
	const struct boot_parts *of, struct http_parts **ret, struct text *why) WARN_UNUSED;
