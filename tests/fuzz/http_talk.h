/* A whole HTTP connection for harnesses: octets arrive in uneven pieces, each request is
 * answered by the harness, and the answers leave in uneven pieces. */
#pragma once

#include "core/http_session.h"

#include <stdlib.h>

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static void send_some(struct http_session *s, uint64_t now_ms)
{
	struct http_output out = http_session_output(s);
	uint64_t n = out.head.n + out.body.n + out.entity_n;

	MUST(n > 0);
	http_session_sent(s, n > 64 ? n / 2 : n, now_ms);
	if (http_session_is_sent(s))
		http_session_next(s, now_ms);
}

static size_t receive_some(struct http_session *s, struct span data, uint64_t now_ms)
{
	struct http_room room = http_session_room(s);
	size_t n = data.n < 7 ? data.n : data.n / 2 + 1;

	MUST(room.n > 0);
	if (n > room.n)
		n = room.n;
	if (n > 0)
		memcpy(room.p, data.p, n);
	http_session_received(s, n, now_ms);
	return n;
}

/* answer() puts the reply to s->req, or to s->drop, by http_session_answer(). */
static void http_talk(struct span octets, void (*answer)(struct http_session *s, uint64_t now_ms))
{
	static struct http_session s;
	uint64_t now_ms = 1;

	http_session_init(&s, now_ms);
	while (s.want != HTTP_WANT_CLOSE) {
		now_ms += 100;
		switch (s.want) {
		case HTTP_WANT_RECV:
		case HTTP_WANT_LINGER:
			octets = span_skip(octets, receive_some(&s, octets, now_ms));
			break;
		case HTTP_WANT_ANSWER:
			answer(&s, now_ms);
			break;
		case HTTP_WANT_SEND:
			send_some(&s, now_ms);
			break;
		case HTTP_WANT_CLOSE:
			break;
		}
		http_session_tick(&s, now_ms);
	}
	http_session_free(&s);
}
