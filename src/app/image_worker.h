/* The thread that fetches images: one download for each, whoever waits for it.
 *
 * The main thread orders by letter and hears of it by letter; octets that have come
 * are told to all threads by a struct growing.  Where a digest is expected, the last
 * piece of a file is not available before the digest was found right: what cannot be
 * complete no machine runs.  It alone writes in the directory of images, and keeps it
 * within its limit (app/image_shelf.h).
 */
#pragma once

#include "core/sums.h"
#include "edge/growing.h"

#include <uv.h>

struct image_worker;

/* How an order ended. */
struct image_end {
	int result;           /* as in struct fetch_events (edge/fetch.h) */
	const char *sentence; /* what went wrong, for anybody; "" */
	const char *path;     /* where it went wrong here, for logs; "" */
	bool is_there;        /* a whole file: the one that came, or an old one */
	uint64_t size;        /* of it */
};

/* On the main thread.  image: as it was ordered. */
struct image_worker_hooks {
	/* A file grows; the reference moves to the hook. */
	void (*grows)(void *ctx, void *image, struct growing *g);
	/* Once for each order. */
	void (*done)(void *ctx, void *image, const struct image_end *end);
	/* A whole file went for want of room. */
	void (*gone)(void *ctx, const char *name);
};

struct image_order {
	const char *url, *name;      /* name: of its file, 64 hexadecimal digits */
	const struct sha256 *sha256; /* NULL: whatever comes */
	uint64_t limit;              /* octets of all images */
};

/* dir: of the images, which is made where there is none.  ca: as in fetcher_new(). */
int image_worker_new(uv_loop_t *loop, const char *dir, const char *ca,
	const struct image_worker_hooks *hooks, void *ctx, struct image_worker **ret) WARN_UNUSED;
/* Everything is copied.  -ENOMEM. */
int image_worker_fetch(
	struct image_worker *w, void *image, const struct image_order *order) WARN_UNUSED;
/* Somebody has this file: it goes later than others. */
void image_worker_use(struct image_worker *w, const char *name);
/* Ends everything, without more hooks; gone when the loop has let go. */
void image_worker_close(struct image_worker *w);
