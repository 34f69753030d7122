/* Waits for several images; see image_gather.h. */
#include "app/image_gather.h"

#include "app/image_cache.h"
#include "core/url.h"

#include <errno.h>
#include <stdlib.h>

#define LOOK_MS 20u /* between two looks whether a head has come */

struct slot {
	struct image_waiter waiter;
	struct gathering *of;
	struct image_wanted *wanted;
};

struct gathering {
	struct site *site;
	uv_timer_t timer;
	struct image_gather_terms terms;
	uint64_t end_ms;
	image_gather_over over;
	void *ctx;
	bool is_asking, is_over;
	size_t n;
	struct image_wanted *list;
	struct slot slots[];
};

static void on_timer(uv_timer_t *t);

static void on_closed(uv_handle_t *h)
{
	struct gathering *g = h->data;

	free(g->list);
	free(g);
}

static void finish(struct gathering *g, const struct image_wanted *failed)
{
	g->is_over = true;
	for (size_t i = 0; i < g->n; i++)
		image_cache_give_up(&g->slots[i].waiter);
	g->over(g->ctx, g->list, g->n, failed);
	for (size_t i = 0; i < g->n; i++)
		given_free(&g->list[i].given);
	uv_close((uv_handle_t *)&g->timer, on_closed);
}

static bool lacks_head(const struct image_wanted *w)
{
	uint64_t total;

	if (w->given.kind != GIVEN_GROWING)
		return false;
	total = growing_total(w->given.growing);
	return growing_available(w->given.growing) < (w->head < total ? w->head : total);
}

static void arm(struct gathering *g, bool lacks)
{
	uint64_t now_ms = uv_now(g->site->loop);
	uint64_t left_ms = now_ms < g->end_ms ? g->end_ms - now_ms : 0;

	if (lacks && (!g->terms.limit_ms || left_ms > LOOK_MS))
		left_ms = LOOK_MS;
	if (lacks || g->terms.limit_ms)
		(void)uv_timer_start(&g->timer, on_timer, left_ms, 0);
}

/* Is it over by now? */
static void look(struct gathering *g)
{
	bool waits = false, lacks = false;

	for (size_t i = 0; i < g->n; i++) {
		if (g->list[i].given.kind == GIVEN_ERROR) {
			finish(g, &g->list[i]);
			return;
		}
		waits |= g->list[i].given.kind == GIVEN_LATER;
		lacks |= lacks_head(&g->list[i]);
	}
	if (waits || lacks)
		arm(g, lacks);
	else
		finish(g, NULL);
}

static void on_answered(struct image_waiter *w, struct given *given)
{
	struct slot *s = (struct slot *)w;

	s->wanted->given = *given;
	if (!s->of->is_asking)
		look(s->of);
}

static void ask(struct slot *s)
{
	s->wanted->given.kind = GIVEN_LATER;
	s->waiter = (struct image_waiter){ .wants_all = s->of->terms.wants_all,
		.answered = on_answered };
	image_cache_get(s->of->site->images, s->wanted->ref, &s->waiter);
}

static void time_is_up(struct gathering *g)
{
	struct text url = { 0 };
	size_t i = 0;

	while (g->list[i].given.kind != GIVEN_LATER && !lacks_head(&g->list[i]))
		i++;
	given_free(&g->list[i].given);
	url_show(span_str(g->list[i].ref->upstream), &url);
	given_error(&g->list[i].given, -EHOSTUNREACH, "%s is still being fetched: try again",
		text_str(&url));
	text_free(&url);
	finish(g, &g->list[i]);
}

/* Whatever has no head yet is asked for anew: it may be broken, another version, or
 * whole by now, and the cache may be closed. */
static void on_timer(uv_timer_t *t)
{
	struct gathering *g = t->data;

	g->is_asking = true;
	for (size_t i = 0; i < g->n; i++) {
		if (lacks_head(&g->list[i])) {
			given_free(&g->list[i].given);
			ask(&g->slots[i]);
		}
	}
	g->is_asking = false;
	look(g);
	if (!g->is_over && g->terms.limit_ms && uv_now(g->site->loop) >= g->end_ms)
		time_is_up(g);
}

static struct gathering *gathering_new(struct site *site, size_t n)
{
	struct gathering *g = calloc(1, sizeof(*g) + n * sizeof(g->slots[0]));

	if (!g)
		return NULL;
	g->list = calloc(n, sizeof(g->list[0]));
	if (!g->list || uv_timer_init(site->loop, &g->timer) < 0) {
		free(g->list);
		free(g);
		return NULL;
	}
	g->site = site;
	g->timer.data = g;
	g->n = n;
	return g;
}

int image_gather(struct site *site, const struct image_wanted *list, size_t n,
	const struct image_gather_terms *terms, image_gather_over over, void *ctx)
{
	struct gathering *g = gathering_new(site, n);

	if (!g)
		return -ENOMEM;
	g->terms = *terms;
	g->end_ms = uv_now(site->loop) + terms->limit_ms;
	g->over = over;
	g->ctx = ctx;
	g->is_asking = true;
	for (size_t i = 0; i < n; i++) {
		g->list[i] = list[i];
		g->slots[i] = (struct slot){ .of = g, .wanted = &g->list[i] };
		ask(&g->slots[i]);
	}
	g->is_asking = false;
	look(g);
	return 0;
}

int image_wanted_take(struct image_wanted *w, struct source_file *ret)
{
	int r = 0;

	if (w->given.kind == GIVEN_GROWING)
		r = source_file_growing(w->given.growing, ret);
	else
		*ret = (struct source_file){ .fd = w->given.fd, .st = w->given.st };
	if (r == 0)
		w->given = (struct given){ .kind = GIVEN_ERROR, .error = -ENOENT };
	return r;
}
