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

/* From the monotonic clock to the wall clock, as it was at the first question. */
static int64_t first_offset_us(void)
{
	static int64_t offset_us;

	if (offset_us == 0)
		offset_us = read_us(CLOCK_REALTIME) - clock_mono_us();
	return offset_us;
}

int64_t clock_lease_s(void)
{
	return (clock_mono_us() + first_offset_us()) / 1000000;
}

int64_t clock_step_s(void)
{
	int64_t first_us = first_offset_us(),
		step_us = read_us(CLOCK_REALTIME) - clock_mono_us() - first_us;

	return step_us > -1000000 && step_us < 1000000 ? 0 : step_us / 1000000;
}
