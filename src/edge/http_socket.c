/* Listening sockets for HTTP that share a port; see http_server.h. */
#include "edge/http_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* a room full of machines; the kernel takes net.core.somaxconn of it */

static int set_on(int fd, int option)
{
	int one = 1;

	return setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)) < 0 ? -errno : 0;
}

/* The first is bound without SO_REUSEPORT, so that another program's socket, or
 * another bootsmith's, is found out; then it shares with the others. */
static int open_bound(struct ip4 addr, uint16_t port, bool is_first, int *ret_fd)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(addr.v),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = set_on(fd, SO_REUSEADDR);
	if (r == 0 && !is_first)
		r = set_on(fd, SO_REUSEPORT);
	if (r == 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		r = -errno;
	/* With SO_REUSEADDR a port may be bound that somebody listens on; listening
	 * then fails, and must do so before we share. */
	if (r == 0 && is_first && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0 && is_first)
		r = set_on(fd, SO_REUSEPORT);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int http_socket_listen(struct ip4 addr, uint16_t port, unsigned n, int *ret_fds)
{
	unsigned opened = 0;
	int r = 0;

	while (r == 0 && opened < n) {
		r = open_bound(addr, port, opened == 0, &ret_fds[opened]);
		opened += r == 0;
		if (r == 0 && opened > 1 && listen(ret_fds[opened - 1], BACKLOG) < 0)
			r = -errno;
	}
	if (r < 0)
		while (opened > 0)
			close(ret_fds[--opened]);
	return r;
}
