/* Counters of the current second. */
#include "core/rates.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS         16384u /* of clients heard in one second; two in one slot take turns */
#define DECLINE_SLOTS 1024u

struct slot {
	uint64_t who;    /* a hash of the hardware address */
	uint32_t period; /* of the count: seconds, or what it counts in */
	uint32_t n;
};

struct rates {
	struct slot strangers;
	struct slot clients[SLOTS];
	struct slot declines[DECLINE_SLOTS];
};

int rates_new(struct rates **ret)
{
	struct rates *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*ret = l;
	return 0;
}

void rates_free(struct rates *l)
{
	free(l);
}

static bool count(struct slot *s, uint64_t who, uint32_t limit, int64_t now_ms, int64_t period_ms)
{
	uint32_t period = (uint32_t)(now_ms / period_ms);

	if (s->who != who || s->period != period)
		*s = (struct slot){ .who = who, .period = period };
	if (s->n >= limit)
		return false;
	s->n++;
	return true;
}

/* FNV-1a, mixed so that its low bits name a slot. */
static uint64_t hash(struct span s, struct span where)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 1099511628211u;
	for (size_t i = 0; i < where.n; i++)
		h = (h ^ where.p[i]) * 1099511628211u;
	return h ^ h >> 32;
}

bool rates_admit_client(struct rates *l, struct span chaddr, int64_t now_ms)
{
	uint64_t who = hash(chaddr, SPAN_NONE);

	return count(&l->clients[who % SLOTS], who, RATES_CLIENT_PER_S, now_ms, 1000);
}

bool rates_admit_stranger(struct rates *l, int64_t now_ms)
{
	return count(&l->strangers, 0, RATES_STRANGERS_PER_S, now_ms, 1000);
}

bool rates_admit_decline(struct rates *l, struct span chaddr, struct span where, int64_t now_ms)
{
	uint64_t who = hash(chaddr, where);

	return count(&l->declines[who % DECLINE_SLOTS], who, RATES_DECLINES, now_ms,
		RATES_DECLINES_S * 1000);
}
