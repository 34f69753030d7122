/* A thread that serves HTTP; see http_thread.h. */
#include "app/http_thread.h"

#include "app/machines.h"
#include "edge/hot_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TARGET_SHOWN_MAX 1024u
#define AGENT_SHOWN_MAX  256u
#define METHOD_SHOWN_MAX 32u

struct http_thread {
	struct serving_thread serving;
	const struct http_thread_hooks *hooks;
	/* The thread's own from here on. */
	struct http_server *server;
	struct hot_files *hot;
};

static struct http_thread *of_serving(struct serving_thread *t)
{
	return (struct http_thread *)t;
}

struct serving_thread *http_thread_serving(struct http_thread *t)
{
	return &t->serving;
}

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
		t->hooks->refused(t->serving.ctx, &n->peer, n->why);
	else
		t->hooks->starved(t->serving.ctx);
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
	serving_thread_report(&t->serving, &n->letter, NULL);
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

	r->thread->hooks->report(r->thread->serving.ctx, r);
}

bool http_report_is_whole_file(const struct http_report *r)
{
	return !r->is_running && r->complete && r->status == 200 && r->sent == r->length &&
		span_eq(r->method, SPAN_LIT("GET"));
}

static bool may_be_a_boot(const struct snapshot *now, const struct letter *letter)
{
	const struct http_report *r = (const struct http_report *)letter;

	return http_report_is_whole_file(r) &&
		machines_may_boot_by(now->cfg, TRANSPORT_HTTP, r->target);
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

static void report(struct http_thread *t, const struct http_access *a, bool is_running)
{
	struct span method = shown(a->method, METHOD_SHOWN_MAX),
		    target = shown(a->target, TARGET_SHOWN_MAX),
		    agent = shown(a->user_agent, AGENT_SHOWN_MAX);
	struct http_report *r = malloc(sizeof(*r) + method.n + target.n + agent.n);
	uint8_t *at;

	if (!r)
		return;
	*r = (struct http_report){
		.letter.read = read_report,
		.thread = t,
		.peer = *a->peer,
		.status = a->status,
		.sent = a->sent,
		.length = a->length,
		.duration_us = a->duration_us,
		.is_running = is_running,
		.complete = a->complete,
		.drop = a->drop,
	};
	at = r->octets;
	r->method = keep(&at, method);
	r->target = keep(&at, target);
	r->user_agent = keep(&at, agent);
	serving_thread_report(&t->serving, &r->letter, may_be_a_boot);
}

static void on_done(void *ctx, const struct http_access *a)
{
	report(ctx, a, false);
}

static void on_progress(void *ctx, const struct http_access *a)
{
	report(ctx, a, true);
}

/* --- requests --- */

static void give_error(struct http_target *t, int r)
{
	switch (serving_failure_of(r)) {
	case SERVING_NOT_FOUND:
	case SERVING_DIRECTORY:
		t->status = 404;
		t->message = "no such file";
		break;
	case SERVING_BUSY:
		t->status = 503;
		t->message = "the server is busy: try again";
		break;
	case SERVING_DENIED:
		t->status = 403;
		t->message = "this file may not be read";
		break;
	case SERVING_FAILED:
		t->status = 500;
		t->message = "this file could not be made; the server's log says why";
		break;
	}
}

static void give_file(struct http_target *t, int r, int fd, const struct stat *st)
{
	if (r < 0) {
		give_error(t, r);
		return;
	}
	t->kind = HTTP_TARGET_SOURCE;
	t->source = http_source_file(fd, st);
}

static void give_hot(struct http_target *t, const struct hot_file *hot)
{
	t->kind = HTTP_TARGET_OCTETS;
	t->st = *hot->st;
	t->octets = hot->octets;
}

static void on_opened(
	struct serving_thread *t, void *asker, int error, int fd, const struct stat *st)
{
	struct http_target target = { 0 };

	(void)t;
	give_file(&target, error, fd, st);
	http_server_answer(asker, &target);
}

static void give_growing(struct http_target *t, struct growing *growing)
{
	if (http_source_growing(growing, &t->source) == 0) {
		t->kind = HTTP_TARGET_SOURCE;
		return;
	}
	growing_unref(growing);
	give_error(t, -ENFILE);
}

static void answered(struct serving_thread *t, struct question *q)
{
	struct http_target target = { .content_type = q->given.content_type };

	(void)t;
	switch (q->given.kind) {
	case GIVEN_ERROR:
	case GIVEN_LATER: /* not of what is answered */
		give_error(&target, q->given.error);
		if (q->given.sentence[0])
			target.message = q->given.sentence;
		break;
	case GIVEN_FILE:
		give_file(&target, 0, q->given.fd, &q->given.st);
		break;
	case GIVEN_TEXT:
		target.kind = HTTP_TARGET_TEXT;
		target.text = q->given.text;
		break;
	case GIVEN_PARTS:
		target.kind = HTTP_TARGET_SOURCE;
		target.source = http_source_parts(q->given.parts);
		break;
	case GIVEN_GROWING:
		give_growing(&target, q->given.growing);
		break;
	}
	http_server_answer(q->asker, &target);
}

static void asked(struct serving_thread *t, struct question *q)
{
	of_serving(t)->hooks->question(t->ctx, q);
}

static bool resolve(void *ctx, struct http_conn *conn, const struct http_peer *peer,
	const struct http_request *req, struct span path, struct http_target *ret_target,
	void **ret_later)
{
	struct http_thread *t = ctx;
	uint64_t now_ms = uv_now(worker_loop(t->serving.worker));
	struct serving_opening *opening;
	struct question *q;
	struct hot_file hot;
	struct stat st;
	int fd = -1, r;

	if (hot_files_find(t->hot, path, now_ms, &hot)) {
		give_hot(ret_target, &hot);
		return true;
	}
	r = serving_thread_open(&t->serving, path, conn, on_opened, &fd, &st, &opening);
	if (r == -EINPROGRESS) {
		*ret_later = &opening->asker;
		return false;
	}
	if (r == -ENOTUNIQ) {
		q = question_ask(&t->serving, conn, TRANSPORT_HTTP, peer->addr, peer->local_addr,
			path, req->query);
		if (q) {
			*ret_later = &q->asker;
			return false;
		}
		r = -ENOMEM;
	}
	if (r == 0 && hot_files_keep(t->hot, path, fd, &st, now_ms, &hot))
		give_hot(ret_target, &hot);
	else
		give_file(ret_target, r, fd, &st);
	return true;
}

/* Both kinds of waiting are told by where they keep who asks. */
static void on_gone(void *ctx, void *later)
{
	void **asker = later;

	(void)ctx;
	*asker = NULL;
}

static const struct http_hooks server_hooks = { .resolve = resolve,
	.gone = on_gone,
	.progress = on_progress,
	.done = on_done,
	.refused = on_refused,
	.starved = on_starved };

/* --- the server on its thread --- */

static const char *root_of(const struct config *cfg)
{
	return cfg->http_root;
}

static void adopted(struct serving_thread *t)
{
	http_server_use_tls(of_serving(t)->server, t->now->files->tls);
	hot_files_clear(of_serving(t)->hot);
}

static int listen_on(struct serving_thread *t, const struct serving_listener *l)
{
	return http_server_listen(of_serving(t)->server, l->fd, l->tls, l->id);
}

static void unlisten(struct serving_thread *t, int id)
{
	http_server_unlisten(of_serving(t)->server, id);
}

static void on_server_closed(void *ctx)
{
	struct http_thread *t = ctx;

	http_server_free(t->server);
	hot_files_free(t->hot);
	serving_thread_ended(&t->serving);
}

static void close_server(struct serving_thread *t, uint64_t grace_ms)
{
	http_server_close(of_serving(t)->server, grace_ms, on_server_closed, t);
}

static void starved(struct serving_thread *t)
{
	of_serving(t)->hooks->starved(t->ctx);
}

static void closed(struct serving_thread *t)
{
	of_serving(t)->hooks->closed(t->ctx, of_serving(t));
}

static struct serving_load load(struct serving_thread *t)
{
	struct serving_load l;

	http_server_count(of_serving(t)->server, &l.connections, &l.transfers);
	return l;
}

static const struct serving_kind kind = { .protocol = "http",
	.load = load,
	.root = root_of,
	.adopted = adopted,
	.listen = listen_on,
	.unlisten = unlisten,
	.close = close_server,
	.answered = answered,
	.asked = asked,
	.starved = starved,
	.closed = closed };

int http_thread_new(struct mailbox *home, const struct http_thread_hooks *hooks, void *ctx,
	unsigned number, struct http_limits limits, struct snapshot *now, struct http_thread **ret)
{
	struct http_thread *t = calloc(1, sizeof(*t));
	char name[16];
	int r;

	if (!t)
		return -ENOMEM;
	t->serving = (struct serving_thread){ .kind = &kind, .home = home, .ctx = ctx };
	t->hooks = hooks;
	(void)snprintf(name, sizeof(name), "http%u", number);
	r = serving_thread_init(&t->serving, now);
	if (r == 0)
		r = http_server_new(
			worker_loop(t->serving.worker), &server_hooks, t, limits, &t->server);
	if (r == 0)
		r = hot_files_new(&t->hot);
	if (r == 0)
		r = serving_thread_start(&t->serving, name);
	if (r == 0)
		*ret = t;
	return r; /* else the daemon does not start, and what is half made goes with it */
}

void http_thread_join(struct http_thread *t)
{
	serving_thread_join(&t->serving);
	free(t);
}
