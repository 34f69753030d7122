/* The head of an HTTP/1.x request: where it ends, what it says.
 *
 * Strict on purpose: whatever two implementations could read differently is
 * refused, since that is what request smuggling lives on.  Nothing is copied;
 * all spans point into the caller's buffer.  It knows no files, no status codes
 * and no time, and it does not read bodies.
 *
 * RFC 9112 2.2, 3, 5, 6 (messages), RFC 9110 5.6 and 7.2 (fields, Host),
 * RFC 3986 2.1 and 3.3 (escapes and paths).
 */
#pragma once

#include "base/bytes.h"
#include "base/drop.h"

#define HTTP_HEAD_MAX   8192 /* octets, the empty line included */
#define HTTP_FIELDS_MAX 64
#define HTTP_PATH_MAX   1024 /* octets of a decoded path */

enum http_method {
	HTTP_METHOD_OTHER,
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST, /* what may be posted where is not known here */
};

struct http_field {
	struct span name;
	struct span value; /* without white space around it; p is never NULL */
};

struct http_request {
	enum http_method method;
	unsigned minor;          /* of HTTP/1.x; what is above 1 means 1 (RFC 9110 2.5) */
	struct span method_name; /* as sent */
	struct span target;      /* as sent */
	struct span path;        /* of the target, still escaped, begins with '/' */
	struct span query;       /* behind the '?', still escaped */
	struct span host;        /* with its port; empty when 1.0 has none */
	uint64_t content_length; /* 0 when absent */
	bool keep_alive;         /* what the client wants (RFC 9112 9.3) */
	size_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* Octets of empty lines before a request line: RFC 9112 2.2 has us skip them. */
size_t http_head_start(struct span buf);

/* The length of the head at the start of buf with its empty line, or 0 while
 * that has not come.  Lines that end in a bare LF end a head as well, so that
 * http_parse_request can refuse it at once. */
size_t http_head_end(struct span buf);

/* Reads a complete head.  Whatever the outcome, *ret holds what was understood
 * (the rest is zero), so that a log can name the method and target of a refused
 * request.  DROP_HTTP_METHOD: a method of RFC 9110 or 5789 that we do not
 * offer; DROP_HTTP_METHOD_UNKNOWN: any other. */
enum drop http_parse_request(struct span head, struct http_request *ret) WARN_UNUSED;

/* The value of the first field of that name, in either case, whose index is
 * *from or above; sets *from behind it.  SPAN_NONE (p is NULL) when none. */
struct span http_field_next(const struct http_request *req, struct span name, size_t *from);

/* The value of the field when it stands there exactly once, else SPAN_NONE: a
 * condition said twice is no condition (RFC 9110 5.3). */
struct span http_field_single(const struct http_request *req, struct span name);

/* The path as a file name relative to the root: escapes decoded, slashes
 * collapsed (shim asks for //grubx64.efi), none at the start; "/" is the empty
 * name.  Dot segments, %2f, control octets and broken escapes are refused.
 * DROP_NONE, DROP_HTTP_PATH or DROP_HTTP_TARGET_LONG; *ret lies in buf. */
enum drop http_decode_path(
	struct span path, uint8_t *buf, size_t cap, struct span *ret) WARN_UNUSED;
