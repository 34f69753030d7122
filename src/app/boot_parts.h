/* The files of a profile that become parts of an image or a disk: kernel and initrds,
 * below http.root or fetched from elsewhere.
 */
#pragma once

#include "app/roots.h"
#include "core/config.h"
#include "edge/http_source.h"

/* The kernel (0) or an initrd (1, …); NULL behind the last. */
const struct file_ref *boot_part(const struct profile *p, size_t i);

/* Opens the file; what lies elsewhere moves from *fetched (NULL: nothing was fetched).
 * -ENODATA: it lies elsewhere, and is not here.  -EBADMSG with a sentence in *why.  May
 * wait for a disk. */
int boot_part_open(struct root *http_root, const struct file_ref *f, struct source_file *fetched,
	struct source_file *ret, struct text *why) WARN_UNUSED;

/* -EBADMSG, and in *why what is wrong with the file, behind its name. */
int boot_part_refuse(const char *http_root, const struct file_ref *f, const char *reason, struct text *why);
