/* The thread that serves TFTP; see tftp_thread.h. */
#include "app/tftp_thread.h"

#include "app/machines.h"
#include "app/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_MAX  256u /* transfers told of at a time */
#define DRAIN_LOOK_MS 50

struct tftp_thread {
	struct serving_thread serving;
	const struct tftp_thread_hooks *hooks;
	/* The thread's own from here on. */
	struct tftp_server *server; /* NULL: closed */
	uv_timer_t progress, drain;
	uint64_t close_deadline_ms;
	unsigned open; /* handles and the server: all gone, it has ended */
};

static struct tftp_thread *of_serving(struct serving_thread *t)
{
	return (struct tftp_thread *)t;
}

struct serving_thread *tftp_thread_serving(struct tftp_thread *t)
{
	return &t->serving;
}

/* --- what the thread tells --- */

struct notice {
	struct letter letter;
	struct tftp_thread *thread;
	struct tftp_peer peer;
	enum drop why;
};

static void read_notice(struct letter *l)
{
	struct notice *n = (struct notice *)l;

	n->thread->hooks->dropped(n->thread->serving.ctx, n->why, &n->peer);
	free(n);
}

static void on_dropped(void *ctx, enum drop why, const struct tftp_peer *peer)
{
	struct tftp_thread *t = ctx;
	struct notice *n = malloc(sizeof(*n));

	if (!n)
		return;
	*n = (struct notice){ .letter.read = read_notice, .thread = t, .peer = *peer, .why = why };
	serving_thread_report(&t->serving, &n->letter, NULL);
}

static void read_report(struct letter *l)
{
	struct tftp_report *r = (struct tftp_report *)l;

	r->thread->hooks->report(r->thread->serving.ctx, r);
}

static bool may_be_a_boot(const struct snapshot *now, const struct letter *letter)
{
	const struct tftp_report *r = (const struct tftp_report *)letter;

	return r->outcome == TFTP_SENT && machines_may_boot_by(now->cfg, TRANSPORT_TFTP, r->file);
}

static void on_done(void *ctx, const struct tftp_access *a)
{
	struct tftp_thread *t = ctx;
	struct span file = a->request->file, sentence = a->sentence;
	struct tftp_report *r = malloc(sizeof(*r) + file.n + sentence.n);

	if (!r)
		return;
	*r = (struct tftp_report){
		.letter.read = read_report,
		.thread = t,
		.peer = *a->peer,
		.file = { r->octets, file.n },
		.sentence = { r->octets + file.n, sentence.n },
		.outcome = a->outcome,
		.error = a->error,
		.has_session = a->session != NULL,
		.duration_us = a->duration_us,
	};
	if (a->session) {
		r->terms = a->session->terms;
		r->resent = a->session->resent;
		r->acked_octets = tftp_session_octets(a->session);
	}
	memcpy(r->octets, file.p, file.n);
	if (sentence.n)
		memcpy(r->octets + file.n, sentence.p, sentence.n);
	serving_thread_report(&t->serving, &r->letter, may_be_a_boot);
}

static void on_progress(uv_timer_t *timer)
{
	struct tftp_thread *t = timer->data;

	tftp_server_look(t->server, PROGRESS_EVERY_MS * 1000u, PROGRESS_MAX, on_done);
}

/* --- requests --- */

static void give_error(struct tftp_target *target, int r)
{
	switch (serving_failure_of(r)) {
	case SERVING_NOT_FOUND:
		target->error = TFTP_ERROR_NOT_FOUND;
		target->sentence = "file not found";
		break;
	case SERVING_BUSY:
		target->error = TFTP_ERROR_OTHER;
		target->sentence = "the server is busy: try again";
		break;
	case SERVING_FAILED:
		target->error = TFTP_ERROR_OTHER;
		target->sentence = "this file could not be made; the server's log says why";
		break;
	case SERVING_DIRECTORY:
	case SERVING_DENIED:
		target->error = TFTP_ERROR_ACCESS;
		target->sentence = "access violation";
		break;
	}
}

static void answer(struct tftp_thread *t, struct tftp_pending *request, int error, int fd)
{
	struct tftp_target target = { .kind = TFTP_TARGET_ERROR };

	if (error < 0) {
		give_error(&target, error);
	} else {
		target.kind = TFTP_TARGET_FILE;
		target.fd = fd;
	}
	tftp_server_answer(t->server, request, &target);
}

static void on_opened(
	struct serving_thread *serving, void *asker, int error, int fd, const struct stat *st)
{
	struct tftp_thread *t = of_serving(serving);

	(void)st;
	if (t->server)
		answer(t, asker, error, fd);
	else if (error == 0)
		close(fd);
}

static void answered(struct serving_thread *serving, struct question *q)
{
	struct tftp_thread *t = of_serving(serving);
	struct tftp_target target = { .kind = TFTP_TARGET_ERROR };

	if (!t->server) {
		given_free(&q->given);
		return;
	}
	switch (q->given.kind) {
	case GIVEN_ERROR:
	case GIVEN_LATER: /* not of what is answered */
		give_error(&target, q->given.error);
		if (q->given.sentence[0]) /* loaders show it */
			target.sentence = q->given.sentence;
		break;
	case GIVEN_FILE:
		target.kind = TFTP_TARGET_FILE;
		target.fd = q->given.fd;
		break;
	case GIVEN_TEXT:
		target.kind = TFTP_TARGET_TEXT;
		target.text = q->given.text;
		break;
	case GIVEN_PARTS: /* nobody gives them to us */
	case GIVEN_GROWING:
		given_free(&q->given);
		give_error(&target, -ENOENT);
		break;
	}
	tftp_server_answer(t->server, q->asker, &target);
}

