/* Rings of records.
 *
 * A position counts octets since the beginning and never goes back; its remainder is
 * the place in the ring.  An entry lies in one piece: where it does not fit before
 * the end, an entry of size 0 says that the next one is at the start.
 */
#include "app/events.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#define ALIGN 8u /* room for a size is left wherever an entry ends */

struct entry {
	uint32_t size; /* with this head, in whole ALIGN; 0: go to the start */
	uint32_t record_n;
	uint64_t seq;
	uint64_t ordinal; /* in its ring, from 0 */
};

struct ring {
	uint8_t *p;
	size_t cap;
	uint64_t tail, head; /* positions of the oldest entry, and of the next one */
	uint64_t added;      /* ordinal of the next one */
	uint64_t evicted;    /* number of the newest record that is gone */
};

struct events {
	struct ring ring[EVENTS_KINDS];
	uint64_t last;
	struct events_watcher *watchers;
};

int events_new(const size_t octets[static EVENTS_KINDS], struct events **ret)
{
	struct events *e = calloc(1, sizeof(*e));
	bool ok = e != NULL;

	/* Also with what is skipped at the end, the longest one fits. */
	for (size_t i = 0; i < EVENTS_KINDS; i++) {
		if (octets[i] < EVENTS_RECORD_MAX * 3) {
			free(e);
			return -EINVAL;
		}
	}
	for (size_t i = 0; e && i < EVENTS_KINDS; i++) {
		e->ring[i].cap = octets[i] / ALIGN * ALIGN;
		e->ring[i].p = malloc(e->ring[i].cap);
		ok = ok && e->ring[i].p;
	}
	if (!ok) {
		events_free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

void events_free(struct events *e)
{
	for (size_t i = 0; e && i < EVENTS_KINDS; i++)
		free(e->ring[i].p);
	free(e);
}

static size_t room_to_end(const struct ring *r, uint64_t position)
{
	return r->cap - (size_t)(position % r->cap);
}

static uint32_t size_at(const struct ring *r, uint64_t position)
{
	uint32_t size;

	memcpy(&size, r->p + position % r->cap, sizeof(size));
	return size;
}

/* The entry at a position, or at the start when it went there; false: none yet. */
static bool entry_at(const struct ring *r, uint64_t *position, struct entry *ret)
{
	if (*position < r->head && size_at(r, *position) == 0)
		*position += room_to_end(r, *position);
	if (*position >= r->head)
		return false;
	memcpy(ret, r->p + *position % r->cap, sizeof(*ret));
	return true;
}

static void evict(struct ring *r)
{
	struct entry old;

	if (entry_at(r, &r->tail, &old)) {
		r->tail += old.size;
		r->evicted = old.seq;
	}
}

static void ring_add(struct ring *r, uint64_t seq, struct span record)
{
	struct entry new = { .record_n = (uint32_t)record.n, .seq = seq, .ordinal = r->added++ };
	size_t at, skipped = 0;

	if (record.n > EVENTS_RECORD_MAX)
		return;
	new.size = (uint32_t)((sizeof(new) + record.n + ALIGN - 1) / ALIGN * ALIGN);
	if (room_to_end(r, r->head) < new.size)
		skipped = room_to_end(r, r->head);
	while (r->head + skipped + new.size - r->tail > r->cap)
		evict(r);
	if (skipped)
		memset(r->p + r->head % r->cap, 0, sizeof(new.size));
	r->head += skipped;
	at = (size_t)(r->head % r->cap);
	memcpy(r->p + at, &new, sizeof(new));
	memcpy(r->p + at + sizeof(new), record.p, record.n);
	r->head += new.size;
}

void events_add(struct events *e, enum events_kind kind, struct span record)
{
	struct events_watcher *w = e->watchers, *next;

	ring_add(&e->ring[kind], ++e->last, record);
	e->watchers = NULL;
	for (; w; w = next) {
		next = w->next;
		w->prev = w->next = NULL;
		w->wake(w);
	}
}

uint64_t events_last(const struct events *e)
{
	return e->last;
}

static uint64_t oldest_ordinal(const struct ring *r)
{
	uint64_t position = r->tail;
	struct entry oldest;

	return entry_at(r, &position, &oldest) ? oldest.ordinal : r->added;
}

void events_begin(const struct events *e, uint64_t after, struct events_cursor *ret)
{
	const struct ring *said = &e->ring[EVENTS_SAID];

	*ret = (struct events_cursor){ .after = after > e->last ? 0 : after };
	for (size_t i = 0; i < EVENTS_KINDS; i++) {
		ret->ring[i].position = e->ring[i].tail;
		ret->ring[i].ordinal = oldest_ordinal(&e->ring[i]);
	}
	/* Progress of then is of no use now, and who asks for all knows that it ends somewhere. */
	if (ret->after && said->evicted > ret->after) {
		ret->missed = said->evicted - ret->after;
		if (ret->missed > ret->ring[EVENTS_SAID].ordinal)
			ret->missed = ret->ring[EVENTS_SAID].ordinal;
	}
}

/* The next entry of one ring that the cursor wants. */
static bool peek(const struct ring *r, struct events_cursor *c, size_t i, struct entry *ret)
{
	if (c->ring[i].position < r->tail)
		c->ring[i].position = r->tail;
	while (entry_at(r, &c->ring[i].position, ret)) {
		c->missed += ret->ordinal - c->ring[i].ordinal;
		c->ring[i].ordinal = ret->ordinal;
		if (ret->seq > c->after)
			return true;
		c->ring[i].position += ret->size;
		c->ring[i].ordinal++;
	}
	return false;
}

bool events_next(
	const struct events *e, struct events_cursor *c, struct event *ret, uint64_t *ret_missed)
{
	size_t best = EVENTS_KINDS;
	struct entry entry, found = { 0 };
	const struct ring *r;

	for (size_t i = 0; i < EVENTS_KINDS; i++) {
		if (peek(&e->ring[i], c, i, &entry) &&
			(best == EVENTS_KINDS || entry.seq < found.seq)) {
			best = i;
			found = entry;
		}
	}
	if (best == EVENTS_KINDS)
		return false;
	r = &e->ring[best];
	ret->seq = found.seq;
	ret->record = (struct span){ r->p + c->ring[best].position % r->cap + sizeof(found),
		found.record_n };
	c->ring[best].position += found.size;
	c->ring[best].ordinal++;
	*ret_missed = c->missed;
	c->missed = 0;
	return true;
}

void events_watch(struct events *e, struct events_watcher *w)
{
	DL_APPEND(e->watchers, w);
}

void events_unwatch(struct events *e, struct events_watcher *w)
{
	if (w->prev)
		DL_DELETE(e->watchers, w);
	w->prev = w->next = NULL;
}
