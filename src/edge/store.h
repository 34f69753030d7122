/* The lease store: the durable log of the lease table.
 *
 * Asynchronous: a record is handed over, and done() is called later, never from
 * within store_commit(), when it is as safe as this store makes it.  Records
 * handed over while a batch is under way go together in the next one.
 * This version keeps leases in memory only: a batch is done at the end of the
 * loop's turn, and nothing survives the process.
 */
#pragma once

#include "core/lease.h"

#include <uv.h>

/* result: 0, or -errno: not stored, the reply must not leave. */
typedef void (*store_done)(void *ctx, int result);

struct store;

int store_open(uv_loop_t *loop, const char *state_dir, struct store **ret) WARN_UNUSED;
/* The record is copied as far as the store needs it.  -ENOMEM: done is not called. */
int store_commit(struct store *s, const struct lease_record *r, store_done done, void *ctx) WARN_UNUSED;
/* Calls what is still open with its result, then frees the store (on the loop). */
void store_close(struct store *s);

/* Takes the lock of a state directory, making the directory where it is missing.
 * -EWOULDBLOCK: another instance has it; *ret_pid its process, or 0.  The lock
 * goes with the descriptor. */
int store_lock(const char *state_dir, int *ret_fd, int *ret_pid) WARN_UNUSED;
