/* ICMP echo request and reply. */
#include "wire/icmp.h"

#include "wire/checksum.h"

#define ECHO_REPLY   0u
#define ECHO_REQUEST 8u
#define IP_HEADER    20u
#define IP_SOURCE_AT 12u

void icmp_put_echo(struct wr *w, uint64_t cookie)
{
	uint8_t buf[ICMP_ECHO_OCTETS];
	struct wr m = wr_of(buf, sizeof(buf));
	uint16_t sum;

	wr_u8(&m, ECHO_REQUEST);
	wr_u8(&m, 0);
	wr_u16(&m, 0); /* checksum */
	wr_u32(&m, 0); /* identifier and sequence number: the cookie tells ours apart */
	wr_u32(&m, (uint32_t)(cookie >> 32));
	wr_u32(&m, (uint32_t)cookie);
	sum = checksum_fold(checksum_add(0, wr_done(&m)));
	buf[2] = (uint8_t)(sum >> 8);
	buf[3] = (uint8_t)sum;
	wr_span(w, wr_done(&m));
}

bool icmp_echo_reply(struct span s, uint64_t cookie, struct ip4 *ret_source)
{
	struct rd ip = rd_of(s), m;
	uint8_t type, code;
	struct ip4 source;
	size_t header;

	header = (rd_u8(&ip) & 15u) * 4u;
	(void)rd_span(&ip, IP_SOURCE_AT - 1);
	source.v = rd_u32(&ip);
	if (ip.bad || header < IP_HEADER)
		return false;
	s = span_skip(s, header);
	m = rd_of(s);
	type = rd_u8(&m);
	code = rd_u8(&m);
	(void)rd_span(&m, 6);
	uint64_t high = rd_u32(&m), low = rd_u32(&m);

	if (m.bad || type != ECHO_REPLY || code != 0 || (high << 32 | low) != cookie ||
		checksum_fold(checksum_add(0, s)) != 0)
		return false;
	*ret_source = source;
	return true;
}
