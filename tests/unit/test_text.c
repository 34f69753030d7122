/* base/text.h: texts grow, end in NUL, and fail once and for all. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* Let a malloc too large fail as it does without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void builds_a_text(void **state)
{
	struct text t = { 0 };

	(void)state;
	assert_string_equal(text_str(&t), "");
	assert_int_equal(text_span(&t).n, 0);
	text_adds(&t, "a");
	text_addc(&t, 'b');
	text_add(&t, SPAN_LIT("c\0d"));
	text_add(&t, SPAN_NONE);
	text_adds(&t, NULL);
	text_addf(&t, "%03d%s", 7, "");
	assert_true(span_eq(text_span(&t), SPAN_LIT("abc\0d007")));
	assert_int_equal(t.p[t.n], 0);
	assert_false(t.failed);
	text_reset(&t);
	assert_string_equal(text_str(&t), "");
	assert_int_equal(t.n, 0);
	text_adds(&t, "again");
	assert_string_equal(text_str(&t), "again");
	text_free(&t);
	assert_string_equal(text_str(&t), "");
	text_free(&t);
}

static void grows_over_every_capacity(void **state)
{
	struct text t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		text_addf(&t, "%c", 'a' + i % 26);
		assert_int_equal(t.n, i + 1);
		assert_int_equal(t.p[t.n], 0);
	}
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(t.p[i], 'a' + i % 26);
	text_addf(&t, "%*d", 9999, 5);
	assert_int_equal(t.n, 3000 + 9999);
	assert_false(t.failed);
	text_free(&t);
}

static void is_empty_after_an_empty_piece(void **state)
{
	struct text t = { 0 };

	(void)state;
	text_reset(&t); /* of a text that never was */
	assert_null(t.p);
	text_adds(&t, "");
	assert_string_equal(text_str(&t), "");
	text_free(&t);
}

/* Builders go on after a failure and ask once: nothing may follow a gap. */
static void a_failure_stays(void **state)
{
	/* Sizes that no memory has; they are refused before anything is read. */
	static const size_t too_large[] = { SIZE_MAX, SIZE_MAX / 4, SIZE_MAX / 8 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(too_large); i++) {
		struct text t = { 0 };

		text_adds(&t, "head");
		text_add(&t, (struct span){ (const uint8_t *)"x", too_large[i] });
		assert_true(t.failed);
		text_adds(&t, "tail");
		text_addc(&t, 'c');
		text_addf(&t, "%d", 1);
		assert_string_equal(text_str(&t), "head");
		assert_true(t.failed);
		text_reset(&t);
		assert_false(t.failed);
		text_adds(&t, "new");
		assert_string_equal(text_str(&t), "new");
		text_free(&t);
	}
}

static void a_format_that_fails_is_a_failure(void **state)
{
	struct text t = { 0 };

	(void)state;
	text_adds(&t, "head");
	text_addf(&t, "%ls", L"\x7fffffff"); /* no such character */
	assert_true(t.failed);
	assert_string_equal(text_str(&t), "head");
	text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_a_text),
		cmocka_unit_test(grows_over_every_capacity),
		cmocka_unit_test(is_empty_after_an_empty_piece),
		cmocka_unit_test(a_failure_stays),
		cmocka_unit_test(a_format_that_fails_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
