/* edge/disk_jobs.c: two at work at a time, the others in their order; what has not
 * begun can be taken back. */
#include "edge/disk_jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define JOBS 8u

struct numbered {
	struct disk_job job;
	unsigned number;
};

static uv_sem_t gate;
static unsigned at_work, most_at_work; /* atomic */
static unsigned done[JOBS], n_done;

static void work(struct disk_job *job)
{
	unsigned n = __atomic_add_fetch(&at_work, 1, __ATOMIC_SEQ_CST),
		 most = __atomic_load_n(&most_at_work, __ATOMIC_SEQ_CST);

	(void)job;
	while (n > most &&
		!__atomic_compare_exchange_n(
			&most_at_work, &most, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	uv_sem_wait(&gate);
	(void)__atomic_sub_fetch(&at_work, 1, __ATOMIC_SEQ_CST);
}

static void on_done(struct disk_job *job)
{
	done[n_done++] = ((struct numbered *)job)->number;
}

static void two_at_a_time(void **state)
{
	struct numbered jobs[JOBS] = { 0 };
	struct disk_jobs line = { 0 };
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_sem_init(&gate, 0), 0);
	line.loop = &loop;
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i] = (struct numbered){ { .run = work, .done = on_done }, i };
		disk_jobs_add(&line, &jobs[i].job);
	}
	assert_false(disk_jobs_drop(&jobs[0].job));
	assert_false(disk_jobs_drop(&jobs[1].job));
	assert_true(disk_jobs_drop(&jobs[2].job));
	assert_true(disk_jobs_drop(&jobs[JOBS - 1].job));
	for (unsigned i = 0; i < JOBS - 2; i++)
		uv_sem_post(&gate);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(n_done, JOBS - 2);
	assert_true(most_at_work <= 2);
	for (unsigned i = 0; i < n_done; i++)
		assert_true(done[i] != 2 && done[i] != JOBS - 1);
	assert_int_equal(line.n_running, 0);
	assert_null(line.waiting);
	uv_sem_destroy(&gate);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
