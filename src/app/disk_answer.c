/* Answers by way of a worker; see disk_answer.h. */
#include "app/disk_answer.h"

#include <stdlib.h>

static void on_work(uv_work_t *work)
{
	struct disk_answer *a = work->data;

	a->read(a);
}

static void on_done(uv_work_t *work, int status)
{
	struct disk_answer *a = work->data;
	struct snapshot *now = a->now;

	(void)status;
	a->give(a);
	snapshot_unref(now);
}

void disk_answer_begin(struct disk_answer *a, struct site *site)
{
	a->work.data = a;
	a->site = site;
	a->now = snapshot_ref(site->now);
	if (uv_queue_work(site->loop, &a->work, on_work, on_done) < 0)
		abort(); /* it fails without a function only */
}
