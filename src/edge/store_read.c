/* The lease log, read. */
#include "edge/store_read.h"

#include "edge/store_sum.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#define CHUNK_ROWS   1024u
#define CHUNK_OCTETS (96u << 10)
#define CHUNKS       4u
#define TEXT_MAX     255u /* octets of one column: store_db.h's struct store_row holds no more */
#define ROW_OCTETS   (4 * (TEXT_MAX + 1))

/* Records, and the octets that they point to. */
struct chunk {
	size_t n, used;
	struct lease_record list[CHUNK_ROWS];
	int64_t rows[CHUNK_ROWS];
	uint32_t sums[CHUNK_ROWS];
	const char *network; /* of the row before: most have the same */
	uint8_t octets[CHUNK_OCTETS];
};

struct reader {
	sqlite3 *db;
	uv_mutex_t mutex;
	uv_cond_t moved;
	/* Under the mutex: how many chunks were filled and taken; a chunk is its number modulo CHUNKS. */
	size_t filled, taken;
	bool ended, stop;
	int result; /* valid when it has ended */
	int64_t damaged;
	struct chunk chunks[CHUNKS];
};

uint32_t store_row_sum(int64_t row, const struct lease_record *r)
{
	const int64_t numbers[] = { row, r->address.v, r->state, r->expires_s, r->htype };
	uint32_t h = store_sum(STORE_SUM_BEGIN, numbers, sizeof(numbers));

	h = store_sum(h, r->network, strlen(r->network));
	h = store_sum(h, r->chaddr.p, r->chaddr.n);
	h = store_sum(h, r->client_id.p, r->client_id.n);
	return store_sum(h, r->hostname.p, r->hostname.n);
}

/* --- the reader's thread --- */

static struct span keep(struct chunk *c, const void *p, size_t n)
{
	uint8_t *to = c->octets + c->used;

	if (n == 0)
		return SPAN_NONE;
	memcpy(to, p, n);
	c->used += n;
	return (struct span){ to, n };
}

static struct span column(sqlite3_stmt *s, int i)
{
	const void *p = sqlite3_column_blob(s, i);

	return (struct span){ p, p ? (size_t)sqlite3_column_bytes(s, i) : 0 };
}

static const char *keep_network(struct chunk *c, const char *name)
{
	if (!c->network || strcmp(c->network, name) != 0)
		c->network = (const char *)keep(c, name, strlen(name) + 1).p;
	return c->network;
}

/* The row that s stands at into the chunk, which has room.  False: it is damaged, whatever its sum says. */
static bool read_row(sqlite3_stmt *s, struct chunk *c)
{
	int64_t row = sqlite3_column_int64(s, 0), state = sqlite3_column_int64(s, 2);
	struct lease_record r = {
		.address.v = (uint32_t)sqlite3_column_int64(s, 1),
		.state = (enum lease_state)state,
		.expires_s = sqlite3_column_int64(s, 3),
		.network = (const char *)sqlite3_column_text(s, 4),
		.htype = (uint8_t)sqlite3_column_int64(s, 5),
		.chaddr = column(s, 6),
		.client_id = column(s, 7),
		.hostname = column(s, 8),
	};

	c->rows[c->n] = row;
	if (r.address.v == 0 || state < 0 || state >= LEASE_STATE_COUNT || r.chaddr.n > 16 ||
		r.client_id.n > TEXT_MAX || r.hostname.n > TEXT_MAX || !r.network ||
		strlen(r.network) > TEXT_MAX)
		return false;
	c->sums[c->n] = (uint32_t)sqlite3_column_int64(s, 9);
	r.network = keep_network(c, r.network);
	r.chaddr = keep(c, r.chaddr.p, r.chaddr.n);
	r.client_id = keep(c, r.client_id.p, r.client_id.n);
	r.hostname = keep(c, r.hostname.p, r.hostname.n);
	c->list[c->n++] = r;
	return true;
}

/* An empty chunk, or NULL: nobody wants any more. */
static struct chunk *next_chunk(struct reader *d)
{
	struct chunk *c;

