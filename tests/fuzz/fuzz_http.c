/* Fuzzes a whole HTTP connection: the octets arrive in uneven pieces, every
 * request is answered, and what the promises say of replies is checked. */
#include "http_talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	http_talk((struct span){ data, size }, answer);
	return 0;
}
