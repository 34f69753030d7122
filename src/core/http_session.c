/* The state machine of one HTTP connection; see http_session.h. */
#include "core/http_session.h"

#include "core/locate.h"

#include <stddef.h>

/* The request is complete; why is DROP_NONE when it can be served. */
static void ask_answer(struct http_session *s, enum drop why)
{
	s->drop = why;
	s->want = HTTP_WANT_ANSWER;
	s->deadline_ms = HTTP_NO_DEADLINE;
}

static void end(struct http_session *s, enum drop why)
{
	s->drop = why;
	s->want = HTTP_WANT_CLOSE;
	s->deadline_ms = HTTP_NO_DEADLINE;
}

static void drop_input(struct http_session *s, size_t n)
{
	s->in_n -= n;
	memmove(s->in, s->in + n, s->in_n);
}

/* RFC 9112 3 has 414 for a line, 9110 15 has 431 for fields, that do not fit. */
static enum drop why_too_long(const struct http_session *s)
{
	return memchr(s->in, '\n', s->in_n) ? DROP_HTTP_HEAD_LONG : DROP_HTTP_TARGET_LONG;
}

/* A body is taken where something is posted, as far as it fits the buffer, and not looked at. */
static enum drop check_body(const struct http_session *s)
{
	if (s->req.method == HTTP_METHOD_POST && !locate_takes_post(s->path))
		return DROP_HTTP_METHOD;
	if (s->req.content_length >
		(s->req.method == HTTP_METHOD_POST ? sizeof(s->in) - s->head_n : 0))
		return DROP_HTTP_BODY;
	return DROP_NONE;
}

/* Looks whether the buffer holds a request, and takes it. */
static void take_head(struct http_session *s)
{
	enum drop d;

	drop_input(s, http_head_start((struct span){ s->in, s->in_n }));
	s->head_n = http_head_end((struct span){ s->in, s->in_n });
	if (s->head_n == 0) {
		if (s->in_n == sizeof(s->in))
			ask_answer(s, why_too_long(s));
		return;
	}
	d = http_parse_request((struct span){ s->in, s->head_n }, &s->req);
	if (d == DROP_NONE)
		d = http_decode_path(s->req.path, s->path_buf, sizeof(s->path_buf), &s->path);
	if (d == DROP_NONE)
		d = check_body(s);
	if (d == DROP_NONE && s->in_n < s->head_n + s->req.content_length)
		return; /* the rest of a body that fits */
	s->head_n += d == DROP_NONE ? (size_t)s->req.content_length : 0;
	ask_answer(s, d);
}

void http_session_init(struct http_session *s, uint64_t now_ms)
{
	/* Not the buffers: thousands that wait shall take no memory. */
	memset(s, 0, offsetof(struct http_session, in));
	s->want = HTTP_WANT_RECV;
	s->deadline_ms = now_ms + HTTP_HEAD_DEADLINE_MS;
}

void http_session_free(struct http_session *s)
{
	http_reply_free(&s->reply);
}

struct http_room http_session_room(struct http_session *s)
{
	return (struct http_room){ s->in + s->in_n, sizeof(s->in) - s->in_n };
}

/* The clock of a head starts with its first octet; of the first head, with the
 * accept.  Empty lines do not start it, nor do they extend the idle time. */
static bool head_begins(const struct http_session *s, size_t had)
{
	return s->answered > 0 && had == 0 && s->in_n > 0;
}

void http_session_received(struct http_session *s, size_t n, uint64_t now_ms)
{
	size_t had = s->in_n;

	if (s->want == HTTP_WANT_LINGER) {
		if (n == 0)
			end(s, DROP_NONE);
		return;
	}
	if (n == 0) {
		end(s, s->in_n > 0 ? DROP_HTTP_ABORTED : DROP_NONE);
		return;
	}
	s->in_n += n;
	take_head(s);
	if (s->want == HTTP_WANT_RECV && head_begins(s, had))
		s->deadline_ms = now_ms + HTTP_HEAD_DEADLINE_MS;
}

void http_session_answer(struct http_session *s, struct http_reply *reply, uint64_t now_ms)
{
	s->reply = *reply;
	*reply = (struct http_reply){ 0 };
	s->head_sent = 0;
	s->sent = 0;
	s->want = HTTP_WANT_SEND;
	s->deadline_ms = now_ms + HTTP_SEND_DEADLINE_MS;
	if (s->reply.head.failed || s->reply.body.failed)
		end(s, DROP_NO_MEMORY);
}

struct http_output http_session_output(const struct http_session *s)
{
	const struct http_reply *r = &s->reply;
	struct http_output out = { .head = span_skip(text_span(&r->head), s->head_sent) };
	uint64_t left = r->length - s->sent;

	if (r->body.p && left > 0) {
		out.body = span_skip(text_span(&r->body), (size_t)(r->offset + s->sent));
		out.body.n = left < out.body.n ? (size_t)left : out.body.n;
	} else {
		out.entity_at = r->offset + s->sent;
		out.entity_n = left;
	}
	return out;
}

void http_session_sent(struct http_session *s, uint64_t n, uint64_t now_ms)
{
	size_t head_left = s->reply.head.n - s->head_sent;
	size_t of_head = n < head_left ? (size_t)n : head_left;

	s->head_sent += of_head;
	s->sent += n - of_head;
	if (n > 0)
		s->deadline_ms = now_ms + HTTP_SEND_DEADLINE_MS;
}

bool http_session_is_sent(const struct http_session *s)
{
	return s->want == HTTP_WANT_SEND && s->head_sent == s->reply.head.n &&
		s->sent == s->reply.length;
}

/* Not closed at once: input that we have not read would make the kernel send a
 * reset, and that can overtake the answer (RFC 9112 9.6). */
static void linger(struct http_session *s, uint64_t now_ms)
{
	s->in_n = 0;
	s->want = HTTP_WANT_LINGER;
	s->deadline_ms = now_ms + HTTP_LINGER_DEADLINE_MS;
}

void http_session_next(struct http_session *s, uint64_t now_ms)
{
	bool keep_alive = s->reply.keep_alive;

	http_reply_free(&s->reply);
	s->reply = (struct http_reply){ 0 };
	s->answered++;
	s->drop = DROP_NONE;
	s->req = (struct http_request){ 0 };
	s->path = SPAN_NONE;
	drop_input(s, s->head_n);
	s->head_n = 0;
	if (!keep_alive) {
		linger(s, now_ms);
		return;
	}
	s->want = HTTP_WANT_RECV;
	take_head(s);
	if (s->want == HTTP_WANT_RECV)
		s->deadline_ms = now_ms +
			(s->in_n > 0 ? HTTP_HEAD_DEADLINE_MS : HTTP_IDLE_DEADLINE_MS);
}

void http_session_tick(struct http_session *s, uint64_t now_ms)
{
	if (now_ms < s->deadline_ms)
		return;
	if (s->want == HTTP_WANT_RECV && s->in_n > 0) {
		s->req = (struct http_request){ 0 };
		ask_answer(s, DROP_HTTP_SLOW_HEAD);
	} else {
		end(s, s->want == HTTP_WANT_SEND ? DROP_HTTP_STALLED : DROP_NONE);
	}
}

bool http_session_is_idle(const struct http_session *s)
{
	return s->want == HTTP_WANT_LINGER ||
		(s->want == HTTP_WANT_RECV && s->in_n == 0 && s->answered > 0);
}
