/* Small files that many ask for; see hot_files.h. */
#include "edge/hot_files.h"

#include "edge/files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOTS         64u /* one name each: at most a MiB in all */
#define NAME_MAX_KEPT 256u

struct slot {
	int fd; /* -1: free */
	uint64_t good_until_ms;
	struct stat st;
	size_t path_n;
	uint8_t path[NAME_MAX_KEPT];
	uint8_t *octets;
};

struct hot_files {
	struct slot slots[SLOTS];
};

int hot_files_new(struct hot_files **ret)
{
	struct hot_files *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	for (size_t i = 0; i < SLOTS; i++)
		h->slots[i].fd = -1;
	*ret = h;
	return 0;
}

static void slot_clear(struct slot *s)
{
	if (s->fd < 0)
		return;
	close(s->fd);
	free(s->octets);
	*s = (struct slot){ .fd = -1 };
}

void hot_files_clear(struct hot_files *h)
{
	for (size_t i = 0; i < SLOTS; i++)
		slot_clear(&h->slots[i]);
}

void hot_files_free(struct hot_files *h)
{
	if (!h)
		return;
	hot_files_clear(h);
	free(h);
}

/* FNV-1a; who makes names collide makes his own files slower. */
static struct slot *slot_of(struct hot_files *h, struct span path)
{
	uint32_t v = 2166136261u;

	for (size_t i = 0; i < path.n; i++)
		v = (v ^ path.p[i]) * 16777619u;
	return &h->slots[(v ^ v >> 16) % SLOTS];
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The time of the last change of the inode moves with every rename of it too. */
static bool is_unchanged(int fd, const struct stat *before)
{
	struct stat now;

	return fstat(fd, &now) == 0 && now.st_nlink == before->st_nlink &&
		now.st_size == before->st_size && is_same_time(now.st_mtim, before->st_mtim) &&
		is_same_time(now.st_ctim, before->st_ctim);
}

static struct hot_file file_of(const struct slot *s)
{
	return (struct hot_file){ .st = &s->st, .octets = { s->octets, (size_t)s->st.st_size } };
}

/* Reads the whole file, unless that would wait for a disk. */
static bool read_cached(int fd, uint8_t *p, size_t n)
{
	struct iovec iov = { p, n };
	ssize_t got = preadv2(fd, &iov, 1, 0, RWF_NOWAIT);

	if (got < 0 && errno == EOPNOTSUPP && files_is_in_memory(fd))
		got = pread(fd, p, n, 0);
	return got == (ssize_t)n;
}

bool hot_files_find(struct hot_files *h, struct span path, uint64_t now_ms, struct hot_file *ret)
{
	struct slot *s = slot_of(h, path);

	if (s->fd < 0 || !span_eq((struct span){ s->path, s->path_n }, path))
		return false;
	if (now_ms >= s->good_until_ms || !is_unchanged(s->fd, &s->st)) {
		slot_clear(s);
		return false;
	}
	*ret = file_of(s);
	return true;
}

bool hot_files_keep(struct hot_files *h, struct span path, int fd, const struct stat *st,
	uint64_t now_ms, struct hot_file *ret)
{
	struct slot *s = slot_of(h, path);
	size_t n = (size_t)st->st_size;
	uint8_t *octets;

	if (st->st_size <= 0 || n > HOT_FILE_MAX || path.n > NAME_MAX_KEPT)
		return false;
	octets = malloc(n);
	if (!octets)
		return false;
	if (!read_cached(fd, octets, n) || !is_unchanged(fd, st)) {
		free(octets);
		return false;
	}
	slot_clear(s);
	s->fd = fd;
	s->good_until_ms = now_ms + HOT_FILES_GOOD_MS;
	s->st = *st;
	s->octets = octets;
	s->path_n = path.n;
	memcpy(s->path, path.p, path.n);
	*ret = file_of(s);
	return true;
}
