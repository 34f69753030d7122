/* echo4 ADDRESS: answers DHCPv4 with recvmmsg and sendmmsg, and does nothing else.
 *
 * The floor of the bench: what an exchange costs in the kernel.  It keeps no lease:
 * a client's address is made of its hardware address.
 */
#include "packet4.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define RECEIVE_BUFFER (4 << 20)

struct slot {
	uint8_t data[PACKET_MAX];
	struct sockaddr_in peer;
	struct iovec iov;
};

static uint32_t own;

static int open_socket(void)
{
	const int on = 1, size = RECEIVE_BUFFER;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(SERVER_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("echo4");
		exit(1);
	}
	return fd;
}

/* Makes the reply of the request where it stands.  Its length; 0: none. */
static size_t answer(uint8_t *p, size_t n)
{
	static const uint8_t hour[4] = { 0, 0, 14, 16 }, mask[4] = { 255, 224, 0, 0 };
	const uint8_t *type = n > AT_OPTIONS ? find_option(p, n, 53, 1) : NULL;
	uint8_t *at = p + AT_OPTIONS, reply, id[4];

	if (!type || p[AT_OP] != 1)
		return 0;
	reply = *type == DISCOVER ? OFFER : ACK;
	p[AT_OP] = 2;
	put_u32(p + AT_YIADDR,
		(own & 0xffe00000u) | 0x10000u | (get_u32(p + AT_CHADDR + 2) & 0xffffu));
	put_u32(id, own);
	at = put_option(at, 53, &reply, 1);
	at = put_option(at, 54, id, 4);
	at = put_option(at, 51, hour, 4);
	at = put_option(at, 1, mask, 4);
	at = put_option(at, 3, id, 4);
	*at++ = 255;
	memset(at, 0, (size_t)(p + PACKET_SIZE - at));
	return PACKET_SIZE;
}

static unsigned answer_batch(
	struct slot *slots, struct mmsghdr *in, unsigned n, struct mmsghdr *out)
{
	unsigned answers = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t size = answer(slots[i].data, in[i].msg_len);

		if (!size)
			continue;
		slots[i].iov.iov_len = size;
		put_u32((uint8_t *)&slots[i].peer.sin_addr, get_u32(slots[i].data + AT_GIADDR));
		out[answers++].msg_hdr = in[i].msg_hdr;
	}
	return answers;
}

static void send_all(int fd, struct mmsghdr *out, unsigned n)
{
	for (unsigned sent = 0; sent < n;) {
		int r = sendmmsg(fd, out + sent, n - sent, 0);

		if (r < 0)
			return;
		sent += (unsigned)r;
	}
}

int main(int argc, char **argv)
{
	static struct slot slots[BATCH];
	struct mmsghdr in[BATCH] = { 0 }, out[BATCH] = { 0 };
	struct in_addr a;
	int fd;

	if (argc != 2 || inet_pton(AF_INET, argv[1], &a) != 1) {
		(void)fprintf(stderr, "usage: echo4 ADDRESS\n");
		return 2;
	}
	own = ntohl(a.s_addr);
	fd = open_socket();
	for (;;) {
		int n;

		for (unsigned i = 0; i < BATCH; i++) {
			slots[i].iov = (struct iovec){ slots[i].data, sizeof(slots[i].data) };
			in[i].msg_hdr = (struct msghdr){ .msg_name = &slots[i].peer,
				.msg_namelen = sizeof(slots[i].peer),
				.msg_iov = &slots[i].iov,
				.msg_iovlen = 1 };
		}
		n = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
		if (n > 0)
			send_all(fd, out, answer_batch(slots, in, (unsigned)n, out));
		else if (errno != EINTR)
			return 1;
	}
}
