/* Opens regular files below a root; see files.h for what is promised. */
#include "edge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* O_NONBLOCK: the open of a FIFO without a writer returns at once. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

int files_open_root(const char *path, int *ret_dirfd)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_dirfd = fd;
	return 0;
}

/* Hands out fd when it is a regular file, closes it otherwise. */
static int keep_regular(int fd, int *ret_fd, struct stat *ret_st)
{
	struct stat st;
	int err = 0;

	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = -EPERM;
	if (err < 0) {
		close(fd);
		return err;
	}
	*ret_fd = fd;
	*ret_st = st;
	return 0;
}

/* A socket, or a device without its driver, fails with ENXIO before we can
 * look at its kind: to the caller it is no regular file either. */
static int open_error(int err)
{
	return err == ENXIO || err == ENODEV ? -EPERM : -err;
}

static int open_below(
	int dirfd, struct span path, uint64_t resolve, int *ret_fd, struct stat *ret_st)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
	};
	char name[FILES_PATH_MAX + 1];
	long fd;

	if (path.n == 0 || memchr(path.p, 0, path.n))
		return -EINVAL;
	if (path.n > FILES_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	/* EAGAIN: a rename elsewhere raced with a ".." in a symlink, and the
	 * kernel could not tell; asking again is what openat2(2) advises. */
	for (int tries = 0; tries < 8; tries++) {
		fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		if (fd >= 0 || resolve || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		return open_error(errno);
	return keep_regular((int)fd, ret_fd, ret_st);
}

int files_open_below(int dirfd, struct span path, int *ret_fd, struct stat *ret_st)
{
	return open_below(dirfd, path, 0, ret_fd, ret_st);
}

int files_open_below_cached(int dirfd, struct span path, int *ret_fd, struct stat *ret_st)
{
	int r = open_below(dirfd, path, RESOLVE_CACHED, ret_fd, ret_st);

	/* An old kernel does not know the flag; a rename that races is not cached. */
	return r == -EINVAL ? open_below(dirfd, path, 0, ret_fd, ret_st) : r;
}

int files_open_path(const char *path, int *ret_fd, struct stat *ret_st)
{
	int fd = open(path, OPEN_FLAGS);

	if (fd < 0)
		return open_error(errno);
	return keep_regular(fd, ret_fd, ret_st);
}

/* It may grow while it is read: the limit holds for what came. */
int files_read_all(int fd, size_t max, struct text *ret_text)
{
	struct text t = { 0 };
	char buf[16384];
	int r = 0;

	while (r == 0 && t.n <= max) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			r = -errno;
		if (n > 0)
			text_add(&t, (struct span){ (const uint8_t *)buf, (size_t)n });
		if (t.failed)
			r = -ENOMEM;
	}
	if (r == 0 && t.n > max)
		r = -EFBIG;
	if (r < 0)
		text_free(&t);
	else
		*ret_text = t;
	return r;
}

bool files_is_in_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}
