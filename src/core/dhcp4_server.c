/* RFC 2131's server.  Each state of a client is a function. */
#include "core/dhcp4_server.h"

#include "core/dhcp4_network.h"
#include "core/dhcp4_params.h"
#include "core/dhcp4_proxy.h"
#include "core/dhcp4_reply.h"

#include <errno.h>

#define HOPS_MAX         16u /* RFC 1542 4.1.1 */
#define LEASE_TIME_MIN_S 60u

struct exchange {
	const struct dhcp4_server *srv;
	const struct dhcp4_msg *msg;
	const struct dhcp4_rx *rx;
	struct lease_client client;
	int64_t now_s;
	struct arena *arena;
	struct dhcp4_plan *plan;
};

static void drop(struct exchange *x, enum drop why)
{
	x->plan->drop = why;
}

static bool is_our_address(const struct exchange *x, struct ip4 a)
{
	const struct served *s = x->plan->net;

	if (ip4_eq(a, x->plan->server))
		return true;
	for (size_t i = 0; i < s->n_own; i++)
		if (ip4_eq(a, s->own[i]))
			return true;
	return false;
}

/* The client chose one of the offers, and it was not ours. */
static bool names_other_server(const struct exchange *x)
{
	struct ip4 server;

	return dhcp4_opt_ip4(x->msg, OPT_SERVER_ID, &server) && !is_our_address(x, server);
}

/* RFC 2131 4.1. */
static void address_reply(struct exchange *x)
{
	const struct dhcp4_msg *m = x->msg;
	struct dhcp4_plan *p = x->plan;

	if (m->giaddr.v) {
		p->dest = DHCP4_TO_RELAY;
		p->dest_addr = m->giaddr;
		if (p->reply_type == DHCP4_NAK)
			p->out.flags |= DHCP4_FLAG_BROADCAST;
	} else if (p->reply_type == DHCP4_NAK) {
		p->dest = DHCP4_TO_BROADCAST;
	} else if (m->ciaddr.v && ip4_in(m->ciaddr, p->net->subnet, p->net->prefix_len)) {
		/* Of this network: we send nothing to an address just because a stranger names it. */
		p->dest = DHCP4_TO_ADDRESS;
		p->dest_addr = m->ciaddr;
	} else if (m->flags & DHCP4_FLAG_BROADCAST || !p->facts.has_mac) {
		p->dest = DHCP4_TO_BROADCAST;
	} else {
		p->dest = DHCP4_TO_FRAME;
		p->dest_addr = p->out.yiaddr;
	}
}

static void reply_begin(struct exchange *x, enum dhcp4_type type)
{
	dhcp4_reply_begin(x->msg, type, x->arena, x->plan);
}

static void add_u32(struct exchange *x, enum dhcp4_option code, bool needed, uint32_t v)
{
	dhcp4_out_add_u32(&x->plan->out, x->arena, code, needed, v);
}

/* RFC 6842. */
static void add_echoes(struct exchange *x)
{
	dhcp4_out_add(&x->plan->out, OPT_CLIENT_ID, true, x->msg->opt[OPT_CLIENT_ID]);
	dhcp4_out_add(&x->plan->out, OPT_SUBNET_SELECTION, true, x->msg->opt[OPT_SUBNET_SELECTION]);
}

/* The lease time that this client is told: what it asks for, when that is less. */
static uint32_t lease_time(const struct exchange *x)
{
	uint32_t seconds = x->plan->net->cfg->lease_time_s;
	struct ip4 asked;

	if (dhcp4_opt_ip4(x->msg, OPT_LEASE_TIME, &asked) && asked.v < seconds)
		seconds = asked.v < LEASE_TIME_MIN_S ? LEASE_TIME_MIN_S : asked.v;
	return seconds;
}

/* What every positive answer has behind its identity: network, boot, the way out.
 * False: dropped. */
