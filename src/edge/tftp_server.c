/* The TFTP server's listeners.  Answers nothing there but requests, and on a single
 * port the clients of its transfers. */
#include "edge/tftp_server.h"

#include "core/tftp_rate.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

struct tftp_server {
	struct tftp_pool pool;
	struct tftp_ports ports;
	struct tftp_rate rate;
	bool single_port, draining;
	void (*closed)(void *ctx); /* set: closing */
};

static void report_drop(struct tftp_server *server, enum drop why, const struct tftp_peer *peer)
{
	server->pool.hooks->dropped(server->pool.ctx, why, peer);
}

/* ---- requests ---- */

/* A well-formed read request that no running transfer answers. */
static void take_read_request(struct tftp_server *server, const struct tftp_incoming *in)
{
	if (!tftp_pool_make_room(&server->pool, &in->peer)) {
		report_drop(server, DROP_TFTP_TOO_MANY, &in->peer);
		tftp_pool_refuse(&server->pool, in, TFTP_REFUSED, TFTP_ERROR_OTHER,
			SPAN_LIT("Too many transfers at once, try again later"));
	} else if (tftp_pool_ask(&server->pool, in) < 0) {
		tftp_pool_refuse(&server->pool, in, TFTP_FAILED, TFTP_ERROR_OTHER,
			SPAN_LIT("The server is out of resources"));
	}
}

static void take_request(
	struct tftp_server *server, struct tftp_incoming *in, enum tftp_opcode opcode)
{
	uint8_t path_buf[TFTP_PATH_MAX];

	if (tftp_pool_take_repeated(&server->pool, in))
		return;
	if (opcode == TFTP_WRQ)
		tftp_pool_refuse(&server->pool, in, TFTP_REFUSED, TFTP_ERROR_ACCESS,
			SPAN_LIT("This server is read-only"));
	else if (in->request.mode != TFTP_MODE_OCTET)
		tftp_pool_refuse(&server->pool, in, TFTP_REFUSED, TFTP_ERROR_ILLEGAL,
			SPAN_LIT("Only octet (binary) mode is offered"));
	else if (tftp_session_path(in->request.file, path_buf, &in->path) < 0)
		tftp_pool_refuse(&server->pool, in, TFTP_REFUSED, TFTP_ERROR_ACCESS,
			SPAN_LIT("This file name is not allowed"));
	else
		take_read_request(server, in);
}

/* ---- packets ---- */

/* Why a packet to a listener is no request that we look at. */
static enum drop why_dropped(struct tftp_server *server, const struct tftp_peer *peer,
	struct span s, bool is_broadcast, struct tftp_packet *ret_packet)
{
	const struct tftp_hooks *hooks = server->pool.hooks;
	enum drop why;

	if (tftp_socket_is_service_port(peer->remote_port))
		return DROP_TFTP_REFLECTED;
	if (is_broadcast) /* RFC 1123 4.2.3.5 */
		return DROP_TFTP_BROADCAST;
	why = tftp_decode(s, ret_packet);
	if (why != DROP_NONE)
		return why;
	if (ret_packet->opcode != TFTP_RRQ && ret_packet->opcode != TFTP_WRQ)
		return DROP_TFTP_OPCODE;
	if (hooks->admit && !hooks->admit(server->pool.ctx, peer))
		return DROP_TFTP_FOREIGN;
	if (!tftp_rate_admit(&server->rate, peer->remote, uv_now(server->pool.loop)))
		return DROP_TFTP_RATE;
	return DROP_NONE;
}

static void take_at_listener(struct tftp_server *server, struct tftp_port *port,
	const struct tftp_peer *peer, struct span s, bool is_broadcast)
{
	struct tftp_packet packet;
	enum drop why = why_dropped(server, peer, s, is_broadcast, &packet);

	/* On a single port the rest is silence too: a stranger's packet that is answered
	 * here makes two servers talk for ever (CVE-2024-2169). */
	if (why == DROP_TFTP_OPCODE && port->users > 0 &&
		tftp_pool_take(&server->pool, port, peer, s))
		return;
	if (why != DROP_NONE) {
		report_drop(server, why, peer);
		return;
	}
	if (server->draining)
		return;

	struct tftp_incoming in = {
		.listener = port,
		.single_port = server->single_port,
		.peer = *peer,
		.packet = s,
		.request = packet.request,
		.started_us = uv_hrtime() / 1000,
	};

	take_request(server, &in, packet.opcode);
}

/* RFC 1350 4: the stranger is told, the transfers go on.  Not for an ERROR, and not
 * to ports that would answer.  A client whose transfer has ended just now, and which
 * repeats itself, is no stranger to be reported. */
