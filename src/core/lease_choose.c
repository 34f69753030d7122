/* Which address a client gets.  Everything else of a lease is the table's. */
#include "core/lease_impl.h"

#include <errno.h>
#include <limits.h>

#define FRESH_STEPS 4096u /* addresses that a search for a fresh one passes at most */

/* May the address of this lease be given to another client now? */
static bool is_reusable(const struct lease *l, int64_t now_s)
{
	return l->state == LEASE_FREE || l->expires_s <= now_s;
}

/* A free address that was never used: the cursor walks the pools once. */
static bool take_fresh(struct lease_table *t, struct lease_net *net, const struct served *s,
	unsigned max_steps, struct ip4 *ret)
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
static struct lease *reusable_head(struct lease_table *t, struct lease_net *net,
	const struct served *s, enum lease_state state, int64_t now_s)
{
	struct lease *l = net->queue[state].head;

	while (l && is_reusable(l, now_s) && !served_may_lease(s, l->address)) {
		lease_forget(t, l);
		l = net->queue[state].head;
	}
	return l && is_reusable(l, now_s) ? l : NULL;
}

static struct lease *oldest_reusable(
	struct lease_table *t, struct lease_net *net, const struct served *s, int64_t now_s)
{
	static const enum lease_state order[] = { LEASE_FREE, LEASE_OFFERED, LEASE_BOUND,
		LEASE_DECLINED };
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

static bool may_have_wanted(
	struct lease_table *t, const struct served *s, struct ip4 wanted, bool claim, int64_t now_s)
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
			return t->n < LEASE_TABLE_MAX && take_fresh(t, net, s, UINT_MAX, ret)
				? 0
				: -ENOENT;
		*ret = old->address;
	}
	if (old) {
		*ret_unchecked = old->unchecked || now_s - old->expires_s >= s->cfg->lease_time_s;
		lease_forget(t, old);
	}
	return 0;
}

/* The address reserved for this client, freed of whoever had it; 0 when there is
 * none, or another client uses it still: then a pool serves meanwhile. */
static struct ip4 take_reserved(struct lease_table *t, const struct lease_net *net,
	const struct served *s, const struct lease_client *c, const struct machine *reserved_for,
	int64_t now_s)
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
		!(c->hlen && holder->hlen == c->hlen &&
			memcmp(holder->chaddr, c->chaddr, c->hlen) == 0))
		return none;
	lease_forget(t, holder);
	return reserved_for->address;
}

static bool may_keep(const struct served *s, const struct lease *l, struct ip4 reserved)
{
	return reserved.v ? ip4_eq(l->address, reserved) : served_may_lease(s, l->address);
}

static int choose(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, bool claim, int64_t now_s,
	struct lease **ret_lease)
{
	struct lease_net *net = lease_net_named(t, s->cfg->name);
	struct ip4 reserved, address;
	bool unchecked = false;
	struct lease *l;
	int r;

	if (!net)
		return -ENOMEM;
	reserved = take_reserved(t, net, s, c, reserved_for, now_s);
	l = lease_find_client(t, net, c);
	if (l && may_keep(s, l, reserved)) {
		if (!lease_is_live(l, now_s))
			lease_set_state(l, LEASE_OFFERED, now_s + LEASE_OFFER_S);
		*ret_lease = l;
		return 0;
	}
	if (l) {
		/* It moves to another address.  What was acknowledged to it is nobody
		 * else's until that expires, unless a NAK now tells it to let go. */
		lease_disown(t, l);
		if (claim || !lease_is_live(l, now_s))
			lease_set_state(l, LEASE_FREE, now_s);
	}
	address = reserved;
	if (reserved.v == 0) {
		r = choose_address(t, net, s, wanted, claim, now_s, &address, &unchecked);
		if (r < 0)
			return r;
	}
	r = lease_new(t, net, c, address, lease_hash_of(net, c, address), &l);
	if (r < 0)
		return r;
	l->unchecked = unchecked;
	lease_set_state(l, LEASE_OFFERED, now_s + LEASE_OFFER_S);
	*ret_lease = l;
	return 0;
}

int lease_choose(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, int64_t now_s,
	struct lease **ret_lease)
{
	return choose(t, s, c, reserved_for, wanted, false, now_s, ret_lease);
}

int lease_claim(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, int64_t now_s,
	struct lease **ret_lease)
{
	return choose(t, s, c, reserved_for, wanted, true, now_s, ret_lease);
}
