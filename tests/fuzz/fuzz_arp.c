/* What the probes for addresses in use hear: ARP and ICMP echo replies.
 *
 * The input is a message as the socket gives it.  Checked: an ARP message that
 * is taken is encoded to the same octets; an echo reply that is taken has our
 * cookie where it belongs.
 */
#include "wire/arp.h"
#include "wire/icmp.h"

#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : abort())
#define COOKIE   0x0102030405060708u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_arp(struct span s)
{
	uint8_t buf[ARP_OCTETS];
	struct wr w = wr_of(buf, sizeof(buf));
	struct arp a;

	if (arp_decode(s, &a) != DROP_NONE)
		return;
	arp_encode(&a, &w);
	CHECK(!w.full && w.n == ARP_OCTETS && memcmp(buf, s.p, ARP_OCTETS) == 0);
}

static void check_icmp(struct span s)
{
	static const uint8_t cookie[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct ip4 source;

	if (!icmp_echo_reply(s, COOKIE, &source))
		return;
	s = span_skip(s, (s.p[0] & 15u) * 4u);
	CHECK(s.n >= ICMP_ECHO_OCTETS && s.p[0] == 0 &&
		memcmp(s.p + 8, cookie, sizeof(cookie)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_arp((struct span){ data, size });
	check_icmp((struct span){ data, size });
	return 0;
}
