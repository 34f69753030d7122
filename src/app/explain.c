/* The dry run behind `bootsmith explain`. */
#include "app/explain.h"

#include "app/site.h"
#include "core/dhcp4_proxy.h"
#include "edge/netif.h"
#include "wire/frame.h"
#include "wire/pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct span copy(struct explanation *e, const void *p, size_t n)
{
	struct span s = { p, n };

	return (struct span){ (uint8_t *)arena_strdup(&e->arena, s), n };
}

/* The message that such a client would send first. */
static void build_message(const struct explain_question *q, struct explanation *e)
{
	struct dhcp4_msg *m = &e->msg;
	char class[64];

	*m = (struct dhcp4_msg){ .op = DHCP4_BOOTREQUEST,
		.htype = DHCP4_HTYPE_ETHERNET,
		.hlen = 6,
		.xid = 1,
		.giaddr = q->giaddr,
		.type = DHCP4_DISCOVER };
	if (q->has_mac)
		memcpy(m->chaddr, q->mac.b, sizeof(q->mac.b));
	else
		m->chaddr[5] = 1;
	if (q->has_arch) {
		const struct arch_type *type = arch_type_find(q->arch);
		uint8_t b[2] = { (uint8_t)(q->arch >> 8), (uint8_t)q->arch };

		m->opt[OPT_CLIENT_ARCH] = copy(e, b, sizeof(b));
		(void)snprintf(class, sizeof(class), "%s:Arch:%05u:UNDI:003000",
			type && type->http ? "HTTPClient" : "PXEClient", q->arch);
		m->opt[OPT_VENDOR_CLASS] = copy(e, class, strlen(class));
	}
	if (q->vendor_class)
		m->opt[OPT_VENDOR_CLASS] = copy(e, q->vendor_class, strlen(q->vendor_class));
	if (q->user_class)
		m->opt[OPT_USER_CLASS] = copy(e, q->user_class, strlen(q->user_class));
	if (q->has_uuid) {
		struct uuid u = uuid_swap(q->uuid); /* SMBIOS order (core/facts.h) */
		uint8_t b[17] = { 0 };

		memcpy(b + 1, u.b, sizeof(u.b));
		m->opt[OPT_MACHINE_ID] = copy(e, b, sizeof(b));
	}
}

/* The interface that messages would come in on: of the first network here. */
static unsigned ifindex_of(const struct served_set *nets)
{
	for (size_t i = 0; i < nets->n; i++)
		if (nets->list[i].ifindex)
			return nets->list[i].ifindex;
	return 0;
}

int explainer_open(struct config *cfg, struct explainer *ret)
{
	struct explainer *x = ret;
	struct site_files files;
	struct iface_view *ifaces = NULL;
	const char *missing;
	size_t n = 0;
	int r;

	*x = (struct explainer){ .cfg = cfg };
	r = site_files_open(cfg, &files, &missing);
	if (r < 0)
		return r;
	site_files_close(&files);
	r = netif_list(&ifaces, &n);
	if (r == 0)
		r = served_build(cfg, ifaces, n, &x->nets);
	free(ifaces);
	if (r == 0)
		r = lease_table_new(&x->leases);
	if (r == 0)
		r = clients_new(&x->clients);
	if (r == 0)
		x->ifindex = ifindex_of(x->nets);
	return r;
}

void explainer_close(struct explainer *x)
{
	clients_free(x->clients);
	lease_table_free(x->leases);
	served_free(x->nets);
}

/* No network here would answer: the decision alone, for the first configured one. */
static void decide_only(struct explainer *x, struct explanation *e)
{
	const struct config *cfg = x->cfg;

	e->not_here = true;
	e->plan.drop = DROP_NONE;
	facts_from_dhcp4(&e->msg, cfg->n_networks ? cfg->networks[0].name : NULL, &e->plan.facts);
	boot_decide(cfg, &e->plan.facts, &e->plan.answer);
	locate_bootfile(cfg, &e->plan.facts, &e->plan.answer, (struct ip4){ 0 }, &e->bootfile);
}

/* The addresses that a client brings along, before it is answered. */
struct brought {
	struct ip4 leased, booted, wanted; /* 0: none */
};

static struct brought brought_by(struct explainer *x, const struct dhcp4_msg *m)
{
	struct lease_client c = {
		.client_id = m->opt[OPT_CLIENT_ID], .htype = m->htype, .hlen = m->hlen
	};
	struct brought b = { .wanted = m->ciaddr };
	struct facts f;

	memcpy(c.chaddr, m->chaddr, sizeof(c.chaddr));
	for (size_t i = 0; i < x->nets->n; i++) {
		const struct lease *l = lease_find(x->leases, &x->nets->list[i], &c);

		if (l)
			b.leased = l->address;
	}
	facts_from_dhcp4(m, NULL, &f);
	if (f.has_mac)
		b.booted = clients_boot_address(x->clients, f.mac, 0);
	(void)dhcp4_opt_ip4(m, OPT_REQUESTED_ADDRESS, &b.wanted);
	return b;
}

