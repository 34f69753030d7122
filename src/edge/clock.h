/* Time for the layers below, which never look at a clock themselves. */
#pragma once

#include <stdint.h>

/* Milliseconds of the monotonic clock: timers and durations. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Seconds for leases: the wall clock at the first call, plus what the monotonic
 * clock has counted since.  It can be written down as a date, and a step of the
 * wall clock neither expires leases nor makes them eternal. */
int64_t clock_lease_s(void);
/* How far the wall clock was set since then, in seconds: what is written down as a date
 * of clock_lease_s() is that much later or earlier now.  0: not by more than a second. */
int64_t clock_step_s(void);
/* Seconds and milliseconds of the wall clock: for log lines only. */
int64_t clock_wall_ms(void);
