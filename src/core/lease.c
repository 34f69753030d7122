/* The lease table.  No clock, no I/O, no packets. */
#include "core/lease_impl.h"

#include <errno.h>
#include <stdlib.h>

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

/* Sixteen neighbours stay neighbours: addresses are given away and loaded one after
 * the other, and so is memory touched then. */
uint64_t lease_hash_address(struct ip4 a)
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
	return lease_hash_address(l->address);
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

void lease_set_state(struct lease *l, enum lease_state state, int64_t expires_s)
{
	queue_remove(l);
	l->state = (uint8_t)state;
	l->expires_s = expires_s;
	queue_append(l);
}

struct lease_net *lease_net_named(struct lease_table *t, const char *name)
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
	return l->htype == c->htype && l->hlen == c->hlen &&
		memcmp(l->chaddr, c->chaddr, c->hlen) == 0;
}

uint32_t lease_hash_of(
	const struct lease_net *net, const struct lease_client *c, struct ip4 address)
{
	return (uint32_t)(lease_has_client(c) ? hash_client(net, c) : lease_hash_address(address));
}

struct lease *lease_find_hashed(struct lease_table *t, const struct lease_net *net,
	const struct lease_client *c, uint32_t hash)
{
	struct lease *l = *lease_hash_chain(&t->by_client, hash);

	while (l && !(l->net == net && lease_is_of(l, c)))
		l = l->next_by_client;
	return l;
}

struct lease *lease_find_client(
	struct lease_table *t, const struct lease_net *net, const struct lease_client *c)
{
	return lease_find_hashed(t, net, c, (uint32_t)hash_client(net, c));
}

struct lease *lease_find(
	struct lease_table *t, const struct served *s, const struct lease_client *c)
{
	for (struct lease_net *net = t->nets; net; net = net->next)
		if (strcmp(net->name, s->cfg->name) == 0)
			return lease_find_client(t, net, c);
	return NULL;
}

struct lease *lease_find_address(struct lease_table *t, struct ip4 a)
{
	struct lease *l = *lease_hash_chain(&t->by_address, lease_hash_address(a));

	while (l && !ip4_eq(l->address, a))
		l = l->next_by_address;
	return l;
}

void lease_forget(struct lease_table *t, struct lease *l)
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

int lease_new(struct lease_table *t, struct lease_net *net, const struct lease_client *c,
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

void lease_disown(struct lease_table *t, struct lease *l)
{
	lease_hash_remove(&t->by_client, l);
	l->client_id_len = 0;
	l->htype = l->hlen = 0;
	memset(l->chaddr, 0, sizeof(l->chaddr));
	free(l->hostname);
	l->hostname = NULL;
	l->hash = (uint32_t)lease_hash_address(l->address); /* spread: no client has this */
	lease_hash_add(&t->by_client, l);
}

void lease_set_hostname(struct lease *l, struct span hostname)
{
	struct span cut = { hostname.p,
		hostname.n < LEASE_HOSTNAME_MAX ? hostname.n : LEASE_HOSTNAME_MAX };
	char *copy;

	if (cut.n == 0 || (l->hostname && span_eq(span_str(l->hostname), cut)))
		return;
	copy = strndup((const char *)cut.p, cut.n);
	if (!copy)
		return; /* a name is no reason to refuse a lease */
	free(l->hostname);
	l->hostname = copy;
}

void lease_bind(struct lease_table *t, struct lease *l, struct span hostname, uint32_t seconds,
	int64_t now_s)
{
	(void)t;
	lease_set_hostname(l, hostname);
	l->unchecked = false;
	lease_set_state(l, LEASE_BOUND, now_s + seconds);
}

void lease_release(struct lease_table *t, struct lease *l, int64_t now_s)
{
	(void)t;
	lease_set_state(l, LEASE_FREE, now_s);
}

/* The address is set aside under nobody's name, so that its client can ask
 * for another one and never finds this again. */
void lease_decline(struct lease_table *t, struct lease *l, int64_t now_s)
{
	lease_disown(t, l);
	l->unchecked = true; /* when it comes back: may still be in use */
	lease_set_state(l, LEASE_DECLINED, now_s + LEASE_DECLINED_S);
}

void lease_distrust(struct lease_table *t, struct lease *l, int64_t now_s)
{
	lease_disown(t, l);
	l->unchecked = true;
	lease_set_state(l, LEASE_FREE, now_s);
}

size_t lease_set_aside(struct lease_table *t, const struct served *s, int64_t now_s)
{
	struct lease_net *net = lease_net_named(t, s->cfg->name);
	struct queue *q;

	if (!net)
		return 0;
	q = &net->queue[LEASE_DECLINED];
	while (q->head && q->head->expires_s <= now_s)
		lease_set_state(q->head, LEASE_FREE, q->head->expires_s);
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
void lease_take_over(
	struct lease_table *t, struct lease *l, const struct lease_client *c, int64_t now_s)
{
	struct lease *other = lease_find_client(t, l->net, c), *mine;
	const struct lease was = *l;
	struct lease_net *net = l->net;

	if (other == l)
		return;
	mine = calloc(1, sizeof(*mine) + c->client_id.n);
	if (!mine)
		return;
	if (other) {
		lease_disown(t, other);
		lease_set_state(other, LEASE_FREE, now_s);
	}
	l->hostname = NULL; /* moves */
	lease_forget(t, l);
	lease_add(t, mine, net, c, was.address, lease_hash_of(net, c, was.address));
	mine->hostname = was.hostname;
	mine->unchecked = was.unchecked;
	mine->stored_expires_s = was.stored_expires_s;
	lease_set_state(mine, (enum lease_state)was.state, was.expires_s);
}

void lease_stored(
	struct lease_table *t, struct ip4 address, enum lease_state state, int64_t expires_s)
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
		lease_set_state(l, LEASE_BOUND, l->stored_expires_s);
	else
		lease_set_state(l, LEASE_FREE, now_s);
}

/* A piece is one bucket of those that there were at the walk's begin: all that
 * it was split into since, and so nothing that another piece shows. */
bool lease_walk_step(
	struct lease_table *t, struct lease_walk *w, size_t n, lease_seen seen, void *ctx)
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
