/* The states of a machine: every event in every state, as a table. */
#include "core/machine_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FRESH MACHINE_TOKEN_FRESH
#define USED  MACHINE_TOKEN_USED
#define NONE  MACHINE_TOKEN_NONE

/* Before: phase, boot once, token; the event and its profile; after, and whether it changed anything. */
static const struct {
	enum machine_phase phase;
	const char *once;
	enum machine_token_use token;
	enum machine_event event;
	const char *profile;
	bool changes;
	enum machine_phase phase_after;
	const char *once_after;
	enum machine_token_use token_after;
} table[] = {
	/* what the configuration says is given */
	{ MACHINE_NEW, "", NONE, MACHINE_GIVEN, "live", true, MACHINE_NEW, "", NONE },
	{ MACHINE_NEW, "", FRESH, MACHINE_GIVEN_INSTALL, "debian", true, MACHINE_INSTALLING, "",
		FRESH },
	{ MACHINE_INSTALLING, "", FRESH, MACHINE_GIVEN_INSTALL, "debian", true, MACHINE_INSTALLING,
		"", FRESH },
	{ MACHINE_INSTALLING, "", FRESH, MACHINE_GIVEN, "live", true, MACHINE_INSTALLING, "",
		FRESH },
	/* what ends after an order came is nothing to these */
	{ MACHINE_INSTALLED, "", USED, MACHINE_GIVEN_INSTALL, "debian", false, MACHINE_INSTALLED,
		"", USED },
	{ MACHINE_HOLD, "", FRESH, MACHINE_GIVEN_INSTALL, "debian", false, MACHINE_HOLD, "",
		FRESH },
	{ MACHINE_LOCAL, "", NONE, MACHINE_GIVEN, "live", false, MACHINE_LOCAL, "", NONE },
	{ MACHINE_INSTALLED, "rescue", USED, MACHINE_GIVEN_INSTALL, "debian", false,
		MACHINE_INSTALLED, "rescue", USED },
	/* what was ordered once */
	{ MACHINE_NEW, "rescue", NONE, MACHINE_GIVEN, "rescue", true, MACHINE_NEW, "", NONE },
	{ MACHINE_NEW, "rescue", NONE, MACHINE_GIVEN, "live", true, MACHINE_NEW, "rescue", NONE },
	{ MACHINE_INSTALLED, "rescue", USED, MACHINE_GIVEN, "rescue", true, MACHINE_INSTALLED, "",
		USED },
	{ MACHINE_INSTALLED, "debian", FRESH, MACHINE_GIVEN_INSTALL, "debian", true,
		MACHINE_INSTALLING, "", FRESH },
	{ MACHINE_HOLD, "rescue", NONE, MACHINE_GIVEN, "rescue", true, MACHINE_HOLD, "", NONE },
	{ MACHINE_LOCAL, "debian", FRESH, MACHINE_GIVEN_INSTALL, "debian", true, MACHINE_INSTALLING,
		"", FRESH },
	/* phoning home */
	{ MACHINE_INSTALLING, "", FRESH, MACHINE_PHONED_HOME, NULL, true, MACHINE_INSTALLED, "",
		USED },
	{ MACHINE_NEW, "", FRESH, MACHINE_PHONED_HOME, NULL, true, MACHINE_INSTALLED, "", USED },
	{ MACHINE_HOLD, "", FRESH, MACHINE_PHONED_HOME, NULL, true, MACHINE_HOLD, "", USED },
	{ MACHINE_LOCAL, "", FRESH, MACHINE_PHONED_HOME, NULL, true, MACHINE_LOCAL, "", USED },
	{ MACHINE_INSTALLING, "rescue", FRESH, MACHINE_PHONED_HOME, NULL, true, MACHINE_INSTALLED,
		"rescue", USED },
	{ MACHINE_INSTALLED, "", USED, MACHINE_PHONED_HOME, NULL, false, MACHINE_INSTALLED, "",
		USED },
	{ MACHINE_INSTALLING, "", USED, MACHINE_PHONED_HOME, NULL, false, MACHINE_INSTALLING, "",
		USED },
	{ MACHINE_NEW, "", NONE, MACHINE_PHONED_HOME, NULL, false, MACHINE_NEW, "", NONE },
	/* orders: the last one counts */
	{ MACHINE_NEW, "", NONE, MACHINE_ORDER_BOOT, "rescue", true, MACHINE_NEW, "rescue", NONE },
	{ MACHINE_INSTALLED, "", USED, MACHINE_ORDER_BOOT, "rescue", true, MACHINE_INSTALLED,
		"rescue", USED },
	{ MACHINE_INSTALLED, "rescue", USED, MACHINE_ORDER_BOOT, "live", true, MACHINE_INSTALLED,
		"live", USED },
	{ MACHINE_INSTALLED, "rescue", USED, MACHINE_ORDER_BOOT, "rescue", false, MACHINE_INSTALLED,
		"rescue", USED },
	{ MACHINE_NEW, "rescue", NONE, MACHINE_ORDER_HOLD, NULL, true, MACHINE_HOLD, "", NONE },
	{ MACHINE_INSTALLING, "", FRESH, MACHINE_ORDER_HOLD, NULL, true, MACHINE_HOLD, "", FRESH },
	{ MACHINE_HOLD, "", NONE, MACHINE_ORDER_HOLD, NULL, false, MACHINE_HOLD, "", NONE },
	{ MACHINE_HOLD, "rescue", NONE, MACHINE_ORDER_HOLD, NULL, true, MACHINE_HOLD, "", NONE },
	{ MACHINE_HOLD, "", NONE, MACHINE_ORDER_LOCAL, NULL, true, MACHINE_LOCAL, "", NONE },
	{ MACHINE_LOCAL, "", NONE, MACHINE_ORDER_LOCAL, NULL, false, MACHINE_LOCAL, "", NONE },
	{ MACHINE_INSTALLED, "", USED, MACHINE_ORDER_RESET, NULL, true, MACHINE_NEW, "", NONE },
	{ MACHINE_INSTALLING, "live", FRESH, MACHINE_ORDER_RESET, NULL, true, MACHINE_NEW, "",
		NONE },
	{ MACHINE_LOCAL, "", NONE, MACHINE_ORDER_RESET, NULL, true, MACHINE_NEW, "", NONE },
	{ MACHINE_NEW, "", FRESH, MACHINE_ORDER_RESET, NULL, true, MACHINE_NEW, "", NONE },
	{ MACHINE_NEW, "", NONE, MACHINE_ORDER_RESET, NULL, false, MACHINE_NEW, "", NONE },
};

