/* The TFTP server's listeners.  Answers nothing there but requests. */
#include "edge/tftp_server.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define TRANSFERS_DEFAULT            1024
#define TRANSFERS_PER_CLIENT_DEFAULT 32
#define REQUEST_BUFFER               (TFTP_REQUEST_MAX + 1) /* one more: too long shows */
/* Few, so that the transfers' own packets are read in between: an unread ACK makes
 * its transfer look like one that nobody answers, and these are evicted first. */
#define REQUESTS_PER_TURN            4
#define LISTENER_BUFFER              (1 << 20) /* a room full of machines asks at once */

struct listener {
	struct tftp_server *server;
	struct listener *prev, *next;
	uv_poll_t poll;
	int id, fd;
	char device[IFNAMSIZ]; /* empty: none */
};

struct tftp_server {
	struct tftp_pool pool;
	struct listener *listeners;
	int last_id;
	unsigned open_handles;     /* of listeners */
	void (*closed)(void *ctx); /* set: closing */
};

static void report_drop(struct tftp_server *server, enum drop why, const struct tftp_peer *peer)
{
	server->pool.hooks->dropped(server->pool.ctx, why, peer);
}

/* ---- the end of things ---- */

static void maybe_closed(void *owner)
{
	struct tftp_server *server = owner;
	void (*closed)(void *ctx) = server->closed;
	void *ctx = server->pool.ctx;

	if (!closed || server->open_handles > 0 || server->pool.open_handles > 0)
		return;
	free(server);
	closed(ctx);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	struct tftp_server *server = l->server;

	free(l);
	server->open_handles--;
	maybe_closed(server);
}

/* ---- requests ---- */

/* Answers a request with an ERROR, from a port that is not the listener's: that
 * one stays silent to everything but requests, and RFC 1350 4 wants it so. */
static void refuse(struct tftp_server *server, const struct tftp_incoming *in,
	enum tftp_outcome outcome, uint16_t code, struct span sentence, void *cookie)
{
	struct tftp_access access = {
		.peer = &in->peer,
		.request = &in->request,
		.path = in->path,
		.outcome = outcome,
		.error = code,
		.sentence = sentence,
		.duration_us = uv_hrtime() / 1000 - in->started_us,
		.cookie = cookie,
	};
	int fd;

	if (tftp_socket_open(in->peer.local, 0, in->device, &fd) == 0) {
		tftp_socket_send_error(fd, &in->peer, code, sentence);
		close(fd);
	}
	server->pool.hooks->done(server->pool.ctx, &access);
}

/* A well-formed read request that no running transfer answers. */
static void take_read_request(struct tftp_server *server, const struct tftp_incoming *in)
{
	struct tftp_target target = { .kind = TFTP_TARGET_ERROR };

	server->pool.hooks->resolve(server->pool.ctx, &in->peer, in->path, &target);
	if (target.kind == TFTP_TARGET_ERROR) {
		refuse(server, in, TFTP_REFUSED, target.error, span_str(target.sentence),
			target.cookie);
		return;
	}
	if (!tftp_pool_make_room(&server->pool, &in->peer)) {
		tftp_pool_release_target(&target);
		report_drop(server, DROP_TFTP_TOO_MANY, &in->peer);
		refuse(server, in, TFTP_REFUSED, TFTP_ERROR_OTHER,
			SPAN_LIT("Too many transfers at once, try again later"), target.cookie);
		return;
	}
	if (tftp_pool_begin(&server->pool, in, &target) < 0) {
		tftp_pool_release_target(&target);
		refuse(server, in, TFTP_FAILED, TFTP_ERROR_OTHER,
			SPAN_LIT("The server is out of resources"), target.cookie);
	}
}

static void take_request(
	struct tftp_server *server, struct tftp_incoming *in, enum tftp_opcode opcode)
{
	uint8_t path_buf[TFTP_PATH_MAX];

	if (tftp_pool_take_repeated(&server->pool, in))
		return;
	if (opcode == TFTP_WRQ)
		refuse(server, in, TFTP_REFUSED, TFTP_ERROR_ACCESS,
			SPAN_LIT("This server is read-only"), NULL);
	else if (in->request.mode != TFTP_MODE_OCTET)
		refuse(server, in, TFTP_REFUSED, TFTP_ERROR_ILLEGAL,
			SPAN_LIT("Only octet (binary) mode is offered"), NULL);
	else if (tftp_session_path(in->request.file, path_buf, &in->path) < 0)
		refuse(server, in, TFTP_REFUSED, TFTP_ERROR_ACCESS,
			SPAN_LIT("This file name is not allowed"), NULL);
	else
		take_read_request(server, in);
}

/* ---- listeners ---- */

static void take_packet(
	struct listener *l, const struct tftp_peer *peer, struct span s, bool is_broadcast)
{
	struct tftp_server *server = l->server;
	struct tftp_packet packet;
	enum drop why;

