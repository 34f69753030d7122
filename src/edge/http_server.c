/* The HTTP server's door, limits and end; see http_server.h. */
#include "edge/http_conn.h"

#include "edge/tls_context.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define TURN_ACCEPTS 64
#define TICK_MS      500 /* how late a deadline may be noticed */
#define GROWTH_MS    10  /* how late it may be noticed that a file has grown */
#define STALLED_LOOK 32  /* connections looked at to find one that is stalled */

static void end_all(struct http_server *srv);

void http_server_release(struct http_server *srv)
{
	if (--srv->handles == 0 && srv->closed)
		srv->closed(srv->closed_ctx);
}

/* --- the door --- */

/* A sender whose client takes nothing.  Those that were looked at in vain go to the
 * end, so that each search is short and none is looked at for ever. */
static struct http_conn *find_stalled(struct http_server *srv)
{
	for (int i = 0; i < STALLED_LOOK; i++) {
		struct http_conn *c = srv->conns[CONN_BUSY];

		if (!c || http_conn_is_stalled(c))
			return c;
		DL_DELETE(srv->conns[CONN_BUSY], c);
		DL_APPEND(srv->conns[CONN_BUSY], c);
	}
	return NULL;
}

/* Closes the connection that would end soonest anyway: an idle one, else one whose
 * head is still coming, or the slow heads of a few clients would keep the others
 * out (H-7), else one that is not read.  False when there is none. */
static bool evict(struct http_server *srv)
{
	struct http_conn *c = srv->conns[CONN_IDLE];

	if (!c)
		c = srv->conns[CONN_HEAD];
	if (!c)
		c = find_stalled(srv);
	if (c)
		http_conn_close(c);
	return c != NULL;
}

static bool has_room(struct http_server *srv, struct ip4 addr)
{
	struct http_client *client;

	HASH_FIND(hh, srv->clients, &addr.v, sizeof(uint32_t), client);
	if (client && client->n_conns >= srv->limits.per_address) {
		if (!client->idle)
			return false;
		http_conn_close(client->idle);
	}
	return srv->n_conns < srv->limits.connections || evict(srv);
}

/* A 503 if the socket takes it at once, and the end. */
static void send_too_many(int fd)
{
	struct http_request none = { 0 };
	struct http_reply reply;
	struct timespec now;
	char unread[1024];

	clock_gettime(CLOCK_REALTIME, &now);
	http_reply_refusal(&none, DROP_HTTP_TOO_MANY, now.tv_sec, &reply);
	text_add(&reply.head, text_span(&reply.body));
	if (!reply.head.failed)
		(void)!send(fd, reply.head.p, reply.head.n, MSG_NOSIGNAL);
	http_reply_free(&reply);
	/* What is left unread would turn the close into a reset. */
	(void)!recv(fd, unread, sizeof(unread), 0);
}

static void on_tick(uv_timer_t *timer);

void http_server_start_tick(struct http_server *srv)
{
	if (!uv_is_active((uv_handle_t *)&srv->tick))
		(void)uv_timer_start(&srv->tick, on_tick, TICK_MS, TICK_MS);
}

static void pause_listeners(struct http_server *srv)
{
	struct http_listener *l;

	srv->paused = true;
	srv->hooks->starved(srv->ctx);
	DL_FOREACH(srv->listeners, l)
		(void)uv_poll_stop(&l->poll);
	http_server_start_tick(srv);
}

/* One connection; false when there is none (now). */
static bool accept_one(struct http_listener *l)
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
		http_conn_begin(l, fd, &peer);
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
	struct http_listener *l = poll->data;

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
	struct http_listener *l;
	struct http_conn *c, *next;

	for (enum conn_class class = 0; class < CONN_CLASSES; class ++)
		DL_FOREACH_SAFE(srv->conns[class], c, next)
			http_conn_tick(c);
	if (srv->closing && uv_now(srv->loop) >= srv->closing_deadline_ms)
		end_all(srv);
	if (srv->paused) {
		srv->paused = false;
		DL_FOREACH(srv->listeners, l)
			(void)uv_poll_start(&l->poll, UV_READABLE, on_listener_event);
	}
	if (srv->n_conns == 0 && !srv->closing)
		(void)uv_timer_stop(timer);
}

static void on_growth(uv_timer_t *timer)
{
	struct http_server *srv = timer->data;
	bool waiting = false;
	struct http_conn *c;

	DL_FOREACH(srv->conns[CONN_BUSY], c)
		if (c->waits_growth && !http_conn_look_for_growth(c))
			waiting = true;
	if (!waiting)
		(void)uv_timer_stop(timer);
}

