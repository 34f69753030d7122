/* The thread that fetches images; see image_worker.h. */
#include "app/image_worker.h"

#include "app/image_shelf.h"
#include "base/text.h"
#include "core/upstream.h"
#include "edge/fetch.h"
#include "edge/worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define HOLD_OCTETS  (UINT64_C(1) << 20) /* of a file whose digest is not known yet */
#define STALL_S      10u
#define STALL_COPY_S 4u
#define TRIES        4u
#define SENTENCE_MAX 512u

struct image_worker {
	struct worker *thread;
	struct mailbox *home;
	const struct image_worker_hooks *hooks;
	void *ctx;
	char *dir;
	bool closing; /* the main thread's */
	/* the thread's own */
	struct fetcher *fetcher;
	struct image_shelf *shelf; /* NULL until the first order */
	struct download *downloads;
};

/* An order; on the thread, the download. */
struct download {
	struct letter letter;
	struct image_worker *worker;
	void *image;
	char *url, *name;
	struct sha256 sha256;
	bool has_sha256;
	uint64_t limit;
	struct download *prev, *next;
	struct growing *growing;
	bool is_doubtful; /* its server named two lengths */
	unsigned file;    /* that grows, as in struct fetch_progress */
};

struct news {
	struct letter letter;
	struct image_worker *worker;
	void *image;             /* NULL: the file called `sentence` is gone */
	struct growing *growing; /* else it is done */
	struct image_end end;
	char sentence[SENTENCE_MAX], path[PATH_MAX];
};

static void free_download(struct download *d)
{
	growing_unref(d->growing);
	free(d->url);
	free(d->name);
	free(d);
}

/* --- what the thread tells --- */

static void read_news(struct letter *l)
{
	struct news *n = (struct news *)l;
	struct image_worker *w = n->worker;

	n->end.sentence = n->sentence;
	n->end.path = n->path;
	if (w->closing)
		growing_unref(n->growing);
	else if (!n->image)
		w->hooks->gone(w->ctx, n->sentence);
	else if (n->growing)
		w->hooks->grows(w->ctx, n->image, n->growing);
	else
		w->hooks->done(w->ctx, n->image, &n->end);
	free(n);
}

static struct news *news_of(struct image_worker *w, void *image, const char *sentence)
{
	struct news *n = calloc(1, sizeof(*n));
	struct text t = { 0 };

	if (!n)
		abort(); /* as for orders: without some octets nothing here goes on */
	text_adds(&t, sentence);
	if (t.n >= sizeof(n->sentence))
		t.n = sizeof(n->sentence) - 1;
	if (t.n)
		memcpy(n->sentence, t.p, t.n);
	text_free(&t);
	n->letter.read = read_news;
	n->worker = w;
	n->image = image;
	return n;
}

static void tell_growing(const struct download *d)
{
	struct news *n = news_of(d->worker, d->image, "");

	n->growing = growing_ref(d->growing);
	mailbox_post(d->worker->home, &n->letter);
}

static void tell_gone(void *ctx, const char *name)
{
	struct image_worker *w = ctx;

	mailbox_post(w->home, &news_of(w, NULL, name)->letter);
}

/* --- downloads, on the thread --- */

static void break_off(struct download *d)
{
	if (d->growing)
		growing_break(d->growing);
	growing_unref(d->growing);
	d->growing = NULL;
}

static void on_progress(void *ctx, const struct fetch_progress *p)
{
	struct download *d = ctx;
	uint64_t held = d->has_sha256 ? HOLD_OCTETS : 0;

	if (d->file != p->file) {
		break_off(d);
		d->is_doubtful = false;
	}
	d->file = p->file;
	/* Who goes on as a file of another length might have the held octets out before they
	 * are verified: such a file flows no more. */
	if (d->growing && p->total != growing_total(d->growing)) {
		break_off(d);
		d->is_doubtful = true;
	}
	if (p->total == UPSTREAM_LENGTH_UNKNOWN || d->is_doubtful)
		return; /* nobody could be told its Content-Length */
	if (!d->growing && growing_new(p->fd, p->total, &d->growing) == 0)
		tell_growing(d);
	if (!d->growing || p->total <= held)
		return;
	growing_announce(d->growing, p->got < p->total - held || !held ? p->got : p->total - held);
}

static bool has_room(void *ctx, uint64_t octets)
{
	const struct download *d = ctx;

	return image_shelf_claim(d->worker->shelf, d->name, octets) == 0;
}

static void on_disk(void *ctx, bool is_at_disk)
{
	const struct download *d = ctx;

	image_shelf_hold(d->worker->shelf, d->name, is_at_disk);
}

static void on_done(void *ctx, const struct fetch_end *end)
{
	struct download *d = ctx;
	struct image_worker *w = d->worker;
	struct news *n = news_of(w, d->image, end->sentence);

	if (d->growing && end->result == 0)
		growing_announce(d->growing, growing_total(d->growing));
	else
		break_off(d);
	n->end.result = end->result;
	(void)snprintf(n->path, sizeof(n->path), "%s", end->path ? end->path : "");
	if (w->shelf)
		n->end.is_there = image_shelf_end(w->shelf, d->name, &n->end.size);
	mailbox_post(w->home, &n->letter);
	DL_DELETE(w->downloads, d);
	free_download(d);
}

