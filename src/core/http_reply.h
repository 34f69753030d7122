/* What an HTTP request is answered with: status, header fields, which octets.
 *
 * Pure: it is told what the target is (the entity) and what time it is.  It
 * opens nothing and sends nothing.  It never redirects (old EDK2 does not
 * follow), never sends an empty value (EDK2 locks up) nor a chunked body (shim
 * needs Content-Length), and gives every error a body (an empty 404 on a
 * connection that stays open hangs shim for ever).
 *
 * RFC 9110 8 (validators), 13 (conditions), 14 (ranges), 15 (status codes).
 */
#pragma once

#include "base/text.h"
#include "wire/http.h"

/* A strong entity tag (RFC 9110 8.8.3), quotes included. */
struct http_etag {
	char s[88]; /* empty: none */
};

/* What a request asks for. */
struct http_entity {
	const char *content_type;
	uint64_t size;
	struct http_etag etag;
	bool has_date; /* mtime_s is known, and is told with an etag only */
	int64_t mtime_s;
};

struct http_reply {
	unsigned status;
	struct text head; /* status line to empty line */
	struct text
		body; /* of an error or a generated text; else the entity's octets are elsewhere */
	uint64_t offset, length; /* what to send of body or entity; 0 for HEAD and 304 */
	uint64_t whole;          /* the entity's size */
	bool keep_alive;
};

/* By the suffix of a file name, in either case; never NULL. */
const char *http_content_type(struct span name);

/* Answers a GET or HEAD of a file: 200, 206, 304, 412 or 416.  now_s is
 * wall-clock time.  The caller frees the reply, here and below. */
void http_reply_entity(const struct http_request *req, const struct http_entity *entity,
	int64_t now_s, struct http_reply *ret);

/* The same for a generated text, which moves into the reply: *text is empty after. */
void http_reply_text(const struct http_request *req, struct text *text, const char *content_type,
	int64_t now_s, struct http_reply *ret);

/* Answers with an error; why is one sentence for whoever reads the body. */
void http_reply_error(const struct http_request *req, unsigned status, const char *why,
	bool keep_alive, int64_t now_s, struct http_reply *ret);

/* Answers a request that was refused, and asks for the connection's end. */
void http_reply_refusal(
	const struct http_request *req, enum drop why, int64_t now_s, struct http_reply *ret);

void http_reply_free(struct http_reply *r);
