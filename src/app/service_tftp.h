/* TFTP as a service: loaders and files of the TFTP root, served by a thread of its own. */
#pragma once

#include "app/site.h"

struct service_tftp;

int service_tftp_new(uv_loop_t *loop, struct site *site, struct service_tftp **ret) WARN_UNUSED;
/* Listens on exactly these addresses.  Returns how many could not be opened. */
unsigned service_tftp_update(struct service_tftp *s, const struct ip4 *addrs, size_t n);
unsigned service_tftp_open_count(const struct service_tftp *s);
/* Transfers that run have five seconds (G-10); then closed(ctx). */
void service_tftp_close(struct service_tftp *s, void (*closed)(void *ctx), void *ctx);
