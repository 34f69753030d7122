/* The way of a DHCPv4 packet, from top to bottom:
 *
 *   on_readable -> dhcp4_inbox_read -> on_packet -> dhcp4_decode -> dhcp4_plan
 *   -> reply_new (dhcp4_encode) -> store_commit -> on_committed -> reply_send
 *   -> batch_end (dhcp4_outbox_flush)
 *
 * Packets that came together, and replies whose commits ended together, are a
 * batch: one system call for all of them, and one for their lines in the log.
 *
 * An offer whose address must be asked for on the wire first goes round once more:
 *
 *   dhcp4_plan -> conflict_hold … 200 ms … on_probed -> on_packet
 */
#include "app/service_dhcp4.h"

#include "app/conflict.h"
#include "app/dhcp4_line.h"
#include "app/image_cache.h"
#include "app/machines.h"
#include "app/ports.h"
#include "core/dhcp4_proxy.h"
#include "edge/clock.h"
#include "edge/dhcp4_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#define ARENA_LIMIT       (64u << 10)
#define OVERFLOWS_MAX     64u
#define CLOCK_STEP_TOLD_S 5
#define LATE_MAX          256u   /* replies that wait because their clients want them late */
#define PENDING_MAX       16384u /* replies that wait for the store */

struct service_dhcp4 {
	struct site *site;
	int raw_fd;
	struct ports ports, pxe_ports; /* 67 and 4011 */
	uv_timer_t late_timer;
	unsigned open_handles; /* of the three */
	struct reply *late;    /* the next one first: all are equally late */
	unsigned n_late;
	struct conflict *conflict;
	struct arena arena;
	unsigned pending;
	bool closed; /* all sockets are gone: only commits keep it alive */
	bool in_batch;
	int64_t clock_step_s; /* as it was last told */
	struct rates *rates;
	struct dhcp4_inbox *inbox;
	struct dhcp4_outbox *outbox;
	struct reply *sent; /* in the outbox: their octets must live until it is flushed */
	struct {
		int fd;
		uint32_t n;
	} overflow[OVERFLOWS_MAX]; /* what the kernel dropped, as it was last told */
};

/* A reply that waits for its commit, then for its batch. */
struct reply {
	struct reply *next;
	int64_t due_ms; /* of a late one */
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
	int fd = ports_find(r->rx.on_pxe_port ? &s->pxe_ports : &s->ports, r->rx.ifindex);

	if (fd < 0)
		return -ENETDOWN; /* the interface went away meanwhile */
	/* A relay is answered from the address that it spoke to: the server
	 * identifier may be one of its own (RFC 5107). */
	dhcp4_outbox_add(s->outbox, fd, relayed ? 0 : r->rx.ifindex,
		relayed ? r->rx.local : r->server, to, port, data);
	return 0;
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
	case DHCP4_TO_SOURCE:
		return send_udp(s, r, r->dest_addr, r->rx.source_port, data);
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

	dhcp4_outbox_add_frame(s->outbox, s->raw_fd, r->rx.ifindex, &f);
	return 0;
}

static void outbox_flush(struct service_dhcp4 *s)
{
	struct reply *sent = s->sent, *r, *next;
	unsigned failed;
	int e = dhcp4_outbox_flush(s->outbox, &failed);

	if (e < 0)
		log_say(s->site->log, LOG_WARNING, "dhcp", "%u replies could not be sent: %s",
			failed, strerror(-e));
	s->sent = NULL;
	LL_FOREACH_SAFE(sent, r, next)
		reply_free(r);
}

static void batch_begin(struct service_dhcp4 *s)
{
	if (s->in_batch)
		return;
	s->in_batch = true;
	log_hold(s->site->log);
}

static void batch_end(struct service_dhcp4 *s)
{
	if (!s->in_batch)
		return;
	outbox_flush(s);
	log_release(s->site->log);
	s->in_batch = false;
}

