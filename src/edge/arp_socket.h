/* A socket for ARP on one interface. */
#pragma once

#include "wire/arp.h"

/* Non-blocking; hears all ARP of the interface.  -EPERM, -ENODEV, … */
int arp_socket_open(unsigned ifindex, int *ret_fd) WARN_UNUSED;
/* To everybody on the interface. */
int arp_socket_send(int fd, unsigned ifindex, const struct arp *a) WARN_UNUSED;
/* One message and where it came in.  -EAGAIN: none; -EBADMSG: not for us. */
int arp_socket_recv(int fd, struct arp *ret, unsigned *ret_ifindex) WARN_UNUSED;
