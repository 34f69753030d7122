/* The lease table.  No clock, no I/O, no packets. */
#include "core/lease.h"

#include "core/lease_hash.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct queue {
	struct lease *head, *tail;
	size_t n;
};

/* Per network, by its configured name: it outlives reloads and address changes. */
struct lease_net {
	struct lease_net *next;
	char *name;
	struct queue queue[LEASE_STATE_COUNT];
	/* The next address of the pools that was never given to anybody; the walk
	 * begins anew when other addresses may be given away. */
	uint64_t fingerprint;
	size_t fresh_pool;
	struct ip4 fresh;
};

struct lease_table {
	struct lease_net *nets;
	struct lease_hash by_address, by_client;
	size_t n;
};

#define RESTORE_AT_ONCE 16u
#define FRESH_STEPS 4096u /* addresses that a search for a fresh one passes at most */

/* FNV-1a: the keys are a stranger's choice, but a chain can grow no longer than
 * the leases that it holds addresses for, and those are limited. */
static uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 1099511628211u;
	return h;
}

static uint64_t hash_mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 33;
}

static uint64_t hash_client(const struct lease_net *net, const struct lease_client *c)
{
	uint64_t h = hash_bytes(14695981039346656037u, &net, sizeof(net));

	if (c->client_id.n)
		return hash_mix(hash_bytes(h, c->client_id.p, c->client_id.n));
	return hash_mix(hash_bytes(h ^ c->htype, c->chaddr, c->hlen));
}

/* A lease without a client is an address that was set aside. */
static bool has_client(const struct lease_client *c)
{
	return c->client_id.n || c->hlen;
}

/* Sixteen neighbours stay neighbours: addresses are given away and loaded one after
 * the other, and so is memory touched then. */
static uint64_t hash_address(struct ip4 a)
{
	return hash_mix(a.v >> 4) << 4 | (a.v & 15);
}

static struct lease **next_by_address(struct lease *l)
{
	return &l->next_by_address;
}

static struct lease **next_by_client(struct lease *l)
{
	return &l->next_by_client;
}

static uint64_t address_of(const struct lease *l)
{
	return hash_address(l->address);
}

static uint64_t client_of(const struct lease *l)
{
	return l->hash;
}

int lease_table_new(struct lease_table **ret_table)
{
	struct lease_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (lease_hash_init(&t->by_address, LEASE_TABLE_MAX, next_by_address, address_of) < 0 ||
		lease_hash_init(&t->by_client, LEASE_TABLE_MAX, next_by_client, client_of) < 0) {
		lease_table_free(t);
		return -ENOMEM;
	}
	*ret_table = t;
	return 0;
}

void lease_table_expect(struct lease_table *t, size_t n)
{
	if (t->n)
		return;
	lease_hash_expect(&t->by_address, n);
	lease_hash_expect(&t->by_client, n);
}

static void lease_free(struct lease *l)
{
	free(l->hostname);
	free(l);
}

void lease_table_free(struct lease_table *t)
{
	if (!t)
		return;
	for (struct lease_net *net = t->nets, *next; net; net = next) {
		next = net->next;
		for (int s = 0; s < LEASE_STATE_COUNT; s++)
			for (struct lease *l = net->queue[s].head, *after; l; l = after) {
				after = l->next;
				lease_free(l);
			}
		free(net->name);
		free(net);
	}
	lease_hash_free(&t->by_address);
	lease_hash_free(&t->by_client);
	free(t);
}

static void queue_remove(struct lease *l)
{
	struct queue *q = &l->net->queue[l->state];

	*(l->prev ? &l->prev->next : &q->head) = l->next;
	*(l->next ? &l->next->prev : &q->tail) = l->prev;
	l->prev = l->next = NULL;
	q->n--;
}

static void queue_append(struct lease *l)
{
	struct queue *q = &l->net->queue[l->state];

	l->prev = q->tail;
	l->next = NULL;
	*(q->tail ? &q->tail->next : &q->head) = l;
	q->tail = l;
	q->n++;
}