static void service_maybe_free(struct service_dhcp4 *s)
{
	if (!s->closed || s->pending)
		return;
	batch_end(s);
	close(s->raw_fd);
	rates_free(s->rates);
	dhcp4_inbox_free(s->inbox);
	dhcp4_outbox_free(s->outbox);
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

	log_event(s->site->log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields),
		"%s: no answer, %s: %s", text.s, drop_id(DROP_STORE_FAILING),
		drop_sentence(DROP_STORE_FAILING));
}

static void finish_reply(struct service_dhcp4 *s, struct reply *r, int result)
{
	const struct lease_record *rec = &r->record;

	if (r->committed && result == 0)
		lease_stored(s->site->leases, rec->address, rec->state, rec->expires_s);
	if (result < 0) {
		/* The store itself says why, once (serve.c). The client asks again. */
		if (r->committed)
			lease_not_stored(s->site->leases, rec->address, clock_lease_s());
		log_store_drop(s, rec->address);
		reply_free(r);
		return;
	}
	log_write(s->site->log, &r->line);
	result = r->send ? reply_send(s, r) : 0;
	if (result < 0)
		log_say(s->site->log, LOG_WARNING, "dhcp", "a reply could not be sent: %s",
			strerror(-result));
	LL_PREPEND(s->sent, r);
	if (dhcp4_outbox_is_full(s->outbox))
		outbox_flush(s);
}

static void on_committed(void *ctx, int result)
{
	struct reply *r = ctx;
	struct service_dhcp4 *s = r->service;

	s->pending--;
	batch_begin(s); /* ended by service_dhcp4_batch_done() */
	finish_reply(s, r, result);
	service_maybe_free(s);
}

void service_dhcp4_batch_done(struct service_dhcp4 *s)
{
	batch_end(s);
}

/* Encodes the plan's reply, if it has one.  NULL: out of memory, or it does not
 * fit the client; the plan's drop says which. */
static struct reply *reply_new(
	struct service_dhcp4 *s, const struct dhcp4_rx *rx, struct dhcp4_plan *plan)
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

static void arm_late_timer(struct service_dhcp4 *s);

static void on_late(uv_timer_t *t)
{
	struct service_dhcp4 *s = t->data;
	int64_t now_ms = clock_mono_ms();
	struct reply *r;

	batch_begin(s);
	while ((r = s->late) && r->due_ms <= now_ms) {
		LL_DELETE(s->late, r);
		s->n_late--;
		finish_reply(s, r, 0);
	}
	batch_end(s);
	arm_late_timer(s);
}

static void arm_late_timer(struct service_dhcp4 *s)
{
	int64_t left_ms = s->late ? s->late->due_ms - clock_mono_ms() : 0;

	if (s->late)
		(void)uv_timer_start(
			&s->late_timer, on_late, left_ms > 0 ? (uint64_t)left_ms : 1, 0);
}

/* Nobody else waits for it. */
static void send_late(struct service_dhcp4 *s, struct reply *r, unsigned delay_ms)
{
	r->due_ms = clock_mono_ms() + delay_ms;
	LL_APPEND(s->late, r); /* a short list */
	s->n_late++;
	arm_late_timer(s);
}

/* As machines_told(): the reply waits for its lease's commit, or where it has none, for this one. */
static int tells_machine(struct service_dhcp4 *s, const struct dhcp4_plan *plan, struct reply *r)
{
	return plan->reply_type == DHCP4_ACK ? machines_told(s->site, &plan->facts, &plan->answer,
						       plan->commit ? NULL : on_committed, r)
					     : 0;
}

static void answer(struct service_dhcp4 *s, const struct dhcp4_msg *msg, const struct dhcp4_rx *rx,
	struct dhcp4_plan *plan)
{
	struct reply *r = reply_new(s, rx, plan);
	struct lease_record record = { .address = plan->out.yiaddr };
	int told, e = 0;

