/* Answers by way of a worker; see disk_answer.h. */
#include "app/disk_answer.h"

static void on_run(struct disk_job *job)
{
	struct disk_answer *a = (struct disk_answer *)job;

	a->read(a);
}

static void on_done(struct disk_job *job)
{
	struct disk_answer *a = (struct disk_answer *)job;
	struct snapshot *now = a->now;

	a->give(a);
	snapshot_unref(now);
}

void disk_answer_begin(struct disk_answer *a, struct site *site, struct disk_jobs *line)
{
	a->job.run = on_run;
	a->job.done = on_done;
	a->site = site;
	a->now = snapshot_ref(site->now);
	disk_jobs_add(line, &a->job);
}
