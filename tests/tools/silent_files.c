/* silent_files.so, preloaded: a file system that knows no RWF_NOWAIT, with a slow disk.
 *
 * SILENT_FILES is what fstatfs() says it is (0x6969: NFS, 0x01021994: tmpfs).  Of a file
 * of a MiB or more each read takes 10 ms, and sendfile a second where nobody has read
 * before; for each of these an 'r' or an 's' is appended to the file SILENT_FILES_COUNT.
 * It has one such file in mind.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LARGE (1 << 20)

static off_t was_read; /* so far; atomic */

static int is_large(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= LARGE;
}

static void wait_and_count(const char *what, useconds_t us)
{
	const char *count = getenv("SILENT_FILES_COUNT");
	int fd = count ? open(count, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0 || write(fd, what, 1) != 1)
		abort();
	close(fd);
	usleep(us);
}

int fstatfs(int fd, struct statfs *fs)
{
	const char *type = getenv("SILENT_FILES");
	int r = ((int (*)(int, struct statfs *))dlsym(RTLD_NEXT, "fstatfs64"))(fd, fs);

	if (r == 0 && type)
		fs->f_type = (__typeof__(fs->f_type))strtol(type, NULL, 16);
	return r;
}

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	if (flags & RWF_NOWAIT) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return ((ssize_t(*)(int, const struct iovec *, int, off_t, int))dlsym(
		RTLD_NEXT, "preadv64v2"))(fd, iov, n, at, flags);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	ssize_t got = ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64"))(
		fd, p, n, at);

	if (got > 0 && is_large(fd)) {
		wait_and_count("r", 10000);
		__atomic_store_n(&was_read, at + got, __ATOMIC_SEQ_CST);
	}
	return got;
}

ssize_t sendfile(int to, int fd, off_t *at, size_t n)
{
	if (is_large(fd) && at && *at + (off_t)n > __atomic_load_n(&was_read, __ATOMIC_SEQ_CST))
		wait_and_count("s", 1000000);
	return ((ssize_t(*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile64"))(
		to, fd, at, n);
}
