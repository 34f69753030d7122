/* base/arena.h: zeroed, aligned, limited, and forgotten by a reset. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* Let a malloc too large fail as it does without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void gives_zeroed_aligned_memory(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	for (int round = 0; round < 3; round++) {
		uint8_t *last = NULL;

		for (size_t n = 1; n < 300; n++) {
			uint8_t *p = arena_alloc(&a, n);

			assert_non_null(p);
			assert_ptr_not_equal(p, last);
			assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, n); /* so that memory used again is not zero by chance */
			last = p;
		}
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_free(&a);
}

static void keeps_earlier_memory_when_it_grows(void **state)
{
	struct arena a;
	uint8_t *small, *large, *after;

	(void)state;
	arena_init(&a, 0);
	small = arena_alloc(&a, 10);
	assert_non_null(small);
	memset(small, 1, 10);
	large = arena_alloc(&a, 100000); /* more than a chunk */
	assert_non_null(large);
	memset(large, 2, 100000);
	after = arena_alloc(&a, 8000);
	assert_non_null(after);
	memset(after, 3, 8000);
	assert_int_equal(small[9], 1);
	assert_int_equal(large[99999], 2);
	arena_reset(&a);
	assert_ptr_equal(arena_alloc(&a, 10), small); /* the first chunk is kept */
	arena_free(&a);
}

static void stops_at_its_limit(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 64);
	assert_non_null(arena_alloc(&a, 48));
	assert_null(arena_alloc(&a, 17));
	assert_non_null(arena_alloc(&a, 16)); /* a refusal costs nothing */
	assert_null(arena_alloc(&a, 1));
	assert_non_null(arena_alloc(&a, 0));
	assert_null(arena_strdup(&a, SPAN_LIT("x")));
	assert_null(arena_printf(&a, "%d", 1));
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 64));
	arena_free(&a);
	assert_int_equal(a.limit, 64); /* good for use again */
	assert_null(arena_alloc(&a, 65));
	assert_non_null(arena_alloc(&a, 64));
	arena_free(&a);
}

static void absurd_sizes_fail(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_null(arena_alloc(&a, SIZE_MAX / 2 - 64)); /* out of memory */
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 8));
	arena_free(&a);
}

static void copies_and_formats(void **state)
{
	struct arena a;
	char *s;
	uint64_t *numbers;

	(void)state;
	arena_init(&a, 0);
	s = arena_strdup(&a, SPAN_LIT("abc"));
	assert_string_equal(s, "abc");
	s = arena_strdup(&a, SPAN_NONE);
	assert_string_equal(s, "");
	s = arena_printf(&a, "%s-%04x", "pxe", 7);
	assert_string_equal(s, "pxe-0007");
	s = arena_printf(&a, "%s", "");
	assert_string_equal(s, "");
	assert_null(
		arena_printf(&a, "%ls", L"\x7fffffff")); /* vsnprintf fails: no such character */
	numbers = arena_array(&a, uint64_t, 5);
	assert_non_null(numbers);
	assert_int_equal(numbers[4], 0);
	assert_non_null(arena_new(&a, struct arena));
	arena_free(&a);
	arena_free(&a);
}

static void reset_and_free_of_an_unused_arena(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 10);
	arena_reset(&a);
	arena_free(&a);
	assert_null(a.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_aligned_memory),
		cmocka_unit_test(keeps_earlier_memory_when_it_grows),
		cmocka_unit_test(stops_at_its_limit),
		cmocka_unit_test(absurd_sizes_fail),
		cmocka_unit_test(copies_and_formats),
		cmocka_unit_test(reset_and_free_of_an_unused_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
