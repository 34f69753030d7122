/* The way of a DHCPv4 packet, from top to bottom:
 *
 *   on_readable -> dhcp4_socket_recv -> on_packet -> dhcp4_decode -> dhcp4_plan
 *   -> reply_new (dhcp4_encode) -> store_commit -> on_committed -> reply_send
 */
#include "app/service_dhcp4.h"

#include "app/dhcp4_line.h"
#include "app/ports.h"
#include "edge/clock.h"
#include "edge/dhcp4_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PACKET_MAX  4096u
#define BATCH_MAX   64 /* packets per turn, so that TFTP and HTTP get theirs */
#define ARENA_LIMIT (64u << 10)
#define PENDING_MAX 16384u /* replies that wait for the store */

struct service_dhcp4 {
	struct site *site;
	int raw_fd;
	struct ports ports;
	struct arena arena;
	unsigned pending;
	bool closed; /* all sockets are gone: only commits keep it alive */
	uint8_t buf[PACKET_MAX];
};

/* A reply that waits for its commit. */
struct reply {
	struct service_dhcp4 *service;
	struct dhcp4_rx rx;
	enum dhcp4_dest dest;
	struct ip4 dest_addr, server;
	struct mac client_mac;
	bool send; /* DECLINE and RELEASE are committed too, but not answered */
	bool committed;
	struct lease_record record; /* its numbers only: what it points to may be gone */
	struct text line;
	size_t n;
	uint8_t data[];
};

static void reply_free(struct reply *r)
{
	text_free(&r->line);
	free(r);
}

/* From which port and interface a reply leaves: that of the request. */
static int send_udp(struct service_dhcp4 *s, const struct reply *r, struct ip4 to, uint16_t port,
	struct span data)
{
	bool relayed = r->dest == DHCP4_TO_RELAY;
	int fd = ports_find(&s->ports, r->rx.ifindex);

	if (fd < 0)
		return -ENETDOWN; /* the interface went away meanwhile */
	/* A relay is answered from the address that it spoke to: the server
	 * identifier may be one of its own (RFC 5107). */
	return dhcp4_socket_send(fd, relayed ? 0 : r->rx.ifindex, relayed ? r->rx.local : r->server, to,
		port, data);
}

static int reply_send(struct service_dhcp4 *s, const struct reply *r)
{
	const struct ip4 everybody = { 0xffffffffu };
	const struct served *net = served_by_ifindex(s->site->nets, r->rx.ifindex);
	struct span data = { r->data, r->n };

	switch (r->dest) {
	case DHCP4_TO_RELAY:
		return send_udp(s, r, r->dest_addr, DHCP4_SERVER_PORT, data);
	case DHCP4_TO_ADDRESS:
		return send_udp(s, r, r->dest_addr, DHCP4_CLIENT_PORT, data);
	case DHCP4_TO_BROADCAST:
		return send_udp(s, r, everybody, DHCP4_CLIENT_PORT, data);
	case DHCP4_TO_FRAME:
		break;
	}
	if (!net)
		return -ENETDOWN;

	struct frame4 f = {
		.src_mac = net->mac,
		.dst_mac = r->client_mac,
		.src = r->server,
		.dst = r->dest_addr,
		.src_port = DHCP4_SERVER_PORT,
		.dst_port = DHCP4_CLIENT_PORT,
		.payload = data,
	};

	return dhcp4_socket_send_frame(s->raw_fd, r->rx.ifindex, &f);
}

static void service_maybe_free(struct service_dhcp4 *s)
{
	if (!s->closed || s->pending)
		return;
	close(s->raw_fd);
	arena_free(&s->arena);
	free(s);
}

static void log_store_drop(struct service_dhcp4 *s, struct ip4 address)
{
	unsigned long hidden;
	struct ip4_text text = ip4_str(address);

	if (!log_drop_due(s->site->log, DROP_STORE_FAILING, &hidden))
		return;

	const struct log_field fields[] = {
		FIELD_STR("drop", drop_id(DROP_STORE_FAILING)),
		FIELD_STR("address", text.s),
		FIELD_SOME("hidden", hidden),
	};

	log_event(s->site->log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields), "%s: no answer, %s: %s", text.s,
		drop_id(DROP_STORE_FAILING), drop_sentence(DROP_STORE_FAILING));
}

