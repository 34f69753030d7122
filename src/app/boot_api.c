/* The boot API's answers: asked, kept, told. */
#include "app/boot_api.h"

#include "app/machines.h"
#include "base/escape.h"
#include "edge/ask.h"
#include "edge/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#define MACHINES_MAX 4096u /* answers that are kept; what was not asked for longest makes room */
#define ASKS_MAX     256u  /* at one time: anybody may ask for made-up machines */
#define WAITERS_MAX  4096u /* questions that wait for all of them */
#define OCTETS_MAX   (256u << 10) /* of an answer */
#define FAILED_S     1 /* a failure holds for so long, or a room of machines would ask in turn */
#define WHY_MAX      256

struct waiter {
	struct waiter *next, *prev;
	struct question *question;
};

/* One machine: what was said of it last, and the ask that is under way.  What it was
 * told to fetch stays there while the API is asked again. */
struct entry {
	UT_hash_handle hh; /* in the order in which they were asked */
	struct boot_api *api;
	struct mac mac;
	char *url;       /* that was asked: after a reload it may be another */
	struct ask *ask; /* NULL: answered */
	struct waiter *waiters;
	int64_t until_ms;
	enum boot_api_verdict verdict;
	bool has_answer;
	struct boot_api_answer answer; /* the last that was one */
	char why[WHY_MAX];
};

struct boot_api {
	struct site *site;
	struct fetch_loop *loop;
	boot_api_told told;
	struct entry *entries; /* by MAC */
	unsigned n_asks, n_waiters;
	bool is_closed;
};

int boot_api_new(uv_loop_t *loop, struct site *site, boot_api_told told, struct boot_api **ret)
{
	struct boot_api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->site = site;
	api->told = told;
	r = fetch_loop_new(loop, &api->loop);
	if (r < 0) {
		free(api);
		return r;
	}
	*ret = api;
	return 0;
}

/* --- entries --- */

static void entry_free(struct entry *e)
{
	HASH_DEL(e->api->entries, e);
	if (e->has_answer)
		boot_api_answer_free(&e->answer);
	free(e->url);
	free(e);
}

static void make_room(struct boot_api *api)
{
	struct entry *e, *next;

	if (HASH_COUNT(api->entries) < MACHINES_MAX)
		return;
	HASH_ITER(hh, api->entries, e, next)
		if (!e->ask) {
			entry_free(e);
			return;
		}
}

static char *url_of(const char *api, struct mac mac)
{
	struct text url = { 0 };
	size_t n = strlen(api);

	while (n > 0 && api[n - 1] == '/')
		n--;
	text_add(&url, (struct span){ (const uint8_t *)api, n });
	text_addf(&url, "/v1/boot/%s", mac_str(mac).s);
	if (url.failed) {
		text_free(&url);
		return NULL;
	}
	return url.p;
}

/* Is it of the API that the configuration names now? */
static bool is_in_force(const struct entry *e)
{
	const char *api = e->api->site->cfg->boot_api.url;
	char *url = api ? url_of(api, e->mac) : NULL;
	bool same = url && strcmp(e->url, url) == 0;

	free(url);
	return same;
}

/* --- telling --- */

/* While the API is away, the machine waits or the rules hold, as the configuration says; while
 * we do not ask it, they never do: what it would have said may be something else. */
static enum boot_api_verdict verdict_of(const struct boot_api *api, const struct entry *e)
{
	return e->verdict != BOOT_API_WAIT || api->is_closed || api->site->cfg->boot_api.waits
		? e->verdict
		: BOOT_API_RULES;
}

static void tell(struct boot_api *api, struct question *q, const struct entry *e)
{
	const struct boot_api_word word = {
		.verdict = verdict_of(api, e), .answer = &e->answer, .why = e->why
	};

	api->told(api->site, q, e->mac, &word);
}

static void tell_to_wait(struct boot_api *api, struct question *q, struct mac mac, const char *why)
{
	api->told(
		api->site, q, mac, &(struct boot_api_word){ .verdict = BOOT_API_WAIT, .why = why });
}

static void tell_waiters(struct entry *e)
{
	struct waiter *w, *next;

	DL_FOREACH_SAFE(e->waiters, w, next) {
		given_error(&w->question->given, -ENOENT, "%s", "");
		tell(e->api, w->question, e);
		/* What was decided now may have changed the machine's state; or it takes a file yet. */
		if (w->question->given.kind != GIVEN_LATER)
			machines_answer(e->api->site, w->question);
		e->api->n_waiters--;
		free(w);
	}
	e->waiters = NULL;
}

static void say_failure(struct entry *e, const char *fmt, const char *detail)
{
	const struct mac_text mac = mac_str(e->mac);
	const struct log_field fields[] = { FIELD_STR("mac", mac.s) };
	struct text shown = { 0 };

	e->verdict = BOOT_API_WAIT;
	escape_log(&shown, span_str(detail), 160);
	(void)snprintf(e->why, sizeof(e->why), fmt, text_str(&shown));
	text_free(&shown);
	log_event(e->api->site->log, LOG_WARNING, "api", fields, ARRAY_LEN(fields), "%s: %s", mac.s,
		e->why);
}

