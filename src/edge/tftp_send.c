/* Sending: transfers take turns on their port, a batch goes out in one call.
 * Decides nothing about when: blocks from next_block to last_block are due. */
#include "edge/tftp_transfer.h"

#include <errno.h>
#include <utlist.h>

/* In one batch, so that the next one has its turn: 170 blocks of 1468 octets. */
#define MESSAGES_PER_TRANSFER 4
#define SINGLE_PER_TRANSFER   32
#define BATCHES_PER_TURN      2

/* Those who have something in a batch. */
struct senders {
	struct transfer *list[TFTP_BATCH_MESSAGES];
	size_t n;
};

static bool has_more(const struct transfer *t)
{
	return t->oack_due || t->next_block <= t->last_block;
}

/* ---- the queue ---- */

static void mark_dirty(struct tftp_pool *pool, struct tftp_port *port)
{
	if (port->dirty)
		return;
	port->dirty = &pool->dirty;
	DL_APPEND2(pool->dirty, port, dirty_prev, dirty_next);
}

void tftp_send_nothing(struct tftp_port *port)
{
	if (port->dirty)
		DL_DELETE2(*port->dirty, port, dirty_prev, dirty_next);
	port->dirty = NULL;
}

void tftp_pool_port_ready(struct tftp_pool *pool, struct tftp_port *port)
{
	if (port->fd >= 0 && port->sendable)
		mark_dirty(pool, port);
}

void transfer_queue(struct transfer *t)
{
	if (t->queued || t->wait.block)
		return;
	t->queued = true;
	DL_APPEND2(t->port->sendable, t, send_prev, send_next);
	mark_dirty(t->pool, t->port);
}

void transfer_unqueue(struct transfer *t)
{
	if (t->queued)
		DL_DELETE2(t->port->sendable, t, send_prev, send_next);
	t->queued = false;
}

/* From the cache, where nothing may be sent: the port is, as soon as it is writable. */
static void on_block_ready(struct block_wait *w)
{
	struct transfer *t = (struct transfer *)((char *)w - offsetof(struct transfer, wait));

	transfer_queue(t);
	tftp_port_want_write(t->port, true);
}

/* ---- building ---- */

