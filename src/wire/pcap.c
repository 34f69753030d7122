/* Captures.  Every length in them is a stranger's. */
#include "wire/pcap.h"

#include <errno.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS  0xa1b23c4du
#define MAGIC_BYTE_ORDER   0x1a2b3c4du /* of a pcapng section */
#define BLOCK_SECTION      0x0a0d0d0au /* the same in either order */
#define BLOCK_INTERFACE    1u
#define BLOCK_SIMPLE       3u
#define BLOCK_ENHANCED     6u
#define BLOCK_MIN          12u /* type, length, and the length again */
#define ETHERTYPE_AT       12u
#define TAG_OCTETS         4u
#define ETHERTYPE_8021Q    0x8100u
#define ETHERTYPE_8021AD   0x88a8u

static uint32_t u32(const struct pcap *p, struct rd *r)
{
	uint32_t v = rd_u32(r);

	return p->is_little ? __builtin_bswap32(v) : v;
}

static uint16_t u16(const struct pcap *p, struct rd *r)
{
	uint16_t v = rd_u16(r);

	return p->is_little ? __builtin_bswap16(v) : v;
}

static bool is_classic_magic(uint32_t v)
{
	return v == MAGIC_MICROSECONDS || v == MAGIC_NANOSECONDS;
}

int pcap_open(struct span file, struct pcap *ret)
{
	struct pcap p = { .rest = file };
	struct rd r = rd_of(file);
	uint32_t magic = rd_u32(&r);

	p.is_ng = !r.bad && magic == BLOCK_SECTION;
	if (!p.is_ng) {
		p.is_little = is_classic_magic(__builtin_bswap32(magic));
		(void)rd_span(
			&r, 16); /* version, two fields that are always 0, the snapshot length */
		p.links[0] = (uint16_t)u32(&p, &r);
		p.n_links = 1;
		p.rest = (struct span){ r.p, rd_left(&r) };
		if (r.bad || !(p.is_little || is_classic_magic(magic)))
			return -EINVAL;
	}
	*ret = p;
	return 0;
}

static bool end(struct pcap *p, bool broken)
{
	p->rest = SPAN_NONE;
	p->is_broken = p->is_broken || broken;
	return false;
}

static bool found(struct pcap *p, uint32_t interface, struct span data, struct pcap_packet *ret)
{
	*ret = (struct pcap_packet){
		.number = ++p->n_packets,
		.link = interface < p->n_links ? p->links[interface] : PCAP_LINK_UNKNOWN,
		.data = data,
	};
	return true;
}

static bool next_classic(struct pcap *p, struct pcap_packet *ret)
{
	struct rd r = rd_of(p->rest);
	uint32_t captured;
	struct span data;

	if (rd_left(&r) == 0)
		return end(p, false);
	(void)rd_span(&r, 8); /* when */
	captured = u32(p, &r);
	(void)rd_u32(&r); /* how long it was on the wire */
	data = rd_span(&r, captured);
	if (r.bad)
		return end(p, true);
	p->rest = (struct span){ r.p, rd_left(&r) };
	return found(p, 0, data, ret);
}

/* A new section has an order of its own, and describes its interfaces anew. */
static bool begin_section(struct pcap *p, struct rd r)
{
	uint32_t order = rd_u32(&r);

	p->is_little = order == __builtin_bswap32(MAGIC_BYTE_ORDER);
	p->n_links = 0;
	return p->is_little || order == MAGIC_BYTE_ORDER;
}

static void add_interface(struct pcap *p, struct rd r)
{
	uint16_t link = u16(p, &r);

	if (!r.bad && p->n_links < PCAP_INTERFACES_MAX)
		p->links[p->n_links++] = link;
}

static bool read_enhanced(struct pcap *p, struct rd r, struct pcap_packet *ret)
{
	uint32_t interface = u32(p, &r), captured;
	struct span data;

	(void)rd_span(&r, 8); /* when */
	captured = u32(p, &r);
	(void)rd_u32(&r);
	data = rd_span(&r, captured);
	return r.bad ? end(p, true) : found(p, interface, data, ret);
}

/* It does not say how much was captured: no more than the block holds. */
static bool read_simple(struct pcap *p, struct rd r, struct pcap_packet *ret)
{
	uint32_t length = u32(p, &r);
	size_t left = rd_left(&r);

	return r.bad ? end(p, true) : found(p, 0, rd_span(&r, length < left ? length : left), ret);
}

/* Takes the next block off the file: its type and body.  False: none is left. */
static bool next_block(struct pcap *p, uint32_t *ret_type, struct rd *ret_body)
{
	struct rd r = rd_of(p->rest), body;
	uint32_t type, length;

	if (rd_left(&r) == 0)
		return end(p, false);
	type = u32(p, &r);
	body = r;
	(void)rd_u32(&body);
	if (type == BLOCK_SECTION && !begin_section(p, body))
		return end(p, true);
	length = u32(p, &r);
	if (r.bad || length < BLOCK_MIN || length % 4 != 0 || length > p->rest.n)
		return end(p, true);
	*ret_type = type;
	*ret_body = rd_of((struct span){ r.p, length - BLOCK_MIN });
	p->rest = span_skip(p->rest, length);
	return true;
}

bool pcap_next(struct pcap *p, struct pcap_packet *ret)
{
	uint32_t type;
	struct rd body;

	if (!p->is_ng)
		return next_classic(p, ret);
	while (next_block(p, &type, &body)) {
		if (type == BLOCK_INTERFACE)
			add_interface(p, body);
		else if (type == BLOCK_ENHANCED)
			return read_enhanced(p, body, ret);
		else if (type == BLOCK_SIMPLE)
			return read_simple(p, body, ret);
	}
	return false;
}

struct span pcap_without_tags(struct span frame)
{
	for (;;) {
		struct rd r = rd_of(span_skip(frame, ETHERTYPE_AT));
		uint16_t type = rd_u16(&r);

		if (r.bad || (type != ETHERTYPE_8021Q && type != ETHERTYPE_8021AD))
			return frame;
		frame = span_skip(frame, TAG_OCTETS);
	}
}
