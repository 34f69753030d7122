/* The lease table from inside, for the files that are it; nobody else includes this. */
#pragma once

#include "core/lease.h"
#include "core/lease_hash.h"

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

/* A lease without a client is an address that was set aside. */
static inline bool lease_has_client(const struct lease_client *c)
{
	return c->client_id.n || c->hlen;
}

uint64_t lease_hash_address(struct ip4 a);
/* Of the client, or of an address that is nobody's. */
uint32_t lease_hash_of(
	const struct lease_net *net, const struct lease_client *c, struct ip4 address);
/* The network's entry, made when there is none; NULL: out of memory. */
struct lease_net *lease_net_named(struct lease_table *t, const char *name);
struct lease *lease_find_client(
	struct lease_table *t, const struct lease_net *net, const struct lease_client *c);
struct lease *lease_find_hashed(struct lease_table *t, const struct lease_net *net,
	const struct lease_client *c, uint32_t hash);

/* A free lease of that address, which nobody has.  -ENOENT: the table is full.  -ENOMEM. */
int lease_new(struct lease_table *t, struct lease_net *net, const struct lease_client *c,
	struct ip4 address, uint32_t hash, struct lease **ret) WARN_UNUSED;
/* To the end of the queue of that state. */
void lease_set_state(struct lease *l, enum lease_state state, int64_t expires_s);
/* A name that there is no memory for is left out. */
void lease_set_hostname(struct lease *l, struct span hostname);
/* Makes a lease nobody's: its client never finds it again, its address goes on
 * through the queues. */
void lease_disown(struct lease_table *t, struct lease *l);
/* Out of the table, and freed. */
void lease_forget(struct lease_table *t, struct lease *l);
