/* Images that are fetched and kept; see image_cache.h. */
#include "app/image_cache.h"

#include "app/image_worker.h"
#include "edge/clock.h"
#include "edge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>

#define REFRESH_US	 INT64_C(60000000) /* between two questions whether there is a newer one */
#define FAILED_US	 INT64_C(2000000)  /* who asks again in this time is told the same */
#define USED_US		 INT64_C(1000000)  /* how exactly a use is noted */
#define IMAGE_PATH_MAX	 (PATH_MAX + 80)
#define WAITING_MAX	 20000u		   /* questions for one image */

struct image {
	UT_hash_handle hh;
	char name[2 * SUMS_SHA256_SIZE + 1]; /* of its file, and its key */
	char *url;
	bool has_sha256;
	struct sha256 sha256;
	bool is_present; /* as far as is known; and as upstream has it, at checked_us */
	int64_t checked_us, used_us, failed_us;
	bool is_fetching, has_failed;
	struct growing *growing;
	struct question **waiting;
	size_t n_waiting, cap_waiting;
	char sentence[256]; /* of the failure */
};

struct image_cache {
	uv_loop_t *loop;
	struct site *site;
	struct image *images; /* by name */
	struct image_worker *worker; /* NULL until the first download */
	bool is_stopped;
};

/* --- names --- */

static const char *directory(const struct image_cache *c, char ret[static PATH_MAX])
{
	const struct config *cfg = c->site->cfg;

	if (cfg->images.dir)
		return cfg->images.dir;
	(void)snprintf(ret, PATH_MAX, "%s/images", cfg->state_dir);
	return ret;
}

static void path_of(const struct image_cache *c, const struct image *i, char ret[static IMAGE_PATH_MAX])
{
	char buf[PATH_MAX];

	(void)snprintf(ret, IMAGE_PATH_MAX, "%s/%s", directory(c, buf), i->name);
}

static int name_of(const struct file_ref *ref, struct sha256_text *ret)
{
	struct text key = { 0 };
	struct sha256 digest;
	int r = 0;

	text_addf(&key, "%s\n%s", ref->upstream, ref->has_sha256 ? sha256_str(ref->sha256).s : "");
	if (key.failed || EVP_Digest(text_str(&key), key.n, digest.b, NULL, EVP_sha256(), NULL) != 1)
		r = -ENOMEM;
	else
		*ret = sha256_str(digest);
	text_free(&key);
	return r;
}

static struct image *add(struct image_cache *c, const char *name, const struct file_ref *ref)
{
	struct image *i = calloc(1, sizeof(*i));

	if (i)
		i->url = strdup(ref->upstream);
	if (!i || !i->url) {
		free(i);
		return NULL;
	}
	i->has_sha256 = ref->has_sha256;
	i->sha256 = ref->sha256;
	(void)snprintf(i->name, sizeof(i->name), "%s", name);
	HASH_ADD_STR(c->images, name, i);
	return i;
}

static struct image *find(struct image_cache *c, const struct file_ref *ref)
{
	struct sha256_text name;
	struct image *i;

	if (name_of(ref, &name) < 0)
		return NULL;
	HASH_FIND_STR(c->images, name.s, i);
	return i ? i : add(c, name.s, ref);
}

/* --- answers --- */

static void note_use(struct image_cache *c, struct image *i)
{
	int64_t now_us = clock_mono_us();

	if (now_us - i->used_us < USED_US)
		return;
	i->used_us = now_us;
	image_worker_use(c->worker, i->name);
}

/* False: it is not there any more. */
static bool give_file(struct image_cache *c, struct image *i, struct question *q)
{
	char path[IMAGE_PATH_MAX];
	struct stat st;
	int fd, r;

	path_of(c, i, path);
	r = files_open_path(path, &fd, &st);
	if (r == -ENOENT)
		return false;
	if (r < 0) {
		given_error(&q->given, r, "the copy of this file cannot be read");
		return true;
	}
	note_use(c, i);
	given_file(&q->given, fd, &st);
	return true;
}

static void answer_now(struct image_cache *c, struct image *i, struct question *q)
{
	if (i->is_present && give_file(c, i, q)) {
		question_answer(q);
		return;
	}
	given_error(&q->given, -EHOSTUNREACH, "%s",
		i->has_failed ? i->sentence : "this file could not be fetched: try again");
	question_answer(q);
}

static void answer_waiting(struct image_cache *c, struct image *i)
{
	size_t n = i->n_waiting;

	i->n_waiting = 0;
	for (size_t k = 0; k < n; k++)
		answer_now(c, i, i->waiting[k]);
}

static void answer_growing(struct image *i, struct question *q)
{
	given_growing(&q->given, growing_ref(i->growing));
	question_answer(q);
}

/* --- downloads --- */

static void on_grows(void *ctx, void *image, struct growing *g)
{
	struct image_cache *c = ctx;
	struct image *i = image;
	size_t kept = 0;

	growing_unref(i->growing);
	i->growing = g;
	/* TFTP must know the end before it can begin: its clients would send the same request again. */
	for (size_t k = 0; k < i->n_waiting; k++) {
		if (i->waiting[k]->transport == TRANSPORT_HTTP)
			answer_growing(i, i->waiting[k]);
		else
			i->waiting[kept++] = i->waiting[k];
	}
	i->n_waiting = kept;
}