static void finish_reply(struct service_dhcp4 *s, struct reply *r, int result)
{
	const struct lease_record *rec = &r->record;

	if (r->committed && result == 0)
		lease_stored(s->site->leases, rec->address, rec->state, rec->expires_s);
	if (result < 0) {
		/* The store itself says why, once (serve.c). The client asks again. */
		lease_not_stored(s->site->leases, rec->address, clock_lease_s());
		log_store_drop(s, rec->address);
	} else {
		result = r->send ? reply_send(s, r) : 0;
		if (result < 0)
			log_say(s->site->log, LOG_WARNING, "dhcp", "a reply could not be sent: %s", strerror(-result));
		log_write(s->site->log, &r->line);
	}
	reply_free(r);
}

static void on_committed(void *ctx, int result)
{
	struct reply *r = ctx;
	struct service_dhcp4 *s = r->service;

	s->pending--;
	finish_reply(s, r, result);
	service_maybe_free(s);
}

/* Encodes the plan's reply, if it has one.  NULL: out of memory, or it does not
 * fit the client; the plan's drop says which. */
static struct reply *reply_new(struct service_dhcp4 *s, const struct dhcp4_rx *rx, struct dhcp4_plan *plan)
{
	struct reply *r = malloc(sizeof(*r) + plan->max_size + DHCP4_REPLY_MIN);
	struct wr w;

	if (!r) {
		plan->drop = DROP_NO_MEMORY;
		return NULL;
	}
	*r = (struct reply){
		.service = s,
		.rx = *rx,
		.dest = plan->dest,
		.dest_addr = plan->dest_addr,
		.server = plan->server,
		.client_mac = plan->facts.mac,
		.send = plan->reply_type != 0,
	};
	w = wr_of(r->data, plan->max_size + DHCP4_REPLY_MIN);
	if (r->send && dhcp4_encode(&plan->out, plan->max_size, &w) < 0) {
		plan->drop = DROP_REPLY_TOO_LARGE;
		free(r);
		return NULL;
	}
	r->n = w.n;
	return r;
}

static void log_plan(struct service_dhcp4 *s, const struct dhcp4_msg *msg, const struct dhcp4_plan *plan)
{
	struct text line = { 0 };

	dhcp4_line_of_plan(s->site, msg, plan, &line);
	log_write(s->site->log, &line);
	text_free(&line);
}

static void answer(struct service_dhcp4 *s, const struct dhcp4_msg *msg, const struct dhcp4_rx *rx,
	struct dhcp4_plan *plan)
{
	struct reply *r = reply_new(s, rx, plan);
	struct lease_record record;

	if (!r) {
		log_plan(s, msg, plan);
		return;
	}
	dhcp4_line_of_plan(s->site, msg, plan, &r->line);
	if (!plan->commit) {
		finish_reply(s, r, 0);
		return;
	}
	lease_to_record(plan->lease, &record);
	r->record = record;
	r->committed = true;
	/* Too many wait: the store hangs, and clients ask again. */
	if (s->pending >= PENDING_MAX || store_commit(s->site->store, &record, on_committed, r) < 0)
		finish_reply(s, r, -EBUSY);
	else
		s->pending++;
}

static void log_undecoded(struct service_dhcp4 *s, const struct dhcp4_packet *p, const struct dhcp4_msg *msg,
	enum drop why)
{
	unsigned long hidden;
	struct ip4_text source = ip4_str(p->source);
	struct mac mac;

	if (!log_drop_due(s->site->log, why, &hidden))
		return;
	memcpy(mac.b, msg->chaddr, sizeof(mac.b));

	const struct log_field fields[] = {
		FIELD_STR("drop", drop_id(why)),
		FIELD_STR("source", source.s),
		FIELD_STR("mac", mac_str(mac).s),
		FIELD_NUMBER("octets", p->data.n),
		FIELD_NUMBER("hidden", hidden),
	};

	log_event(s->site->log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields),
		"%s: a packet of %zu octets from %s dropped, %s: %s", mac_str(mac).s, p->data.n, source.s,
		drop_id(why), drop_sentence(why));
}

