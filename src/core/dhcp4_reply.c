/* The beginning and the end of a reply. */
#include "core/dhcp4_reply.h"

static size_t max_size(const struct dhcp4_msg *m, const struct served *net)
{
	uint16_t max = 0;

	/* RFC 2132 9.10: at least 576.  EDK2 says 65280 in its REQUEST (a byte order
	 * fault), so the network's MTU is the other bound. */
	if (!dhcp4_opt_u16(m, OPT_MAX_SIZE, &max) || max < DHCP4_DATAGRAM_MIN)
		max = DHCP4_DATAGRAM_MIN;
	if (max > net->mtu && net->mtu >= DHCP4_DATAGRAM_MIN)
		max = (uint16_t)net->mtu;
	return max - DHCP4_IP_UDP_HEADERS;
}

void dhcp4_reply_begin(
	const struct dhcp4_msg *m, enum dhcp4_type type, struct arena *a, struct dhcp4_plan *p)
{
	uint8_t *b = arena_alloc(a, 5);
	struct wr kind = wr_of(b, b ? 1 : 0), server = wr_of(b ? b + 1 : NULL, b ? 4 : 0);

	p->reply_type = type;
	p->out = (struct dhcp4_out){
		.op = DHCP4_BOOTREPLY,
		.htype = m->htype,
		.hlen = m->hlen,
		.xid = m->xid,
		.flags = m->flags,
		.giaddr = m->giaddr,
	};
	memcpy(p->out.chaddr, m->chaddr, sizeof(p->out.chaddr));
	p->max_size = max_size(m, p->net);
	wr_u8(&kind, (uint8_t)type);
	wr_u32(&server, p->server.v);
	if (!b)
		p->drop = DROP_NO_MEMORY;
	if (type == DHCP4_BOOTREPLY_ONLY) {
		p->max_size = DHCP4_REPLY_MIN; /* RFC 1542 2.1: a BOOTP client may take no more */
		return;
	}
	dhcp4_out_add(&p->out, OPT_MESSAGE_TYPE, true, wr_done(&kind));
	dhcp4_out_add(&p->out, OPT_SERVER_ID, true, wr_done(&server));
}

void dhcp4_reply_end(const struct dhcp4_msg *m, struct span bootfile, struct dhcp4_plan *p)
{
	dhcp4_out_add(&p->out, OPT_BOOTFILE, true, bootfile);
	p->bootfile = bootfile.n ? (struct span){ bootfile.p, bootfile.n - 1 } : SPAN_NONE;
	/* Last of all: the relay cuts it off, and 67 is last again for the client.  Also
	 * without giaddr: switches insert it so (RFC 3046 2.2: in all replies). */
	dhcp4_out_add(&p->out, OPT_RELAY_AGENT, true, m->opt[OPT_RELAY_AGENT]);
	if (p->form.quirk && p->form.form == FORM_RPI_LATE && p->reply_type == DHCP4_OFFER)
		p->delay_ms = FORM_LATE_MS;
}
