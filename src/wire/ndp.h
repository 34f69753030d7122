/* The two messages of IPv6 neighbour discovery that say whether there is a router.
 *
 * Only router solicitations are read, and only one kind of advertisement is
 * written: that we are no router.  RFC 4861 4.1, 4.2, 4.6.1.
 */
#pragma once

#include "base/addr.h"
#include "base/bytes.h"

/* The MAC in a router solicitation's source link-layer address option; false
 * for anything else (s: ICMPv6 message, its checksum verified by the kernel). */
bool ndp_solicitation_source(struct span s, struct mac *ret);
/* An advertisement of router lifetime 0 without prefixes or flags: nothing to
 * configure here.  The kernel fills in the checksum. */
void ndp_put_no_router(struct wr *w);
