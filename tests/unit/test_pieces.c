/* core/pieces.h: where an offset of an entity falls. */
#include "core/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void finds_each_octet(void **state)
{
	struct pieces p = { 0 };

	(void)state;
	pieces_add_octets(&p, SPAN_LIT("head")); /* 0 to 3 */
	pieces_add_file(&p, 7, 1000, 10);        /* 4 to 13 */
	pieces_add_zeros(&p, 0);                 /* nothing */
	pieces_add_octets(&p, SPAN_NONE);        /* nothing */
	pieces_add_zeros(&p, 2);                 /* 14, 15 */
	pieces_add_octets(&p, SPAN_LIT("end"));  /* 16 to 18 */
	assert_false(p.failed);
	assert_int_equal(p.n, 4);
	assert_int_equal(pieces_length(&p), 19);
	for (uint64_t at = 0; at < 24; at++) {
		struct piece_range r = pieces_at(&p, at);

		if (at < 4) {
			assert_int_equal(r.kind, PIECE_OCTETS);
			assert_int_equal(r.offset, at);
			assert_int_equal(r.n, 4 - at);
		} else if (at < 14) {
			assert_int_equal(r.kind, PIECE_FILE);
			assert_int_equal(r.file, 7);
			assert_int_equal(r.offset, 1000 + at - 4);
			assert_int_equal(r.n, 14 - at);
		} else if (at < 16) {
			assert_int_equal(r.kind, PIECE_ZEROS);
			assert_int_equal(r.n, 16 - at);
		} else if (at < 19) {
			assert_int_equal(r.kind, PIECE_OCTETS);
			assert_memory_equal(p.octets.p + r.offset, &"end"[at - 16], r.n);
			assert_int_equal(r.n, 19 - at);
		} else {
			assert_int_equal(r.n, 0);
		}
	}
	pieces_free(&p);
}

static void many_and_large(void **state)
{
	const uint64_t step = UINT64_C(1) << 40;
	struct pieces p = { 0 };

	(void)state;
	assert_int_equal(pieces_length(&p), 0);
	assert_int_equal(pieces_at(&p, 0).n, 0);
	for (unsigned i = 0; i < 1000; i++)
		pieces_add_file(&p, i, 0, step);
	assert_int_equal(pieces_length(&p), 1000 * step);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(pieces_at(&p, i * step).file, i);
		assert_int_equal(pieces_at(&p, i * step).n, step);
		assert_int_equal(pieces_at(&p, i * step + step - 1).file, i);
		assert_int_equal(pieces_at(&p, i * step + step - 1).n, 1);
	}
	pieces_free(&p);
	assert_null(p.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_octet),
		cmocka_unit_test(many_and_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
