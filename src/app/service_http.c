/* HTTP on the main thread: listens, answers what the serving threads ask (scripts),
 * and tells the log what they report.  Files are app/http_thread.c's. */
#include "app/service_http.h"

#include "app/http_thread.h"
#include "app/listeners.h"
#include "app/machines.h"
#include "app/progress.h"
#include "app/virtual_files.h"
#include "base/escape.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS_MAX 4u /* two saturate most networks; more cores are for others */
_Static_assert(THREADS_MAX < SITE_THREADS_MAX, "and one for TFTP");
#define CONNECTIONS_MAX    16384u
#define DESCRIPTORS_OTHERS 1024u /* of the process, for everything but HTTP */
#define STOP_GRACE_MS      5000  /* promise G-10 */

struct service_http {
	struct site *site;
	struct mailbox *home; /* what the threads post */
	struct http_thread *threads[THREADS_MAX];
	unsigned n_threads, n_running;
	int last_id;
	struct listeners listeners, tls_listeners;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static void on_question(void *ctx, struct question *q)
{
	struct service_http *s = ctx;

	virtual_files_answer(s->site, q);
}

/* Without what a machine phones home with, in whichever place of the query: who reads logs
 * need not know it. */
static struct span shown_target(const struct http_report *a)
{
	static const char secret[] = "token=";
	const uint8_t *query = a->target.n ? memchr(a->target.p, '?', a->target.n) : NULL;
	size_t n = query ? (size_t)(query - a->target.p) : a->target.n;

	return query && memmem(query, a->target.n - n, secret, sizeof(secret) - 1)
		? (struct span){ a->target.p, n }
		: a->target;
}

static void say_request(const struct http_report *a, struct text *out)
{
	text_adds(out, " ");
	escape_log(out, a->method, 16);
	text_adds(out, " ");
	escape_log(out, shown_target(a), 200);
	if (a->status)
		text_addf(out, " -> %u", a->status);
	if (a->drop != DROP_NONE)
		text_addf(out, ", %s: %s", drop_id(a->drop), drop_sentence(a->drop));
	else if (!a->complete)
		text_addf(out, ", ended by the client after %llu of %llu octets",
			(unsigned long long)a->sent, (unsigned long long)a->length);
	else if (a->sent)
		text_addf(out, ", %llu octets in %.2f s", (unsigned long long)a->sent,
			(double)a->duration_us / 1e6);
	if (a->drop == DROP_NONE)
		progress_add_rate(a->sent, a->duration_us, out);
}

static void say_report(struct service_http *s, const struct http_report *a)
{
	struct text sentence = { 0 }, line = { 0 };
	struct ip4_text peer = ip4_str(a->peer.addr);
	enum log_level level = LOG_INFO;
	unsigned long hidden = 0;
	struct mac_text mac;
	struct facts facts;

	if (a->drop != DROP_NONE) {
		level = LOG_WARNING;
		if (!log_drop_due(s->site->log, a->drop, &hidden))
			return;
	}
	(void)site_facts_of_address(s->site, a->peer.addr, &facts);
	mac = mac_str(facts.mac);
	site_machine_text(s->site, &facts, a->peer.addr, &sentence);
	say_request(a, &sentence);

	const struct log_field fields[] = {
		FIELD_STR("mac", facts.has_mac ? mac.s : NULL),
		FIELD_STR("peer", peer.s),
		FIELD_TEXT("method", a->method),
		FIELD_TEXT("target", shown_target(a)),
		FIELD_NUMBER("status", a->status),
		FIELD_NUMBER("octets", a->sent),
		FIELD_NUMBER("duration_us", a->duration_us),
		FIELD_SOME("octets_per_s", progress_octets_per_s(a->sent, a->duration_us)),
		FIELD_TEXT("user_agent", a->user_agent),
		FIELD_STR("drop", a->drop != DROP_NONE ? drop_id(a->drop) : NULL),
		FIELD_SOME("hidden", hidden),
	};

	log_compose(level, "http", fields, ARRAY_LEN(fields), text_span(&sentence), &line);
	log_write(s->site->log, &line);
	text_free(&sentence);
	text_free(&line);
}

static void on_report(void *ctx, struct http_report *r)
{
	struct service_http *s = ctx;
	unsigned long lost = serving_thread_take_lost(http_thread_serving(r->thread));

	if (r->is_running)
		progress_say(s->site,
			&(struct progress){ .topic = "http",
				.peer = r->peer.addr,
				.file = r->target,
				.done = r->sent,
				.size = r->length,
				.duration_us = r->duration_us });
	else
		say_report(s, r);
	if (http_report_is_whole_file(r))
		machines_fetched(s->site, r->peer.addr, TRANSPORT_HTTP, r->target);
	free(r);
	if (lost)
		log_say(s->site->log, LOG_WARNING, "http",
			"%lu requests have no line here: they came faster than the log takes",
			lost);
}

static void on_refused(void *ctx, const struct http_peer *peer, enum drop why)
{
	struct service_http *s = ctx;
	unsigned long hidden;
	struct ip4_text from = ip4_str(peer->addr);

	if (!log_drop_due(s->site->log, why, &hidden))
		return;

	const struct log_field fields[] = {
		FIELD_STR("peer", from.s),
		FIELD_STR("drop", drop_id(why)),
		FIELD_NUMBER("hidden", hidden),
	};

	log_event(s->site->log, LOG_WARNING, "http", fields, ARRAY_LEN(fields),
		"%s: a connection was turned away, %s: %s", from.s, drop_id(why),
		drop_sentence(why));
}

static void on_starved(void *ctx)
{
	struct service_http *s = ctx;
	unsigned long hidden;

	if (log_drop_due(s->site->log, DROP_HTTP_NO_DESCRIPTOR, &hidden))
		log_say(s->site->log, LOG_WARNING, "http",
			"%s, %s: raise the limit of open files (`ulimit -n`)",
			drop_id(DROP_HTTP_NO_DESCRIPTOR), drop_sentence(DROP_HTTP_NO_DESCRIPTOR));
}

/* The last thread is gone: nobody posts any more. */
static void on_home_closed(void *ctx)
{
	struct service_http *s = ctx;

	mailbox_free(s->home);
	s->closed(s->closed_ctx);
	free(s);
}

static void on_thread_closed(void *ctx, struct http_thread *t)
{
	struct service_http *s = ctx;

	site_remove_thread(s->site, http_thread_serving(t));
	http_thread_join(t);
	if (--s->n_running == 0)
		mailbox_close(s->home, on_home_closed, s);
}

static int open_on_threads(
	struct service_http *s, struct ip4 addr, uint16_t port, bool tls, int *ret_id)
{
	int fds[THREADS_MAX];
	int r = http_socket_listen(addr, port, s->n_threads, fds);

