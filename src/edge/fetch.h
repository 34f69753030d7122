/* Downloads of files by HTTP and HTTPS: libcurl on a libuv loop.
 *
 * One fetch brings one file to its place (edge/partial.h): it goes on where an earlier
 * one was cut, tries again what may pass, checks the digest before the file takes its
 * name, and ends with one sentence.  Never another scheme than http and https, at most
 * five redirects, and from https to http only where a digest proves the file.  Proxies
 * are those of the environment, as libcurl knows them.
 *
 * Everything happens on the loop's thread, the writing of octets too: a loop with other
 * work to do is not the place for it.  What takes a disk for seconds (the digest of what
 * is there already, fsync of what is whole) workers do, and other fetches go on.
 */
#pragma once

#include "core/sums.h"

#include <uv.h>

struct fetcher;
struct fetch;

/* ca: a file of certificates to trust instead of the system's, or NULL. */
int fetcher_new(uv_loop_t *loop, const char *ca, struct fetcher **ret) WARN_UNUSED;
/* Ends all fetches without a word; frees it when the loop has let go.  closed (NULL: nobody asks)
 * comes when no worker is at work for it any more, which a disk that hangs can delay for ever. */
void fetcher_close(struct fetcher *f, void (*closed)(void *ctx), void *ctx);

struct fetch_request {
	const char *url;
	const char *path;            /* where the file is to be; its directory exists */
	const struct sha256 *sha256; /* NULL: whatever comes */
	uint64_t size_max;           /* octets */
	unsigned stall_s;            /* without any progress, and to connect */
	unsigned tries;              /* without any progress, of what may pass */
	bool resume;                 /* what another process began */
	bool may_be_there;           /* with the digest: then nothing is fetched */
	bool keep_note; /* as in partial_open(); the file in place is kept while upstream has no other */
};

struct fetch_progress {
	int fd;           /* of what was gathered, the fetch's own */
	uint64_t got;     /* octets in it */
	uint64_t total;   /* UPSTREAM_LENGTH_UNKNOWN (core/upstream.h) */
	uint64_t resumed; /* of got: those that were there before */
	unsigned file;    /* counts up when it begins anew, in another file */
};

/* How a fetch ended. */
struct fetch_end {
	int result; /* 0, or -EBADMSG (wrong digest), -EALREADY (upstream has what is in place), -EFBIG, -ENOENT (the
		     * server has no such file), -ENOSPC, -EBUSY, … */
	const char
		*sentence; /* what went wrong, for anybody: it names the URL, no file of ours; "" */
	const char *path;  /* where it went wrong on our side, for logs; else NULL */
};

struct fetch_events {
	/* Before each piece: may the file have so many octets (all, where its length is known)?  False: the
	 * fetch ends with -ENOSPC, and its beginning is gone.  NULL: it may. */
	bool (*has_room)(void *ctx, uint64_t octets);
	/* A worker reads the file that is in place, or puts the new one there, from now on (true), or has done
	 * so: nobody else may touch it meanwhile.  NULL: nobody does. */
	void (*at_disk)(void *ctx, bool is_at_disk);
	/* After each piece. */
	void (*progress)(void *ctx, const struct fetch_progress *p);
	/* The last one; the fetch is gone when it returns (its fetcher must not). */
	void (*done)(void *ctx, const struct fetch_end *end);
};

/* All of the request is copied. */
int fetch_begin(struct fetcher *f, const struct fetch_request *request,
	const struct fetch_events *events, void *ctx, struct fetch **ret) WARN_UNUSED;
/* No event comes any more.  What was gathered stays. */
void fetch_cancel(struct fetch *fetch);
