/* The sockets of the HTTP server; see http_server.h. */
#include "edge/http_server.h"

#include "core/http_session.h"
#include "edge/stream.h"
#include "edge/tls_context.h"
#include "edge/tls_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define TURN_OCTETS  ((size_t)256 << 10) /* sent to one client before the others have their turn */
#define TURN_ACCEPTS 32
#define TICK_MS      500 /* how late a deadline may be noticed */
#define BACKLOG      512

struct listener {
	uv_poll_t poll;
	struct http_server *srv;
	struct listener *prev, *next;
	int id, fd;
	bool tls;
};

struct conn {
	uv_poll_t poll;
	struct http_server *srv;
	struct conn *prev, *next;
	struct http_peer peer;
	struct stream stream;
	int events;        /* what poll is armed for */
	bool shut_down;    /* our sending side */
	bool in_request;   /* resolved or refused, and not yet told to hooks.done */
	int file_fd;       /* of the reply, or -1 */
	struct stat file;  /* as it was when opened */
	void *cookie;      /* of the target */
	uint64_t began_ns; /* of the request */
	struct http_session session;
};

struct http_server {
	uv_loop_t *loop;
	const struct http_hooks *hooks;
	void *ctx;
	struct http_limits limits;
	struct ssl_ctx_st *tls; /* NULL: no HTTPS now */
	struct listener *listeners;
	struct conn *conns;
	unsigned conn_count;
	int next_id;
	uv_timer_t tick;
	bool paused;      /* out of descriptors: listeners rest until the next tick */
	unsigned handles; /* that the loop still holds */
	http_server_closed closed;
	void *closed_ctx;
};

static int64_t wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

static void handle_gone(struct http_server *srv)
{
	if (--srv->handles == 0 && srv->closed)
		srv->closed(srv->closed_ctx);
}

/* --- one connection --- */

static void on_conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct http_server *srv = c->srv;

	free(c);
	handle_gone(srv);
}

/* Tells the owner how the request ended, and lets go of its file. */
static void finish_request(struct conn *c, bool complete)
{
	const struct http_session *s = &c->session;
	struct http_access access = {
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

	if (c->file_fd >= 0)
		close(c->file_fd);
	c->file_fd = -1;
	if (!c->in_request)
		return;
	c->in_request = false;
	c->srv->hooks->done(c->srv->ctx, &access);
	c->cookie = NULL;
}

static void conn_close(struct conn *c)
{
	finish_request(c, false);
	http_session_free(&c->session);
	DL_DELETE(c->srv->conns, c);
	c->srv->conn_count--;
	uv_close((uv_handle_t *)&c->poll, on_conn_closed);
	stream_close(&c->stream);
}

static void conn_abort(struct conn *c, enum drop why)
{
	c->session.drop = why;
	c->session.want = HTTP_WANT_CLOSE;
}

static void resolve(struct conn *c, struct http_reply *ret)
{
	const struct http_session *s = &c->session;
	struct http_target t = { 0 };
	struct http_entity e;

	c->srv->hooks->resolve(c->srv->ctx, &c->peer, &s->req, s->path, &t);
	c->cookie = t.cookie;
	if (!t.content_type)
		t.content_type = http_content_type(s->path);
	switch (t.kind) {
	case HTTP_TARGET_TEXT:
		http_reply_text(&s->req, &t.text, t.content_type, wall_s(), ret);
		break;
	case HTTP_TARGET_FILE:
		c->file_fd = t.fd;
		c->file = t.st;
		e = (struct http_entity){
			.content_type = t.content_type,
			.size = (uint64_t)t.st.st_size,
			.has_validators = true,
			.dev = t.st.st_dev,
			.ino = t.st.st_ino,
			.mtime_s = t.st.st_mtim.tv_sec,
			.mtime_ns = (uint32_t)t.st.st_mtim.tv_nsec,
		};
		http_reply_entity(&s->req, &e, wall_s(), ret);
		break;
	case HTTP_TARGET_ERROR:
		http_reply_error(&s->req, t.status ? t.status : 404,
			t.message ? t.message : "there is no such file here.", s->req.keep_alive,
			wall_s(), ret);
		break;
	}
}

static void conn_answer(struct conn *c)
{
	struct http_session *s = &c->session;
	struct http_reply reply;

	c->in_request = true;
	c->began_ns = uv_hrtime();
	if (s->drop != DROP_NONE)
		http_reply_refusal(&s->req, s->drop, wall_s(), &reply);
	else
		resolve(c, &reply);
	http_session_answer(s, &reply, uv_now(c->srv->loop));
}

/* Written anew in place, a file would go out as a mix of old and new. */
static bool file_unchanged(const struct conn *c)
{
	struct stat now;

	return fstat(c->file_fd, &now) == 0 && now.st_size == c->file.st_size &&
	       now.st_mtim.tv_sec == c->file.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == c->file.st_mtim.tv_nsec;
}

/* Sends until the reply is out, the socket is full or the turn is over. */
static void conn_send(struct conn *c)
{
	struct http_session *s = &c->session;
	size_t budget = TURN_OCTETS;

	while (budget > 0 && !http_session_is_sent(s)) {
		struct http_output out = http_session_output(s);
		bool from_file = out.head.n + out.body.n == 0;
		ssize_t n;

		if (from_file && !file_unchanged(c)) {
			conn_abort(c, DROP_HTTP_FILE_CHANGED);
			return;
		}
		if (from_file)
			n = stream_send_file(&c->stream, c->file_fd, out.file_offset,
				out.file_n < budget ? (size_t)out.file_n : budget);
		else
			n = stream_send(&c->stream, out.head, out.body, out.file_n > 0);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			conn_abort(c,
				n == 0 || n == -EIO ? DROP_HTTP_FILE_CHANGED : DROP_HTTP_ABORTED);
			return;
		}
		http_session_sent(s, (uint64_t)n, uv_now(c->srv->loop));
		budget -= (size_t)n < budget ? (size_t)n : budget;
	}
}

