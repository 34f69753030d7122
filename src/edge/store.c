/* The lease log in SQLite, and the thread that writes it.
 *
 * Two sides that share only what stands in struct queue, under its mutex: the
 * loop (store_*) and the writer (writer_*).  A record goes store.turn ->
 * queue.waiting -> writer's batch -> queue.finished -> done().
 *
 * An fsync costs as much CPU as several exchanges.  So the writer is woken once for
 * all records of a turn of the loop, not by the first of them; and under load it
 * waits a little for more before it commits.
 */
#include "edge/store.h"

#include "edge/clock.h"
#include "edge/store_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define RETRY_MS      1000 /* how often a failing store is tried again */
#define CLEAN_REST_MS 5    /* between two steps of cleaning while nothing else is to do */
#define STALL_MS                                                                                   \
	2000 /* a disk that takes longer hangs: what would wait for it is decided without */
#define STALL_LOOK_MS 250 /* between two looks at that while records are on their way */
#define GATHER_MS     1   /* so long a batch waits for more behind a large one */
#define GATHER_BEHIND 16u /* records of a batch that is large */
#define GATHER_ENOUGH 64u /* with so many it waits no longer */

/* What is to be written, and its place in struct entry. */
enum entry_kind {
	ENTRY_LEASE,
	ENTRY_FORM,
	ENTRY_MACHINE,
	ENTRY_FORGET_MACHINE,
};

/* Whose records count together against STORE_UNFINISHED_MAX. */
enum share {
	SHARE_LEASES,
	SHARE_FORMS,
	SHARE_MACHINES,
	SHARE_COUNT,
};

struct entry {
	struct entry *next, *prev;
	store_done done; /* NULL: nobody waits */
	void *ctx;
	int result;
	enum entry_kind kind;
	union {
		struct store_row row;
		struct forms_record form;
		struct machine_state machine;
		struct mac mac;
	};
};

struct queue {
	uv_mutex_t mutex;
	uv_cond_t filled;
	struct entry *waiting, *finished;
	unsigned n_waiting;
	bool gathering; /* the writer waits for GATHER_ENOUGH */
	bool stop;
	bool failing;
	bool health_told;
	char message[STORE_MESSAGE_MAX];
};

struct store {
	const struct store_hooks *hooks;
	void *ctx;
	struct store_db *db;
	char *state_dir;
	struct queue queue;
	uv_thread_t writer;
	uv_async_t finished;
	uv_prepare_t turn_ends;
	uv_timer_t stall_look;
	struct entry *turn; /* records of this turn of the loop */
	unsigned n_turn, n_unfinished;
	unsigned n_of[SHARE_COUNT]; /* of n_unfinished */
	unsigned open_handles;
	bool failing;     /* as the loop was told */
	bool stalled;     /* the same, because nothing is finished for STALL_MS */
	int64_t moved_ms; /* when something was finished last, or began to wait for nothing before it */
	unsigned n_last; /* records of the batch before; the writer's */
};

/* --- the writer's thread --- */

static void wait_for_work(struct queue *q, bool cleaning)
{
	if (q->failing)
		(void)uv_cond_timedwait(&q->filled, &q->mutex, RETRY_MS * 1000000ull);
	else if (cleaning)
		(void)uv_cond_timedwait(&q->filled, &q->mutex, CLEAN_REST_MS * 1000000ull);
	else
		uv_cond_wait(&q->filled, &q->mutex);
}

static void gather(struct queue *q)
{
	uint64_t end_ns = uv_hrtime() + GATHER_MS * 1000000ull, now_ns;

	q->gathering = true;
	while (!q->stop && q->n_waiting < GATHER_ENOUGH && (now_ns = uv_hrtime()) < end_ns)
		(void)uv_cond_timedwait(&q->filled, &q->mutex, end_ns - now_ns);
	q->gathering = false;
}

/* Waits for work; false: stop, and nothing is left to do.  *ret_batch may be
 * empty: then it is time to retry or to clean. */
