/* Images that are fetched and kept; see image_cache.h. */
#include "app/image_cache.h"

#include "app/disk_answer.h"
#include "app/image_table.h"
#include "app/image_worker.h"
#include "edge/clock.h"
#include "edge/files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#define REFRESH_US     INT64_C(60000000) /* between two questions whether there is a newer one */
#define USED_US        INT64_C(1000000)  /* how exactly a use is noted */
#define IMAGE_PATH_MAX (PATH_MAX + 80)
#define WAITING_MAX    20000u /* for one image */
#define FETCHING_MAX   512u   /* new ones at one time: each has a connection and four files */

struct image_cache {
	uv_loop_t *loop;
	struct site *site;
	struct image_table table;
	struct image_worker *worker; /* NULL until the first download */
	struct disk_jobs openings;
	unsigned n_fetching;
	bool is_stopped;
};

static const char *directory(const struct image_cache *c, char ret[static PATH_MAX])
{
	const struct config *cfg = c->site->cfg;

	if (cfg->images.dir)
		return cfg->images.dir;
	(void)snprintf(ret, PATH_MAX, "%s/images", cfg->state_dir);
	return ret;
}

static void path_of(
	const struct image_cache *c, const struct image *i, char ret[static IMAGE_PATH_MAX])
{
	char buf[PATH_MAX];

	(void)snprintf(ret, IMAGE_PATH_MAX, "%s/%s", directory(c, buf), i->name);
}

/* --- answers --- */

static void note_use(struct image_cache *c, struct image *i)
{
	int64_t now_us = clock_mono_us();

	if (!c->worker || now_us - i->used_us < USED_US)
		return;
	i->used_us = now_us;
	image_worker_use(c->worker, i->name);
}

/* One that is broken stays until there is another, or the end. */
static bool flows_to(const struct image *i, const struct image_waiter *w)
{
	return !w->wants_all && i->growing && !growing_is_broken(i->growing);
}

static void answer_growing(const struct image *i, struct image_waiter *w)
{
	struct given g = { 0 };

	given_growing(&g, growing_ref(i->growing));
	w->answered(w, &g);
}

static void refuse(struct image_waiter *w, const char *sentence)
{
	struct given g = { 0 };

	given_error(&g, -ENOMEM, "%s", sentence);
	w->answered(w, &g);
}

static void give_failure(const struct image *i, struct image_waiter *w)
{
	struct given g = { 0 };

	given_error(&g, -EHOSTUNREACH, "%s",
		i->has_failed ? i->sentence : "this file could not be fetched: try again");
	w->answered(w, &g);
}

/* --- copies --- */

/* A copy on its way to who asked for it. */
struct opening {
	struct disk_answer disk;
	struct image_cache *cache;
	struct image *image;
	struct image_waiter *waiter; /* NULL: it gave up */
	char path[IMAGE_PATH_MAX];
	/* what the worker found */
	int error, fd;
	struct stat st;
};

static void get(struct image_cache *c, struct image *i, struct image_waiter *w);

/* Copies go for want of room, or by hand, at any time; but not for ever. */
static void begin_again(struct image_cache *c, struct image *i, struct image_waiter *w)
{
	if (w->has_begun_again) {
		give_failure(i, w);
		return;
	}
	w->has_begun_again = true;
	get(c, i, w);
}

static void open_copy(struct disk_answer *disk)
{
	struct opening *o = (struct opening *)disk;

	o->error = files_open_path(o->path, &o->fd, &o->st);
}

static void give_opened(struct opening *o, struct image_waiter *w)
{
	struct given g = { 0 };

	if (o->error == 0) {
		note_use(o->cache, o->image);
		given_file(&g, o->fd, &o->st);
		w->answered(w, &g);
	} else if (o->error != -ENOENT) {
		given_error(&g, o->error, "the copy of this file cannot be read");
		w->answered(w, &g);
	} else {
		begin_again(o->cache, o->image, w);
	}
}

static void give_copy(struct disk_answer *disk)
{
	struct opening *o = (struct opening *)disk;
	struct image_waiter *w = o->waiter;

	o->image->n_holding--;
	if (o->error == -ENOENT)
		o->image->is_present = false;
	if (w) {
		w->opening = NULL;
		give_opened(o, w);
	} else if (o->error == 0) {
		(void)close(o->fd);
	}
	free(o);
}

