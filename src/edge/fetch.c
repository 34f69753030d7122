/* One download; see fetch.h.
 *
 *   begin -> open -> attempt -> octets ... -> transfer_ended -> close -> finish
 *                       ^                          |
 *                       +---- timer, try again ----+
 *
 * Opening what is there (its digest) and closing what is whole (fsync) take as long as
 * the disk does, and are a disk_job each.
 */
#include "edge/fetch.h"

#include "base/text.h"
#include "core/upstream.h"
#include "core/url.h"
#include "edge/disk_jobs.h"
#include "edge/fetch_loop.h"
#include "edge/partial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define REDIRECTS_MAX  5L
#define FIRST_PAUSE_MS 250u
#define ROOM_TRIES     2u    /* more than others: some seconds */
#define SLOW_BYTES_S   1000L /* less than that for stall_s is a stall */

struct fetcher {
	struct fetch_loop *loop; /* NULL: closed */
	char *ca;
	struct fetch *fetches;
	struct disk_jobs disk;
	unsigned refs; /* its owner's, and one of each fetch that is not freed yet */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

struct fetch {
	struct fetch_transfer transfer; /* first: transfer_ended() finds the fetch by it */
	struct fetcher *fetcher;
	struct fetch *prev, *next;
	struct fetch_events events;
	void *ctx;
	/* the request */
	char *url, *path;
	struct text shown; /* the URL, in sentences */
	struct sha256 sha256;
	bool has_sha256, resume, keep_note, may_be_there;
	uint64_t size_max;
	unsigned stall_s, tries;
	/* on a worker: the partial is the job's then */
	struct disk_job job;
	bool is_at_disk;
	bool is_cancelled; /* atomic: a worker may be at it */
	int job_result;
	struct sha256 got;
	/* this attempt */
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	uint64_t asked_from;
	bool judged, is_conditional;
	enum upstream_verdict verdict;
	int failed; /* why our own side ended it: -errno */
	/* all attempts */
	struct partial *partial;
	struct fetch_progress now;
	uint64_t furthest; /* ever: what comes once more is no progress */
	unsigned tried;    /* in a row without progress */
	uv_timer_t pause;
	struct text sentence;
};

int fetcher_new(uv_loop_t *loop, const char *ca, struct fetcher **ret)
{
	struct fetcher *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	if (f && ca)
		f->ca = strdup(ca);
	if (f && (!ca || f->ca))
		r = fetch_loop_new(loop, &f->loop);
	if (r < 0) {
		if (f)
			free(f->ca);
		free(f);
		return r;
	}
	f->disk.loop = loop;
	f->refs = 1;
	*ret = f;
	return 0;
}

static void fetcher_unref(struct fetcher *f)
{
	if (--f->refs > 0)
		return;
	if (f->closed)
		f->closed(f->closed_ctx);
	free(f->ca);
	free(f);
}

void fetcher_close(struct fetcher *f, void (*closed)(void *ctx), void *ctx)
{
	f->closed = closed;
	f->closed_ctx = ctx;
	while (f->fetches)
		fetch_cancel(f->fetches);
	fetch_loop_close(f->loop);
	f->loop = NULL;
	fetcher_unref(f);
}

/* --- the end --- */

static void free_fetch(uv_handle_t *handle)
{
	struct fetch *f = handle->data;

	fetcher_unref(f->fetcher);
	text_free(&f->sentence);
	text_free(&f->shown);
	free(f->url);
	free(f->path);
	free(f);
}

static void end_attempt(struct fetch *f)
{
	if (f->transfer.easy) {
		fetch_loop_remove(f->fetcher->loop, &f->transfer);
		curl_easy_cleanup(f->transfer.easy);
	}
	f->transfer.easy = NULL;
	curl_slist_free_all(f->headers);
	f->headers = NULL;
}

static void let_go(struct fetch *f)
{
	partial_close(f->partial);
	f->partial = NULL;
	uv_close((uv_handle_t *)&f->pause, free_fetch);
}

void fetch_cancel(struct fetch *f)
{
	end_attempt(f);
	DL_DELETE(f->fetcher->fetches, f);
	if (!f->is_at_disk || disk_jobs_drop(&f->job))
		let_go(f);
	else
		__atomic_store_n(&f->is_cancelled, true,
			__ATOMIC_RELAXED); /* what a worker has is let go when it has done */
}

static void PRINTF(4, 5)
	finish_at(struct fetch *f, int result, const char *path, const char *fmt, ...)
{
	struct fetch_end end = { .result = result, .path = path };
	va_list ap;

	text_reset(&f->sentence);
	va_start(ap, fmt);
	text_addv(&f->sentence, fmt, ap);
	va_end(ap);
	end_attempt(f);
	partial_close(f->partial);
	f->partial = NULL;
	end.sentence = text_str(&f->sentence);
	f->events.done(f->ctx, &end);
	fetch_cancel(f);
}

#define finish(f, result, ...) finish_at((f), (result), NULL, __VA_ARGS__)

static void finish_unwritten(struct fetch *f, int result)
{
	finish_at(f, result, f->path, "%s cannot be written to disk: %s", text_str(&f->shown),
		strerror(-result));
}

/* --- what a worker does --- */

static struct fetch *fetch_of(struct disk_job *job)
{
	return (struct fetch *)((char *)job - offsetof(struct fetch, job));
}

static void set_at_disk(struct fetch *f, bool is_at_disk)
{
	f->is_at_disk = is_at_disk;
	if (f->events.at_disk && !f->is_cancelled)
		f->events.at_disk(f->ctx, is_at_disk);
}

static void give_to_disk(
	struct fetch *f, void (*run)(struct disk_job *), void (*done)(struct disk_job *))
{
	f->job.run = run;
	f->job.done = done;
	set_at_disk(f, true);
	disk_jobs_add(&f->fetcher->disk, &f->job);
}

/* False: nobody waits for it any more. */
static bool is_back_from_disk(struct fetch *f)
{
	set_at_disk(f, false);
	if (f->is_cancelled)
		let_go(f);
	return !f->is_cancelled;
}

/* --- what the server answers --- */

static struct span header(CURL *easy, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK
		? span_str(h->value)
		: SPAN_NONE;
}

static int begin_whole(struct fetch *f, const struct upstream_reply *reply)
{
	f->now.resumed = 0;
	f->now.file++;
	return partial_start(f->partial, upstream_validator(reply));
}

/* At the first octet of a body, or at the end where there is none. */
static int judge(struct fetch *f)
{
	CURL *easy = f->transfer.easy;
	long status = 0;
	struct upstream_reply reply = {
		.content_range = header(easy, "Content-Range"),
		.content_length = header(easy, "Content-Length"),
		.etag = header(easy, "ETag"),
		.last_modified = header(easy, "Last-Modified"),
	};

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	reply.status = (unsigned)status;
	f->judged = true;
	f->verdict = upstream_judge(&reply, f->asked_from, f->is_conditional, &f->now.total);
	if (f->verdict != UPSTREAM_WHOLE && f->verdict != UPSTREAM_REST)
		return 0;
	if (f->now.total != UPSTREAM_LENGTH_UNKNOWN && f->now.total > f->size_max)
		return -EFBIG;
	return f->verdict == UPSTREAM_WHOLE ? begin_whole(f, &reply) : 0;
}

/* What is about to be more than there may be. */
static int judge_size(struct fetch *f, size_t n)
{
	uint64_t octets = partial_size(f->partial) + n;

	if (octets > f->size_max)
		return -EFBIG;
	if (f->now.total != UPSTREAM_LENGTH_UNKNOWN && octets > f->now.total)
		return -EPROTO;
	if (f->now.total != UPSTREAM_LENGTH_UNKNOWN)
		octets = f->now.total;
	return f->events.has_room && !f->events.has_room(f->ctx, octets) ? -EXFULL : 0;
}

static size_t take_octets(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;
	struct span octets = { (uint8_t *)p, size * n };

	if (!f->judged)
		f->failed = judge(f);
	if (f->failed == 0 && f->verdict != UPSTREAM_WHOLE && f->verdict != UPSTREAM_REST)
		return 0; /* a page with an apology */
	if (f->failed == 0)
		f->failed = judge_size(f, octets.n);
	if (f->failed == 0)
		f->failed = partial_add(f->partial, octets);
	if (f->failed < 0)
		return 0;
	f->now.got = partial_size(f->partial);
	if (f->now.got > f->furthest) {
		f->furthest = f->now.got;
		f->tried = 0;
	}
	f->now.fd = partial_fd(f->partial);
	if (f->events.progress)
		f->events.progress(f->ctx, &f->now);
	return octets.n;
}

/* --- an attempt --- */

static bool add_header(struct fetch *f, const char *name, struct span value)
{
	struct text line = { 0 };
	struct curl_slist *longer = NULL;

	text_addf(&line, "%s: ", name);
	text_add(&line, value);
	if (!line.failed)
		longer = curl_slist_append(f->headers, text_str(&line));
	text_free(&line);
	if (longer)
		f->headers = longer;
	return longer != NULL;
}

static bool set_range(struct fetch *f)
{
	char range[32];

	if (f->asked_from == 0)
		return true;
	(void)snprintf(range, sizeof(range), "%llu-", (unsigned long long)f->asked_from);
	return curl_easy_setopt(f->transfer.easy, CURLOPT_RANGE, range) == CURLE_OK &&
		add_header(f, "If-Range", partial_validator(f->partial));
}

/* Only another version than the one in place is wanted. */
static bool set_condition(struct fetch *f)
{
	struct span known = partial_in_place(f->partial);

	f->is_conditional = known.n > 0 && f->asked_from == 0;
	if (!f->is_conditional)
		return true;
	return add_header(f, known.p[0] == '"' ? "If-None-Match" : "If-Modified-Since", known);
}

static bool set_options(struct fetch *f)
{
	CURL *easy = f->transfer.easy;
	bool proven_way = url_is_https(span_str(f->url)) && !f->has_sha256;

#define SET(option, value) (curl_easy_setopt(easy, (option), (value)) == CURLE_OK)
	return SET(CURLOPT_URL, f->url) &&
		SET(CURLOPT_QUICK_EXIT, 1L) && /* a dead DNS server stops no other file */
		SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
		SET(CURLOPT_REDIR_PROTOCOLS_STR, proven_way ? "https" : "http,https") &&
		SET(CURLOPT_FOLLOWLOCATION, 1L) && SET(CURLOPT_MAXREDIRS, REDIRECTS_MAX) &&
		SET(CURLOPT_NOSIGNAL, 1L) &&
		SET(CURLOPT_USERAGENT, "bootsmith/" BOOTSMITH_VERSION) &&
		SET(CURLOPT_CONNECTTIMEOUT, (long)f->stall_s) &&
		SET(CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_S) &&
		SET(CURLOPT_LOW_SPEED_TIME, (long)f->stall_s) &&
		SET(CURLOPT_WRITEFUNCTION, take_octets) && SET(CURLOPT_WRITEDATA, f) &&
		SET(CURLOPT_ERRORBUFFER, f->error) && SET(CURLOPT_BUFFERSIZE, 256L << 10) &&
		(!f->fetcher->ca || SET(CURLOPT_CAINFO, f->fetcher->ca)) && set_range(f) &&
		set_condition(f) && SET(CURLOPT_HTTPHEADER, f->headers);
#undef SET
}

static void transfer_ended(struct fetch_transfer *t, CURLcode code);

static void attempt(struct fetch *f)
{
	end_attempt(f);
	f->judged = false;
	f->failed = 0;
	f->error[0] = '\0';
	f->asked_from = f->resume && partial_validator(f->partial).n > 0 ? partial_size(f->partial)
									 : 0;
	if (f->now.file == 0)
		f->now.resumed = f->asked_from;
	f->transfer.ended = transfer_ended;
	f->transfer.easy = curl_easy_init();
	if (!f->transfer.easy || !set_options(f) ||
		fetch_loop_add(f->fetcher->loop, &f->transfer) < 0)
		finish(f, -ENOMEM, "out of memory");
}

static void on_pause_over(uv_timer_t *timer)
{
	attempt(timer->data);
}

static void attempt_after(struct fetch *f, uint64_t ms)
{
	(void)uv_timer_start(&f->pause, on_pause_over, ms, 0);
}

/* What we have is good for the rest of it, now or in another process. */
static bool try_again(struct fetch *f, unsigned tries)
{
	if (f->tried + 1 >= tries)
		return false;
	f->resume = true;
	attempt_after(f, (uint64_t)FIRST_PAUSE_MS << (f->tried < 5 ? f->tried : 5));
	f->tried++;
	return true;
}

/* --- how it ended --- */

static void finish_own_failure(struct fetch *f)
{
	/* What cannot become whole makes room: a full disk is everybody's. */
	partial_discard(f->partial);
	/* What has just come, or is about to fail, makes room soon. */
	if (f->failed == -EXFULL && f->tries > 1 && try_again(f, f->tries + ROOM_TRIES))
		return;
	if (f->failed == -EFBIG)
		finish(f, -EFBIG, "%s is larger than the %llu MiB that are allowed",
			text_str(&f->shown), (unsigned long long)(f->size_max >> 20));
	else if (f->failed == -EXFULL)
		finish(f, -ENOSPC, "there is no room for %s beside what else is being fetched",
			text_str(&f->shown));
	else if (f->failed == -EPROTO)
		finish(f, -EPROTO, "%s: the server sends more than the length that it said",
			text_str(&f->shown));
	else
		finish_unwritten(f, f->failed);
}

static void finish_refused(struct fetch *f)
{
	long status = 0;

	(void)curl_easy_getinfo(f->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (upstream_is_passing((unsigned)status) && try_again(f, f->tries))
		return;
	finish(f, status == 404 || status == 410 ? -ENOENT : -EIO, "%s: the server answers %ld",
		text_str(&f->shown), status);
}

static void close_partial(struct disk_job *job)
{
	struct fetch *f = fetch_of(job);

	f->job_result = partial_finish(f->partial, f->has_sha256 ? &f->sha256 : NULL, &f->got);
}

static void on_partial_closed(struct disk_job *job)
{
	struct fetch *f = fetch_of(job);
	int r = f->job_result;

	if (!is_back_from_disk(f))
		return;
	if (r == 0) {
		finish(f, 0, "%s", "");
	} else if (r != -EBADMSG) {
		partial_discard(f->partial); /* what the disk could not take down is no beginning */
		finish_unwritten(f, r);
	} else if (f->now.resumed > 0) {
		/* What another process began may be no beginning of this. */
		f->now.resumed = 0;
		attempt_after(f, 0);
	} else {
		finish(f, r, "%s is not what was expected: its SHA-256 is %s, expected %s",
			text_str(&f->shown), sha256_str(f->got).s, sha256_str(f->sha256).s);
	}
}

/* A 206 need not say how long it is itself, and may just end. */
static bool is_whole(const struct fetch *f)
{
	return f->now.total == UPSTREAM_LENGTH_UNKNOWN || partial_size(f->partial) == f->now.total;
}

static bool may_pass(CURLcode code)
{
	static const CURLcode codes[] = { CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST,
		CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT,
		CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2,
		CURLE_HTTP2_STREAM, CURLE_SSL_CONNECT_ERROR };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

static void transfer_ended(struct fetch_transfer *t, CURLcode code)
{
	struct fetch *f = (struct fetch *)t;

	if (code == CURLE_OK && !f->judged)
		f->failed = judge(f);
	if (f->failed < 0) {
		finish_own_failure(f);
	} else if (f->judged && f->verdict == UPSTREAM_AGAIN) {
		partial_discard(f->partial);
		if (!try_again(f, f->tries))
			finish(f, -EIO,
				"%s: the server gives other ranges than those that it is asked for",
				text_str(&f->shown));
	} else if (f->judged && f->verdict == UPSTREAM_SAME) {
		finish(f, -EALREADY, "%s", "");
	} else if (f->judged && f->verdict == UPSTREAM_REFUSED) {
		finish_refused(f);
	} else if (code == CURLE_OK && is_whole(f)) {
		give_to_disk(f, close_partial, on_partial_closed);
	} else if (code == CURLE_OK && !try_again(f, f->tries)) {
		finish(f, -EIO, "%s: the server ends the file before its length",
			text_str(&f->shown));
	} else if (code == CURLE_SSL_CACERT_BADFILE) { /* curl's own words name the file */
		finish_at(f, -EIO, f->fetcher->ca, "%s: %s", text_str(&f->shown),
			curl_easy_strerror(code));
	} else if (code != CURLE_OK && (!may_pass(code) || !try_again(f, f->tries))) {
		finish(f, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO, "%s: %s",
			text_str(&f->shown), f->error[0] ? f->error : curl_easy_strerror(code));
	}
}

/* --- the beginning --- */

static bool is_in_place(const struct fetch *f)
{
	struct sha256 got;

	return f->may_be_there && f->has_sha256 &&
		partial_sha256_of(f->path, &f->is_cancelled, &got) == 0 &&
		sha256_eq(got, f->sha256);
}

static void open_partial(struct disk_job *job)
{
	struct fetch *f = fetch_of(job);

	f->job_result = is_in_place(f)
		? -EEXIST
		: partial_open(f->path, f->url, f->keep_note, &f->is_cancelled, &f->partial);
}

static void on_partial_open(struct disk_job *job)
{
	struct fetch *f = fetch_of(job);
	int r = f->job_result;

	if (!is_back_from_disk(f))
		return;
	if (r == -EEXIST)
		finish(f, 0, "%s", "");
	else if (r == -EBUSY)
		finish_at(f, r, f->path, "another bootsmith fetches %s at this moment",
			text_str(&f->shown));
	else if (r < 0)
		finish_unwritten(f, r);
	else
		attempt(f);
}

int fetch_begin(struct fetcher *fetcher, const struct fetch_request *request,
	const struct fetch_events *events, void *ctx, struct fetch **ret)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->url = strdup(request->url);
	f->path = strdup(request->path);
	url_show(span_str(request->url), &f->shown);
	if (!f->url || !f->path || f->shown.failed ||
		uv_timer_init(fetch_loop_uv(fetcher->loop), &f->pause) < 0) {
		text_free(&f->shown);
		free(f->url);
		free(f->path);
		free(f);
		return -ENOMEM;
	}
	f->pause.data = f;
	f->fetcher = fetcher;
	f->events = *events;
	f->ctx = ctx;
	f->has_sha256 = request->sha256 != NULL;
	if (request->sha256)
		f->sha256 = *request->sha256;
	f->size_max = request->size_max;
	f->stall_s = request->stall_s;
	f->tries = request->tries;
	f->resume = request->resume;
	f->keep_note = request->keep_note;
	f->may_be_there = request->may_be_there;
	f->now = (struct fetch_progress){ .fd = -1, .total = UPSTREAM_LENGTH_UNKNOWN };
	DL_APPEND(fetcher->fetches, f);
	fetcher->refs++;
	*ret = f;
	give_to_disk(f, open_partial, on_partial_open);
	return 0;
}
