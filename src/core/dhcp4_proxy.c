/* ProxyDHCP and the boot server on port 4011. */
#include "core/dhcp4_proxy.h"

#include "core/dhcp4_reply.h"

static bool in_network(const struct dhcp4_plan *p, struct ip4 a)
{
	return a.v && ip4_in(a, p->net->subnet, p->net->prefix_len);
}

/* Identity and boot options, and nothing of a lease or a network: the client's
 * DHCP server tells it those. */
static void reply(const struct dhcp4_server *srv, const struct dhcp4_msg *msg, enum dhcp4_type type,
	struct arena *a, struct dhcp4_plan *p)
{
	struct span bootfile;

	dhcp4_reply_begin(msg, type, a, p);
	if (type == DHCP4_ACK)
		p->out.ciaddr = msg->ciaddr;
	dhcp4_out_add(&p->out, OPT_CLIENT_ID, true, msg->opt[OPT_CLIENT_ID]);
	if (dhcp4_boot_fill(srv->cfg, msg, &p->facts, &p->answer, p->server, &p->form, a, &p->out,
		    &bootfile) < 0)
		p->drop = DROP_NO_MEMORY;
	else
		dhcp4_reply_end(msg, bootfile, p);
}

/* Every offer is broadcast: the client has no address, and we know of none that
 * it will have (dnsmasq forces the flag too). */
static void on_discover(const struct dhcp4_server *srv, const struct dhcp4_msg *msg,
	struct arena *a, struct dhcp4_plan *p)
{
	reply(srv, msg, DHCP4_OFFER, a, p);
	p->out.flags |= DHCP4_FLAG_BROADCAST;
	p->dest = msg->giaddr.v ? DHCP4_TO_RELAY : DHCP4_TO_BROADCAST;
	p->dest_addr = msg->giaddr;
}

/* INFORM, or a boot item chosen by broadcast: to the address that the client has. */
static void on_inform(const struct dhcp4_server *srv, const struct dhcp4_msg *msg, struct arena *a,
	struct dhcp4_plan *p)
{
	if (!msg->giaddr.v && !in_network(p, msg->ciaddr)) {
		p->drop = DROP_UNKNOWN_LEASE;
		return;
	}
	reply(srv, msg, DHCP4_ACK, a, p);
	p->dest = msg->giaddr.v ? DHCP4_TO_RELAY : DHCP4_TO_ADDRESS;
	p->dest_addr = msg->giaddr.v ? msg->giaddr : msg->ciaddr;
}

/* A REQUEST on port 67 is another server's to answer; it tells which address the
 * machine is about to have. */
static void on_request(const struct dhcp4_server *srv, const struct dhcp4_msg *msg, struct arena *a,
	struct dhcp4_plan *p)
{
	struct ip4 address = msg->ciaddr;

	if (pxe_vendor_suboption(msg->opt[OPT_VENDOR_SPECIFIC], PXE_BOOT_ITEM).n) {
		on_inform(srv, msg, a, p);
		return;
	}
	(void)dhcp4_opt_ip4(msg, OPT_REQUESTED_ADDRESS, &address);
	if (in_network(p, address))
		p->heard = address;
	p->drop = DROP_OTHER_SERVER;
}

/* PXE 2.1 2.4: to the address and the port that the question came from.  EDK2
 * asks from 4011, iPXE and old ROMs from 68, iPXE with transaction id 0. */
static void on_pxe_port(const struct dhcp4_server *srv, const struct dhcp4_msg *msg,
	const struct dhcp4_rx *rx, struct arena *a, struct dhcp4_plan *p)
{
	if (msg->type != DHCP4_REQUEST && msg->type != DHCP4_INFORM) {
		p->drop = DROP_NOT_FOR_PROXY;
		return;
	}
	if (!in_network(p, rx->source)) {
		p->drop = DROP_PXE_SOURCE;
		return;
	}
	p->heard = rx->source;
	p->form.form = FORM_BOOT_SERVER;
	reply(srv, msg, DHCP4_ACK, a, p);
	p->dest = DHCP4_TO_SOURCE;
	p->dest_addr = rx->source;
	if (srv->forms && p->facts.has_mac)
		forms_asked(srv->forms, p->facts.mac);
}

void dhcp4_proxy_plan(const struct dhcp4_server *srv, const struct dhcp4_msg *msg,
	const struct dhcp4_rx *rx, int64_t now_s, struct arena *a, struct dhcp4_plan *p)
{
	if (p->facts.client == CLIENT_DHCP) {
		p->drop = DROP_NOT_NETBOOT;
		return;
	}
	if (p->answer.kind == ANSWER_ADDRESS || p->answer.kind == ANSWER_LOCAL) {
		p->drop = DROP_NOTHING_TO_BOOT;
		return;
	}
	dhcp4_boot_form(srv->forms, msg, &p->facts, &p->answer, FORMS_PROXY, now_s, &p->form);
	if (rx->on_pxe_port) {
		on_pxe_port(srv, msg, rx, a, p);
		return;
	}
	switch (msg->type) {
	case DHCP4_DISCOVER:
		on_discover(srv, msg, a, p);
		break;
	case DHCP4_REQUEST:
		on_request(srv, msg, a, p);
		break;
	case DHCP4_INFORM:
		on_inform(srv, msg, a, p);
		break;
	default:
		p->drop = DROP_NOT_FOR_PROXY;
		break;
	}
}