/* Of what TLS says is wrong before the first request; else DROP_NONE. */
static enum drop why_no_handshake(const struct conn *c, ssize_t error)
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

static void conn_recv(struct conn *c)
{
	struct http_room room = http_session_room(&c->session);
	ssize_t n = stream_recv(&c->stream, room.p, room.n);
	enum drop why;

	if (n >= 0) {
		http_session_received(&c->session, (size_t)n, uv_now(c->srv->loop));
		return;
	}
	if (n == -EAGAIN || n == -EINTR)
		return;
	why = why_no_handshake(c, n);
	if (why != DROP_NONE)
		c->srv->hooks->refused(c->srv->ctx, &c->peer, why);
	conn_abort(c, why != DROP_NONE ? why : DROP_HTTP_ABORTED);
}

static bool is_receiving(const struct conn *c)
{
	return c->session.want == HTTP_WANT_RECV || c->session.want == HTTP_WANT_LINGER;
}

static void on_conn_event(uv_poll_t *poll, int status, int events);

static void conn_arm(struct conn *c)
{
	int events = stream_waits_to_read(&c->stream, is_receiving(c)) ? UV_READABLE : UV_WRITABLE;

	if (events == c->events)
		return;
	c->events = events;
	if (uv_poll_start(&c->poll, events, on_conn_event) < 0)
		conn_close(c);
}

/* Goes on as far as one turn may: at most one request, so that a client with
 * many of them in the pipe waits like everyone else. */
static void conn_advance(struct conn *c)
{
	struct http_session *s = &c->session;

	if (s->want == HTTP_WANT_ANSWER)
		conn_answer(c);
	if (s->want == HTTP_WANT_SEND)
		conn_send(c);
	if (http_session_is_sent(s)) {
		finish_request(c, true);
		http_session_next(s, uv_now(c->srv->loop));
	}
	if (s->want == HTTP_WANT_LINGER && !c->shut_down) {
		c->shut_down = true;
		if (stream_shutdown(&c->stream) < 0)
			conn_abort(c, DROP_NONE);
	}
	if (s->want == HTTP_WANT_CLOSE)
		conn_close(c);
	else
		conn_arm(c);
}

static void on_conn_event(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;

	(void)events; /* a stream may have to write in order to receive */
	if (status < 0)
		conn_abort(c, DROP_HTTP_ABORTED);
	else if (is_receiving(c))
		conn_recv(c);
	conn_advance(c);
}

/* --- the door --- */

static void on_tick(uv_timer_t *timer);

static void tick_start(struct http_server *srv)
{
	if (!uv_is_active((uv_handle_t *)&srv->tick))
		(void)uv_timer_start(&srv->tick, on_tick, TICK_MS, TICK_MS);
}

static unsigned count_from(const struct http_server *srv, struct ip4 addr)
{
	const struct conn *c;
	unsigned n = 0;

	DL_FOREACH(srv->conns, c)
		n += ip4_eq(c->peer.addr, addr);
	return n;
}

