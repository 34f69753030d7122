/* FAT volumes whose files lie elsewhere: a disk of shim, GRUB and a kernel, made while it
 * is sent, for firmware that takes a disk's image by HTTP.
 *
 * Pure layout: it is told names and sizes, and says which octets the volume has and where
 * each comes from.  It opens nothing; there is no partition table, and no date that would
 * differ from one request to the next.  FAT16 up to 2 GiB, where a small volume is padded to
 * 2 MiB, and FAT32 beyond.
 *
 * Microsoft, "FAT: General Overview of On-Disk Format" 1.03 (fatgen103).
 */
#pragma once

#include "core/pieces.h"

struct fat_file {
	/* "EFI/BOOT/BOOTX64.EFI": steps of ASCII letters, digits, `-`, `_` and dots within.  To
	 * whoever reads FAT letters of either case are the same. */
	const char *path;
	struct span octets; /* all that is in it; or, where p is NULL, */
	unsigned file;      /* this file of the pieces, */
	uint64_t size;      /* so many octets */
};

/* The volume in *ret, which the caller frees.  -EINVAL with a sentence in *ret_why, or
 * -ENOMEM. */
int fat_image_layout(const struct fat_file *files, size_t n, struct pieces *ret,
	const char **ret_why) WARN_UNUSED;
