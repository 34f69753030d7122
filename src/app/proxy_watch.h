/* What the other DHCP server of a proxy network sends, overheard.
 *
 * Firmware that is offered an address together with option 60 "PXEClient" asks
 * no proxy (edk2 PxeBcDhcp4.c), so such a server makes our answers void; the log
 * says so once per server, and what to change there.  Sends nothing.
 */
#pragma once

#include "app/site.h"

#include <uv.h>

struct proxy_watch;

int proxy_watch_new(uv_loop_t *loop, struct site *site, struct proxy_watch **ret) WARN_UNUSED;
/* Brings its sockets in step with site->nets. */
void proxy_watch_update(struct proxy_watch *w);
void proxy_watch_close(struct proxy_watch *w);
