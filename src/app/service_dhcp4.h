/* DHCPv4 as a service: packets in, plans, commits, replies out, a line each. */
#pragma once

#include "app/site.h"

struct service_dhcp4;

/* -errno of the raw socket (-EPERM without the capability), -ENOMEM. */
int service_dhcp4_new(uv_loop_t *loop, struct site *site, struct service_dhcp4 **ret) WARN_UNUSED;
/* Opens and closes sockets so that they fit site->nets.  Returns how many could
 * not be opened; each has its line in the log once. */
unsigned service_dhcp4_update(struct service_dhcp4 *s);
/* How many sockets are open. */
unsigned service_dhcp4_open_count(const struct service_dhcp4 *s);
/* The store has called done() of a batch's records: their replies leave now. */
void service_dhcp4_batch_done(struct service_dhcp4 *s);
/* Closes everything; frees itself when the loop has let go of it. */
void service_dhcp4_close(struct service_dhcp4 *s);
