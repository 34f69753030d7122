/* Is an address in use already?  Asked on the wire before its first offer: by ARP
 * where we are attached, by ICMP echo behind a relay.
 *
 * Whose offer has to wait is core/dhcp4_server.c's decision (plan.probe).  The
 * client's packet is held for PROBING_WAIT_MS and then fed again; nobody else
 * waits for it.  An address that somebody uses is declined for its client.
 * RFC 2131 2.2, 4.3.1; RFC 5227 2.1.1.
 */
#pragma once

#include "app/site.h"
#include "core/probing.h"

struct conflict;

/* h is gone after it returns; it is fed to conflict_hold() with h->tries. */
typedef void (*conflict_feed)(void *ctx, const struct held *h);

/* feed(ctx) is called on the loop, never from within conflict_hold().  -EPERM
 * without the capability for raw sockets, -ENOMEM. */
int conflict_new(uv_loop_t *loop, struct site *site, conflict_feed feed, void *ctx,
	struct conflict **ret) WARN_UNUSED;
/* Follows the interfaces of site->nets, and forgets after a reload what was
 * learned of them. */
void conflict_update(struct conflict *c);
/* A packet whose plan wants a probe.  True: it is held, or not answered at all;
 * false: it cannot be asked for, so the reply may leave now.  tries: 0, or of the
 * held packet that is fed again. */
bool conflict_hold(struct conflict *c, const struct dhcp4_plan *plan, const struct dhcp4_rx *rx,
	struct span packet, unsigned tries);
/* feed() is not called any more; frees itself when the loop has let go of it. */
void conflict_close(struct conflict *c);
