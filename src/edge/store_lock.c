/* The lock of the state directory: one instance at a time. */
#include "edge/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_directories(const char *path)
{
	size_t n = strlen(path);
	char *copy = n ? strdup(path) : NULL;
	int r = 0;

	if (!copy)
		return n ? -ENOMEM : -ENOENT;
	for (size_t i = 1; i <= n && r == 0; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		copy[i] = '\0';
		/* 0750: what machines boot is nobody else's business. */
		if (mkdir(copy, 0750) < 0 && errno != EEXIST && errno != EROFS)
			r = -errno;
		copy[i] = path[i];
	}
	free(copy);
	return r;
}

int store_lock(const char *state_dir, int *ret_fd, int *ret_pid)
{
	char path[4096], text[16] = "";
	bool read_only = false;
	int fd, n, r;

	*ret_pid = 0;
	r = make_directories(state_dir);
	if (r < 0)
		return r;
	n = snprintf(path, sizeof(path), "%s/lock", state_dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	/* On a file system that became read-only known leases are still served. */
	if (fd < 0 && errno == EROFS) {
		read_only = true;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		if (read(fd, text, sizeof(text) - 1) > 0)
			*ret_pid = atoi(text);
		close(fd);
		return r;
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* The number is for whoever is refused; a full disk must not keep us from starting. */
	if (!read_only && (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) &&
		errno != ENOSPC) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
