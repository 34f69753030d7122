/* Roots of served files; see roots.h. */
#include "app/roots.h"

#include "edge/files.h"

#include <errno.h>
#include <unistd.h>

struct root root_open(const char *path)
{
	struct root r = { .path = path, .fd = -1 };

	if (files_open_root(path, &r.fd) < 0)
		r.fd = -1;
	return r;
}

void root_close(struct root *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* Was the directory removed (and maybe made anew) since it was opened? */
static bool is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

typedef int (*open_below)(int dirfd, struct span path, int *ret_fd, struct stat *ret_st);

static int open_with(
	struct root *r, open_below open, struct span path, int *ret_fd, struct stat *ret_st)
{
	int e = r->fd < 0 ? -ENOENT : open(r->fd, path, ret_fd, ret_st);

	if (e != -ENOENT || (r->fd >= 0 && !is_gone(r->fd)))
		return e;
	root_close(r);
	*r = root_open(r->path);
	return r->fd < 0 ? -ENOENT : open(r->fd, path, ret_fd, ret_st);
}

int root_open_file(struct root *r, struct span path, int *ret_fd, struct stat *ret_st)
{
	return open_with(r, files_open_below, path, ret_fd, ret_st);
}

int root_open_file_cached(struct root *r, struct span path, int *ret_fd, struct stat *ret_st)
{
	return open_with(r, files_open_below_cached, path, ret_fd, ret_st);
}