static void set_state(struct lease *l, enum lease_state state, int64_t expires_s)
{
	queue_remove(l);
	l->state = (uint8_t)state;
	l->expires_s = expires_s;
	queue_append(l);
}

static struct lease_net *net_named(struct lease_table *t, const char *name)
{
	struct lease_net *net;

	for (net = t->nets; net; net = net->next)
		if (strcmp(net->name, name) == 0)
			return net;
	net = calloc(1, sizeof(*net));
	if (!net)
		return NULL;
	net->name = strdup(name);
	if (!net->name) {
		free(net);
		return NULL;
	}
	net->next = t->nets;
	t->nets = net;
	return net;
}

static struct span client_id_of(const struct lease *l)
{
	return (struct span){ l->client_id, l->client_id_len };
}

bool lease_is_of(const struct lease *l, const struct lease_client *c)
{
	if (c->client_id.n || l->client_id_len)
		return span_eq(c->client_id, client_id_of(l));
	return l->htype == c->htype && l->hlen == c->hlen && memcmp(l->chaddr, c->chaddr, c->hlen) == 0;
}

/* Of the client, or of an address that is nobody's. */
static uint32_t hash_of(const struct lease_net *net, const struct lease_client *c, struct ip4 address)
{
	return (uint32_t)(has_client(c) ? hash_client(net, c) : hash_address(address));
}

static struct lease *find_hashed(struct lease_table *t, const struct lease_net *net,
	const struct lease_client *c, uint32_t hash)
{
	struct lease *l = *lease_hash_chain(&t->by_client, hash);

	while (l && !(l->net == net && lease_is_of(l, c)))
		l = l->next_by_client;
	return l;
}

static struct lease *find_client(struct lease_table *t, const struct lease_net *net,
	const struct lease_client *c)
{
	return find_hashed(t, net, c, (uint32_t)hash_client(net, c));
}

struct lease *lease_find(struct lease_table *t, const struct served *s, const struct lease_client *c)
{
	for (struct lease_net *net = t->nets; net; net = net->next)
		if (strcmp(net->name, s->cfg->name) == 0)
			return find_client(t, net, c);
	return NULL;
}

struct lease *lease_find_address(struct lease_table *t, struct ip4 a)
{
	struct lease *l = *lease_hash_chain(&t->by_address, hash_address(a));

	while (l && !ip4_eq(l->address, a))
		l = l->next_by_address;
	return l;
}

/* Removes a lease from all but memory. */
static void forget(struct lease_table *t, struct lease *l)
{
	queue_remove(l);
	lease_hash_remove(&t->by_address, l);
	lease_hash_remove(&t->by_client, l);
	t->n--;
	lease_free(l);
}

/* Puts a zeroed lease with room for its client's identifier into the table. */
static void lease_add(struct lease_table *t, struct lease *l, struct lease_net *net,
	const struct lease_client *c, struct ip4 address, uint32_t hash)
{
	if (c->client_id.n)
		memcpy(l->client_id, c->client_id.p, c->client_id.n);
	l->client_id_len = (uint8_t)c->client_id.n;
	l->address = address;
	l->net = net;
	l->htype = c->htype;
	l->hlen = c->hlen;
	memcpy(l->chaddr, c->chaddr, sizeof(l->chaddr));
	l->hash = hash;
	l->state = LEASE_FREE;
	queue_append(l);
	lease_hash_add(&t->by_address, l);
	lease_hash_add(&t->by_client, l);
	t->n++;
	if (t->n > t->by_address.n) {
		lease_hash_grow(&t->by_address);
		lease_hash_grow(&t->by_client);
	}
}

static int lease_new(struct lease_table *t, struct lease_net *net, const struct lease_client *c,
	struct ip4 address, uint32_t hash, struct lease **ret)
{
	struct lease *l;