void http_server_start_growth(struct http_server *srv)
{
	if (!uv_is_active((uv_handle_t *)&srv->growth))
		(void)uv_timer_start(&srv->growth, on_growth, GROWTH_MS, GROWTH_MS);
}

static void on_turns(uv_check_t *check)
{
	struct http_server *srv = check->data;

	if (srv->ready)
		http_conn_run_turns(srv);
	if (srv->closing && srv->n_conns == 0)
		end_all(srv);
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

static void on_listener_closed(uv_handle_t *handle)
{
	struct http_listener *l = handle->data;
	struct http_server *srv = l->srv;

	free(l);
	http_server_release(srv);
}

static void listener_close(struct http_listener *l)
{
	DL_DELETE(l->srv->listeners, l);
	uv_close((uv_handle_t *)&l->poll, on_listener_closed);
	close(l->fd);
}

static void on_handle_closed(uv_handle_t *handle)
{
	http_server_release(handle->data);
}

/* The loop's handles exist from the first listen on, so that a server which never
 * listened can simply be freed. */
static void handles_init(struct http_server *srv)
{
	if (srv->tick.data)
		return;
	(void)uv_timer_init(srv->loop, &srv->tick);
	(void)uv_timer_init(srv->loop, &srv->growth);
	(void)uv_check_init(srv->loop, &srv->turns);
	(void)uv_idle_init(srv->loop, &srv->no_sleep);
	srv->tick.data = srv->growth.data = srv->turns.data = srv->no_sleep.data = srv;
	srv->handles += 4;
	(void)uv_check_start(&srv->turns, on_turns);
}

int http_server_listen(struct http_server *srv, int fd, bool tls, int listener_id)
{
	struct http_listener *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->srv = srv;
	l->id = listener_id;
	l->tls = tls;
	err = uv_poll_init(srv->loop, &l->poll, fd);
	if (err < 0) {
		free(l);
		return err;
	}
	l->fd = fd;
	l->poll.data = l;
	handles_init(srv);
	srv->handles++;
	DL_APPEND(srv->listeners, l);
	(void)uv_poll_start(&l->poll, UV_READABLE, on_listener_event);
	return 0;
}

void http_server_unlisten(struct http_server *srv, int listener_id)
{
	struct http_listener *l, *next;

	DL_FOREACH_SAFE(srv->listeners, l, next)
		if (l->id == listener_id)
			listener_close(l);
}

static void close_class(struct http_server *srv, enum conn_class class)
{
	struct http_conn *c, *next;

	DL_FOREACH_SAFE(srv->conns[class], c, next)
		http_conn_close(c);
}

static void end_all(struct http_server *srv)
{
	if (uv_is_closing((uv_handle_t *)&srv->tick))
		return;
	for (enum conn_class class = 0; class < CONN_CLASSES; class ++)
		close_class(srv, class);
	uv_close((uv_handle_t *)&srv->tick, on_handle_closed);
	uv_close((uv_handle_t *)&srv->growth, on_handle_closed);
	uv_close((uv_handle_t *)&srv->turns, on_handle_closed);
	uv_close((uv_handle_t *)&srv->no_sleep, on_handle_closed);
}

void http_server_close(
	struct http_server *srv, uint64_t grace_ms, http_server_closed closed, void *closed_ctx)
{
	struct http_listener *l, *next;

	srv->closed = closed;
	srv->closed_ctx = closed_ctx;
	srv->closing = true;
	srv->closing_deadline_ms = uv_now(srv->loop) + grace_ms;
	handles_init(srv); /* so that closed always comes from the loop */
	DL_FOREACH_SAFE(srv->listeners, l, next)
		listener_close(l);
	close_class(srv, CONN_IDLE);
	close_class(srv, CONN_HEAD);
	if (srv->n_conns == 0 || grace_ms == 0)
		end_all(srv);
	else
		http_server_start_tick(srv);
}

void http_server_use_tls(struct http_server *srv, struct ssl_ctx_st *context)
{
	struct ssl_ctx_st *before = srv->tls;

	srv->tls = tls_context_ref(context);
	tls_context_unref(before);
}

void http_server_count(
	const struct http_server *srv, unsigned *ret_connections, unsigned *ret_answers)
{
	*ret_connections = srv->n_conns;
	*ret_answers = srv->n_busy;
}

void http_server_free(struct http_server *srv)
{
	if (srv)
		tls_context_unref(srv->tls);
	free(srv);
}
