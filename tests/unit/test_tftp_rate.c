/* core/tftp_rate.c */
#include "core/tftp_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct tftp_rate rate;

static unsigned admitted(uint32_t addr, unsigned n, uint64_t now_ms)
{
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++)
		got += tftp_rate_admit(&rate, (struct ip4){ addr }, now_ms);
	return got;
}

static void admits_a_burst_and_then_a_rate(void **state)
{
	const uint32_t a = 0x0a000001, b = 0x0a000002;

	(void)state;
	assert_int_equal(admitted(a, 10000, 5), TFTP_RATE_BURST);
	assert_int_equal(admitted(a, 10, 5), 0);
	assert_int_equal(admitted(b, 10, 5), 10); /* its neighbour is another */
	assert_int_equal(admitted(a, 10000, 1005), TFTP_RATE_PER_S);
	/* asking in vain costs nothing */
	for (uint64_t now = 1005; now < 2005; now++)
		(void)admitted(a, 100, now);
	assert_in_range(admitted(a, 10000, 3005), TFTP_RATE_PER_S, TFTP_RATE_PER_S + 1);
	assert_int_equal(admitted(a, 10000, 3600000), TFTP_RATE_BURST);
}

static void a_subnet_has_room(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 254; i++)
		assert_int_equal(admitted(0x0a630000 + i, 600, 7), TFTP_RATE_BURST);
	for (uint32_t i = 0; i < 254; i++)
		assert_int_equal(admitted(0x0a630000 + i, 1, 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admits_a_burst_and_then_a_rate),
		cmocka_unit_test(a_subnet_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
