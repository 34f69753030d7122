/* Running TFTP transfers.  Holds no more of them than its limits say: those that
 * no ACK ever proved go first.  Resends nothing on its own account. */
#include "edge/tftp_pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#define HASH_NONFATAL_OOM 1 /* a full memory costs one request, not the daemon */
#include <uthash.h>
#include <utlist.h>

#define PACKETS_PER_TURN 32                     /* then the loop's other work has its turn */
#define PACKET_BUFFER    (TFTP_REQUEST_MAX + 1) /* clients send nothing longer */

/* An address with at least one transfer. */
struct tftp_client {
	uint32_t addr; /* the key */
	unsigned n_transfers;
	struct transfer *transfers; /* linked by sibling_*, oldest first */
	UT_hash_handle hh;
};

struct transfer {
	struct tftp_pool *pool;
	struct tftp_client *client;
	struct transfer *prev, *next;                 /* of pool->half_open or ->proven */
	struct transfer *sibling_prev, *sibling_next; /* of client->transfers */
	struct tftp_peer peer;
	struct tftp_session session;
	struct tftp_target target;
	struct timespec mtime;           /* of target.fd when the transfer began */
	uint64_t next_block, last_block; /* still to be sent; none when next is larger */
	uint64_t started_us;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd, events; /* events: what poll waits for */
	unsigned open_handles;
	bool half_open; /* in pool->half_open: nothing acknowledged yet */
	size_t request_len;
	uint8_t request[]; /* the packet, to know its repetition and for done() */
};

_Static_assert(sizeof(struct transfer) + TFTP_REQUEST_MAX < 4096, "promise T-14");

static void on_transfer_ready(uv_poll_t *poll, int status, int events);
static void on_transfer_timer(uv_timer_t *timer);

/* ---- the table ---- */

static struct tftp_client *find_client(struct tftp_pool *pool, struct ip4 addr)
{
	struct tftp_client *c;

	HASH_FIND(hh, pool->clients, &addr.v, sizeof(addr.v), c);
	return c;
}

static int client_join(struct tftp_pool *pool, struct transfer *t)
{
	struct tftp_client *c = find_client(pool, t->peer.remote);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->addr = t->peer.remote.v;
		HASH_ADD(hh, pool->clients, addr, sizeof(c->addr), c);
		if (!c->hh.tbl) {
			free(c);
			return -ENOMEM;
		}
	}
	DL_APPEND2(c->transfers, t, sibling_prev, sibling_next);
	c->n_transfers++;
	t->client = c;
	return 0;
}

static struct transfer *find_transfer(struct tftp_pool *pool, const struct tftp_peer *peer)
{
	struct tftp_client *c = find_client(pool, peer->remote);
	struct transfer *t;

	for (t = c ? c->transfers : NULL; t; t = t->sibling_next)
		if (t->peer.remote_port == peer->remote_port && ip4_eq(t->peer.local, peer->local))
			break;
	return t;
}

/* ---- the end of a transfer ---- */

static void on_transfer_handle_closed(uv_handle_t *handle)
{
	struct transfer *t = handle->data;
	struct tftp_pool *pool = t->pool;

	if (--t->open_handles == 0)
		free(t);
	pool->open_handles--;
	pool->released(pool->owner);
}

void tftp_pool_release_target(struct tftp_target *target)
{
	if (target->kind == TFTP_TARGET_FILE)
		close(target->fd);
	else if (target->kind == TFTP_TARGET_TEXT)
		text_free(&target->text);
}

static void client_leave(struct tftp_pool *pool, struct transfer *t)
{
	struct tftp_client *c = t->client;

	DL_DELETE2(c->transfers, t, sibling_prev, sibling_next);
	if (--c->n_transfers > 0)
		return;
	HASH_DEL(pool->clients, c);
	free(c);
}

static void report_transfer(struct transfer *t, uint16_t error, struct span sentence)
{
	struct tftp_packet packet;
	uint8_t path_buf[TFTP_PATH_MAX];
	struct tftp_access access = {
		.peer = &t->peer,
		.request = &packet.request,
		.session = &t->session,
		.outcome = t->session.outcome,
		.error = error,
		.sentence = sentence,
		.duration_us = uv_hrtime() / 1000 - t->started_us,
		.cookie = t->target.cookie,
	};

	/* Both went well when the transfer began. */
	if (tftp_decode((struct span){ t->request, t->request_len }, &packet) != DROP_NONE ||
		tftp_session_path(packet.request.file, path_buf, &access.path) < 0)
		return;
	t->pool->hooks->done(t->pool->ctx, &access);
}