static void answer_stranger(struct tftp_server *server, struct tftp_port *port,
	const struct tftp_peer *peer, struct span s)
{
	struct tftp_packet packet;
	enum drop why = tftp_decode(s, &packet);

	if (why == DROP_NONE && packet.opcode != TFTP_ERROR &&
		!tftp_socket_is_service_port(peer->remote_port))
		tftp_socket_send_error(
			port->fd, peer, TFTP_ERROR_UNKNOWN_TID, SPAN_LIT("Unknown transfer ID"));
	if (!tftp_port_was_latest(port, peer))
		report_drop(server, DROP_TFTP_WRONG_PORT, peer);
}

static void take(void *owner, struct tftp_port *port, const struct tftp_peer *peer, struct span s,
	bool is_broadcast)
{
	struct tftp_server *server = owner;

	tftp_pool_begin_turn(&server->pool);
	if (!port->group) {
		if (!port->doomed)
			take_at_listener(server, port, peer, s, is_broadcast);
	} else if (!tftp_pool_take(&server->pool, port, peer, s)) {
		answer_stranger(server, port, peer, s);
	}
}

/* ---- the end of things ---- */

static void maybe_closed(void *owner)
{
	struct tftp_server *server = owner;
	void (*closed)(void *ctx) = server->closed;
	void *ctx = server->pool.ctx;

	if (!closed || server->ports.open_handles > 0 || server->pool.open_handles > 0)
		return;
	tftp_pool_free(&server->pool);
	tftp_ports_free(&server->ports);
	free(server);
	closed(ctx);
}

static void close_doomed(struct tftp_server *server)
{
	struct tftp_port *port, *next;

	DL_FOREACH_SAFE(server->ports.listeners, port, next) {
		if (!port->doomed)
			continue;
		tftp_pool_abandon(&server->pool, port);
		tftp_port_close(port);
	}
}

static void turn(void *owner, struct tftp_port *port)
{
	struct tftp_server *server = owner;

	if (server->closed)
		return;
	tftp_pool_port_ready(&server->pool, port);
	tftp_pool_end_turn(&server->pool);
	close_doomed(server);
}

static const struct tftp_port_hooks port_hooks = {
	.take = take,
	.turn = turn,
	.released = maybe_closed,
};

/* ---- listeners ---- */

int tftp_server_listen(struct tftp_server *server, int fd, struct ip4 addr, int id)
{
	return tftp_ports_listen(&server->ports, fd, addr, id);
}

void tftp_server_unlisten(struct tftp_server *server, int id)
{
	struct tftp_port *port;

	DL_FOREACH(server->ports.listeners, port)
		port->doomed = port->doomed || port->id == id;
	/* In a turn its transfers may be in somebody's hands. */
	if (!server->pool.in_turn)
		close_doomed(server);
}

void tftp_server_set_single_port(struct tftp_server *server, bool single_port)
{
	server->single_port = single_port;
}

void tftp_server_answer(
	struct tftp_server *server, struct tftp_pending *request, struct tftp_target *target)
{
	tftp_pool_answer(&server->pool, request, target);
}

void tftp_server_look(
	struct tftp_server *server, uint64_t min_us, unsigned max, tftp_server_seen seen)
{
	tftp_pool_look(&server->pool, min_us, max, seen);
}

unsigned tftp_server_count(const struct tftp_server *server)
{
	return server->pool.n_transfers;
}

bool tftp_server_drain(struct tftp_server *server)
{
	server->draining = true;
	return server->pool.proven != NULL;
}

/* ---- the server ---- */

int tftp_server_new(uv_loop_t *loop, const struct tftp_hooks *hooks, void *ctx,
	struct tftp_limits limits, struct tftp_server **ret_server)
{
	struct tftp_server *server = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	server->ports = (struct tftp_ports){ .loop = loop, .hooks = &port_hooks, .owner = server };
	server->pool.loop = loop;
	server->pool.hooks = hooks;
	server->pool.ctx = ctx;
	server->pool.limits = limits;
	server->pool.ports = &server->ports;
	server->pool.released = maybe_closed;
	server->pool.owner = server;
	err = tftp_ports_init(&server->ports);
	if (err == 0)
		err = tftp_pool_init(&server->pool);
	if (err < 0) {
		tftp_ports_free(&server->ports);
		free(server);
		return err;
	}
	*ret_server = server;
	return 0;
}

void tftp_server_close(struct tftp_server *server, void (*closed)(void *ctx))
{
	server->closed = closed;
	tftp_pool_stop(&server->pool);
	while (server->ports.listeners)
		tftp_port_close(server->ports.listeners);
	maybe_closed(server);
}
