/* One HTTP/1.1 client on a connection that it keeps, plain or with TLS: GET after
 * GET, each octet of the body compared with the file, counted, or kept.  Takes
 * answers with a Content-Length only. */
#pragma once

#include "load.h"

#include <openssl/ssl.h>

enum {
	HTTP_HEAD_MAX = 4096,
};

enum http_state {
	HTTP_CONNECTING,
	HTTP_SHAKING,
	HTTP_IDLE, /* the connection is there; also after an answer */
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_FAILED,
};

struct http_client {
	int fd;
	SSL *ssl; /* NULL: plain */
	enum http_state state;
	const char *why;      /* of FAILED */
	struct file expected; /* p NULL: any octets, kept in `kept` */
	uint8_t *kept;
	size_t kept_max;
	bool counts; /* octets of the body are not looked at: the kernel drops them uncopied */
	uint8_t head[HTTP_HEAD_MAX];
	size_t head_n, body_n, length;
	bool closes; /* the server said so */
	int64_t asked_us, heard_us;
	int64_t gap_us; /* the longest time without an octet, of this answer */
};

/* Begins to connect; of *c, kept, kept_max and counts stay.  ssl_ctx NULL: plain. */
void http_client_open(struct http_client *c, const struct sockaddr_in *server, struct in_addr local,
	SSL_CTX *ssl_ctx);
/* Goes on after an event: IDLE when the connection is ready for the first request,
 * or an answer is complete. *ret_octets grows by what came of the body. */
void http_client_go_on(struct http_client *c, uint64_t *octets);
/* Asks for a path (and query) in IDLE. */
void http_client_get(
	struct http_client *c, const char *host, const char *path, struct file expected);
void http_client_close(struct http_client *c);
