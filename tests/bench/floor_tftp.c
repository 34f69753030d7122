/* floor_tftp ADDRESS FILE: sends FILE to whoever asks, a window in one message.
 *
 * The floor of the bench: what a transfer costs in the kernel, and how fast the load
 * can go.  No manners: it sends on ACKs only, knows no timeout, checks nothing and
 * forgets a client at its last ACK.
 */
#include "load.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TRANSFERS_MAX = 20000, /* by descriptor */
	WINDOW_MAX = 64,
	MESSAGE_MAX = 65000,
	EVENTS = 256,
	HEADER = 4,
};

struct transfer {
	size_t blksize, windowsize;
};

static struct transfer transfers[TRANSFERS_MAX];
static struct file file;

static void send_blocks(int fd, size_t blksize, size_t first, size_t n)
{
	static uint8_t headers[WINDOW_MAX][HEADER];
	struct iovec iov[2 * WINDOW_MAX];
	union {
		char space[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr m = { .msg_iov = iov,
		.msg_iovlen = 2 * n,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	const uint16_t segment = (uint16_t)(blksize + HEADER);

	*c = (struct cmsghdr){ .cmsg_level = SOL_UDP,
		.cmsg_type = UDP_SEGMENT,
		.cmsg_len = CMSG_LEN(sizeof(segment)) };
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	for (size_t i = 0; i < n; i++) {
		size_t at = (first + i - 1) * blksize, left = file.n - at;

		headers[i][1] = 3;
		headers[i][2] = (uint8_t)((first + i) >> 8);
		headers[i][3] = (uint8_t)(first + i);
		iov[2 * i] = (struct iovec){ headers[i], HEADER };
		/* sendmsg only reads. */
		iov[2 * i + 1] = (struct iovec){ (void *)(uintptr_t)(file.p + at),
			left < blksize ? left : blksize };
	}
	(void)sendmsg(fd, &m, 0);
}

static void on_ack(int fd)
{
	const struct transfer *t = &transfers[fd];
	uint8_t p[512];
	size_t blocks = file.n / t->blksize + 1, per_message = MESSAGE_MAX / (t->blksize + HEADER),
	       next;

	if (recv(fd, p, sizeof(p), 0) < HEADER || p[1] != 4)
		return;
	next = (size_t)(p[2] << 8 | p[3]) + 1;
	if (next > blocks) {
		(void)close(fd);
		return;
	}
	for (size_t left = t->windowsize; left && next <= blocks;) {
		size_t n = left < per_message ? left : per_message;

		if (n > blocks - next + 1)
			n = blocks - next + 1;
		send_blocks(fd, t->blksize, next, n);
		next += n;
		left -= n;
	}
}

static size_t option(const char *p, size_t n, const char *name, size_t otherwise)
{
	const char *at = memmem(p, n, name, strlen(name) + 1);

	return at ? strtoul(at + strlen(name) + 1, NULL, 10) : otherwise;
}

static void on_request(int listener, int epoll, struct in_addr own)
{
	char p[600] = { 0 }, oack[80];
	struct sockaddr_in peer;
	socklen_t peer_n = sizeof(peer);
	ssize_t n = recvfrom(listener, p, sizeof(p) - 1, 0, (struct sockaddr *)&peer, &peer_n);
	struct epoll_event e = { .events = EPOLLIN };
	int fd, oack_n;

	if (n < 4 || p[1] != 1)
		return;
	fd = socket_of(SOCK_DGRAM, own);
	e.data.fd = fd;
	if (fd >= TRANSFERS_MAX || connect(fd, (const struct sockaddr *)&peer, peer_n) < 0 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("transfer");
	transfers[fd] = (struct transfer){ option(p, (size_t)n, "blksize", 512),
		option(p, (size_t)n, "windowsize", 1) };
	if (transfers[fd].windowsize > WINDOW_MAX)
		transfers[fd].windowsize = WINDOW_MAX;
	oack_n = snprintf(oack, sizeof(oack), "%c%cblksize%c%zu%cwindowsize%c%zu%c", 0, 6, 0,
		transfers[fd].blksize, 0, 0, transfers[fd].windowsize, 0);
	/* The load does not take an option that it did not ask for. */
	if (!option(p, (size_t)n, "windowsize", 0))
		oack_n = snprintf(oack, sizeof(oack), "%c%cblksize%c%zu%c", 0, 6, 0,
			transfers[fd].blksize, 0);
	(void)send(fd, oack, (size_t)oack_n, 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(69) };
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	const int size = 1 << 20;
	int listener, epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 3) {
		(void)fprintf(stderr, "usage: floor_tftp ADDRESS FILE\n");
		return 2;
	}
	raise_descriptor_limit();
	sa.sin_addr = parse_address(argv[1]);
	file = file_map(argv[2]);
	listener = socket_of(SOCK_DGRAM, (struct in_addr){ 0 });
	e.data.fd = listener;
	if (bind(listener, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0)
		die("listener");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				on_request(listener, epoll, sa.sin_addr);
			else
				on_ack(events[i].data.fd);
		}
	}
}
