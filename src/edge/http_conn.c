/* One HTTP connection; see http_conn.h.  Decides nothing about requests. */
#include "edge/http_conn.h"

#include "edge/http_places.h"
#include "edge/tls_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SMALL_OCTETS      ((size_t)64 << 10) /* what leaves at once, without a turn */
#define TURN_OCTETS       ((size_t)2 << 20) /* sent to one client before the others have their turn */
#define ROUND_NS          UINT64_C(2000000) /* then the loop looks who else is there */
#define STALLED_MS        5000
#define DISK_BUFFER       65536
#define PROGRESS_EVERY_NS UINT64_C(1000000000)

static void on_conn_event(uv_poll_t *poll, int status, int events);
static void conn_advance(struct http_conn *c, bool has_turn);

static uint64_t now_ms(const struct http_conn *c)
{
	return uv_now(c->srv->loop);
}

static int64_t wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

static void conn_arm(struct http_conn *c, int events)
{
	if (events == c->events)
		return;
	c->events = events;
	if (events == 0)
		(void)uv_poll_stop(&c->poll);
	else if (uv_poll_start(&c->poll, events, on_conn_event) < 0)
		http_conn_close(c);
}

/* --- cold files --- */

/* A range of a file on its way into the kernel's cache. */
struct disk_read {
	uv_work_t work;
	struct http_server *srv;
	struct http_conn *conn;    /* NULL: gone meanwhile, */
	struct http_source source; /* and this, which it read from, is ours */
	int fd;
	uint64_t offset;
	size_t n;
	uint64_t read_until; /* then of the entity */
};

static void disk_run(uv_work_t *work)
{
	const struct disk_read *d = work->data;
	uint8_t buf[DISK_BUFFER];
	size_t at = 0;

	while (at < d->n) {
		size_t want = d->n - at < sizeof(buf) ? d->n - at : sizeof(buf);
		ssize_t n = pread(d->fd, buf, want, (off_t)(d->offset + at));

		if (n <= 0) /* sendfile will find out the same, and say it */
			break;
		at += (size_t)n;
	}
}

static void disk_done(uv_work_t *work, int status)
{
	struct disk_read *d = work->data;
	struct http_server *srv = d->srv;

	(void)status;
	if (d->conn) {
		d->conn->disk = NULL;
		d->conn->read_until = d->read_until;
		http_place_queue(d->conn);
	} else {
		http_source_close(&d->source);
	}
	free(d);
	http_server_release(srv);
}

/* False when it could not be started: then sendfile waits for the disk itself. */
static bool disk_start(struct http_conn *c, int fd, uint64_t offset, size_t n, uint64_t read_until)
{
	struct disk_read *d = malloc(sizeof(*d));

	if (!d)
		return false;
	*d = (struct disk_read){ .srv = c->srv,
		.conn = c,
		.source = http_source_none(),
		.fd = fd,
		.offset = offset,
		.n = n,
		.read_until = read_until };
	d->work.data = d;
	if (uv_queue_work(c->srv->loop, &d->work, disk_run, disk_done) < 0) {
		free(d);
		return false;
	}
	c->srv->handles++;
	c->disk = d;
	return true;
}

/* --- the end of things --- */

static struct http_access access_of(const struct http_conn *c, bool complete)
{
	const struct http_session *s = &c->session;

	return (struct http_access){
		.peer = &c->peer,
		.method = s->req.method_name,
		.target = s->req.target,
		.user_agent = http_field_single(&s->req, SPAN_LIT("User-Agent")),
		.status = s->reply.status,
		.sent = s->sent,
		.length = s->reply.length,
		.whole = s->reply.whole,
		.duration_us = (uv_hrtime() - c->began_ns) / 1000,
		.complete = complete,
		.drop = s->drop,
		.cookie = c->cookie,
	};
}

/* Tells the owner how the request ended, and lets go of its files. */
static void finish_request(struct http_conn *c, bool complete)
{
	struct http_access access = access_of(c, complete);

	if (c->disk) {
		c->disk->conn = NULL;
		c->disk->source = c->source;
		c->disk = NULL;
		c->source = http_source_none();
	}
	c->waits_growth = false;
	http_source_close(&c->source);
	c->read_until = 0;
	if (!c->in_request)
		return;
	c->in_request = false;
	if (c->asked)
		c->srv->hooks->gone(c->srv->ctx, c->later);
	c->asked = false;
	c->srv->hooks->done(c->srv->ctx, &access);
	c->cookie = NULL;
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct http_conn *c = handle->data;
	struct http_server *srv = c->srv;

	free(c);
	http_server_release(srv);
}

