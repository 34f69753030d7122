/* A thread that serves HTTP; see http_thread.h. */
#include "app/http_thread.h"

#include "app/roots.h"
#include "edge/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPORTS_WAITING_MAX 20000 /* about 10 MB, should the log's thread fall behind */
#define TARGET_SHOWN_MAX    1024u
#define AGENT_SHOWN_MAX     256u
#define METHOD_SHOWN_MAX    32u

struct http_thread {
	struct worker *worker;
	struct mailbox *home;
	const struct http_thread_hooks *hooks;
	void *ctx;
	unsigned long lost; /* atomic */
	/* The thread's own from here on. */
	struct http_server *server;
	struct snapshot *now;
	struct root root;
};

/* --- what the thread tells --- */

struct notice {
	struct letter letter;
	struct http_thread *thread;
	struct http_peer peer;
	enum drop why; /* DROP_NONE: starved */
};

static void read_notice(struct letter *l)
{
	struct notice *n = (struct notice *)l;
	struct http_thread *t = n->thread;

	if (n->why != DROP_NONE)
		t->hooks->refused(t->ctx, &n->peer, n->why);
	else
		t->hooks->starved(t->ctx);
	free(n);
}

static void post_notice(struct http_thread *t, const struct http_peer *peer, enum drop why)
{
	struct notice *n = calloc(1, sizeof(*n));

	if (!n)
		return;
	n->letter.read = read_notice;
	n->thread = t;
	n->why = why;
	if (peer)
		n->peer = *peer;
	if (!mailbox_offer(t->home, &n->letter, REPORTS_WAITING_MAX))
		free(n);
}

static void on_refused(void *ctx, const struct http_peer *peer, enum drop why)
{
	post_notice(ctx, peer, why);
}

static void on_starved(void *ctx)
{
	post_notice(ctx, NULL, DROP_NONE);
}

static void read_report(struct letter *l)
{
	struct http_report *r = (struct http_report *)l;

	r->thread->hooks->report(r->thread->ctx, r);
}

static struct span shown(struct span s, size_t max)
{
	return (struct span){ s.p, s.n < max ? s.n : max };
}

static struct span keep(uint8_t **at, struct span s)
{
	struct span kept = { *at, s.n };

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

static void on_done(void *ctx, const struct http_access *a)
{
	struct http_thread *t = ctx;
	struct span method = shown(a->method, METHOD_SHOWN_MAX), target = shown(a->target, TARGET_SHOWN_MAX),
		    agent = shown(a->user_agent, AGENT_SHOWN_MAX);
	struct http_report *r = malloc(sizeof(*r) + method.n + target.n + agent.n);
	uint8_t *at;

	if (r) {
		*r = (struct http_report){
			.letter.read = read_report,
			.thread = t,
			.peer = *a->peer,
			.status = a->status,
			.sent = a->sent,
			.length = a->length,
			.duration_us = a->duration_us,
			.complete = a->complete,
			.drop = a->drop,
		};
		at = r->octets;
		r->method = keep(&at, method);
		r->target = keep(&at, target);
		r->user_agent = keep(&at, agent);
	}
	if (r && mailbox_offer(t->home, &r->letter, REPORTS_WAITING_MAX))
		return;
	free(r);
	(void)__atomic_add_fetch(&t->lost, 1, __ATOMIC_RELAXED);
}

unsigned long http_thread_take_lost(struct http_thread *t)
{
	return __atomic_exchange_n(&t->lost, 0, __ATOMIC_RELAXED);
}

/* --- requests --- */

static void give_error(struct http_target *t, int r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -EINVAL:
	case -EISDIR:
		t->status = 404;
		t->message = "no such file";
		break;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		t->status = 503;
		t->message = "the server is busy: try again";
		break;
	default: /* outside the root, a FIFO, not readable */
		t->status = 403;
		t->message = "this file may not be read";
		break;
	}
}

static void give_file(struct http_target *t, int r, int fd, const struct stat *st)
{
	if (r < 0) {
		give_error(t, r);
		return;
	}
	t->kind = HTTP_TARGET_FILE;
	t->fd = fd;
	t->st = *st;
}

/* A file whose directories are not in the kernel's cache: opened by a worker, below
 * a root of its own, which may change or go meanwhile. */
