/* How fast a transfer goes, as a number and in words. */
#pragma once

#include "base/text.h"

/* Octets per second; 0 when no time has passed. */
uint64_t progress_octets_per_s(uint64_t octets, uint64_t duration_us);
/* Adds ", 11.2 MB/s" (millions of octets) after a transfer that is large enough
 * for a rate to mean something; else nothing. */
void progress_add_rate(uint64_t octets, uint64_t duration_us, struct text *out);
