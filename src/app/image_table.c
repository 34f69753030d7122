/* Images by name; see image_table.h. */
#include "app/image_table.h"

#include "core/url.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_EVERY 64u /* new images */

static int name_of(const struct file_ref *ref, struct sha256_text *ret)
{
	struct text key = { 0 };
	struct sha256 digest;
	int r = 0;

	text_addf(&key, "%s\n%s", ref->upstream, ref->has_sha256 ? sha256_str(ref->sha256).s : "");
	if (key.failed ||
		EVP_Digest(text_str(&key), key.n, digest.b, NULL, EVP_sha256(), NULL) != 1)
		r = -ENOMEM;
	else
		*ret = sha256_str(digest);
	text_free(&key);
	return r;
}

static void image_free(struct image *i)
{
	growing_unref(i->growing);
	text_free(&i->shown);
	free(i->url);
	free(i);
}

static bool is_needed(const struct image *i, int64_t now_us)
{
	return i->is_present || i->is_fetching || i->n_waiting || i->n_holding ||
		(i->has_failed && now_us - i->failed_us < IMAGE_FAILED_US);
}

static void sweep(struct image_table *t, int64_t now_us)
{
	struct image *i, *next;

	if (HASH_COUNT(t->images) < t->sweep_at && HASH_COUNT(t->images) < IMAGE_TABLE_MAX)
		return;
	HASH_ITER(hh, t->images, i, next) {
		if (!is_needed(i, now_us)) {
			HASH_DEL(t->images, i);
			image_free(i);
		}
	}
	t->sweep_at = HASH_COUNT(t->images) + SWEEP_EVERY;
}

static int add(struct image_table *t, const char *name, const struct file_ref *ref, int64_t now_us,
	struct image **ret)
{
	struct image *i;

	sweep(t, now_us);
	if (HASH_COUNT(t->images) >= IMAGE_TABLE_MAX)
		return -ENOSPC;
	i = calloc(1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	i->url = strdup(ref->upstream);
	url_show(span_str(ref->upstream), &i->shown);
	if (!i->url || i->shown.failed) {
		image_free(i);
		return -ENOMEM;
	}
	i->has_sha256 = ref->has_sha256;
	i->sha256 = ref->sha256;
	(void)snprintf(i->name, sizeof(i->name), "%s", name);
	HASH_ADD_STR(t->images, name, i);
	*ret = i;
	return 0;
}

struct image *image_table_find(const struct image_table *t, const char *name)
{
	struct image *i;

	HASH_FIND_STR(t->images, name, i);
	return i;
}

int image_table_get(
	struct image_table *t, const struct file_ref *ref, int64_t now_us, struct image **ret)
{
	struct sha256_text name;
	struct image *i;
	int r = name_of(ref, &name);

	if (r < 0)
		return r;
	i = image_table_find(t, name.s);
	if (!i)
		return add(t, name.s, ref, now_us, ret);
	*ret = i;
	return 0;
}

void image_table_free(struct image_table *t)
{
	struct image *i, *next;

	HASH_ITER(hh, t->images, i, next) {
		HASH_DEL(t->images, i);
		image_free(i);
	}
}
