/* A thread that serves files; see serving_thread.h. */
#include "app/serving_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the main thread's end --- */

static void on_letters(void *ctx)
{
	log_hold(ctx);
}

static void on_letters_read(void *ctx)
{
	log_release(ctx);
}

int serving_home_new(uv_loop_t *loop, struct log *log, struct mailbox **ret)
{
	static const struct mailbox_hooks hooks = { .begin = on_letters, .end = on_letters_read };

	return mailbox_new(loop, &hooks, log, ret);
}

/* --- what the thread is told --- */

struct order {
	struct letter letter;
	struct serving_thread *thread;
	struct snapshot *now;
	struct serving_listener listener;
	uint64_t grace_ms;
};

static void post_order(
	struct serving_thread *t, void (*read)(struct letter *l), const struct order *order)
{
	struct order *o = malloc(sizeof(*o));

	/* Without memory for sixty octets nothing here goes on. */
	if (!o)
		abort();
	*o = *order;
	o->letter.read = read;
	o->thread = t;
	mailbox_post(worker_inbox(t->worker), &o->letter);
}

static void open_roots(struct serving_thread *t, const struct snapshot *now)
{
	t->root = root_open(t->kind->root(now->cfg));
	t->profiles_root = root_open(now->cfg->http_root);
}

static void close_roots(struct serving_thread *t)
{
	root_close(&t->root);
	root_close(&t->profiles_root);
}

/* The reference moves in; NULL at the end. */
static void adopt(struct serving_thread *t, struct snapshot *now)
{
	bool new_setup = !t->now || !now || t->now->setup != now->setup;
	struct snapshot *old = t->now;

	if (new_setup && old)
		close_roots(t);
	if (new_setup && now)
		open_roots(t, now);
	t->now = now;
	if (new_setup && now && t->kind->adopted)
		t->kind->adopted(t);
	snapshot_unref(old);
}

static void read_adopt(struct letter *l)
{
	struct order *o = (struct order *)l;

	adopt(o->thread, o->now);
	free(o);
}

static void read_starved(struct letter *l)
{
	struct order *o = (struct order *)l;

	o->thread->kind->starved(o->thread);
	free(o);
}

static void read_listen(struct letter *l)
{
	struct order *o = (struct order *)l;
	struct serving_thread *t = o->thread;

	if (t->kind->listen(t, &o->listener) == 0) {
		free(o);
		return;
	}
	close(o->listener.fd);
	o->letter.read = read_starved;
	mailbox_post(t->home, &o->letter);
}

static void read_unlisten(struct letter *l)
{
	struct order *o = (struct order *)l;

	o->thread->kind->unlisten(o->thread, o->listener.id);
	free(o);
}

static void read_close(struct letter *l)
{
	struct order *o = (struct order *)l;

	o->thread->kind->close(o->thread, o->grace_ms);
	free(o);
}

static void read_closed(struct letter *l)
{
	struct order *o = (struct order *)l;
	struct serving_thread *t = o->thread;

	free(o);
	t->has_ended = true;
	if (t->n_asked == 0)
		t->kind->closed(t);
}

void serving_thread_answered(struct serving_thread *t)
{
	if (--t->n_asked == 0 && t->has_ended)
		t->kind->closed(t);
}

void serving_thread_adopt(struct serving_thread *t, struct snapshot *now)
{
	post_order(t, read_adopt, &(struct order){ .now = snapshot_ref(now) });
}

void serving_thread_listen(struct serving_thread *t, const struct serving_listener *l)
{
	post_order(t, read_listen, &(struct order){ .listener = *l });
}

void serving_thread_unlisten(struct serving_thread *t, int id)
{
	post_order(t, read_unlisten, &(struct order){ .listener.id = id });
}

void serving_thread_close(struct serving_thread *t, uint64_t grace_ms)
{
	post_order(t, read_close, &(struct order){ .grace_ms = grace_ms });
}

/* --- what the thread does --- */

void serving_thread_report(struct serving_thread *t, struct letter *letter, serving_matters matters)
{
	if (mailbox_offer(t->home, letter, SERVING_REPORTS_MAX))
		return;
	if (matters && matters(t->now, letter) &&
		mailbox_offer(t->home, letter, 2 * SERVING_REPORTS_MAX))
		return;
	(void)__atomic_add_fetch(&t->lost, 1, __ATOMIC_RELAXED);
	free(letter);
}

unsigned long serving_thread_take_lost(struct serving_thread *t)
{
	return __atomic_exchange_n(&t->lost, 0, __ATOMIC_RELAXED);
}

static void show_load(struct serving_thread *t, struct serving_load load)
{
	__atomic_store_n(&t->shown.connections, load.connections, __ATOMIC_RELAXED);
	__atomic_store_n(&t->shown.transfers, load.transfers, __ATOMIC_RELAXED);
}

static void on_round(uv_prepare_t *round)
{
	struct serving_thread *t = round->data;

	show_load(t, t->kind->load(t));
}

struct serving_load serving_thread_load(const struct serving_thread *t)
{
	return (struct serving_load){
		.connections = __atomic_load_n(&t->shown.connections, __ATOMIC_RELAXED),
		.transfers = __atomic_load_n(&t->shown.transfers, __ATOMIC_RELAXED),
	};
}

