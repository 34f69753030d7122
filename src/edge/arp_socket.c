/* ARP by a packet socket that leaves the Ethernet header to the kernel. */
#include "edge/arp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

int arp_socket_open(unsigned ifindex, int *ret_fd)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)ifindex };
	/* Protocol 0 until it is bound: it would hear other interfaces. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int arp_socket_send(int fd, unsigned ifindex, const struct arp *a)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)ifindex,
		.sll_halen = ETH_ALEN };
	uint8_t buf[ARP_OCTETS];
	struct wr w = wr_of(buf, sizeof(buf));

	memset(sa.sll_addr, 0xff, ETH_ALEN);
	arp_encode(a, &w);
	return sendto(fd, w.p, w.n, 0, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

int arp_socket_recv(int fd, struct arp *ret, unsigned *ret_ifindex)
{
	struct sockaddr_ll from = { 0 };
	socklen_t size = sizeof(from);
	uint8_t buf[64];
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &size);

	if (n < 0)
		return -errno;
	if (arp_decode((struct span){ buf, (size_t)n }, ret) != DROP_NONE)
		return -EBADMSG;
	*ret_ifindex = (unsigned)from.sll_ifindex;
	return 0;
}
