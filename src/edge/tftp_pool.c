/* Running TFTP transfers.  Holds no more of them than its limits say: those that
 * no ACK ever proved go first.  Resends nothing on its own account. */
#include "edge/tftp_pool.h"

#include "edge/tftp_places.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#define TRANSFERS_DEFAULT            16384
#define TRANSFERS_PER_CLIENT_DEFAULT 32
#define CACHE_OCTETS_DEFAULT         ((size_t)64 << 20)
#define TIMERS_PER_TURN              1024 /* then the loop's other work has its turn */

/* A question to the owner.  Stays until it is answered, though its transfer be gone. */
struct tftp_pending {
	struct transfer *transfer; /* NULL: ended meanwhile */
	struct tftp_pending *prev, *next;
};

/* ---- the end of a transfer ---- */

static void tell_of(struct transfer *t, uint16_t error, struct span sentence,
	void (*tell)(void *ctx, const struct tftp_access *access))
{
	struct tftp_packet packet;
	uint8_t path_buf[TFTP_PATH_MAX];
	struct tftp_access access = {
		.peer = &t->peer,
		.request = &packet.request,
		.session = t->file ? &t->session : NULL,
		.outcome = t->session.outcome,
		.error = error,
		.sentence = sentence,
		.duration_us = uv_hrtime() / 1000 - t->started_us,
		.cookie = t->cookie,
	};

	/* Both went well when the request came. */
	if (tftp_decode((struct span){ t->request, t->request_len }, &packet) != DROP_NONE ||
		tftp_session_path(packet.request.file, path_buf, &access.path) < 0)
		return;
	tell(t->pool->ctx, &access);
}

void tftp_pool_look(struct tftp_pool *pool, uint64_t min_us, unsigned max,
	void (*seen)(void *ctx, const struct tftp_access *access))
{
	uint64_t now_us = uv_hrtime() / 1000;
	struct transfer *t;

	DL_FOREACH(pool->proven, t)
		if (now_us - t->started_us >= min_us && max > 0) {
			tell_of(t, 0, SPAN_NONE, seen);
			max--;
		}
}

static struct transfer **list_of(struct transfer *t)
{
	if (!t->file)
		return &t->pool->asked;
	return t->half_open ? &t->pool->half_open : &t->pool->proven;
}

/* session.outcome says how it ended. */
static void transfer_end(struct transfer *t, uint16_t error, struct span sentence)
{
	struct tftp_pool *pool = t->pool;
	struct transfer **list = list_of(t);

	DL_DELETE(*list, t);
	tftp_place_leave(t);
	pool->n_transfers--;
	timer_wheel_remove(&pool->wheel, &t->timer);
	block_wait_cancel(&t->wait);
	tftp_place_off_port(t);
	if (t->pending)
		t->pending->transfer = NULL;
	tell_of(t, error, sentence, t->pool->hooks->done);
	if (t->file)
		block_file_release(t->file);
	free(t);
}

static void transfer_end_as(struct transfer *t, enum tftp_outcome outcome)
{
	t->session.outcome = outcome;
	transfer_end(t, 0, SPAN_NONE);
}

/* The port of a transfer that answers: 0 or -errno. */
static int open_port(struct transfer *t)
{
	struct tftp_port *port;

	if (t->port)
		return 0;
	if (!t->listener)
		return -EADDRNOTAVAIL;
	if (t->single_port) {
		port = t->listener;
		tftp_port_share(port);
	} else {
		int err = tftp_ports_use(t->pool->ports, &t->peer, &port);

		if (err < 0)
			return err;
	}
	tftp_place_at_port(t, port);
	return 0;
}

static void transfer_fail(
	struct transfer *t, enum tftp_outcome outcome, uint16_t code, struct span sentence)
{
	if (open_port(t) == 0)
		tftp_socket_send_error(t->port->fd, &t->peer, code, sentence);
	t->session.outcome = outcome;
	transfer_end(t, code, sentence);
}

void transfer_break(struct transfer *t)
{
	if (t->broken == TFTP_CHANGED)
		transfer_fail(t, TFTP_CHANGED, TFTP_ERROR_OTHER,
			SPAN_LIT("The file changed during the transfer"));
	else
		transfer_fail(
			t, TFTP_FAILED, TFTP_ERROR_OTHER, SPAN_LIT("The file could not be read"));
}

/* ---- running ---- */

void transfer_set_timer(struct transfer *t)
{
	timer_wheel_set(&t->pool->wheel, &t->timer, t->session.deadline_ms, uv_now(t->pool->loop));
}