	if (t->n >= LEASE_TABLE_MAX)
		return -ENOENT;
	l = calloc(1, sizeof(*l) + c->client_id.n);
	if (!l)
		return -ENOMEM;
	lease_add(t, l, net, c, address, hash);
	*ret = l;
	return 0;
}

/* May the address of this lease be given to another client now? */
static bool is_reusable(const struct lease *l, int64_t now_s)
{
	return l->state == LEASE_FREE || l->expires_s <= now_s;
}

/* A free address that was never used: the cursor walks the pools once. */
static bool take_fresh(struct lease_table *t, struct lease_net *net, const struct served *s, unsigned max_steps,
	struct ip4 *ret)
{
	if (net->fingerprint != s->fingerprint) {
		net->fingerprint = s->fingerprint;
		net->fresh_pool = 0;
		net->fresh.v = 0;
	}
	for (unsigned steps = 0; net->fresh_pool < s->n_pools;) {
		const struct pool *p = &s->pools[net->fresh_pool];

		if (net->fresh.v < p->first.v || net->fresh.v > p->last.v)
			net->fresh = p->first;
		for (;; net->fresh.v++) {
			struct ip4 a = net->fresh;
			bool last = a.v == p->last.v;

			if (served_may_lease(s, a) && !lease_find_address(t, a)) {
				*ret = a;
				return true; /* the cursor stays: the lease made now moves it on */
			}
			if (last)
				break;
			/* Past a million leases of before a restart it goes in pieces. */
			if (++steps >= max_steps)
				return false;
		}
		net->fresh_pool++;
		net->fresh.v = 0;
	}
	return false;
}

/* The lease at the head of a queue when it may be reused here; leases whose
 * address left the pools (another configuration) are forgotten on the way. */
static struct lease *reusable_head(struct lease_table *t, struct lease_net *net, const struct served *s,
	enum lease_state state, int64_t now_s)
{
	struct lease *l = net->queue[state].head;

	while (l && is_reusable(l, now_s) && !served_may_lease(s, l->address)) {
		forget(t, l);
		l = net->queue[state].head;
	}
	return l && is_reusable(l, now_s) ? l : NULL;
}

static struct lease *oldest_reusable(struct lease_table *t, struct lease_net *net,
	const struct served *s, int64_t now_s)
{
	static const enum lease_state order[] = { LEASE_FREE, LEASE_OFFERED, LEASE_BOUND, LEASE_DECLINED };
	struct lease *l;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		l = reusable_head(t, net, s, order[i], now_s);
		if (l)
			return l;
	}
	/* Of offers, only those of reserved addresses are passed over. */
	l = net->queue[LEASE_OFFERED].head;
	while (l && !served_may_lease(s, l->address))
		l = l->next;
	return l;
}

static bool may_have_wanted(struct lease_table *t, const struct served *s, struct ip4 wanted, bool claim,
	int64_t now_s)
{
	const struct lease *l;

	if (!served_may_lease(s, wanted))
		return false;
	l = lease_find_address(t, wanted);
	if (!l)
		return t->n < LEASE_TABLE_MAX;
	return is_reusable(l, now_s) || (claim && l->state == LEASE_OFFERED);
}

/* Finds an address and frees it of whoever had it before. */
static int choose_address(struct lease_table *t, struct lease_net *net, const struct served *s,
	struct ip4 wanted, bool claim, int64_t now_s, struct ip4 *ret, bool *ret_unchecked)
{
	struct lease *old;

	*ret_unchecked = true;

	if (may_have_wanted(t, s, wanted, claim, now_s)) {
		old = lease_find_address(t, wanted);
		*ret = wanted;
	} else {
		if (t->n < LEASE_TABLE_MAX && take_fresh(t, net, s, FRESH_STEPS, ret))
			return 0;
		old = oldest_reusable(t, net, s, now_s);
		if (!old)
			return t->n < LEASE_TABLE_MAX && take_fresh(t, net, s, UINT_MAX, ret) ? 0 : -ENOENT;
		*ret = old->address;
	}
	if (old) {
		*ret_unchecked = old->unchecked || now_s - old->expires_s >= s->cfg->lease_time_s;
		forget(t, old);
	}
	return 0;
}

