/* The store in memory, and the lock of the state directory. */
#include "edge/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

struct commit {
	struct commit *next;
	store_done done;
	void *ctx;
};

struct store {
	uv_loop_t *loop;
	uv_check_t turn_end; /* active while a batch is open */
	uv_idle_t no_wait;   /* keeps the loop from sleeping meanwhile */
	struct commit *batch;
	unsigned open_handles;
};

static void run_batch(struct store *s)
{
	struct commit *batch = s->batch, *c, *next;

	s->batch = NULL;
	LL_FOREACH_SAFE(batch, c, next) {
		c->done(c->ctx, 0);
		free(c);
	}
}

static void on_turn_end(uv_check_t *h)
{
	struct store *s = h->data;

	run_batch(s);
	if (!s->batch) {
		uv_check_stop(&s->turn_end);
		uv_idle_stop(&s->no_wait);
	}
}

static void on_idle(uv_idle_t *h)
{
	(void)h;
}

int store_open(uv_loop_t *loop, const char *state_dir, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));

	(void)state_dir;
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	uv_check_init(loop, &s->turn_end);
	uv_idle_init(loop, &s->no_wait);
	s->turn_end.data = s->no_wait.data = s;
	s->open_handles = 2;
	*ret = s;
	return 0;
}

int store_commit(struct store *s, const struct lease_record *r, store_done done, void *ctx)
{
	struct commit *c = malloc(sizeof(*c));

	(void)r;
	if (!c)
		return -ENOMEM;
	*c = (struct commit){ .done = done, .ctx = ctx };
	LL_APPEND(s->batch, c);
	uv_check_start(&s->turn_end, on_turn_end);
	uv_idle_start(&s->no_wait, on_idle);
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct store *s = h->data;

	if (--s->open_handles == 0)
		free(s);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	run_batch(s);
	uv_close((uv_handle_t *)&s->turn_end, on_closed);
	uv_close((uv_handle_t *)&s->no_wait, on_closed);
}

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
		if (mkdir(copy, 0750) < 0 && errno != EEXIST)
			r = -errno;
		copy[i] = path[i];
	}
	free(copy);
	return r;
}

int store_lock(const char *state_dir, int *ret_fd, int *ret_pid)
{
	char path[4096], text[16] = "";
	int fd, n, r;

	*ret_pid = 0;
	r = make_directories(state_dir);
	if (r < 0)
		return r;
	n = snprintf(path, sizeof(path), "%s/lock", state_dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
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
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
