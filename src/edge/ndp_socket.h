/* A raw ICMPv6 socket for router solicitations on one interface. */
#pragma once

#include "base/bytes.h"

#include <netinet/in.h>

/* Non-blocking; hears what is sent to all routers.  -errno: -EAFNOSUPPORT or
 * -EADDRNOTAVAIL where the machine or the interface has no IPv6. */
int ndp_socket_open(const char *ifname, unsigned ifindex, int *ret_fd) WARN_UNUSED;
/* One message and who sent it; only neighbours can (hop limit 255, RFC 4861
 * 6.1.1), others are -EBADMSG.  -EAGAIN: none. */
int ndp_socket_recv(int fd, void *buf, size_t size, struct span *ret,
	struct sockaddr_in6 *ret_from) WARN_UNUSED;
int ndp_socket_send(int fd, const struct sockaddr_in6 *to, struct span data) WARN_UNUSED;
