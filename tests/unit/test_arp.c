/* wire/arp.h: messages in and out, lengths and kinds that are not ours. */
#include "wire/arp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* RFC 5227 2.1.1: sender address and target hardware address are zero. */
static const uint8_t probe_octets[] = { 0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 1, 2, 3, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 172, 24, 32, 1 };
static const uint8_t reply_octets[] = { 0, 1, 8, 0, 6, 4, 0, 2, 0x52, 0x54, 0, 9, 9, 9, 172, 24, 32,
	1, 0x52, 0x54, 0, 1, 2, 3, 0, 0, 0, 0 };
static const struct mac ours = { { 0x52, 0x54, 0, 1, 2, 3 } },
			other = { { 0x52, 0x54, 0, 9, 9, 9 } };

static enum drop decode(const uint8_t *p, size_t n, struct arp *ret)
{
	/* A copy without slack: the sanitizer sees any read past the end. */
	uint8_t *copy = malloc(n ? n : 1);
	enum drop d;

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	d = arp_decode((struct span){ copy, n }, ret);
	free(copy);
	return d;
}

static void a_probe_names_no_sender(void **state)
{
	struct arp a = arp_probe(ours, (struct ip4){ 0xac182001u });
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	arp_encode(&a, &w);
	assert_int_equal(w.n, ARP_OCTETS);
	assert_memory_equal(buf, probe_octets, sizeof(probe_octets));
	w = wr_of(buf, ARP_OCTETS - 1);
	arp_encode(&a, &w);
	assert_true(w.full);
}

static void a_reply_says_who_has_the_address(void **state)
{
	uint8_t padded[46] = { 0 };
	struct arp a;

	(void)state;
	assert_int_equal(decode(reply_octets, sizeof(reply_octets), &a), DROP_NONE);
	assert_false(a.request);
	assert_int_equal(a.sender.v, 0xac182001u);
	assert_true(mac_eq(a.sender_mac, other) && mac_eq(a.target_mac, ours));
	assert_int_equal(a.target.v, 0);

	memcpy(padded, probe_octets, sizeof(probe_octets));
	assert_int_equal(decode(padded, sizeof(padded), &a), DROP_NONE);
	assert_true(a.request);
	assert_int_equal(a.sender.v, 0);
	assert_int_equal(a.target.v, 0xac182001u);
}

static const struct {
	const char *name;
	size_t at;
	uint8_t value;
} not_ours[] = {
	{ "another hardware", 1, 6 },
	{ "another protocol", 2, 0x86 },
	{ "hardware addresses of another length", 4, 8 },
	{ "protocol addresses of another length", 5, 16 },
	{ "reverse ARP request", 7, 3 },
	{ "no operation", 7, 0 },
	{ "operation 257", 6, 1 },
};

static void what_is_not_ours_is_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++) {
		uint8_t octets[sizeof(reply_octets)];
		struct arp a;

		memcpy(octets, reply_octets, sizeof(octets));
		octets[not_ours[i].at] = not_ours[i].value;
		if (decode(octets, sizeof(octets), &a) != DROP_FRAME_NOT_ARP)
			fail_msg("%s: not dropped", not_ours[i].name);
	}
}

static void every_length_that_is_too_short_is_dropped(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(reply_octets); n++) {
		struct arp a = { .sender.v = 7 };

		if (decode(reply_octets, n, &a) != DROP_FRAME_SHORT || a.sender.v != 7)
			fail_msg("%zu octets", n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_names_no_sender),
		cmocka_unit_test(a_reply_says_who_has_the_address),
		cmocka_unit_test(what_is_not_ours_is_dropped),
		cmocka_unit_test(every_length_that_is_too_short_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
