/* Plain TCP as a stream, and the way to any kind's functions; see stream.h. */
#include "edge/stream.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t plain_recv(struct stream *s, void *p, size_t n)
{
	ssize_t got = recv(s->fd, p, n, 0);

	return got < 0 ? -errno : got;
}

static ssize_t plain_send(struct stream *s, struct span head, struct span body, bool more)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)head.p, head.n },
		{ (void *)(uintptr_t)body.p, body.n },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	/* MSG_MORE: a head and a small file leave in one segment. */
	ssize_t sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));

	return sent < 0 ? -errno : sent;
}

static ssize_t plain_send_file(struct stream *s, int fd, uint64_t offset, size_t n)
{
	off_t from = (off_t)offset;
	ssize_t sent = sendfile(s->fd, fd, &from, n);

	return sent < 0 ? -errno : sent;
}

static int plain_shutdown(struct stream *s)
{
	return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

static void plain_close(struct stream *s)
{
	close(s->fd);
}

static const struct stream_kind plain = {
	.recv = plain_recv,
	.send = plain_send,
	.send_file = plain_send_file,
	.shutdown = plain_shutdown,
	.close = plain_close,
};

void stream_init_plain(struct stream *s, int fd)
{
	*s = (struct stream){ .kind = &plain, .fd = fd };
}

ssize_t stream_recv(struct stream *s, void *p, size_t n)
{
	return s->kind->recv(s, p, n);
}

ssize_t stream_send(struct stream *s, struct span head, struct span body, bool more)
{
	return s->kind->send(s, head, body, more);
}

ssize_t stream_send_file(struct stream *s, int fd, uint64_t offset, size_t n)
{
	return s->kind->send_file(s, fd, offset, n);
}

int stream_shutdown(struct stream *s)
{
	return s->kind->shutdown(s);
}

void stream_close(struct stream *s)
{
	s->kind->close(s);
	s->fd = -1;
}

bool stream_waits_to_read(const struct stream *s, bool receiving)
{
	return s->wait == STREAM_WAIT_SAME ? receiving : s->wait == STREAM_WAIT_READABLE;
}
