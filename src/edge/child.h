/* One child process in the foreground, until it ends or has to.
 *
 * The child shares our terminal, our other open descriptors and our fate: it is
 * killed when we die in whatever way.  No shell, no search but of PATH.
 */
#pragma once

#include "base/bytes.h"

enum child_end {
	CHILD_EXITED,   /* by itself; value: its exit status */
	CHILD_DIED,     /* of a signal that was not ours; value: the signal */
	CHILD_STOPPED,  /* we were told to stop, and stopped it; value: the signal we got */
	CHILD_TIMED_OUT /* and was stopped; value: 0 */
};

struct child_result {
	enum child_end end;
	int value;
};

/* Runs argv (NULL at its end) and returns when it has ended: by itself, by our
 * SIGINT, SIGTERM or SIGHUP (unless that is ignored), or after timeout_s seconds (0: no limit).  It gets
 * SIGTERM first and SIGKILL after three seconds.  The terminal has the modes
 * afterwards that it had before.  -ENOENT: no such program; else what fork or
 * exec said.  Blocks; for processes of one thread only. */
int child_run(char *const argv[], unsigned timeout_s, struct child_result *ret_result) WARN_UNUSED;

/* For a command that only waits: from child_hold_stop on, SIGINT, SIGTERM and
 * SIGHUP do nothing but end the next child_wait_for_stop, and the reader of our
 * output may go away. */
void child_hold_stop(void);
void child_wait_for_stop(void);