static bool reply_finish(struct exchange *x)
{
	struct dhcp4_plan *p = x->plan;
	struct span bootfile;

	/* Firmware that does not know option 52 would take options for a file's name. */
	p->out.may_overload = p->facts.client == CLIENT_DHCP;
	dhcp4_params_add(x->msg, p->net, &p->answer, x->arena, &p->out);
	add_echoes(x);
	dhcp4_boot_form(
		x->srv->forms, x->msg, &p->facts, &p->answer, FORMS_SERVER, x->now_s, &p->form);
	if (dhcp4_boot_fill(x->srv->cfg, x->msg, &p->facts, &p->answer, p->server, &p->form,
		    x->arena, &p->out, &bootfile) < 0) {
		drop(x, DROP_NO_MEMORY);
		return false;
	}
	dhcp4_reply_end(x->msg, bootfile, p);
	dhcp4_params_finish(x->msg, p->net, &p->answer, &p->out);
	address_reply(x);
	if (p->out.failed)
		drop(x, DROP_NO_MEMORY);
	return p->drop == DROP_NONE;
}

/* Seconds for which the store has this lease bound. */
static uint32_t stored_left(const struct exchange *x, const struct lease *l)
{
	int64_t left = l->stored_expires_s - x->now_s;

	return left <= 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* OFFER and ACK: address, network, boot. */
static void reply_with_lease(struct exchange *x, enum dhcp4_type type, struct lease *l)
{
	struct dhcp4_plan *p = x->plan;
	uint32_t seconds = x->srv->store_failing ? stored_left(x, l) : lease_time(x);

	p->lease = l;
	reply_begin(x, type);
	p->out.yiaddr = l->address;
	if (type == DHCP4_ACK)
		p->out.ciaddr = x->msg->ciaddr;
	add_u32(x, OPT_LEASE_TIME, true, seconds);
	add_u32(x, OPT_RENEWAL_TIME, false, seconds / 2);
	add_u32(x, OPT_REBINDING_TIME, false, (uint32_t)((uint64_t)seconds * 7 / 8));
	if (!reply_finish(x))
		return;
	if (type == DHCP4_ACK && !x->srv->store_failing) {
		/* The table keeps it for the network's whole lease time: its queues hold
		 * leases of equal length, and a client may always go early. */
		lease_bind(x->srv->leases, l, x->msg->opt[OPT_HOSTNAME], p->net->cfg->lease_time_s,
			x->now_s);
		p->commit = true;
	}
}

static void reply_nak(struct exchange *x, const char *why)
{
	x->plan->note = why;
	reply_begin(x, DHCP4_NAK);
	dhcp4_out_add(&x->plan->out, OPT_MESSAGE, false, span_str(why));
	add_echoes(x);
	dhcp4_reply_end(x->msg, SPAN_NONE, x->plan);
	address_reply(x);
}

/* What is wrong here may be right for another server: an `authoritative: false`
 * network leaves it to that one. */
static void nak_if_authoritative(struct exchange *x, const char *why)
{
	if (x->plan->net->cfg->authoritative)
		reply_nak(x, why);
	else
		drop(x, DROP_NOT_AUTHORITATIVE);
}

static struct lease *find_lease(const struct exchange *x)
{
	return lease_find(x->srv->leases, x->plan->net, &x->client);
}

/* While nothing can be stored: the client's own stored lease, or silence. */
static void reply_stored_only(struct exchange *x, enum dhcp4_type type)
{
	struct ip4 asked = x->msg->ciaddr;
	struct lease *l = find_lease(x);

	(void)dhcp4_opt_ip4(x->msg, OPT_REQUESTED_ADDRESS, &asked);
	if (l && l->state == LEASE_BOUND && stored_left(x, l) >= LEASE_TIME_MIN_S &&
		(type == DHCP4_OFFER || ip4_eq(asked, l->address)))
		reply_with_lease(x, type, l);
	else
		drop(x, DROP_STORE_FAILING);
}

/* RFC 2131 2.2 and 4.3.1: whether somebody else uses it should be looked at before
 * it is offered; a reservation is the administrator's word. */
static bool needs_probe(const struct exchange *x, const struct lease *l)
{
	const struct served *s = x->plan->net;

	return s->cfg->conflict_check && l->unchecked && l->state == LEASE_OFFERED &&
		!served_reserved_for(s, l->address);
}

/* An address of the client's subnet, or of another on the same wire when that is
 * full. */
static int choose_on_wire(struct exchange *x, struct ip4 wanted, struct lease **ret)
{
	const struct served_set *nets = x->srv->nets;
	const struct served *first = x->plan->net;
	int r = lease_choose(
		x->srv->leases, first, &x->client, x->plan->answer.machine, wanted, x->now_s, ret);

	if (dhcp4_has(x->msg, OPT_SUBNET_SELECTION))
		return r; /* RFC 3011: from that subnet or not at all */
	for (size_t i = 0; r == -ENOENT && i < nets->n; i++) {
		const struct served *s = &nets->list[i];

		if (s == first || !served_on_one_wire(s, first) || s->cfg->dhcp != DHCP_SERVER)
			continue;
		r = lease_choose(x->srv->leases, s, &x->client, x->plan->answer.machine, wanted,
			x->now_s, ret);
		if (r == 0) {
			x->plan->net = s;
			x->plan->server = dhcp4_server_id(s, x->msg, x->rx);
		}
	}
	return r;
}

static void on_discover(struct exchange *x)
{
	struct ip4 wanted = { 0 };
	struct lease *l;
	int r;

	if (x->srv->store_failing) {
		reply_stored_only(x, DHCP4_OFFER);
		return;
	}
	(void)dhcp4_opt_ip4(x->msg, OPT_REQUESTED_ADDRESS, &wanted);
	r = choose_on_wire(x, wanted, &l);
	if (r < 0) {
		drop(x, r == -ENOENT ? DROP_NO_FREE_ADDRESS : DROP_NO_MEMORY);
		return;
	}
	reply_with_lease(x, DHCP4_OFFER, l);
	x->plan->probe = needs_probe(x, l);
}

/* ACK for the address that the client requests, NAK when it cannot have it. */
static void ack_or_nak(struct exchange *x, struct ip4 requested, const char *why)
{
	/* Who chose us, or has a lease here, is nobody else's to correct. */
	bool ours = dhcp4_has(x->msg, OPT_SERVER_ID) || find_lease(x);
	struct lease *l;
	int r = lease_claim(x->srv->leases, x->plan->net, &x->client, x->plan->answer.machine,
		requested, x->now_s, &l);

	if (r == -ENOMEM) {
		drop(x, DROP_NO_MEMORY);
	} else if (r == 0 && ip4_eq(l->address, requested)) {
		reply_with_lease(x, DHCP4_ACK, l);
	} else {
		if (r == 0 && l->state == LEASE_OFFERED)
			lease_release(x->srv->leases, l, x->now_s);
		if (ours)
			reply_nak(x, why);
		else
			nak_if_authoritative(x, why);
	}
}

/* RFC 2131 4.3.2, "generated during SELECTING state". */
static void on_request_selecting(struct exchange *x, struct ip4 requested)
{
	struct lease *l = find_lease(x);

	if (names_other_server(x)) {
		if (l && l->state == LEASE_OFFERED)
			lease_release(x->srv->leases, l, x->now_s);
		drop(x, DROP_OTHER_SERVER);
		return;
	}
	if (requested.v == 0) {
		drop(x, DROP_NO_REQUESTED_ADDRESS);
		return;
	}
	/* Also without an offer in the table: it may be one from before a restart. */
	ack_or_nak(x, requested, "this address is not yours: ask again");
}

/* "generated during INIT-REBOOT state": NAK what is wrong, be silent about
 * clients that we do not know. */
static void on_request_init_reboot(struct exchange *x, struct ip4 requested)
{
	const struct served *s = x->plan->net;
	const struct machine *machine = x->plan->answer.machine;

	if (!ip4_in(requested, s->subnet, s->prefix_len))
		nak_if_authoritative(x, "this address is of another network");
	else if (!find_lease(x) && !(machine && ip4_eq(machine->address, requested)))
		drop(x, DROP_UNKNOWN_LEASE);
	else
		ack_or_nak(x, requested, "this address is not yours: ask again");
}

/* RENEWING and REBINDING: the client uses ciaddr.  A client of a lease that a
 * restart made us forget keeps its address when nobody else has it. */
static void on_request_renew(struct exchange *x)
{
	const struct served *s = x->plan->net;
	struct ip4 ciaddr = x->msg->ciaddr;

	if (!ip4_in(ciaddr, s->subnet, s->prefix_len))
		nak_if_authoritative(x, "this address is of another network");
	else if (!find_lease(x) && !served_in_pools(s, ciaddr) && !served_reserved_for(s, ciaddr))
		drop(x, DROP_UNKNOWN_LEASE);
	else
		ack_or_nak(x, ciaddr, "this address is no longer yours: ask again");
}

static void on_request(struct exchange *x)
{
	struct ip4 server, requested = { 0 };

	if (x->srv->store_failing && !names_other_server(x)) {
		reply_stored_only(x, DHCP4_ACK);
		return;
	}
	(void)dhcp4_opt_ip4(x->msg, OPT_REQUESTED_ADDRESS, &requested);
	if (dhcp4_opt_ip4(x->msg, OPT_SERVER_ID, &server))
		on_request_selecting(x, requested);
	else if (x->msg->ciaddr.v)
		on_request_renew(x);
	else if (requested.v)
		on_request_init_reboot(x, requested);
	else
		drop(x, DROP_NO_REQUESTED_ADDRESS);
}

/* A client that declines one address after the other, or many made-up ones that do,
 * must not empty a pool: what is not believed stays free, and is looked at. */
static bool believes_decline(const struct exchange *x)
{
	const struct served *s = x->plan->net;
	const struct facts *f = &x->plan->facts;
	uint64_t most = s->pool_size / 4 > 1 ? s->pool_size / 4 : 1;

	return lease_set_aside(x->srv->leases, s, x->now_s) < most &&
		(!x->srv->rates ||
			rates_admit_decline(x->srv->rates,
				(struct span){ x->client.chaddr, x->client.hlen }, f->circuit_id,
				x->srv->now_ms));
}

/* RFC 2131 4.3.3. */
static void on_decline(struct exchange *x)
{
	struct lease *l = find_lease(x);
	struct ip4 server, declined;

	if (!dhcp4_opt_ip4(x->msg, OPT_SERVER_ID, &server) || !is_our_address(x, server) ||
		!dhcp4_opt_ip4(x->msg, OPT_REQUESTED_ADDRESS, &declined) || !l ||
		!ip4_eq(l->address, declined) || l->state != LEASE_BOUND) {
		drop(x, DROP_NOT_YOUR_LEASE);
		return;
	}
	if (!believes_decline(x)) {
		/* Not stored: whatever the store has of it, the next client's lease replaces. */
		lease_distrust(x->srv->leases, l, x->now_s);
		drop(x, DROP_DECLINES);
		return;
	}
	lease_decline(x->srv->leases, l, x->now_s);
	x->plan->lease = l;
	x->plan->commit = !x->srv->store_failing;
	x->plan->note = "somebody else uses this address: set aside for 10 minutes";
}

/* RFC 2131 4.3.4: the client keeps its claim to the address. */
static void on_release(struct exchange *x)
{
	struct lease *l = find_lease(x);

	if (!l || !ip4_eq(l->address, x->msg->ciaddr) || l->state != LEASE_BOUND ||
		l->hlen != x->client.hlen || memcmp(l->chaddr, x->client.chaddr, l->hlen) != 0) {
		drop(x, DROP_NOT_YOUR_LEASE);
		return;
	}
	if (x->srv->store_failing) {
		drop(x, DROP_STORE_FAILING);
		return;
	}
	lease_release(x->srv->leases, l, x->now_s);
	x->plan->lease = l;
	x->plan->commit = true;
	x->plan->note = "given back";
}

/* RFC 2131 4.3.5: parameters only, to ciaddr, no lease times. */
static void on_inform(struct exchange *x)
{
	if (x->msg->ciaddr.v == 0) {
		drop(x, DROP_NO_REQUESTED_ADDRESS);
		return;
	}
	if (!ip4_in(x->msg->ciaddr, x->plan->net->subnet, x->plan->net->prefix_len)) {
		drop(x, DROP_UNKNOWN_LEASE);
		return;
	}
	reply_begin(x, DHCP4_ACK);
	x->plan->out.ciaddr = x->msg->ciaddr;
	(void)reply_finish(x);
}

/* BOOTP (RFC 951, 1534): an address for ever, so only one that is reserved for the
 * machine; what it boots stands in the header. */
static void on_bootp(struct exchange *x)
{
	struct dhcp4_plan *p = x->plan;
	const struct machine *machine = p->answer.machine;
	const struct profile *profile = p->answer.profile;

	if (!machine || !machine->address.v ||
		!ip4_in(machine->address, p->net->subnet, p->net->prefix_len)) {
		drop(x, DROP_NO_MESSAGE_TYPE);
		return;
	}
	reply_begin(x, DHCP4_BOOTREPLY_ONLY);
	p->out.ciaddr = x->msg->ciaddr;
	p->out.yiaddr = machine->address;
	if (profile && profile->kind == PROFILE_BOOTFILE && !profile->bootfile.is_url) {
		p->out.siaddr = p->server;
		p->out.file = span_str(profile->bootfile.path);
	}
	(void)reply_finish(x);
}

/* Who asks.  A hardware address of zeros or of a group cannot be answered. */
static enum drop identify(struct exchange *x)
{
	const struct dhcp4_msg *m = x->msg;
	static const uint8_t zeros[16];

	x->client = (struct lease_client){
		.client_id = m->opt[OPT_CLIENT_ID], .htype = m->htype, .hlen = m->hlen
	};
	memcpy(x->client.chaddr, m->chaddr, m->hlen);
	if (x->client.client_id.n > 255) /* joined from several (RFC 3396); nobody means that */
		return DROP_CLIENT_ID;
	if (m->hlen == 0 && x->client.client_id.n == 0)
		return DROP_NO_HARDWARE_ADDRESS;
	if (x->plan->facts.has_mac && (m->chaddr[0] & 1 || memcmp(m->chaddr, zeros, m->hlen) == 0))
		return DROP_BAD_MAC;
	return DROP_NONE;
}

/* A machine boots in stages, and each may call itself by another client
 * identifier: UEFI none, iPXE its MAC, the installer what it likes.  The stage
 * that comes within ten minutes takes the lease of the one before over, so that
 * the machine keeps its address; otherwise identifiers are separate clients. */
static void keep_address_of_stage_before(struct exchange *x)
{
	const struct dhcp4_server *srv = x->srv;
	const struct machine *machine = x->plan->answer.machine;
	const struct served *s;
	struct lease *l;

	if (!srv->clients || !x->plan->facts.has_mac ||
		(x->msg->type != DHCP4_DISCOVER && x->msg->type != DHCP4_REQUEST))
		return;
	l = lease_find_address(
		srv->leases, clients_boot_address(srv->clients, x->plan->facts.mac, srv->now_ms));
	s = l ? served_by_address(srv->nets, l->address) : NULL;
	if (!s || l->state != LEASE_BOUND || l->hlen != x->client.hlen ||
		memcmp(l->chaddr, x->client.chaddr, l->hlen) != 0)
		return;
	/* On another subnet of the wire: unless a reservation or the client itself says where it belongs. */
	if (s != x->plan->net &&
		(!served_on_one_wire(s, x->plan->net) || (machine && machine->address.v) ||
			dhcp4_has(x->msg, OPT_SUBNET_SELECTION)))
		return;
	x->plan->net = s;
	x->plan->server = dhcp4_server_id(s, x->msg, x->rx);
	lease_take_over(srv->leases, l, &x->client, x->now_s);
}

/* A request to port 4011 comes from the client itself, past the relay: which of
 * its ports the machine hangs on was said when its DISCOVER came through. */
static void recall_relay(const struct exchange *x, struct facts *f)
{
	struct facts before;
	struct ip4 address;

	if (!x->rx->on_pxe_port || dhcp4_has(x->msg, OPT_RELAY_AGENT) || !x->srv->clients ||
		!f->has_mac || !clients_find(x->srv->clients, f->mac, &before, &address))
		return;
	f->circuit_id = before.circuit_id;
	f->remote_id = before.remote_id;
}

/* Machines of the configuration, those with orders, and clients with a lease come before strangers. */
static bool is_known(const struct exchange *x)
{
	const struct machine_state *state = x->plan->facts.state;
	const struct lease *l = find_lease(x);

	return x->plan->answer.machine || (state && machine_state_is_kept(state)) ||
		(l &&
			(lease_is_live(l, x->now_s) ||
				(l->state == LEASE_OFFERED && x->msg->type == DHCP4_REQUEST)));
}

typedef void (*on_message)(struct exchange *x);

/* By the type of the message; NULL: no client sends it. */
static on_message handler_of(enum dhcp4_type type)
{
	static const on_message handlers[] = {
		[DHCP4_BOOTP] = on_bootp,
		[DHCP4_DISCOVER] = on_discover,
		[DHCP4_REQUEST] = on_request,
		[DHCP4_DECLINE] = on_decline,
		[DHCP4_RELEASE] = on_release,
		[DHCP4_INFORM] = on_inform,
	};

	return (size_t)type < ARRAY_LEN(handlers) ? handlers[type] : NULL;
}

/* Is this a message from a client that we can tell from others, and not too many
 * of them? */
static enum drop admit_message(struct exchange *x)
{
	const struct dhcp4_msg *m = x->msg;
	struct rates *rates = x->srv->rates;
	enum drop why;

	if (m->op != DHCP4_BOOTREQUEST)
		return DROP_NOT_REQUEST;
	if (m->hops > HOPS_MAX)
		return DROP_HOPS;
	if (!handler_of(m->type))
		return DROP_SERVER_MESSAGE;
	why = identify(x);
	if (why == DROP_NONE && rates &&
		!rates_admit_client(rates, (struct span){ m->chaddr, m->hlen }, x->srv->now_ms))
		why = DROP_CLIENT_RATE;
	return why;
}

/* Which network it is in, and do we answer there? */
static enum drop admit_network(struct exchange *x)
{
	struct dhcp4_plan *p = x->plan;
	enum drop why;

	p->net = dhcp4_network(x->srv->nets, x->msg, x->rx);
	if (!p->net)
		return DROP_UNKNOWN_RELAY;
	p->facts.network = p->net->cfg->name;
	why = dhcp4_check_addresses(p->net, x->msg);
	if (why == DROP_NONE && p->net->cfg->dhcp == DHCP_OFF)
		why = DROP_NETWORK_OFF;
	return why;
}

void dhcp4_plan(const struct dhcp4_server *srv, const struct dhcp4_msg *msg,
	const struct dhcp4_rx *rx, int64_t now_s, struct arena *a, struct dhcp4_plan *ret_plan)
{
	struct exchange x = {
		.srv = srv, .msg = msg, .rx = rx, .now_s = now_s, .arena = a, .plan = ret_plan
	};
	struct dhcp4_plan *p = ret_plan;

	*p = (struct dhcp4_plan){ .drop = DROP_NONE };
	facts_from_dhcp4(msg, NULL, &p->facts);
	p->drop = admit_message(&x);
	if (p->drop == DROP_NONE)
		p->drop = admit_network(&x);
	if (p->drop != DROP_NONE)
		return;
	p->server = dhcp4_server_id(p->net, msg, rx);
	recall_relay(&x, &p->facts);
	if (srv->machines && p->facts.has_mac)
		p->facts.state = machine_table_find(
			srv->machines, machine_table_key(srv->machines, srv->cfg, &p->facts));
	p->facts.now_s = now_s;
	boot_decide(srv->cfg, &p->facts, &p->answer);
	if (p->answer.kind == ANSWER_NONE) {
		p->drop = DROP_UNKNOWN_MACHINE;
		return;
	}
	if (p->net->cfg->dhcp == DHCP_PROXY || rx->on_pxe_port) {
		dhcp4_proxy_plan(srv, msg, rx, now_s, a, p);
		return;
	}
	if (srv->rates && !is_known(&x) && !rates_admit_stranger(srv->rates, srv->now_ms)) {
		p->drop = DROP_STRANGERS_RATE;
		return;
	}
	p->net = dhcp4_subnet(srv->nets, p->net, msg, p->answer.machine, srv->leases, &x.client);
	p->server = dhcp4_server_id(p->net, msg, rx);
	keep_address_of_stage_before(&x);
	handler_of(msg->type)(&x);
}
