/* Sockets for DHCPv4. */
#include "edge/dhcp4_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX 9216u

/* A burst of a thousand machines switched on at once must find room; the
 * default of 208 KiB loses packets, and each costs its client four seconds. */
#define RECEIVE_BUFFER (4 << 20)

static int close_with_errno(int fd)
{
	int r = -errno;

	close(fd);
	return r;
}

int dhcp4_socket_open(
	const char *ifname, uint16_t port, enum dhcp4_hears hears, bool beside, int *ret_fd)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(
			hears == DHCP4_HEARS_ALL ? INADDR_ANY : INADDR_BROADCAST) };
	const int on = 1, size = RECEIVE_BUFFER;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return close_with_errno(fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	/* Without the capability the default size has to do. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (ifname &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1) <
			0)
		return close_with_errno(fd);
	if (beside && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return close_with_errno(fd);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return close_with_errno(fd);
	/* Only now: a bind with it would not notice a server that allows it too. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return close_with_errno(fd);
	*ret_fd = fd;
	return 0;
}

int dhcp4_socket_open_raw(int *ret_fd)
{
	/* Protocol 0: receives nothing. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int dhcp4_socket_open_listener(unsigned ifindex, uint16_t port, int *ret_fd)
{
	/* UDP over IPv4, not a fragment, to this port (offsets of an Ethernet frame). */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 8),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)ifindex };
	const int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return close_with_errno(fd);
	*ret_fd = fd;
	return 0;
}

int dhcp4_socket_send_frame(int raw_fd, unsigned ifindex, const struct frame4 *f)
{
	uint8_t buf[2048];
	struct wr w = wr_of(buf, sizeof(buf));
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)ifindex,
		.sll_halen = sizeof(f->dst_mac.b) };

	memcpy(sa.sll_addr, f->dst_mac.b, sizeof(f->dst_mac.b));
	frame4_encode(f, &w);
	if (w.full)
		return -EMSGSIZE;
	return sendto(raw_fd, w.p, w.n, 0, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

int dhcp4_socket_recv_frame(int fd, void *buf, size_t size, struct frame4 *ret)
{
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { buf, size };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, 0);
	bool checksums = true;

	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			struct tpacket_auxdata aux;

			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
			checksums = !(aux.tp_status & TP_STATUS_CSUMNOTREADY);
		}
	}
	return frame4_decode((struct span){ buf, (size_t)n }, checksums, ret) == DROP_NONE
		? 0
		: -EBADMSG;
}
