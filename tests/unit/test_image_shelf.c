/* app/image_shelf.c: what the directory of images holds never exceeds its limit; who
 * goes for that, and in which order. */
#include "app/image_shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define LIMIT 1000u

struct bench {
	char dir[64];
	struct image_shelf *shelf;
	char gone[512]; /* the letters of the copies that went, in order */
};

/* A file's name is one letter, 64 times: a to f are hexadecimal digits. */
struct name {
	char s[72];
};

static struct name name(char letter)
{
	struct name n = { "" };

	memset(n.s, letter, 64);
	return n;
}

static void path_of(
	const struct bench *b, const char *before, char letter, const char *after, char ret[256])
{
	(void)snprintf(ret, 256, "%s/%s%s%s", b->dir, before, name(letter).s, after);
}

static void put(const struct bench *b, const char *before, char letter, const char *after,
	unsigned octets, time_t used)
{
	const struct timespec times[2] = { { .tv_sec = used }, { .tv_sec = used } };
	char path[256];
	int fd;

	path_of(b, before, letter, after, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, octets), 0);
	assert_int_equal(futimens(fd, times), 0);
	(void)close(fd);
}

static bool has(const struct bench *b, const char *before, char letter, const char *after)
{
	char path[256];

	path_of(b, before, letter, after, path);
	return access(path, F_OK) == 0;
}

/* All octets there are. */
static uint64_t held(const struct bench *b)
{
	DIR *d = opendir(b->dir);
	struct dirent *e;
	struct stat st;
	uint64_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			n += (uint64_t)st.st_size;
	(void)closedir(d);
	return n;
}

