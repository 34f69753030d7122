/* edge/file_blocks.c: real files, a real loop, libuv's workers. */
#include "edge/file_blocks.c" /* also how much it keeps */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define LIMIT (8 * FILE_BLOCK_SIZE)

static uv_loop_t loop;
static struct file_blocks *cache;
static char dir[] = "/tmp/test_file_blocks.XXXXXX";
static char path[64];
static unsigned woken, closed;

static void on_ready(struct block_wait *w)
{
	assert_null(w->block);
	woken++;
}

static void on_closed(void *ctx)
{
	(void)ctx;
	closed++;
}

static uint8_t octet_at(uint64_t i, unsigned version)
{
	return (uint8_t)(i * 7 + i / 251 + version);
}

/* Long ago enough to be shared, unless young. */
static void put_file(size_t n, unsigned version, bool young)
{
	struct timespec old[2] = { { 1000000 + version, 5 }, { 1000000 + version, 5 } };
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint8_t *data = malloc(n + 1);

	assert_true(fd >= 0 && data);
	for (size_t i = 0; i < n; i++)
		data[i] = octet_at(i, version);
	assert_int_equal(write(fd, data, n), (ssize_t)n);
	if (!young)
		assert_int_equal(futimens(fd, old), 0);
	close(fd);
	free(data);
}

static struct block_file *open_file(void)
{
	struct block_file *f;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_blocks_open(cache, fd, &f), 0);
	return f;
}

/* The block, after as many turns of the loop as that takes. */
static int hold(struct block_file *f, uint64_t offset, const struct file_block **ret)
{
	struct block_wait w = { .ready = on_ready };
	int err;

	while ((err = block_file_hold(f, offset, &w, ret)) == -EINPROGRESS)
		(void)uv_run(&loop, UV_RUN_ONCE);
	return err;
}

static void expect_content(struct block_file *f, uint64_t offset, size_t n, unsigned version)
{
	const struct file_block *b;

	assert_int_equal(hold(f, offset, &b), 0);
	assert_true(b->offset <= offset && offset < b->offset + b->n);
	assert_int_equal(b->n, n);
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] != octet_at(b->offset + i, version))
			fail_msg("octet %zu of version %u", (size_t)b->offset + i, version);
	block_release(b);
}

