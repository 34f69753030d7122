/* The end of a stop that takes too long: a worker that hangs over a disk can be neither
 * ended nor joined, so the process goes with it.  What was promised is in the store by
 * then, which is closed first, unless it is its disk that hangs.
 */
#pragma once

#include "app/site.h"

struct last_resort {
	uv_timer_t timer;
	struct site *site;
};

void last_resort_init(struct last_resort *l, struct site *site);
/* The stop has begun.  Does not keep the loop running. */
void last_resort_arm(struct last_resort *l);
/* Before the loop is closed; takes one more round of it. */
void last_resort_close(struct last_resort *l);
