/* TFTP on sockets.  Answers nothing but requests on its listeners, resends
 * nothing on its own account, and holds no more transfers than its limits say:
 * those that no ACK ever proved go first. */
#include "edge/tftp_server.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#define HASH_NONFATAL_OOM 1 /* a full memory costs one request, not the daemon */
#include <uthash.h>
#include <utlist.h>

#define TRANSFERS_DEFAULT            1024
#define TRANSFERS_PER_CLIENT_DEFAULT 32
#define PACKETS_PER_TURN             64 /* then the loop's other work has its turn */
#define REQUEST_BUFFER               (TFTP_REQUEST_MAX + 1) /* one more: too long shows */
#define ERROR_MAX                    128
#define MTU_UNKNOWN                  1500

struct listener {
	struct tftp_server *server;
	struct listener *prev, *next;
	uv_poll_t poll;
	int id, fd;
	char device[IFNAMSIZ]; /* empty: none */
};

/* An address with at least one transfer. */
struct client {
	uint32_t addr; /* the key */
	unsigned n_transfers;
	struct transfer *transfers; /* linked by sibling_*, oldest first */
	UT_hash_handle hh;
};

struct transfer {
	struct tftp_server *server;
	struct client *client;
	struct transfer *prev, *next;                 /* of server->half_open or ->proven */
	struct transfer *sibling_prev, *sibling_next; /* of client->transfers */
	struct tftp_peer peer;
	struct tftp_session session;
	struct tftp_target target;
	struct timespec mtime; /* of target.fd when the transfer began */
	uint64_t next_block, last_block; /* still to be sent; none when next is larger */
	uint64_t started_us;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd, events; /* events: what poll waits for */
	unsigned open_handles;
	bool half_open; /* in server->half_open: nothing acknowledged yet */
	size_t request_len;
	uint8_t request[]; /* the packet, to know its repetition and for done() */
};

_Static_assert(sizeof(struct transfer) + TFTP_REQUEST_MAX < 4096, "promise T-14");

struct tftp_server {
	uv_loop_t *loop;
	const struct tftp_hooks *hooks;
	void *ctx;
	struct tftp_limits limits;
	struct listener *listeners;
	struct client *clients;
	struct transfer *half_open, *proven; /* oldest first */
	unsigned n_transfers;
	int last_id;
	unsigned open_handles;
	void (*closed)(void *ctx); /* set: closing */
	uint8_t block[TFTP_HEADER_LEN + TFTP_BLKSIZE_MAX];
};

/* A request on its way to become a transfer. */
struct incoming {
	struct tftp_server *server;
	const struct listener *listener;
	struct tftp_peer peer;
	struct span packet;
	struct tftp_request request;
	struct span path;
	uint8_t path_buf[TFTP_PATH_MAX];
	uint64_t started_us;
};

static uint64_t now_us(void)
{
	return uv_hrtime() / 1000;
}

/* ---- sockets ---- */

static struct sockaddr_in to_sockaddr(struct ip4 addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(addr.v),
		.sin_port = htons(port),
	};
}

static int set_socket(int fd, const char *device)
{
	/* Fragments are better than silence where a path is narrower than ours. */
	int dont = IP_PMTUDISC_DONT;

	if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof(dont)) < 0)
		return -errno;
	if (device[0] == '\0')
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
		return -errno;
	return 0;
}

