/* A small document by HTTP or HTTPS, asked of another server on a loop (edge/fetch_loop.h).
 *
 * For what is used at once and kept in memory; files are edge/fetch.h's.  Bounded in
 * time and size.  Never another scheme than http and https, at most five redirects;
 * proxies are those of the environment, as libcurl knows them.
 */
#pragma once

#include "base/text.h"
#include "edge/fetch_loop.h"

struct ask;

/* The end of it, on the loop; the ask is gone when this returns.  status: of the
 * answer, whose body is lent; 0: there was none, and why is a clause that says why. */
typedef void (*ask_answered)(void *ctx, unsigned status, struct span body, const char *why);

/* 0, -ENOMEM; the URL is copied. */
int ask_begin(struct fetch_loop *loop, const char *url, unsigned timeout_ms, size_t octets_max,
	ask_answered answered, void *ctx, struct ask **ret) WARN_UNUSED;
/* answered() does not come any more. */
void ask_cancel(struct ask *a);
