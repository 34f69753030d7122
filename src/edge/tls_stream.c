/* TLS as a stream; see tls_stream.h. */
#include "edge/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_OCTETS 16384u
#define READ_OCTETS   (4 * RECORD_OCTETS) /* of a file at once */

/* Octets that were decrypted and not fetched raise no event on the socket. */
static void note_progress(struct stream *s)
{
	s->wait = SSL_pending(s->state) > 0 ? STREAM_WAIT_WRITABLE : STREAM_WAIT_SAME;
}

static int why_refused(void)
{
	unsigned long e = ERR_peek_error();

	if (ERR_GET_LIB(e) != ERR_LIB_SSL)
		return -EPROTO;
	switch (ERR_GET_REASON(e)) {
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
		return -EKEYREJECTED;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return -ENOPROTOOPT;
	case SSL_R_HTTP_REQUEST:
	case SSL_R_WRONG_VERSION_NUMBER:
		return -ENOMSG;
	default:
		return -EPROTO;
	}
}

/* What OpenSSL's r means, in this module's words. */
static ssize_t result(struct stream *s, ssize_t r)
{
	int error = errno;

	switch (SSL_get_error(s->state, (int)r)) {
	case SSL_ERROR_WANT_READ:
		s->wait = STREAM_WAIT_READABLE;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->wait = STREAM_WAIT_WRITABLE;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		note_progress(s);
		return 0;
	case SSL_ERROR_SYSCALL:
		return error ? -error : -ECONNRESET;
	default:
		return why_refused();
	}
}

static ssize_t tls_recv(struct stream *s, void *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read(s->state, p, n < INT_MAX ? (int)n : INT_MAX);
	if (r <= 0)
		return result(s, r);
	note_progress(s);
	return r;
}

static ssize_t write_record(struct stream *s, const void *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write(s->state, p, (int)n);
	if (r <= 0) {
		ssize_t e = result(s, r);

		return e == 0 ? -EPIPE : e;
	}
	note_progress(s);
	return r;
}

/* Head and body in as few records as they fit in: each is a system call. */
static ssize_t tls_send(struct stream *s, struct span head, struct span body, bool more)
{
	uint8_t record[RECORD_OCTETS];
	size_t n = head.n < sizeof(record) ? head.n : sizeof(record);
	size_t of_body = body.n < sizeof(record) - n ? body.n : sizeof(record) - n;

	(void)more;
	if (n == 0)
		return write_record(s, body.p, of_body);
	memcpy(record, head.p, n);
	if (of_body)
		memcpy(record + n, body.p, of_body);
	return write_record(s, record, n + of_body);
}

static ssize_t send_by_kernel(struct stream *s, int fd, uint64_t offset, size_t n)
{
	ossl_ssize_t r;

	ERR_clear_error();
	errno = 0;
	r = SSL_sendfile(s->state, fd, (off_t)offset, n, 0);
	if (r < 0)
		return result(s, r);
	note_progress(s);
	return r;
}

/* A record that could not leave is encrypted already: the next try takes it from
 * OpenSSL, whatever is read from the file again. */
static ssize_t tls_send_file(struct stream *s, int fd, uint64_t offset, size_t n)
{
	uint8_t buf[READ_OCTETS];
	size_t sent = 0;

	if (BIO_get_ktls_send(SSL_get_wbio(s->state)))
		return send_by_kernel(s, fd, offset, n);
	while (sent < n) {
		size_t want = n - sent < sizeof(buf) ? n - sent : sizeof(buf);
		ssize_t got = pread(fd, buf, want, (off_t)(offset + sent));

		if (got <= 0)
			return sent > 0 ? (ssize_t)sent : got < 0 ? -errno : 0;
		for (ssize_t done = 0; done < got;) {
			size_t left = (size_t)(got - done);
			ssize_t r = write_record(
				s, buf + done, left < RECORD_OCTETS ? left : RECORD_OCTETS);

			if (r < 0)
				return sent > 0 && r == -EAGAIN ? (ssize_t)sent : r;
			done += r;
			sent += (size_t)r;
		}
	}
	return (ssize_t)sent;
}

static int tls_shutdown(struct stream *s)
{
	ERR_clear_error();
	if (!SSL_in_init(s->state))
		(void)SSL_shutdown(s->state); /* our close_notify, as far as the socket takes it */
	s->wait = STREAM_WAIT_SAME;
	return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

static void tls_close(struct stream *s)
{
	/* Without this OpenSSL forgets the session, as if something were wrong with it. */
	if (!SSL_in_init(s->state))
		SSL_set_shutdown(s->state, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->state);
	ERR_clear_error();
	s->state = NULL;
	close(s->fd);
}

static const struct stream_kind tls = {
	.recv = tls_recv,
	.send = tls_send,
	.send_file = tls_send_file,
	.shutdown = tls_shutdown,
	.close = tls_close,
};

int tls_stream_init(struct stream *s, int fd, struct ssl_ctx_st *context)
{
	SSL *ssl = SSL_new(context);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_accept_state(ssl);
	*s = (struct stream){ .kind = &tls, .fd = fd, .state = ssl };
	return 0;
}
