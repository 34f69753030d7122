/* UDP sockets as TFTP wants them.  Knows no transfers; never blocks. */
#include "edge/tftp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define ERROR_MAX      128
#define RECEIVE_BUFFER (1 << 20) /* a room full of machines asks at once */
#define SEND_BUFFER    (2 << 20)

static struct sockaddr_in to_sockaddr(struct ip4 addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(addr.v),
		.sin_port = htons(port),
	};
}

int tftp_socket_open(struct ip4 addr, uint16_t port, int *ret_fd)
{
	struct sockaddr_in sa = to_sockaddr(addr, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Fragments are better than silence where a path is narrower than ours. */
	int dont = IP_PMTUDISC_DONT, err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof(dont)) < 0 ||
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* More than net.core.*mem_max where we may. */
static void set_buffer(int fd, int forced, int plain, int room)
{
	if (setsockopt(fd, SOL_SOCKET, forced, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &room, sizeof(room));
}

int tftp_socket_open_serving(struct ip4 addr, uint16_t port, int *ret_fd)
{
	int on = 1, fd, err = tftp_socket_open(addr, port, &fd);

	if (err < 0)
		return err;
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* Names the address that was asked as the sender: the socket may be bound to none. */
static void send_packet(int fd, const struct tftp_peer *peer, struct span packet)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(peer->local.v) };
	struct sockaddr_in sa = to_sockaddr(peer->remote, peer->remote_port);
	struct iovec part = { (void *)(uintptr_t)packet.p, packet.n };
	struct msghdr msg = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	(void)sendmsg(fd, &msg, MSG_DONTWAIT); /* lost, as any packet may be */
}

void tftp_socket_send_error(
	int fd, const struct tftp_peer *peer, uint16_t code, struct span sentence)
{
	uint8_t buf[ERROR_MAX];
	struct wr w = wr_of(buf, sizeof(buf));

	tftp_put_error(&w, code, sentence);
	send_packet(fd, peer, wr_done(&w));
}

unsigned tftp_socket_path_mtu(const struct tftp_peer *peer)
{
	struct sockaddr_in sa = to_sockaddr(peer->remote, peer->remote_port);
	socklen_t len = sizeof(int);
	int fd = -1, mtu = 0;

	if (tftp_socket_open(peer->local, 0, &fd) < 0)
		return TFTP_MTU_UNKNOWN;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) < 0)
		mtu = TFTP_MTU_UNKNOWN;
	close(fd);
	return (unsigned)mtu;
}

bool tftp_socket_is_service_port(uint16_t port)
{
	return port == 0 || port == 7 || port == 19 || port == 69;
}