/* Closes the connection that would end soonest anyway: an idle one (of addr, unless
 * that is NULL), else, for all, one whose head is still coming, or the slow heads of
 * a few clients would keep the others out (H-7).  False when there is none. */
static bool evict(struct http_server *srv, const struct ip4 *addr)
{
	struct conn *c, *idle = NULL, *slow = NULL, *oldest;

	DL_FOREACH(srv->conns, c) {
		bool is_idle = http_session_is_idle(&c->session);
		struct conn **found = is_idle ? &idle : &slow;

		if (addr ? !is_idle || !ip4_eq(c->peer.addr, *addr)
			 : !is_idle && c->session.want != HTTP_WANT_RECV)
			continue;
		if (!*found || c->session.deadline_ms < (*found)->session.deadline_ms)
			*found = c;
	}
	oldest = idle ? idle : slow;
	if (oldest)
		conn_close(oldest);
	return oldest != NULL;
}

static bool has_room(struct http_server *srv, struct ip4 addr)
{
	if (count_from(srv, addr) >= srv->limits.per_address && !evict(srv, &addr))
		return false;
	return srv->conn_count < srv->limits.connections || evict(srv, NULL);
}

/* A 503 if the socket takes it at once, and the end. */
static void send_too_many(int fd)
{
	struct http_request none = { 0 };
	struct http_reply reply;
	char unread[1024];

	http_reply_refusal(&none, DROP_HTTP_TOO_MANY, wall_s(), &reply);
	text_add(&reply.head, text_span(&reply.body));
	if (!reply.head.failed)
		(void)!send(fd, reply.head.p, reply.head.n, MSG_NOSIGNAL);
	http_reply_free(&reply);
	/* What is left unread would turn the close into a reset. */
	(void)!recv(fd, unread, sizeof(unread), 0);
}

static int stream_new(struct listener *l, int fd, struct stream *ret)
{
	if (l->tls)
		return l->srv->tls ? tls_stream_init(ret, fd, l->srv->tls) : -ENOTCONN;
	stream_init_plain(ret, fd);
	return 0;
}

/* Takes fd, also when it fails. */
static int conn_new(struct listener *l, int fd, const struct http_peer *peer)
{
	struct http_server *srv = l->srv;
	struct conn *c = calloc(1, sizeof(*c));
	int one = 1, err = c ? stream_new(l, fd, &c->stream) : -ENOMEM;

	if (err < 0) {
		close(fd);
		free(c);
		return err;
	}
	c->srv = srv;
	c->file_fd = -1;
	c->peer = *peer;
	err = uv_poll_init(srv->loop, &c->poll, fd);
	if (err < 0) {
		stream_close(&c->stream);
		free(c);
		return err;
	}
	c->poll.data = c;
	srv->handles++;
	srv->conn_count++;
	DL_APPEND(srv->conns, c);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	http_session_init(&c->session, uv_now(srv->loop));
	tick_start(srv);
	conn_arm(c);
	return 0;
}

static void pause_listeners(struct http_server *srv)
{
	struct listener *l;

	srv->paused = true;
	srv->hooks->starved(srv->ctx);
	DL_FOREACH(srv->listeners, l)
		(void)uv_poll_stop(&l->poll);
	tick_start(srv);
}

/* One connection; false when there is none (now). */
static bool accept_one(struct listener *l)
{
	struct sockaddr_in sa = { 0 }, local = { 0 };
	socklen_t sa_len = sizeof(sa), local_len = sizeof(local);
	struct http_peer peer = { .listener_id = l->id };
	int fd = accept4(l->fd, (struct sockaddr *)&sa, &sa_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listeners(l->srv); /* else the loop would spin on it */
		return errno == ECONNABORTED || errno == EINTR;
	}
	(void)getsockname(fd, (struct sockaddr *)&local, &local_len);
	peer.addr.v = ntohl(sa.sin_addr.s_addr);
	peer.port = ntohs(sa.sin_port);
	peer.local_addr.v = ntohl(local.sin_addr.s_addr);
	peer.local_port = ntohs(local.sin_port);
	if (has_room(l->srv, peer.addr)) {
		(void)conn_new(l, fd, &peer);
		return true;
	}
	if (!l->tls)
		send_too_many(fd);
	close(fd);
	l->srv->hooks->refused(l->srv->ctx, &peer, DROP_HTTP_TOO_MANY);
	return true;
}

