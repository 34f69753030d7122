/* Fuzzes a whole HTTP connection: the octets arrive in uneven pieces, every
 * request is answered, and what the promises say of replies is checked. */
#include "core/http_session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)          \
	do {             \
		if (!(x)) \
			abort(); \
	} while (0)

static void check_request(const struct http_session *s)
{
	MUST(s->req.method != HTTP_METHOD_OTHER && s->req.path.n > 0 && s->req.path.p[0] == '/');
	MUST(s->path.n <= HTTP_PATH_MAX && (s->path.n == 0 || s->path.p[0] != '/'));
	MUST(s->path.n == 0 || !memchr(s->path.p, 0, s->path.n));
	MUST(!memmem(s->path.p, s->path.n, "//", 2) && !memmem(s->path.p, s->path.n, "/../", 4));
	MUST(!span_has_prefix(s->path, SPAN_LIT("../")) && !span_eq(s->path, SPAN_LIT("..")));
}

static void answer(struct http_session *s, uint64_t now_ms)
{
	struct http_entity e = {
		.content_type = http_content_type(s->path),
		.size = s->path.n * 37,
		.etag = s->path.n % 3 ? (struct http_etag){ "\"1-2\"" } : (struct http_etag){ "" },
		.has_date = s->path.n % 5 != 0,
		.mtime_s = 784111777,
	};
	struct http_reply r;

	if (s->drop != DROP_NONE) {
		http_reply_refusal(&s->req, s->drop, (int64_t)now_ms, &r);
		MUST(r.status >= 400 && !r.keep_alive);
	} else {
		check_request(s);
		http_reply_entity(&s->req, &e, (int64_t)now_ms, &r);
		MUST(r.status >= 400 || r.offset + r.length <= e.size);
	}
	MUST(r.status < 400 || r.body.n > 0);
	MUST(memmem(r.head.p, r.head.n, "\r\nContent-Length: ", 18));
	MUST(!memmem(r.head.p, r.head.n, ": \r\n", 4));
	http_session_answer(s, &r, now_ms);
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_session s;
	struct span left = { data, size };
	uint64_t now_ms = 1;

	http_session_init(&s, now_ms);
	while (s.want != HTTP_WANT_CLOSE) {
		now_ms += 100;
		switch (s.want) {
		case HTTP_WANT_RECV:
		case HTTP_WANT_LINGER:
			left = span_skip(left, receive_some(&s, left, now_ms));
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
	return 0;
}