static void asked(struct serving_thread *serving, struct question *q)
{
	of_serving(serving)->hooks->question(serving->ctx, q);
}

static void resolve(
	void *ctx, struct tftp_pending *request, const struct tftp_peer *peer, struct span path)
{
	struct tftp_thread *t = ctx;
	struct serving_opening *opening;
	struct stat st;
	int fd = -1,
	    r = serving_thread_open(&t->serving, path, request, on_opened, &fd, &st, &opening);

	if (r == -ENOTUNIQ &&
		!question_ask(&t->serving, request, TRANSPORT_TFTP, peer->remote, peer->local, path,
			SPAN_NONE))
		r = -ENOMEM;
	if (r == -EINPROGRESS || r == -ENOTUNIQ)
		return;
	answer(t, request, r, fd);
}

/* Strangers from elsewhere could make us send to whom they like (T-13). */
static bool admit(void *ctx, const struct tftp_peer *peer)
{
	const struct tftp_thread *t = ctx;

	return served_by_address(t->serving.now->nets, peer->remote) != NULL;
}

static const struct tftp_hooks server_hooks = {
	.admit = admit, .resolve = resolve, .done = on_done, .dropped = on_dropped
};

/* --- the server on its thread --- */

static const char *root_of(const struct config *cfg)
{
	return cfg->tftp_root;
}

static void adopted(struct serving_thread *serving)
{
	tftp_server_set_single_port(
		of_serving(serving)->server, serving->now->cfg->tftp_single_port);
}

static int listen_on(struct serving_thread *serving, const struct serving_listener *l)
{
	return tftp_server_listen(of_serving(serving)->server, l->fd, l->addr, l->id);
}

static void unlisten(struct serving_thread *serving, int id)
{
	tftp_server_unlisten(of_serving(serving)->server, id);
}

static void one_gone(struct tftp_thread *t)
{
	if (--t->open == 0)
		serving_thread_ended(&t->serving);
}

static void on_handle_closed(uv_handle_t *handle)
{
	one_gone(handle->data);
}

static void on_server_closed(void *ctx)
{
	one_gone(ctx);
}

static void on_drain(uv_timer_t *timer)
{
	struct tftp_thread *t = timer->data;
	struct tftp_server *server = t->server;

	if (tftp_server_drain(server) && uv_now(timer->loop) < t->close_deadline_ms)
		return;
	t->open = 3;
	uv_close((uv_handle_t *)&t->progress, on_handle_closed);
	uv_close((uv_handle_t *)&t->drain, on_handle_closed);
	t->server = NULL;
	tftp_server_close(server, on_server_closed);
}

/* Transfers that are acknowledged have their time; nobody new is served. */
static void close_server(struct serving_thread *serving, uint64_t grace_ms)
{
	struct tftp_thread *t = of_serving(serving);

	t->close_deadline_ms = uv_now(worker_loop(serving->worker)) + grace_ms;
	(void)uv_timer_start(&t->drain, on_drain, 0, DRAIN_LOOK_MS);
}

static void starved(struct serving_thread *serving)
{
	of_serving(serving)->hooks->starved(serving->ctx);
}

static void closed(struct serving_thread *serving)
{
	of_serving(serving)->hooks->closed(serving->ctx, of_serving(serving));
}

static struct serving_load load(struct serving_thread *serving)
{
	const struct tftp_server *server = of_serving(serving)->server;

	return (struct serving_load){ .transfers = server ? tftp_server_count(server) : 0 };
}

static const struct serving_kind kind = { .protocol = "tftp",
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

int tftp_thread_new(struct mailbox *home, const struct tftp_thread_hooks *hooks, void *ctx,
	struct snapshot *now, struct tftp_thread **ret)
{
	struct tftp_thread *t = calloc(1, sizeof(*t));
	uv_loop_t *loop;
	int r;

	if (!t)
		return -ENOMEM;
	t->serving = (struct serving_thread){ .kind = &kind, .home = home, .ctx = ctx };
	t->hooks = hooks;
	r = serving_thread_init(&t->serving, now);
	if (r < 0)
		return r; /* the daemon does not start, and what is half made goes with it */
	loop = worker_loop(t->serving.worker);
	r = tftp_server_new(loop, &server_hooks, t, (struct tftp_limits){ 0 }, &t->server);
	if (r < 0)
		return r;
	(void)uv_timer_init(loop, &t->progress);
	(void)uv_timer_init(loop, &t->drain);
	t->progress.data = t->drain.data = t;
	(void)uv_timer_start(&t->progress, on_progress, PROGRESS_EVERY_MS, PROGRESS_EVERY_MS);
	r = serving_thread_start(&t->serving, "tftp");
	if (r == 0)
		*ret = t;
	return r;
}

void tftp_thread_join(struct tftp_thread *t)
{
	serving_thread_join(&t->serving);
	free(t);
}