/* Does what the session said.  May end and so free the transfer. */
static void transfer_do(struct transfer *t, struct tftp_action action)
{
	struct tftp_pool *pool = t->pool;

	if (t->session.outcome == TFTP_TIMEOUT && t->wait.block) {
		t->broken = TFTP_FAILED; /* it is our disk that is silent */
		transfer_break(t);
		return;
	}
	if (t->session.outcome != TFTP_RUNNING) {
		transfer_end(t, 0, SPAN_NONE);
		return;
	}
	if (t->half_open && t->session.proven) {
		DL_DELETE(pool->half_open, t);
		DL_APPEND(pool->proven, t);
		t->half_open = false;
	}
	transfer_set_timer(t);
	switch (action.send) {
	case TFTP_SEND_NOTHING:
		break;
	case TFTP_SEND_OACK:
		t->oack_due = true;
		transfer_queue(t);
		break;
	case TFTP_SEND_BLOCKS:
		if (!block_file_is_unchanged(t->file)) {
			t->broken = TFTP_CHANGED;
			transfer_break(t);
			return;
		}
		t->next_block = action.first;
		t->last_block = action.last;
		transfer_queue(t);
		break;
	}
}

bool tftp_pool_take(struct tftp_pool *pool, struct tftp_port *port, const struct tftp_peer *peer,
	struct span packet)
{
	struct transfer *t = tftp_place_find(pool, port, peer);
	struct tftp_packet p;
	enum drop why;

	if (!t || !t->file)
		return false;
	why = tftp_decode(packet, &p);
	if (why == DROP_NONE && p.opcode == TFTP_ACK) {
		transfer_do(t, tftp_session_ack(&t->session, p.block, uv_now(pool->loop)));
	} else if (why == DROP_NONE && p.opcode == TFTP_ERROR) {
		tftp_session_error(&t->session, p.error.code);
		transfer_end(t, p.error.code, p.error.text);
	} else {
		pool->hooks->dropped(pool->ctx, why == DROP_NONE ? DROP_TFTP_OPCODE : why, peer);
	}
	return true;
}

/* ---- turns and timers ---- */

static void on_timer(uv_timer_t *timer);

/* The timer is moved forward only: what it wakes for in vain costs less than to
 * move it with each ACK. */