	if (!r) {
		dhcp4_say_plan(s->site, msg, plan);
		return;
	}
	dhcp4_line_of_plan(s->site, msg, plan, &r->line);
	if (plan->delay_ms && !plan->commit && s->n_late < LATE_MAX) {
		send_late(s, r, plan->delay_ms);
		return;
	}
	if (plan->commit)
		lease_to_record(plan->lease, &record);
	r->record = record;
	r->committed = plan->commit;
	/* Too many wait: the store hangs, and clients ask again.  An order is not used up by what
	 * does not leave. */
	told = s->pending >= PENDING_MAX ? -EBUSY : tells_machine(s, plan, r);
	if (told >= 0 && plan->commit)
		e = store_commit(s->site->store, &record, on_committed, r);
	if (told < 0 || e < 0 || (told == 0 && !plan->commit))
		finish_reply(s, r, told < 0 ? told : e);
	else
		s->pending++;
}

/* Its address only when it has it.  A machine that took none is remembered where that is
 * asked for: firmware that finds nothing to boot goes no further. */
static void remember(struct site *site, const struct dhcp4_plan *p, int64_t now_ms)
{
	bool has_address = p->reply_type == DHCP4_ACK;
	struct ip4 address = has_address ? p->out.yiaddr : (struct ip4){ 0 };

	clients_remember(site->clients, &p->facts, address, now_ms);
	machines_heard(
		site, &p->facts, address, has_address || site->cfg->unknown == UNKNOWN_REGISTER);
	image_cache_expect(site->images, &p->answer);
}

/* again: it was held, and what it waited for is known now; NULL: it comes from its client. */
static void on_packet(struct service_dhcp4 *s, const struct dhcp4_packet *p, bool on_pxe_port,
	const struct held *again)
{
	struct site *site = s->site;
	const struct dhcp4_server server = { .cfg = site->cfg,
		.nets = site->nets,
		.leases = site->leases,
		.forms = site->forms,
		.clients = site->clients,
		.machines = site->machines,
		.rates = again ? NULL : s->rates,
		.now_ms = clock_mono_ms(),
		.store_failing = store_is_failing(site->store) };
	const struct dhcp4_rx rx = { .ifindex = p->ifindex,
		.source = p->source,
		.source_port = p->source_port,
		.local = p->local,
		.on_pxe_port = on_pxe_port };
	struct dhcp4_msg msg;
	struct dhcp4_plan plan;
	enum drop why;

	why = dhcp4_decode(&s->arena, p->data, &msg);
	if (p->truncated)
		why = DROP_TRUNCATED;
	if (why != DROP_NONE && why != DROP_NO_COOKIE && why != DROP_NO_MESSAGE_TYPE) {
		dhcp4_say_undecoded(s->site->log, p, &msg, why);
		return;
	}
	dhcp4_plan(&server, &msg, &rx, clock_lease_s(), &s->arena, &plan);
	if (plan.heard.v)
		clients_remember(site->clients, &plan.facts, plan.heard, server.now_ms);
	if (plan.heard.v)
		machines_heard(site, &plan.facts, plan.heard, true);
	/* It takes another server's address, and our offer of a boot file beside that. */
	if (plan.heard.v && plan.drop == DROP_OTHER_SERVER)
		(void)machines_told(site, &plan.facts, &plan.answer, NULL, NULL);
	if (plan.drop == DROP_NO_MESSAGE_TYPE)
		plan.drop = why; /* a BOOTP request: what it lacked */
	if (plan.drop != DROP_NONE) {
		dhcp4_say_plan(s->site, &msg, &plan);
		return;
	}
	if (plan.facts.client == CLIENT_IPXE && msg.type == DHCP4_DISCOVER)
		site_form_worked(site, &plan.facts); /* firmware that runs our loader fetched it */
	if (plan.form.changed)
		dhcp4_say_form_changed(s->site->log, &plan);
	if (plan.probe && conflict_hold(s->conflict, &plan, &rx, p->data, again ? again->tries : 0))
		return;
	if (plan.reply_type == DHCP4_OFFER || plan.reply_type == DHCP4_ACK)
		remember(site, &plan, server.now_ms);
	answer(s, &msg, &rx, &plan);
}

