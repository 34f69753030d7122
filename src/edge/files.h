/* Opens the files that clients ask for: nothing but regular files, nothing
 * outside the root.
 *
 * The kernel does the checking, in one step with the opening (openat2,
 * RESOLVE_BENEATH): no string is compared here, so there is no race between a
 * check and its use.  A symlink inside the root is followed, one that leads out
 * is an error.  It never blocks on a FIFO and never opens a device.
 *
 * It does not decode or clean names: that is the protocol's work.
 */
#pragma once

#include "base/text.h"

#include <sys/stat.h>

#define FILES_PATH_MAX 1024 /* octets of a name below a root */

/* A descriptor of the directory, for files_open_below; the caller closes it.
 * 0 or -errno (-ENOENT, -ENOTDIR, -EACCES, …). */
int files_open_root(const char *path, int *ret_dirfd) WARN_UNUSED;

/* Opens the regular file `path` (any octets from a client, no leading '/')
 * below dirfd, to read.  The caller closes *ret_fd.  0, or: -ENOENT, -EISDIR,
 * -EPERM (no regular file), -EXDEV (leads out of the root), -ELOOP, -EINVAL (a
 * NUL in it, or empty), -ENAMETOOLONG, -EACCES, …, both results untouched. */
int files_open_below(int dirfd, struct span path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* The same without waiting for a disk: -EAGAIN when the way to the file is not in
 * the kernel's cache (RESOLVE_CACHED, Linux 5.12; an older kernel opens it). */
int files_open_below_cached(
	int dirfd, struct span path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* Opens a file that the configuration names (a loader, a script), symlinks
 * followed wherever they lead, regular files only; else as above. */
int files_open_path(const char *path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;

/* The rest of an open file, at most max octets, in *ret_text, which the caller
 * frees.  -EFBIG when there is more, -ENOMEM, or what reading said. */
int files_read_all(int fd, size_t max, struct text *ret_text) WARN_UNUSED;

/* Its file system (tmpfs, ramfs) has no disk to wait for: they know no RWF_NOWAIT. */
bool files_is_in_memory(int fd);