static void build_oack(struct transfer *t, struct tftp_batch *b)
{
	uint8_t buf[TFTP_OACK_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	tftp_session_put_oack(&t->session.terms, &w);
	tftp_batch_begin(b, &t->peer, t->port->local.v == 0)->owner = t;
	tftp_batch_put_packet(b, wr_done(&w));
	tftp_batch_end(b, 0);
	t->oack_due = false;
}

/* The file's block at that offset, kept for the batch; that of the call before is
 * mostly the one.  0, or why there is none now. */
static int find_data(struct transfer *t, struct tftp_batch *b, uint64_t offset,
	const struct file_block **io_block)
{
	const struct file_block *had = *io_block;
	int err;

	if (had && offset >= had->offset && offset < had->offset + had->n)
		return 0;
	t->wait.ready = on_block_ready;
	err = block_file_hold(t->file, offset, &t->wait, io_block);
	if (err == 0)
		tftp_batch_keep(b, *io_block);
	return err;
}

/* The pieces of one TFTP block, which may lie in two or more blocks of the file.
 * Nothing is put unless all are there. */
static int put_block(struct transfer *t, struct tftp_batch *b, const struct file_block **io_block)
{
	uint64_t offset = tftp_session_offset(&t->session.terms, t->next_block);
	uint64_t end = offset + tftp_session_length(&t->session.terms, t->next_block);
	const struct file_block *first = NULL, *second = NULL;

	_Static_assert(TFTP_BLKSIZE_MAX <= FILE_BLOCK_SIZE, "two at most");
	if (offset < end) {
		int err = find_data(t, b, offset, io_block);

		if (err < 0)
			return err;
		first = *io_block;
		if (end > first->offset + first->n) {
			err = find_data(t, b, first->offset + first->n, io_block);
			if (err < 0)
				return err;
			second = *io_block;
		}
	}
	tftp_batch_put_header(b, (uint16_t)t->next_block);
	if (first)
		tftp_batch_put_data(b, first->p + (offset - first->offset),
			(size_t)((second ? second->offset : end) - offset));
	if (second)
		tftp_batch_put_data(b, second->p, (size_t)(end - second->offset));
	return 0;
}

/* One message.  False: nothing more of this transfer now. */
static bool build_message(struct transfer *t, struct tftp_batch *b, unsigned blocks_max)
{
	const struct file_block *block = NULL;
	struct tftp_message *m = tftp_batch_begin(b, &t->peer, t->port->local.v == 0);
	unsigned n = 0;
	int err = 0;

	m->owner = t;
	m->first = t->next_block;
	while (n < blocks_max && t->next_block <= t->last_block) {
		err = put_block(t, b, &block);
		if (err < 0)
			break;
		m->last = t->next_block++;
		n++;
	}
	if (n > 0)
		tftp_batch_end(b, TFTP_HEADER_LEN + t->session.terms.blksize);
	if (err < 0 && err != -EINPROGRESS)
		t->broken = err == -ESTALE ? TFTP_CHANGED : TFTP_FAILED;
	return err == 0 && t->next_block <= t->last_block;
}

static void build_transfer(struct transfer *t, struct tftp_batch *b)
{
	unsigned blocks = t->singly ? 1
				    : tftp_batch_blocks_max(b, &t->peer, t->session.terms.blksize);
	unsigned messages = blocks > 1 ? MESSAGES_PER_TRANSFER : SINGLE_PER_TRANSFER;

	if (t->oack_due)
		build_oack(t, b);
	if (t->next_block > t->last_block)
		return;
	while (messages-- > 0 && tftp_batch_has_room(b))
		if (!build_message(t, b, blocks))
			break;
}

/* ---- after sending ---- */

/* What did not go is due again. */
static void take_back(struct tftp_port *port, const struct tftp_batch *b)
{
	for (size_t i = b->n; i-- > 0;) {
		const struct tftp_message *m = &b->list[i];

		if (m->sent == TFTP_SENT_OFF)
			continue;
		if (m->first == 0)
			m->owner->oack_due = true;
		else
			m->owner->next_block = m->first;
		if (m->sent == TFTP_SENT_LATER)
			port->full = true;
		else
			m->owner->singly = true;
	}
}

/* Back into the queue, or done, or ended. */
static void settle_sender(struct transfer *t)
{
	bool was_held = t->session.held;

	if (t->broken != TFTP_RUNNING) {
		transfer_break(t);
		return;
	}
	if (!has_more(t)) {
		tftp_session_released(&t->session, uv_now(t->pool->loop));
	} else {
		tftp_session_hold(&t->session);
		transfer_queue(t);
	}
	if (t->session.held != was_held)
		transfer_set_timer(t);
}

static void send_batch(struct tftp_pool *pool, struct tftp_port *port)
{
	struct tftp_batch *b = &pool->batch;
	struct senders who = { .n = 0 };

	while (port->sendable && who.n < ARRAY_LEN(who.list) && tftp_batch_has_room(b)) {
		struct transfer *t = port->sendable;

		transfer_unqueue(t);
		who.list[who.n++] = t;
		build_transfer(t, b);
	}
	tftp_batch_send(b, port->fd);
	take_back(port, b);
	tftp_batch_reset(b);
	for (size_t i = 0; i < who.n; i++)
		settle_sender(who.list[i]);
}

static void send_port(struct tftp_pool *pool, struct tftp_port *port)
{
	for (int i = 0; i < BATCHES_PER_TURN && port->sendable && !port->full; i++)
		send_batch(pool, port);
	/* its queue may have gone with the last of its transfers, and the socket too */
	if (port->sendable)
		tftp_port_want_write(port, true);
}

void tftp_send_all(struct tftp_pool *pool)
{
	struct tftp_port *list = pool->dirty, *port;

	/* What is queued meanwhile has its turn when the socket is writable. */
	pool->dirty = NULL;
	DL_FOREACH2(list, port, dirty_next)
	port->dirty = &list;
	while ((port = list)) {
		tftp_send_nothing(port);
		send_port(pool, port);
		tftp_send_nothing(port);
	}
}
