/* Plans HTTP answers; see http_reply.h. */
#include "core/http_reply.h"

#include "wire/http_date.h"

#include <stdio.h>

const char *http_content_type(struct span name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		/* UEFI 2.10 24.7.1: firmware chooses what to do with the file by these */
		{ ".efi", "application/efi" },
		{ ".iso", "application/vnd.efi-iso" },
		{ ".img", "application/vnd.efi-img" },
		{ ".ipxe", "text/plain; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".cfg", "text/plain; charset=utf-8" },
		{ ".conf", "text/plain; charset=utf-8" },
		{ ".yaml", "text/plain; charset=utf-8" },
		{ ".html", "text/html; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".xml", "application/xml" },
		{ ".gz", "application/gzip" },
		{ ".deb", "application/vnd.debian.binary-package" },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct span suffix = span_str(types[i].suffix);

		if (name.n > suffix.n && span_eq_nocase(span_skip(name, name.n - suffix.n), suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}

static const char *status_phrase(unsigned status)
{
	static const struct {
		unsigned status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 206, "Partial Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Error";
}

static unsigned refusal_status(enum drop why)
{
	static const struct {
		enum drop why;
		unsigned status;
	} statuses[] = {
		{ DROP_HTTP_METHOD, 405 },
		{ DROP_HTTP_SLOW_HEAD, 408 },
		{ DROP_HTTP_BODY, 413 },
		{ DROP_HTTP_TARGET_LONG, 414 },
		{ DROP_HTTP_EXPECT, 417 },
		{ DROP_HTTP_HEAD_LONG, 431 },
		{ DROP_HTTP_FIELDS, 431 },
		{ DROP_HTTP_METHOD_UNKNOWN, 501 },
		{ DROP_HTTP_CODING, 501 }, /* RFC 9112 6.1 */
		{ DROP_HTTP_TOO_MANY, 503 },
		{ DROP_HTTP_VERSION, 505 },
	};

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].why == why)
			return statuses[i].status;
	return 400;
}

static void add_field(struct http_reply *r, const char *name, const char *value)
{
	text_adds(&r->head, name);
	text_adds(&r->head, ": ");
	text_adds(&r->head, value);
	text_adds(&r->head, "\r\n");
}

/* The fields that every answer begins with; the caller adds its own and ends. */
static void begin_head(struct http_reply *r, int64_t now_s)
{
	text_adds(&r->head, "HTTP/1.1 ");
	text_addu(&r->head, r->status);
	text_addc(&r->head, ' ');
	text_adds(&r->head, status_phrase(r->status));
	text_adds(&r->head, "\r\n");
	add_field(r, "Server", "bootsmith");
	add_field(r, "Date", http_date_str(now_s).s);
	add_field(r, "Connection", r->keep_alive ? "keep-alive" : "close");
}

static void add_content(struct http_reply *r, const char *type, uint64_t length)
{
	add_field(r, "Content-Type", type);
	text_adds(&r->head, "Content-Length: ");
	text_addu(&r->head, length);
	text_adds(&r->head, "\r\n");
}

/* The body is written even for HEAD, since its Content-Length counts it. */
static void error_with(const struct http_request *req, const char *why, const char *extra,
	int64_t now_s, struct http_reply *r)
{
	text_addf(&r->body, "%u %s: %s\n", r->status, status_phrase(r->status), why);
	begin_head(r, now_s);
	add_content(r, "text/plain; charset=utf-8", r->body.n);
	text_addf(&r->head, "%s\r\n", extra);
	r->whole = r->body.n;
	r->length = req->method == HTTP_METHOD_HEAD ? 0 : r->whole;
}

void http_reply_error(const struct http_request *req, unsigned status, const char *why,
	bool keep_alive, int64_t now_s, struct http_reply *ret)
{
	/* RFC 9110 15.5.6: a 405 says what would do; 10.2.3: a 503, when. */
	const char *more = status == 405 ? "Allow: GET, HEAD\r\n"
		: status == 503          ? "Retry-After: 5\r\n"
					 : "";

	*ret = (struct http_reply){ .status = status, .keep_alive = keep_alive };
	error_with(req, why, more, now_s, ret);
}

void http_reply_refusal(
	const struct http_request *req, enum drop why, int64_t now_s, struct http_reply *ret)
{
	char sentence[160];

	(void)snprintf(sentence, sizeof(sentence), "%s (%s).", drop_sentence(why), drop_id(why));
	http_reply_error(req, refusal_status(why), sentence, false, now_s, ret);
}

static bool has_date(const struct http_entity *e)
{
	return e->has_date && e->mtime_s >= 0 && e->mtime_s <= HTTP_DATE_MAX_S;
}

/* RFC 9110 8.8.2.1: a time in the future is not said. */
static int64_t last_modified(const struct http_entity *e, int64_t now_s)
{
	return e->mtime_s < now_s ? e->mtime_s : now_s;
}

static void skip_list_space(struct span *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t' || s->p[0] == ','))
		*s = span_skip(*s, 1);
}

/* The next tag of a list, quotes included; false at its end, or where it is no
 * list of tags. */
static bool next_etag(struct span *list, bool *ret_weak, struct span *ret)
{
	const uint8_t *end;

	skip_list_space(list);
	*ret_weak = span_has_prefix(*list, SPAN_LIT("W/"));
	if (*ret_weak)
		*list = span_skip(*list, 2);
	if (list->n < 2 || list->p[0] != '"')
		return false;
	end = memchr(list->p + 1, '"', list->n - 1);
	if (!end)
		return false;
	*ret = (struct span){ list->p, (size_t)(end - list->p) + 1 };
	*list = span_skip(*list, ret->n);
	return true;
}

/* Does any field of that name hold our tag (or "*")?  RFC 9110 8.8.3.2: weak
 * tags never match in a strong comparison. */
static bool etag_listed(
	const struct http_request *req, struct span name, const struct http_etag *ours, bool strong)
{
	struct span list, tag;
	size_t at = 0;
	bool weak;

	while ((list = http_field_next(req, name, &at)).p) {
		if (span_eq(list, SPAN_LIT("*")))
			return true;
		while (next_etag(&list, &weak, &tag))
			if (!(strong && weak) && span_eq(tag, span_str(ours->s)))
				return true;
	}
	return false;
}

static bool has_field(const struct http_request *req, struct span name)
{
	size_t at = 0;

	return http_field_next(req, name, &at).p != NULL;
}

/* Is the entity newer than the date in that field?  No (valid) date in it, or
 * none of ours: `otherwise`, since such a condition is to be ignored. */
static bool newer_than(const struct http_request *req, struct span name,
	const struct http_entity *e, int64_t now_s, bool otherwise)
{
	struct span value = http_field_single(req, name);
	int64_t date_s;

	if (!value.p || !has_date(e) || http_date_parse(value, now_s, &date_s) < 0)
		return otherwise;
	return last_modified(e, now_s) > date_s;
}

/* 200, or what RFC 9110 13.2.2 has instead of it, in that order. */
static unsigned check_conditions(
	const struct http_request *req, const struct http_entity *e, int64_t now_s)
{
	if (has_field(req, SPAN_LIT("If-Match"))) {
		if (!etag_listed(req, SPAN_LIT("If-Match"), &e->etag, true))
			return 412;
	} else if (newer_than(req, SPAN_LIT("If-Unmodified-Since"), e, now_s, false)) {
		return 412;
	}
	if (has_field(req, SPAN_LIT("If-None-Match"))) {
		if (etag_listed(req, SPAN_LIT("If-None-Match"), &e->etag, false))
			return 304;
	} else if (!newer_than(req, SPAN_LIT("If-Modified-Since"), e, now_s, true)) {
		return 304;
	}
	return 200;
}

/* RFC 9110 13.1.5: a tag that matches strongly, or exactly our date, and that
 * old enough to have been the only change in its second. */
static bool if_range_holds(
	const struct http_request *req, const struct http_entity *e, int64_t now_s)
{
	struct span value = http_field_single(req, SPAN_LIT("If-Range"));
	int64_t date_s;

	if (!has_field(req, SPAN_LIT("If-Range")))
		return true;
	if (!value.p || !e->etag.s[0])
		return false;
	if (span_eq(value, span_str(e->etag.s)))
		return true;
	return has_date(e) && http_date_parse(value, now_s, &date_s) == 0 && date_s == e->mtime_s &&
		now_s - e->mtime_s > 1;
}

/* Digits at the start of *s; larger than 64 bits counts as the largest. */
static bool take_number(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		v = v > (UINT64_MAX - 9) / 10 ? UINT64_MAX : v * 10 + (s->p[n] - '0');
	*s = span_skip(*s, n);
	*ret = v;
	return n > 0;
}

/* bytes=first-last, bytes=first- or bytes=-suffix (RFC 9110 14.1.2).  Sets
 * offset and length and gives 206; 416 when it lies outside; 200 (the whole)
 * for several ranges, for other units and for what is no range. */
static unsigned parse_range(struct span s, uint64_t size, uint64_t *offset, uint64_t *length)
{
	uint64_t first, last = UINT64_MAX;
	bool has_first, has_last;

	if (s.n < 6 || !span_eq_nocase((struct span){ s.p, 6 }, SPAN_LIT("bytes=")))
		return 200;
	s = span_skip(s, 6);
	has_first = take_number(&s, &first);
	if (s.n == 0 || s.p[0] != '-')
		return 200;
	s = span_skip(s, 1);
	has_last = take_number(&s, &last);
	if (s.n != 0 || (!has_first && !has_last) || (has_first && has_last && last < first))
		return 200;
	if (!has_first) {
		if (last == 0)
			return 416;
		if (size == 0)
			return 200;
		*length = last < size ? last : size;
		*offset = size - *length;
		return 206;
	}
	if (first >= size)
		return 416;
	if (!has_last || last >= size)
		last = size - 1;
	*offset = first;
	*length = last - first + 1;
	return 206;
}

static void add_entity_fields(struct http_reply *r, const struct http_entity *e, int64_t now_s)
{
	add_field(r, "Accept-Ranges", "bytes");
	if (has_date(e))
		add_field(r, "Last-Modified", http_date_str(last_modified(e, now_s)).s);
	if (e->etag.s[0])
		add_field(r, "ETag", e->etag.s);
}

void http_reply_entity(const struct http_request *req, const struct http_entity *e, int64_t now_s,
	struct http_reply *ret)
{
	struct http_reply r = {
		.whole = e->size, .length = e->size, .keep_alive = req->keep_alive
	};
	struct span range = http_field_single(req, SPAN_LIT("Range"));
	char extra[48];

	r.status = check_conditions(req, e, now_s);
	/* RFC 9110 14.2: only GET knows ranges. */
	if (r.status == 200 && req->method == HTTP_METHOD_GET && range.p &&
		if_range_holds(req, e, now_s))
		r.status = parse_range(range, e->size, &r.offset, &r.length);
	if (r.status == 412) {
		error_with(req, "the file is not the one that you began with.", "", now_s, &r);
	} else if (r.status == 416) {
		(void)snprintf(extra, sizeof(extra), "Content-Range: bytes */%llu\r\n",
			(unsigned long long)e->size);
		error_with(req, "the range lies outside of the file.", extra, now_s, &r);
	} else {
		begin_head(&r, now_s);
		add_content(&r, e->content_type, r.length);
		add_entity_fields(&r, e, now_s);
		if (r.status == 206)
			text_addf(&r.head, "Content-Range: bytes %llu-%llu/%llu\r\n",
				(unsigned long long)r.offset,
				(unsigned long long)(r.offset + r.length - 1),
				(unsigned long long)e->size);
		text_adds(&r.head, "\r\n");
		if (r.status == 304 || req->method == HTTP_METHOD_HEAD)
			r.length = 0;
	}
	*ret = r;
}

void http_reply_text(const struct http_request *req, struct text *text, const char *content_type,
	int64_t now_s, struct http_reply *ret)
{
	struct http_entity e = { .content_type = content_type, .size = text->n };

	http_reply_entity(req, &e, now_s, ret);
	if (ret->body.p) {
		text_free(text);
		return;
	}
	ret->body = *text;
	*text = (struct text){ 0 };
}

void http_reply_free(struct http_reply *r)
{
	text_free(&r->head);
	text_free(&r->body);
}