static void begin_opening(struct image_cache *c, struct image *i, struct image_waiter *w)
{
	struct opening *o = calloc(1, sizeof(*o));

	if (!o) {
		refuse(w, "the server is out of memory");
		return;
	}
	o->disk.read = open_copy;
	o->disk.give = give_copy;
	o->cache = c;
	o->image = i;
	o->waiter = w;
	path_of(c, i, o->path);
	w->opening = o;
	i->n_holding++;
	disk_answer_begin(&o->disk, c->site, &c->openings);
}

static void answer_now(struct image_cache *c, struct image *i, struct image_waiter *w)
{
	if (i->is_present)
		begin_opening(c, i, w);
	else if (i->has_failed)
		give_failure(i, w);
	else
		begin_again(c, i, w);
}

/* --- who waits --- */

static void waiter_enter(struct image *i, struct image_waiter *w)
{
	w->image = i;
	DL_APPEND(i->waiting, w);
	i->n_waiting++;
}

static void waiter_leave(struct image_waiter *w)
{
	DL_DELETE(w->image->waiting, w);
	w->image->n_waiting--;
	w->image = NULL;
}

/* The first one.  Answers may make others give up, or come back: whoever goes through all
 * of them takes one after the other, as many as there were. */
static struct image_waiter *next_waiter(struct image *i)
{
	struct image_waiter *w = i->waiting;

	if (w)
		waiter_leave(w);
	return w;
}

static void answer_waiting(struct image_cache *c, struct image *i)
{
	struct image_waiter *w;

	i->n_holding++;
	for (size_t n = i->n_waiting; n > 0 && (w = next_waiter(i)); n--)
		answer_now(c, i, w);
	i->n_holding--;
}

void image_cache_give_up(struct image_waiter *w)
{
	if (w->image)
		waiter_leave(w);
	if (w->opening)
		w->opening->waiter = NULL;
	w->opening = NULL;
}

/* --- downloads --- */

static void on_grows(void *ctx, void *image, struct growing *g)
{
	struct image *i = image;
	struct image_waiter *w;

	(void)ctx;
	growing_unref(i->growing);
	i->growing = g;
	for (size_t n = i->n_waiting; n > 0 && (w = next_waiter(i)); n--) {
		if (!flows_to(i, w))
			waiter_enter(i, w);
		else
			answer_growing(i, w);
	}
}

static void say_done(struct image_cache *c, struct image *i, const struct image_end *end)
{
	struct log *log = c->site->log;
	const char *at = end->path[0] ? ": " : "";

	if (end->result == 0 && end->is_there)
		log_say(log, LOG_INFO, "image", "%s is here: %llu octets%s", text_str(&i->shown),
			(unsigned long long)end->size, i->has_sha256 ? ", verified" : "");
	else if ((end->result == 0 || end->result == -EALREADY) && !end->is_there)
		log_say(log, LOG_WARNING, "image",
			"%s was here, and its copy is gone: who waits has it fetched again",
			text_str(&i->shown));
	else if (end->result != -EALREADY && i->is_present)
		log_say(log, LOG_WARNING, "image", "%s%s%s; the copy that is here serves",
			end->sentence, at, end->path);
	else if (end->result != -EALREADY)
		log_say(log, LOG_WARNING, "image", "%s%s%s; machines that wait for it try again",
			end->sentence, at, end->path);
}

static void on_done(void *ctx, void *image, const struct image_end *end)
{
	struct image_cache *c = ctx;
	struct image *i = image;

	i->is_fetching = false;
	c->n_fetching--;
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
	struct image *i = image_table_find(&c->table, name);

	if (i)
		i->is_present = false;
	log_say(c->site->log, LOG_INFO, "image",
		"%s goes: it was not used for longest, and images may have %llu MiB",
		i ? text_str(&i->shown) : name,
		(unsigned long long)(c->site->cfg->images.limit >> 20));
}

static int start_worker(struct image_cache *c)
{
	static const struct image_worker_hooks hooks = { on_grows, on_done, on_gone };
	char buf[PATH_MAX];

	return c->worker ? 0
			 : image_worker_new(c->loop, directory(c, buf), c->site->cfg->images.ca,
				   &hooks, c, &c->worker);
}

