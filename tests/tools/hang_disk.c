/* hang_disk.so, preloaded: a disk that does not answer while the file HANG_DISK is there.
 *
 * What writes or syncs a database waits; whatever else does is let through.  The way of
 * SQLite: fdatasync, fsync, pwrite64 on descriptors of files that end in .db or .db-wal.
 * Where HANG_DISK_END says how other files end, those are meant instead, and opening
 * (open, openat2) and reading (read, pread) them waits too; openat2 with RESOLVE_CACHED
 * fails with EAGAIN, as it does where a file is not in memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int is_meant(const char *path)
{
	const char *end = getenv("HANG_DISK_END");

	return end ? ends_with(path, end) : ends_with(path, ".db") || ends_with(path, ".db-wal");
}

static void wait_for_path(const char *path)
{
	const struct timespec a_moment = { .tv_nsec = 20000000 };
	const char *file = getenv("HANG_DISK");

	while (file && access(file, F_OK) == 0 && is_meant(path))
		(void)nanosleep(&a_moment, NULL);
}

static void wait_for_disk(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	wait_for_path(path);
}

int fdatasync(int fd)
{
	wait_for_disk(fd);
	return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int fsync(int fd)
{
	wait_for_disk(fd);
	return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	wait_for_disk(fd);
	return ((ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(
		fd, p, n, at);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (getenv("HANG_DISK_END"))
		wait_for_path(path);
	return ((int (*)(const char *, int, mode_t))dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
}

/* The C library has no function for openat2. */
long syscall(long number, ...)
{
	const struct open_how *how;
	const char *path, *file = getenv("HANG_DISK");
	va_list ap;
	long a[6];

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2 && getenv("HANG_DISK_END")) {
		path = (const char *)a[1];
		how = (const struct open_how *)a[2];
		if ((how->resolve & RESOLVE_CACHED) && file && access(file, F_OK) == 0 &&
			is_meant(path)) {
			errno = EAGAIN;
			return -1;
		}
		wait_for_path(path);
	}
	return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(
		number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t read(int fd, void *p, size_t n)
{
	if (getenv("HANG_DISK_END"))
		wait_for_disk(fd);
	return ((ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (getenv("HANG_DISK_END"))
		wait_for_disk(fd);
	return ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64"))(fd, p, n, at);
}
