/* ARP for IPv4 over Ethernet. */
#include "wire/arp.h"

#define HARDWARE_ETHERNET 1u
#define PROTOCOL_IPV4     0x0800u
#define OPERATION_REQUEST 1u
#define OPERATION_REPLY   2u

static void put_mac(struct wr *w, struct mac m)
{
	wr_span(w, (struct span){ m.b, sizeof(m.b) });
}

static struct mac take_mac(struct rd *r)
{
	struct mac m = { 0 };
	struct span s = rd_span(r, sizeof(m.b));

	if (s.n)
		memcpy(m.b, s.p, sizeof(m.b));
	return m;
}

enum drop arp_decode(struct span s, struct arp *ret)
{
	struct rd r = rd_of(s);
	uint16_t hardware = rd_u16(&r), protocol = rd_u16(&r);
	uint8_t hardware_octets = rd_u8(&r), protocol_octets = rd_u8(&r);
	uint16_t operation = rd_u16(&r);
	struct arp a = { .request = operation == OPERATION_REQUEST };

	a.sender_mac = take_mac(&r);
	a.sender.v = rd_u32(&r);
	a.target_mac = take_mac(&r);
	a.target.v = rd_u32(&r);
	if (r.bad)
		return DROP_FRAME_SHORT;
	if (hardware != HARDWARE_ETHERNET || protocol != PROTOCOL_IPV4 ||
		hardware_octets != sizeof(a.sender_mac.b) || protocol_octets != sizeof(uint32_t) ||
		(!a.request && operation != OPERATION_REPLY))
		return DROP_FRAME_NOT_ARP;
	*ret = a;
	return DROP_NONE;
}

void arp_encode(const struct arp *a, struct wr *w)
{
	wr_u16(w, HARDWARE_ETHERNET);
	wr_u16(w, PROTOCOL_IPV4);
	wr_u8(w, sizeof(a->sender_mac.b));
	wr_u8(w, sizeof(uint32_t));
	wr_u16(w, a->request ? OPERATION_REQUEST : OPERATION_REPLY);
	put_mac(w, a->sender_mac);
	wr_u32(w, a->sender.v);
	put_mac(w, a->target_mac);
	wr_u32(w, a->target.v);
}

struct arp arp_probe(struct mac from, struct ip4 address)
{
	return (struct arp){ .request = true, .sender_mac = from, .target = address };
}
