/* Raw ICMPv6. */
#include "edge/ndp_socket.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOP_LIMIT 255

int ndp_socket_open(const char *ifname, unsigned ifindex, int *ret_fd)
{
	struct ipv6_mreq routers = { .ipv6mr_multiaddr.s6_addr = { 0xff, 2, [15] = 2 },
		.ipv6mr_interface = ifindex };
	const int hops = HOP_LIMIT, on = 1;
	struct icmp6_filter filter;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	int r;

	if (fd < 0)
		return -errno;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1) ==
			0 &&
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) == 0 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &routers, sizeof(routers)) == 0 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) == 0 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) == 0) {
		*ret_fd = fd;
		return 0;
	}
	r = -errno;
	close(fd);
	return r;
}

int ndp_socket_recv(int fd, void *buf, size_t size, struct span *ret, struct sockaddr_in6 *ret_from)
{
	struct sockaddr_in6 from = { 0 };
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { buf, size };
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, 0);
	int hops = 0;

	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
	if (hops != HOP_LIMIT || !IN6_IS_ADDR_LINKLOCAL(&from.sin6_addr))
		return -EBADMSG;
	*ret = (struct span){ buf, (size_t)n };
	*ret_from = from;
	return 0;
}

int ndp_socket_send(int fd, const struct sockaddr_in6 *to, struct span data)
{
	return sendto(fd, data.p, data.n, 0, (const struct sockaddr *)to, sizeof(*to)) < 0 ? -errno
											   : 0;
}
