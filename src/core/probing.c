/* Held packets in a hash by address that keeps the order of insertion. */
#include "core/probing.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
	struct held held; /* the first: a struct held is its entry */
	uint8_t *packet;  /* owned */
	UT_hash_handle hh;
};

struct wire {
	unsigned ifindex;
	struct mac who; /* answered last */
	unsigned n;     /* so often since */
	int64_t since_ms;
	bool useless;
	UT_hash_handle hh;
};

struct probing {
	struct entry *entries;
	struct wire *wires; /* those where somebody answered */
};

int probing_new(struct probing **ret)
{
	struct probing *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*ret = p;
	return 0;
}

void probing_held_free(struct held *h)
{
	struct entry *e = (struct entry *)h;

	if (!e)
		return;
	free(e->packet);
	free(e);
}

void probing_take(struct probing *p, struct held *h)
{
	struct entry *e = (struct entry *)h;

	HASH_DEL(p->entries, e);
}

void probing_free(struct probing *p)
{
	if (!p)
		return;
	for (struct held *h = probing_first(p); h; h = probing_first(p)) {
		probing_take(p, h);
		probing_held_free(h);
	}
	probing_forget_wires(p);
	free(p);
}

static struct entry *find(const struct probing *p, struct ip4 address)
{
	struct entry *e;

	HASH_FIND(hh, p->entries, &address, sizeof(address), e);
	return e;
}

struct held *probing_find(struct probing *p, struct ip4 address)
{
	struct entry *e = find(p, address);

	return e ? &e->held : NULL;
}

struct held *probing_first(struct probing *p)
{
	return p->entries ? &p->entries->held : NULL;
}

static int fill(struct entry *e, const struct held *h)
{
	uint8_t *copy = malloc(h->packet.n + 1);

	if (!copy)
		return -ENOMEM;
	if (h->packet.n)
		memcpy(copy, h->packet.p, h->packet.n);
	free(e->packet);
	e->packet = copy;
	e->held = *h;
	e->held.packet.p = copy;
	return 0;
}

static int add(struct probing *p, const struct held *h, int64_t due_ms)
{
	struct entry *e;

	if (HASH_COUNT(p->entries) >= PROBING_MAX)
		return -ENOSPC;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	if (fill(e, h) == 0) {
		e->held.due_ms = due_ms;
		HASH_ADD(hh, p->entries, held.address, sizeof(e->held.address), e);
	}
	if (!e->hh.tbl) {
		probing_held_free(&e->held);
		return -ENOMEM;
	}
	return 0;
}

int probing_hold(struct probing *p, const struct held *h, int64_t now_ms, bool *ret_asked)
{
	struct entry *e = find(p, h->address);
	int64_t due_ms = e ? e->held.due_ms : now_ms + PROBING_WAIT_MS;
	int r;

	if (e) {
		r = fill(e, h);
		e->held.due_ms = due_ms;
	} else {
		r = add(p, h, due_ms);
	}
	if (r == 0)
		*ret_asked = e;
	return r;
}

static struct wire *find_wire(const struct probing *p, unsigned ifindex)
{
	struct wire *w;

	HASH_FIND(hh, p->wires, &ifindex, sizeof(ifindex), w);
	return w;
}

/* NULL: out of memory. */
static struct wire *find_or_add_wire(struct probing *p, unsigned ifindex)
{
	struct wire *w = find_wire(p, ifindex);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->ifindex = ifindex;
	HASH_ADD(hh, p->wires, ifindex, sizeof(w->ifindex), w);
	if (!w->hh.tbl) {
		free(w);
		return NULL;
	}
	return w;
}

bool probing_answered(struct probing *p, unsigned ifindex, struct mac who, int64_t now_ms)
{
	struct wire *w = find_or_add_wire(p, ifindex);

	if (!w || w->useless)
		return false;
	if (!mac_eq(w->who, who) || now_ms - w->since_ms >= PROBING_PROXY_MS) {
		w->who = who;
		w->since_ms = now_ms;
		w->n = 0;
	}
	w->useless = ++w->n >= PROBING_PROXY_ADDRESSES;
	return w->useless;
}

bool probing_is_useless(const struct probing *p, unsigned ifindex)
{
	const struct wire *w = find_wire(p, ifindex);

	return w && w->useless;
}

void probing_forget_wires(struct probing *p)
{
	struct wire *w, *next;

	HASH_ITER(hh, p->wires, w, next) {
		HASH_DEL(p->wires, w);
		free(w);
	}
}