static int begin(struct download *d)
{
	static const struct fetch_events events = {
		.has_room = has_room, .at_disk = on_disk, .progress = on_progress, .done = on_done
	};
	struct image_worker *w = d->worker;
	/* An old copy will do when its server is away. */
	bool has_copy = !d->has_sha256 && image_shelf_has(w->shelf, d->name);
	struct fetch_request request = { .url = d->url,
		.sha256 = d->has_sha256 ? &d->sha256 : NULL,
		.size_max = d->limit,
		.stall_s = has_copy ? STALL_COPY_S : STALL_S,
		.tries = has_copy ? 1 : TRIES,
		.keep_note = !d->has_sha256,
		.resume = true, /* beginnings of earlier runs are not there any more */
		.may_be_there = true };
	struct text path = { 0 };
	struct fetch *fetch;
	int r = image_shelf_begin(w->shelf, d->name, d->limit);

	text_addf(&path, "%s/%s", w->dir, d->name);
	request.path = text_str(&path);
	if (r == 0)
		r = path.failed ? -ENOMEM : fetch_begin(w->fetcher, &request, &events, d, &fetch);
	text_free(&path);
	return r;
}

static void read_fetch(struct letter *l)
{
	struct download *d = (struct download *)l;
	struct image_worker *w = d->worker;
	int r = w->fetcher ? 0 : -ENOMEM;

	DL_APPEND(w->downloads, d);
	if (r == 0 && !w->shelf)
		r = image_shelf_open(w->dir, tell_gone, w, &w->shelf);
	if (r == 0)
		r = begin(d);
	if (r < 0)
		on_done(d,
			&(struct fetch_end){ r,
				r == -ENOSPC ? "there is no room for one more file"
					     : "out of memory",
				NULL });
}

static void read_use(struct letter *l)
{
	struct download *d = (struct download *)l;

	if (d->worker->shelf)
		image_shelf_use(d->worker->shelf, d->name);
	free_download(d);
}

/* --- the end --- */

static void free_worker(void *ctx)
{
	struct image_worker *w = ctx;

	mailbox_free(w->home);
	free(w->dir);
	free(w);
}

static void read_ended(struct letter *l)
{
	struct download *d = (struct download *)l;
	struct image_worker *w = d->worker;

	free_download(d);
	worker_join(w->thread);
	mailbox_close(w->home, free_worker, w);
}

/* No disk has anything of ours: the thread ends at once, and nobody who joins it waits. */
static void on_fetcher_closed(void *ctx)
{
	struct download *d = ctx;
	struct image_worker *w = d->worker;

	worker_finish(w->thread);
	d->letter.read = read_ended;
	mailbox_post(w->home, &d->letter);
}

static void read_close(struct letter *l)
{
	struct download *d = (struct download *)l, *cut, *next;
	struct image_worker *w = d->worker;

	struct fetcher *fetcher = w->fetcher;

	w->fetcher = NULL;
	DL_FOREACH_SAFE(w->downloads, cut, next) {
		break_off(cut);
		free_download(cut);
	}
	w->downloads = NULL;
	image_shelf_free(w->shelf);
	w->shelf = NULL;
	fetcher_close(fetcher, on_fetcher_closed, d);
}

/* --- the main thread --- */

static int post(struct image_worker *w, void (*read)(struct letter *l), void *image,
	const struct image_order *order)
{
	struct download *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->letter.read = read;
	d->worker = w;
	d->image = image;
	if (order->url)
		d->url = strdup(order->url);
	if (order->name)
		d->name = strdup(order->name);
	if ((order->url && !d->url) || (order->name && !d->name)) {
		free_download(d);
		return -ENOMEM;
	}
	d->has_sha256 = order->sha256 != NULL;
	if (order->sha256)
		d->sha256 = *order->sha256;
	d->limit = order->limit;
	mailbox_post(worker_inbox(w->thread), &d->letter);
	return 0;
}

int image_worker_fetch(struct image_worker *w, void *image, const struct image_order *order)
{
	return post(w, read_fetch, image, order);
}

void image_worker_use(struct image_worker *w, const char *name)
{
	/* Without memory it counts as not used: the next time has its chance. */
	(void)post(w, read_use, NULL, &(struct image_order){ .name = name });
}

void image_worker_close(struct image_worker *w)
{
	w->closing = true;
	if (post(w, read_close, NULL, &(struct image_order){ 0 }) < 0)
		abort();
}

int image_worker_new(uv_loop_t *loop, const char *dir, const char *ca,
	const struct image_worker_hooks *hooks, void *ctx, struct image_worker **ret)
{
	struct image_worker *w = calloc(1, sizeof(*w));
	int r = w ? worker_new(&w->thread) : -ENOMEM;

	if (r < 0) {
		free(w);
		return r;
	}
	w->hooks = hooks;
	w->ctx = ctx;
	w->dir = strdup(dir);
	r = w->dir ? mailbox_new(loop, NULL, NULL, &w->home) : -ENOMEM;
	if (r == 0)
		r = fetcher_new(worker_loop(w->thread), ca, &w->fetcher);
	if (r == 0)
		r = worker_start(w->thread, "images");
	if (r == 0)
		*ret = w;
	return r; /* what is half made stays: a process without memory for it has worse to fear */
}