static void on_gone(void *ctx, const char *of)
{
	struct bench *b = ctx;

	(void)strncat(b->gone, of, 1);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	*state = b;
	if (!b)
		return -1;
	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/test_image_shelf.XXXXXX");
	return mkdtemp(b->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	char command[128];

	image_shelf_free(b->shelf);
	(void)snprintf(command, sizeof(command), "rm -r %s", b->dir);
	(void)!system(command);
	free(b);
	return 0;
}

static void open_shelf(struct bench *b)
{
	assert_int_equal(image_shelf_open(b->dir, on_gone, b, &b->shelf), 0);
}

static int begin(struct bench *b, char letter)
{
	return image_shelf_begin(b->shelf, name(letter).s, LIMIT);
}

static int claim(struct bench *b, char letter, uint64_t octets)
{
	return image_shelf_claim(b->shelf, name(letter).s, octets);
}

static bool end(struct bench *b, char letter)
{
	uint64_t size;

	return image_shelf_end(b->shelf, name(letter).s, &size);
}

/* A whole file, fetched. */
static void fetch(struct bench *b, char letter, unsigned octets)
{
	assert_int_equal(begin(b, letter), 0);
	assert_int_equal(claim(b, letter, octets), 0);
	put(b, "", letter, "", octets, 1);
	assert_true(end(b, letter));
}

static void an_earlier_run(void **state)
{
	struct bench *b = *state;
	char other[256];

	put(b, "", 'a', "", 400, 300);
	put(b, "", 'b', "", 300, 100);
	put(b, "", 'b', ".of", 10, 100);
	put(b, "", 'c', "", 200, 200);
	put(b, ".", 'd', ".part", 500, 100);
	put(b, ".", 'd', ".of", 10, 100);
	(void)snprintf(other, sizeof(other), "%s/README", b->dir);
	(void)close(open(other, O_WRONLY | O_CREAT, 0600));
	open_shelf(b);
	assert_false(has(b, ".", 'd', ".part") || has(b, ".", 'd', ".of"));
	assert_true(image_shelf_has(b->shelf, name('a').s));
	/* 900 are there: 600 more take the two that were used first */
	assert_int_equal(begin(b, 'e'), 0);
	assert_int_equal(claim(b, 'e', 600), 0);
	assert_string_equal(b->gone, "bc");
	assert_true(has(b, "", 'a', "") && !has(b, "", 'b', "") && !has(b, "", 'b', ".of") &&
		!has(b, "", 'c', ""));
	assert_int_equal(access(other, F_OK), 0);
}

static void who_is_used_stays(void **state)
{
	struct bench *b = *state;

	open_shelf(b);
	fetch(b, 'a', 300);
	fetch(b, 'b', 300);
	fetch(b, 'c', 300);
	image_shelf_use(b->shelf, name('a').s);
	fetch(b, 'd', 300);
	fetch(b, 'e', 300);
	assert_string_equal(b->gone, "bc");
	assert_true(held(b) <= LIMIT);
}

static void two_at_a_time_share_the_room(void **state)
{
	struct bench *b = *state;

	open_shelf(b);
	fetch(b, 'c', 500);
	assert_int_equal(begin(b, 'a'), 0);
	assert_int_equal(begin(b, 'b'), 0);
	assert_int_equal(claim(b, 'a', 600), 0);
	assert_string_equal(b->gone, "c");
	assert_int_equal(claim(b, 'b', 401), -ENOSPC);
	assert_int_equal(claim(b, 'b', 400), 0);
	/* as one of unknown length does it */
	assert_int_equal(claim(b, 'b', 401), -ENOSPC);
	/* a has failed, and its beginning may be gone on with; but others come first */
	put(b, ".", 'a', ".part", 250, 1);
	put(b, ".", 'a', ".of", 10, 1);
	assert_false(end(b, 'a'));
	assert_true(has(b, ".", 'a', ".part"));
	assert_int_equal(claim(b, 'b', 700), 0);
	assert_true(has(b, ".", 'a', ".part"));
	assert_int_equal(claim(b, 'b', 751), 0);
	assert_false(has(b, ".", 'a', ".part") || has(b, ".", 'a', ".of"));
	assert_int_equal(claim(b, 'b', LIMIT + 1), -ENOSPC);
}

static void a_renewed_copy_goes_last(void **state)
{
	struct bench *b = *state;

	open_shelf(b);
	fetch(b, 'a', 400);
	fetch(b, 'b', 400);
	assert_int_equal(begin(b, 'a'), 0);
	assert_int_equal(claim(b, 'a', 300), 0);
	assert_string_equal(b->gone, "b");
	assert_true(has(b, "", 'a', ""));
	assert_int_equal(claim(b, 'a', 900), 0);
	assert_string_equal(b->gone, "ba");
	assert_false(has(b, "", 'a', ""));
	/* the new one takes its place */
	put(b, "", 'a', "", 900, 1);
	assert_true(end(b, 'a'));
	assert_true(held(b) <= LIMIT);
}

static void who_is_at_the_disk_stays(void **state)
{
	struct bench *b = *state;

	open_shelf(b);
	fetch(b, 'a', 600);
	fetch(b, 'c', 100);
	assert_int_equal(begin(b, 'a'), 0);
	image_shelf_hold(b->shelf, name('a').s, true);
	assert_int_equal(begin(b, 'b'), 0);
	assert_int_equal(claim(b, 'b', 500), -ENOSPC);
	assert_int_equal(image_shelf_begin(b->shelf, name('b').s, 500), 0);
	assert_string_equal(b->gone, "c");
	assert_true(image_shelf_has(b->shelf, name('a').s) && has(b, "", 'a', ""));
	assert_int_equal(begin(b, 'b'), 0);
	/* it asks its server for a newer one meanwhile */
	image_shelf_hold(b->shelf, name('a').s, false);
	assert_int_equal(claim(b, 'b', 500), 0);
	assert_string_equal(b->gone, "ca");
	assert_false(end(b, 'a'));
	/* ended while it was held, as where nothing had to be fetched */
	put(b, "", 'b', "", 500, 1);
	image_shelf_hold(b->shelf, name('b').s, true);
	assert_true(end(b, 'b'));
	assert_int_equal(begin(b, 'a'), 0);
	assert_int_equal(claim(b, 'a', 600), 0);
	assert_string_equal(b->gone, "cab");
}

static void what_finds_no_room_takes_none(void **state)
{
	struct bench *b = *state;

	open_shelf(b);
	fetch(b, 'a', 300);
	assert_int_equal(begin(b, 'b'), 0);
	assert_int_equal(claim(b, 'b', 500), 0);
	assert_int_equal(begin(b, 'c'), 0);
	assert_int_equal(claim(b, 'c', 501), -ENOSPC);
	assert_string_equal(b->gone, "");
	assert_true(has(b, "", 'a', ""));
	assert_int_equal(claim(b, 'c', 500), 0);
	assert_string_equal(b->gone, "a");
}

static void a_lower_limit_and_files_that_went_by_hand(void **state)
{
	struct bench *b = *state;
	char path[256];

	open_shelf(b);
	fetch(b, 'a', 300);
	fetch(b, 'b', 300);
	fetch(b, 'c', 300);
	path_of(b, "", 'c', "", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(image_shelf_begin(b->shelf, name('c').s, 400), 0);
	assert_string_equal(b->gone, "ab");
	assert_false(end(b, 'c'));
	fetch(b, 'a', 400);
	assert_string_equal(b->gone, "ab");
}

static void files_without_number(void **state)
{
	struct bench *b = *state;
	char path[256];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	for (unsigned i = 0; i < IMAGE_SHELF_FILES_MAX + 100; i++) {
		(void)snprintf(path, sizeof(path), "%s/%064x", b->dir, i);
		(void)close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	open_shelf(b);
	fetch(b, 'a', 1);
	d = opendir(b->dir);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	assert_int_equal(n, IMAGE_SHELF_FILES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_earlier_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_used_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_at_a_time_share_the_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_renewed_copy_goes_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_at_the_disk_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_finds_no_room_takes_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_lower_limit_and_files_that_went_by_hand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_without_number, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
