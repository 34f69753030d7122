/* How far and how fast a transfer goes: as a number, in words, and as an event
 * (app/events.h) while it runs.  The log tells of a transfer once, when it ends. */
#pragma once

#include "app/site.h"

#define PROGRESS_EVERY_MS 1000 /* a transfer that runs longer than this says so that often */

/* Octets per second; 0 when no time has passed. */
uint64_t progress_octets_per_s(uint64_t octets, uint64_t duration_us);
/* Adds ", 11.2 MB/s" (millions of octets) after a transfer that is large enough
 * for a rate to mean something; else nothing. */
void progress_add_rate(uint64_t octets, uint64_t duration_us, struct text *out);

/* A transfer that runs. */
struct progress {
	const char *topic; /* a literal: "tftp", "http" */
	struct ip4 peer;
	struct span file;     /* as the client named it */
	uint64_t done, size;  /* octets; size 0: not known */
	uint64_t duration_us; /* since the request */
};

/* An event about it, with the percentage as `progress`.  To be called at most every
 * PROGRESS_EVERY_MS for each transfer, on the main loop. */
void progress_say(struct site *site, const struct progress *p);