static int open_socket(struct ip4 addr, uint16_t port, const char *device, int *ret_fd)
{
	struct sockaddr_in sa = to_sockaddr(addr, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_socket(fd, device);
	if (err == 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		err = -errno;
	if (err < 0) {
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* False when the socket cannot take it now.  Any other failure is loss, which
 * the session's timer repairs. */
static bool send_to(int fd, const struct tftp_peer *peer, struct span packet)
{
	struct sockaddr_in sa = to_sockaddr(peer->remote, peer->remote_port);

	return sendto(fd, packet.p, packet.n, 0, (struct sockaddr *)&sa, sizeof(sa)) >= 0 ||
		(errno != EAGAIN && errno != EWOULDBLOCK);
}

static void send_error(int fd, const struct tftp_peer *peer, uint16_t code, struct span sentence)
{
	uint8_t buf[ERROR_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	tftp_put_error(&w, code, sentence);
	(void)send_to(fd, peer, wr_done(&w));
}

/* What the kernel knows of the way to the peer, IP header included. */
static unsigned path_mtu(const struct tftp_peer *peer, const char *device)
{
	struct sockaddr_in sa = to_sockaddr(peer->remote, peer->remote_port);
	socklen_t len = sizeof(int);
	int fd, mtu = 0;

	if (open_socket(peer->local, 0, device, &fd) < 0)
		return MTU_UNKNOWN;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) < 0)
		mtu = MTU_UNKNOWN;
	close(fd);
	return (unsigned)mtu;
}

/* Services that answer whatever they get, and servers like us: to answer them
 * makes two machines talk for ever (CVE-2024-2169). */
static bool is_service_port(uint16_t port)
{
	return port == 0 || port == 7 || port == 19 || port == 69;
}

static void report_drop(struct tftp_server *server, enum drop why, const struct tftp_peer *peer)
{
	server->hooks->dropped(server->ctx, why, peer);
}

/* ---- the end of things ---- */

static void maybe_closed(struct tftp_server *server)
{
	void (*closed)(void *ctx) = server->closed;
	void *ctx = server->ctx;

	if (!closed || server->open_handles > 0)
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

static void on_transfer_handle_closed(uv_handle_t *handle)
{
	struct transfer *t = handle->data;
	struct tftp_server *server = t->server;

	if (--t->open_handles == 0)
		free(t);
	server->open_handles--;
	maybe_closed(server);
}

static void release_target(struct tftp_target *target)
{
	if (target->kind == TFTP_TARGET_FILE)
		close(target->fd);
	else if (target->kind == TFTP_TARGET_TEXT)
		text_free(&target->text);
}

static void client_leave(struct tftp_server *server, struct transfer *t)
{
	struct client *c = t->client;

	DL_DELETE2(c->transfers, t, sibling_prev, sibling_next);
	if (--c->n_transfers > 0)
		return;
	HASH_DEL(server->clients, c);
	free(c);
}

static void report_transfer(struct transfer *t, uint16_t error, struct span sentence)
{
	struct tftp_packet packet;
	uint8_t path_buf[TFTP_PATH_MAX];
	struct tftp_access access = {
		.peer = &t->peer,
		.request = &packet.request,
		.session = &t->session,
		.outcome = t->session.outcome,
		.error = error,
		.sentence = sentence,
		.duration_us = now_us() - t->started_us,
		.cookie = t->target.cookie,
	};

	/* Both went well when the transfer began. */
	if (tftp_decode((struct span){ t->request, t->request_len }, &packet) != DROP_NONE ||
		tftp_session_path(packet.request.file, path_buf, &access.path) < 0)
		return;
	t->server->hooks->done(t->server->ctx, &access);
}

/* The transfer's socket, file and places in all tables go at once, its memory
 * when libuv has let go of the handles.  session.outcome says how it ended. */
static void transfer_end(struct transfer *t, uint16_t error, struct span sentence)
{
	struct tftp_server *server = t->server;

	if (t->half_open)
		DL_DELETE(server->half_open, t);
	else
		DL_DELETE(server->proven, t);
	client_leave(server, t);
	server->n_transfers--;
	uv_close((uv_handle_t *)&t->poll, on_transfer_handle_closed);
	uv_close((uv_handle_t *)&t->timer, on_transfer_handle_closed);
	close(t->fd);
	release_target(&t->target);
	report_transfer(t, error, sentence);
}

/* Its memory stays until libuv's next turn, so this may be asked. */
static bool transfer_has_ended(const struct transfer *t)
{
	return t->session.outcome != TFTP_RUNNING;
}

static void transfer_end_as(struct transfer *t, enum tftp_outcome outcome)
{
	t->session.outcome = outcome;
	transfer_end(t, 0, SPAN_NONE);
}

static void transfer_fail(struct transfer *t, enum tftp_outcome outcome, struct span sentence)
{
	send_error(t->fd, &t->peer, TFTP_ERROR_OTHER, sentence);
	t->session.outcome = outcome;
	transfer_end(t, TFTP_ERROR_OTHER, sentence);
}

/* ---- sending ---- */

/* False when the file is no longer the one that the transfer began with.  One
 * replaced by rename is: the old file stays whole as long as we hold it. */
static bool is_unchanged(const struct transfer *t)
{
	struct stat st;

	if (t->target.kind != TFTP_TARGET_FILE)
		return true;
	return fstat(t->target.fd, &st) == 0 && (uint64_t)st.st_size == t->session.terms.size &&
		st.st_mtim.tv_sec == t->mtime.tv_sec && st.st_mtim.tv_nsec == t->mtime.tv_nsec;
}

static bool read_block(const struct transfer *t, uint64_t block, uint8_t *ret_data, size_t n)
{
	uint64_t offset = tftp_session_offset(&t->session.terms, block);

	if (t->target.kind == TFTP_TARGET_FILE)
		return pread(t->target.fd, ret_data, n, (off_t)offset) == (ssize_t)n;
	if (n > 0)
		memcpy(ret_data, t->target.text.p + offset, n);
	return true;
}

static void on_transfer_ready(uv_poll_t *poll, int status, int events);

static void transfer_wait(struct transfer *t, int events)
{
	if (t->events == events)
		return;
	t->events = events;
	if (uv_poll_start(&t->poll, events, on_transfer_ready) < 0)
		transfer_end_as(t, TFTP_FAILED);
}

/* Sends what is due; what the socket cannot take waits until it can. */
static void transfer_send_blocks(struct transfer *t)
{
	uint8_t *buf = t->server->block;
	int events = UV_READABLE;

	for (; t->next_block <= t->last_block; t->next_block++) {
		uint32_t n = tftp_session_length(&t->session.terms, t->next_block);
		struct wr w = wr_of(buf, TFTP_HEADER_LEN);

		tftp_put_data(&w, (uint16_t)t->next_block);
		if (!read_block(t, t->next_block, buf + TFTP_HEADER_LEN, n)) {
			transfer_fail(t, TFTP_FAILED, SPAN_LIT("The file could not be read"));
			return;
		}
		if (!send_to(t->fd, &t->peer, (struct span){ buf, TFTP_HEADER_LEN + n })) {
			events |= UV_WRITABLE;
			break;
		}
	}
	transfer_wait(t, events);
}

static void on_transfer_timer(uv_timer_t *timer);

/* Does what the session said.  May end and so invalidate the transfer. */
static void transfer_do(struct transfer *t, struct tftp_action action)
{
	struct tftp_server *server = t->server;
	uint64_t now_ms = uv_now(server->loop);
	uint8_t buf[TFTP_OACK_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	if (t->session.outcome != TFTP_RUNNING) {
		transfer_end(t, 0, SPAN_NONE);
		return;
	}
	if (t->half_open && t->session.proven) {
		DL_DELETE(server->half_open, t);
		DL_APPEND(server->proven, t);
		t->half_open = false;
	}
	uv_timer_start(&t->timer, on_transfer_timer,
		t->session.deadline_ms > now_ms ? t->session.deadline_ms - now_ms : 0, 0);
	switch (action.send) {
	case TFTP_SEND_NOTHING:
		break;
	case TFTP_SEND_OACK:
		tftp_session_put_oack(&t->session.terms, &w);
		(void)send_to(t->fd, &t->peer, wr_done(&w));
		break;
	case TFTP_SEND_BLOCKS:
		if (!is_unchanged(t)) {
			transfer_fail(t, TFTP_CHANGED,
				SPAN_LIT("The file changed during the transfer"));
			return;
		}
		t->next_block = action.first;
		t->last_block = action.last;
		transfer_send_blocks(t);
		break;
	}
}

static void on_transfer_timer(uv_timer_t *timer)
{
	struct transfer *t = timer->data;

	transfer_do(t, tftp_session_tick(&t->session, uv_now(t->server->loop)));
}

/* ---- a transfer's packets ---- */

/* RFC 1350 4: the stranger is told, the transfer goes on.  Not for an ERROR,
 * and not to ports that would answer. */
static void answer_stranger(struct transfer *t, const struct tftp_peer *from, struct span s)
{
	struct tftp_packet packet;
	enum drop why = tftp_decode(s, &packet);

	if (why == DROP_NONE && packet.opcode != TFTP_ERROR && !is_service_port(from->remote_port))
		send_error(t->fd, from, TFTP_ERROR_UNKNOWN_TID, SPAN_LIT("Unknown transfer ID"));
	report_drop(t->server, DROP_TFTP_WRONG_PORT, from);
}

/* A packet of the client's.  May end the transfer. */
static void transfer_take(struct transfer *t, struct span s)
{
	uint64_t now_ms = uv_now(t->server->loop);
	struct tftp_packet packet;
	enum drop why = tftp_decode(s, &packet);

	if (why == DROP_NONE && packet.opcode == TFTP_ACK) {
		transfer_do(t, tftp_session_ack(&t->session, packet.block, now_ms));
	} else if (why == DROP_NONE && packet.opcode == TFTP_ERROR) {
		tftp_session_error(&t->session, packet.error.code);
		transfer_end(t, packet.error.code, packet.error.text);
	} else {
		report_drop(t->server, why == DROP_NONE ? DROP_TFTP_OPCODE : why, &t->peer);
	}
}

/* One packet.  False when there is none. */
static bool transfer_receive(struct transfer *t)
{
	uint8_t buf[REQUEST_BUFFER];
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	ssize_t n = recvfrom(t->fd, buf, sizeof(buf), 0, (struct sockaddr *)&sa, &len);
	struct tftp_peer from = t->peer;

	if (n < 0)
		return false;
	from.remote.v = ntohl(sa.sin_addr.s_addr);
	from.remote_port = ntohs(sa.sin_port);
	if (ip4_eq(from.remote, t->peer.remote) && from.remote_port == t->peer.remote_port)
		transfer_take(t, (struct span){ buf, (size_t)n });
	else
		answer_stranger(t, &from, (struct span){ buf, (size_t)n });
	return true;
}

static void on_transfer_ready(uv_poll_t *poll, int status, int events)
{
	struct transfer *t = poll->data;

	if (status < 0) {
		transfer_end_as(t, TFTP_FAILED);
		return;
	}
	for (int i = 0; i < PACKETS_PER_TURN && (events & UV_READABLE); i++)
		if (!transfer_receive(t) || transfer_has_ended(t))
			break;
	if (!transfer_has_ended(t) && (events & UV_WRITABLE))
		transfer_send_blocks(t);
}

/* ---- new transfers ---- */

/* Answers a request with an ERROR, from a port that is not the listener's: that
 * one stays silent to everything but requests, and RFC 1350 4 wants it so. */
static void refuse(const struct incoming *in, enum tftp_outcome outcome, uint16_t code,
	struct span sentence, void *cookie)
{
	struct tftp_server *server = in->server;
	struct tftp_access access = {
		.peer = &in->peer,
		.request = &in->request,
		.path = in->path,
		.outcome = outcome,
		.error = code,
		.sentence = sentence,
		.duration_us = now_us() - in->started_us,
		.cookie = cookie,
	};
	int fd;

	if (open_socket(in->peer.local, 0, in->listener->device, &fd) == 0) {
		send_error(fd, &in->peer, code, sentence);
		close(fd);
	}
	server->hooks->done(server->ctx, &access);
}

static struct client *find_client(struct tftp_server *server, struct ip4 addr)
{
	struct client *c;

	HASH_FIND(hh, server->clients, &addr.v, sizeof(addr.v), c);
	return c;
}

static int client_join(struct tftp_server *server, struct transfer *t)
{
	struct client *c = find_client(server, t->peer.remote);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->addr = t->peer.remote.v;
		HASH_ADD(hh, server->clients, addr, sizeof(c->addr), c);
		if (!c->hh.tbl) {
			free(c);
			return -ENOMEM;
		}
	}
	DL_APPEND2(c->transfers, t, sibling_prev, sibling_next);
	c->n_transfers++;
	t->client = c;
	return 0;
}

static struct transfer *find_transfer(struct tftp_server *server, const struct tftp_peer *peer)
{
	struct client *c = find_client(server, peer->remote);
	struct transfer *t;

	for (t = c ? c->transfers : NULL; t; t = t->sibling_next)
		if (t->peer.remote_port == peer->remote_port &&
			ip4_eq(t->peer.local, peer->local))
			break;
	return t;
}

/* Keeps both limits; forged and forgotten requests make room for this one.
 * False when all places are held by clients that answer. */
static bool make_room(struct tftp_server *server, const struct tftp_peer *peer)
{
	struct client *c = find_client(server, peer->remote);

	if (c && c->n_transfers >= server->limits.transfers_per_client) {
		struct transfer *t = c->transfers;

		while (t && !t->half_open)
			t = t->sibling_next;
		if (!t)
			return false;
		transfer_end_as(t, TFTP_EVICTED);
	}
	if (server->n_transfers >= server->limits.transfers) {
		if (!server->half_open)
			return false;
		transfer_end_as(server->half_open, TFTP_EVICTED);
	}
	return true;
}

/* Gives the transfer its socket, handles and places in the tables. */
static int transfer_open(struct transfer *t, const char *device)
{
	struct tftp_server *server = t->server;
	int err = client_join(server, t);

	if (err < 0)
		return err;
	err = open_socket(t->peer.local, 0, device, &t->fd);
	if (err == 0) {
		err = uv_poll_init(server->loop, &t->poll, t->fd);
		if (err < 0)
			close(t->fd);
	}
	if (err < 0) {
		client_leave(server, t);
		return err;
	}
	(void)uv_timer_init(server->loop, &t->timer);
	t->poll.data = t;
	t->timer.data = t;
	t->open_handles = 2;
	server->open_handles += 2;
	DL_APPEND(server->half_open, t);
	t->half_open = true;
	server->n_transfers++;
	return 0;
}

static int target_size(const struct tftp_target *target, uint64_t *ret_size,
	struct timespec *ret_mtime)
{
	struct stat st;

	if (target->kind == TFTP_TARGET_TEXT) {
		*ret_size = target->text.n;
		return 0;
	}
	if (fstat(target->fd, &st) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	*ret_mtime = st.st_mtim;
	return 0;
}

static int begin_transfer(const struct incoming *in, const struct tftp_target *target)
{
	const char *device = in->listener->device;
	bool asks_blksize = tftp_option_find(&in->request, SPAN_LIT("blksize"));
	struct transfer *t = calloc(1, sizeof(*t) + in->packet.n);
	struct tftp_terms terms;
	uint64_t size = 0;
	int err;

	if (!t)
		return -ENOMEM;
	t->server = in->server;
	t->peer = in->peer;
	t->target = *target;
	t->started_us = in->started_us;
	t->request_len = in->packet.n;
	memcpy(t->request, in->packet.p, in->packet.n);
	err = target_size(target, &size, &t->mtime);
	if (err == 0)
		err = transfer_open(t, device);
	if (err < 0) {
		free(t);
		return err;
	}
	terms = tftp_session_negotiate(
		&in->request, size, asks_blksize ? path_mtu(&in->peer, device) : MTU_UNKNOWN);
	transfer_wait(t, UV_READABLE);
	transfer_do(t, tftp_session_start(&t->session, &terms, uv_now(in->server->loop)));
	return 0;
}

/* A well-formed read request that no running transfer answers. */
static void take_read_request(struct incoming *in)
{
	struct tftp_server *server = in->server;
	struct tftp_target target = { .kind = TFTP_TARGET_ERROR };

	server->hooks->resolve(server->ctx, &in->peer, in->path, &target);
	if (target.kind == TFTP_TARGET_ERROR) {
		refuse(in, TFTP_REFUSED, target.error, span_str(target.sentence), target.cookie);
		return;
	}
	if (!make_room(server, &in->peer)) {
		release_target(&target);
		report_drop(server, DROP_TFTP_TOO_MANY, &in->peer);
		refuse(in, TFTP_REFUSED, TFTP_ERROR_OTHER,
			SPAN_LIT("Too many transfers at once, try again later"), target.cookie);
		return;
	}
	if (begin_transfer(in, &target) < 0) {
		release_target(&target);
		refuse(in, TFTP_FAILED, TFTP_ERROR_OTHER, SPAN_LIT("The server is out of resources"),
			target.cookie);
	}
}

/* True when the request belongs to a transfer that runs. */
static bool take_repeated(const struct incoming *in)
{
	struct transfer *t = find_transfer(in->server, &in->peer);

	if (!t)
		return false;
	if (span_eq((struct span){ t->request, t->request_len }, in->packet) &&
		!tftp_session_is_silent(&t->session)) {
		transfer_do(t, tftp_session_repeat(&t->session, uv_now(in->server->loop)));
		return true;
	}
	/* Another file from the same port: the client is done with the first,
	 * and perhaps only its last ACK was lost. */
	transfer_end_as(t, TFTP_SUPERSEDED);
	return false;
}

static void take_request(struct incoming *in, enum tftp_opcode opcode)
{
	if (take_repeated(in))
		return;
	if (opcode == TFTP_WRQ)
		refuse(in, TFTP_REFUSED, TFTP_ERROR_ACCESS, SPAN_LIT("This server is read-only"),
			NULL);
	else if (in->request.mode != TFTP_MODE_OCTET)
		refuse(in, TFTP_REFUSED, TFTP_ERROR_ILLEGAL,
			SPAN_LIT("Only octet (binary) mode is offered"), NULL);
	else if (tftp_session_path(in->request.file, in->path_buf, &in->path) < 0)
		refuse(in, TFTP_REFUSED, TFTP_ERROR_ACCESS,
			SPAN_LIT("This file name is not allowed"), NULL);
	else
		take_read_request(in);
}

/* ---- listeners ---- */

static void take_packet(
	struct listener *l, const struct tftp_peer *peer, struct span s, bool is_broadcast)
{
	struct tftp_server *server = l->server;
	struct tftp_packet packet;
	enum drop why;

	if (is_service_port(peer->remote_port))
		why = DROP_TFTP_REFLECTED;
	else if (is_broadcast) /* RFC 1123 4.2.3.5 */
		why = DROP_TFTP_BROADCAST;
	else
		why = tftp_decode(s, &packet);
	if (why == DROP_NONE && packet.opcode != TFTP_RRQ && packet.opcode != TFTP_WRQ)
		why = DROP_TFTP_OPCODE;
	if (why == DROP_NONE && server->hooks->admit && !server->hooks->admit(server->ctx, peer))
		why = DROP_TFTP_FOREIGN;
	if (why != DROP_NONE) {
		report_drop(server, why, peer);
		return;
	}

	struct incoming in = {
		.server = server,
		.listener = l,
		.peer = *peer,
		.packet = s,
		.request = packet.request,
		.started_us = now_us(),
	};

	take_request(&in, packet.opcode);
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
	struct sockaddr_in sa;
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
	for (int i = 0; i < PACKETS_PER_TURN; i++)
		if (uv_is_closing((uv_handle_t *)poll) || !listener_receive(l))
			break;
}

static int listener_start(struct listener *l, struct ip4 addr, uint16_t port, uint16_t *ret_port)
{
	struct tftp_server *server = l->server;
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int on = 1, err = open_socket(addr, port, l->device, &l->fd);

	if (err < 0)
		return err;
	if (setsockopt(l->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
		getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
		err = -errno;
	if (err == 0)
		err = uv_poll_init(server->loop, &l->poll, l->fd);
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

	DL_FOREACH_SAFE (server->listeners, l, next)
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
	server->loop = loop;
	server->hooks = hooks;
	server->ctx = ctx;
	server->limits = limits;
	if (limits.transfers == 0)
		server->limits.transfers = TRANSFERS_DEFAULT;
	if (limits.transfers_per_client == 0)
		server->limits.transfers_per_client = TRANSFERS_PER_CLIENT_DEFAULT;
	*ret_server = server;
	return 0;
}

void tftp_server_close(struct tftp_server *server, void (*closed)(void *ctx))
{
	while (server->listeners)
		listener_close(server->listeners);
	while (server->half_open)
		transfer_end_as(server->half_open, TFTP_STOPPED);
	while (server->proven)
		transfer_end_as(server->proven, TFTP_STOPPED);
	server->closed = closed;
	maybe_closed(server);
}