/* What a packet waited for is known now. */
static void on_probed(void *ctx, const struct held *h)
{
	const struct dhcp4_packet p = { .data = h->packet,
		.source = h->rx.source,
		.local = h->rx.local,
		.source_port = h->rx.source_port,
		.ifindex = h->rx.ifindex };
	struct service_dhcp4 *s = ctx;

	batch_begin(s);
	on_packet(s, &p, h->rx.on_pxe_port, h);
	arena_reset(&s->arena);
	batch_end(s);
}

/* Packets that were lost before we saw them cost their clients four seconds each. */
static void tell_overflow(struct service_dhcp4 *s, int fd)
{
	uint32_t now = dhcp4_inbox_overflow(s->inbox);
	size_t i = 0;

	while (i < OVERFLOWS_MAX - 1 && s->overflow[i].fd != fd && s->overflow[i].fd != 0)
		i++;
	s->overflow[i].fd = fd;
	if (now > s->overflow[i].n)
		dhcp4_say_overflow(s->site->log, now - s->overflow[i].n);
	s->overflow[i].n = now;
}

static void tell_clock_step(struct service_dhcp4 *s)
{
	int64_t step_s = clock_step_s(), by_s = step_s - s->clock_step_s;

	if (by_s > -CLOCK_STEP_TOLD_S && by_s < CLOCK_STEP_TOLD_S)
		return;
	s->clock_step_s = step_s;
	dhcp4_say_clock_step(s->site->log, by_s);
}

static void read_batch(struct service_dhcp4 *s, const struct ports *ports, int fd)
{
	int n = dhcp4_inbox_read(s->inbox, fd);

	if (n < 0)
		return;
	batch_begin(s);
	tell_clock_step(s);
	for (unsigned i = 0; i < (unsigned)n; i++) {
		struct dhcp4_packet p = dhcp4_inbox_packet(s->inbox, i);

		/* The socket of all interfaces hears a broadcast too that came in on one
		 * with a socket of its own. */
		if (!p.broadcast || ports_find(ports, p.ifindex) == fd)
			on_packet(s, &p, ports == &s->pxe_ports, NULL);
		arena_reset(&s->arena);
	}
	if (dhcp4_inbox_overflow(s->inbox))
		tell_overflow(s, fd);
	batch_end(s);
}

static void on_readable(void *ctx, int fd)
{
	struct service_dhcp4 *s = ctx;

	read_batch(s, &s->ports, fd);
}

static void on_pxe_readable(void *ctx, int fd)
{
	struct service_dhcp4 *s = ctx;

	read_batch(s, &s->pxe_ports, fd);
}

static bool is_proxy(const struct service_dhcp4 *s, unsigned ifindex)
{
	const struct served *net = served_by_ifindex(s->site->nets, ifindex);

	return net && net->cfg->dhcp == DHCP_PROXY;
}

static int open_port(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd)
{
	bool proxy = is_proxy(ctx, ifindex);

	return dhcp4_socket_open(name, DHCP4_SERVER_PORT,
		proxy ? DHCP4_HEARS_BROADCAST : DHCP4_HEARS_ALL, proxy || beside, ret_fd);
}

static int open_pxe_port(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd)
{
	(void)ctx;
	(void)ifindex;
	return dhcp4_socket_open(name, DHCP4_PXE_PORT, DHCP4_HEARS_ALL, beside, ret_fd);
}

static bool has_proxy_named(const struct service_dhcp4 *s, const char *name)
{
	for (size_t i = 0; i < s->site->nets->n; i++)
		if (s->site->nets->list[i].cfg->dhcp == DHCP_PROXY &&
			strcmp(s->site->nets->list[i].cfg->name, name) == 0)
			return true;
	return false;
}

static void on_pxe_port_failed(void *ctx, const char *name, int error)
{
	struct service_dhcp4 *s = ctx;

	log_say(s->site->log, LOG_WARNING, "dhcp",
		"UDP port %d on %s: %s: firmware that asks there for its boot file gets no answer from us; trying again every 5 s",
		DHCP4_PXE_PORT, name, strerror(-error));
}