static const uint8_t random_octets[MACHINE_TOKEN_OCTETS] = { 0xde, 0xad, 0xbe, 0xef, 4, 5, 6, 7, 8,
	9, 10, 11, 12, 13, 14, 0xff };
#define TOKEN_TEXT "deadbeef0405060708090a0b0c0d0eff"

static struct machine_state state_with(
	enum machine_phase phase, const char *once, enum machine_token_use token)
{
	struct machine_state s = { .phase = phase, .token_use = token };

	(void)snprintf(s.boot_once, sizeof(s.boot_once), "%s", once);
	if (token != NONE)
		memcpy(s.token, random_octets, sizeof(s.token));
	return s;
}

static void moves_as_the_table_says(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct machine_state s = state_with(table[i].phase, table[i].once, table[i].token);
		bool changes = machine_state_apply(&s, table[i].event, table[i].profile, 1000);

		if (changes != table[i].changes || s.phase != table[i].phase_after ||
			strcmp(s.boot_once, table[i].once_after) != 0 ||
			s.token_use != table[i].token_after)
			fail_msg("row %zu: %s, once \"%s\", token %d, changes %d", i,
				machine_phase_name(s.phase), s.boot_once, s.token_use, changes);
	}
}

/* Whatever happens in whatever order: a reset is the end of every secret and order,
 * and nothing but an order or the first installation makes a machine install. */
