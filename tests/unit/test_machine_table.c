/* The table of machines' states: strangers give way, nobody else does. */
#include "core/machine_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct machine_state machine(uint32_t n)
{
	return (struct machine_state){ .mac = { { 2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
					       (uint8_t)(n >> 8), (uint8_t)n } } };
}

struct put {
	uint64_t version;
	bool evicted;
	struct mac victim;
};

static bool has(const struct machine_table *t, struct machine_state s)
{
	return machine_table_find(t, s.mac) != NULL;
}

/* As app/machines.c does. */
static struct put put(struct machine_table *t, struct machine_state s, bool known)
{
	struct put p = { 0 };

	p.evicted = machine_table_evict(t, !known && !has(t, s), &p.victim);
	assert_int_equal(machine_table_put(t, &s, known, &p.version), 0);
	return p;
}

static struct machine_table *begin(void **state)
{
	struct machine_table *t;

	(void)state;
	assert_int_equal(machine_table_new(&t), 0);
	return t;
}

static void fill(struct machine_table *t)
{
	for (uint32_t i = 0; i < MACHINE_TABLE_STRANGERS_MAX; i++)
		assert_false(put(t, machine(i), false).evicted);
}

static void finds_what_was_put(void **state)
{
	struct machine_table *t = begin(state);
	struct machine_state s = machine(1);
	struct mac *macs;
	size_t n;

	s.has_uuid = true;
	s.uuid.b[0] = 9;
	s.phase = MACHINE_LOCAL;
	(void)put(t, s, false);
	(void)put(t, machine(2), false);
	assert_false(has(t, machine(3)));
	assert_int_equal(machine_table_find(t, s.mac)->phase, MACHINE_LOCAL);
	assert_true(mac_eq(machine_table_find_uuid(t, s.uuid)->mac, s.mac));
	assert_true(mac_eq(machine_table_find_uuid(t, uuid_swap(s.uuid))->mac, s.mac));
	assert_null(machine_table_find_uuid(t, (struct uuid){ { 1 } }));
	(void)put(t, s, true);
	assert_null(machine_table_find_uuid(
		t, s.uuid)); /* known by its MAC: whose UUID it says is no matter */
	s.phase = MACHINE_HOLD;
	(void)put(t, s, true);
	assert_int_equal(machine_table_find(t, s.mac)->phase, MACHINE_HOLD);
	assert_int_equal(machine_table_macs(t, &macs, &n), 0);
	assert_int_equal(n, 2);
	assert_true(memcmp(&macs[0], &macs[1], sizeof(macs[0])) < 0);
	free(macs);
	machine_table_free(t);
}

static struct machine_state seen(uint32_t n, int64_t first_seen_s)
{
	struct machine_state s = machine(n);

	s.has_uuid = true;
	s.uuid = (struct uuid){ { 9, 9, 9 } };
	s.first_seen_s = first_seen_s;
	return s;
}

static uint32_t found(const struct machine_table *t)
{
	const struct machine_state *s = machine_table_find_uuid(t, seen(0, 0).uuid);

	return s ? (uint32_t)s->mac.b[4] << 8 | s->mac.b[5] : 0;
}

/* Whatever the hash does with several of one UUID: it grows, or they came in another order. */
static void of_several_one_is_found(void **state)
{
	for (uint32_t turn = 0; turn < 4; turn++) {
		struct machine_table *t = begin(state);
		struct machine_state s;

		for (uint32_t i = 0; i < 4; i++) {
			uint32_t n = 1 + ((i + turn) & 3);

			(void)put(t, seen(n, n == 2 ? 50 : 100), false);
		}
		assert_int_equal(found(t), 2);
		for (uint32_t i = 100; i < 3000; i++) {
			s = machine(i);
			s.has_uuid = true;
			s.uuid = (struct uuid){ { (uint8_t)i, (uint8_t)(i >> 8), 1 } };
			(void)put(t, s, false);
		}
		assert_int_equal(machine_table_count_uuid(t, seen(0, 0).uuid), 4);
		assert_int_equal(found(t), 2);
		(void)put(t, seen(2, 100), false);
		assert_int_equal(found(t), 1);
		s = seen(4, 900);
		s.phase = MACHINE_INSTALLING;
		(void)put(t, s, false);
		assert_int_equal(found(t), 4);
		s = seen(3, 950);
		s.phase = MACHINE_INSTALLED;
		(void)put(t, s, false);
		assert_int_equal(found(t), 3);
		s.uuid.b[0] = 7;
		(void)put(t, s, false);
		assert_int_equal(found(t), 4);
		assert_int_equal(machine_table_count_uuid(t, seen(0, 0).uuid), 3);
		machine_table_free(t);
	}
}