	if (tftp_socket_is_service_port(peer->remote_port))
		why = DROP_TFTP_REFLECTED;
	else if (is_broadcast) /* RFC 1123 4.2.3.5 */
		why = DROP_TFTP_BROADCAST;
	else
		why = tftp_decode(s, &packet);
	if (why == DROP_NONE && packet.opcode != TFTP_RRQ && packet.opcode != TFTP_WRQ)
		why = DROP_TFTP_OPCODE;
	if (why == DROP_NONE && server->pool.hooks->admit &&
		!server->pool.hooks->admit(server->pool.ctx, peer))
		why = DROP_TFTP_FOREIGN;
	if (why != DROP_NONE) {
		report_drop(server, why, peer);
		return;
	}

	struct tftp_incoming in = {
		.device = l->device,
		.peer = *peer,
		.packet = s,
		.request = packet.request,
		.started_us = uv_hrtime() / 1000,
	};

	take_request(server, &in, packet.opcode);
}

/* The address that was asked, so that answers leave from there (RFC 1123 4.2.3.4
 * has clients drop others), whether or not the listener is bound to it. */
static bool read_pktinfo(struct msghdr *msg, struct tftp_peer *peer, bool *ret_is_broadcast)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct in_pktinfo info;

		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		peer->local.v = ntohl(info.ipi_spec_dst.s_addr);
		peer->ifindex = (unsigned)info.ipi_ifindex;
		*ret_is_broadcast = info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
		return true;
	}
	return false;
}

/* False when there is nothing to receive. */
static bool listener_receive(struct listener *l)
{
	uint8_t buf[REQUEST_BUFFER], control[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct sockaddr_in sa = { 0 };
	struct msghdr msg = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct tftp_peer peer = { .remote_port = 0 };
	bool is_broadcast;
	ssize_t n = recvmsg(l->fd, &msg, 0);

	if (n < 0)
		return false;
	peer.remote.v = ntohl(sa.sin_addr.s_addr);
	peer.remote_port = ntohs(sa.sin_port);
	if (read_pktinfo(&msg, &peer, &is_broadcast))
		take_packet(l, &peer, (struct span){ buf, (size_t)n }, is_broadcast);
	return true;
}

static void on_listener_ready(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;

	(void)events;
	if (status < 0) {
		int err;
		socklen_t len = sizeof(err);

		/* Reading the socket's error clears it, and libuv stopped the poll. */
		(void)getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		(void)uv_poll_start(poll, UV_READABLE, on_listener_ready);
		return;
	}
	for (int i = 0; i < REQUESTS_PER_TURN; i++)
		if (uv_is_closing((uv_handle_t *)poll) || !listener_receive(l))
			break;
}

static int listener_start(struct listener *l, struct ip4 addr, uint16_t port, uint16_t *ret_port)
{
	struct tftp_server *server = l->server;
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);
	int on = 1, room = LISTENER_BUFFER, err = tftp_socket_open(addr, port, l->device, &l->fd);

	if (err < 0)
		return err;
	/* As far as net.core.rmem_max lets us. */
	(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(l->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
		getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
		err = -errno;
	if (err == 0)
		err = uv_poll_init(server->pool.loop, &l->poll, l->fd);
	if (err < 0) {
		close(l->fd);
		return err;
	}
	l->poll.data = l;
	server->open_handles++;
	l->id = ++server->last_id;
	DL_APPEND(server->listeners, l);
	(void)uv_poll_start(&l->poll, UV_READABLE, on_listener_ready);
	if (ret_port)
		*ret_port = ntohs(sa.sin_port);
	return 0;
}

int tftp_server_listen(struct tftp_server *server, struct ip4 addr, uint16_t port,
	const char *device, int *ret_id, uint16_t *ret_port)
{
	struct listener *l;
	int err;

	if (device && strlen(device) >= sizeof(l->device))
		return -ENODEV;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->server = server;
	if (device)
		memcpy(l->device, device, strlen(device) + 1);
	err = listener_start(l, addr, port, ret_port);
	if (err < 0) {
		free(l);
		return err;
	}
	*ret_id = l->id;
	return 0;
}

static void listener_close(struct listener *l)
{
	DL_DELETE(l->server->listeners, l);
	uv_close((uv_handle_t *)&l->poll, on_listener_closed);
	close(l->fd);
}

void tftp_server_unlisten(struct tftp_server *server, int id)
{
	struct listener *l, *next;

	DL_FOREACH_SAFE(server->listeners, l, next)
		if (l->id == id)
			listener_close(l);
}

/* ---- the server ---- */

int tftp_server_new(uv_loop_t *loop, const struct tftp_hooks *hooks, void *ctx,
	struct tftp_limits limits, struct tftp_server **ret_server)
{
	struct tftp_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->pool.loop = loop;
	server->pool.hooks = hooks;
	server->pool.ctx = ctx;
	server->pool.released = maybe_closed;
	server->pool.owner = server;
	if (limits.transfers == 0)
		limits.transfers = TRANSFERS_DEFAULT;
	if (limits.transfers_per_client == 0)
		limits.transfers_per_client = TRANSFERS_PER_CLIENT_DEFAULT;
	server->pool.limits = limits;
	*ret_server = server;
	return 0;
}

void tftp_server_close(struct tftp_server *server, void (*closed)(void *ctx))
{
	while (server->listeners)
		listener_close(server->listeners);
	tftp_pool_stop(&server->pool);
	server->closed = closed;
	maybe_closed(server);
}