static void holds_for_every_history(void **unused)
{
	static const char *const profiles[] = { "a", "b" };

	(void)unused;
	srand(1);
	for (unsigned run = 0; run < 20000; run++) {
		struct machine_state s = { .phase = MACHINE_NEW };

		for (unsigned step = 0; step < 12; step++) {
			enum machine_event e = (enum machine_event)(rand() % MACHINE_EVENT_COUNT);
			const char *profile = profiles[rand() % 2];
			struct machine_state before = s;
			bool changes;

			if (rand() % 4 == 0)
				(void)machine_state_give_token(&s, random_octets);
			before = s;
			changes = machine_state_apply(&s, e, profile, 1);
			if (!changes)
				assert_memory_equal(&before, &s, sizeof(s));
			if (e == MACHINE_ORDER_RESET) {
				assert_int_equal(s.token_use, NONE);
				assert_string_equal(s.boot_once, "");
			}
			if (s.phase == MACHINE_INSTALLING && before.phase != MACHINE_INSTALLING)
				assert_true(before.phase == MACHINE_NEW ||
					strcmp(before.boot_once, profile) == 0);
			if (s.phase == MACHINE_INSTALLED && before.phase != MACHINE_INSTALLED)
				assert_true(e == MACHINE_PHONED_HOME && before.token_use == FRESH);
		}
	}
}

static void only_its_own_token_is_one(void **unused)
{
	struct machine_state s = { .phase = MACHINE_NEW };

	(void)unused;
	assert_int_equal(machine_state_check_token(&s, SPAN_LIT(TOKEN_TEXT)), NONE);
	assert_int_equal(
		machine_state_check_token(&s, SPAN_LIT("00000000000000000000000000000000")), NONE);
	assert_true(machine_state_give_token(&s, random_octets));
	assert_string_equal(machine_state_token_text(&s).s, TOKEN_TEXT);
	assert_false(machine_state_give_token(&s, (const uint8_t[MACHINE_TOKEN_OCTETS]){ 1 }));
	assert_int_equal(machine_state_check_token(&s, SPAN_LIT(TOKEN_TEXT)), FRESH);
	for (size_t i = 0; i < MACHINE_TOKEN_TEXT_MAX - 1; i++) {
		char other[] = TOKEN_TEXT;

		other[i] ^= 1;
		assert_int_equal(machine_state_check_token(&s, span_str(other)), NONE);
	}
	assert_int_equal(machine_state_check_token(&s, SPAN_LIT(TOKEN_TEXT "0")), NONE);
	assert_int_equal(machine_state_check_token(&s, SPAN_LIT("deadbeef")), NONE);
	assert_int_equal(machine_state_check_token(&s, SPAN_NONE), NONE);
	assert_true(machine_state_apply(&s, MACHINE_PHONED_HOME, NULL, 1));
	assert_int_equal(machine_state_check_token(&s, SPAN_LIT(TOKEN_TEXT)), USED);
	/* the next installation has another one */
	assert_true(machine_state_give_token(&s, (const uint8_t[MACHINE_TOKEN_OCTETS]){ 1 }));
	assert_int_equal(machine_state_check_token(&s, SPAN_LIT(TOKEN_TEXT)), NONE);
}

