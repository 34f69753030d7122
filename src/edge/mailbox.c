/* Letters between threads; see mailbox.h. */
#include "edge/mailbox.h"

#include <errno.h>
#include <stdlib.h>

struct mailbox {
	uv_async_t async;
	uv_mutex_t lock;
	struct letter *first, *last; /* under the lock, with n */
	unsigned n;
	const struct mailbox_hooks *hooks;
	void *ctx;
};

static void put(struct mailbox *box, struct letter *letter)
{
	letter->next = NULL;
	if (box->last)
		box->last->next = letter;
	else
		box->first = letter;
	box->last = letter;
	box->n++;
}

void mailbox_post(struct mailbox *box, struct letter *letter)
{
	bool was_empty;

	uv_mutex_lock(&box->lock);
	was_empty = box->n == 0;
	put(box, letter);
	/* Under the lock: the reader of this letter may close the mailbox. */
	if (was_empty)
		(void)uv_async_send(&box->async);
	uv_mutex_unlock(&box->lock);
}

bool mailbox_offer(struct mailbox *box, struct letter *letter, unsigned limit)
{
	bool taken;

	uv_mutex_lock(&box->lock);
	taken = box->n < limit;
	if (taken) {
		put(box, letter);
		if (box->n == 1)
			(void)uv_async_send(&box->async);
	}
	uv_mutex_unlock(&box->lock);
	return taken;
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

	read_all(box);
	uv_mutex_destroy(&box->lock);
	free(box);
}

void mailbox_close(struct mailbox *box)
{
	uv_close((uv_handle_t *)&box->async, on_closed);
}