static bool writer_wait(struct store *s, bool cleaning, struct entry **ret_batch)
{
	struct queue *q = &s->queue;
	bool go_on;

	uv_mutex_lock(&q->mutex);
	if (!q->waiting && !q->stop)
		wait_for_work(q, cleaning);
	if (q->waiting && s->n_last >= GATHER_BEHIND)
		gather(q);
	*ret_batch = q->waiting;
	s->n_last = q->n_waiting;
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

static int writer_write(struct store_db *db, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_LEASE:
		return store_db_append(db, &e->row);
	case ENTRY_FORM:
		return store_db_put_form(db, &e->form);
	case ENTRY_MACHINE:
		return store_db_put_machine(db, &e->machine);
	case ENTRY_FORGET_MACHINE:
		return store_db_forget_machine(db, e->mac);
	}
	return -EINVAL;
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
		r = writer_write(db, e);
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

static void look_for_stall(struct store *s)
{
	bool stalled = s->n_unfinished && clock_mono_ms() - s->moved_ms >= STALL_MS;
	char message[STORE_MESSAGE_MAX];

	if (stalled == s->stalled)
		return;
	s->stalled = stalled;
	(void)snprintf(message, sizeof(message),
		"%.128s/leases.db: the disk does not answer: look for what stops it", s->state_dir);
	if (!s->failing)
		s->hooks->health(s->ctx, stalled ? message : NULL);
}

/* A timer, since nothing else need wake the loop while the disk hangs.  It ends
 * with the records, not with each of them: starting it is no cost under load. */
static void on_stall_look(uv_timer_t *t)
{
	struct store *s = t->data;

	look_for_stall(s);
	if (s->n_unfinished == 0)
		(void)uv_timer_stop(t);
}

static void start_stall_look(struct store *s)
{
	if (!uv_is_active((uv_handle_t *)&s->stall_look))
		(void)uv_timer_start(&s->stall_look, on_stall_look, STALL_LOOK_MS, STALL_LOOK_MS);
}

static enum share share_of(enum entry_kind kind)
{
	static const enum share shares[] = {
		[ENTRY_LEASE] = SHARE_LEASES,
		[ENTRY_FORM] = SHARE_FORMS,
		[ENTRY_MACHINE] = SHARE_MACHINES,
		[ENTRY_FORGET_MACHINE] = SHARE_MACHINES,
	};

	return shares[kind];
}

static void run_finished(struct store *s)
{
	struct entry *done, *e, *next;

	uv_mutex_lock(&s->queue.mutex);
	done = s->queue.finished;
	s->queue.finished = NULL;
	uv_mutex_unlock(&s->queue.mutex);
	s->moved_ms = clock_mono_ms();
	DL_FOREACH_SAFE(done, e, next) {
		if (e->done)
			e->done(e->ctx, e->result);
		s->n_of[share_of(e->kind)]--;
		s->n_unfinished--;
		free(e);
	}
	look_for_stall(s);
	if (done && s->hooks->batch_done)
		s->hooks->batch_done(s->ctx);
}

static void on_finished(uv_async_t *h)
{
	struct store *s = h->data;

	tell_health(s);
	run_finished(s);
}

static void flush_turn(struct store *s)
{
	struct queue *q = &s->queue;

	if (!s->turn)
		return;
	uv_mutex_lock(&q->mutex);
	DL_CONCAT(q->waiting, s->turn);
	q->n_waiting += s->n_turn;
	if (!q->gathering || q->n_waiting >= GATHER_ENOUGH)
		uv_cond_signal(&q->filled);
	uv_mutex_unlock(&q->mutex);
	s->turn = NULL;
	s->n_turn = 0;
}

static void on_turn_ends(uv_prepare_t *h)
{
	flush_turn(h->data);
}

/* libuv's handles; the store is freed when the last one is closed. */
static int open_handles(uv_loop_t *loop, struct store *s)
{
	int r = uv_async_init(loop, &s->finished, on_finished);

	if (r < 0)
		return r;
	(void)uv_prepare_init(loop, &s->turn_ends);
	(void)uv_prepare_start(&s->turn_ends, on_turn_ends);
	(void)uv_timer_init(loop, &s->stall_look);
	s->finished.data = s->turn_ends.data = s->stall_look.data = s;
	s->open_handles = 3;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct store *s = h->data;

	if (--s->open_handles > 0)
		return;
	uv_mutex_destroy(&s->queue.mutex);
	uv_cond_destroy(&s->queue.filled);
	free(s->state_dir);
	free(s);
}

static void close_handles(struct store *s)
{
	uv_close((uv_handle_t *)&s->finished, on_closed);
	uv_close((uv_handle_t *)&s->turn_ends, on_closed);
	uv_close((uv_handle_t *)&s->stall_look, on_closed);
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
	s->state_dir = strdup(state_dir);
	r = s->state_dir ? store_db_open(state_dir, hooks, ctx, ret_message, &s->db) : -ENOMEM;
	if (r < 0)
		goto fail;
	if (store_db_is_read_only(s->db)) {
		s->queue.failing = s->failing = true;
		store_db_explain(s->db, s->queue.message, sizeof(s->queue.message));
		hooks->health(ctx, s->queue.message);
	}
	if (uv_mutex_init(&s->queue.mutex) < 0 || uv_cond_init(&s->queue.filled) < 0 ||
		open_handles(loop, s) < 0) {
		r = -ENOMEM;
		goto fail;
	}
	r = uv_thread_create(&s->writer, writer_run, s);
	if (r < 0) {
		store_db_close(s->db);
		close_handles(s);
		return r;
	}
	*ret = s;
	return 0;
fail:
	store_db_close(s->db);
	free(s->state_dir);
	free(s);
	return r;
}

bool store_is_failing(const struct store *s)
{
	return s->failing || s->stalled;
}

static int hand_over(struct store *s, struct entry *e)
{
	unsigned *n = &s->n_of[share_of(e->kind)];

	if (*n >= STORE_UNFINISHED_MAX) {
		free(e);
		return -EBUSY;
	}
	if (s->n_unfinished == 0)
		s->moved_ms = clock_mono_ms();
	DL_APPEND(s->turn, e);
	s->n_turn++;
	s->n_unfinished++;
	(*n)++;
	start_stall_look(s);
	return 0;
}

static struct entry *entry_new(enum entry_kind kind, store_done done, void *ctx)
{
	struct entry *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	e->kind = kind;
	e->done = done;
	e->ctx = ctx;
	return e;
}

int store_commit(struct store *s, const struct lease_record *r, store_done done, void *ctx)
{
	struct entry *e = entry_new(ENTRY_LEASE, done, ctx);

	if (!e)
		return -ENOMEM;
	store_row_from_record(r, &e->row);
	e->row.expires_s += clock_step_s(); /* the next start reads it by the clock of then */
	return hand_over(s, e);
}

int store_put_machine(struct store *s, const struct machine_state *m, store_done done, void *ctx)
{
	struct entry *e = entry_new(ENTRY_MACHINE, done, ctx);

	if (!e)
		return -ENOMEM;
	e->machine = *m;
	return hand_over(s, e);
}

void store_remember_form(struct store *s, const struct forms_record *r)
{
	struct entry *e = entry_new(ENTRY_FORM, NULL, NULL);

	if (!e)
		return;
	e->form = *r;
	(void)hand_over(s, e);
}

void store_forget_machine(struct store *s, struct mac mac)
{
	struct entry *e = entry_new(ENTRY_FORGET_MACHINE, NULL, NULL);

	if (!e)
		return;
	e->mac = mac;
	(void)hand_over(s, e);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	flush_turn(s);
	uv_mutex_lock(&s->queue.mutex);
	s->queue.stop = true;
	uv_cond_signal(&s->queue.filled);
	uv_mutex_unlock(&s->queue.mutex);
	(void)uv_thread_join(&s->writer);
	run_finished(s);
	store_db_close(s->db);
	close_handles(s);
}
