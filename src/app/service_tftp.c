/* TFTP on the main thread: listens, and tells the log what the serving thread reports.
 * Files are app/tftp_thread.c's, transfers edge/tftp_server.c's. */
#include "app/service_tftp.h"

#include "app/listeners.h"
#include "app/machines.h"
#include "app/progress.h"
#include "app/tftp_thread.h"
#include "app/virtual_files.h"
#include "base/escape.h"

#include <errno.h>
#include <stdlib.h>

#define STOP_GRACE_MS 5000 /* promise G-10 */

struct service_tftp {
	struct site *site;
	struct mailbox *home; /* what the thread posts */
	struct tftp_thread *thread;
	int last_id;
	struct listeners listeners;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static void say_sent(const struct tftp_report *t, struct text *out)
{
	text_addf(out, "sent, %llu octets in %.2f s", (unsigned long long)t->terms.size,
		(double)t->duration_us / 1e6);
	progress_add_rate(t->terms.size, t->duration_us, out);
	text_addf(out, " (blksize %u", t->terms.blksize);
	if (t->terms.windowsize > 1)
		text_addf(out, ", windowsize %u", t->terms.windowsize);
	if (t->resent)
		text_addf(out, ", %u resent", (unsigned)t->resent);
	text_addc(out, ')');
}

static void say_outcome(const struct tftp_report *a, struct text *out)
{
	static const char *const words[] = {
		[TFTP_RUNNING] = "ended: the server stops",
		[TFTP_STOPPED] = "ended: the server stops",
		[TFTP_SENT] = "sent",
		[TFTP_PROBE] = "size asked, as UEFI does before it loads a file",
		[TFTP_REFUSED] = "refused",
		[TFTP_ABORTED] = "ended by the client",
		[TFTP_TIMEOUT] = "given up: the client fell silent for 60 s",
		[TFTP_EVICTED] = "given up: it never acknowledged anything, and others wait",
		[TFTP_SUPERSEDED] = "given up: the client asked for another file",
		[TFTP_CHANGED] = "ended: the file changed while it was sent",
		[TFTP_FAILED] = "failed",
	};
	bool has_reason = a->outcome == TFTP_REFUSED || a->outcome == TFTP_ABORTED ||
		a->outcome == TFTP_FAILED;

	if (a->outcome == TFTP_SENT && a->has_session) {
		say_sent(a, out);
		return;
	}
	text_adds(out, words[a->outcome]);
	if (has_reason && a->sentence.n) {
		text_adds(out, ": ");
		escape_log(out, a->sentence, 128);
	}
}

static bool is_trouble(enum tftp_outcome o)
{
	return o == TFTP_TIMEOUT || o == TFTP_CHANGED || o == TFTP_FAILED || o == TFTP_ABORTED;
}

static void say_progress(struct service_tftp *s, const struct tftp_report *a)
{
	progress_say(s->site,
		&(struct progress){ .topic = "tftp",
			.peer = a->peer.remote,
			.file = a->file,
			.done = a->acked_octets,
			.size = a->terms.size,
			.duration_us = a->duration_us });
}

static void say_end(struct service_tftp *s, const struct tftp_report *a)
{
	struct text sentence = { 0 }, line = { 0 };
	struct ip4_text peer = ip4_str(a->peer.remote);
	unsigned long hidden;
	struct mac_text mac;
	struct facts facts;

	/* No descriptor, or no room: who asks in vain asks again, and so do all others. */
	if (!a->has_session && a->error == TFTP_ERROR_OTHER &&
		!log_drop_due(s->site->log, DROP_TFTP_TOO_MANY, &hidden))
		return;
	(void)site_facts_of_address(s->site, a->peer.remote, &facts);
	site_form_worked(s->site, &facts);
	mac = mac_str(facts.mac);
	site_machine_text(s->site, &facts, a->peer.remote, &sentence);
	text_adds(&sentence, " \"");
	escape_log(&sentence, a->file, 200);
	text_adds(&sentence, "\" ");
	say_outcome(a, &sentence);

	const struct log_field fields[] = {
		FIELD_STR("mac", facts.has_mac ? mac.s : NULL),
		FIELD_STR("peer", peer.s),
		FIELD_TEXT("file", a->file),
		FIELD_STR("outcome", tftp_session_outcome_name(a->outcome)),
		FIELD_NUMBER("octets", a->terms.size),
		FIELD_NUMBER("blksize", a->terms.blksize),
		FIELD_NUMBER("windowsize", a->terms.windowsize),
		FIELD_NUMBER("retransmissions", a->resent),
		FIELD_NUMBER("duration_us", a->duration_us),
		FIELD_SOME("octets_per_s",
			a->outcome == TFTP_SENT
				? progress_octets_per_s(a->terms.size, a->duration_us)
				: 0),
	};

	log_compose(is_trouble(a->outcome) ? LOG_WARNING : LOG_INFO, "tftp", fields,
		ARRAY_LEN(fields), text_span(&sentence), &line);
	log_write(s->site->log, &line);
	text_free(&sentence);
	text_free(&line);
}

static void on_report(void *ctx, struct tftp_report *r)
{
	struct service_tftp *s = ctx;
	unsigned long lost = serving_thread_take_lost(tftp_thread_serving(r->thread));

	if (r->outcome == TFTP_RUNNING)
		say_progress(s, r);
	else
		say_end(s, r);
	if (r->outcome == TFTP_SENT)
		machines_fetched(s->site, r->peer.remote, TRANSPORT_TFTP, r->file);
	free(r);
	if (lost)
		log_say(s->site->log, LOG_WARNING, "tftp",
			"%lu requests have no line here: they came faster than the log takes",
			lost);
}

static void on_question(void *ctx, struct question *q)
{
	struct service_tftp *s = ctx;

	virtual_files_answer(s->site, q);
}

static void on_dropped(void *ctx, enum drop why, const struct tftp_peer *peer)
{
	struct service_tftp *s = ctx;
	unsigned long hidden;
	struct ip4_text from = ip4_str(peer->remote);

	if (!log_drop_due(s->site->log, why, &hidden))
		return;

	const struct log_field fields[] = {
		FIELD_STR("peer", from.s),
		FIELD_STR("drop", drop_id(why)),
		FIELD_NUMBER("hidden", hidden),
	};

	log_event(s->site->log, LOG_WARNING, "tftp", fields, ARRAY_LEN(fields),
		"%s port %u: a packet dropped, %s: %s", from.s, peer->remote_port, drop_id(why),
		drop_sentence(why));
}

static void on_starved(void *ctx)
{
	struct service_tftp *s = ctx;

	log_say(s->site->log, LOG_ERROR, "tftp", "out of memory: an address is not listened on");
}

/* The thread is gone: nobody posts any more. */
static void on_home_closed(void *ctx)
{
	struct service_tftp *s = ctx;

	mailbox_free(s->home);
	s->closed(s->closed_ctx);
	free(s);
}

static void on_thread_closed(void *ctx, struct tftp_thread *t)
{
	struct service_tftp *s = ctx;

	site_remove_thread(s->site, tftp_thread_serving(t));
	tftp_thread_join(t);
	mailbox_close(s->home, on_home_closed, s);
}

static int open_listener(void *ctx, struct ip4 addr, uint16_t port, int *ret_id)
{
	struct service_tftp *s = ctx;
	struct serving_listener l = { .addr = addr, .id = s->last_id + 1 };
	int r = tftp_socket_open_serving(addr, port, &l.fd);

	if (r < 0)
		return r;
	*ret_id = ++s->last_id;
	serving_thread_listen(tftp_thread_serving(s->thread), &l);
	return 0;
}

static void close_listener(void *ctx, int id)
{
	struct service_tftp *s = ctx;

	serving_thread_unlisten(tftp_thread_serving(s->thread), id);
}

int service_tftp_new(uv_loop_t *loop, struct site *site, struct service_tftp **ret)
{
	static const struct tftp_thread_hooks thread_hooks = { .question = on_question,
		.report = on_report,
		.dropped = on_dropped,
		.starved = on_starved,
		.closed = on_thread_closed };
	struct service_tftp *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->site = site;
	r = serving_home_new(loop, site->log, &s->home);
	if (r == 0)
		r = tftp_thread_new(s->home, &thread_hooks, s, site->now, &s->thread);
	if (r < 0) /* the daemon does not start, and what is half begun goes with it */
		return r;
	site_add_thread(site, tftp_thread_serving(s->thread));
	s->listeners = (struct listeners){ .topic = "tftp",
		.what = "UDP port",
		.open = open_listener,
		.close = close_listener,
		.server = s,
		.log = site->log };
	*ret = s;
	return 0;
}

unsigned service_tftp_update(struct service_tftp *s, const struct ip4 *addrs, size_t n)
{
	serving_thread_adopt(tftp_thread_serving(s->thread), s->site->now);
	return listeners_update(&s->listeners, addrs, n, s->site->cfg->tftp_port);
}

unsigned service_tftp_open_count(const struct service_tftp *s)
{
	return listeners_open_count(&s->listeners);
}

void service_tftp_close(struct service_tftp *s, void (*closed)(void *ctx), void *ctx)
{
	s->closed = closed;
	s->closed_ctx = ctx;
	serving_thread_close(tftp_thread_serving(s->thread), STOP_GRACE_MS);
}
