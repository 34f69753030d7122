/* Letters between threads: posted from any thread, read on the loop that the
 * mailbox belongs to, in the order in which they were posted.
 *
 * A letter is the first member of a struct of the sender's; its read() owns it.  Of
 * many, 2 ms' worth are read before the loop has its turn.
 * Copies nothing and knows no contents.
 */
#pragma once

#include "base/bytes.h"

#include <uv.h>

struct letter {
	struct letter *next;
	void (*read)(struct letter *self);
};

struct mailbox;

/* Called around the letters that are read in one go; both may be NULL. */
struct mailbox_hooks {
	void (*begin)(void *ctx);
	void (*end)(void *ctx);
};

/* hooks (NULL: none) and ctx must outlive it.  Keeps the loop running until it is
 * closed.  0 or -ENOMEM, …. */
int mailbox_new(uv_loop_t *loop, const struct mailbox_hooks *hooks, void *ctx,
	struct mailbox **ret) WARN_UNUSED;

/* From any thread, until the mailbox is freed. */
void mailbox_post(struct mailbox *box, struct letter *letter);
/* The same, but false, and the letter stays the caller's, where `limit` others
 * wait already: for what may be lost when its reader does not keep up. */
bool mailbox_offer(struct mailbox *box, struct letter *letter, unsigned limit) WARN_UNUSED;

/* On the loop's thread: no more letters are read, the loop lets go; closed(ctx)
 * (NULL: none) comes when it has.  Who posts still may: those letters wait. */
void mailbox_close(struct mailbox *box, void (*closed)(void *ctx), void *ctx);
/* After that, when nobody posts any more: reads what is left, on the caller's
 * thread, and frees it. */
void mailbox_free(struct mailbox *box);
