/* What the answer of a web server means for a download that may have a beginning
 * already (RFC 9110 13.1.5, 14.4, 15.3.7). */
#pragma once

#include "base/text.h"

enum upstream_verdict {
	UPSTREAM_WHOLE, /* the file from its beginning: what we had is of no use */
	UPSTREAM_REST,  /* what comes after our beginning */
	UPSTREAM_SAME,  /* the version that the request named (If-None-Match, If-Modified-Since) */
	UPSTREAM_AGAIN, /* ask again, without a beginning */
	UPSTREAM_REFUSED, /* no file */
};

struct upstream_reply {
	unsigned status;
	struct span content_range, content_length, etag, last_modified; /* n = 0: not there */
};

#define UPSTREAM_LENGTH_UNKNOWN UINT64_MAX

/* have: how many octets the request asked to leave out.  is_conditional: it named the
 * version that is known.  *ret_total: of the whole file, or UPSTREAM_LENGTH_UNKNOWN. */
enum upstream_verdict upstream_judge(const struct upstream_reply *reply, uint64_t have,
	bool is_conditional, uint64_t *ret_total);
/* What makes `If-Range` fit this version of the file only: a strong entity tag, else
 * the date; empty where there is neither. */
struct span upstream_validator(const struct upstream_reply *reply);
/* Worth another try: the server is busy or in trouble. */
bool upstream_is_passing(unsigned status);