/* A file whose directories are not in the kernel's cache: opened below a root of its
 * own, since the thread's may change or go meanwhile. */
struct opening {
	struct disk_job job;
	struct serving_opening public;
	struct serving_thread *thread;
	struct snapshot *now;
	const char *root; /* of now */
	serving_opened opened;
	int fd, error;
	struct stat st;
	size_t path_n;
	uint8_t path[];
};

static void opening_run(struct disk_job *job)
{
	struct opening *o = (struct opening *)job;
	struct root root = root_open(o->root);

	o->error = root_open_file(&root, (struct span){ o->path, o->path_n }, &o->fd, &o->st);
	root_close(&root);
}

static void end(struct serving_thread *t);

static void opening_done(struct disk_job *job)
{
	struct opening *o = (struct opening *)job;
	struct serving_thread *t = o->thread;

	if (o->public.asker)
		o->opened(t, o->public.asker, o->error, o->fd, &o->st);
	else if (o->error == 0)
		close(o->fd);
	snapshot_unref(o->now);
	free(o);
	if (t->is_ending && disk_jobs_are_done(&t->openings))
		end(t);
}

static int open_in_root(struct serving_thread *t, struct root *root, struct span path, void *asker,
	serving_opened opened, int *ret_fd, struct stat *ret_st,
	struct serving_opening **ret_opening)
{
	int r = root_open_file_cached(root, path, ret_fd, ret_st);
	struct opening *o;

	if (r != -EAGAIN)
		return r;
	o = calloc(1, sizeof(*o) + path.n);
	if (!o)
		return -ENOMEM;
	*o = (struct opening){ .public.asker = asker,
		.thread = t,
		.now = snapshot_ref(t->now),
		.root = root->path,
		.opened = opened,
		.fd = -1,
		.path_n = path.n };
	if (path.n)
		memcpy(o->path, path.p, path.n);
	o->job.run = opening_run;
	o->job.done = opening_done;
	*ret_opening = &o->public;
	disk_jobs_add(&t->openings, &o->job);
	return -EINPROGRESS;
}

int serving_thread_open(struct serving_thread *t, struct span path, void *asker,
	serving_opened opened, int *ret_fd, struct stat *ret_st,
	struct serving_opening **ret_opening)
{
	const struct snapshot *now = t->now;
	struct virtual_name name;

	locate_path(now->cfg, path, &name);
	switch (name.kind) {
	case VIRTUAL_LOADER:
		return site_open_again(now->files->loader[name.family][name.arch], ret_fd, ret_st);
	case VIRTUAL_NAMED_FILE:
		return site_open_again(
			now->files->named[name.named - now->cfg->named_files], ret_fd, ret_st);
	case VIRTUAL_NONE:
		return open_in_root(t, &t->root, path, asker, opened, ret_fd, ret_st, ret_opening);
	case VIRTUAL_PROFILE_FILE:
		if (!name.ref->is_url && !name.ref->upstream)
			return open_in_root(t, &t->profiles_root, span_str(name.ref->path), asker,
				opened, ret_fd, ret_st, ret_opening);
		break;
	case VIRTUAL_MISSING:
		return -ENOENT;
	case VIRTUAL_MACHINE_FILE:
	case VIRTUAL_SITE_SCRIPT:
	case VIRTUAL_GRUB_CFG:
	case VIRTUAL_PXELINUX_CFG:
	case VIRTUAL_BESIDE:
		break;
	}
	return -ENOTUNIQ;
}

enum serving_failure serving_failure_of(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -EINVAL:
		return SERVING_NOT_FOUND;
	case -EISDIR:
		return SERVING_DIRECTORY;
	case -EBUSY:        /* the store */
	case -EHOSTUNREACH: /* a server that we fetch from */
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return SERVING_BUSY;
	case -EBADMSG:
		return SERVING_FAILED;
	default: /* outside the root, a FIFO, not readable */
		return SERVING_DENIED;
	}
}

static void end(struct serving_thread *t)
{
	struct order *last = malloc(sizeof(*last));

	if (!last)
		abort();
	*last = (struct order){ .letter.read = read_closed, .thread = t };
	adopt(t, NULL);
	uv_close((uv_handle_t *)&t->round, NULL);
	worker_finish(t->worker);
	mailbox_post(t->home, &last->letter);
}

void serving_thread_ended(struct serving_thread *t)
{
	t->is_ending = true;
	(void)uv_prepare_stop(&t->round);
	show_load(t, (struct serving_load){ 0 });
	if (disk_jobs_are_done(&t->openings))
		end(t);
}

/* --- the thread --- */

int serving_thread_init(struct serving_thread *t, struct snapshot *now)
{
	int r;

	t->root.fd = t->profiles_root.fd = -1;
	r = worker_new(&t->worker);
	if (r < 0)
		return r;
	t->openings.loop = worker_loop(t->worker);
	t->now = snapshot_ref(now);
	open_roots(t, now);
	(void)uv_prepare_init(worker_loop(t->worker), &t->round);
	t->round.data = t;
	return 0;
}

int serving_thread_start(struct serving_thread *t, const char *name)
{
	if (t->kind->adopted)
		t->kind->adopted(t);
	(void)uv_prepare_start(&t->round, on_round);
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	return worker_start(t->worker, name);
}

void serving_thread_join(struct serving_thread *t)
{
	worker_join(t->worker);
}
