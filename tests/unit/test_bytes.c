/* base/bytes.h: no read past the end, no write past the capacity. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void compares_spans(void **state)
{
	const struct span abc = SPAN_LIT("abc"), abd = SPAN_LIT("abd"), ab = SPAN_LIT("ab");

	(void)state;
	assert_true(span_eq(abc, SPAN_LIT("abc")));
	assert_false(span_eq(abc, abd));
	assert_false(span_eq(abc, ab));
	assert_true(span_eq(SPAN_NONE, SPAN_LIT("")));
	assert_true(span_has_prefix(abc, ab));
	assert_true(span_has_prefix(abc, abc));
	assert_true(span_has_prefix(abc, SPAN_NONE));
	assert_true(span_has_prefix(SPAN_NONE, SPAN_NONE));
	assert_false(span_has_prefix(abc, abd));
	assert_false(span_has_prefix(ab, abc));
	assert_int_equal(span_str(NULL).n, 0);
	assert_true(span_eq(span_str("abc"), abc));
}

static void ignores_ascii_case_only(void **state)
{
	static const struct {
		struct span a, b;
		bool equal;
	} cases[] = {
		{ SPAN_LIT("AbZz09"), SPAN_LIT("aBzZ09"), true },
		{ SPAN_LIT("a"), SPAN_LIT("ab"), false },
		{ SPAN_LIT("@"), SPAN_LIT("`"), false }, /* before A and a */
		{ SPAN_LIT("["), SPAN_LIT("{"), false }, /* behind Z and z */
		{ SPAN_LIT("\xc4"), SPAN_LIT("\xe4"), false },
		{ SPAN_LIT("a\0b"), SPAN_LIT("A\0B"), true },
		{ SPAN_LIT("a\0b"), SPAN_LIT("A\0c"), false },
		{ SPAN_NONE, SPAN_NONE, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (span_eq_nocase(cases[i].a, cases[i].b) != cases[i].equal)
			fail_msg("case %zu", i);
}

static void cuts_spans(void **state)
{
	const struct span s = SPAN_LIT("ab\0cd\0");

	(void)state;
	assert_true(span_eq(span_skip(s, 0), s));
	assert_true(span_eq(span_skip(s, 3), SPAN_LIT("cd\0")));
	assert_int_equal(span_skip(s, 6).n, 0);
	assert_int_equal(span_skip(s, SIZE_MAX).n, 0);
	assert_int_equal(span_skip(SPAN_NONE, 4).n, 0);
	assert_null(span_skip(SPAN_NONE, 4).p);
	assert_true(span_eq(span_until_nul(s), SPAN_LIT("ab")));
	assert_true(span_eq(span_until_nul(SPAN_LIT("abc")), SPAN_LIT("abc")));
	assert_int_equal(span_until_nul(SPAN_LIT("\0x")).n, 0);
	assert_int_equal(span_until_nul(SPAN_NONE).n, 0);
}

static void reads_in_network_order(void **state)
{
	const uint8_t b[] = { 1, 0x80, 2, 0xff, 0xfe, 0xfd, 0xfc, 'x', 'y' };
	struct rd r = rd_of((struct span){ b, sizeof(b) });
	struct span s;

	(void)state;
	assert_int_equal(rd_left(&r), 9);
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u16(&r), 0x8002);
	assert_int_equal(rd_u32(&r), 0xfffefdfcu);
	s = rd_span(&r, 2);
	assert_true(span_eq(s, SPAN_LIT("xy")));
	assert_ptr_equal(s.p, b + 7);
	assert_int_equal(rd_left(&r), 0);
	assert_false(r.bad);
	s = rd_span(&r, 0); /* an empty value at the very end is no fault, and not absent */
	assert_int_equal(s.n, 0);
	assert_non_null(s.p);
	assert_false(r.bad);
}

static void short_reads_give_zeros_and_stay_bad(void **state)
{
	static const uint8_t b[] = { 1, 2, 3 };
	struct rd r = rd_of((struct span){ b, sizeof(b) });

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(rd_u8(&r), 0); /* there are octets left, but the packet is broken */
	assert_int_equal(rd_u16(&r), 0);
	assert_null(rd_span(&r, 1).p);

	r = rd_of((struct span){ b, sizeof(b) });
	assert_null(rd_span(&r, SIZE_MAX).p);
	assert_true(r.bad);

	r = rd_of(SPAN_NONE);
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_span(&r, 0).n, 0);
	assert_false(r.bad);
	assert_int_equal(rd_u8(&r), 0);
	assert_true(r.bad);
}

static void writes_in_network_order(void **state)
{
	uint8_t b[12];
	struct wr w = wr_of(b, sizeof(b));

	(void)state;
	wr_u8(&w, 1);
	wr_u16(&w, 0x8002);
	wr_u32(&w, 0xfffefdfcu);
	wr_span(&w, SPAN_LIT("xy"));
	wr_span(&w, SPAN_NONE);
	wr_fill(&w, 7, 3);
	wr_fill(&w, 7, 0);
	assert_false(w.full);
	assert_true(span_eq(wr_done(&w), SPAN_LIT("\x01\x80\x02\xff\xfe\xfd\xfcxy\7\7\7")));
}

static void full_writers_stay_full(void **state)
{
	uint8_t b[4] = { 9, 9, 9, 9 };
	struct wr w = wr_of(b, 3);

	(void)state;
	wr_u32(&w, 0);
	assert_true(w.full);
	wr_u8(&w, 1); /* would fit, but what stands before it is missing */
	wr_u16(&w, 1);
	wr_fill(&w, 1, 1);
	wr_span(&w, SPAN_NONE);
	assert_int_equal(w.n, 0);
	for (size_t i = 0; i < sizeof(b); i++)
		assert_int_equal(b[i], 9);

	w = wr_of(b, 3);
	wr_u16(&w, 0);
	wr_fill(&w, 1, SIZE_MAX);
	assert_true(w.full);
	assert_int_equal(w.n, 2);
	assert_int_equal(b[2], 9);

	w = wr_of(NULL, 0);
	wr_span(&w, SPAN_NONE);
	wr_fill(&w, 0, 0);
	assert_false(w.full);
	wr_u8(&w, 0);
	assert_true(w.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_spans),
		cmocka_unit_test(ignores_ascii_case_only),
		cmocka_unit_test(cuts_spans),
		cmocka_unit_test(reads_in_network_order),
		cmocka_unit_test(short_reads_give_zeros_and_stay_bad),
		cmocka_unit_test(writes_in_network_order),
		cmocka_unit_test(full_writers_stay_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
