/* What answers of web servers mean for a download. */
#include "core/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UNKNOWN UPSTREAM_LENGTH_UNKNOWN

static void test_judge(void **state)
{
	static const struct {
		const char *what;
		unsigned status;
		const char *range, *length;
		uint64_t have;
		enum upstream_verdict verdict;
		uint64_t total;
		bool is_conditional;
	} cases[] = {
		{ "a whole file", 200, "", "100", 0, UPSTREAM_WHOLE, 100 },
		{ "no length", 200, "", "", 0, UPSTREAM_WHOLE, UNKNOWN },
		{ "nonsense for a length", 200, "", "10x", 0, UPSTREAM_WHOLE, UNKNOWN },
		{ "a length past all", 200, "", "99999999999999999999", 0, UPSTREAM_WHOLE,
			UNKNOWN },
		{ "ranges ignored", 200, "", "100", 50, UPSTREAM_WHOLE, 100 },
		{ "the rest", 206, "bytes 50-99/100", "50", 50, UPSTREAM_REST, 100 },
		{ "from elsewhere", 206, "bytes 40-99/100", "60", 50, UPSTREAM_AGAIN, 100 },
		{ "a part only", 206, "bytes 50-98/100", "49", 50, UPSTREAM_AGAIN, 100 },
		{ "of an unknown length", 206, "bytes 50-99/*", "50", 50, UPSTREAM_AGAIN, UNKNOWN },
		{ "backwards", 206, "bytes 50-49/50", "0", 50, UPSTREAM_AGAIN, 50 },
		{ "several parts", 206, "", "500", 50, UPSTREAM_AGAIN, UNKNOWN },
		{ "not asked for", 206, "bytes 0-99/100", "100", 0, UPSTREAM_REFUSED, UNKNOWN },
		{ "past the end", 416, "bytes */100", "0", 100, UPSTREAM_AGAIN, UNKNOWN },
		{ "past the end of nothing", 416, "", "0", 0, UPSTREAM_REFUSED, UNKNOWN },
		{ "not found", 404, "", "9", 50, UPSTREAM_REFUSED, UNKNOWN },
		{ "the same", 304, "", "", 0, UPSTREAM_SAME, UNKNOWN, true },
		{ "the same as nothing", 304, "", "", 0, UPSTREAM_REFUSED, UNKNOWN },
		{ "no content", 204, "", "", 0, UPSTREAM_REFUSED, UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct upstream_reply reply = { .status = cases[i].status,
			.content_range = span_str(cases[i].range),
			.content_length = span_str(cases[i].length) };
		uint64_t total = 0;

		print_message("%s\n", cases[i].what);
		assert_int_equal(
			upstream_judge(&reply, cases[i].have, cases[i].is_conditional, &total),
			cases[i].verdict);
		assert_int_equal(total, cases[i].total);
	}
}

static void test_validator(void **state)
{
	static const struct {
		const char *etag, *date, *validator;
	} cases[] = {
		{ "\"abc\"", "Mon, 23 Nov 2026 02:00:00 GMT", "\"abc\"" },
		{ "W/\"abc\"", "Mon, 23 Nov 2026 02:00:00 GMT", "Mon, 23 Nov 2026 02:00:00 GMT" },
		{ "W/\"abc\"", "", "" },
		{ "abc", "", "" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct upstream_reply reply = { .etag = span_str(cases[i].etag),
			.last_modified = span_str(cases[i].date) };

		assert_true(span_eq(upstream_validator(&reply), span_str(cases[i].validator)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_validator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
