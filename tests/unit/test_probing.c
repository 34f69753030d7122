/* core/probing.h: who waits for what, in which order, and how many at most. */
#include "core/probing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FIRST 0x0a000001u

static int hold(
	struct probing *p, uint32_t address, const char *packet, int64_t now_ms, bool *ret_asked)
{
	const struct held h = { .address = { address }, .ifindex = 2, .packet = span_str(packet) };

	return probing_hold(p, &h, now_ms, ret_asked);
}

static void drop_first(struct probing *p)
{
	struct held *h = probing_first(p);

	probing_take(p, h);
	probing_held_free(h);
}

static int set_up(void **state)
{
	struct probing *p;

	if (probing_new(&p) < 0)
		return -1;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	probing_free(*state);
	return 0;
}

static void the_oldest_is_the_first(void **state)
{
	struct probing *p = *state;
	bool asked;

	assert_null(probing_first(p));
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(hold(p, FIRST + i * 7919 % 1000, "x", i, &asked), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		const struct held *h = probing_first(p);

		assert_int_equal(h->address.v, FIRST + i * 7919 % 1000);
		assert_int_equal(h->due_ms, i + PROBING_WAIT_MS);
		drop_first(p);
	}
	assert_null(probing_first(p));
}

static void a_newer_packet_takes_the_place_of_the_older(void **state)
{
	struct probing *p = *state;
	const struct held *h;
	bool asked = true;

	assert_int_equal(hold(p, FIRST, "a longer one", 1000, &asked), 0);
	assert_false(asked);
	assert_int_equal(hold(p, FIRST + 1, "another", 1010, &asked), 0);
	assert_int_equal(hold(p, FIRST, "again", 1100, &asked), 0);
	assert_true(asked);
	h = probing_first(p);
	assert_int_equal(h->address.v, FIRST);
	assert_true(span_eq(h->packet, span_str("again")));
	assert_int_equal(h->due_ms, 1000 + PROBING_WAIT_MS);
	drop_first(p);
	assert_null(probing_find(p, (struct ip4){ FIRST }));
	assert_non_null(probing_find(p, (struct ip4){ FIRST + 1 }));
}

static void there_is_a_limit(void **state)
{
	struct probing *p = *state;
	bool asked = false;

	for (uint32_t i = 0; i < PROBING_MAX; i++)
		assert_int_equal(hold(p, FIRST + i, "", 0, &asked), 0);
	assert_int_equal(hold(p, FIRST + PROBING_MAX, "", 0, &asked), -ENOSPC);
	assert_int_equal(hold(p, FIRST, "the same again has room", 0, &asked), 0);
	assert_true(asked);
	drop_first(p);
	assert_int_equal(hold(p, FIRST + PROBING_MAX, "", 0, &asked), 0);
}

static const struct mac router = { { 2, 0, 0, 0, 0, 1 } }, host = { { 2, 0, 0, 0, 0, 2 } };

static void one_who_answers_for_all_is_a_proxy(void **state)
{
	struct probing *p = *state;

	for (unsigned i = 1; i < PROBING_PROXY_ADDRESSES; i++)
		assert_false(probing_answered(p, 2, router, 1000 + i));
	assert_false(probing_is_useless(p, 2));
	assert_true(probing_answered(p, 2, router, 2000));
	assert_true(probing_is_useless(p, 2));
	assert_false(probing_answered(p, 2, router, 2001)); /* told once */
	assert_false(probing_is_useless(p, 3));
	probing_forget_wires(p);
	assert_false(probing_is_useless(p, 2));
}

static void several_hosts_are_none(void **state)
{
	struct probing *p = *state;

	for (unsigned i = 0; i < 100; i++)
		assert_false(probing_answered(p, 2, i % 2 ? router : host, 1000 + i));
	/* Nor is one that answers now and then. */
	for (unsigned i = 0; i < 100; i++)
		assert_false(
			probing_answered(p, 2, host, 2000 + (int64_t)i * PROBING_PROXY_MS / 5));
	assert_false(probing_is_useless(p, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_is_the_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_newer_packet_takes_the_place_of_the_older, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_a_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_who_answers_for_all_is_a_proxy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(several_hosts_are_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
