/* core/timer_wheel.c against a model that looks at every node: random operations,
 * a printed seed (SEED=N repeats a run). */
#include "core/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define NODES 300

static struct timer_wheel wheel;
static struct timer_node nodes[NODES];
static uint64_t due_ms[NODES]; /* the model: 0 = not set */
static uint64_t now_ms;

static uint32_t rnd(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

static uint64_t seed_of_run(void)
{
	const char *s = getenv("SEED");
	uint64_t seed = s ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);

	printf("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static void begin(uint64_t at_ms)
{
	memset(&wheel, 0, sizeof(wheel));
	memset(nodes, 0, sizeof(nodes));
	memset(due_ms, 0, sizeof(due_ms));
	now_ms = at_ms;
}

/* All that is due comes out, nothing early, nothing more than a tick late. */
static void take_all_due(void)
{
	struct timer_node *node;
	size_t n_set = 0;

	while ((node = timer_wheel_take_due(&wheel, now_ms))) {
		size_t i = (size_t)(node - nodes);

		assert_true(due_ms[i] > 0 && due_ms[i] <= now_ms);
		assert_null(node->link);
		due_ms[i] = 0;
	}
	for (size_t i = 0; i < NODES; i++) {
		if (due_ms[i] > 0 && due_ms[i] + TIMER_WHEEL_TICK_MS <= now_ms)
			fail_msg("node %zu was due %llu ms ago", i,
				(unsigned long long)(now_ms - due_ms[i]));
		n_set += due_ms[i] > 0;
	}
	assert_int_equal(wheel.n_nodes, n_set);
}

/* Whoever sleeps until then misses nothing, and wakes for nothing sooner than
 * the first deadline or once round the wheel. */
static void next_is_right(void)
{
	uint64_t next = timer_wheel_next_ms(&wheel), first = UINT64_MAX;

	for (size_t i = 0; i < NODES; i++)
		if (due_ms[i] > 0 && due_ms[i] < first)
			first = due_ms[i];
	if (first == UINT64_MAX) {
		assert_true(next == TIMER_WHEEL_IDLE);
		return;
	}
	assert_true(next < (first > now_ms ? first : now_ms) + TIMER_WHEEL_TICK_MS);
	assert_true(next + TIMER_WHEEL_TICK_MS > first || next > now_ms);
}

static void agrees_with_the_model(void **state)
{
	static const uint32_t spans_ms[] = { 1, 5, 50, 1000, 60000, 200000 };
	uint64_t seed = seed_of_run();

	(void)state;
	begin(rnd(&seed, 1000000));
	for (int step = 0; step < 200000; step++) {
		size_t i = rnd(&seed, NODES);
		uint32_t span = spans_ms[rnd(&seed, ARRAY_LEN(spans_ms))];

		switch (rnd(&seed, 6)) {
		case 0:
		case 1:
		case 2:
			due_ms[i] = now_ms + rnd(&seed, span);
			/* sometimes in the past */
			if (due_ms[i] > 20 && rnd(&seed, 10) == 0)
				due_ms[i] -= 20;
			if (due_ms[i] == 0)
				due_ms[i] = 1;
			timer_wheel_set(&wheel, &nodes[i], due_ms[i], now_ms);
			break;
		case 3:
			timer_wheel_remove(&wheel, &nodes[i]);
			due_ms[i] = 0;
			break;
		default:
			now_ms += rnd(&seed, span) / 20;
			take_all_due();
			break;
		}
		next_is_right();
	}
	now_ms += 400000;
	take_all_due();
	assert_int_equal(wheel.n_nodes, 0);
	assert_true(timer_wheel_next_ms(&wheel) == TIMER_WHEEL_IDLE);
}

static void sleeps_through_an_idle_hour(void **state)
{
	(void)state;
	begin(10);
	timer_wheel_set(&wheel, &nodes[0], 20, now_ms);
	due_ms[0] = 20;
	now_ms = 20;
	take_all_due();
	assert_true(timer_wheel_next_ms(&wheel) == TIMER_WHEEL_IDLE);
	now_ms = 3600000;
	due_ms[1] = now_ms + 1000;
	timer_wheel_set(&wheel, &nodes[1], due_ms[1], now_ms);
	assert_int_equal(timer_wheel_next_ms(&wheel), due_ms[1]);
	assert_null(timer_wheel_take_due(&wheel, now_ms + 999));
	assert_ptr_equal(timer_wheel_take_due(&wheel, now_ms + 1000), &nodes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(sleeps_through_an_idle_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