void http_conn_close(struct http_conn *c)
{
	finish_request(c, false);
	http_session_free(&c->session);
	http_place_leave(c);
	c->srv->n_conns--;
	uv_close((uv_handle_t *)&c->poll, on_conn_closed);
	stream_close(&c->stream);
}

static void conn_abort(struct http_conn *c, enum drop why)
{
	c->session.drop = why;
	c->session.want = HTTP_WANT_CLOSE;
}

/* --- answers --- */

static void conn_give(struct http_conn *c, struct http_target *t)
{
	struct http_session *s = &c->session;
	struct http_entity entity = { .content_type = t->content_type };
	struct http_reply reply;

	c->cookie = t->cookie;
	if (!t->content_type)
		entity.content_type = http_content_type(s->path);
	switch (t->kind) {
	case HTTP_TARGET_TEXT:
		http_reply_text(&s->req, &t->text, entity.content_type, wall_s(), &reply);
		break;
	case HTTP_TARGET_SOURCE:
		c->source = t->source;
		http_source_entity(&c->source, &entity);
		http_reply_entity(&s->req, &entity, wall_s(), &reply);
		break;
	case HTTP_TARGET_OCTETS:
		http_entity_of_stat(&t->st, &entity);
		http_reply_entity(&s->req, &entity, wall_s(), &reply);
		if (reply.length > 0 && !reply.body.p)
			text_add(&reply.body, t->octets);
		break;
	case HTTP_TARGET_ERROR:
	default:
		http_reply_error(&s->req, t->status ? t->status : 404,
			t->message ? t->message : "there is no such file here.", s->req.keep_alive,
			wall_s(), &reply);
		break;
	}
	http_session_answer(s, &reply, now_ms(c));
}

static void conn_ask(struct http_conn *c)
{
	struct http_session *s = &c->session;
	struct http_target t = { 0 };
	struct http_reply reply;

	c->in_request = true;
	c->began_ns = c->told_ns = uv_hrtime();
	if (s->drop != DROP_NONE) {
		http_reply_refusal(&s->req, s->drop, wall_s(), &reply);
		http_session_answer(s, &reply, now_ms(c));
		return;
	}
	c->asked = true;
	if (!c->srv->hooks->resolve(c->srv->ctx, c, &c->peer, &s->req, s->path, &t, &c->later))
		return;
	c->asked = false;
	conn_give(c, &t);
}

void http_server_answer(struct http_conn *c, struct http_target *target)
{
	c->asked = false;
	conn_give(c, target);
	conn_advance(c, false);
}

/* --- sending --- */

/* Octets of a file; 0 when there is nothing to be done now: the file changed, or it
 * comes from the disk first. */
static ssize_t send_file(
	struct http_conn *c, const struct piece_range *range, uint64_t entity_at, size_t n)
{
	struct source_file *f = http_source_file_of(&c->source, range);
	ssize_t sent;

	if (!f->growing && !source_file_is_unchanged(f)) {
		conn_abort(c, DROP_HTTP_FILE_CHANGED);
		return 0;
	}
	if (entity_at >= c->read_until) {
		size_t ahead = range->n < TURN_OCTETS ? (size_t)range->n : TURN_OCTETS;

		if (!source_file_is_cached(f, range->offset, ahead) &&
			disk_start(c, f->fd, range->offset, ahead, entity_at + ahead))
			return 0;
		c->read_until = entity_at + ahead;
	}
	if (n > c->read_until - entity_at)
		n = (size_t)(c->read_until - entity_at);
	sent = stream_send_file(&c->stream, f->fd, range->offset, n);
	if (sent == 0 || sent == -EIO) {
		conn_abort(c, DROP_HTTP_FILE_CHANGED);
		return 0;
	}
	return sent;
}

/* False: it has to wait for octets of the entity, or there will be none. */
static bool limit_to_ready(struct http_conn *c, struct piece_range *range)
{
	uint64_t ready = http_source_ready(&c->source, range);

	if (http_source_is_broken(&c->source)) {
		conn_abort(c, DROP_HTTP_UPSTREAM);
		return false;
	}
	if (ready == 0) {
		c->waits_growth = true;
		http_server_start_growth(c->srv);
		return false;
	}
	range->n = ready;
	return true;
}

