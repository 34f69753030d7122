/* What happened lately: the records of the log's lines and, beside them, how far
 * transfers are, which no line of the log tells.
 *
 * Two rings of octets, the oldest records go first: so many transfers may report
 * what they like, they push out nothing that was said.  Adding a record copies it,
 * and nothing else: it is made for 80,000 a second.  Any number of readers, each
 * with a cursor of its own, at its own pace; one that is overtaken is told how many
 * records it missed.  Prints nothing itself.
 */
#pragma once

#include "base/bytes.h"

enum events_kind {
	EVENTS_SAID, /* lines of the log */
	EVENTS_PROGRESS,
	EVENTS_KINDS,
};

#define EVENTS_RECORD_MAX 65536u /* octets; a longer one is not kept, and counts as missed */

struct events;

/* Waits for the next record; belongs to a list while it waits. */
struct events_watcher {
	void (*wake)(
		struct events_watcher *w); /* once, from within events_add(): not to read there */
	struct events_watcher *prev, *next;
};

struct events_cursor {
	uint64_t after; /* only records with a greater number */
	uint64_t missed;
	struct {
		uint64_t position, ordinal;
	} ring[EVENTS_KINDS];
};

struct event {
	uint64_t seq;       /* from 1, one more with each record of either kind */
	struct span record; /* app/log_record.h; valid until the next events_add() */
};

/* octets: what the records of each kind may take, at least EVENTS_RECORD_MAX * 3, else -EINVAL.
 * -ENOMEM. */
int events_new(const size_t octets[static EVENTS_KINDS], struct events **ret) WARN_UNUSED;
void events_free(struct events *e);

void events_add(struct events *e, enum events_kind kind, struct span record);
/* The number of the newest record; 0: there is none. */
uint64_t events_last(const struct events *e);

/* To the oldest record with a number above `after`.  One that is above all of ours
 * is another daemon's: then it is the oldest of all. */
void events_begin(const struct events *e, uint64_t after, struct events_cursor *ret);
/* The next record.  *ret_missed: how many were gone before this one could be read.
 * After events_begin() with `after`, some of those may have been below it.  False:
 * there is none yet, and nothing was missed. */
bool events_next(const struct events *e, struct events_cursor *c, struct event *ret,
	uint64_t *ret_missed) WARN_UNUSED;

void events_watch(struct events *e, struct events_watcher *w);
/* Also when it does not wait. */
void events_unwatch(struct events *e, struct events_watcher *w);
