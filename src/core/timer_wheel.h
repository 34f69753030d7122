/* Deadlines of many things at once, in constant time whatever their number.
 *
 * A hashed wheel: a node stands in the slot of its deadline, so that to set, to
 * move and to remove is to relink it; a bitmap finds the next slot that is used.
 * Nodes are the caller's and stand inside what they wake.  Nothing is early, and
 * nothing later than a tick.  Reads no clock: time is monotonic milliseconds,
 * given as an argument.
 */
#pragma once

#include "base/bytes.h"

#define TIMER_WHEEL_TICK_MS 1
#define TIMER_WHEEL_SLOTS   16384 /* 16 s: what is due later moves on once in that time */
#define TIMER_WHEEL_IDLE    UINT64_MAX

struct timer_node {
	struct timer_node *next, **link; /* link: what points here; NULL: not set */
	uint64_t tick;
	uint32_t slot;
};

struct timer_wheel {
	uint64_t cursor; /* every tick before this one is done */
	size_t n_nodes;
	uint64_t used[TIMER_WHEEL_SLOTS / 64]; /* a bit for each slot that is not empty */
	struct timer_node *slots[TIMER_WHEEL_SLOTS];
};

/* A wheel and its nodes begin as zeros. */

/* Sets a node's deadline, or moves it there. */
void timer_wheel_set(
	struct timer_wheel *w, struct timer_node *node, uint64_t deadline_ms, uint64_t now_ms);
/* A node that is not set is left alone. */
void timer_wheel_remove(struct timer_wheel *w, struct timer_node *node);
/* One node whose deadline has come, removed; NULL when there is none. */
struct timer_node *timer_wheel_take_due(struct timer_wheel *w, uint64_t now_ms);
/* When to call timer_wheel_take_due() again, or TIMER_WHEEL_IDLE. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *w);
