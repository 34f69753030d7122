/* Images (app/image_cache.h) waited for together, by whoever makes something of them or
 * has to look into them before they are served.
 *
 * The waiting is over when each is whole, or on its way with its first octets there; or
 * when one cannot be had, or the time is up, with a sentence.  The main thread's.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

struct image_wanted {
	const struct file_ref *ref; /* with an upstream; must outlive the waiting */
	uint64_t head; /* so many of its first octets, or all of a smaller one, must have come */
	struct given given; /* what became of it; GIVEN_LATER: nothing yet */
};

struct image_gather_terms {
	bool wants_all;    /* what is still coming does not do */
	uint64_t limit_ms; /* 0: as long as the downloads take */
};

/* Once.  failed: NULL when all are there; else one of the list, whose `given` is the error.
 * What the hook does not take is let go of. */
typedef void (*image_gather_over)(
	void *ctx, struct image_wanted *list, size_t n, const struct image_wanted *failed);

/* over() is called now or later.  The list, of at least one, is copied.  -ENOMEM, and nothing is called. */
int image_gather(struct site *site, const struct image_wanted *list, size_t n,
	const struct image_gather_terms *terms, image_gather_over over, void *ctx) WARN_UNUSED;

/* The file, in the hook; it moves.  -errno, and it stays. */
int image_wanted_take(struct image_wanted *w, struct source_file *ret) WARN_UNUSED;
