/* One's complement sums of 16 bits. */
#include "wire/checksum.h"

uint32_t checksum_add(uint32_t sum, struct span s)
{
	for (size_t i = 0; i + 1 < s.n; i += 2)
		sum += (uint32_t)(s.p[i] << 8 | s.p[i + 1]);
	if (s.n & 1)
		sum += (uint32_t)s.p[s.n - 1] << 8;
	return sum;
}

uint16_t checksum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