/* The address reserved for this client, freed of whoever had it; 0 when there is
 * none, or another client uses it still: then a pool serves meanwhile. */
static struct ip4 take_reserved(struct lease_table *t, const struct lease_net *net, const struct served *s,
	const struct lease_client *c, const struct machine *reserved_for, int64_t now_s)
{
	const struct ip4 none = { 0 };
	struct lease *holder;

	if (!reserved_for || !served_is_usable(s, reserved_for->address))
		return none;
	holder = lease_find_address(t, reserved_for->address);
	if (!holder || (holder->net == net && lease_is_of(holder, c)))
		return reserved_for->address;
	/* The machine's own other stage (PXE, iPXE, installer) may have another
	 * client-id: a reservation by MAC always wins over it. */
	if (!is_reusable(holder, now_s) && holder->state != LEASE_OFFERED &&
		!(c->hlen && holder->hlen == c->hlen && memcmp(holder->chaddr, c->chaddr, c->hlen) == 0))
		return none;
	forget(t, holder);
	return reserved_for->address;
}

static bool may_keep(const struct served *s, const struct lease *l, struct ip4 reserved)
{
	return reserved.v ? ip4_eq(l->address, reserved) : served_may_lease(s, l->address);
}

/* Makes a lease nobody's: its client never finds it again, its address goes on
 * through the queues. */
static void disown(struct lease_table *t, struct lease *l)
{
	lease_hash_remove(&t->by_client, l);
	l->client_id_len = 0;
	l->htype = l->hlen = 0;
	memset(l->chaddr, 0, sizeof(l->chaddr));
	free(l->hostname);
	l->hostname = NULL;
	l->hash = (uint32_t)hash_address(l->address); /* spread: no client has this */
	lease_hash_add(&t->by_client, l);
}

static int choose(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, bool claim, int64_t now_s,
	struct lease **ret_lease)
{
	struct lease_net *net = net_named(t, s->cfg->name);
	struct ip4 reserved, address;
	bool unchecked = false;
	struct lease *l;
	int r;

	if (!net)
		return -ENOMEM;
	reserved = take_reserved(t, net, s, c, reserved_for, now_s);
	l = find_client(t, net, c);
	if (l && may_keep(s, l, reserved)) {
		if (!lease_is_live(l, now_s))
			set_state(l, LEASE_OFFERED, now_s + LEASE_OFFER_S);
		*ret_lease = l;
		return 0;
	}
	if (l) {
		/* It moves to another address.  What was acknowledged to it is nobody
		 * else's until that expires, unless a NAK now tells it to let go. */
		disown(t, l);
		if (claim || !lease_is_live(l, now_s))
			set_state(l, LEASE_FREE, now_s);
	}
	address = reserved;
	if (reserved.v == 0) {
		r = choose_address(t, net, s, wanted, claim, now_s, &address, &unchecked);
		if (r < 0)
			return r;
	}
	r = lease_new(t, net, c, address, hash_of(net, c, address), &l);
	if (r < 0)
		return r;
	l->unchecked = unchecked;
	set_state(l, LEASE_OFFERED, now_s + LEASE_OFFER_S);
	*ret_lease = l;
	return 0;
}

int lease_choose(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, int64_t now_s, struct lease **ret_lease)
{
	return choose(t, s, c, reserved_for, wanted, false, now_s, ret_lease);
}

int lease_claim(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, int64_t now_s, struct lease **ret_lease)
{
	return choose(t, s, c, reserved_for, wanted, true, now_s, ret_lease);
}

static void set_hostname(struct lease *l, struct span hostname)
{
	struct span cut = { hostname.p, hostname.n < LEASE_HOSTNAME_MAX ? hostname.n : LEASE_HOSTNAME_MAX };
	char *copy;

	if (cut.n == 0 || (l->hostname && span_eq(span_str(l->hostname), cut)))
		return;
	copy = strndup((const char *)cut.p, cut.n);
	if (!copy)
		return; /* a name is no reason to refuse a lease */
	free(l->hostname);
	l->hostname = copy;
}

