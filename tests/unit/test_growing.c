/* edge/growing.c: one thread writes a file and announces it, others read what is
 * available: each octet as it was written, up to a whole end or a broken one. */
#include "edge/growing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <uv.h>

#define READERS 4u
#define TOTAL   ((uint64_t)4 << 20)
#define PIECE   4096u

/* What stands at each place of the file: cheap to make, and no piece is like another. */
static uint8_t octet_at(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static int empty_file(void)
{
	char path[] = "/tmp/test_growing.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

struct reader {
	uv_thread_t thread;
	struct growing *g;
	uint64_t got;
	bool is_wrong, is_broken;
};

static void read_some(struct reader *r, int fd, uint64_t to)
{
	uint8_t piece[PIECE];

	while (r->got < to && !r->is_wrong) {
		size_t n = to - r->got < sizeof(piece) ? (size_t)(to - r->got) : sizeof(piece);

		r->is_wrong = pread(fd, piece, n, (off_t)r->got) != (ssize_t)n;
		for (size_t i = 0; i < n && !r->is_wrong; i++)
			r->is_wrong = piece[i] != octet_at(r->got + i);
		r->got += n;
	}
}

/* As an HTTP thread does it: looks what is there, and sees a break only when it has nothing to do. */
static void read_all(void *arg)
{
	struct reader *r = arg;
	uint64_t seen = 0;
	int fd = -1;

	r->is_wrong = growing_open(r->g, &fd) < 0;
	while (!r->is_wrong && r->got < growing_total(r->g)) {
		uint64_t available = growing_available(r->g);

		r->is_wrong = available < seen || available > growing_total(r->g);
		seen = available;
		if (r->got < available) {
			read_some(r, fd, available);
		} else if (growing_is_broken(r->g)) {
			r->is_broken = true;
			break;
		}
	}
	if (fd >= 0)
		(void)close(fd);
	growing_unref(r->g);
}

/* Writes the file up to `end` and lets go of it. */
static void grow(uint64_t end, struct reader *readers)
{
	uint8_t piece[PIECE];
	struct growing *g;
	int fd = empty_file();

	assert_int_equal(growing_new(fd, TOTAL, &g), 0);
	assert_true(
		growing_total(g) == TOTAL && growing_available(g) == 0 && !growing_is_broken(g));
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .g = growing_ref(g) };
		assert_int_equal(uv_thread_create(&readers[i].thread, read_all, &readers[i]), 0);
	}
	for (uint64_t at = 0; at < end; at += PIECE) {
		for (size_t i = 0; i < PIECE; i++)
			piece[i] = octet_at(at + i);
		assert_int_equal(pwrite(fd, piece, PIECE, (off_t)at), PIECE);
		growing_announce(g, at + PIECE);
	}
	if (end < TOTAL)
		growing_break(g);
	/* Readers outlive the writer and its descriptor. */
	(void)close(fd);
	growing_unref(g);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(uv_thread_join(&readers[i].thread), 0);
}

static void all_read_what_was_written(void **state)
{
	struct reader readers[READERS];

	(void)state;
	grow(TOTAL, readers);
	for (unsigned i = 0; i < READERS; i++) {
		assert_false(readers[i].is_wrong);
		assert_false(readers[i].is_broken);
		assert_true(readers[i].got == TOTAL);
	}
}

static void what_breaks_ends_for_all(void **state)
{
	struct reader readers[READERS];

	(void)state;
	grow(TOTAL / 2, readers);
	for (unsigned i = 0; i < READERS; i++) {
		assert_false(readers[i].is_wrong);
		assert_true(readers[i].is_broken);
		assert_true(readers[i].got <= TOTAL / 2);
	}
}

static void nothing_is_taken_back(void **state)
{
	struct growing *g;
	int fd = empty_file();

	(void)state;
	assert_int_equal(growing_new(fd, 100, &g), 0);
	growing_announce(g, 60);
	growing_announce(g, 40);
	assert_true(growing_available(g) == 60);
	growing_break(g);
	assert_true(growing_available(g) == 60 && growing_is_broken(g));
	growing_unref(g);
	growing_unref(NULL);
	(void)close(fd);
	assert_true(growing_new(-1, 100, &g) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_read_what_was_written),
		cmocka_unit_test(what_breaks_ends_for_all),
		cmocka_unit_test(nothing_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
