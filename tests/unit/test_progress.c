/* app/progress.h: rates. */
#include "app/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void rates(void **state)
{
	(void)state;
	assert_int_equal(progress_octets_per_s(1000, 0), 0);
	assert_int_equal(progress_octets_per_s(0, 1000), 0);
	assert_int_equal(progress_octets_per_s(1000000, 500000), 2000000);
	assert_int_equal(progress_octets_per_s(UINT64_C(1) << 60, UINT64_C(1000000) << 20),
		UINT64_C(1) << 40);
}

static void rates_in_words(void **state)
{
	static const struct {
		uint64_t octets, duration_us;
		const char *want;
	} cases[] = {
		{ 65535, 10, "" },
		{ 65536, 0, "" },
		{ 65536, 65536, ", 1.0 MB/s" },
		{ 1048576, 500000, ", 2.1 MB/s" },
		{ 5000000000u, 1000000, ", 5000.0 MB/s" },
		{ 65536, 60000000, ", 0.0 MB/s" },
	};
	struct text t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		text_reset(&t);
		progress_add_rate(cases[i].octets, cases[i].duration_us, &t);
		assert_string_equal(text_str(&t), cases[i].want);
	}
	text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(rates_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
