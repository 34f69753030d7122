/* Saves iPXE fifteen seconds on networks without an IPv6 router.
 *
 * iPXE configures IPv4 and IPv6 together and goes on when both are settled; where
 * nobody answers its router solicitations (RFC 4861) it keeps asking for about
 * 16 s after DHCP has long answered (seen with Debian's iPXE 1.0.0+git-20190125).
 * A machine that we have just given an iPXE script is told that there is no
 * router: lifetime 0, no prefix, to it alone.  A router that is there answers
 * within half a second (RFC 4861 6.2.6), so it is let speak first; nobody else
 * is ever answered.
 */
#pragma once

#include "app/site.h"

struct service_ndp;

int service_ndp_new(uv_loop_t *loop, struct site *site, struct service_ndp **ret) WARN_UNUSED;
/* Follows the interfaces of site->nets; those without IPv6 are left alone. */
void service_ndp_update(struct service_ndp *s);
void service_ndp_close(struct service_ndp *s);
