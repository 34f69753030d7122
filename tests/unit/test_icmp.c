/* wire/icmp.h: our own question, answers to it, and what is none. */
#include "wire/icmp.h"

#include "wire/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COOKIE 0x0102030405060708u
#define IP_MAX 64u

/* An echo reply of 10.9.0.100 in an IPv4 packet with a header of so many octets. */
static size_t make_reply(uint8_t *buf, size_t header)
{
	struct wr w = wr_of(buf, IP_MAX);
	uint8_t *m = buf + header;
	uint16_t sum;

	wr_u8(&w, (uint8_t)(0x40 | header / 4));
	wr_fill(&w, 0, 11);
	wr_u32(&w, 0x0a090064u);
	wr_u32(&w, 0x0a000001u);
	wr_fill(&w, 1, header - 20);
	icmp_put_echo(&w, COOKIE);
	m[0] = 0;
	m[2] = m[3] = 0;
	sum = checksum_fold(checksum_add(0, (struct span){ m, ICMP_ECHO_OCTETS }));
	m[2] = (uint8_t)(sum >> 8);
	m[3] = (uint8_t)sum;
	return w.n;
}

static bool is_reply(const uint8_t *p, size_t n, uint64_t cookie, struct ip4 *ret)
{
	uint8_t *copy = malloc(n ? n : 1);
	bool yes;

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	yes = icmp_echo_reply((struct span){ copy, n }, cookie, ret);
	free(copy);
	return yes;
}

static void a_question_is_an_echo_request(void **state)
{
	/* The sum was computed by other means. */
	static const uint8_t octets[] = { 8, 0, 0xe7, 0xeb, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t buf[ICMP_ECHO_OCTETS];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	icmp_put_echo(&w, COOKIE);
	assert_int_equal(w.n, sizeof(octets));
	assert_memory_equal(buf, octets, sizeof(octets));
}

static void an_answer_names_its_sender(void **state)
{
	(void)state;
	for (size_t header = 20; header <= 48; header += 4) {
		uint8_t buf[IP_MAX];
		size_t n = make_reply(buf, header);
		struct ip4 source = { 0 };

		if (!is_reply(buf, n, COOKIE, &source) || source.v != 0x0a090064u)
			fail_msg("an IP header of %zu octets", header);
		if (is_reply(buf, n, COOKIE + 1, &source))
			fail_msg("another's cookie");
	}
}

static void what_is_no_answer_is_ignored(void **state)
{
	uint8_t good[IP_MAX];
	size_t n = make_reply(good, 20);
	struct ip4 source = { 7 };

	(void)state;
	for (size_t short_by = 1; short_by <= n; short_by++)
		if (is_reply(good, n - short_by, COOKIE, &source))
			fail_msg("%zu octets", n - short_by);
	for (size_t i = 20; i < n;
		i++) { /* each octet of the message counts: type, code, sum, cookie */
		uint8_t bad[IP_MAX];

		memcpy(bad, good, sizeof(bad));
		bad[i] ^= 0x10;
		if (is_reply(bad, n, COOKIE, &source))
			fail_msg("octet %zu changed", i);
	}
	good[0] = 0x41; /* a header shorter than a header */
	assert_false(is_reply(good, n, COOKIE, &source));
	good[0] = 0x4f; /* longer than the packet */
	assert_false(is_reply(good, n, COOKIE, &source));
	assert_int_equal(source.v, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_an_echo_request),
		cmocka_unit_test(an_answer_names_its_sender),
		cmocka_unit_test(what_is_no_answer_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