struct opening {
	uv_work_t work;
	struct snapshot *now;
	struct http_conn *conn; /* NULL: gone */
	int fd, error;
	struct stat st;
	size_t path_n;
	uint8_t path[];
};

static void opening_run(uv_work_t *work)
{
	struct opening *o = work->data;
	struct root root = root_open(o->now->cfg->http_root);

	o->error = root_open_file(&root, (struct span){ o->path, o->path_n }, &o->fd, &o->st);
	root_close(&root);
}

static void opening_done(uv_work_t *work, int status)
{
	struct opening *o = work->data;
	struct http_target target = { 0 };

	(void)status;
	if (o->conn) {
		give_file(&target, o->error, o->fd, &o->st);
		http_server_answer(o->conn, &target);
	} else if (o->error == 0) {
		close(o->fd);
	}
	snapshot_unref(o->now);
	free(o);
}

static bool open_later(struct http_thread *t, struct http_conn *conn, struct span path, void **ret_later)
{
	struct opening *o = malloc(sizeof(*o) + path.n);

	if (!o)
		return false;
	*o = (struct opening){ .now = snapshot_ref(t->now), .conn = conn, .fd = -1, .path_n = path.n };
	memcpy(o->path, path.p, path.n);
	o->work.data = o;
	if (uv_queue_work(worker_loop(t->worker), &o->work, opening_run, opening_done) < 0) {
		snapshot_unref(o->now);
		free(o);
		return false;
	}
	*ret_later = &o->conn;
	return true;
}

/* The question comes back, answered. */
static void read_answer(struct letter *l)
{
	struct http_question *q = (struct http_question *)l;

	if (q->conn)
		http_server_answer(q->conn, &q->target);
	else if (q->target.kind == HTTP_TARGET_FILE)
		close(q->target.fd);
	else if (q->target.kind == HTTP_TARGET_TEXT)
		text_free(&q->target.text);
	free(q);
}

void http_thread_answer(struct http_question *q)
{
	q->letter.read = read_answer;
	mailbox_post(worker_inbox(q->thread->worker), &q->letter);
}

static void read_question(struct letter *l)
{
	struct http_question *q = (struct http_question *)l;

	q->thread->hooks->question(q->thread->ctx, q);
}

static bool ask(struct http_thread *t, struct http_conn *conn, const struct http_peer *peer,
	const struct virtual_name *name, struct span query, void **ret_later)
{
	struct http_question *q = malloc(sizeof(*q) + query.n);

	if (!q)
		return false;
	*q = (struct http_question){
		.letter.read = read_question,
		.thread = t,
		.conn = conn,
		.peer = *peer,
		.kind = name->kind,
		.mac = name->mac,
		.query_n = query.n,
	};
	if (query.n)
		memcpy(q->query, query.p, query.n);
	*ret_later = &q->conn;
	mailbox_post(t->home, &q->letter);
	return true;
}

static bool resolve(void *ctx, struct http_conn *conn, const struct http_peer *peer, const struct http_request *req,
	struct span path, struct http_target *ret_target, void **ret_later)
{
	struct http_thread *t = ctx;
	const struct snapshot *now = t->now;
	struct virtual_name name;
	struct stat st;
	int fd = -1, r = -ENOENT;

	locate_path(now->cfg, path, &name);
	switch (name.kind) {
	case VIRTUAL_MACHINE_SCRIPT:
	case VIRTUAL_SITE_SCRIPT:
		if (ask(t, conn, peer, &name, req->query, ret_later))
			return false;
		r = -ENOMEM;
		break;
	case VIRTUAL_LOADER:
		r = site_open_again(now->files->loader[name.arch], &fd, &st);
		break;
	case VIRTUAL_NAMED_FILE:
		r = site_open_again(now->files->named[name.named - now->cfg->named_files], &fd, &st);
		break;
	case VIRTUAL_NONE:
		r = root_open_file_cached(&t->root, path, &fd, &st);
		if (r == -EAGAIN && open_later(t, conn, path, ret_later))
			return false;
		break;
	case VIRTUAL_MISSING:
		break;
	}
	give_file(ret_target, r, fd, &st);
	return true;
}