static void arm_timer(struct tftp_pool *pool)
{
	uint64_t next_ms = timer_wheel_next_ms(&pool->wheel), now_ms = uv_now(pool->loop);

	if (next_ms >= pool->timer_ms || uv_is_closing((uv_handle_t *)&pool->timer))
		return;
	pool->timer_ms = next_ms;
	uv_timer_start(&pool->timer, on_timer, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

void tftp_pool_begin_turn(struct tftp_pool *pool)
{
	pool->in_turn = true;
}

void tftp_pool_end_turn(struct tftp_pool *pool)
{
	pool->in_turn = true;
	tftp_send_all(pool);
	file_blocks_next_turn(pool->cache);
	pool->in_turn = false;
	arm_timer(pool);
}

static void on_timer(uv_timer_t *timer)
{
	struct tftp_pool *pool = timer->data;
	struct timer_node *node;

	pool->timer_ms = TIMER_WHEEL_IDLE;
	tftp_pool_begin_turn(pool);
	for (int i = 0; i < TIMERS_PER_TURN; i++) {
		struct transfer *t;

		node = timer_wheel_take_due(&pool->wheel, uv_now(pool->loop));
		if (!node)
			break;
		t = (struct transfer *)((char *)node - offsetof(struct transfer, timer));
		if (t->file)
			transfer_do(t, tftp_session_tick(&t->session, uv_now(pool->loop)));
		else
			transfer_fail(t, TFTP_FAILED, TFTP_ERROR_OTHER,
				SPAN_LIT("The server is out of resources"));
	}
	tftp_pool_end_turn(pool);
}

/* ---- new transfers ---- */

/* The oldest transfer of this client (NULL: of all) that nothing proved. */
static struct transfer *oldest_half_open(struct tftp_pool *pool, const struct tftp_client *c)
{
	struct transfer *t = c ? c->transfers : pool->half_open;

	while (c && t && !t->half_open)
		t = t->sibling_next;
	return t;
}

static bool evict_one(struct tftp_pool *pool, const struct tftp_client *c)
{
	struct transfer *t = oldest_half_open(pool, c);

	if (t)
		transfer_end_as(t, TFTP_EVICTED);
	return t != NULL;
}

bool tftp_pool_make_room(struct tftp_pool *pool, const struct tftp_peer *peer)
{
	struct tftp_client *c = tftp_place_client(pool, peer->remote);

	/* what the owner owes us counts, whether or not its client still waits */
	if (pool->n_pending >= pool->limits.transfers)
		return false;
	if (c && c->n_transfers >= pool->limits.transfers_per_client && !evict_one(pool, c))
		return false;
	return pool->n_transfers < pool->limits.transfers || evict_one(pool, NULL);
}

static int add_pending(struct transfer *t)
{
	struct tftp_pending *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->transfer = t;
	t->pending = q;
	DL_APPEND(t->pool->pending, q);
	t->pool->n_pending++;
	return 0;
}

int tftp_pool_ask(struct tftp_pool *pool, const struct tftp_incoming *in)
{
	struct transfer *t = calloc(1, sizeof(*t) + in->packet.n);
	int err = -ENOMEM;

	if (!t)
		return err;
	t->pool = pool;
	t->peer = in->peer;
	t->listener = in->listener;
	t->single_port = in->single_port;
	t->started_us = in->started_us;
	t->next_block = 1; /* and last_block 0: nothing is due */
	t->request_len = (uint16_t)in->packet.n;
	memcpy(t->request, in->packet.p, in->packet.n);
	err = tftp_place_join(t);
	if (err < 0) {
		free(t);
		return err;
	}
	err = add_pending(t);
	if (err < 0) {
		tftp_place_leave(t);
		free(t);
		return err;
	}
	DL_APPEND(pool->asked, t);
	pool->n_transfers++;
	timer_wheel_set(
		&pool->wheel, &t->timer, uv_now(pool->loop) + TFTP_GIVE_UP_MS, uv_now(pool->loop));
	pool->hooks->resolve(pool->ctx, t->pending, &t->peer, in->path);
	return 0;
}

static void release_target(struct tftp_target *target)
{
	if (target->kind == TFTP_TARGET_FILE)
		close(target->fd);
	else if (target->kind == TFTP_TARGET_TEXT)
		text_free(&target->text);
}

static void transfer_begin(struct transfer *t, struct block_file *file)
{
	struct tftp_pool *pool = t->pool;
	unsigned mtu = TFTP_MTU_UNKNOWN;
	struct tftp_packet packet;
	struct tftp_terms terms;

	DL_DELETE(pool->asked, t);
	t->file = file;
	t->half_open = true;
	DL_APPEND(pool->half_open, t);
	(void)tftp_decode(
		(struct span){ t->request, t->request_len }, &packet); /* went well before */
	if (tftp_option_find(&packet.request, SPAN_LIT("blksize")))
		mtu = tftp_socket_path_mtu(&t->peer);
	terms = tftp_session_negotiate(&packet.request, block_file_size(file), mtu);
	transfer_do(t, tftp_session_start(&t->session, &terms, uv_now(pool->loop)));
}

static void answer_transfer(struct transfer *t, struct tftp_target *target)
{
	struct tftp_pool *pool = t->pool;
	struct block_file *file;
	int err;

	t->cookie = target->cookie;
	if (target->kind == TFTP_TARGET_ERROR) {
		transfer_fail(t, TFTP_REFUSED, target->error, span_str(target->sentence));
		return;
	}
	err = open_port(t);
	if (err == 0)
		err = target->kind == TFTP_TARGET_TEXT
			? file_blocks_open_text(pool->cache, &target->text, &file)
			: file_blocks_open(pool->cache, target->fd, &file);
	if (err < 0) {
		release_target(target);
		transfer_fail(t, TFTP_FAILED, TFTP_ERROR_OTHER,
			SPAN_LIT("The server is out of resources"));
		return;
	}
	transfer_begin(t, file);
}

void tftp_pool_answer(
	struct tftp_pool *pool, struct tftp_pending *pending, struct tftp_target *target)
{
	struct transfer *t = pending->transfer;
	bool in_turn = pool->in_turn;

	DL_DELETE(pool->pending, pending);
	pool->n_pending--;
	free(pending);
	if (!t) {
		release_target(target);
		return;
	}
	t->pending = NULL;
	answer_transfer(t, target);
	if (!in_turn)
		tftp_pool_end_turn(pool);
}

bool tftp_pool_take_repeated(struct tftp_pool *pool, const struct tftp_incoming *in)
{
	struct tftp_client *c = tftp_place_client(pool, in->peer.remote);
	struct transfer *t = c ? c->transfers : NULL;

	while (t &&
		(t->peer.remote_port != in->peer.remote_port ||
			!ip4_eq(t->peer.local, in->peer.local)))
		t = t->sibling_next;
	if (!t)
		return false;
	if (span_eq((struct span){ t->request, t->request_len }, in->packet) &&
		!tftp_session_is_silent(&t->session, uv_now(pool->loop))) {
		if (t->file)
			transfer_do(t, tftp_session_repeat(&t->session, uv_now(pool->loop)));
		return true;
	}
	/* Another file from the same port: the client is done with the first,
	 * and perhaps only its last ACK was lost. */
	transfer_end_as(t, TFTP_SUPERSEDED);
	return false;
}

void tftp_pool_refuse(struct tftp_pool *pool, const struct tftp_incoming *in,
	enum tftp_outcome outcome, uint16_t code, struct span sentence)
{
	struct tftp_access access = {
		.peer = &in->peer,
		.request = &in->request,
		.path = in->path,
		.outcome = outcome,
		.error = code,
		.sentence = sentence,
		.duration_us = uv_hrtime() / 1000 - in->started_us,
	};
	struct tftp_port *port = in->listener;

	if (in->single_port) {
		tftp_socket_send_error(port->fd, &in->peer, code, sentence);
	} else if (tftp_ports_use(pool->ports, &in->peer, &port) == 0) {
		tftp_socket_send_error(port->fd, &in->peer, code, sentence);
		tftp_port_leave(port);
	}
	pool->hooks->done(pool->ctx, &access);
}

/* ---- the pool ---- */

static void end_on(struct transfer *list, const struct tftp_port *port)
{
	struct transfer *t, *next;

	DL_FOREACH_SAFE(list, t, next) {
		if (t->listener == port)
			t->listener = NULL; /* one with a port of its own goes on */
		if (t->port == port)
			transfer_end_as(t, TFTP_STOPPED);
	}
}

void tftp_pool_abandon(struct tftp_pool *pool, struct tftp_port *port)
{
	end_on(pool->asked, port);
	end_on(pool->half_open, port);
	end_on(pool->proven, port);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct tftp_pool *pool = handle->data;

	pool->open_handles--;
	pool->released(pool->owner);
}

static void on_cache_closed(void *ctx)
{
	struct tftp_pool *pool = ctx;

	pool->cache = NULL;
	pool->open_handles--;
	pool->released(pool->owner);
}

void tftp_pool_stop(struct tftp_pool *pool)
{
	struct tftp_pending *q, *next;

	while (pool->asked)
		transfer_end_as(pool->asked, TFTP_STOPPED);
	while (pool->half_open)
		transfer_end_as(pool->half_open, TFTP_STOPPED);
	while (pool->proven)
		transfer_end_as(pool->proven, TFTP_STOPPED);
	DL_FOREACH_SAFE(pool->pending, q, next)
		free(q);
	pool->pending = NULL;
	uv_close((uv_handle_t *)&pool->timer, on_timer_closed);
	file_blocks_close(pool->cache, on_cache_closed, pool);
}

int tftp_pool_init(struct tftp_pool *pool)
{
	int err = tftp_batch_init(&pool->batch);

	if (err < 0)
		return err;
	if (pool->limits.transfers == 0)
		pool->limits.transfers = TRANSFERS_DEFAULT;
	if (pool->limits.transfers_per_client == 0)
		pool->limits.transfers_per_client = TRANSFERS_PER_CLIENT_DEFAULT;
	if (pool->limits.cache_octets == 0)
		pool->limits.cache_octets = CACHE_OCTETS_DEFAULT;
	err = file_blocks_new(pool->loop, pool->limits.cache_octets, &pool->cache);
	if (err < 0) {
		tftp_batch_free(&pool->batch);
		return err;
	}
	if (uv_random(NULL, NULL, &pool->hash_seed, sizeof(pool->hash_seed), 0, NULL) < 0)
		pool->hash_seed = uv_hrtime();
	(void)uv_timer_init(pool->loop, &pool->timer);
	pool->timer.data = pool;
	pool->timer_ms = TIMER_WHEEL_IDLE;
	pool->open_handles = 2; /* timer and cache */
	return 0;
}

void tftp_pool_free(struct tftp_pool *pool)
{
	tftp_batch_free(&pool->batch);
}
