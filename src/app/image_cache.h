/* Images that profiles name by URL: fetched once, kept on disk, served to all who ask.
 *
 * In the directory of `images:` a file is called by the SHA-256 of its URL, and of its
 * digest where one is expected.  Such a file is verified once in a run of the daemon
 * and then never asked for again.  Of others the server is asked at most once a minute
 * whether it has a newer one; when it is away, the copy serves.  Who asks while a file
 * comes has it as it comes (by HTTP).  The main thread's; what lies in the directory
 * the image worker knows.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

struct image_cache;

/* site must outlive it. */
int image_cache_new(uv_loop_t *loop, struct site *site, struct image_cache **ret) WARN_UNUSED;

/* Whoever waits for an image. */
struct image_waiter {
	bool wants_all; /* a file that is still coming is no answer */
	/* GIVEN_FILE, GIVEN_GROWING or GIVEN_ERROR with a sentence, which moves to the hook. */
	void (*answered)(struct image_waiter *w, struct given *given);
	/* The rest is image_cache.c's: what it waits for; both NULL: nothing. */
	bool has_begun_again; /* once, when the copy is gone that was to be here */
	struct image *image;
	struct opening *opening;
	struct image_waiter *prev, *next;
};

/* w->answered() is called once, now or later, unless w gives up before.  ref has an upstream. */
void image_cache_get(struct image_cache *c, const struct file_ref *ref, struct image_waiter *w);
void image_cache_give_up(struct image_waiter *w);
/* Answers, now or later.  ref has an upstream. */
void image_cache_answer(struct image_cache *c, struct question *q, const struct file_ref *ref);
/* A machine that was told this will ask for its profile's files: what of them is not here is
 * fetched meanwhile. */
void image_cache_expect(struct image_cache *c, const struct answer *a);
/* The daemon ends: who waits is told so, downloads go on for those who have begun. */
void image_cache_stop(struct image_cache *c);
/* Downloads end. */
void image_cache_close(struct image_cache *c);
/* After the loop; NULL is fine. */
void image_cache_free(struct image_cache *c);
