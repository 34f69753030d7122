/* What a unified kernel image (app/unified_image.h) or a disk (app/boot_disk.h) is made of
 * for a machine: its own text, and the files of its profile, kernel and initrds, below
 * http.root or fetched from elsewhere.
 */
#pragma once

#include "app/roots.h"
#include "app/snapshot.h"
#include "edge/http_source.h"

struct boot_parts {
	const struct config *cfg;
	const struct site_files *files; /* with the loaders open; NULL: they are looked for */
	const struct profile *profile;  /* of a kernel */
	enum loader_family
		family; /* FAMILY_STUB: an image; of a disk FAMILY_SHIM, with GRUB, or FAMILY_GRUB */
	enum arch arch;   /* of the machine; ARCH_UNKNOWN: whatever the kernel is for */
	struct span text; /* the command line; of a disk GRUB's configuration */
	struct source_file *
		fetched; /* kernel and initrds that lie elsewhere, each in its place (boot_part()); NULL: none */
};

/* The kernel (0) or an initrd (1, …); NULL behind the last. */
const struct file_ref *boot_part(const struct profile *p, size_t i);

/* Opens the file; what lies elsewhere moves from *fetched (NULL: nothing was fetched).
 * -ENODATA: it lies elsewhere, and is not here.  -EBADMSG with a sentence in *why.  May
 * wait for a disk. */
int boot_part_open(struct root *http_root, const struct file_ref *f, struct source_file *fetched,
	struct source_file *ret, struct text *why) WARN_UNUSED;

/* -EBADMSG, and in *why what is wrong with the file, behind its name. */
int boot_part_refuse(
	const char *http_root, const struct file_ref *f, const char *reason, struct text *why);
