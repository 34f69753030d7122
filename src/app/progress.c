/* Rates of transfers. */
#include "app/progress.h"

#define RATE_FROM_OCTETS 65536u /* of less, it says how long one packet took */

uint64_t progress_octets_per_s(uint64_t octets, uint64_t duration_us)
{
	return duration_us ? (uint64_t)((double)octets * 1e6 / (double)duration_us) : 0;
}

void progress_add_rate(uint64_t octets, uint64_t duration_us, struct text *out)
{
	if (octets >= RATE_FROM_OCTETS && duration_us)
		text_addf(out, ", %.1f MB/s", (double)octets / (double)duration_us);
}
