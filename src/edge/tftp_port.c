/* Shared sockets, read in batches.  Sends nothing. */
#include "edge/tftp_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define BATCH            64
#define PACKET_BUFFER    (TFTP_REQUEST_MAX + 1) /* one more: too long shows */
#define BATCHES_PER_TURN 4                      /* then the loop's other work has its turn */

struct port_group {
	struct port_group *prev, *next;
	struct ip4 local;
	unsigned n_open;
	struct tftp_port *list[TFTP_PORTS_PER_ADDRESS]; /* NULL: not open */
};

struct tftp_reader {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint8_t packets[BATCH][PACKET_BUFFER];
};

static void on_ready(uv_poll_t *poll, int status, int events);

int tftp_ports_init(struct tftp_ports *p)
{
	if (uv_random(NULL, NULL, &p->random, sizeof(p->random), 0, NULL) < 0)
		p->random = uv_hrtime();
	p->reader = malloc(sizeof(*p->reader));
	return p->reader ? 0 : -ENOMEM;
}

void tftp_ports_free(struct tftp_ports *p)
{
	free(p->reader);
	p->reader = NULL;
}

/* splitmix64: which of 32 ports is no secret that has to withstand more. */
uint32_t tftp_ports_random(struct tftp_ports *p, uint32_t n)
{
	uint64_t z = p->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) % n);
}

/* ---- opening and closing ---- */

static void on_closed(uv_handle_t *handle)
{
	struct tftp_port *port = handle->data;
	struct tftp_ports *p = port->ports;

	free(port);
	p->open_handles--;
	p->hooks->released(p->owner);
}

/* fd moves in on success. */
static int port_new(struct tftp_ports *p, int fd, struct ip4 local, struct tftp_port **ret_port)
{
	struct tftp_port *port = calloc(1, sizeof(*port));
	int err;

	if (!port)
		return -ENOMEM;
	port->ports = p;
	port->local = local;
	err = uv_poll_init(p->loop, &port->poll, fd);
	if (err < 0) {
		free(port);
		return err;
	}
	port->fd = fd;
	port->poll.data = port;
	port->events = UV_READABLE;
	p->open_handles++;
	(void)uv_poll_start(&port->poll, port->events, on_ready);
	*ret_port = port;
	return 0;
}

static int open_port(struct tftp_ports *p, struct ip4 local, struct tftp_port **ret_port)
{
	int fd, err = tftp_socket_open_serving(local, 0, &fd);

	if (err < 0)
		return err;
	err = port_new(p, fd, local, ret_port);
	if (err < 0)
		close(fd);
	return err;
}

static void close_port(struct tftp_port *port)
{
	uv_close((uv_handle_t *)&port->poll, on_closed);
	close(port->fd);
	port->fd = -1;
}

int tftp_ports_listen(struct tftp_ports *p, int fd, struct ip4 addr, int id)
{
	struct tftp_port *port;
	int err = port_new(p, fd, addr, &port);

	if (err < 0)
		return err;
	port->id = id;
	DL_APPEND(p->listeners, port);
	return 0;
}

void tftp_port_close(struct tftp_port *port)
{
	DL_DELETE(port->ports->listeners, port);
	close_port(port);
}

/* ---- sharing ---- */

static struct port_group *find_group(struct tftp_ports *p, struct ip4 local)
{
	struct port_group *g;

	DL_FOREACH(p->groups, g)
		if (ip4_eq(g->local, local))
			return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->local = local;
	DL_APPEND(p->groups, g);
	return g;
}

static void leave_group(struct tftp_port *port)
{
	struct port_group *g = port->group;

	g->list[port->index] = NULL;
	if (--g->n_open > 0)
		return;
	DL_DELETE(port->ports->groups, g);
	free(g);
}

static uint8_t *latest(struct tftp_ports *p, const struct tftp_peer *peer)
{
	uint64_t h = ((uint64_t)peer->remote.v << 16 | peer->remote_port) * 0x9e3779b97f4a7c15u;

	return &p->last_port[h >> 51];
}

/* Any port that is open, beginning at a random one; with no descriptor left that
 * is better than none. */
static struct tftp_port *open_one(const struct port_group *g, unsigned from, unsigned avoid)
{
	for (unsigned n = 0; n < TFTP_PORTS_PER_ADDRESS; n++) {
		unsigned i = (from + n) % TFTP_PORTS_PER_ADDRESS;

		if (g->list[i] && i + 1 != avoid)
			return g->list[i];
	}
	return NULL;
}

