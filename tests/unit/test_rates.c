/* Requests per second, per client and in all. */
#include "core/rates.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct span mac(uint8_t b[6], unsigned n)
{
	const uint8_t fresh[6] = { 2, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	memcpy(b, fresh, sizeof(fresh));
	return (struct span){ b, sizeof(fresh) };
}

static void one_client_has_its_share(void **state)
{
	struct rates *l;
	uint8_t b[6];

	(void)state;
	assert_int_equal(rates_new(&l), 0);
	for (unsigned i = 0; i < RATES_CLIENT_PER_S; i++)
		assert_true(rates_admit_client(l, mac(b, 1), 5000 + i));
	assert_false(rates_admit_client(l, mac(b, 1), 5999));
	assert_true(rates_admit_client(l, mac(b, 2), 5999)); /* others are not touched */
	assert_true(rates_admit_client(l, mac(b, 1), 6000)); /* another second */
	rates_free(l);
}

static void a_flood_does_not_touch_the_honest(void **state)
{
	struct rates *l;
	uint8_t b[6];

	(void)state;
	assert_int_equal(rates_new(&l), 0);
	for (unsigned i = 0; i < 100000; i++) {
		(void)rates_admit_client(l, mac(b, 1000 + i), 7000 + i / 200);
		if (i % 2500 == 0)
			assert_true(rates_admit_client(l, mac(b, 1), 7000 + i / 200));
	}
	rates_free(l);
}

static void strangers_are_limited_in_all(void **state)
{
	unsigned admitted = 0;
	struct rates *l;

	(void)state;
	assert_int_equal(rates_new(&l), 0);
	for (unsigned i = 0; i < 2 * RATES_STRANGERS_PER_S; i++)
		admitted += rates_admit_stranger(l, 9000);
	assert_int_equal(admitted, RATES_STRANGERS_PER_S);
	assert_true(rates_admit_stranger(l, 10000));
	rates_free(l);
}

static void three_declines_in_ten_minutes(void **state)
{
	struct rates *l;
	uint8_t b[6];

	(void)state;
	assert_int_equal(rates_new(&l), 0);
	for (int i = 0; i < 3; i++)
		assert_true(rates_admit_decline(l, mac(b, 1), SPAN_NONE, 600000 + i));
	assert_false(rates_admit_decline(l, mac(b, 1), SPAN_NONE, 600000 + 599999));
	assert_true(rates_admit_decline(l, mac(b, 1), SPAN_LIT("port 2"), 600005));
	assert_true(rates_admit_decline(l, mac(b, 2), SPAN_NONE, 600005));
	assert_true(rates_admit_decline(l, mac(b, 1), SPAN_NONE, 1200000));
	rates_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_client_has_its_share),
		cmocka_unit_test(a_flood_does_not_touch_the_honest),
		cmocka_unit_test(strangers_are_limited_in_all),
		cmocka_unit_test(three_declines_in_ten_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
