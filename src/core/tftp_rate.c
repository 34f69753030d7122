/* Token buckets of addresses. */
#include "core/tftp_rate.h"

#define WHOLE 1000u

bool tftp_rate_admit(struct tftp_rate *r, struct ip4 addr, uint64_t now_ms)
{
	uint32_t i = addr.v * 2654435761u >> 20; /* Knuth's: neighbours stand apart */
	uint64_t tokens = TFTP_RATE_BURST * WHOLE;

	_Static_assert(TFTP_RATE_SLOTS == 1u << 12, "the 12 bits that the shift leaves");
	if (r->slots[i].addr == addr.v) {
		/* per second, in thousandths: as many per millisecond */
		tokens = r->slots[i].tokens + (now_ms - r->slots[i].at_ms) * TFTP_RATE_PER_S;
		if (tokens > TFTP_RATE_BURST * WHOLE)
			tokens = TFTP_RATE_BURST * WHOLE;
	}
	r->slots[i].addr = addr.v;
	r->slots[i].at_ms = now_ms;
	r->slots[i].tokens = (uint32_t)(tokens < WHOLE ? tokens : tokens - WHOLE);
	return tokens >= WHOLE;
}
