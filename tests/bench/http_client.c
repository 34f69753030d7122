#include "http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_MAX = 256 << 10,
	TLS_RECORDS = 16, /* read at one event */
	REQUEST_MAX = 1024,
};

static void fail(struct http_client *c, const char *why)
{
	c->state = HTTP_FAILED;
	c->why = why;
}

void http_client_open(struct http_client *c, const struct sockaddr_in *server, struct in_addr local,
	SSL_CTX *ssl_ctx)
{
	*c = (struct http_client){
		.fd = socket_of(SOCK_STREAM, local),
		.kept = c->kept,
		.kept_max = c->kept_max,
		.counts = c->counts,
	};
	c->asked_us = c->heard_us = now_us();
	if (connect(c->fd, (const struct sockaddr *)server, sizeof(*server)) < 0 &&
		errno != EINPROGRESS)
		fail(c, "connect");
	if (!ssl_ctx)
		return;
	c->ssl = SSL_new(ssl_ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
		die("SSL_new");
}

void http_client_close(struct http_client *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	(void)close(c->fd);
	c->fd = -1;
}

static bool only_counts(const struct http_client *c)
{
	return c->counts && c->state == HTTP_BODY;
}

/* Octets read, 0: not now, -1: the end or an error. */
static ssize_t receive(struct http_client *c, uint8_t *p, size_t n)
{
	const size_t left = c->length - c->body_n;
	ssize_t r;

	if (c->ssl) {
		int got = SSL_read(c->ssl, p, (int)n);

		if (got > 0)
			return got;
		return SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	r = only_counts(c) ? recv(c->fd, NULL, left, MSG_TRUNC) : recv(c->fd, p, n, 0);
	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return r == 0 ? -1 : r;
}

void http_client_get(
	struct http_client *c, const char *host, const char *path, struct file expected)
{
	char request[REQUEST_MAX];
	int n = snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", path, host);
	ssize_t sent;

	c->asked_us = c->heard_us = now_us();
	c->expected = expected;
	c->head_n = c->body_n = c->length = 0;
	c->gap_us = 0;
	c->state = HTTP_HEAD;
	if (n < 0 || (size_t)n >= sizeof(request)) {
		fail(c, "path too long");
		return;
	}
	sent = c->ssl ? SSL_write(c->ssl, request, n)
		      : send(c->fd, request, (size_t)n, MSG_NOSIGNAL);
	if (sent != n)
		fail(c, "the request was not taken");
}

/* The value of a header field, or NULL. */
static const char *field(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = strstr(head, "\r\n"); at; at = strstr(at + 2, "\r\n"))
		if (strncasecmp(at + 2, name, n) == 0 && at[2 + n] == ':')
			return at + 2 + n + 1 + strspn(at + 2 + n + 1, " ");
	return NULL;
}

static void take_head(struct http_client *c)
{
	const char *head = (const char *)c->head, *length = field(head, "Content-Length"),
		   *connection = field(head, "Connection");

	if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) {
		fail(c, "not 200");
		return;
	}
	if (!length) {
		fail(c, "no Content-Length");
		return;
	}
	c->length = strtoul(length, NULL, 10);
	c->closes = connection && strncasecmp(connection, "close", 5) == 0;
	if (c->expected.p ? c->length != c->expected.n : c->length > c->kept_max)
		fail(c, "wrong length");
	else
		c->state = HTTP_BODY;
}

static void take_body(struct http_client *c, const uint8_t *p, size_t n)
{
	if (n > c->length - c->body_n) {
		fail(c, "more octets than the length");
		return;
	}
	if (only_counts(c)) {
		/* its length was checked */
	} else if (!c->expected.p)
		memcpy(c->kept + c->body_n, p, n);
	else if (memcmp(c->expected.p + c->body_n, p, n) != 0) {
		fail(c, "wrong octets");
		return;
	}
	c->body_n += n;
	if (c->body_n == c->length)
		c->state = HTTP_IDLE;
}

/* Octets of a head, and perhaps the first ones of the body. */
static size_t take_octets_of_head(struct http_client *c, const uint8_t *p, size_t n)
{
	size_t room = HTTP_HEAD_MAX - 1 - c->head_n, taken = n < room ? n : room, old = c->head_n;
	const char *end;

	memcpy(c->head + old, p, taken);
	c->head[old + taken] = '\0';
	end = strstr((const char *)c->head, "\r\n\r\n");
	if (!end) {
		c->head_n += taken;
		if (taken < n)
			fail(c, "a long head");
		return n;
	}
	c->head_n = (size_t)(end + 4 - (const char *)c->head);
	c->head[c->head_n - 2] = '\0';
	take_head(c);
	return c->head_n - old;
}

static void take(struct http_client *c, const uint8_t *p, size_t n, uint64_t *octets)
{
	if (c->state == HTTP_HEAD) {
		size_t of_head = take_octets_of_head(c, p, n);

		p += of_head;
		n -= of_head;
	}
	if (c->state != HTTP_BODY) {
		if (n && c->state == HTTP_IDLE)
			fail(c, "octets that nobody asked for");
		return;
	}
	take_body(c, p, n);
	*octets += c->state == HTTP_FAILED ? 0 : n;
}

static void connected(struct http_client *c)
{
	int e = 0;
	socklen_t n = sizeof(e);

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n);
	if (e)
		fail(c, "connect");
	else
		c->state = c->ssl ? HTTP_SHAKING : HTTP_IDLE;
}

static void shake(struct http_client *c)
{
	int r = SSL_connect(c->ssl);

	if (r == 1)
		c->state = HTTP_IDLE;
	else if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
		fail(c, "TLS handshake");
}

void http_client_go_on(struct http_client *c, uint64_t *octets)
{
	static uint8_t data[READ_MAX];
	const unsigned turns = c->ssl ? TLS_RECORDS : 1;

	if (c->state == HTTP_CONNECTING)
		connected(c);
	if (c->state == HTTP_SHAKING)
		shake(c);
	for (unsigned i = 0; i < turns && (c->state == HTTP_HEAD || c->state == HTTP_BODY); i++) {
		ssize_t n = receive(c, data, sizeof(data));
		int64_t now;

		if (n == 0)
			return;
		if (n < 0) {
			fail(c, c->state == HTTP_BODY ? "cut short" : "closed without an answer");
			return;
		}
		now = now_us();
		if (now - c->heard_us > c->gap_us)
			c->gap_us = now - c->heard_us;
		c->heard_us = now;
		take(c, data, (size_t)n, octets);
	}
}
