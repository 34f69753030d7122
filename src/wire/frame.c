/* Ethernet + IPv4 + UDP, encoded and decoded. */
#include "wire/frame.h"

#include "wire/checksum.h"

#define ETHERTYPE_IPV4 0x0800u
#define IP_PROTO_UDP   17u
#define IP_HEADER      20u
#define UDP_HEADER     8u
#define IP_FRAGMENT    0x3fffu /* more-fragments flag and offset */

static uint32_t pseudo_header(struct ip4 src, struct ip4 dst, size_t udp_length)
{
	return (src.v >> 16) + (src.v & 0xffff) + (dst.v >> 16) + (dst.v & 0xffff) + IP_PROTO_UDP +
		(uint32_t)udp_length;
}

static void put_checksum(struct wr *w, size_t at, uint16_t sum)
{
	w->p[at] = (uint8_t)(sum >> 8);
	w->p[at + 1] = (uint8_t)sum;
}

void frame4_encode(const struct frame4 *f, struct wr *w)
{
	size_t udp_length = UDP_HEADER + f->payload.n, ip, udp;

	if (udp_length + IP_HEADER > UINT16_MAX) {
		w->full = true;
		return;
	}
	wr_span(w, (struct span){ f->dst_mac.b, sizeof(f->dst_mac.b) });
	wr_span(w, (struct span){ f->src_mac.b, sizeof(f->src_mac.b) });
	wr_u16(w, ETHERTYPE_IPV4);

	ip = w->n;
	wr_u16(w, 0x4500); /* version 4, five words, no service class */
	wr_u16(w, (uint16_t)(IP_HEADER + udp_length));
	wr_u32(w, 0); /* no identification, no fragment */
	wr_u8(w, 64);
	wr_u8(w, IP_PROTO_UDP);
	wr_u16(w, 0);
	wr_u32(w, f->src.v);
	wr_u32(w, f->dst.v);

	udp = w->n;
	wr_u16(w, f->src_port);
	wr_u16(w, f->dst_port);
	wr_u16(w, (uint16_t)udp_length);
	wr_u16(w, 0);
	wr_span(w, f->payload);
	if (w->full)
		return;
	put_checksum(
		w, ip + 10, checksum_fold(checksum_add(0, (struct span){ w->p + ip, IP_HEADER })));

	uint16_t sum = checksum_fold(checksum_add(pseudo_header(f->src, f->dst, udp_length),
		(struct span){ w->p + udp, udp_length }));

	put_checksum(w, udp + 6, sum ? sum : 0xffff); /* RFC 768: zero means none was made */
}

static bool ip_checksum_good(struct span header)
{
	return checksum_fold(checksum_add(0, header)) == 0;
}

static bool udp_checksum_good(const struct frame4 *f, struct span udp)
{
	bool none = udp.p[6] == 0 && udp.p[7] == 0;

	return none || checksum_fold(checksum_add(pseudo_header(f->src, f->dst, udp.n), udp)) == 0;
}

enum drop frame4_decode(struct span frame, bool checksums, struct frame4 *ret_frame)
{
	struct rd r = rd_of(frame);
	struct span dst = rd_span(&r, 6), src = rd_span(&r, 6);
	struct frame4 f = { 0 };

	if (rd_u16(&r) != ETHERTYPE_IPV4 && !r.bad)
		return DROP_FRAME_NOT_IP;
	if (r.bad)
		return DROP_FRAME_SHORT;
	memcpy(f.dst_mac.b, dst.p, sizeof(f.dst_mac.b));
	memcpy(f.src_mac.b, src.p, sizeof(f.src_mac.b));

	const uint8_t *ip = r.p;
	uint8_t version_words = rd_u8(&r);
	size_t header = (version_words & 15u) * 4u;
	uint16_t total, fragment, udp_length;
	uint8_t protocol;

	(void)rd_u8(&r);
	total = rd_u16(&r);
	(void)rd_u16(&r);
	fragment = rd_u16(&r);
	(void)rd_u8(&r);
	protocol = rd_u8(&r);
	(void)rd_u16(&r);
	f.src.v = rd_u32(&r);
	f.dst.v = rd_u32(&r);
	if (r.bad)
		return DROP_FRAME_SHORT;
	if (version_words >> 4 != 4 || header < IP_HEADER)
		return DROP_FRAME_NOT_IP;
	/* Ethernet pads short frames: the length that counts is IP's. */
	if (total < header + UDP_HEADER || total > (size_t)(r.end - ip))
		return DROP_FRAME_SHORT;
	if (protocol != IP_PROTO_UDP || fragment & IP_FRAGMENT)
		return DROP_FRAME_NOT_UDP;
	if (checksums && !ip_checksum_good((struct span){ ip, header }))
		return DROP_FRAME_BAD_CHECKSUM;

	r = rd_of((struct span){ ip + header, total - header });
	f.src_port = rd_u16(&r);
	f.dst_port = rd_u16(&r);
	udp_length = rd_u16(&r);
	if (udp_length < UDP_HEADER || udp_length > total - header)
		return DROP_FRAME_SHORT;
	if (checksums && !udp_checksum_good(&f, (struct span){ ip + header, udp_length }))
		return DROP_FRAME_BAD_CHECKSUM;
	f.payload = (struct span){ ip + header + UDP_HEADER, udp_length - UDP_HEADER };
	*ret_frame = f;
	return DROP_NONE;
}
