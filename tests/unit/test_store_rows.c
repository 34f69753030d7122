/* Last rows by address: against a plain array, and networks that look alike. */
#include "edge/store_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define NET 65536u

static void like_an_array(void **state)
{
	struct store_rows l = { 0 };
	int64_t *model = calloc(NET, sizeof(*model));
	uint32_t x = 1;
	size_t n = 0;

	(void)state;
	assert_non_null(model);
	for (int64_t row = 1; row < 200000; row++) {
		uint32_t a;

		x = x * 1664525u + 1013904223u;
		a = x >> 16;
		if (row % 7 == 0 && model[a]) { /* the first row of it is taken back */
			store_rows_reset(&l, 0x0a000000u | a, 0);
			n--;
			model[a] = 0;
		} else {
			assert_int_equal(store_rows_set(&l, 0x0a000000u | a, row), 0);
			n += model[a] == 0;
			model[a] = row;
		}
		assert_int_equal(l.n, n);
	}
	for (uint32_t a = 0; a < NET; a++)
		assert_int_equal(store_rows_get(&l, 0x0a000000u | a), model[a]);
	assert_int_equal(store_rows_get(&l, 0x0b000000u), 0);
	store_rows_reset(&l, 0x0b000000u, 5); /* of a page that is not there */
	assert_int_equal(store_rows_get(&l, 0x0b000000u), 0);
	free(model);
	store_rows_free(&l);
}

/* 10.x.y.0/24 for many x: only their high bits differ. */
static void networks_that_look_alike(void **state)
{
	struct store_rows l = { 0 };
	clock_t begin = clock();

	(void)state;
	for (uint32_t net = 0; net < 4096; net++)
		for (uint32_t a = 1; a < 255; a++)
			assert_int_equal(store_rows_set(&l, net << 20 | a, net * 256 + a), 0);
	for (uint32_t net = 0; net < 4096; net++)
		for (uint32_t a = 1; a < 255; a++)
			assert_int_equal(store_rows_get(&l, net << 20 | a), net * 256 + a);
	assert_int_equal(l.n, 4096 * 254);
	assert_true((clock() - begin) / CLOCKS_PER_SEC < 10);
	store_rows_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_an_array),
		cmocka_unit_test(networks_that_look_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
