/* edge/hot_files.c: what is kept, for how long, and what it notices. */
#include "edge/hot_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define TICK_US 20000 /* more than a tick of any file system's clock */

static char dir[64] = "/tmp/test_hot_files.XXXXXX";
static struct hot_files *hot;

/* Each file system has its own way to say that a read would not wait. */
static char in_memory[] = "/dev/shm/test_hot_files.XXXXXX";

static const char *at(const char *name)
{
	static char path[2][80];
	static unsigned turn;

	turn ^= 1;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool keep(const char *name, uint64_t now_ms)
{
	struct hot_file got;
	struct stat st;
	int fd = open(at(name), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	if (hot_files_keep(hot, span_str(name), fd, &st, now_ms, &got))
		return true;
	close(fd);
	return false;
}

static bool finds(const char *name, uint64_t now_ms, const char *text)
{
	struct hot_file got;

	if (!hot_files_find(hot, span_str(name), now_ms, &got))
		return false;
	assert_true(span_eq(got.octets, span_str(text)));
	assert_int_equal(got.st->st_size, strlen(text));
	return true;
}

static int begin(void **state)
{
	(void)state;
	put("a", "one");
	return hot_files_new(&hot);
}

static int end(void **state)
{
	(void)state;
	hot_files_free(hot);
	(void)unlink(at("a"));
	(void)unlink(at("b"));
	return 0;
}

static void test_good_for_a_quarter_of_a_second(void **state)
{
	(void)state;
	assert_false(finds("a", 1000, "one"));
	assert_true(keep("a", 1000));
	assert_true(finds("a", 1000, "one"));
	assert_true(finds("a", 1000 + HOT_FILES_GOOD_MS - 1, "one"));
	assert_false(finds("b", 1000, "one"));
	assert_false(finds("a", 1000 + HOT_FILES_GOOD_MS, "one"));
	assert_false(finds("a", 1000, "one"));
}

static void test_changes_are_noticed_at_once(void **state)
{
	(void)state;
	assert_true(keep("a", 0));
	(void)usleep(TICK_US);
	put("a", "two"); /* in place, the same size */
	assert_false(finds("a", 1, "one"));

	assert_true(keep("a", 0));
	put("b", "three");
	assert_int_equal(rename(at("b"), at("a")), 0);
	assert_false(finds("a", 1, "two"));

	assert_true(keep("a", 0));
	(void)usleep(TICK_US);
	assert_int_equal(rename(at("a"), at("b")), 0); /* there is no "a" any more */
	assert_false(finds("a", 1, "three"));

	put("a", "four");
	assert_true(keep("a", 0));
	assert_int_equal(unlink(at("a")), 0);
	assert_false(finds("a", 1, "four"));
}

static void test_what_is_not_kept(void **state)
{
	char *text = malloc(HOT_FILE_MAX + 2);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', HOT_FILE_MAX + 1);
	text[HOT_FILE_MAX + 1] = '\0';
	put("b", text);
	assert_false(keep("b", 0));
	put("b", text + 1);
	assert_true(keep("b", 0));
	assert_true(finds("b", 1, text + 1));
	put("b", "");
	assert_false(keep("b", 0));
	free(text);
}

static void test_clear_forgets_all(void **state)
{
	(void)state;
	assert_true(keep("a", 0));
	hot_files_clear(hot);
	assert_false(finds("a", 0, "one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good_for_a_quarter_of_a_second, begin, end),
		cmocka_unit_test_setup_teardown(test_changes_are_noticed_at_once, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_not_kept, begin, end),
		cmocka_unit_test_setup_teardown(test_clear_forgets_all, begin, end),
	};
	int failed;

	if (!mkdtemp(dir) || !mkdtemp(in_memory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(dir);
	(void)snprintf(dir, sizeof(dir), "%s", in_memory);
	failed += cmocka_run_group_tests_name("in memory", tests, NULL, NULL);
	(void)rmdir(in_memory);
	return failed;
}
