/* What is known of images in this run: each by the name of its file, which is the
 * SHA-256 of its URL and of the digest that is expected.
 *
 * Whoever names a URL makes an entry, a boot API perhaps a new one with each answer: an
 * image stays while it is fetched, waited for or there, and a failure as long as it is
 * told.  All others go as new ones come.  The main thread's; knows no disk.
 */
#pragma once

#include "base/text.h"
#include "core/config.h"
#include "edge/growing.h"

#include <uthash.h>

#define IMAGE_TABLE_MAX 8192u
#define IMAGE_FAILED_US INT64_C(2000000) /* who asks again in this time is told the same */

struct image_waiter; /* app/image_cache.h */

struct image {
	UT_hash_handle hh;
	char name[2 * SUMS_SHA256_SIZE + 1];
	char *url;
	struct text shown; /* the URL, for logs and machines */
	bool has_sha256;
	struct sha256 sha256;
	bool is_present; /* as far as is known; and as upstream has it, at checked_us */
	int64_t checked_us, used_us, failed_us;
	bool is_fetching, has_failed;
	struct growing *growing;
	struct image_waiter *waiting; /* first come, first answered */
	size_t n_waiting;
	unsigned n_holding; /* who opens it, or answers those who waited, at this moment */
	char sentence[256]; /* of the failure */
};

struct image_table {
	struct image *images;
	unsigned sweep_at; /* so many images */
};

/* The image of that name, or NULL. */
struct image *image_table_find(const struct image_table *t, const char *name);
/* The image that ref (which has an upstream) means, a new one perhaps.  -ENOSPC: there
 * are IMAGE_TABLE_MAX, and all of them are needed; -ENOMEM. */
int image_table_get(struct image_table *t, const struct file_ref *ref, int64_t now_us,
	struct image **ret) WARN_UNUSED;
/* All of them. */
void image_table_free(struct image_table *t);