static void on_packet(struct service_dhcp4 *s, const struct dhcp4_packet *p)
{
	struct site *site = s->site;
	const struct dhcp4_server server = { .cfg = site->cfg, .nets = site->nets, .leases = site->leases,
		.clients = site->clients, .now_ms = clock_mono_ms(),
		.store_failing = store_is_failing(site->store) };
	const struct dhcp4_rx rx = { .ifindex = p->ifindex, .source = p->source, .local = p->local };
	struct dhcp4_msg msg;
	struct dhcp4_plan plan;
	enum drop why;

	why = dhcp4_decode(&s->arena, p->data, &msg);
	if (p->truncated)
		why = DROP_TRUNCATED;
	if (why != DROP_NONE) {
		log_undecoded(s, p, &msg, why);
		return;
	}
	dhcp4_plan(&server, &msg, &rx, clock_lease_s(), &s->arena, &plan);
	if (plan.drop != DROP_NONE) {
		log_plan(s, &msg, &plan);
		return;
	}
	if (plan.reply_type == DHCP4_OFFER || plan.reply_type == DHCP4_ACK)
		clients_remember(site->clients, &plan.facts,
			plan.reply_type == DHCP4_ACK ? plan.out.yiaddr : (struct ip4){ 0 }, server.now_ms);
	answer(s, &msg, &rx, &plan);
}

static void on_readable(void *ctx, int fd)
{
	struct service_dhcp4 *s = ctx;
	struct dhcp4_packet p;

	for (int i = 0; i < BATCH_MAX; i++) {
		if (dhcp4_socket_recv(fd, s->buf, sizeof(s->buf), &p) < 0)
			return;
		/* The socket of all interfaces hears a broadcast too that came in on one
		 * with a socket of its own. */
		if (ports_find(&s->ports, p.ifindex) == fd)
			on_packet(s, &p);
		arena_reset(&s->arena);
	}
}

static int open_port(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd)
{
	(void)ctx;
	(void)ifindex;
	return dhcp4_socket_open(name, DHCP4_SERVER_PORT, beside, ret_fd);
}

static void on_port_failed(void *ctx, const char *name, int error)
{
	struct service_dhcp4 *s = ctx;

	if (error == -EADDRINUSE)
		log_say(s->site->log, LOG_ERROR, "dhcp",
			"UDP port %d on %s is in use: stop the other DHCP server (`ss -lunp sport = :%d` names it); trying again every 5 s",
			DHCP4_SERVER_PORT, name, DHCP4_SERVER_PORT);
	else if (error == -EACCES || error == -EPERM)
		log_say(s->site->log, LOG_ERROR, "dhcp",
			"UDP port %d on %s may not be opened: run bootsmith as root, or with CAP_NET_BIND_SERVICE and CAP_NET_RAW",
			DHCP4_SERVER_PORT, name);
	else
		log_say(s->site->log, LOG_ERROR, "dhcp", "UDP port %d on %s: %s; trying again every 5 s",
			DHCP4_SERVER_PORT, name, strerror(-error));
}

static void on_ports_closed(void *ctx)
{
	struct service_dhcp4 *s = ctx;

	s->closed = true;
	service_maybe_free(s);
}

int service_dhcp4_new(uv_loop_t *loop, struct site *site, struct service_dhcp4 **ret)
{
	struct service_dhcp4 *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->site = site;
	s->ports = (struct ports){ .loop = loop, .ctx = s, .open = open_port, .readable = on_readable,
		.failed = on_port_failed, .closed = on_ports_closed };
	arena_init(&s->arena, ARENA_LIMIT);
	r = dhcp4_socket_open_raw(&s->raw_fd);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

unsigned service_dhcp4_update(struct service_dhcp4 *s)
{
	return ports_update(&s->ports, s->site->nets, true);
}

unsigned service_dhcp4_open_count(const struct service_dhcp4 *s)
{
	return ports_open_count(&s->ports);
}

void service_dhcp4_close(struct service_dhcp4 *s)
{
	if (s)
		ports_close(&s->ports);
}
