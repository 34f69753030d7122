/* Router solicitation and advertisement. */
#include "wire/ndp.h"

#define ND_SOLICITATION  133u
#define ND_ADVERTISEMENT 134u
#define ND_OPT_SOURCE    1u

bool ndp_solicitation_source(struct span s, struct mac *ret)
{
	struct rd r = rd_of(s);
	uint8_t type = rd_u8(&r), code = rd_u8(&r);

	(void)rd_span(&r, 6); /* checksum, reserved */
	if (r.bad || type != ND_SOLICITATION || code != 0)
		return false;
	while (rd_left(&r) >= 2) {
		uint8_t option = rd_u8(&r), units = rd_u8(&r);
		struct span value;

		if (units == 0)
			return false; /* RFC 4861 4.6: discard */
		value = rd_span(&r, units * 8u - 2u);
		if (option == ND_OPT_SOURCE && value.n == sizeof(ret->b)) {
			memcpy(ret->b, value.p, sizeof(ret->b));
			return true;
		}
	}
	return false;
}

void ndp_put_no_router(struct wr *w)
{
	wr_u8(w, ND_ADVERTISEMENT);
	wr_u8(w, 0);
	wr_u16(w, 0); /* checksum */
	wr_u8(w, 0);  /* hop limit: unspecified */
	wr_u8(w, 0);  /* neither managed nor other configuration */
	wr_u16(w, 0); /* router lifetime: not a default router */
	wr_u32(w, 0); /* reachable time: unspecified */
	wr_u32(w, 0); /* retransmission timer: unspecified */
}