/* A flood of made-up MACs takes nothing from machines that matter. */
static void strangers_make_room(void **state)
{
	struct machine_table *t = begin(state);
	struct machine_state installed = machine(0), installing = machine(1), held = machine(2),
			     once = machine(3);
	struct put p;

	fill(t);
	installed.phase = MACHINE_INSTALLED;
	installing.phase = MACHINE_INSTALLING;
	held.phase = MACHINE_HOLD;
	(void)snprintf(once.boot_once, sizeof(once.boot_once), "live");
	(void)put(t, installed, false);
	(void)put(t, installing, false);
	(void)put(t, held, false);
	(void)put(t, once, false);
	(void)put(t, machine(4), true);
	(void)put(t, machine(5), false);      /* heard of just now */
	p = put(t, machine(1u << 20), false); /* 4 is known: there was room */
	assert_false(p.evicted);
	p = put(t, machine((1u << 20) + 1), false);
	assert_true(p.evicted && mac_eq(p.victim, machine(6).mac));
	for (uint32_t i = 2; i < 2 * MACHINE_TABLE_STRANGERS_MAX; i++)
		(void)put(t, machine((1u << 20) + i), false);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(has(t, machine(i)));
	assert_false(has(t, machine(5)));
	machine_table_free(t);
}

static void who_installs_goes_last(void **state)
{
	struct machine_table *t = begin(state);
	struct put p;

	for (uint32_t i = 0; i < MACHINE_TABLE_STRANGERS_MAX; i++) {
		struct machine_state s = machine(i);

		s.phase = i == 7 ? MACHINE_NEW : MACHINE_INSTALLING;
		(void)put(t, s, false);
	}
	p = put(t, machine(1u << 20), false);
	assert_true(p.evicted && mac_eq(p.victim, machine(7).mac));
	p = put(t, machine((1u << 20) + 1), false);
	assert_true(p.evicted && mac_eq(p.victim, machine(1u << 20).mac));
	machine_table_free(t);
}

static void full_of_what_must_stay(void **state)
{
	struct machine_table *t = begin(state);
	struct machine_state s;
	struct mac victim;
	uint64_t version;

	for (uint32_t i = 0; i < MACHINE_TABLE_STRANGERS_MAX; i++) {
		s = machine(i);
		s.phase = MACHINE_INSTALLED;
		(void)put(t, s, false);
	}
	s = machine(1u << 20);
	assert_false(machine_table_evict(t, 1, &victim));
	assert_int_equal(machine_table_put(t, &s, false, &version), -ENOSPC);
	assert_false(has(t, s));
	(void)put(t, s, true); /* the configuration's own have room always */
	s = machine(3);
	s.phase = MACHINE_HOLD;
	(void)put(t, s, false);
	machine_table_free(t);
}

static bool is_even(void *ctx, const struct machine_state *s)
{
	(void)ctx;
	return s->mac.b[5] % 2 == 0;
}

static void another_configuration(void **state)
{
	struct machine_table *t = begin(state);
	struct put p;

	fill(t);
	machine_table_sort(t, is_even, NULL);
	for (uint32_t i = 0; i < MACHINE_TABLE_STRANGERS_MAX / 2; i++)
		assert_false(put(t, machine((1u << 20) + i), false).evicted);
	p = put(t, machine(1u << 21), false);
	assert_true(p.evicted && p.victim.b[5] % 2 == 1);
	machine_table_free(t);
}

/* More are on disk than may stay, since the configuration knew them then: all that must
 * stay do, and the others go, the longest silent first. */
