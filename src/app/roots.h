/* The directories whose files are served, opened; a thread has its own.
 *
 * One that is missing, or was removed and made anew, is looked for again when a
 * client asks.
 */
#pragma once

#include "base/text.h"

#include <sys/stat.h>

struct root {
	const char *path; /* of the configuration, which must outlive this */
	int fd;           /* -1: missing */
};

struct root root_open(const char *path);
void root_close(struct root *r);

/* Opens a file below the root, as files_open_below(); -ENOENT where there is no
 * root.  The cached form never waits for a disk: -EAGAIN where it would have to. */
int root_open_file(struct root *r, struct span path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;
int root_open_file_cached(
	struct root *r, struct span path, int *ret_fd, struct stat *ret_st) WARN_UNUSED;