/* Octets of the entity, of one piece of it; 0 as above. */
static ssize_t send_entity(struct http_conn *c, const struct http_output *out, size_t max)
{
	struct piece_range range = http_source_at(&c->source, out->entity_at);
	struct span octets;

	if (!limit_to_ready(c, &range))
		return 0;
	if (range.n > out->entity_n)
		range.n = out->entity_n;
	if (range.kind == PIECE_FILE)
		return send_file(c, &range, out->entity_at, range.n < max ? (size_t)range.n : max);
	octets = http_source_octets_of(&c->source, &range);
	return stream_send(&c->stream, SPAN_NONE, octets, out->entity_n > octets.n);
}

/* Sends until the reply is out, the socket is full or the turn is over. */
static void conn_send(struct http_conn *c, bool has_turn)
{
	struct http_session *s = &c->session;
	size_t budget = has_turn ? TURN_OCTETS : SMALL_OCTETS;

	c->wants_turn = false;
	while (!http_session_is_sent(s)) {
		struct http_output out = http_session_output(s);
		bool of_entity = out.head.n + out.body.n == 0;
		ssize_t n;

		if (budget == 0 ||
			(!has_turn && (of_entity ? out.entity_n : out.body.n) > SMALL_OCTETS)) {
			c->wants_turn = true;
			return;
		}
		n = of_entity ? send_entity(c, &out, budget)
			      : stream_send(&c->stream, out.head, out.body, out.entity_n > 0);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN || (n == 0 && of_entity))
			return;
		if (n <= 0) {
			conn_abort(c, DROP_HTTP_ABORTED);
			return;
		}
		http_session_sent(s, (uint64_t)n, now_ms(c));
		budget -= (size_t)n < budget ? (size_t)n : budget;
	}
}

/* Of what TLS says is wrong before the first request; else DROP_NONE. */
static enum drop why_no_handshake(const struct http_conn *c, ssize_t error)
{
	if (c->session.answered > 0 || c->session.in_n > 0)
		return DROP_NONE;
	switch (error) {
	case -EPROTO:
		return DROP_HTTP_TLS;
	case -EKEYREJECTED:
		return DROP_HTTP_TLS_UNTRUSTED;
	case -ENOPROTOOPT:
		return DROP_HTTP_TLS_VERSION;
	case -ENOMSG:
		return DROP_HTTP_TLS_PLAIN;
	default:
		return DROP_NONE;
	}
}

static void conn_recv(struct http_conn *c)
{
	struct http_room room = http_session_room(&c->session);
	ssize_t n = stream_recv(&c->stream, room.p, room.n);
	enum drop why;

	if (n >= 0) {
		http_session_received(&c->session, (size_t)n, now_ms(c));
		return;
	}
	if (n == -EAGAIN || n == -EINTR)
		return;
	why = why_no_handshake(c, n);
	if (why != DROP_NONE)
		c->srv->hooks->refused(c->srv->ctx, &c->peer, why);
	conn_abort(c, why != DROP_NONE ? why : DROP_HTTP_ABORTED);
}

static bool is_receiving(const struct http_conn *c)
{
	return c->session.want == HTTP_WANT_RECV || c->session.want == HTTP_WANT_LINGER;
}

/* What it waits for: the owner, the disk, its turn, or its socket. */
static void conn_wait(struct http_conn *c)
{
	http_place_classify(c);
	if (c->asked || c->disk || c->waits_growth) {
		conn_arm(c, 0);
	} else if (c->wants_turn || c->session.want == HTTP_WANT_ANSWER) {
		http_place_queue(c);
	} else {
		conn_arm(c,
			stream_waits_to_read(&c->stream, is_receiving(c)) ? UV_READABLE
									  : UV_WRITABLE);
	}
}

/* Goes on as far as it may: at most one request, so that a client with many of
 * them in the pipe waits like everyone else. */
