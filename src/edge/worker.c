/* A thread with a loop; see worker.h. */
#include "edge/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct worker {
	uv_loop_t loop;
	uv_thread_t thread;
	struct mailbox *inbox;
	char name[16];
};

int worker_new(struct worker **ret)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	r = uv_loop_init(&w->loop);
	if (r < 0) {
		free(w);
		return r;
	}
	r = mailbox_new(&w->loop, NULL, NULL, &w->inbox);
	if (r < 0) {
		(void)uv_loop_close(&w->loop);
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

uv_loop_t *worker_loop(struct worker *w)
{
	return &w->loop;
}

struct mailbox *worker_inbox(struct worker *w)
{
	return w->inbox;
}

static void run(void *arg)
{
	struct worker *w = arg;

	(void)pthread_setname_np(pthread_self(), w->name);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
}

/* Signals are the main thread's: a worker's system calls are not cut short. */
int worker_start(struct worker *w, const char *name)
{
	sigset_t all, before;
	int r;

	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = uv_thread_create(&w->thread, run, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void worker_finish(struct worker *w)
{
	mailbox_close(w->inbox, NULL, NULL);
}

void worker_join(struct worker *w)
{
	(void)uv_thread_join(&w->thread);
	(void)uv_loop_close(&w->loop);
	mailbox_free(w->inbox);
	free(w);
}
