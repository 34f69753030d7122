/* Values of a URL's query. */
#include "core/url_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *query, *key, *value;
	size_t cap;
} rows[] = {
	{ "a=1&b=2", "a", "1", 9 },
	{ "a=1&b=2", "b", "2", 9 },
	{ "a=1&b=2", "c", "", 9 },
	{ "ab=1&a=2", "a", "2", 9 },
	{ "a", "a", "", 9 },
	{ "a=", "a", "", 9 },
	{ "a=%41%62%2f", "a", "Ab/", 9 },
	{ "a=%4", "a", "%4", 9 },
	{ "a=%", "a", "%", 9 },
	{ "a=%zz", "a", "%zz", 9 },
	{ "a=b=c", "a", "b=c", 9 },
	{ "&&a=1&&", "a", "1", 9 },
	{ "a=1&a=2", "a", "1", 9 },
	{ "a=12345", "a", "123", 3 },
	{ "a=%31%32%33%34", "a", "123", 3 },
	{ "", "a", "", 9 },
	{ "a=+x", "a", "+x", 9 },
};

static void reads_values(void **state)
{
	uint8_t buf[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span v = url_query_value(
			span_str(rows[i].query), span_str(rows[i].key), buf, rows[i].cap);

		if (!span_eq(v, span_str(rows[i].value)))
			fail_msg("row %zu: %s: \"%.*s\"", i, rows[i].query, (int)v.n,
				(const char *)v.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