int tftp_ports_use(struct tftp_ports *p, const struct tftp_peer *peer, struct tftp_port **ret_port)
{
	struct port_group *g = find_group(p, peer->local);
	uint8_t *last = latest(p, peer);
	struct tftp_port *port;
	unsigned i;
	int err = 0;

	if (!g)
		return -ENOMEM;
	do {
		i = tftp_ports_random(p, TFTP_PORTS_PER_ADDRESS);
	} while (i + 1 == *last);
	port = g->list[i];
	if (!port) {
		err = open_port(p, peer->local, &port);
		if (err == 0) {
			port->group = g;
			port->index = i;
			g->list[i] = port;
			g->n_open++;
		} else {
			port = open_one(g, i, *last);
		}
	}
	if (!port) {
		if (g->n_open == 0) {
			DL_DELETE(p->groups, g);
			free(g);
		}
		return err;
	}
	*last = (uint8_t)(port->index + 1);
	port->users++;
	*ret_port = port;
	return 0;
}

bool tftp_port_was_latest(const struct tftp_port *port, const struct tftp_peer *peer)
{
	return *latest(port->ports, peer) == port->index + 1;
}

void tftp_port_share(struct tftp_port *port)
{
	port->users++;
}

void tftp_port_leave(struct tftp_port *port)
{
	if (--port->users > 0 || !port->group)
		return;
	leave_group(port);
	close_port(port);
}

/* ---- reading ---- */

/* The address that was asked, so that answers leave from there (RFC 1123 4.2.3.4
 * has clients drop others), whether or not the socket is bound to it. */
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

static int receive(struct tftp_port *port)
{
	struct tftp_reader *r = port->ports->reader;

	for (size_t i = 0; i < BATCH; i++) {
		r->parts[i] = (struct iovec){ r->packets[i], PACKET_BUFFER };
		r->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &r->from[i],
			.msg_namelen = sizeof(r->from[i]),
			.msg_iov = &r->parts[i],
			.msg_iovlen = 1,
			.msg_control = r->control[i],
			.msg_controllen = sizeof(r->control[i]),
		};
	}
	return recvmmsg(port->fd, r->messages, BATCH, MSG_DONTWAIT, NULL);
}

static bool is_request(struct span packet)
{
	return packet.n >= 2 && packet.p[0] == 0 &&
		(packet.p[1] == TFTP_RRQ || packet.p[1] == TFTP_WRQ);
}

/* Requests come after the rest: an ACK that has not been looked at makes its transfer
 * seem one that nobody answers, and these are the first to go for a new one. */
static void take_batch(struct tftp_port *port, int n, bool requests)
{
	struct tftp_ports *p = port->ports;
	struct tftp_reader *r = p->reader;

	for (int i = 0; i < n && port->fd >= 0; i++) {
		struct span s = { r->packets[i], r->messages[i].msg_len };
		struct tftp_peer peer = {
			.remote.v = ntohl(r->from[i].sin_addr.s_addr),
			.remote_port = ntohs(r->from[i].sin_port),
		};
		bool is_broadcast;

		if (is_request(s) == requests &&
			read_pktinfo(&r->messages[i].msg_hdr, &peer, &is_broadcast))
			p->hooks->take(p->owner, port, &peer, s, is_broadcast);
	}
}

/* True when there may be more. */
static bool read_port(struct tftp_port *port)
{
	int n = receive(port);

	take_batch(port, n, false);
	take_batch(port, n, true);
	return n == BATCH && port->fd >= 0;
}

/* For the same reason as in take_batch(). */
static void read_shared(struct tftp_ports *p)
{
	struct port_group *g, *next;

	DL_FOREACH_SAFE(p->groups, g, next) {
		struct tftp_port *list[TFTP_PORTS_PER_ADDRESS];

		memcpy(list, g->list, sizeof(list)); /* each may close, and the group with it */
		for (size_t i = 0; i < TFTP_PORTS_PER_ADDRESS; i++)
			if (list[i])
				(void)read_port(list[i]);
	}
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct tftp_port *port = poll->data;
	struct tftp_ports *p = port->ports;

	if (status < 0) {
		int err;
		socklen_t len = sizeof(err);

		/* Reading the socket's error clears it, and libuv stopped the poll. */
		(void)getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		(void)uv_poll_start(poll, port->events, on_ready);
		return;
	}
	if (events & UV_WRITABLE) {
		port->full = false;
		tftp_port_want_write(port, false);
	}
	if (events & UV_READABLE) {
		if (!port->group)
			read_shared(p);
		for (int i = 0; i < BATCHES_PER_TURN; i++)
			if (port->fd < 0 || !read_port(port))
				break;
	}
	p->hooks->turn(p->owner, port);
}

void tftp_port_want_write(struct tftp_port *port, bool want)
{
	int events = UV_READABLE | (want ? UV_WRITABLE : 0);

	if (port->fd < 0 || port->events == events)
		return;
	port->events = events;
	(void)uv_poll_start(&port->poll, events, on_ready);
}