/* The transfer's socket, file and places in all tables go at once, its memory
 * when libuv has let go of the handles.  session.outcome says how it ended. */
static void transfer_end(struct transfer *t, uint16_t error, struct span sentence)
{
	struct tftp_pool *pool = t->pool;

	if (t->half_open)
		DL_DELETE(pool->half_open, t);
	else
		DL_DELETE(pool->proven, t);
	client_leave(pool, t);
	pool->n_transfers--;
	uv_close((uv_handle_t *)&t->poll, on_transfer_handle_closed);
	uv_close((uv_handle_t *)&t->timer, on_transfer_handle_closed);
	close(t->fd);
	tftp_pool_release_target(&t->target);
	report_transfer(t, error, sentence);
}

/* Its memory stays until libuv's next turn, so this may be asked. */
static bool transfer_has_ended(const struct transfer *t)
{
	return t->session.outcome != TFTP_RUNNING;
}

static void transfer_end_as(struct transfer *t, enum tftp_outcome outcome)
{
	t->session.outcome = outcome;
	transfer_end(t, 0, SPAN_NONE);
}

static void transfer_fail(struct transfer *t, enum tftp_outcome outcome, struct span sentence)
{
	tftp_socket_send_error(t->fd, &t->peer, TFTP_ERROR_OTHER, sentence);
	t->session.outcome = outcome;
	transfer_end(t, TFTP_ERROR_OTHER, sentence);
}

/* ---- sending ---- */

/* False when the file is no longer the one that the transfer began with.  One
 * replaced by rename is: the old file stays whole as long as we hold it. */
static bool is_unchanged(const struct transfer *t)
{
	struct stat st;

	if (t->target.kind != TFTP_TARGET_FILE)
		return true;
	return fstat(t->target.fd, &st) == 0 && (uint64_t)st.st_size == t->session.terms.size &&
	       st.st_mtim.tv_sec == t->mtime.tv_sec && st.st_mtim.tv_nsec == t->mtime.tv_nsec;
}

static bool read_block(const struct transfer *t, uint64_t block, uint8_t *ret_data, size_t n)
{
	uint64_t offset = tftp_session_offset(&t->session.terms, block);

	if (t->target.kind == TFTP_TARGET_FILE)
		return pread(t->target.fd, ret_data, n, (off_t)offset) == (ssize_t)n;
	if (n > 0)
		memcpy(ret_data, t->target.text.p + offset, n);
	return true;
}

static void transfer_wait(struct transfer *t, int events)
{
	if (t->events == events)
		return;
	t->events = events;
	if (uv_poll_start(&t->poll, events, on_transfer_ready) < 0)
		transfer_end_as(t, TFTP_FAILED);
}

/* Sends what is due; what the socket cannot take waits until it can. */
static void transfer_send_blocks(struct transfer *t)
{
	uint8_t *buf = t->pool->block;
	int events = UV_READABLE;

	for (; t->next_block <= t->last_block; t->next_block++) {
		uint32_t n = tftp_session_length(&t->session.terms, t->next_block);
		struct wr w = wr_of(buf, TFTP_HEADER_LEN);

		tftp_put_data(&w, (uint16_t)t->next_block);
		if (!read_block(t, t->next_block, buf + TFTP_HEADER_LEN, n)) {
			transfer_fail(t, TFTP_FAILED, SPAN_LIT("The file could not be read"));
			return;
		}
		if (!tftp_socket_send(t->fd, &t->peer, (struct span){ buf, TFTP_HEADER_LEN + n })) {
			events |= UV_WRITABLE;
			break;
		}
	}
	transfer_wait(t, events);
}

