/* TFTP as a service: names become loaders or files of the TFTP root. */
#pragma once

#include "app/site.h"

struct service_tftp;

int service_tftp_new(uv_loop_t *loop, struct site *site, struct service_tftp **ret) WARN_UNUSED;
/* Listens on exactly these addresses.  Returns how many could not be opened. */
unsigned service_tftp_update(struct service_tftp *s, const struct ip4 *addrs, size_t n);
unsigned service_tftp_open_count(const struct service_tftp *s);
void service_tftp_close(struct service_tftp *s);
