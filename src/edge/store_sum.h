/* The sum that rows carry: FNV-1a over everything that a row says, lengths included. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STORE_SUM_BEGIN 2166136261u

static inline uint32_t store_sum(uint32_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	h = (h ^ (uint32_t)n) * 16777619u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 16777619u;
	return h;
}
