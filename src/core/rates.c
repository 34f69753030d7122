/* Counters of the current second. */
#include "core/rates.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS 16384u /* of clients heard in one second; two in one slot take turns */

struct slot {
	uint64_t who;    /* a hash of the hardware address */
	uint32_t second; /* of the count */
	uint32_t n;
};

struct rates {
	struct slot strangers;
	struct slot clients[SLOTS];
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

static bool count(struct slot *s, uint64_t who, uint32_t limit, int64_t now_ms)
{
	uint32_t second = (uint32_t)(now_ms / 1000);

	if (s->who != who || s->second != second)
		*s = (struct slot){ .who = who, .second = second };
	if (s->n >= limit)
		return false;
	s->n++;
	return true;
}

/* FNV-1a, mixed so that its low bits name a slot. */
static uint64_t hash(struct span s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 1099511628211u;
	return h ^ h >> 32;
}

bool rates_admit_client(struct rates *l, struct span chaddr, int64_t now_ms)
{
	uint64_t who = hash(chaddr);

	return count(&l->clients[who % SLOTS], who, RATES_CLIENT_PER_S, now_ms);
}

bool rates_admit_stranger(struct rates *l, int64_t now_ms)
{
	return count(&l->strangers, 0, RATES_STRANGERS_PER_S, now_ms);
}