void lease_bind(struct lease_table *t, struct lease *l, struct span hostname, uint32_t seconds, int64_t now_s)
{
	(void)t;
	set_hostname(l, hostname);
	l->unchecked = false;
	set_state(l, LEASE_BOUND, now_s + seconds);
}

void lease_release(struct lease_table *t, struct lease *l, int64_t now_s)
{
	(void)t;
	set_state(l, LEASE_FREE, now_s);
}

/* The address is set aside under nobody's name, so that its client can ask
 * for another one and never finds this again. */
void lease_decline(struct lease_table *t, struct lease *l, int64_t now_s)
{
	disown(t, l);
	l->unchecked = true; /* when it comes back: may still be in use */
	set_state(l, LEASE_DECLINED, now_s + LEASE_DECLINED_S);
}

void lease_distrust(struct lease_table *t, struct lease *l, int64_t now_s)
{
	disown(t, l);
	l->unchecked = true;
	set_state(l, LEASE_FREE, now_s);
}

size_t lease_set_aside(struct lease_table *t, const struct served *s, int64_t now_s)
{
	struct lease_net *net = net_named(t, s->cfg->name);
	struct queue *q;

	if (!net)
		return 0;
	q = &net->queue[LEASE_DECLINED];
	while (q->head && q->head->expires_s <= now_s)
		set_state(q->head, LEASE_FREE, q->head->expires_s);
	return q->n;
}

bool lease_is_live(const struct lease *l, int64_t now_s)
{
	return l->state == LEASE_BOUND && l->expires_s > now_s;
}

bool lease_mac(const struct lease *l, struct mac *ret)
{
	if (l->htype != 1 || l->hlen != sizeof(ret->b))
		return false;
	memcpy(ret->b, l->chaddr, sizeof(ret->b));
	return true;
}

void lease_to_record(const struct lease *l, struct lease_record *ret)
{
	*ret = (struct lease_record){
		.address = l->address,
		.state = l->state,
		.expires_s = l->expires_s,
		.network = l->net->name,
		.client_id = client_id_of(l),
		.chaddr = { l->chaddr, l->hlen },
		.hostname = span_str(l->hostname),
		.htype = l->htype,
	};
}

size_t lease_count(const struct lease_table *t, enum lease_state state)
{
	size_t n = 0;

	for (const struct lease_net *net = t->nets; net; net = net->next)
		n += net->queue[state].n;
	return n;
}

/* A lease is as long as its client's identifier, so it is made anew. */
void lease_take_over(struct lease_table *t, struct lease *l, const struct lease_client *c, int64_t now_s)
{
	struct lease *other = find_client(t, l->net, c), *mine;
	const struct lease was = *l;
	struct lease_net *net = l->net;

	if (other == l)
		return;
	mine = calloc(1, sizeof(*mine) + c->client_id.n);
	if (!mine)
		return;
	if (other) {
		disown(t, other);
		set_state(other, LEASE_FREE, now_s);
	}
	l->hostname = NULL; /* moves */
	forget(t, l);
	lease_add(t, mine, net, c, was.address, hash_of(net, c, was.address));
	mine->hostname = was.hostname;
	mine->unchecked = was.unchecked;
	mine->stored_expires_s = was.stored_expires_s;
	set_state(mine, (enum lease_state)was.state, was.expires_s);
}

/* A record on its way into the table. */
struct restoring {
	struct lease_client client;
	struct lease_net *net;
	uint32_t hash;
};