/* Both kinds of waiting are told by the place of their connection. */
static void on_gone(void *ctx, void *later)
{
	struct http_conn **conn = later;

	(void)ctx;
	*conn = NULL;
}

static const struct http_hooks server_hooks = { .resolve = resolve, .gone = on_gone, .done = on_done,
	.refused = on_refused, .starved = on_starved };

/* --- what the thread is told --- */

struct order {
	struct letter letter;
	struct http_thread *thread;
	struct snapshot *now;
	int fd, id;
	bool tls;
	uint64_t grace_ms;
};

static void post_order(struct http_thread *t, void (*read)(struct letter *l), const struct order *order)
{
	struct order *o = malloc(sizeof(*o));

	/* Without memory for forty octets nothing here goes on. */
	if (!o)
		abort();
	*o = *order;
	o->letter.read = read;
	o->thread = t;
	mailbox_post(worker_inbox(t->worker), &o->letter);
}

static void adopt(struct http_thread *t, struct snapshot *now)
{
	bool new_setup = !t->now || !now || t->now->setup != now->setup;

	if (new_setup && t->now)
		root_close(&t->root);
	if (new_setup && now)
		t->root = root_open(now->cfg->http_root);
	if (new_setup && now)
		http_server_use_tls(t->server, now->files->tls);
	snapshot_unref(t->now);
	t->now = now;
}

static void read_adopt(struct letter *l)
{
	struct order *o = (struct order *)l;

	adopt(o->thread, o->now);
	free(o);
}

static void read_listen(struct letter *l)
{
	struct order *o = (struct order *)l;

	if (http_server_listen(o->thread->server, o->fd, o->tls, o->id) < 0) {
		close(o->fd);
		on_starved(o->thread);
	}
	free(o);
}

static void read_unlisten(struct letter *l)
{
	struct order *o = (struct order *)l;

	http_server_unlisten(o->thread->server, o->id);
	free(o);
}

static void read_closed(struct letter *l)
{
	struct order *o = (struct order *)l;
	struct http_thread *t = o->thread;

	free(o);
	t->hooks->closed(t->ctx, t);
}

static void on_server_closed(void *ctx)
{
	struct order *last = ctx;
	struct http_thread *t = last->thread;

	http_server_free(t->server);
	adopt(t, NULL);
	worker_finish(t->worker);
	last->letter.read = read_closed;
	mailbox_post(t->home, &last->letter);
}

static void read_close(struct letter *l)
{
	struct order *o = (struct order *)l;

	http_server_close(o->thread->server, o->grace_ms, on_server_closed, o);
}

void http_thread_adopt(struct http_thread *t, struct snapshot *now)
{
	post_order(t, read_adopt, &(struct order){ .now = snapshot_ref(now) });
}

void http_thread_listen(struct http_thread *t, int fd, bool tls, int id)
{
	post_order(t, read_listen, &(struct order){ .fd = fd, .tls = tls, .id = id });
}

void http_thread_unlisten(struct http_thread *t, int id)
{
	post_order(t, read_unlisten, &(struct order){ .id = id });
}

void http_thread_close(struct http_thread *t, uint64_t grace_ms)
{
	post_order(t, read_close, &(struct order){ .grace_ms = grace_ms });
}

/* --- the thread --- */

int http_thread_new(struct mailbox *home, const struct http_thread_hooks *hooks, void *ctx, unsigned number,
	struct http_limits limits, struct snapshot *now, struct http_thread **ret)
{
	struct http_thread *t = calloc(1, sizeof(*t));
	char name[16];
	int r = -ENOMEM;

	if (!t)
		return r;
	t->home = home;
	t->hooks = hooks;
	t->ctx = ctx;
	t->root.fd = -1;
	r = worker_new(&t->worker);
	if (r == 0)
		r = http_server_new(worker_loop(t->worker), &server_hooks, t, limits, &t->server);
	if (r < 0) {
		free(t); /* the daemon does not start */
		return r;
	}
	adopt(t, snapshot_ref(now));
	(void)snprintf(name, sizeof(name), "http%u", number);
	r = worker_start(t->worker, name);
	if (r < 0)
		return r;
	*ret = t;
	return 0;
}

void http_thread_join(struct http_thread *t)
{
	worker_join(t->worker);
	free(t);
}