/* The lease decision, in core/lease.h's order. */
static void tell_address(struct explanation *e, const struct brought *b)
{
	const struct machine *m = e->plan.answer.machine;
	struct ip4 a = e->plan.out.yiaddr;

	if (e->plan.drop == DROP_NONE && e->plan.net && e->plan.net->cfg->dhcp == DHCP_PROXY)
		text_adds(&e->address_why, "from the other DHCP server: we are a proxy beside it");
	if (e->plan.drop != DROP_NONE || a.v == 0)
		return;
	e->address = a;
	if (m && ip4_eq(m->address, a))
		text_addf(&e->address_why, "reserved for %s", m->name);
	else if (ip4_eq(b->leased, a))
		text_adds(&e->address_why, "this client has it already");
	else if (ip4_eq(b->booted, a))
		text_adds(&e->address_why,
			"the machine was given it at an earlier stage of its boot");
	else if (ip4_eq(b->wanted, a))
		text_adds(&e->address_why, "the client asks for it, and it is free");
	else
		text_adds(&e->address_why,
			"from the pool: the first free one, leases of a running daemon not counted");
	if (m && m->address.v && !ip4_eq(m->address, a))
		text_addf(&e->address_why, "; %s, which is reserved for %s, is not to be had here",
			ip4_str(m->address).s, m->name);
}

static int explain_message(struct explainer *x, const struct dhcp4_rx *rx, struct explanation *e)
{
	const struct dhcp4_server srv = {
		.cfg = x->cfg, .nets = x->nets, .leases = x->leases, .clients = x->clients
	};
	const struct brought b = brought_by(x, &e->msg);
	struct dhcp4_plan *p = &e->plan;

	dhcp4_plan(&srv, &e->msg, rx, 0, &e->arena, p);
	if (p->drop == DROP_NONE && (p->reply_type == DHCP4_OFFER || p->reply_type == DHCP4_ACK))
		clients_remember(x->clients, &p->facts,
			p->reply_type == DHCP4_ACK ? p->out.yiaddr : (struct ip4){ 0 }, 0);
	if (!p->net && e->msg.giaddr.v == 0)
		decide_only(x, e);
	else
		text_add(&e->bootfile, p->bootfile);
	tell_address(e, &b);
	return e->bootfile.failed || e->address_why.failed ? -ENOMEM : 0;
}

static void explanation_begin(const struct explainer *x, struct explanation *e)
{
	*e = (struct explanation){ .cfg = x->cfg };
	arena_init(&e->arena, 0);
}

int explain_question(struct explainer *x, const struct explain_question *q, struct explanation *ret)
{
	const struct dhcp4_rx rx = { .ifindex = x->ifindex };

	explanation_begin(x, ret);
	build_message(q, ret);
	return explain_message(x, &rx, ret);
}

void explanation_free(struct explanation *e)
{
	text_free(&e->bootfile);
	text_free(&e->address_why);
	arena_free(&e->arena);
}

/* --- captures --- */

/* Is it a DHCPv4 request?  Relays send theirs between servers' ports, as they get replies. */
static bool find_request(struct span packet, struct frame4 *ret)
{
	/* Sums are not looked at: a capture on the sender's machine has none yet. */
	return frame4_decode(pcap_without_tags(packet), false, ret) == DROP_NONE &&
		(ret->dst_port == DHCP4_SERVER_PORT || ret->dst_port == DHCP4_PXE_PORT) &&
		ret->payload.n > 0 && ret->payload.p[0] == DHCP4_BOOTREQUEST;
}

static int explain_packet(struct explainer *x, const struct pcap_packet *packet,
	const struct frame4 *f, struct explanation *e)
{
	const struct dhcp4_rx rx = { .ifindex = x->ifindex,
		.source = f->src,
		.local.v = f->dst.v == UINT32_MAX ? 0 : f->dst.v,
		.on_pxe_port = f->dst_port == DHCP4_PXE_PORT };
	enum drop why;

	explanation_begin(x, e);
	e->packet = packet->number;
	why = dhcp4_decode(&e->arena, f->payload, &e->msg);
	if (why == DROP_NONE)
		return explain_message(x, &rx, e);
	e->plan.drop = why;
	return 0;
}

int explain_capture(struct explainer *x, struct span file, explain_each each, void *ctx,
	struct explain_capture *ret)
{
	struct explain_capture found = { 0 };
	struct pcap_packet packet;
	struct explanation e;
	struct frame4 f;
	struct pcap p;
	bool go_on = true;
	int r = pcap_open(file, &p);

	while (r == 0 && go_on && pcap_next(&p, &packet)) {
		found.packets++;
		found.not_ethernet += packet.link != PCAP_LINK_ETHERNET;
		if (packet.link != PCAP_LINK_ETHERNET || !find_request(packet.data, &f))
			continue;
		found.requests++;
		r = explain_packet(x, &packet, &f, &e);
		if (r == 0)
			go_on = each(ctx, &e);
		explanation_free(&e);
	}
	if (r < 0)
		return r;
	found.is_broken = p.is_broken;
	*ret = found;
	return 0;
}