/* Does what the session said.  May end and so invalidate the transfer. */
static void transfer_do(struct transfer *t, struct tftp_action action)
{
	struct tftp_pool *pool = t->pool;
	uint64_t now_ms = uv_now(pool->loop);
	uint8_t buf[TFTP_OACK_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	if (t->session.outcome != TFTP_RUNNING) {
		transfer_end(t, 0, SPAN_NONE);
		return;
	}
	if (t->half_open && t->session.proven) {
		DL_DELETE(pool->half_open, t);
		DL_APPEND(pool->proven, t);
		t->half_open = false;
	}
	uv_timer_start(&t->timer, on_transfer_timer,
		t->session.deadline_ms > now_ms ? t->session.deadline_ms - now_ms : 0, 0);
	switch (action.send) {
	case TFTP_SEND_NOTHING:
		break;
	case TFTP_SEND_OACK:
		tftp_session_put_oack(&t->session.terms, &w);
		(void)tftp_socket_send(t->fd, &t->peer, wr_done(&w));
		break;
	case TFTP_SEND_BLOCKS:
		if (!is_unchanged(t)) {
			transfer_fail(
				t, TFTP_CHANGED, SPAN_LIT("The file changed during the transfer"));
			return;
		}
		t->next_block = action.first;
		t->last_block = action.last;
		transfer_send_blocks(t);
		break;
	}
}

static void on_transfer_timer(uv_timer_t *timer)
{
	struct transfer *t = timer->data;

	transfer_do(t, tftp_session_tick(&t->session, uv_now(t->pool->loop)));
}

/* ---- a transfer's packets ---- */

/* RFC 1350 4: the stranger is told, the transfer goes on.  Not for an ERROR,
 * and not to ports that would answer. */
static void answer_stranger(struct transfer *t, const struct tftp_peer *from, struct span s)
{
	struct tftp_packet packet;
	enum drop why = tftp_decode(s, &packet);

	if (why == DROP_NONE && packet.opcode != TFTP_ERROR &&
		!tftp_socket_is_service_port(from->remote_port))
		tftp_socket_send_error(
			t->fd, from, TFTP_ERROR_UNKNOWN_TID, SPAN_LIT("Unknown transfer ID"));
	t->pool->hooks->dropped(t->pool->ctx, DROP_TFTP_WRONG_PORT, from);
}

/* A packet of the client's.  May end the transfer. */
static void transfer_take(struct transfer *t, struct span s)
{
	uint64_t now_ms = uv_now(t->pool->loop);
	struct tftp_packet packet;
	enum drop why = tftp_decode(s, &packet);

	if (why == DROP_NONE && packet.opcode == TFTP_ACK) {
		transfer_do(t, tftp_session_ack(&t->session, packet.block, now_ms));
	} else if (why == DROP_NONE && packet.opcode == TFTP_ERROR) {
		tftp_session_error(&t->session, packet.error.code);
		transfer_end(t, packet.error.code, packet.error.text);
	} else {
		t->pool->hooks->dropped(
			t->pool->ctx, why == DROP_NONE ? DROP_TFTP_OPCODE : why, &t->peer);
	}
}

/* One packet.  False when there is none. */
static bool transfer_receive(struct transfer *t)
{
	uint8_t buf[PACKET_BUFFER];
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	ssize_t n = recvfrom(t->fd, buf, sizeof(buf), 0, (struct sockaddr *)&sa, &len);
	struct tftp_peer from = t->peer;

	if (n < 0)
		return false;
	from.remote.v = ntohl(sa.sin_addr.s_addr);
	from.remote_port = ntohs(sa.sin_port);
	if (ip4_eq(from.remote, t->peer.remote) && from.remote_port == t->peer.remote_port)
		transfer_take(t, (struct span){ buf, (size_t)n });
	else
		answer_stranger(t, &from, (struct span){ buf, (size_t)n });
	return true;
}

/* Reads what has come.  False when the transfer has ended. */
static bool transfer_check(struct transfer *t)
{
	for (int i = 0; i < PACKETS_PER_TURN && !transfer_has_ended(t); i++)
		if (!transfer_receive(t))
			break;
	return !transfer_has_ended(t);
}

static void on_transfer_ready(uv_poll_t *poll, int status, int events)
{
	struct transfer *t = poll->data;

	if (status < 0) {
		transfer_end_as(t, TFTP_FAILED);
		return;
	}
	if (transfer_check(t) && (events & UV_WRITABLE))
		transfer_send_blocks(t);
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

/* Takes the place of a half-open transfer.  Under load its ACK may have come and
 * not been read yet: then it stays, and the next one is asked. */
static bool evict_one(struct tftp_pool *pool, const struct tftp_client *c)
{
	struct transfer *t = oldest_half_open(pool, c);

	while (t) {
		if (!transfer_check(t))
			return true;
		if (t->half_open) {
			transfer_end_as(t, TFTP_EVICTED);
			return true;
		}
		t = oldest_half_open(pool, c);
	}
	return false;
}

bool tftp_pool_make_room(struct tftp_pool *pool, const struct tftp_peer *peer)
{
	struct tftp_client *c = find_client(pool, peer->remote);

	if (c && c->n_transfers >= pool->limits.transfers_per_client && !evict_one(pool, c))
		return false;
	return pool->n_transfers < pool->limits.transfers || evict_one(pool, NULL);
}

/* Gives the transfer its socket, handles and places in the tables. */
static int transfer_open(struct transfer *t, const char *device)
{
	struct tftp_pool *pool = t->pool;
	int err = client_join(pool, t);

	if (err < 0)
		return err;
	err = tftp_socket_open(t->peer.local, 0, device, &t->fd);
	if (err == 0) {
		err = uv_poll_init(pool->loop, &t->poll, t->fd);
		if (err < 0)
			close(t->fd);
	}
	if (err < 0) {
		client_leave(pool, t);
		return err;
	}
	(void)uv_timer_init(pool->loop, &t->timer);
	t->poll.data = t;
	t->timer.data = t;
	t->open_handles = 2;
	pool->open_handles += 2;
	DL_APPEND(pool->half_open, t);
	t->half_open = true;
	pool->n_transfers++;
	return 0;
}

static int target_size(
	const struct tftp_target *target, uint64_t *ret_size, struct timespec *ret_mtime)
{
	struct stat st;

	if (target->kind == TFTP_TARGET_TEXT) {
		*ret_size = target->text.n;
		return 0;
	}
	if (fstat(target->fd, &st) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	*ret_mtime = st.st_mtim;
	return 0;
}

int tftp_pool_begin(
	struct tftp_pool *pool, const struct tftp_incoming *in, const struct tftp_target *target)
{
	struct transfer *t = calloc(1, sizeof(*t) + in->packet.n);
	unsigned mtu = TFTP_MTU_UNKNOWN;
	struct tftp_action action;
	struct tftp_terms terms;
	uint64_t size = 0;
	int err;

	if (!t)
		return -ENOMEM;
	t->pool = pool;
	t->peer = in->peer;
	t->target = *target;
	t->started_us = in->started_us;
	t->request_len = in->packet.n;
	memcpy(t->request, in->packet.p, in->packet.n);
	err = target_size(target, &size, &t->mtime);
	if (err == 0)
		err = transfer_open(t, in->device);
	if (err < 0) {
		free(t);
		return err;
	}
	if (tftp_option_find(&in->request, SPAN_LIT("blksize")))
		mtu = tftp_socket_path_mtu(&in->peer, in->device);
	terms = tftp_session_negotiate(&in->request, size, mtu);
	action = tftp_session_start(&t->session, &terms, uv_now(pool->loop));
	transfer_wait(t, UV_READABLE);
	if (!transfer_has_ended(t))
		transfer_do(t, action);
	return 0;
}

bool tftp_pool_take_repeated(struct tftp_pool *pool, const struct tftp_incoming *in)
{
	struct transfer *t = find_transfer(pool, &in->peer);

	if (!t)
		return false;
	if (span_eq((struct span){ t->request, t->request_len }, in->packet) &&
		!tftp_session_is_silent(&t->session, uv_now(pool->loop))) {
		transfer_do(t, tftp_session_repeat(&t->session, uv_now(pool->loop)));
		return true;
	}
	/* Another file from the same port: the client is done with the first,
	 * and perhaps only its last ACK was lost. */
	transfer_end_as(t, TFTP_SUPERSEDED);
	return false;
}

void tftp_pool_stop(struct tftp_pool *pool)
{
	while (pool->half_open)
		transfer_end_as(pool->half_open, TFTP_STOPPED);
	while (pool->proven)
		transfer_end_as(pool->proven, TFTP_STOPPED);
}
