/* ICMP echo. */
#include "edge/icmp_socket.h"

#include "wire/icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

int icmp_socket_open(int *ret_fd, uint64_t *ret_cookie)
{
	const struct icmp_filter replies = { ~(1u << ICMP_ECHOREPLY) };
	uint64_t cookie;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &replies, sizeof(replies)) < 0 ||
		getrandom(&cookie, sizeof(cookie), 0) != sizeof(cookie)) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_cookie = cookie;
	return 0;
}

int icmp_socket_send(int fd, struct ip4 to, uint64_t cookie)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(to.v) };
	uint8_t buf[ICMP_ECHO_OCTETS];
	struct wr w = wr_of(buf, sizeof(buf));

	icmp_put_echo(&w, cookie);
	return sendto(fd, w.p, w.n, 0, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

int icmp_socket_recv(int fd, uint64_t cookie, struct ip4 *ret_source)
{
	uint8_t buf[128]; /* the longest IP header and our echo, cut behind */
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n < 0)
		return -errno;
	return icmp_echo_reply((struct span){ buf, (size_t)n }, cookie, ret_source) ? 0 : -EBADMSG;
}
