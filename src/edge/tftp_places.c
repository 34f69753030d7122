/* Places of transfers; see tftp_places.h. */
#include "edge/tftp_places.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

struct tftp_client *tftp_place_client(struct tftp_pool *pool, struct ip4 addr)
{
	struct tftp_client *c;

	HASH_FIND(hh, pool->clients, &addr.v, sizeof(addr.v), c);
	return c;
}

int tftp_place_join(struct transfer *t)
{
	struct tftp_pool *pool = t->pool;
	struct tftp_client *c = tftp_place_client(pool, t->peer.remote);

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

void tftp_place_leave(struct transfer *t)
{
	struct tftp_client *c = t->client;

	DL_DELETE2(c->transfers, t, sibling_prev, sibling_next);
	if (--c->n_transfers > 0)
		return;
	HASH_DEL(t->pool->clients, c);
	free(c);
}

/* Strangers choose addresses and ports, but not the seed. */
static struct transfer **bucket_of(
	struct tftp_pool *pool, const struct tftp_port *port, const struct tftp_peer *peer)
{
	uint64_t h = pool->hash_seed ^ ((uint64_t)peer->remote.v << 16 | peer->remote_port);

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u + (uint64_t)(uintptr_t)port;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return &pool->buckets[(h ^ h >> 31) % TFTP_TRANSFER_BUCKETS];
}

struct transfer *tftp_place_find(
	struct tftp_pool *pool, const struct tftp_port *port, const struct tftp_peer *peer)
{
	struct transfer *t = *bucket_of(pool, port, peer);

	while (t &&
		(t->port != port || t->peer.remote_port != peer->remote_port ||
			!ip4_eq(t->peer.remote, peer->remote)))
		t = t->bucket_next;
	return t;
}

void tftp_place_at_port(struct transfer *t, struct tftp_port *port)
{
	struct transfer **bucket = bucket_of(t->pool, port, &t->peer);

	t->port = port;
	t->bucket_next = *bucket;
	*bucket = t;
}

void tftp_place_off_port(struct transfer *t)
{
	struct transfer **at;

	if (!t->port)
		return;
	transfer_unqueue(t);
	if (!t->port->sendable)
		tftp_send_nothing(t->port);
	at = bucket_of(t->pool, t->port, &t->peer);
	while (*at != t)
		at = &(*at)->bucket_next;
	*at = t->bucket_next;
	tftp_port_leave(t->port);
	t->port = NULL;
}
