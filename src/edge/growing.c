/* Files that grow; see growing.h. */
#include "edge/growing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct growing {
	unsigned refs;      /* atomic */
	uint64_t available; /* atomic */
	bool broken;        /* atomic */
	uint64_t total;
	int fd;
};

static int duplicate(int fd, int *ret)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	*ret = copy;
	return 0;
}

int growing_new(int fd, uint64_t total, struct growing **ret)
{
	struct growing *g = calloc(1, sizeof(*g));
	int r = g ? duplicate(fd, &g->fd) : -ENOMEM;

	if (r < 0) {
		free(g);
		return r;
	}
	g->refs = 1;
	g->total = total;
	*ret = g;
	return 0;
}

struct growing *growing_ref(struct growing *g)
{
	(void)__atomic_add_fetch(&g->refs, 1, __ATOMIC_RELAXED);
	return g;
}

void growing_unref(struct growing *g)
{
	if (!g || __atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	(void)close(g->fd);
	free(g);
}

void growing_announce(struct growing *g, uint64_t available)
{
	if (available > g->available) /* ours alone to write */
		__atomic_store_n(&g->available, available, __ATOMIC_RELEASE);
}

void growing_break(struct growing *g)
{
	__atomic_store_n(&g->broken, true, __ATOMIC_RELEASE);
}

uint64_t growing_total(const struct growing *g)
{
	return g->total;
}

uint64_t growing_available(const struct growing *g)
{
	return __atomic_load_n(&g->available, __ATOMIC_ACQUIRE);
}

bool growing_is_broken(const struct growing *g)
{
	return __atomic_load_n(&g->broken, __ATOMIC_ACQUIRE);
}

int growing_open(const struct growing *g, int *ret_fd)
{
	return duplicate(g->fd, ret_fd);
}