static int restore_one(struct lease_table *t, const struct lease_record *r, const struct restoring *new)
{
	const struct lease_client *c = &new->client;
	struct lease *l = lease_find_address(t, r->address);
	int e;

	if (l)
		forget(t, l);
	/* A client has one lease in a network: the one written last. */
	l = has_client(c) ? find_hashed(t, new->net, c, new->hash) : NULL;
	if (l)
		disown(t, l);
	e = lease_new(t, new->net, c, r->address, new->hash, &l);
	if (e < 0)
		return e == -ENOENT ? 0 : e; /* a full table: what is oldest is what it knows already */
	set_hostname(l, r->hostname);
	l->unchecked = r->state == LEASE_DECLINED;
	set_state(l, r->state == LEASE_OFFERED ? LEASE_FREE : r->state, r->expires_s);
	l->stored_expires_s = r->state == LEASE_BOUND ? r->expires_s : 0;
	return 0;
}

/* Clients lie in the table without order: waiting for one piece of memory after the
 * other is most of a start with a million leases, so some are asked for at once. */
static int restore_some(struct lease_table *t, const struct lease_record *list, size_t n)
{
	struct restoring new[RESTORE_AT_ONCE];
	struct lease **chain[RESTORE_AT_ONCE];
	int e = 0;

	for (size_t i = 0; i < n; i++) {
		const struct lease_record *r = &list[i];
		struct lease_client *c = &new[i].client;

		if (r->chaddr.n > sizeof(c->chaddr) || r->client_id.n > UINT8_MAX)
			return -EINVAL;
		*c = (struct lease_client){ .client_id = r->client_id, .htype = r->htype, .hlen = (uint8_t)r->chaddr.n };
		if (r->chaddr.n)
			memcpy(c->chaddr, r->chaddr.p, r->chaddr.n);
		new[i].net = net_named(t, r->network);
		if (!new[i].net)
			return -ENOMEM;
		new[i].hash = hash_of(new[i].net, c, r->address);
		chain[i] = lease_hash_chain(&t->by_client, new[i].hash);
		__builtin_prefetch(chain[i]);
		__builtin_prefetch(lease_hash_chain(&t->by_address, hash_address(r->address)));
	}
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(*chain[i]);
	for (size_t i = 0; i < n && e == 0; i++)
		e = restore_one(t, &list[i], &new[i]);
	return e;
}

int lease_restore(struct lease_table *t, const struct lease_record *list, size_t n)
{
	int e = 0;

	for (size_t i = 0; i < n && e == 0; i += RESTORE_AT_ONCE)
		e = restore_some(t, list + i, n - i < RESTORE_AT_ONCE ? n - i : RESTORE_AT_ONCE);
	return e;
}

void lease_stored(struct lease_table *t, struct ip4 address, enum lease_state state, int64_t expires_s)
{
	struct lease *l = lease_find_address(t, address);

	if (l)
		l->stored_expires_s = state == LEASE_BOUND ? expires_s : 0;
}

void lease_not_stored(struct lease_table *t, struct ip4 address, int64_t now_s)
{
	struct lease *l = lease_find_address(t, address);

	if (!l || l->state != LEASE_BOUND)
		return;
	if (l->stored_expires_s > now_s)
		set_state(l, LEASE_BOUND, l->stored_expires_s);
	else
		set_state(l, LEASE_FREE, now_s);
}

/* A piece is one bucket of those that there were at the walk's begin: all that
 * it was split into since, and so nothing that another piece shows. */
bool lease_walk_step(struct lease_table *t, struct lease_walk *w, size_t n, lease_seen seen, void *ctx)
{
	const struct lease_hash *b = &t->by_address;

	if (w->n == 0) {
		w->n = b->n;
		w->level = b->level;
	}
	for (; n > 0 && w->bucket < w->n; n--, w->bucket++) {
		bool was_split = w->bucket >= w->level || w->bucket < w->n - w->level;
		size_t step = was_split ? 2 * w->level : w->level;

		for (size_t i = w->bucket; i < b->n; i += step)
			for (struct lease *l = b->list[i]; l; l = l->next_by_address)
				seen(ctx, l);
	}
	return w->bucket < w->n;
}