static void on_port_failed(void *ctx, const char *name, int error)
{
	struct service_dhcp4 *s = ctx;

	if (error == -EADDRINUSE && has_proxy_named(s, name))
		log_say(s->site->log, LOG_WARNING, "dhcp",
			"UDP port %d on %s belongs to a DHCP server that shares it with nobody: answering on port %d only, so let that server name us in next-server; trying again every 5 s",
			DHCP4_SERVER_PORT, name, DHCP4_PXE_PORT);
	else if (error == -EADDRINUSE)
		log_say(s->site->log, LOG_ERROR, "dhcp",
			"UDP port %d on %s is in use: stop the other DHCP server (`ss -lunp sport = :%d` names it); trying again every 5 s",
			DHCP4_SERVER_PORT, name, DHCP4_SERVER_PORT);
	else if (error == -EACCES || error == -EPERM)
		log_say(s->site->log, LOG_ERROR, "dhcp",
			"UDP port %d on %s may not be opened: run bootsmith as root, or with CAP_NET_BIND_SERVICE and CAP_NET_RAW",
			DHCP4_SERVER_PORT, name);
	else
		log_say(s->site->log, LOG_ERROR, "dhcp",
			"UDP port %d on %s: %s; trying again every 5 s", DHCP4_SERVER_PORT, name,
			strerror(-error));
}

static void on_ports_closed(void *ctx)
{
	struct service_dhcp4 *s = ctx;

	s->closed = --s->open_handles == 0;
	service_maybe_free(s);
}

static void on_timer_closed(uv_handle_t *h)
{
	on_ports_closed(h->data);
}

int service_dhcp4_new(uv_loop_t *loop, struct site *site, struct service_dhcp4 **ret)
{
	struct service_dhcp4 *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->site = site;
	s->ports = (struct ports){ .loop = loop,
		.ctx = s,
		.open = open_port,
		.readable = on_readable,
		.failed = on_port_failed,
		.closed = on_ports_closed };
	s->pxe_ports = (struct ports){ .loop = loop,
		.ctx = s,
		.open = open_pxe_port,
		.readable = on_pxe_readable,
		.failed = on_pxe_port_failed,
		.closed = on_ports_closed };
	s->open_handles = 3;
	arena_init(&s->arena, ARENA_LIMIT);
	r = dhcp4_socket_open_raw(&s->raw_fd);
	if (r < 0) {
		free(s);
		return r;
	}
	if (rates_new(&s->rates) < 0 || dhcp4_inbox_new(&s->inbox) < 0 ||
		dhcp4_outbox_new(&s->outbox) < 0) {
		s->closed = true;
		service_maybe_free(s);
		return -ENOMEM;
	}
	r = conflict_new(loop, site, on_probed, s, &s->conflict);
	if (r < 0) {
		s->closed = true;
		service_maybe_free(s);
		return r;
	}
	(void)uv_timer_init(loop, &s->late_timer);
	s->late_timer.data = s;
	*ret = s;
	return 0;
}

unsigned service_dhcp4_update(struct service_dhcp4 *s)
{
	conflict_update(s->conflict);
	return ports_update(&s->ports, s->site->nets, true) +
		ports_update(&s->pxe_ports, s->site->nets, true);
}

unsigned service_dhcp4_open_count(const struct service_dhcp4 *s)
{
	return ports_open_count(&s->ports);
}

void service_dhcp4_close(struct service_dhcp4 *s)
{
	struct reply *r, *next;

	if (!s)
		return;
	LL_FOREACH_SAFE(s->late, r, next)
		reply_free(r);
	s->late = NULL;
	conflict_close(s->conflict);
	uv_close((uv_handle_t *)&s->late_timer, on_timer_closed);
	ports_close(&s->ports);
	ports_close(&s->pxe_ports); /* the last one frees s */
}
