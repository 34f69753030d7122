/* Letters between threads; see mailbox.h. */
#include "edge/mailbox.h"

#include <errno.h>
#include <stdlib.h>

struct mailbox {
	uv_async_t async;
	uv_mutex_t lock;
	struct letter *first, *last; /* under the lock, with n */
	unsigned n;
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
	if (box->last)
		box->last->next = letter;
	else
		box->first = letter;
	box->last = letter;
	if (box->n++ == 0 && !box->is_closed)
		(void)uv_async_send(&box->async);
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

static void read_all(struct mailbox *box)
{
	struct letter *l, *next;

	uv_mutex_lock(&box->lock);
	l = box->first;
	box->first = box->last = NULL;
	box->n = 0;
	uv_mutex_unlock(&box->lock);
	if (!l)
		return;
	if (box->hooks && box->hooks->begin)
		box->hooks->begin(box->ctx);
	for (; l; l = next) {
		next = l->next;
		l->read(l);
	}
	if (box->hooks && box->hooks->end)
		box->hooks->end(box->ctx);
}

static void on_async(uv_async_t *async)
{
	read_all(async->data);
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
	read_all(box);
	uv_mutex_destroy(&box->lock);
	free(box);
}
