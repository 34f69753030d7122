/* The store's records on their way into the table: a start with a million leases. */
#include "core/lease_impl.h"

#include <errno.h>

#define RESTORE_AT_ONCE 16u

/* A record on its way into the table. */
struct restoring {
	struct lease_client client;
	struct lease_net *net;
	uint32_t hash;
};

static int restore_one(
	struct lease_table *t, const struct lease_record *r, const struct restoring *new)
{
	const struct lease_client *c = &new->client;
	struct lease *l = lease_find_address(t, r->address);
	int e;

	if (l)
		lease_forget(t, l);
	/* A client has one lease in a network: the one written last. */
	l = lease_has_client(c) ? lease_find_hashed(t, new->net, c, new->hash) : NULL;
	if (l)
		lease_disown(t, l);
	e = lease_new(t, new->net, c, r->address, new->hash, &l);
	if (e < 0)
		return e == -ENOENT ? 0
				    : e; /* a full table: what is oldest is what it knows already */
	lease_set_hostname(l, r->hostname);
	l->unchecked = r->state == LEASE_DECLINED;
	lease_set_state(l, r->state == LEASE_OFFERED ? LEASE_FREE : r->state, r->expires_s);
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
		*c = (struct lease_client){
			.client_id = r->client_id, .htype = r->htype, .hlen = (uint8_t)r->chaddr.n
		};
		if (r->chaddr.n)
			memcpy(c->chaddr, r->chaddr.p, r->chaddr.n);
		new[i].net = lease_net_named(t, r->network);
		if (!new[i].net)
			return -ENOMEM;
		new[i].hash = lease_hash_of(new[i].net, c, r->address);
		chain[i] = lease_hash_chain(&t->by_client, new[i].hash);
		__builtin_prefetch(chain[i]);
		__builtin_prefetch(
			lease_hash_chain(&t->by_address, lease_hash_address(r->address)));
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