	if (r < 0)
		return r;
	*ret_id = ++s->last_id;
	for (unsigned i = 0; i < s->n_threads; i++)
		serving_thread_listen(http_thread_serving(s->threads[i]),
			&(struct serving_listener){
				.fd = fds[i], .id = *ret_id, .addr = addr, .tls = tls });
	return 0;
}

static int open_listener(void *ctx, struct ip4 addr, uint16_t port, int *ret_id)
{
	return open_on_threads(ctx, addr, port, false, ret_id);
}

static int open_tls_listener(void *ctx, struct ip4 addr, uint16_t port, int *ret_id)
{
	return open_on_threads(ctx, addr, port, true, ret_id);
}

static void close_listener(void *ctx, int id)
{
	struct service_http *s = ctx;

	for (unsigned i = 0; i < s->n_threads; i++)
		serving_thread_unlisten(http_thread_serving(s->threads[i]), id);
}

/* Each thread's share; a request takes a descriptor for its file too. */
static struct http_limits thread_limits(unsigned n_threads)
{
	struct rlimit l;
	unsigned connections = CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 &&
		l.rlim_cur < CONNECTIONS_MAX + CONNECTIONS_MAX / 4 + DESCRIPTORS_OTHERS)
		connections = l.rlim_cur > 2 * DESCRIPTORS_OTHERS
			? (unsigned)(l.rlim_cur - DESCRIPTORS_OTHERS) / 5 * 4
			: (unsigned)l.rlim_cur / 2;
	/* A quarter for one address: it may be a room behind a NAT, but not the whole daemon. */
	return (struct http_limits){ .connections = connections / n_threads + 1,
		.per_address = connections / n_threads / 4 + 1 };
}

int service_http_new(uv_loop_t *loop, struct site *site, struct service_http **ret)
{
	static const struct http_thread_hooks thread_hooks = { .question = on_question,
		.report = on_report,
		.refused = on_refused,
		.starved = on_starved,
		.closed = on_thread_closed };
	unsigned cores = uv_available_parallelism();
	struct service_http *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->site = site;
	s->n_threads = cores < THREADS_MAX ? cores : THREADS_MAX;
	r = serving_home_new(loop, site->log, &s->home);
	for (unsigned i = 0; r == 0 && i < s->n_threads; i++) {
		r = http_thread_new(s->home, &thread_hooks, s, i, thread_limits(s->n_threads),
			site->now, &s->threads[i]);
		if (r < 0)
			break;
		s->n_running++;
		site_add_thread(site, http_thread_serving(s->threads[i]));
	}
	if (r < 0) /* the daemon does not start, and what is half begun goes with it */
		return r;
	s->listeners = (struct listeners){ .topic = "http",
		.what = "TCP port",
		.open = open_listener,
		.close = close_listener,
		.server = s,
		.log = site->log };
	s->tls_listeners = s->listeners;
	s->tls_listeners.topic = "https";
	s->tls_listeners.open = open_tls_listener;
	*ret = s;
	return 0;
}

unsigned service_http_update(struct service_http *s, const struct ip4 *addrs, size_t n)
{
	const struct config *cfg = s->site->cfg;

	for (unsigned i = 0; i < s->n_threads; i++)
		serving_thread_adopt(http_thread_serving(s->threads[i]), s->site->now);
	return listeners_update(&s->listeners, addrs, n, cfg->http_port) +
		listeners_update(
			&s->tls_listeners, addrs, cfg->https_port ? n : 0, cfg->https_port);
}

unsigned service_http_open_count(const struct service_http *s)
{
	return listeners_open_count(&s->listeners);
}

void service_http_close(struct service_http *s, void (*closed)(void *ctx), void *ctx)
{
	s->closed = closed;
	s->closed_ctx = ctx;
	for (unsigned i = 0; i < s->n_threads; i++)
		serving_thread_close(http_thread_serving(s->threads[i]), STOP_GRACE_MS);
}
