/* The machine's interfaces and their addresses, and when they change (rtnetlink).
 *
 * Reads; changes nothing.  RFC 3549.
 */
#pragma once

#include "core/served.h"

/* All interfaces as they are now; *ret_list is freed with free().
 * -errno of the netlink socket, -ENOMEM. */
int netif_list(struct iface_view **ret_list, size_t *ret_n) WARN_UNUSED;
/* A non-blocking socket that becomes readable when a link or an IPv4 address
 * changes; -errno. */
int netif_monitor_open(int *ret_fd) WARN_UNUSED;
/* Empties the monitor: how many changes there were matters to nobody. */
void netif_monitor_drain(int fd);
