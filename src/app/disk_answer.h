/* Answers that wait for a disk: one of libuv's workers reads what they take, and the
 * main loop goes on.  The configuration in force when it was asked is held meanwhile.
 */
#pragma once

#include "app/site.h"
#include "edge/disk_jobs.h"

/* The first member of a struct of the caller's. */
struct disk_answer {
	struct disk_job job;
	struct site *site;
	struct snapshot *now;
	void (*read)(
		struct disk_answer *a); /* on a worker's thread: changes only what is a's own */
	void (*give)(
		struct disk_answer *a); /* after that, on the main thread: answers, and frees a */
};

/* read and give are set.  line: of those that read the same disk; a disk that hangs has two
 * workers at most, and the others are there for other disks. */
void disk_answer_begin(struct disk_answer *a, struct site *site, struct disk_jobs *line);
