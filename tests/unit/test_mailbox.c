/* edge/mailbox.c and worker.c: letters from several threads, none lost, each sender's
 * in order, those after the close read by mailbox_free(). */
#include "edge/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SENDERS 4u
#define LETTERS 20000u

struct counted {
	struct letter letter;
	unsigned sender, number;
};

static struct mailbox *home;
static unsigned next_of[SENDERS], read_in_all, batches;
static bool in_batch;

static void read_counted(struct letter *l)
{
	struct counted *c = (struct counted *)l;

	assert_true(in_batch);
	assert_int_equal(c->number, next_of[c->sender]);
	next_of[c->sender]++;
	if (++read_in_all == SENDERS * LETTERS)
		mailbox_close(home, NULL, NULL);
	free(c);
}

static void send_all(void *arg)
{
	unsigned sender = *(const unsigned *)arg;

	for (unsigned i = 0; i < LETTERS; i++) {
		struct counted *c = malloc(sizeof(*c));

		assert_non_null(c);
		*c = (struct counted){ .letter.read = read_counted, .sender = sender, .number = i };
		mailbox_post(home, &c->letter);
	}
}

static void on_begin(void *ctx)
{
	(void)ctx;
	in_batch = true;
	batches++;
}

static void on_end(void *ctx)
{
	(void)ctx;
	in_batch = false;
}

/* --- a flood of letters, and something else on the same loop --- */

#define SLOW 200u

static unsigned slow_read, rounds, n_offered;

static void read_slow(struct letter *l)
{
	uint64_t end_ns = uv_hrtime() + 100000;

	while (uv_hrtime() < end_ns)
		;
	free(l);
	if (++slow_read == SLOW + n_offered)
		mailbox_close(home, NULL, NULL);
}

/* What has been read makes room, though more was taken with it. */
static void offer_one(void)
{
	struct letter *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->read = read_slow;
	n_offered++;
	assert_true(mailbox_offer(home, l, SLOW));
}

static void on_round(uv_prepare_t *p)
{
	rounds++;
	if (slow_read > 0 && slow_read < SLOW && n_offered == 0)
		offer_one();
	if (slow_read == SLOW + n_offered)
		uv_close((uv_handle_t *)p, NULL);
}

static void test_the_loop_has_its_turn(void **state)
{
	uv_prepare_t round;
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(mailbox_new(&loop, NULL, NULL, &home), 0);
	assert_int_equal(uv_prepare_init(&loop, &round), 0);
	assert_int_equal(uv_prepare_start(&round, on_round), 0);
	for (unsigned i = 0; i < SLOW; i++) {
		struct letter *l = calloc(1, sizeof(*l));

		assert_non_null(l);
		l->read = read_slow;
		mailbox_post(home, l);
	}
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(n_offered, 1);
	assert_true(rounds >= 5); /* 20 ms of reading, 2 ms at a time */
	mailbox_free(home);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_all_arrive_in_order(void **state)
{
	static const struct mailbox_hooks hooks = { .begin = on_begin, .end = on_end };
	unsigned numbers[SENDERS] = { 0, 1, 2, 3 };
	uv_thread_t threads[SENDERS];
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(mailbox_new(&loop, &hooks, NULL, &home), 0);
	for (unsigned i = 0; i < SENDERS; i++)
		assert_int_equal(uv_thread_create(&threads[i], send_all, &numbers[i]), 0);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		assert_int_equal(uv_thread_join(&threads[i]), 0);
		assert_int_equal(next_of[i], LETTERS);
	}
	assert_in_range(batches, 1, SENDERS * LETTERS);
	mailbox_free(home);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static unsigned plain_read;

static void read_plain(struct letter *l)
{
	(void)l;
	plain_read++;
}

static void test_limit_and_what_is_left(void **state)
{
	struct letter letters[4] = { { .read = read_plain }, { .read = read_plain },
		{ .read = read_plain }, { .read = read_plain } };
	uv_loop_t loop;

	(void)state;
	plain_read = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(mailbox_new(&loop, NULL, NULL, &home), 0);
	assert_true(mailbox_offer(home, &letters[0], 2));
	assert_true(mailbox_offer(home, &letters[1], 2));
	assert_false(mailbox_offer(home, &letters[2], 2));
	mailbox_post(home, &letters[2]);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(plain_read, 3);
	mailbox_close(home, NULL, NULL);
	mailbox_post(home, &letters[3]);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(plain_read, 3);
	mailbox_free(home);
	assert_int_equal(plain_read, 4);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static struct worker *worker;
static unsigned long worker_thread;

static void read_finish(struct letter *l)
{
	(void)l;
	worker_thread = (unsigned long)uv_thread_self();
	worker_finish(worker);
}

static void test_a_worker_runs_letters_on_its_thread(void **state)
{
	struct letter finish = { .read = read_finish };

	(void)state;
	assert_int_equal(worker_new(&worker), 0);
	assert_int_equal(worker_start(worker, "test"), 0);
	mailbox_post(worker_inbox(worker), &finish);
	worker_join(worker);
	assert_int_not_equal(worker_thread, 0);
	assert_int_not_equal(worker_thread, (unsigned long)uv_thread_self());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_arrive_in_order),
		cmocka_unit_test(test_the_loop_has_its_turn),
		cmocka_unit_test(test_limit_and_what_is_left),
		cmocka_unit_test(test_a_worker_runs_letters_on_its_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