static void conn_advance(struct http_conn *c, bool has_turn)
{
	struct http_session *s = &c->session;

	if (s->want == HTTP_WANT_ANSWER && !c->asked)
		conn_ask(c);
	if (s->want == HTTP_WANT_SEND)
		conn_send(c, has_turn);
	if (http_session_is_sent(s)) {
		finish_request(c, true);
		http_session_next(s, now_ms(c));
	}
	if (s->want == HTTP_WANT_LINGER && !c->shut_down) {
		c->shut_down = true;
		if (stream_shutdown(&c->stream) < 0)
			conn_abort(c, DROP_NONE);
	}
	if (s->want == HTTP_WANT_CLOSE || (c->srv->closing && http_session_is_idle(s)))
		http_conn_close(c);
	else
		conn_wait(c);
}

static void on_conn_event(uv_poll_t *poll, int status, int events)
{
	struct http_conn *c = poll->data;

	(void)events; /* a stream may have to write in order to receive */
	/* Most have their turn before the next event and go on with the same one: then
	 * epoll need not be told twice. */
	if (c->is_ready && status == 0) {
		conn_arm(c, 0);
		return;
	}
	if (status < 0)
		conn_abort(c, DROP_HTTP_ABORTED);
	else if (is_receiving(c))
		conn_recv(c);
	conn_advance(c, false);
}

void http_conn_run_turns(struct http_server *srv)
{
	uint64_t end_ns = uv_hrtime() + ROUND_NS;

	while (srv->ready && uv_hrtime() < end_ns) {
		struct http_conn *c = srv->ready;

		http_place_unqueue(c);
		conn_advance(c, true);
	}
	if (!srv->ready)
		(void)uv_idle_stop(&srv->no_sleep);
}

/* --- the beginning, and time --- */

static int stream_new(const struct http_listener *l, int fd, struct stream *ret)
{
	if (l->tls)
		return l->srv->tls ? tls_stream_init(ret, fd, l->srv->tls) : -ENOTCONN;
	stream_init_plain(ret, fd);
	return 0;
}

void http_conn_begin(struct http_listener *l, int fd, const struct http_peer *peer)
{
	struct http_server *srv = l->srv;
	struct http_conn *c = malloc(sizeof(*c));
	int one = 1, err = -ENOMEM;

	if (c) {
		/* The session's buffers stay untouched, and so without memory, while nothing comes. */
		memset(c, 0, offsetof(struct http_conn, session));
		err = stream_new(l, fd, &c->stream);
	}
	if (err < 0) {
		close(fd);
		free(c);
		return;
	}
	c->srv = srv;
	c->source = http_source_none();
	c->peer = *peer;
	err = http_place_join(c);
	if (err == 0) {
		err = uv_poll_init(srv->loop, &c->poll, fd);
		if (err < 0)
			http_place_leave(c);
	}
	if (err < 0) {
		stream_close(&c->stream);
		free(c);
		return;
	}
	c->poll.data = c;
	srv->handles++;
	srv->n_conns++;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	http_session_init(&c->session, uv_now(srv->loop));
	http_server_start_tick(srv);
	conn_wait(c);
}

static void tell_progress(struct http_conn *c)
{
	uint64_t now_ns = uv_hrtime();
	struct http_access access;

	if (c->session.want != HTTP_WANT_SEND || now_ns < c->told_ns + PROGRESS_EVERY_NS)
		return;
	c->told_ns = now_ns;
	access = access_of(c, false);
	c->srv->hooks->progress(c->srv->ctx, &access);
}

void http_conn_tick(struct http_conn *c)
{
	tell_progress(c);
	/* A disk that hangs, or another server, is not the client's fault. */
	if (now_ms(c) < c->session.deadline_ms || c->disk || c->waits_growth || c->is_ready)
		return;
	http_session_tick(&c->session, now_ms(c));
	conn_advance(c, false);
}

bool http_conn_look_for_growth(struct http_conn *c)
{
	struct piece_range next = http_source_at(
		&c->source, http_session_output(&c->session).entity_at);

	if (http_source_ready(&c->source, &next) == 0 && !http_source_is_broken(&c->source))
		return false;
	c->waits_growth = false;
	http_place_queue(c);
	return true;
}

bool http_conn_is_stalled(const struct http_conn *c)
{
	return c->session.want == HTTP_WANT_SEND && !c->disk && !c->waits_growth && !c->is_ready &&
		now_ms(c) + HTTP_SEND_DEADLINE_MS >= c->session.deadline_ms + STALLED_MS;
}
