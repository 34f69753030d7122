/* Small documents, by libcurl. */
#include "edge/ask.h"

#include <errno.h>
#include <stdlib.h>

#define REDIRECTS_MAX 5L

struct ask {
	struct fetch_transfer transfer;
	struct fetch_loop *loop;
	struct text body;
	size_t octets_max;
	bool too_large;
	ask_answered answered;
	void *ctx;
	char message[CURL_ERROR_SIZE];
};

static size_t on_octets(char *p, size_t size, size_t n, void *ctx)
{
	struct ask *a = ctx;

	if (size * n > a->octets_max - a->body.n) {
		a->too_large = true;
		return 0;
	}
	text_add(&a->body, (struct span){ (const uint8_t *)p, size * n });
	return a->body.failed ? 0 : size * n;
}

static void ask_free(struct ask *a)
{
	curl_easy_cleanup(a->transfer.easy);
	text_free(&a->body);
	free(a);
}

static const char *why_none(const struct ask *a, CURLcode code)
{
	if (a->too_large)
		return "its answer is too long";
	if (a->body.failed)
		return "out of memory";
	return a->message[0] ? a->message : curl_easy_strerror(code);
}

static void on_ended(struct fetch_transfer *t, CURLcode code)
{
	struct ask *a = (struct ask *)t;
	long status = 0;

	if (code == CURLE_OK) {
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		a->answered(a->ctx, (unsigned)status, text_span(&a->body), "");
	} else {
		a->answered(a->ctx, 0, SPAN_NONE, why_none(a, code));
	}
	ask_free(a);
}

#define SET(option, value) (curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

static bool set_up(struct ask *a, const char *url, unsigned timeout_ms)
{
	CURL *easy = a->transfer.easy;

	return easy && SET(CURLOPT_URL, url) && SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms) &&
		SET(CURLOPT_NOSIGNAL, 1L) &&
		SET(CURLOPT_QUICK_EXIT,
			1L) && /* never wait for a thread that asks a dead DNS server */
		SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
		SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https") && SET(CURLOPT_FOLLOWLOCATION, 1L) &&
		SET(CURLOPT_MAXREDIRS, REDIRECTS_MAX) &&
		SET(CURLOPT_USERAGENT, "bootsmith/" BOOTSMITH_VERSION) &&
		SET(CURLOPT_WRITEFUNCTION, on_octets) && SET(CURLOPT_WRITEDATA, a) &&
		SET(CURLOPT_ERRORBUFFER, a->message);
}

int ask_begin(struct fetch_loop *loop, const char *url, unsigned timeout_ms, size_t octets_max,
	ask_answered answered, void *ctx, struct ask **ret)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->octets_max = octets_max;
	a->answered = answered;
	a->ctx = ctx;
	a->transfer.ended = on_ended;
	a->transfer.easy = curl_easy_init();
	if (!set_up(a, url, timeout_ms) || fetch_loop_add(loop, &a->transfer) < 0) {
		ask_free(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

void ask_cancel(struct ask *a)
{
	fetch_loop_remove(a->loop, &a->transfer);
	ask_free(a);
}
