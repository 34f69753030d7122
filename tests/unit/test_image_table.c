/* app/image_table.c: who names new URLs all the time makes it no larger, and what
 * somebody waits for, fetches or has stays. */
#include "app/image_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int get(struct image_table *t, unsigned n, int64_t now_us, struct image **ret)
{
	char url[64];
	const struct file_ref ref = { .upstream = url };

	(void)snprintf(url, sizeof(url), "http://user:secret@h/%u?token", n);
	return image_table_get(t, &ref, now_us, ret);
}

static void one_image_for_a_url_and_digest(void **state)
{
	struct file_ref ref = { .upstream = "http://h/linux" };
	struct image_table t = { 0 };
	struct image *a, *b, *c;

	(void)state;
	assert_int_equal(image_table_get(&t, &ref, 0, &a), 0);
	assert_int_equal(image_table_get(&t, &ref, 0, &b), 0);
	ref.has_sha256 = true;
	assert_int_equal(image_table_get(&t, &ref, 0, &c), 0);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_ptr_equal(image_table_find(&t, c->name), c);
	assert_null(image_table_find(&t, "x"));
	assert_int_equal(get(&t, 1, 0, &a), 0);
	assert_string_equal(text_str(&a->shown), "http://h/1?...");
	image_table_free(&t);
}

static void new_urls_all_the_time(void **state)
{
	struct image_table t = { 0 };
	struct image *i, *fetched, *failed;
	int64_t now_us = 1;

	(void)state;
	assert_int_equal(get(&t, 0, now_us, &fetched), 0);
	fetched->is_fetching = true;
	for (unsigned n = 1; n <= 20000; n++) {
		assert_int_equal(get(&t, n, now_us, &i), 0);
		i->has_failed = true;
		i->failed_us = now_us;
		now_us += 10000;
		/* What failed in the last two seconds is told; and a few that wait to be swept. */
		assert_true(HASH_COUNT(t.images) <= 1 + 200 + 2 * 64);
	}
	assert_int_equal(get(&t, 20000 - 100, now_us, &failed), 0);
	assert_true(failed->has_failed);
	assert_int_equal(get(&t, 0, now_us, &i), 0);
	assert_ptr_equal(i, fetched);
	image_table_free(&t);
}

static void one_too_many(void **state)
{
	struct image_table t = { 0 };
	struct image *i = NULL;

	(void)state;
	for (unsigned n = 0; n < IMAGE_TABLE_MAX; n++) {
		assert_int_equal(get(&t, n, 0, &i), 0);
		i->is_present = true;
	}
	assert_int_equal(get(&t, IMAGE_TABLE_MAX, 0, &i), -ENOSPC);
	assert_int_equal(get(&t, 5, 0, &i), 0);
	i->is_present = false;
	assert_int_equal(get(&t, IMAGE_TABLE_MAX, 0, &i), 0);
	image_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_image_for_a_url_and_digest),
		cmocka_unit_test(new_urls_all_the_time),
		cmocka_unit_test(one_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
