/* A line of jobs for disks; see disk_jobs.h. */
#include "edge/disk_jobs.h"

#include <stdlib.h>
#include <utlist.h>

#define RUNNING_MAX 2u

static void begin_next(struct disk_jobs *line);

static void on_work(uv_work_t *work)
{
	struct disk_job *job = work->data;

	job->run(job);
}

static void on_done(uv_work_t *work, int status)
{
	struct disk_job *job = work->data;
	struct disk_jobs *line = job->line;

	(void)status;
	line->n_running--;
	begin_next(line);
	job->done(job); /* the line may go with its last job */
}

static void begin_next(struct disk_jobs *line)
{
	struct disk_job *job = line->waiting;

	if (!job || line->n_running == RUNNING_MAX)
		return;
	DL_DELETE(line->waiting, job);
	line->n_running++;
	job->work.data = job;
	if (uv_queue_work(line->loop, &job->work, on_work, on_done) < 0)
		abort(); /* it fails without a function only */
}

void disk_jobs_add(struct disk_jobs *line, struct disk_job *job)
{
	job->line = line;
	DL_APPEND(line->waiting, job);
	begin_next(line);
}

bool disk_jobs_are_done(const struct disk_jobs *line)
{
	return line->n_running == 0 && !line->waiting;
}

bool disk_jobs_drop(struct disk_job *job)
{
	struct disk_job *waiting;

	DL_FOREACH(job->line->waiting, waiting)
		if (waiting == job) {
			DL_DELETE(job->line->waiting, job);
			return true;
		}
	return false;
}
