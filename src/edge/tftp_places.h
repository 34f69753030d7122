/* Where a transfer stands in its pool's tables: among those of its address, and by the
 * port and the peer that its packets come from.  Private to edge/tftp_*.c.
 *
 * Links and counts; ends nothing, sends nothing.
 */
#pragma once

#include "edge/tftp_transfer.h"

#define HASH_NONFATAL_OOM 1 /* a full memory costs one request, not the daemon */
#include <uthash.h>

/* An address with at least one transfer. */
struct tftp_client {
	uint32_t addr; /* the key */
	unsigned n_transfers;
	struct transfer *transfers; /* linked by sibling_*, oldest first */
	UT_hash_handle hh;
};

/* NULL: it has none. */
struct tftp_client *tftp_place_client(struct tftp_pool *pool, struct ip4 addr);
/* Among those of its address.  -ENOMEM. */
int tftp_place_join(struct transfer *t) WARN_UNUSED;
void tftp_place_leave(struct transfer *t);

/* By port and peer; NULL: there is none. */
struct transfer *tftp_place_find(
	struct tftp_pool *pool, const struct tftp_port *port, const struct tftp_peer *peer);
/* Its packets go by this port, of which it takes over one use; and no more. */
void tftp_place_at_port(struct transfer *t, struct tftp_port *port);
void tftp_place_off_port(struct transfer *t);
