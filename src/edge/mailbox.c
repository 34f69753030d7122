/* Letters between threads; see mailbox.h. */
#include "edge/mailbox.h"

#include <errno.h>
#include <stdlib.h>

#define TURN_NS UINT64_C(2000000) /* then the loop looks what else there is */

struct mailbox {
	uv_async_t async;
	uv_mutex_t lock;
	struct letter *first, *last; /* under the lock, with n */
	unsigned n;             /* letters that wait, those of turn too */
	struct letter *turn;    /* the reader's: taken, and not read yet */
	bool is_closed;
	void (*closed)(void *ctx);
	void *closed_ctx;
	const struct mailbox_hooks *hooks;
	void *ctx;
};

/* Under the lock, the waking too: who reads this letter may close the mailbox. */
static void put(struct mailbox *box, struct letter *letter)
{
	letter->next = NULL;
	box->n++;
	if (box->last) {
		box->last->next = letter;
	} else {
		box->first = letter;
		if (!box->is_closed)
			(void)uv_async_send(&box->async);
	}
	box->last = letter;
}

void mailbox_post(struct mailbox *box, struct letter *letter)
{
	uv_mutex_lock(&box->lock);
	put(box, letter);
	uv_mutex_unlock(&box->lock);
}

bool mailbox_offer(struct mailbox *box, struct letter *letter, unsigned limit)
{
	bool has_room;

	uv_mutex_lock(&box->lock);
	has_room = box->n < limit;
	if (has_room)
		put(box, letter);
	uv_mutex_unlock(&box->lock);
	return has_room;
}

/* What was posted since, when all before it is read. */
static struct letter *take(struct mailbox *box)
{
	uv_mutex_lock(&box->lock);
	if (!box->turn) {
		box->turn = box->first;
		box->first = box->last = NULL;
	}
	uv_mutex_unlock(&box->lock);
	return box->turn;
}

/* Reads those that were posted before, in their order, until end_ns. */
static void read_some(struct mailbox *box, uint64_t end_ns)
{
	unsigned n = 0;

	if (!take(box))
		return;
	if (box->hooks && box->hooks->begin)
		box->hooks->begin(box->ctx);
	do {
		struct letter *l = box->turn;

		box->turn = l->next;
		n++;
		l->read(l);
	} while (box->turn && uv_hrtime() < end_ns);
	if (box->hooks && box->hooks->end)
		box->hooks->end(box->ctx);
	uv_mutex_lock(&box->lock);
	box->n -= n;
	if ((box->turn || box->first) && !box->is_closed)
		(void)uv_async_send(&box->async);
	uv_mutex_unlock(&box->lock);
}

/* Whoever posts many letters must not keep the loop from everyone else. */
static void on_async(uv_async_t *async)
{
	read_some(async->data, uv_hrtime() + TURN_NS);
}

int mailbox_new(uv_loop_t *loop, const struct mailbox_hooks *hooks, void *ctx, struct mailbox **ret)
{
	struct mailbox *box = calloc(1, sizeof(*box));
	int r;

	if (!box)
		return -ENOMEM;
	box->hooks = hooks;
	box->ctx = ctx;
	box->async.data = box;
	r = uv_mutex_init(&box->lock);
	if (r < 0) {
		free(box);
		return r;
	}
	r = uv_async_init(loop, &box->async, on_async);
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
	uv_mutex_lock(&box->lock);
	box->is_closed = true;
	box->closed = closed;
	box->closed_ctx = ctx;
	uv_close((uv_handle_t *)&box->async, on_closed);
	uv_mutex_unlock(&box->lock);
}

void mailbox_free(struct mailbox *box)
{
	while (box->turn || box->first)
		read_some(box, UINT64_MAX);
	uv_mutex_destroy(&box->lock);
	free(box);
}