static void what_must_stay(void **unused)
{
	static const struct {
		enum machine_phase phase;
		const char *once;
		bool kept;
	} rows[] = {
		{ MACHINE_NEW, "", false },
		{ MACHINE_INSTALLING, "", false },
		{ MACHINE_NEW, "live", true },
		{ MACHINE_INSTALLED, "", true },
		{ MACHINE_HOLD, "", true },
		{ MACHINE_LOCAL, "", true },
		{ MACHINE_INSTALLING, "a", true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct machine_state s = state_with(rows[i].phase, rows[i].once, NONE);

		assert_int_equal(machine_state_is_kept(&s), rows[i].kept);
	}
}

static const struct facts firmware = { .client = CLIENT_PXE,
	.has_arch = true,
	.arch_number = 7,
	.arch = ARCH_X64,
	.has_uuid = true,
	.uuid = { { 1, 2, 3 } },
	.vendor_class = { (const uint8_t *)"PXEClient:Arch:00007", 20 },
	.network = "br0" };
static const struct facts ipxe = { .client = CLIENT_IPXE,
	.has_arch = true,
	.arch_number = 0,
	.arch = ARCH_BIOS,
	.serial = { (const uint8_t *)"S1", 2 } };
static const struct facts os = { .client = CLIENT_DHCP,
	.hostname = { (const uint8_t *)"web1", 4 },
	.vendor_class = { (const uint8_t *)"dhcpcd", 6 } };

static void hears_what_it_says(void **unused)
{
	struct machine_state s = { .mac = { { 2 } } };
	struct facts f;

	(void)unused;
	assert_true(machine_state_hear(&s, &firmware, (struct ip4){ 0 }, 100));
	assert_false(machine_state_hear(&s, &firmware, (struct ip4){ 0 }, 101));
	assert_true(machine_state_hear(&s, &firmware, (struct ip4){ 5 }, 102));
	assert_true(machine_state_hear(&s, &ipxe, (struct ip4){ 5 }, 103)); /* its serial */
	assert_true(machine_state_hear(&s, &os, (struct ip4){ 0 }, 104));   /* its hostname */
	assert_false(machine_state_hear(&s, &os, (struct ip4){ 0 }, 105));
	assert_int_equal(s.first_seen_s, 100);
	assert_int_equal(s.last_seen_s, 105);
	machine_state_facts(&s, &f);
	assert_int_equal(f.transport, TRANSPORT_TFTP);
	assert_int_equal(f.client, CLIENT_PXE); /* neither iPXE nor the system told otherwise */
	assert_int_equal(f.arch, ARCH_X64);
	assert_true(span_eq(f.vendor_class, firmware.vendor_class));
	assert_true(span_eq(f.hostname, os.hostname));
	assert_true(span_eq(f.serial, ipxe.serial));
	assert_string_equal(f.network, "br0");
	assert_true(f.has_uuid && uuid_eq(f.uuid, firmware.uuid));
	assert_ptr_equal(f.state, &s);
	assert_int_equal(s.address.v, 5);
}

static void ipxe_in_rom_is_heard_as_such(void **unused)
{
	struct machine_state s = { .phase = MACHINE_NEW };

	(void)unused;
	assert_true(machine_state_hear(&s, &ipxe, (struct ip4){ 0 }, 1));
	assert_int_equal(s.client, CLIENT_IPXE);
	assert_true(machine_state_hear(&s, &firmware, (struct ip4){ 0 }, 1));
	assert_int_equal(s.client, CLIENT_PXE);
}

static void long_texts_are_cut(void **unused)
{
	struct machine_state s = { .phase = MACHINE_NEW };
	uint8_t octets[300];
	struct span longest = { octets, sizeof(octets) };

	(void)unused;
	memset(octets, 'x', sizeof(octets));
	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++) {
		assert_true(machine_state_say(&s, i, longest));
		assert_false(machine_state_say(&s, i, longest));
		assert_false(machine_state_say(&s, i, SPAN_NONE));
		assert_int_equal(machine_state_said(&s, i).n, MACHINE_TEXT_MAX);
		assert_int_equal(s.said[i].b[MACHINE_TEXT_MAX], 0);
		assert_true(strlen(machine_said_name(i)) > 0);
	}
}

static void names_go_there_and_back(void **unused)
{
	enum machine_phase p = MACHINE_NEW;

	(void)unused;
	for (enum machine_phase i = 0; i < MACHINE_PHASE_COUNT; i++) {
		assert_int_equal(machine_phase_parse(span_str(machine_phase_name(i)), &p), 0);
		assert_int_equal(p, i);
	}
	assert_true(machine_phase_parse(SPAN_LIT("newer"), &p) < 0);
}

/* What is told again stays so until something is ordered, or another thing given. */
static void told_again_until_the_next_order(void **unused)
{
	static const enum machine_event ends[] = { MACHINE_GIVEN, MACHINE_ORDER_BOOT,
		MACHINE_ORDER_HOLD, MACHINE_ORDER_LOCAL, MACHINE_ORDER_RESET };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct machine_state s = state_with(MACHINE_NEW, "", FRESH);

		s.again_until_s = 1030;
		(void)machine_state_apply(&s, MACHINE_PHONED_HOME, NULL, 1000);
		assert_int_equal(s.again_until_s, 1030);
		s.phase = MACHINE_NEW;
		assert_true(machine_state_apply(&s, ends[i], "live", 1000));
		assert_int_equal(s.again_until_s, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_as_the_table_says),
		cmocka_unit_test(holds_for_every_history),
		cmocka_unit_test(only_its_own_token_is_one),
		cmocka_unit_test(what_must_stay),
		cmocka_unit_test(hears_what_it_says),
		cmocka_unit_test(ipxe_in_rom_is_heard_as_such),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(names_go_there_and_back),
		cmocka_unit_test(told_again_until_the_next_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
