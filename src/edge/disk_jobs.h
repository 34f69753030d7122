/* What takes a disk for long (the digest of gigabytes, fsync): done by libuv's workers,
 * so that the loop goes on.
 *
 * The process has few workers, and who serves cold files needs them too: of one line of
 * jobs two are at work at a time, and the others wait for their turn.
 */
#pragma once

#include "base/bytes.h"

#include <uv.h>

struct disk_jobs;

/* The first member of a struct of the caller's, which lives until done() or until
 * disk_jobs_drop() has taken it back. */
struct disk_job {
	uv_work_t work;
	struct disk_jobs *line;
	void (*run)(struct disk_job *job);  /* on a worker's thread */
	void (*done)(struct disk_job *job); /* on the loop, after run() */
	struct disk_job *prev, *next;
};

struct disk_jobs {
	uv_loop_t *loop;
	unsigned n_running;
	struct disk_job *waiting;
};

/* The line outlives its jobs. */
void disk_jobs_add(struct disk_jobs *line, struct disk_job *job);
/* None is at work or waits: from within done(), not counting its own. */
bool disk_jobs_are_done(const struct disk_jobs *line);
/* True: it had not begun, and never does.  False: done() comes. */
bool disk_jobs_drop(struct disk_job *job) WARN_UNUSED;
