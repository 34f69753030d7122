/* Letters between threads; see mailbox.h. */
#include "edge/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TURN_NS UINT64_C(2000000) /* then the loop looks what else there is */

struct mailbox {
	uv_poll_t poll;
	int wake; /* an eventfd, that stays until nobody posts any more */
	uv_mutex_t lock;
	struct letter *first, *last; /* under the lock, with n and is_awake */
	unsigned n;                  /* letters that wait, and those of turn */
	bool is_awake;  /* the reader was woken, or reads: it looks here again before it sleeps */
	bool is_closed; /* the reader's */
	struct letter *turn; /* the reader's: taken, and not read yet */
	unsigned n_read;     /* of those that were taken */
	void (*closed)(void *ctx);
	void *closed_ctx;
	const struct mailbox_hooks *hooks;
	void *ctx;
};

/* Under the lock.  True: the reader is to be woken, when the lock is free again, as it
 * may well run at once. */
static bool put(struct mailbox *box, struct letter *letter)
{
	bool wakes = !box->is_awake;

	letter->next = NULL;
	box->n++;
	if (box->last)
		box->last->next = letter;
	else
		box->first = letter;
	box->last = letter;
	box->is_awake = true;
	return wakes;
}

static void wake(struct mailbox *box)
{
	(void)eventfd_write(box->wake, 1); /* it never holds as many as would not fit */
}

void mailbox_post(struct mailbox *box, struct letter *letter)
{
	bool wakes;

	uv_mutex_lock(&box->lock);
	wakes = put(box, letter);
	uv_mutex_unlock(&box->lock);
	if (wakes)
		wake(box);
}

bool mailbox_offer(struct mailbox *box, struct letter *letter, unsigned limit)
{
	bool has_room, wakes;

	uv_mutex_lock(&box->lock);
	has_room = box->n < limit;
	wakes = has_room && put(box, letter);
	uv_mutex_unlock(&box->lock);
	if (wakes)
		wake(box);
	return has_room;
}

/* True: there is a letter to read, of those that were taken or else were posted since. */
static bool refill(struct mailbox *box)
{
	uv_mutex_lock(&box->lock);
	box->n -= box->n_read;
	box->n_read = 0;
	if (!box->turn) {
		box->turn = box->first;
		box->first = box->last = NULL;
	}
	box->is_awake = box->turn != NULL;
	uv_mutex_unlock(&box->lock);
	return box->turn;
}

/* In the order of posting, until end_ns.  True: there are more. */
static bool read_some(struct mailbox *box, uint64_t end_ns)
{
	if (!refill(box))
		return false;
	if (box->hooks && box->hooks->begin)
		box->hooks->begin(box->ctx);
	do {
		struct letter *l = box->turn;

		box->turn = l->next;
		box->n_read++;
		l->read(l);
	} while (!box->is_closed && uv_hrtime() < end_ns && (box->turn || refill(box)));
	if (box->hooks && box->hooks->end)
		box->hooks->end(box->ctx);
	return refill(box);
}

/* Whoever posts many letters must not keep the loop from everyone else: then the
 * eventfd is left as it is, and the loop comes back. */
static void on_wake(uv_poll_t *poll, int status, int events)
{
	struct mailbox *box = poll->data;
	eventfd_t ignored;

	(void)status;
	(void)events;
	(void)eventfd_read(box->wake, &ignored);
	if (read_some(box, uv_hrtime() + TURN_NS))
		wake(box);
}

static int open_wake(struct mailbox *box, uv_loop_t *loop)
{
	int r;

	box->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->wake < 0)
		return -errno;
	r = uv_poll_init(loop, &box->poll, box->wake);
	if (r < 0) {
		close(box->wake);
		return r;
	}
	box->poll.data = box;
	(void)uv_poll_start(&box->poll, UV_READABLE, on_wake);
	return 0;
}

int mailbox_new(uv_loop_t *loop, const struct mailbox_hooks *hooks, void *ctx, struct mailbox **ret)
{
	struct mailbox *box = calloc(1, sizeof(*box));
	int r;

	if (!box)
		return -ENOMEM;
	box->hooks = hooks;
	box->ctx = ctx;
	r = uv_mutex_init(&box->lock);
	if (r < 0) {
		free(box);
		return r;
	}
	r = open_wake(box, loop);
	if (r < 0) {
		uv_mutex_destroy(&box->lock);
		free(box);
		return r;
	}
	*ret = box;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct mailbox *box = handle->data;

	if (box->closed)
		box->closed(box->closed_ctx);
}

void mailbox_close(struct mailbox *box, void (*closed)(void *ctx), void *ctx)
{
	box->is_closed = true;
	box->closed = closed;
	box->closed_ctx = ctx;
	uv_close((uv_handle_t *)&box->poll, on_closed);
}

void mailbox_free(struct mailbox *box)
{
	box->is_closed = false; /* nobody posts: what is left ends */
	(void)read_some(box, UINT64_MAX);
	close(box->wake);
	uv_mutex_destroy(&box->lock);
	free(box);
}
