/* The lease table: who has which address, in memory.
 *
 * Every operation takes constant time whatever the pool's size or fill: leases
 * hang in two hashes (by address, by client) and in one queue per state and
 * network, ordered by expiry, because all leases of one state in one network
 * live equally long (after a reload with another lease time: almost, and an
 * address is reused too late, never too early).  An offer binds nobody: where
 * nothing is free, the oldest one goes to whoever asks, and who requests an
 * address first has it, so that a flood of DISCOVERs from made-up clients locks
 * nobody out.  The table knows nothing of packets; durability is the
 * store's business (edge/store.h), fed with struct lease_record.
 * Time is in seconds of a clock that never jumps (edge/clock.h); it comes in
 * as an argument.
 */
#pragma once

#include "core/served.h"

/* A client's identity in one network: option 61 where it sent one, else its
 * hardware address (RFC 2131 2, 4.2). */
struct lease_client {
	struct span client_id; /* empty: none */
	uint8_t htype, hlen;
	uint8_t chaddr[16];
};

enum lease_state {
	LEASE_FREE, /* was somebody's, may be given to another; remembers whose it was */
	LEASE_OFFERED,
	LEASE_BOUND,
	LEASE_DECLINED, /* somebody else uses it: set aside (RFC 2131 4.3.3) */
	LEASE_STATE_COUNT,
};

struct lease_net;

/* Kept small: a site may hold a million. */
struct lease {
	struct ip4 address;
	uint8_t state; /* enum lease_state */
	uint8_t htype, hlen;
	uint8_t client_id_len; /* 0: none */
	uint8_t chaddr[16];
	bool unchecked; /* nobody has looked yet whether somebody else uses it */
	uint32_t hash;  /* of the client */
	int64_t expires_s;
	int64_t stored_expires_s; /* until when the store has it bound; 0: it has not */
	struct lease_net *net;
	char *hostname; /* owned, as the client sent it, cut; any octets but NUL; NULL: none */
	/* the table's own: */
	struct lease *next_by_address, *next_by_client;
	struct lease *prev, *next; /* queue of its state */
	uint8_t client_id[];
};

/* What the store keeps of a change. */
struct lease_record {
	struct ip4 address;
	enum lease_state state;
	int64_t expires_s;
	const char *network;
	struct span client_id, chaddr, hostname;
	uint8_t htype;
};

struct lease_table;

#define LEASE_OFFER_S      30 /* an offer that nobody took is free again */
#define LEASE_DECLINED_S   600
#define LEASE_HOSTNAME_MAX 63
/* Leases held in memory over all networks. */
#define LEASE_TABLE_MAX 1500000u

int lease_table_new(struct lease_table **ret_table) WARN_UNUSED;
void lease_table_free(struct lease_table *t);

/* The client's lease in this network, in whatever state, or NULL. */
struct lease *lease_find(
	struct lease_table *t, const struct served *s, const struct lease_client *c);
struct lease *lease_find_address(struct lease_table *t, struct ip4 a);

/* Chooses an address for a client and marks it OFFERED to it (a BOUND lease
 * of its own stays bound).  In order: the address reserved for it, unless
 * another client has it still; the one it has or had; `wanted` when that is
 * free; one never used; the one free for the longest; an expired one; the oldest
 * offer that nobody took.  reserved_for: the machine that the client is, or NULL.
 * -ENOENT: no address is free.  -ENOMEM. */
int lease_choose(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, int64_t now_s,
	struct lease **ret_lease) WARN_UNUSED;
/* The same for a client that requests `wanted`: another's offer of it is no hindrance. */
int lease_claim(struct lease_table *t, const struct served *s, const struct lease_client *c,
	const struct machine *reserved_for, struct ip4 wanted, int64_t now_s,
	struct lease **ret_lease) WARN_UNUSED;
/* Binds a lease for seconds from now: the same number for all of a network. */
void lease_bind(struct lease_table *t, struct lease *l, struct span hostname, uint32_t seconds,
	int64_t now_s);
/* Given back, or an offer not taken: free, but remembered for its client. */
void lease_release(struct lease_table *t, struct lease *l, int64_t now_s);
/* Used by somebody else: nobody gets it for LEASE_DECLINED_S. */
void lease_decline(struct lease_table *t, struct lease *l, int64_t now_s);
/* Somebody who is not believed says that it is in use: nobody's and free, but looked at
 * before it is offered again. */
void lease_distrust(struct lease_table *t, struct lease *l, int64_t now_s);
/* How many addresses of this network are set aside now. */
size_t lease_set_aside(struct lease_table *t, const struct served *s, int64_t now_s);

/* The same machine under another client identifier (its next stage of booting)
 * becomes the lease's client; what else that one had in this network is free.
 * Out of memory: nothing changes. */
void lease_take_over(
	struct lease_table *t, struct lease *l, const struct lease_client *c, int64_t now_s);
/* About so many leases will come now: spares an empty table growing step by step. */
void lease_table_expect(struct lease_table *t, size_t n);
/* Records of the store, oldest first, into the table.  -ENOMEM; -EINVAL for
 * lengths that no lease has. */
int lease_restore(struct lease_table *t, const struct lease_record *list, size_t n) WARN_UNUSED;
/* The store has taken this record of an address, or could not: then the lease
 * goes back to what the store knows of it. */
void lease_stored(
	struct lease_table *t, struct ip4 address, enum lease_state state, int64_t expires_s);
void lease_not_stored(struct lease_table *t, struct ip4 address, int64_t now_s);

bool lease_is_of(const struct lease *l, const struct lease_client *c);
/* Bound and not expired. */
bool lease_is_live(const struct lease *l, int64_t now_s);
/* The MAC when the hardware address is one. */
bool lease_mac(const struct lease *l, struct mac *ret);
void lease_to_record(const struct lease *l, struct lease_record *ret);
size_t lease_count(const struct lease_table *t, enum lease_state state);

/* A walk over the whole table in pieces; a zeroed one stands at the beginning.
 * Leases may come, change and go between two pieces: no address is seen twice,
 * and one that has a lease from the walk's begin to its end is seen, as it is at
 * that moment.  The order is none. */
struct lease_walk {
	size_t bucket, n, level;
};

typedef void (*lease_seen)(void *ctx, struct lease *l);

/* Shows the next leases to seen(), about n of them; it may release them, but add
 * and choose none.  False: that was the last piece. */
bool lease_walk_step(struct lease_table *t, struct lease_walk *w, size_t n, lease_seen seen,
	void *ctx) WARN_UNUSED;
