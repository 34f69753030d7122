/* The thread that fetches images: one download for each, whoever waits for it.
 *
 * The main thread orders by letter and hears of it by letter; octets that have come
 * are told to all threads by a struct growing.  Where a digest is expected, the last
 * piece of a file is not available before the digest was found right: what cannot be
 * complete no machine runs.
 */
#pragma once

#include "core/sums.h"
#include "edge/growing.h"

#include <uv.h>

struct image_worker;

/* On the main thread.  image: as it was ordered. */
struct image_worker_hooks {
	/* A file grows; the reference moves to the hook. */
	void (*grows)(void *ctx, void *image, struct growing *g);
	/* Once for each order, as in struct fetch_events (edge/fetch.h). */
	void (*done)(void *ctx, void *image, int result, const char *sentence);
};

struct image_order {
	const char *url, *path;
	const struct sha256 *sha256; /* NULL: whatever comes */
	uint64_t size_max;
	bool has_copy; /* an old one that will do: no patience with its server */
};

/* ca: as in fetcher_new(). */
int image_worker_new(uv_loop_t *loop, const char *ca, const struct image_worker_hooks *hooks, void *ctx,
	struct image_worker **ret) WARN_UNUSED;
/* Everything is copied.  -ENOMEM. */
int image_worker_fetch(struct image_worker *w, void *image, const struct image_order *order) WARN_UNUSED;
/* Takes a file away, and what is noted of it. */
void image_worker_remove(struct image_worker *w, const char *path);
/* Ends everything, without more hooks; gone when the loop has let go. */
void image_worker_close(struct image_worker *w);
