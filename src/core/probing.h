/* Which addresses are being asked for on the wire before their first offer, and
 * the packets that wait for the outcome.
 *
 * Bounded, and O(1) per packet: all questions wait equally long, so the oldest is
 * always the next to be over.  Sends nothing and waits for nothing; what an
 * outcome means is app/conflict.c's.
 * RFC 2131 2.2: "allocating servers SHOULD probe the reused address".
 */
#pragma once

#include "core/dhcp4_server.h"

#define PROBING_MAX     4096u
#define PROBING_WAIT_MS 200
/* A MAC that answers for so many addresses of a wire within a minute is a router
 * that does proxy ARP (RFC 1027), and answers for all of them. */
#define PROBING_PROXY_ADDRESSES 6u
#define PROBING_PROXY_MS        60000

/* A client's packet that waits, and for which address. */
struct held {
	struct ip4 address;
	unsigned ifindex;  /* of the address's wire; 0: behind a relay */
	struct mac client; /* zero: it has no MAC */
	unsigned tries;    /* addresses that it waited for before this one */
	struct dhcp4_rx rx;
	struct span packet; /* as it came */
	int64_t due_ms;     /* when it has waited long enough */
};

struct probing;

int probing_new(struct probing **ret) WARN_UNUSED;
void probing_free(struct probing *p);

/* Holds a copy of *h, which need not have due_ms, for PROBING_WAIT_MS.  Of an address
 * that is asked for already, the newer packet takes the place of the older and
 * waits for the same outcome: *ret_asked is true.  -ENOSPC: PROBING_MAX wait;
 * -ENOMEM. */
int probing_hold(
	struct probing *p, const struct held *h, int64_t now_ms, bool *ret_asked) WARN_UNUSED;
/* NULL: it is not being asked for. */
struct held *probing_find(struct probing *p, struct ip4 address);
/* The one that waits for the longest, or NULL. */
struct held *probing_first(struct probing *p);
/* Takes one out; free it with probing_held_free(). */
void probing_take(struct probing *p, struct held *h);
void probing_held_free(struct held *h);

/* `who` answered for another address on this wire.  True: so often that probing
 * makes no sense there; told once. */
bool probing_answered(struct probing *p, unsigned ifindex, struct mac who, int64_t now_ms);
bool probing_is_useless(const struct probing *p, unsigned ifindex);
/* Forgets what was learned of the wires. */
void probing_forget_wires(struct probing *p);