static void on_listener_event(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;

	(void)events;
	if (status < 0)
		return;
	for (int i = 0; i < TURN_ACCEPTS; i++)
		if (!accept_one(l))
			return;
}

static void on_tick(uv_timer_t *timer)
{
	struct http_server *srv = timer->data;
	uint64_t now_ms = uv_now(srv->loop);
	struct listener *l;
	struct conn *c, *next;

	DL_FOREACH_SAFE(srv->conns, c, next) {
		if (now_ms < c->session.deadline_ms)
			continue;
		http_session_tick(&c->session, now_ms);
		conn_advance(c);
	}
	if (srv->paused) {
		srv->paused = false;
		DL_FOREACH(srv->listeners, l)
			(void)uv_poll_start(&l->poll, UV_READABLE, on_listener_event);
	}
	if (!srv->conns)
		(void)uv_timer_stop(timer);
}

/* --- the server --- */

int http_server_new(uv_loop_t *loop, const struct http_hooks *hooks, void *ctx,
	struct http_limits limits, struct http_server **ret)
{
	struct http_server *srv = calloc(1, sizeof(*srv));

	if (!srv)
		return -ENOMEM;
	srv->loop = loop;
	srv->hooks = hooks;
	srv->ctx = ctx;
	srv->limits = limits;
	*ret = srv;
	return 0;
}

static int open_listener(struct ip4 addr, uint16_t port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(addr.v),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	struct http_server *srv = l->srv;

	free(l);
	handle_gone(srv);
}

static void listener_close(struct listener *l)
{
	DL_DELETE(l->srv->listeners, l);
	uv_close((uv_handle_t *)&l->poll, on_listener_closed);
	close(l->fd);
}

static void on_tick_closed(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

/* The loop's timer exists from the first listen on, so that a server which
 * never listened can simply be freed. */
static void tick_init(struct http_server *srv)
{
	if (srv->tick.data)
		return;
	(void)uv_timer_init(srv->loop, &srv->tick);
	srv->tick.data = srv;
	srv->handles++;
}

static int listen_on(struct http_server *srv, struct ip4 addr, uint16_t port, bool tls,
	int *ret_listener_id)
{
	struct listener *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	err = open_listener(addr, port);
	if (err < 0) {
		free(l);
		return err;
	}
	l->fd = err;
	l->tls = tls;
	l->srv = srv;
	l->id = srv->next_id++;
	err = uv_poll_init(srv->loop, &l->poll, l->fd);
	if (err < 0) {
		close(l->fd);
		free(l);
		return err;
	}
	l->poll.data = l;
	tick_init(srv);
	srv->handles++;
	DL_APPEND(srv->listeners, l);
	err = uv_poll_start(&l->poll, UV_READABLE, on_listener_event);
	if (err < 0) {
		listener_close(l);
		return err;
	}
	*ret_listener_id = l->id;
	return 0;
}

int http_server_listen(
	struct http_server *srv, struct ip4 addr, uint16_t port, int *ret_listener_id)
{
	return listen_on(srv, addr, port, false, ret_listener_id);
}

int http_server_listen_tls(
	struct http_server *srv, struct ip4 addr, uint16_t port, int *ret_listener_id)
{
	return listen_on(srv, addr, port, true, ret_listener_id);
}

void http_server_use_tls(struct http_server *srv, struct ssl_ctx_st *context)
{
	struct ssl_ctx_st *before = srv->tls;

	srv->tls = tls_context_ref(context);
	tls_context_unref(before);
}

void http_server_unlisten(struct http_server *srv, int listener_id)
{
	struct listener *l, *next;

	DL_FOREACH_SAFE(srv->listeners, l, next)
		if (l->id == listener_id)
			listener_close(l);
}

void http_server_close(struct http_server *srv, http_server_closed closed, void *closed_ctx)
{
	struct listener *l, *next_l;
	struct conn *c, *next_c;

	srv->closed = closed;
	srv->closed_ctx = closed_ctx;
	tick_init(srv); /* so that closed always comes from the loop */
	uv_close((uv_handle_t *)&srv->tick, on_tick_closed);
	DL_FOREACH_SAFE(srv->listeners, l, next_l)
		listener_close(l);
	DL_FOREACH_SAFE(srv->conns, c, next_c)
		conn_close(c);
}

void http_server_free(struct http_server *srv)
{
	if (srv)
		tls_context_unref(srv->tls);
	free(srv);
}