static int begin(void **state)
{
	(void)state;
	woken = closed = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(file_blocks_new(&loop, LIMIT, &cache), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	file_blocks_close(cache, on_closed, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(closed, 1);
	assert_int_equal(uv_loop_close(&loop), 0);
	return 0;
}

static void reads_once_for_all(void **state)
{
	const size_t n = 2 * FILE_BLOCK_SIZE + 1000;
	struct block_wait w[3] = { { .ready = on_ready }, { .ready = on_ready },
		{ .ready = on_ready } };
	const struct file_block *b, *again;
	struct block_file *f, *g;

	(void)state;
	put_file(n, 1, false);
	f = open_file();
	g = open_file();
	assert_ptr_equal(f, g);
	assert_int_equal(block_file_size(f), n);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(block_file_hold(f, 10, &w[i], &b), -EINPROGRESS);
	block_wait_cancel(&w[1]);
	while (woken < 2)
		(void)uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(woken, 2);
	assert_int_equal(block_file_hold(f, 10, &w[0], &b), 0);
	assert_int_equal(block_file_hold(g, 20, &w[1], &again), 0);
	assert_ptr_equal(b, again);
	block_release(b);
	block_release(again);
	expect_content(f, 0, FILE_BLOCK_SIZE, 1);
	expect_content(f, FILE_BLOCK_SIZE + 5, FILE_BLOCK_SIZE, 1);
	expect_content(f, n - 1, 1000, 1);
	/* kept when nobody uses it, and found again */
	block_file_release(f);
	block_file_release(g);
	f = open_file();
	assert_int_equal(block_file_hold(f, 0, &w[0], &b), 0);
	block_release(b);
	block_file_release(f);
}

static void keeps_its_limit(void **state)
{
	const size_t n = 40 * FILE_BLOCK_SIZE;
	const struct file_block *first;
	struct block_file *f;

	(void)state;
	put_file(n, 2, false);
	f = open_file();
	assert_int_equal(hold(f, 0, &first), 0);
	for (int round = 0; round < 2; round++)
		for (uint64_t at = FILE_BLOCK_SIZE; at < n; at += FILE_BLOCK_SIZE) {
			expect_content(f, at, FILE_BLOCK_SIZE, 2);
			/* what is read just now is beside the limit */
			assert_true(cache->octets <= LIMIT + 4 * FILE_BLOCK_SIZE);
		}
	assert_int_equal(first->p[5], octet_at(5, 2)); /* held all the time */
	block_release(first);
	block_file_release(f);
}

static void a_changed_file_is_another(void **state)
{
	const struct file_block *b;
	struct block_file *f, *g;

	(void)state;
	put_file(3 * FILE_BLOCK_SIZE, 3, false);
	f = open_file();
	expect_content(f, 0, FILE_BLOCK_SIZE, 3);
	assert_true(block_file_is_unchanged(f));
	put_file(3 * FILE_BLOCK_SIZE, 4, false);
	assert_true(block_file_is_unchanged(f)); /* not looked at twice in a turn */
	file_blocks_next_turn(cache);
	assert_false(block_file_is_unchanged(f));
	/* read ahead before the change, or refused: never the new octets */
	if (hold(f, FILE_BLOCK_SIZE, &b) == 0) {
		assert_int_equal(b->p[0], octet_at(FILE_BLOCK_SIZE, 3));
		block_release(b);
	}
	assert_int_equal(hold(f, 2 * FILE_BLOCK_SIZE, &b), -ESTALE);
	assert_int_equal(hold(f, 0, &b), -ESTALE);
	g = open_file();
	assert_ptr_not_equal(f, g);
	expect_content(g, 0, FILE_BLOCK_SIZE, 4);
	block_file_release(f);
	block_file_release(g);
	/* the same size and time set back: ctime tells */
	put_file(3 * FILE_BLOCK_SIZE, 4, false);
	f = open_file();
	expect_content(f, 0, FILE_BLOCK_SIZE, 4);
	block_file_release(f);
}

static void a_replaced_file_stays_whole(void **state)
{
	struct block_file *f, *g;

	(void)state;
	put_file(2 * FILE_BLOCK_SIZE, 5, false);
	f = open_file();
	assert_int_equal(unlink(path), 0);
	put_file(100, 6, false);
	g = open_file();
	expect_content(f, FILE_BLOCK_SIZE, FILE_BLOCK_SIZE, 5);
	assert_true(block_file_is_unchanged(f));
	expect_content(g, 0, 100, 6);
	block_file_release(f);
	block_file_release(g);
}

static void a_truncated_file_ends(void **state)
{
	const struct file_block *b;
	struct block_file *f;

	(void)state;
	put_file(4 * FILE_BLOCK_SIZE, 7, false);
	f = open_file();
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(hold(f, 3 * FILE_BLOCK_SIZE, &b), -ESTALE);
	block_file_release(f);
	assert_int_equal(cache->octets, 0);
}

static void what_is_young_is_not_shared(void **state)
{
	struct block_file *f, *g;

	(void)state;
	put_file(100, 8, true);
	f = open_file();
	g = open_file();
	assert_ptr_not_equal(f, g);
	expect_content(f, 0, 100, 8);
	expect_content(g, 0, 100, 8);
	block_file_release(f);
	block_file_release(g);
	assert_int_equal(cache->octets, 0);
}

static void texts_are_files(void **state)
{
	struct block_wait w = { 0 };
	const struct file_block *b;
	struct text text = { 0 };
	struct block_file *f;

	(void)state;
	text_adds(&text, "#!ipxe\n");
	assert_int_equal(file_blocks_open_text(cache, &text, &f), 0);
	assert_null(text.p);
	assert_int_equal(block_file_size(f), 7);
	assert_true(block_file_is_unchanged(f));
	assert_int_equal(block_file_hold(f, 3, &w, &b), 0);
	assert_memory_equal(b->p, "#!ipxe\n", 7);
	block_release(b);
	block_file_release(f);
}

/* The users go while workers read: nothing is left, nothing crashes. */
static void users_leave_early(void **state)
{
	struct block_wait w = { .ready = on_ready };
	const struct file_block *b;
	struct block_file *f;

	(void)state;
	put_file(20 * FILE_BLOCK_SIZE, 9, false);
	f = open_file();
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(block_file_hold(f, i * FILE_BLOCK_SIZE, &w, &b), -EINPROGRESS);
		block_wait_cancel(&w);
	}
	block_file_release(f);
	/* end() closes while they read */
}

static int make_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/f", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_once_for_all, begin, end),
		cmocka_unit_test_setup_teardown(keeps_its_limit, begin, end),
		cmocka_unit_test_setup_teardown(a_changed_file_is_another, begin, end),
		cmocka_unit_test_setup_teardown(a_replaced_file_stays_whole, begin, end),
		cmocka_unit_test_setup_teardown(a_truncated_file_ends, begin, end),
		cmocka_unit_test_setup_teardown(what_is_young_is_not_shared, begin, end),
		cmocka_unit_test_setup_teardown(texts_are_files, begin, end),
		cmocka_unit_test_setup_teardown(users_leave_early, begin, end),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