static void take_answer(struct entry *e, struct span body)
{
	char why[BOOT_API_WHY_MAX] = "out of memory", prefix[40];
	struct boot_api_answer answer;

	(void)snprintf(prefix, sizeof(prefix), "machines/%s", mac_str_dashed(e->mac).s);
	if (boot_api_answer_read(body, e->url, e->api->site->cfg->http_root, prefix, &answer, why) <
		0) {
		say_failure(e, "the boot API's answer is none: %s", why);
		return;
	}
	if (e->has_answer)
		boot_api_answer_free(&e->answer);
	e->answer = answer;
	e->has_answer = true;
	e->verdict = BOOT_API_BOOTS;
}

static void on_answered(void *ctx, unsigned status, struct span body, const char *why)
{
	struct entry *e = ctx;
	char text[32];

	e->ask = NULL;
	e->api->n_asks--;
	if (status == 200) {
		take_answer(e, body);
	} else if (status == 404) {
		e->verdict = BOOT_API_RULES;
	} else if (status != 0) {
		(void)snprintf(text, sizeof(text), "%u", status);
		say_failure(e, "the boot API answers with status %s", text);
	} else {
		say_failure(e, "the boot API gives no answer: %s", why);
	}
	e->until_ms = clock_mono_ms() +
		1000 *
			(int64_t)(e->verdict == BOOT_API_WAIT
					? FAILED_S
					: e->api->site->cfg->boot_api.cache_s);
	tell_waiters(e);
}

/* --- asking --- */

static struct entry *entry_new(struct boot_api *api, struct mac mac)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	make_room(api);
	e->api = api;
	e->mac = mac;
	HASH_ADD(hh, api->entries, mac, sizeof(e->mac), e);
	return e;
}

/* Another API's word is none of this one's. */
static void start_over(struct entry *e)
{
	if (e->ask) {
		ask_cancel(e->ask);
		e->ask = NULL;
		e->api->n_asks--;
	}
	if (e->has_answer)
		boot_api_answer_free(&e->answer);
	e->has_answer = false;
	e->until_ms = 0;
}

/* What is known, or asked at this moment, of the API that is in force. */
static struct entry *known_or_asked(struct boot_api *api, struct mac mac)
{
	char *url = url_of(api->site->cfg->boot_api.url, mac);
	struct entry *e;

	if (!url)
		return NULL;
	HASH_FIND(hh, api->entries, &mac, sizeof(mac), e);
	if (e && strcmp(e->url, url) != 0)
		start_over(e);
	if (e && (e->ask || clock_mono_ms() < e->until_ms)) {
		free(url);
		return e;
	}
	if (api->n_asks == ASKS_MAX || (!e && !(e = entry_new(api, mac)))) {
		free(url);
		return NULL;
	}
	free(e->url);
	e->url = url;
	HASH_DEL(api->entries, e); /* to the end of their order */
	HASH_ADD(hh, api->entries, mac, sizeof(e->mac), e);
	if (ask_begin(api->loop, url, 1000 * api->site->cfg->boot_api.timeout_s, OCTETS_MAX,
		    on_answered, e, &e->ask) < 0) {
		say_failure(e, "%s", strerror(ENOMEM));
		tell_waiters(e); /* who waited for the API that was in force before */
		return NULL;
	}
	api->n_asks++;
	return e;
}

void boot_api_ask(struct boot_api *api, struct question *q, struct mac mac)
{
	struct entry *e = api->is_closed ? NULL : known_or_asked(api, mac);
	struct waiter *w;

	if (e && !e->ask) {
		tell(api, q, e);
		return;
	}
	w = e && api->n_waiters < WAITERS_MAX ? malloc(sizeof(*w)) : NULL;
	if (!w) {
		tell_to_wait(api, q, mac,
			api->is_closed
				? "the server stops"
				: "the boot API is asked for too many machines at this moment");
		return;
	}
	api->n_waiters++;
	w->question = q;
	q->given.kind = GIVEN_LATER;
	DL_APPEND(e->waiters, w);
}

const struct file_ref *boot_api_file(
	struct boot_api *api, struct mac mac, struct span part, bool *ret_private)
{
	struct entry *e;

	HASH_FIND(hh, api->entries, &mac, sizeof(mac), e);
	return e && e->has_answer && is_in_force(e)
		? boot_api_answer_file(&e->answer, part, ret_private)
		: NULL;
}

void boot_api_close(struct boot_api *api)
{
	struct entry *e, *next;

	api->is_closed = true;
	HASH_ITER(hh, api->entries, e, next) {
		if (e->ask)
			ask_cancel(e->ask);
		e->verdict = BOOT_API_WAIT;
		(void)snprintf(e->why, sizeof(e->why), "the server stops");
		tell_waiters(e);
		entry_free(e);
	}
	fetch_loop_close(api->loop);
	api->loop = NULL;
}

void boot_api_free(struct boot_api *api)
{
	free(api);
}
