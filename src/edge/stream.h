/* What a connection's octets travel on: a plain TCP socket, or TLS on one.
 *
 * It knows nothing of what is said, has no deadlines and never blocks.  Plain
 * is here; another kind brings a table of its own (edge/tls.c).  One stream is
 * used by one thread at a time.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

struct stream_kind {
	ssize_t (*recv)(struct stream *s, void *p, size_t n);
	ssize_t (*send)(struct stream *s, struct span head, struct span body, bool more);
	ssize_t (*send_file)(struct stream *s, int fd, uint64_t offset, size_t n);
	int (*shutdown)(struct stream *s);
	void (*close)(struct stream *s);
};

/* What the socket must become before the last call can go on. */
enum stream_wait {
	STREAM_WAIT_SAME,     /* readable to receive, writable to send */
	STREAM_WAIT_READABLE, /* also to send: TLS has a handshake to finish */
	STREAM_WAIT_WRITABLE, /* also to receive: so too where octets lie decrypted already */
};

struct stream {
	const struct stream_kind *kind;
	int fd;
	enum stream_wait wait; /* as the last call left it */
	void *state;           /* the kind's */
};

/* Takes fd, a connected non-blocking socket. */
void stream_init_plain(struct stream *s, int fd);

/* How many octets came or went, or -errno: -EAGAIN: wait as `wait` says;
 * -EPROTO: the other side breaks the transport's own rules.  recv gives 0 at the end of what
 * the other side sends; send_file gives 0 or -EIO where the file ends early.
 * After -EAGAIN a send must be repeated with the same octets, or with more
 * that begin with them.  `more`: octets of a file follow. */
ssize_t stream_recv(struct stream *s, void *p, size_t n) WARN_UNUSED;
ssize_t stream_send(struct stream *s, struct span head, struct span body, bool more) WARN_UNUSED;
ssize_t stream_send_file(struct stream *s, int fd, uint64_t offset, size_t n) WARN_UNUSED;

/* Ends our sending side; receiving goes on.  0 or -errno. */
int stream_shutdown(struct stream *s) WARN_UNUSED;

/* Closes the socket too, at once. */
void stream_close(struct stream *s);

/* Whether to wait for the socket to be readable (else writable), by one who
 * wants to receive or to send. */
bool stream_waits_to_read(const struct stream *s, bool receiving);