static void say_done(struct image_cache *c, struct image *i, const struct image_end *end)
{
	struct log *log = c->site->log;

	if (end->result == 0)
		log_say(log, LOG_INFO, "image", "%s is here: %llu octets%s", i->url, (unsigned long long)end->size,
			i->has_sha256 ? ", verified" : "");
	else if (end->result != -EALREADY && i->is_present)
		log_say(log, LOG_WARNING, "image", "%s; the copy that is here serves", end->sentence);
	else if (end->result != -EALREADY)
		log_say(log, LOG_WARNING, "image", "%s; machines that wait for it try again", end->sentence);
}

static void on_done(void *ctx, void *image, const struct image_end *end)
{
	struct image_cache *c = ctx;
	struct image *i = image;

	i->is_fetching = false;
	growing_unref(i->growing);
	i->growing = NULL;
	/* What has a digest and was not found right is no copy. */
	i->is_present = end->is_there && (!i->has_sha256 || end->result == 0);
	i->checked_us = i->failed_us = clock_mono_us();
	i->has_failed = end->result < 0 && end->result != -EALREADY;
	(void)snprintf(i->sentence, sizeof(i->sentence), "%s", end->sentence);
	say_done(c, i, end);
	answer_waiting(c, i);
}

static void on_gone(void *ctx, const char *name)
{
	struct image_cache *c = ctx;
	struct image *i;

	HASH_FIND_STR(c->images, name, i);
	if (i)
		i->is_present = false;
	log_say(c->site->log, LOG_INFO, "image", "%s goes: it was not used for longest, and images may have %llu MiB",
		i ? i->url : name, (unsigned long long)(c->site->cfg->images.limit >> 20));
}

static int start_worker(struct image_cache *c)
{
	static const struct image_worker_hooks hooks = { on_grows, on_done, on_gone };
	char buf[PATH_MAX];

	return c->worker ? 0 : image_worker_new(c->loop, directory(c, buf), c->site->cfg->images.ca, &hooks, c, &c->worker);
}

static int start_fetch(struct image_cache *c, struct image *i)
{
	struct image_order order = { .url = i->url, .name = i->name, .sha256 = i->has_sha256 ? &i->sha256 : NULL,
		.limit = c->site->cfg->images.limit };
	int r = start_worker(c);

	if (r == 0)
		r = image_worker_fetch(c->worker, i, &order);
	if (r == 0)
		i->is_fetching = true;
	return r;
}

static bool is_fresh(const struct image *i)
{
	return i->is_present && (i->has_sha256 || clock_mono_us() - i->checked_us < REFRESH_US);
}

static int wait_for(struct image *i, struct question *q)
{
	struct question **waiting;
	size_t cap = i->cap_waiting ? 2 * i->cap_waiting : 16;

	if (i->n_waiting == WAITING_MAX)
		return -ENOMEM;
	if (i->n_waiting == i->cap_waiting) {
		waiting = realloc(i->waiting, cap * sizeof(struct question *));
		if (!waiting)
			return -ENOMEM;
		i->waiting = waiting;
		i->cap_waiting = cap;
	}
	i->waiting[i->n_waiting++] = q;
	return 0;
}

static void refuse(struct question *q, const char *sentence)
{
	given_error(&q->given, -ENOMEM, "%s", sentence);
	question_answer(q);
}

void image_cache_answer(struct image_cache *c, struct question *q, const struct file_ref *ref)
{
	struct image *i = c->is_stopped ? NULL : find(c, ref);

	if (!i) {
		refuse(q, c->is_stopped ? "the server is stopping" : "the server is out of memory");
	} else if (i->growing && q->transport == TRANSPORT_HTTP) {
		answer_growing(i, q);
	} else if (is_fresh(i) && !i->is_fetching && give_file(c, i, q)) {
		question_answer(q);
	} else if (!i->is_fetching && i->has_failed && clock_mono_us() - i->failed_us < FAILED_US) {
		answer_now(c, i, q);
	} else if (wait_for(i, q) < 0) {
		refuse(q, "too many wait for this file");
	} else if (!i->is_fetching && start_fetch(c, i) < 0) {
		answer_waiting(c, i);
	}
}

/* --- beginning and end --- */

int image_cache_new(uv_loop_t *loop, struct site *site, struct image_cache **ret)
{
	struct image_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->site = site;
	*ret = c;
	return 0;
}

void image_cache_stop(struct image_cache *c)
{
	c->is_stopped = true;
	for (struct image *i = c->images; i; i = i->hh.next) {
		for (size_t k = 0; k < i->n_waiting; k++)
			refuse(i->waiting[k], "the server is stopping");
		i->n_waiting = 0;
	}
}

void image_cache_close(struct image_cache *c)
{
	if (c->worker)
		image_worker_close(c->worker);
	c->worker = NULL;
}

void image_cache_free(struct image_cache *c)
{
	struct image *i, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->images, i, next) {
		HASH_DEL(c->images, i);
		growing_unref(i->growing);
		free(i->waiting);
		free(i->url);
		free(i);
	}
	free(c);
}
