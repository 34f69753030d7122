/* Files that an answer of the main thread takes: one of libuv's workers opens them, and
 * reads them where a text is made of them, so that a disk that hangs stops nobody but who
 * asks for what lies on it.
 *
 * Then the question goes the whole way again (app/virtual_files.h), with the file in hand,
 * so that whatever changed meanwhile counts.  Whoever wants a file says so before anything
 * is given or logged, and leaves the question alone when it has to be brought.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

/* A file below http.root (DISK_HTTP_ROOT) or tftp.root (DISK_TFTP_ROOT), or of this path
 * (DISK_LOADERS).  0; -ENOENT, …; or -EINPROGRESS: q->given is GIVEN_LATER. */
int brought_file_open(struct site *site, struct question *q, enum site_disk disk, struct span path,
	int *ret_fd, struct stat *ret_st) WARN_UNUSED;
/* The same; all its octets, if they are no more than max (> 0).  -EFBIG. */
int brought_file_read(struct site *site, struct question *q, enum site_disk disk, struct span path,
	size_t max, struct text *ret) WARN_UNUSED;

/* Lets go of what was brought and not taken; NULL is fine. */
void brought_files_free(struct brought_file *list);