static void restores_all_and_then_evicts(void **state)
{
	struct machine_table *t = begin(state);
	struct mac victim;
	uint32_t n = 0;

	for (uint32_t i = 0; i < MACHINE_TABLE_STRANGERS_MAX + 10; i++) {
		struct machine_state s = machine(i);

		s.phase = i < 5 || i > 20 ? MACHINE_INSTALLED : MACHINE_NEW;
		assert_int_equal(machine_table_restore(t, &s, false), 0);
	}
	while (machine_table_evict(t, 0, &victim))
		assert_true(mac_eq(victim, machine(5 + n++).mac));
	assert_int_equal(n, 10);
	for (uint32_t i = 21; i < 27; i++) { /* six may still go */
		struct machine_state s = machine((1u << 20) + i);

		s.phase = MACHINE_INSTALLED;
		(void)put(t, s, false);
	}
	for (uint32_t i = 0; i < 5; i++) {
		struct machine_state s = machine((1u << 21) + i);

		s.phase = MACHINE_INSTALLED;
		assert_int_equal(machine_table_restore(t, &s, false), 0);
	}
	assert_false(machine_table_evict(t, 0, &victim));
	machine_table_free(t);
}

struct unstored {
	unsigned n;
	uint64_t version;
};

static void on_unstored(void *ctx, const struct machine_state *s, uint64_t version)
{
	struct unstored *u = ctx;

	(void)s;
	u->n++;
	u->version = version;
}

static void knows_what_is_stored(void **state)
{
	struct machine_table *t = begin(state);
	struct unstored u = { 0 };
	uint64_t first = put(t, machine(1), true).version,
		 second = put(t, machine(1), true).version;

	(void)put(t, machine(2), true);
	machine_table_stored(t, machine(1).mac, first);
	machine_table_unstored(t, on_unstored, &u);
	assert_int_equal(u.n, 2);
	machine_table_stored(t, machine(1).mac, second);
	machine_table_stored(t, machine(1).mac, first); /* a late one takes nothing back */
	machine_table_stored(t, machine(9).mac, second);
	u = (struct unstored){ 0 };
	machine_table_unstored(t, on_unstored, &u);
	assert_int_equal(u.n, 1);
	machine_table_stored(t, machine(2).mac, u.version);
	u = (struct unstored){ 0 };
	machine_table_unstored(t, on_unstored, &u);
	assert_int_equal(u.n, 0);
	machine_table_free(t);
}

/* What becomes of a machine, once it is stored, stays so whatever else is heard of it. */
static void knows_what_is_settled(void **state)
{
	struct machine_table *t = begin(state);
	struct machine_state s = machine(1);
	uint64_t heard, moved;

	assert_true(machine_table_is_settled(t, s.mac));
	(void)put(t, s, true);
	assert_true(machine_table_is_settled(t, s.mac));
	for (unsigned i = 0; i < 4; i++) {
		if (i == 0)
			s.phase = MACHINE_INSTALLING;
		else if (i == 1)
			s.token_use = MACHINE_TOKEN_FRESH;
		else if (i == 2)
			s.token[15] = 1;
		else
			(void)snprintf(s.boot_once, sizeof(s.boot_once), "live");
		moved = put(t, s, true).version;
		s.last_seen_s++;
		heard = put(t, s, true).version;
		assert_false(machine_table_is_settled(t, s.mac));
		machine_table_stored(t, s.mac, moved - 1);
		assert_false(machine_table_is_settled(t, s.mac));
		machine_table_stored(t, s.mac, i % 2 ? moved : heard);
		assert_true(machine_table_is_settled(t, s.mac));
	}
	s = machine(2);
	s.phase = MACHINE_INSTALLED;
	assert_int_equal(machine_table_restore(t, &s, false), 0);
	assert_true(machine_table_is_settled(t, s.mac));
	machine_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put),
		cmocka_unit_test(strangers_make_room),
		cmocka_unit_test(of_several_one_is_found),
		cmocka_unit_test(who_installs_goes_last),
		cmocka_unit_test(full_of_what_must_stay),
		cmocka_unit_test(another_configuration),
		cmocka_unit_test(restores_all_and_then_evicts),
		cmocka_unit_test(knows_what_is_stored),
		cmocka_unit_test(knows_what_is_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
