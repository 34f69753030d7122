/* A thread with a libuv loop and a mailbox.  What it works on is its owner's.
 *
 *   worker_new    the loop is there, nothing runs: prepare handles on it
 *   worker_start  the thread runs; from here on only letters reach it
 *   worker_finish on the thread itself: the mailbox closes, and the loop ends
 *                 when its other handles are closed too
 *   worker_join   elsewhere, after finish: waits for the thread, reads what letters
 *                 are left, and frees it
 */
#pragma once

#include "edge/mailbox.h"

struct worker;

int worker_new(struct worker **ret) WARN_UNUSED;
uv_loop_t *worker_loop(struct worker *w);
struct mailbox *worker_inbox(struct worker *w);
/* name: of the thread, for debuggers; at most 15 octets. */
int worker_start(struct worker *w, const char *name) WARN_UNUSED;
void worker_finish(struct worker *w);
void worker_join(struct worker *w);
