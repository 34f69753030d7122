/* The timer wheel.  Never walks the nodes, and at most once round the bitmap. */
#include "core/timer_wheel.h"

#define SLOT_MASK (TIMER_WHEEL_SLOTS - 1)
#define WORDS     (TIMER_WHEEL_SLOTS / 64)

_Static_assert((TIMER_WHEEL_SLOTS & SLOT_MASK) == 0, "a power of two");

/* A node that is due later than the wheel reaches stands in the furthest slot,
 * and finds its place when that comes round. */
static void insert(struct timer_wheel *w, struct timer_node *node)
{
	uint64_t furthest = w->cursor + SLOT_MASK;
	uint64_t tick = node->tick < furthest ? node->tick : furthest;
	struct timer_node **head;

	if (tick < w->cursor)
		tick = w->cursor;
	node->slot = (uint32_t)(tick & SLOT_MASK);
	head = &w->slots[node->slot];
	node->next = *head;
	node->link = head;
	if (node->next)
		node->next->link = &node->next;
	*head = node;
	w->used[node->slot / 64] |= (uint64_t)1 << (node->slot % 64);
	w->n_nodes++;
}

void timer_wheel_remove(struct timer_wheel *w, struct timer_node *node)
{
	if (!node->link)
		return;
	*node->link = node->next;
	if (node->next)
		node->next->link = node->link;
	node->link = NULL;
	w->n_nodes--;
	if (!w->slots[node->slot])
		w->used[node->slot / 64] &= ~((uint64_t)1 << (node->slot % 64));
}

void timer_wheel_set(
	struct timer_wheel *w, struct timer_node *node, uint64_t deadline_ms, uint64_t now_ms)
{
	uint64_t tick = deadline_ms / TIMER_WHEEL_TICK_MS;

	if (deadline_ms % TIMER_WHEEL_TICK_MS != 0)
		tick++; /* never early */
	if (node->link && node->tick == tick)
		return;
	timer_wheel_remove(w, node);
	if (w->n_nodes == 0)
		w->cursor = now_ms / TIMER_WHEEL_TICK_MS;
	node->tick = tick;
	insert(w, node);
}

/* The tick of the first slot from the cursor on that is used; there is one. */
static uint64_t next_used(const struct timer_wheel *w)
{
	uint32_t from = (uint32_t)(w->cursor & SLOT_MASK);
	uint64_t word = w->used[from / 64] & (~(uint64_t)0 << (from % 64));
	uint32_t i = from / 64;

	/* Once round, and the first word again: its slots before the cursor are the last. */
	for (uint32_t n = 0; word == 0 && n < WORDS; n++) {
		i = (i + 1) % WORDS;
		word = w->used[i];
	}

	uint32_t slot = i * 64 + (uint32_t)__builtin_ctzll(word);

	return w->cursor + ((slot - from) & SLOT_MASK);
}

struct timer_node *timer_wheel_take_due(struct timer_wheel *w, uint64_t now_ms)
{
	uint64_t now = now_ms / TIMER_WHEEL_TICK_MS;

	while (w->n_nodes > 0) {
		uint64_t tick = next_used(w);
		struct timer_node *node;

		if (tick > now)
			return NULL;
		w->cursor = tick;
		node = w->slots[tick & SLOT_MASK];
		timer_wheel_remove(w, node);
		if (node->tick <= now)
			return node;
		insert(w, node);
	}
	return NULL;
}

uint64_t timer_wheel_next_ms(const struct timer_wheel *w)
{
	return w->n_nodes > 0 ? next_used(w) * TIMER_WHEEL_TICK_MS : TIMER_WHEEL_IDLE;
}
