/* Events by the control socket: a reader of the rings (app/events.h) that prints what
 * it reads, a piece per turn of the loop and only when the client has read the last
 * one, and waits at the end if it is to follow. */
#include "app/control_events.h"

#include <stdlib.h>

#define PIECE_LOOKED_AT 1024u /* events per turn of the loop */
#define PIECE_SHOWN     64u

struct events_answer {
	struct control_answer base;
	struct events_watcher watcher;
	struct events *events;
	struct control_conn *conn;
	struct events_cursor cursor;
	uint64_t last; /* where it ends, unless it follows */
	bool follow, has_mac;
	struct mac_text mac;
	struct log_clock clock;
	struct text out; /* of this piece */
};

static void answer_free(struct events_answer *a)
{
	events_unwatch(a->events, &a->watcher);
	text_free(&a->out);
	free(a);
}

static bool fits(const struct events_answer *a, const struct log_record *r)
{
	return !a->has_mac || span_eq(log_record_text_of(*r, "mac"), span_str(a->mac.s));
}

static void show(struct events_answer *a, uint64_t seq, struct log_record r)
{
	text_addf(&a->out, "{\"v\": 1, \"event\": {\"seq\":%llu,", (unsigned long long)seq);
	log_record_json(r, &a->clock, &a->out);
	text_adds(&a->out, "}}\n");
}

/* False: there is no more, for now or at all. */
static bool piece(struct events_answer *a)
{
	struct log_record r;
	struct event event;
	uint64_t missed;

	for (unsigned looked_at = 0, shown = 0; looked_at < PIECE_LOOKED_AT && shown < PIECE_SHOWN;
		looked_at++) {
		if (!events_next(a->events, &a->cursor, &event, &missed))
			return false;
		if (!a->follow && event.seq > a->last)
			return false;
		if (missed)
			text_addf(&a->out, "{\"v\": 1, \"missed\": %llu}\n",
				(unsigned long long)missed);
		r = log_record_of(event.record);
		if (!fits(a, &r))
			continue;
		show(a, event.seq, r);
		shown++;
	}
	return true;
}

static void on_more(struct control_answer *base, struct control_conn *c)
{
	struct events_answer *a = (struct events_answer *)base;
	bool more = piece(a);

	control_write(c, text_span(&a->out));
	text_reset(&a->out);
	if (more)
		return;
	if (a->follow) {
		control_stop_pulling(c);
		events_watch(a->events, &a->watcher);
	} else {
		control_say_done(c);
		answer_free(a);
	}
}

static void on_wake(struct events_watcher *w)
{
	struct events_answer *a = (struct events_answer *)((char *)w -
		offsetof(struct events_answer, watcher));

	control_pull(a->conn);
}

static void on_gone(struct control_answer *base)
{
	answer_free((struct events_answer *)base);
}

void control_events(struct site *site, struct control_conn *c, const json_t *request)
{
	const json_t *since = json_object_get(request, "since"),
		     *follow = json_object_get(request, "follow");
	bool mac_ok;
	const char *mac_text = control_text(request, "mac", &mac_ok);
	struct events_answer *a;
	struct mac mac = { 0 };

	if (!mac_ok || (mac_text && mac_parse(span_str(mac_text), &mac) < 0)) {
		control_say_error(c, "\"mac\" is a MAC address, such as 52:54:00:12:34:56");
		return;
	}
	if ((since && (!json_is_integer(since) || json_integer_value(since) < 0)) ||
		(follow && !json_is_boolean(follow))) {
		control_say_error(
			c, "\"since\" is the number of an event, and \"follow\" true or false");
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		control_say_error(c, "the daemon is out of memory");
		return;
	}
	*a = (struct events_answer){ .base = { .more = on_more, .gone = on_gone },
		.watcher.wake = on_wake,
		.events = site->events,
		.conn = c,
		.last = events_last(site->events),
		.follow = json_is_true(follow),
		.has_mac = mac_text != NULL,
		.mac = mac_str(mac),
		.clock.utc = true };
	events_begin(a->events, since ? (uint64_t)json_integer_value(since) : 0, &a->cursor);
	control_begin(c, a, true);
}
