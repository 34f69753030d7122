/* The lease log in SQLite, and the thread that writes it.
 *
 * Two sides that share only what stands in struct queue, under its mutex: the
 * loop (store_*) and the writer (writer_*).  A record goes queue.waiting ->
 * writer's batch -> queue.finished -> done().
 */
#include "edge/store.h"

#include "edge/store_db.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#define WAITING_MAX  16384u /* records that wait; a disk that hangs costs no more memory than these */
#define RETRY_MS     1000   /* how often a failing store is tried again */
#define CLEAN_REST_MS 5     /* between two steps of cleaning while nothing else is to do */

struct entry {
	struct entry *next, *prev;
	struct store_row row;
	struct forms_record form; /* instead of the row, when done is NULL */
	store_done done;
	void *ctx;
	int result;
};

struct queue {
	uv_mutex_t mutex;
	uv_cond_t filled;
	struct entry *waiting, *finished;
	unsigned n_waiting;
	bool stop;
	bool failing;
	bool health_told;
	char message[STORE_MESSAGE_MAX];
};

struct store {
	const struct store_hooks *hooks;
	void *ctx;
	struct store_db *db;
	struct queue queue;
	uv_thread_t writer;
	uv_async_t finished;
	bool failing; /* as the loop was told */
};

/* --- the writer's thread --- */

/* Waits for work; false: stop, and nothing is left to do.  *ret_batch may be
 * empty: then it is time to retry or to clean. */
static bool writer_wait(struct store *s, bool cleaning, struct entry **ret_batch)
{
	struct queue *q = &s->queue;
	bool go_on;

	uv_mutex_lock(&q->mutex);
	if (!q->waiting && !q->stop) {
		if (q->failing)
			(void)uv_cond_timedwait(&q->filled, &q->mutex, RETRY_MS * 1000000ull);
		else if (cleaning)
			(void)uv_cond_timedwait(&q->filled, &q->mutex, CLEAN_REST_MS * 1000000ull);
		else
			uv_cond_wait(&q->filled, &q->mutex);
	}
	*ret_batch = q->waiting;
	q->waiting = NULL;
	q->n_waiting = 0;
	go_on = *ret_batch || !q->stop;
	uv_mutex_unlock(&q->mutex);
	return go_on;
}

static void writer_report(struct store *s, struct entry *batch, int result)
{
	struct queue *q = &s->queue;
	struct entry *e;

	DL_FOREACH(batch, e)
		e->result = result;
	uv_mutex_lock(&q->mutex);
	if (batch)
		DL_CONCAT(q->finished, batch);
	if (q->failing != (result < 0)) {
		q->failing = result < 0;
		q->health_told = false;
		if (result < 0)
			store_db_explain(s->db, q->message, sizeof(q->message));
	}
	uv_mutex_unlock(&q->mutex);
	(void)uv_async_send(&s->finished);
}

static int writer_commit(struct store_db *db, struct entry *batch, bool retry)
{
	const struct entry *e;
	int r = store_db_begin(db);

	if (r < 0)
		return r;
	if (!batch && retry)
		r = store_db_try(db);
	DL_FOREACH(batch, e) {
		r = e->done ? store_db_append(db, &e->row) : store_db_put_form(db, &e->form);
		if (r < 0)
			break;
	}
	/* A little cleaning rides on the batch's own fsync. */
	if (r == 0)
		r = store_db_clean_step(db);
	return r == 0 ? store_db_end(db) : store_db_abandon(db, r);
}

static void writer_run(void *arg)
{
	struct store *s = arg;
	struct entry *batch;

	while (writer_wait(s, store_db_is_dirty(s->db), &batch))
		/* Only this thread changes queue.failing. */
		writer_report(s, batch, writer_commit(s->db, batch, s->queue.failing));
}

/* --- the loop's side --- */

static void tell_health(struct store *s)
{
	struct queue *q = &s->queue;
	char message[STORE_MESSAGE_MAX];
	bool told, failing;

	uv_mutex_lock(&q->mutex);
	told = q->health_told;
	failing = q->failing;
	q->health_told = true;
	memcpy(message, q->message, sizeof(message));
	uv_mutex_unlock(&q->mutex);
	if (told)
		return;
	s->failing = failing;
	s->hooks->health(s->ctx, failing ? message : NULL);
}

static void run_finished(struct store *s)
{
	struct entry *done, *e, *next;

	uv_mutex_lock(&s->queue.mutex);
	done = s->queue.finished;
	s->queue.finished = NULL;
	uv_mutex_unlock(&s->queue.mutex);
	DL_FOREACH_SAFE(done, e, next) {
		if (e->done)
			e->done(e->ctx, e->result);
		free(e);
	}
	if (done && s->hooks->batch_done)
		s->hooks->batch_done(s->ctx);
}

static void on_finished(uv_async_t *h)
{
	struct store *s = h->data;

	tell_health(s);
	run_finished(s);
}

int store_open(uv_loop_t *loop, const char *state_dir, const struct store_hooks *hooks, void *ctx,
	char ret_message[static STORE_MESSAGE_MAX], struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->hooks = hooks;
	s->ctx = ctx;
	s->queue.health_told = true;
	r = store_db_open(state_dir, hooks, ctx, ret_message, &s->db);
	if (r < 0)
		goto fail;
	if (store_db_is_read_only(s->db)) {
		s->queue.failing = s->failing = true;
		store_db_explain(s->db, s->queue.message, sizeof(s->queue.message));
		hooks->health(ctx, s->queue.message);
	}
	if (uv_mutex_init(&s->queue.mutex) < 0 || uv_cond_init(&s->queue.filled) < 0 ||
		uv_async_init(loop, &s->finished, on_finished) < 0) {
		r = -ENOMEM;
		goto fail;
	}
	s->finished.data = s;
	r = uv_thread_create(&s->writer, writer_run, s);
	if (r < 0)
		goto fail;
	*ret = s;
	return 0;
fail:
	store_db_close(s->db);
	free(s);
	return r;
}

bool store_is_failing(const struct store *s)
{
	return s->failing;
}

static int hand_over(struct store *s, struct entry *e)
{
	struct queue *q = &s->queue;
	bool full;

	uv_mutex_lock(&q->mutex);
	full = q->n_waiting >= WAITING_MAX;
	if (!full) {
		DL_APPEND(q->waiting, e);
		q->n_waiting++;
		uv_cond_signal(&q->filled);
	}
	uv_mutex_unlock(&q->mutex);
	if (full)
		free(e);
	return full ? -EBUSY : 0;
}

int store_commit(struct store *s, const struct lease_record *r, store_done done, void *ctx)
{
	struct entry *e = malloc(sizeof(*e));

	if (!e)
		return -ENOMEM;
	store_row_from_record(r, &e->row);
	e->done = done;
	e->ctx = ctx;
	return hand_over(s, e);
}

void store_remember_form(struct store *s, const struct forms_record *r)
{
	struct entry *e = malloc(sizeof(*e));

	if (!e)
		return;
	e->form = *r;
	e->done = NULL;
	(void)hand_over(s, e);
}

static void on_closed(uv_handle_t *h)
{
	struct store *s = h->data;

	uv_mutex_destroy(&s->queue.mutex);
	uv_cond_destroy(&s->queue.filled);
	free(s);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	uv_mutex_lock(&s->queue.mutex);
	s->queue.stop = true;
	uv_cond_signal(&s->queue.filled);
	uv_mutex_unlock(&s->queue.mutex);
	(void)uv_thread_join(&s->writer);
	run_finished(s);
	store_db_close(s->db);
	uv_close((uv_handle_t *)&s->finished, on_closed);
}