static int start_fetch(struct image_cache *c, struct image *i)
{
	struct image_order order = { .url = i->url,
		.name = i->name,
		.sha256 = i->has_sha256 ? &i->sha256 : NULL,
		.limit = c->site->cfg->images.limit };
	int r = start_worker(c);

	if (r == 0)
		r = image_worker_fetch(c->worker, i, &order);
	if (r == 0) {
		i->is_fetching = true;
		c->n_fetching++;
	}
	return r;
}

static bool is_fresh(const struct image *i)
{
	return i->is_present && (i->has_sha256 || clock_mono_us() - i->checked_us < REFRESH_US);
}

static bool has_just_failed(const struct image *i)
{
	return i->has_failed && clock_mono_us() - i->failed_us < IMAGE_FAILED_US;
}

static bool has_room(const struct image_cache *c, const struct image *i)
{
	return i->is_present || c->n_fetching < FETCHING_MAX;
}

static void get(struct image_cache *c, struct image *i, struct image_waiter *w)
{
	if (c->is_stopped) {
		refuse(w, "the server is stopping");
	} else if (flows_to(i, w)) {
		answer_growing(i, w);
	} else if (is_fresh(i) && !i->is_fetching) {
		begin_opening(c, i, w);
	} else if (!i->is_fetching && has_just_failed(i)) {
		answer_now(c, i, w);
	} else if (!i->is_fetching && !has_room(c, i)) {
		refuse(w, "too many files are being fetched: try again");
	} else if (i->n_waiting == WAITING_MAX) {
		refuse(w, "too many wait for this file");
	} else {
		waiter_enter(i, w);
		if (!i->is_fetching && start_fetch(c, i) < 0)
			answer_waiting(c, i);
	}
}

void image_cache_get(struct image_cache *c, const struct file_ref *ref, struct image_waiter *w)
{
	struct image *i;
	int r = image_table_get(&c->table, ref, clock_mono_us(), &i);

	w->has_begun_again = false;
	if (r < 0)
		refuse(w,
			r == -ENOSPC ? "too many files are asked for: try again"
				     : "the server is out of memory");
	else
		get(c, i, w);
}

/* --- questions --- */

struct asking {
	struct image_waiter waiter;
	struct question *question;
};

static void on_answered(struct image_waiter *w, struct given *given)
{
	struct asking *a = (struct asking *)w;

	a->question->given = *given;
	question_answer(a->question);
	free(a);
}

void image_cache_answer(struct image_cache *c, struct question *q, const struct file_ref *ref)
{
	struct asking *a = malloc(sizeof(*a));

	if (!a) {
		given_error(&q->given, -ENOMEM, "the server is out of memory");
		question_answer(q);
		return;
	}
	/* TFTP must know the end before it can begin: its clients would send the same request again. */
	*a = (struct asking){ .waiter = { .wants_all = q->transport != TRANSPORT_HTTP,
				      .answered = on_answered },
		.question = q };
	image_cache_get(c, ref, &a->waiter);
}

/* --- before anybody asks --- */

/* Where it cannot be begun, whoever comes for it is told why. */
static void expect(struct image_cache *c, const struct file_ref *ref)
{
	struct image *i;

	if (!ref->upstream || c->is_stopped ||
		image_table_get(&c->table, ref, clock_mono_us(), &i) < 0)
		return;
	if (!i->is_fetching && !is_fresh(i) && !has_just_failed(i) && has_room(c, i))
		(void)start_fetch(c, i);
}

void image_cache_expect(struct image_cache *c, const struct answer *a)
{
	const struct profile *p = a->profile;

	if (!p || p->kind != PROFILE_KERNEL || a->kind == ANSWER_ADDRESS || a->kind == ANSWER_NONE)
		return;
	expect(c, &p->kernel);
	for (size_t k = 0; k < p->n_initrds; k++)
		expect(c, &p->initrds[k]);
}

/* --- beginning and end --- */

int image_cache_new(uv_loop_t *loop, struct site *site, struct image_cache **ret)
{
	struct image_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = c->openings.loop = loop;
	c->site = site;
	*ret = c;
	return 0;
}

void image_cache_stop(struct image_cache *c)
{
	c->is_stopped = true;
	for (struct image *i = c->table.images; i; i = i->hh.next) {
		struct image_waiter *w;

		i->n_holding++;
		while ((w = next_waiter(i)))
			refuse(w, "the server is stopping");
		i->n_holding--;
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
	if (!c)
		return;
	image_table_free(&c->table);
	free(c);
}
