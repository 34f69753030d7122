/* The clocks. */
#include "edge/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_lease_s(void)
{
	static int64_t offset_us;

	if (offset_us == 0)
		offset_us = read_us(CLOCK_REALTIME) - clock_mono_us();
	return (clock_mono_us() + offset_us) / 1000000;
}