	uv_mutex_lock(&d->mutex);
	while (!d->stop && d->filled - d->taken == CHUNKS)
		uv_cond_wait(&d->moved, &d->mutex);
	c = d->stop ? NULL : &d->chunks[d->filled % CHUNKS];
	uv_mutex_unlock(&d->mutex);
	if (!c)
		return NULL;
	c->n = c->used = 0;
	c->network = NULL;
	return c;
}

static void hand_over(struct reader *d)
{
	uv_mutex_lock(&d->mutex);
	d->filled++;
	uv_cond_signal(&d->moved);
	uv_mutex_unlock(&d->mutex);
}

static int read_rows(struct reader *d, sqlite3_stmt *s)
{
	struct chunk *c = next_chunk(d);
	int step = SQLITE_DONE, r = 0;

	while (c && r == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
		if (c->n == CHUNK_ROWS || CHUNK_OCTETS - c->used < ROW_OCTETS) {
			hand_over(d);
			c = next_chunk(d);
		}
		if (c && !read_row(s, c)) {
			d->damaged = c->rows[c->n];
			r = -EUCLEAN;
		}
	}
	if (c)
		hand_over(d);
	return r == 0 && step != SQLITE_DONE && step != SQLITE_ROW ? -EIO : r;
}

static void reader_run(void *arg)
{
	struct reader *d = arg;
	sqlite3_stmt *s;
	int r = -EIO;

	if (sqlite3_prepare_v2(d->db,
		    "SELECT row, address, state, expires, network, htype, chaddr, client_id, "
		    "hostname, sum"
		    " FROM lease_log ORDER BY row",
		    -1, &s, NULL) == SQLITE_OK) {
		r = read_rows(d, s);
		(void)sqlite3_finalize(s);
	}
	uv_mutex_lock(&d->mutex);
	d->result = r;
	d->ended = true;
	uv_cond_signal(&d->moved);
	uv_mutex_unlock(&d->mutex);
}

/* --- the caller's --- */

/* The next chunk that was filled, or NULL: there are no more. */
static const struct chunk *wait_chunk(struct reader *d)
{
	const struct chunk *c;

	uv_mutex_lock(&d->mutex);
	while (!d->ended && d->filled == d->taken)
		uv_cond_wait(&d->moved, &d->mutex);
	c = d->filled == d->taken ? NULL : &d->chunks[d->taken % CHUNKS];
	uv_mutex_unlock(&d->mutex);
	return c;
}

static void give_back(struct reader *d, bool stop)
{
	uv_mutex_lock(&d->mutex);
	d->taken++;
	d->stop = stop;
	uv_cond_signal(&d->moved);
	uv_mutex_unlock(&d->mutex);
}

/* Sums are looked at here, because this thread has the lesser half of the work. */
static int check_sums(const struct chunk *c, int64_t *ret_damaged)
{
	for (size_t i = 0; i < c->n; i++) {
		if (store_row_sum(c->rows[i], &c->list[i]) != c->sums[i]) {
			*ret_damaged = c->rows[i];
			return -EUCLEAN;
		}
	}
	return 0;
}

static int take_all(struct reader *d, store_read_rows take, void *ctx, int64_t *ret_damaged)
{
	const struct chunk *c;
	int r = 0;

	while (r == 0 && (c = wait_chunk(d))) {
		r = check_sums(c, ret_damaged);
		if (r == 0)
			r = take(ctx, c->list, c->rows, c->n);
		give_back(d, r < 0);
	}
	return r;
}

int store_read_all(sqlite3 *db, store_read_rows take, void *ctx, int64_t *ret_damaged)
{
	struct reader *d = calloc(1, sizeof(*d));
	uv_thread_t thread;
	int r;

	if (!d)
		return -ENOMEM;
	d->db = db;
	if (uv_mutex_init(&d->mutex) < 0 || uv_cond_init(&d->moved) < 0 ||
		uv_thread_create(&thread, reader_run, d) < 0) {
		free(d);
		return -ENOMEM;
	}
	r = take_all(d, take, ctx, ret_damaged);
	(void)uv_thread_join(&thread);
	if (r == 0) {
		r = d->result;
		if (r == -EUCLEAN)
			*ret_damaged = d->damaged;
	}
	uv_mutex_destroy(&d->mutex);
	uv_cond_destroy(&d->moved);
	free(d);
	return r;
}
