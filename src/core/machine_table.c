/* Hashes by MAC and by UUID, and two queues of those that may be forgotten. */
#include "core/machine_table.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/* In which of the two queues, of those that may go: a stranger whose installation
 * runs goes after all others. */
enum queue {
	QUEUE_NEW,
	QUEUE_INSTALLING,
	QUEUE_COUNT,
	QUEUE_NONE = QUEUE_COUNT,
};

struct entry {
	struct machine_state state;
	uint64_t version, sent, stored;
	uint64_t ended; /* of those that were sent, the last that was stored or could not be */
	uint64_t
		moved; /* the version that was the last to change what becomes of it, or is waited for */
	struct {
		uint64_t version;
		struct machine_fate fate;
	} sure; /* machine_table_sure() */
	bool known;
	enum queue queue;
	struct entry *prev, *next; /* heard of longest ago first */
	UT_hash_handle by_mac;
	struct uuid uuid;       /* in the octet order that is the lesser one */
	UT_hash_handle by_uuid; /* tbl is NULL while it has none */
};

struct machine_table {
	struct entry *by_mac, *by_uuid;
	struct entry *queues[QUEUE_COUNT];
	size_t n_strangers;
	uint64_t version; /* the last one given */
};

int machine_table_new(struct machine_table **ret)
{
	struct machine_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

static struct entry *find(const struct machine_table *t, struct mac mac)
{
	struct entry *e = NULL;

	HASH_FIND(by_mac, t->by_mac, &mac, sizeof(mac), e);
	return e;
}

static enum queue queue_of(const struct entry *e)
{
	if (e->known || machine_state_is_kept(&e->state))
		return QUEUE_NONE;
	return e->state.phase == MACHINE_INSTALLING ? QUEUE_INSTALLING : QUEUE_NEW;
}

static void leave_queue(struct machine_table *t, struct entry *e)
{
	if (e->queue != QUEUE_NONE)
		DL_DELETE(t->queues[e->queue], e);
	e->queue = QUEUE_NONE;
}

static void join_queue(struct machine_table *t, struct entry *e)
{
	e->queue = queue_of(e);
	if (e->queue != QUEUE_NONE)
		DL_APPEND(t->queues[e->queue], e);
}

static struct uuid lesser_order(struct uuid u)
{
	struct uuid other = uuid_swap(u);

	return memcmp(&u, &other, sizeof(u)) <= 0 ? u : other;
}

static void leave_index(struct machine_table *t, struct entry *e)
{
	if (e->by_uuid.tbl)
		HASH_DELETE(by_uuid, t->by_uuid, e);
	e->by_uuid.tbl = NULL;
}

/* Without memory for it, it is not found by its UUID. */
static void join_index(struct machine_table *t, struct entry *e)
{
	struct uuid uuid = lesser_order(e->state.uuid);

	if (e->by_uuid.tbl && e->state.has_uuid && uuid_eq(uuid, e->uuid))
		return;
	leave_index(t, e);
	if (!e->state.has_uuid)
		return;
	e->uuid = uuid;
	HASH_ADD(by_uuid, t->by_uuid, uuid, sizeof(e->uuid), e);
}

static void drop_entry(struct machine_table *t, struct entry *e)
{
	leave_queue(t, e);
	leave_index(t, e);
	HASH_DELETE(by_mac, t->by_mac, e);
	t->n_strangers -= !e->known;
	free(e);
}

void machine_table_free(struct machine_table *t)
{
	struct entry *e, *next;

	if (!t)
		return;
	HASH_ITER(by_mac, t->by_mac, e, next)
		drop_entry(t, e);
	free(t);
}

const struct machine_state *machine_table_find(const struct machine_table *t, struct mac mac)
{
	const struct entry *e = find(t, mac);

	return e ? &e->state : NULL;
}

static const struct entry *first_with(const struct machine_table *t, struct uuid uuid)
{
	const struct uuid key = lesser_order(uuid);
	struct entry *e = NULL;

	HASH_FIND(by_uuid, t->by_uuid, &key, sizeof(key), e);
	return e;
}

/* The others stand behind it in the same chain of the hash. */
static const struct entry *next_with_same(const struct machine_table *t, const struct entry *e)
{
	const struct uuid *uuid = &e->uuid;

	for (UT_hash_handle *h = e->by_uuid.hh_next; h; h = h->hh_next) {
		e = ELMT_FROM_HH(t->by_uuid->by_uuid.tbl, h);
		if (uuid_eq(e->uuid, *uuid))
			return e;
	}
	return NULL;
}

static unsigned rank_of(const struct entry *e)
{
	return machine_state_is_kept(&e->state) ? 2 : e->state.phase != MACHINE_NEW ? 1 : 0;
}

/* Where several have one UUID, the same one must be found whatever order the hash has now:
 * what must not be forgotten, then who was here first. */
static bool goes_before(const struct entry *a, const struct entry *b)
{
	unsigned rank_a = rank_of(a), rank_b = rank_of(b);

	if (rank_a != rank_b)
		return rank_a > rank_b;
	if (a->state.first_seen_s != b->state.first_seen_s)
		return a->state.first_seen_s < b->state.first_seen_s;
	return memcmp(&a->state.mac, &b->state.mac, sizeof(a->state.mac)) < 0;
}

const struct machine_state *machine_table_find_uuid(const struct machine_table *t, struct uuid uuid)
{
	const struct entry *best = NULL;

	for (const struct entry *e = first_with(t, uuid); e; e = next_with_same(t, e))
		if (!e->known && (!best || goes_before(e, best)))
			best = e;
	return best ? &best->state : NULL;
}

size_t machine_table_count_uuid(const struct machine_table *t, struct uuid uuid)
{
	size_t n = 0;

	for (const struct entry *e = first_with(t, uuid); e; e = next_with_same(t, e))
		n++;
	return n;
}

/* The configuration's, by what it says of itself, or by what it said here before. */
static const struct machine *machine_of(
	const struct machine_table *t, const struct config *cfg, const struct facts *f)
{
	const struct machine *m = config_find_machine(cfg, &f->mac, f->has_uuid ? &f->uuid : NULL);
	const struct entry *e = m || f->has_uuid ? NULL : find(t, f->mac);

	return e && e->state.has_uuid ? config_find_machine(cfg, NULL, &e->state.uuid) : m;
}

struct mac machine_table_key(
	const struct machine_table *t, const struct config *cfg, const struct facts *f)
{
	const struct machine *m = machine_of(t, cfg, f);
	const struct machine_state *s = m && !m->has_mac ? machine_table_find_uuid(t, m->uuid)
							 : NULL;

	return m && m->has_mac ? m->mac : s ? s->mac : f->mac;
}

bool machine_table_evict(struct machine_table *t, size_t more, struct mac *ret)
{
	struct entry *e = t->queues[QUEUE_NEW] ? t->queues[QUEUE_NEW] : t->queues[QUEUE_INSTALLING];

	if (!e || t->n_strangers + more <= MACHINE_TABLE_STRANGERS_MAX)
		return false;
	*ret = e->state.mac;
	drop_entry(t, e);
	return true;
}

static int add(struct machine_table *t, struct mac mac, bool known, struct entry **ret_entry)
{
	struct entry *e = calloc(1, sizeof(*e)), *added = NULL;

	if (!e)
		return -ENOMEM;
	e->state.mac = mac;
	e->known = known;
	e->queue = QUEUE_NONE;
	/* What is said yet of versions before it was pushed out of the table is no matter. */
	e->sent = e->stored = e->ended = e->moved = e->sure.version = t->version;
	HASH_ADD(by_mac, t->by_mac, state.mac, sizeof(e->state.mac), e);
	HASH_FIND(by_mac, t->by_mac, &mac, sizeof(mac), added);
	if (!added) {
		free(e);
		return -ENOMEM;
	}
	t->n_strangers += !known;
	*ret_entry = e;
	return 0;
}

static void set_known(struct machine_table *t, struct entry *e, bool known)
{
	t->n_strangers -= !e->known;
	e->known = known;
	t->n_strangers += !known;
}

static int put(
	struct machine_table *t, const struct machine_state *s, bool known, struct entry **ret)
{
	struct entry *e = find(t, s->mac);
	int r = e ? 0 : add(t, s->mac, known, &e);

	if (r < 0)
		return r;
	leave_queue(t, e);
	set_known(t, e, known);
	e->version = ++t->version;
	if (!machine_state_same_fate(&e->state, s))
		e->moved = e->version;
	if (&e->state != s)
		e->state = *s;
	join_queue(t, e);
	join_index(t, e);
	*ret = e;
	return 0;
}

static int put_where_room(
	struct machine_table *t, const struct machine_state *s, bool known, struct entry **ret)
{
	if (!known && t->n_strangers >= MACHINE_TABLE_STRANGERS_MAX && !find(t, s->mac))
		return -ENOSPC;
	return put(t, s, known, ret);
}

int machine_table_put(
	struct machine_table *t, const struct machine_state *s, bool known, uint64_t *ret_version)
{
	struct entry *e;
	int r = put_where_room(t, s, known, &e);

	if (r == 0)
		*ret_version = e->version;
	return r;
}

/* --- changes that are waited for --- */

int machine_table_move(
	struct machine_table *t, const struct machine_state *s, bool known, struct machine_move *m)
{
	const struct machine_state fresh = { .mac = s->mac };
	struct entry *e = find(t, s->mac);
	const struct machine_state before = e ? e->state : fresh;
	uint64_t moved = e ? e->moved : 0;
	int r = put_where_room(t, s, known, &e);

	if (r < 0)
		return r;
	if (m->version == 0)
		m->before = before;
	if (m->version == 0 || m->version != moved) {
		m->base = machine_state_fate(&before);
		m->since = moved;
	}
	m->after = *s;
	m->version = e->moved = e->version;
	return 0;
}

bool machine_table_is_last(const struct machine_table *t, const struct machine_move *m)
{
	const struct entry *e = find(t, m->after.mac);

	return e && e->moved == m->version;
}

bool machine_table_take_back(
	struct machine_table *t, const struct machine_move *m, uint64_t *ret_version)
{
	struct entry *e = find(t, m->after.mac);
	struct machine_state s;
	bool is_open;

	if (!e || e->moved != m->version)
		return false;
	/* Of what it was built on nothing is known yet; else that was stored, or was not: it
	 * could not be taken back while this one stood on it. */
	is_open = m->since > e->ended && m->since > e->sure.version;
	s = e->state;
	machine_state_set_fate(&s, is_open ? &m->base : &e->sure.fate);
	if (put(t, &s, e->known, &e) < 0)
		return false;
	if (is_open)
		e->moved = m->since;
	*ret_version = e->version;
	return true;
}

void machine_table_sure(struct machine_table *t, const struct machine_state *s, uint64_t version)
{
	struct entry *e = find(t, s->mac);

	if (!e || version <= e->sure.version)
		return;
	e->sure.version = version;
	e->sure.fate = machine_state_fate(s);
}

/* --- what the store has --- */

int machine_table_restore(struct machine_table *t, const struct machine_state *s, bool known)
{
	struct entry *e;
	int r = put(t, s, known, &e);

	if (r < 0)
		return r;
	machine_table_stored(t, s->mac, e->version);
	machine_table_sure(t, s, e->version);
	return 0;
}

void machine_table_touch(struct machine_table *t, struct mac mac, int64_t now_s)
{
	struct entry *e = find(t, mac);

	leave_queue(t, e);
	e->state.last_seen_s = now_s;
	join_queue(t, e);
}

static void advance(uint64_t *at, uint64_t version)
{
	if (version > *at)
		*at = version;
}

void machine_table_sent(struct machine_table *t, struct mac mac, uint64_t version)
{
	struct entry *e = find(t, mac);

	if (e)
		advance(&e->sent, version);
}

void machine_table_stored(struct machine_table *t, struct mac mac, uint64_t version)
{
	struct entry *e = find(t, mac);

	if (!e)
		return;
	advance(&e->stored, version);
	advance(&e->ended, version);
}

void machine_table_not_stored(struct machine_table *t, struct mac mac, uint64_t version)
{
	struct entry *e = find(t, mac);

	if (e)
		advance(&e->ended, version);
}

bool machine_table_is_settled(const struct machine_table *t, struct mac mac)
{
	const struct entry *e = find(t, mac);

	return !e || e->stored >= e->moved;
}

void machine_table_unstored(const struct machine_table *t,
	void (*each)(void *ctx, const struct machine_state *s, uint64_t version), void *ctx)
{
	for (const struct entry *e = t->by_mac; e; e = e->by_mac.next)
		if (e->stored < e->version && (e->sent < e->version || e->ended >= e->version))
			each(ctx, &e->state, e->version);
}

void machine_table_sort(struct machine_table *t,
	bool (*is_known)(void *ctx, const struct machine_state *s), void *ctx)
{
	for (struct entry *e = t->by_mac; e; e = e->by_mac.next) {
		bool known = is_known(ctx, &e->state);

		if (known == e->known)
			continue;
		leave_queue(t, e);
		set_known(t, e, known);
		join_queue(t, e);
	}
}

static int by_octets(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac));
}

int machine_table_macs(const struct machine_table *t, struct mac **ret, size_t *ret_n)
{
	size_t n = 0, cap = HASH_CNT(by_mac, t->by_mac);
	struct mac *list = malloc((cap + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (const struct entry *e = t->by_mac; e; e = e->by_mac.next)
		list[n++] = e->state.mac;
	qsort(list, n, sizeof(*list), by_octets);
	*ret = list;
	*ret_n = n;
	return 0;
}
