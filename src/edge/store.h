/* The lease store: the durable log of the lease table, in SQLite, and beside it
 * what is known of forms of boot answers and of machines.
 *
 * Asynchronous: a record is handed over on the loop, and done() is called on the
 * loop later, never from within store_commit(), when the record is on disk or
 * cannot be.  A thread of its own writes: records that are handed over while one
 * batch is committed go together in the next one, so an fsync is shared by all
 * who wait for it, and a disk that hangs stops nobody but those.
 *
 * Append-only: a log of records, of which the last of an address counts.  An
 * upsert would cost five times as much at a million rows.  What is superseded
 * is removed little by little between commits.
 *
 * It decides nothing: what a reply does while the store fails is
 * core/dhcp4_server.c's.
 */
#pragma once

#include "core/forms.h"
#include "core/lease.h"
#include "core/machine_state.h"

#include <uv.h>

/* result: 0, or -errno: not stored, the reply must not leave. */
typedef void (*store_done)(void *ctx, int result);

struct store_hooks {
	/* While store_open() runs: how many records there are, then all of them, oldest first, some at a time. */
	void (*expect)(void *ctx, size_t n);
	int (*load)(void *ctx, const struct lease_record *list, size_t n);
	/* Each form of boot answer that is known to work, while store_open() runs; or NULL. */
	int (*load_form)(void *ctx, const struct forms_record *r);
	/* The state of each machine, heard of longest ago first, while store_open() runs; or NULL. */
	int (*load_machine)(void *ctx, const struct machine_state *s);
	/* The store cannot write any more, or the disk hangs (message: why), or it can again (NULL). */
	void (*health)(void *ctx, const char *message);
	/* After the last done() of records that were committed together; or NULL. */
	void (*batch_done)(void *ctx);
};

struct store;

#define STORE_MESSAGE_MAX 256

/* Opens state_dir/leases.db, upgrades an older schema, and loads it.  A database
 * that can only be read is opened all the same, and is failing from the start.
 * ctx is the hooks'.  Negative with a sentence in ret_message: it cannot be used
 * at all (not a database, damaged, a newer version's). */
int store_open(uv_loop_t *loop, const char *state_dir, const struct store_hooks *hooks, void *ctx,
	char ret_message[static STORE_MESSAGE_MAX], struct store **ret) WARN_UNUSED;
/* What is handed over in one turn of the loop is committed together, or none of it is. */

/* Of each kind so many records may be on their way: a disk that hangs costs no more
 * memory than these, and many of one kind leave room for the others. */
#define STORE_UNFINISHED_MAX 16384u
/* The record is copied.  -ENOMEM, -EBUSY (too many wait): done is not called. */
int store_commit(
	struct store *s, const struct lease_record *r, store_done done, void *ctx) WARN_UNUSED;
/* Stores that a form of boot answer works, some time; nobody waits for it. */
void store_remember_form(struct store *s, const struct forms_record *r);
/* The state of a machine, copied, in place of what is stored of it.  As store_commit(). */
int store_put_machine(
	struct store *s, const struct machine_state *m, store_done done, void *ctx) WARN_UNUSED;
/* Removes it, some time; nobody waits for that. */
void store_forget_machine(struct store *s, struct mac mac);
/* True since a write failed, or the disk did not answer for 2 s, until one succeeds again. */
bool store_is_failing(const struct store *s);
/* Commits what waits, calls its done(), ends the thread and frees the store (on
 * the loop's next turn). */
void store_close(struct store *s);

/* Takes the lock of a state directory, making the directory where it is missing.
 * -EWOULDBLOCK: another instance has it; *ret_pid its process, or 0.  The lock
 * goes with the descriptor. */
int store_lock(const char *state_dir, int *ret_fd, int *ret_pid) WARN_UNUSED;
