/* core/http_reply.c: the status, fields and octets that answer a request. */
#include "core/http_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_S  1700000000
#define DATE   "Sun, 06 Nov 1994 08:49:37 GMT" /* of the file */
#define LATER  "Sun, 06 Nov 1994 08:49:38 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define TAG    "\"1-2-64-2ebc98a1.7\""

static const struct http_entity file = {
	.content_type = "application/efi",
	.size = 100,
	.etag = { TAG },
	.has_date = true,
	.mtime_s = 784111777,
};

/* The head lives as long as the request: in buf. */
static struct http_request request(char *buf, size_t cap, const char *method, const char *fields)
{
	struct http_request req;

	(void)snprintf(buf, cap, "%s /a HTTP/1.1\r\nHost: x\r\n%s\r\n", method, fields);
	assert_int_equal(http_parse_request(span_str(buf), &req), DROP_NONE);
	return req;
}

static bool has_line(const struct http_reply *r, const char *line)
{
	char want[200];

	(void)snprintf(want, sizeof(want), "\r\n%s\r\n", line);
	return strstr(text_str(&r->head), want) != NULL;
}

static void check_head(const struct http_reply *r, const char *what)
{
	const char *head = text_str(&r->head);

	if (!strstr(head, "\r\n\r\n") || strstr(head, ": \r\n") ||
		!strstr(head, "\r\nContent-Length: ") || !strstr(head, "\r\nDate: "))
		fail_msg("%s: %s", what, head);
	if (r->status >= 400 && (r->body.n == 0 || r->whole != r->body.n))
		fail_msg("%s: an error without its body", what);
}

static const struct {
	const char *fields;
	unsigned status;
	uint64_t offset, length; /* of 206 and 200 */
} cases[] = {
	{ "", 200, 0, 100 },
	{ "Range: bytes=0-0\r\n", 206, 0, 1 },
	{ "Range: bytes=10-19\r\n", 206, 10, 10 },
	{ "Range: bytes=99-\r\n", 206, 99, 1 },
	{ "Range: bytes=90-18446744073709551615\r\n", 206, 90, 10 },
	{ "Range: bytes=90-99999999999999999999999\r\n", 206, 90, 10 },
	{ "Range: bytes=-1\r\n", 206, 99, 1 },
	{ "Range: bytes=-1000\r\n", 206, 0, 100 },
	{ "Range: bytes=100-\r\n", 416, 0, 0 },
	{ "Range: bytes=18446744073709551616-\r\n", 416, 0, 0 },
	{ "Range: bytes=-0\r\n", 416, 0, 0 },
	{ "Range: bytes=2-1\r\n", 200, 0, 100 },
	{ "Range: bytes=0-1,3-4\r\n", 200, 0, 100 },
	{ "Range: bytes=-\r\n", 200, 0, 100 },
	{ "Range: bytes\r\n", 200, 0, 100 },
	{ "Range: bytes=1\r\n", 200, 0, 100 },
	{ "Range: lines=1-2\r\n", 200, 0, 100 },
	{ "Range: bytes=1-2\r\nRange: bytes=3-4\r\n", 200, 0, 100 },
	{ "If-None-Match: " TAG "\r\n", 304, 0, 0 },
	{ "If-None-Match: W/" TAG "\r\n", 304, 0, 0 },
	{ "If-None-Match: \"a,\" ,, W/\"b\" ," TAG "\r\n", 304, 0, 0 },
	{ "If-None-Match: *\r\n", 304, 0, 0 },
	{ "If-None-Match: \"a\"\r\nIf-None-Match: " TAG "\r\n", 304, 0, 0 },
	{ "If-None-Match: \"a\"\r\nIf-Modified-Since: " DATE "\r\n", 200, 0, 100 },
	{ "If-None-Match: \"a\r\n", 200, 0, 100 },
	{ "If-None-Match: W/\r\n", 200, 0, 100 },
	{ "If-Modified-Since: " DATE "\r\n", 304, 0, 0 },
	{ "If-Modified-Since: " LATER "\r\n", 304, 0, 0 },
	{ "If-Modified-Since: " BEFORE "\r\n", 200, 0, 100 },
	{ "If-Modified-Since: never\r\n", 200, 0, 100 },
	{ "If-Modified-Since: " DATE "\r\nIf-Modified-Since: " DATE "\r\n", 200, 0, 100 },
	{ "If-Match: " TAG "\r\n", 200, 0, 100 },
	{ "If-Match: *\r\n", 200, 0, 100 },
	{ "If-Match: W/" TAG "\r\n", 412, 0, 0 },
	{ "If-Match: \"a\"\r\n", 412, 0, 0 },
	{ "If-Match:\r\n", 412, 0, 0 },
	{ "If-Match: " TAG "\r\nIf-Unmodified-Since: " BEFORE "\r\n", 200, 0, 100 },
	{ "If-Unmodified-Since: " DATE "\r\n", 200, 0, 100 },
	{ "If-Unmodified-Since: " BEFORE "\r\n", 412, 0, 0 },
	{ "If-Unmodified-Since: never\r\n", 200, 0, 100 },
	{ "If-Match: " TAG "\r\nIf-None-Match: " TAG "\r\n", 304, 0, 0 },
	{ "If-Match: \"a\"\r\nRange: bytes=0-0\r\n", 412, 0, 0 },
	{ "If-Match: " TAG "\r\nRange: bytes=5-\r\n", 206, 5, 95 },
	{ "If-Range: " TAG "\r\nRange: bytes=5-\r\n", 206, 5, 95 },
	{ "If-Range: " DATE "\r\nRange: bytes=5-\r\n", 206, 5, 95 },
	{ "If-Range: W/" TAG "\r\nRange: bytes=5-\r\n", 200, 0, 100 },
	{ "If-Range: " LATER "\r\nRange: bytes=5-\r\n", 200, 0, 100 },
	{ "If-Range: \"a\"\r\nRange: bytes=500-\r\n", 200, 0, 100 },
	{ "If-Range: " TAG "\r\nIf-Range: " TAG "\r\nRange: bytes=5-\r\n", 200, 0, 100 },
};

static void answers_conditions_and_ranges(void **state)
{
	char buf[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request req = request(buf, sizeof(buf), "GET", cases[i].fields);
		struct http_reply r;

		http_reply_entity(&req, &file, NOW_S, &r);
		check_head(&r, cases[i].fields);
		if (r.status != cases[i].status)
			fail_msg("%s: %u, expected %u", cases[i].fields, r.status, cases[i].status);
		if (r.status < 400 && (r.offset != cases[i].offset || r.length != cases[i].length))
			fail_msg("%s: %llu octets at %llu", cases[i].fields,
				(unsigned long long)r.length, (unsigned long long)r.offset);
		http_reply_free(&r);
	}
}

static void says_what_it_sends(void **state)
{
	struct http_reply r;
	char buf[512];
	struct http_request req = request(buf, sizeof(buf), "GET", "Range: bytes=-7\r\n");

	(void)state;
	http_reply_entity(&req, &file, NOW_S, &r);
	assert_true(
		span_has_prefix(text_span(&r.head), SPAN_LIT("HTTP/1.1 206 Partial Content\r\n")));
	assert_true(has_line(&r, "Server: bootsmith"));
	assert_true(has_line(&r, "Date: Tue, 14 Nov 2023 22:13:20 GMT"));
	assert_true(has_line(&r, "Connection: keep-alive"));
	assert_true(has_line(&r, "Content-Type: application/efi"));
	assert_true(has_line(&r, "Content-Length: 7"));
	assert_true(has_line(&r, "Content-Range: bytes 93-99/100"));
	assert_true(has_line(&r, "Accept-Ranges: bytes"));
	assert_true(has_line(&r, "Last-Modified: " DATE));
	assert_true(has_line(&r, "ETag: " TAG));
	assert_int_equal(r.whole, 100);
	http_reply_free(&r);

	req = request(buf, sizeof(buf), "GET", "Range: bytes=100-\r\n");
	http_reply_entity(&req, &file, NOW_S, &r);
	assert_true(has_line(&r, "Content-Range: bytes */100"));
	http_reply_free(&r);

	/* RFC 9110 8.6: a 304 says the length that a 200 would have had. */
	req = request(buf, sizeof(buf), "GET", "If-None-Match: *\r\n");
	http_reply_entity(&req, &file, NOW_S, &r);
	assert_true(has_line(&r, "Content-Length: 100") && has_line(&r, "ETag: " TAG));
	http_reply_free(&r);

	req = request(buf, sizeof(buf), "GET", "Connection: close\r\n");
	http_reply_entity(&req, &file, NOW_S, &r);
	assert_true(has_line(&r, "Connection: close"));
	assert_false(r.keep_alive);
	http_reply_free(&r);
}

/* What is made of several files has no date that would be true of all of it. */
static void entities_without_a_date(void **state)
{
	static const struct {
		const char *fields;
		unsigned status;
	} table[] = {
		{ "", 200 },
		{ "If-None-Match: " TAG "\r\n", 304 },
		{ "If-Modified-Since: " LATER "\r\n", 200 },
		{ "If-Unmodified-Since: " BEFORE "\r\n", 200 },
		{ "If-Range: " TAG "\r\nRange: bytes=5-\r\n", 206 },
		{ "If-Range: " DATE "\r\nRange: bytes=5-\r\n", 200 },
	};
	struct http_entity e = file;
	char buf[256];

	(void)state;
	e.has_date = false;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct http_request req = request(buf, sizeof(buf), "GET", table[i].fields);
		struct http_reply r;

		http_reply_entity(&req, &e, NOW_S, &r);
		if (r.status != table[i].status)
			fail_msg("%s: %u", table[i].fields, r.status);
		assert_null(strstr(text_str(&r.head), "Last-Modified"));
		assert_non_null(strstr(text_str(&r.head), "ETag: " TAG));
		http_reply_free(&r);
	}
}

static void head_is_get_without_octets(void **state)
{
	static const char *const fields[] = { "", "If-None-Match: *\r\n", "If-Match: \"a\"\r\n" };
	char get_buf[256], head_buf[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct http_request get = request(get_buf, sizeof(get_buf), "GET", fields[i]);
		struct http_request head = request(head_buf, sizeof(head_buf), "HEAD", fields[i]);
		struct http_reply a, b;

		http_reply_entity(&get, &file, NOW_S, &a);
		http_reply_entity(&head, &file, NOW_S, &b);
		assert_string_equal(text_str(&a.head), text_str(&b.head));
		assert_int_equal(b.length, 0);
		http_reply_free(&a);
		http_reply_free(&b);
	}
	struct http_request req = request(
		head_buf, sizeof(head_buf), "HEAD", "Range: bytes=1-2\r\n");
	struct http_reply r;

	http_reply_entity(&req, &file, NOW_S, &r);
	assert_int_equal(r.status, 200);
	http_reply_free(&r);
}

static void dates_that_cannot_be_said(void **state)
{
	char buf[256];
	struct http_request req = request(
		buf, sizeof(buf), "GET", "If-Modified-Since: " DATE "\r\n");
	struct http_entity e = file;
	struct http_reply r;

	(void)state;
	e.mtime_s = -1;
	http_reply_entity(&req, &e, NOW_S, &r);
	assert_int_equal(r.status, 200);
	assert_null(strstr(text_str(&r.head), "Last-Modified"));
	http_reply_free(&r);

	e.mtime_s = NOW_S + 100; /* RFC 9110 8.8.2.1 */
	http_reply_entity(&req, &e, NOW_S, &r);
	assert_true(has_line(&r, "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT"));
	http_reply_free(&r);

	/* changed this very second: its date is no strong validator */
	e.mtime_s = NOW_S;
	req = request(buf, sizeof(buf), "GET",
		"If-Range: Tue, 14 Nov 2023 22:13:20 GMT\r\nRange: bytes=0-0\r\n");
	http_reply_entity(&req, &e, NOW_S, &r);
	assert_int_equal(r.status, 200);
	http_reply_free(&r);
}

static void empty_files(void **state)
{
	static const struct {
		const char *fields;
		unsigned status;
	} empties[] = {
		{ "", 200 },
		{ "Range: bytes=0-\r\n", 416 },
		{ "Range: bytes=-5\r\n", 200 },
	};
	struct http_entity e = file;
	char buf[256];

	(void)state;
	e.size = 0;
	for (size_t i = 0; i < ARRAY_LEN(empties); i++) {
		struct http_request req = request(buf, sizeof(buf), "GET", empties[i].fields);
		struct http_reply r;

		http_reply_entity(&req, &e, NOW_S, &r);
		assert_int_equal(r.status, empties[i].status);
		check_head(&r, empties[i].fields);
		http_reply_free(&r);
	}
}

static void texts(void **state)
{
	static const struct {
		const char *fields;
		unsigned status;
		const char *body;
	} answers[] = {
		{ "", 200, "#!ipxe\n" },
		{ "Range: bytes=2-5\r\n", 206, "#!ipxe\n" },
		{ "If-Modified-Since: " DATE "\r\n", 200, "#!ipxe\n" },
		{ "If-Unmodified-Since: " BEFORE "\r\n", 200, "#!ipxe\n" },
		{ "If-Range: \"\"\r\nRange: bytes=2-5\r\n", 200, "#!ipxe\n" },
		{ "If-Match: \"a\"\r\n", 412, NULL },
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct http_request req = request(buf, sizeof(buf), "GET", answers[i].fields);
		struct text text = { 0 };
		struct http_reply r;

		text_adds(&text, "#!ipxe\n");
		http_reply_text(&req, &text, "text/plain", NOW_S, &r);
		assert_null(text.p);
		assert_int_equal(r.status, answers[i].status);
		assert_null(strstr(text_str(&r.head), "ETag"));
		assert_null(strstr(text_str(&r.head), "Last-Modified"));
		if (answers[i].body)
			assert_string_equal(text_str(&r.body), answers[i].body);
		check_head(&r, answers[i].fields);
		http_reply_free(&r);
	}
}

static void refusals(void **state)
{
	static const struct {
		enum drop why;
		unsigned status;
	} table[] = {
		{ DROP_HTTP_LINE, 400 },
		{ DROP_HTTP_VERSION, 505 },
		{ DROP_HTTP_METHOD, 405 },
		{ DROP_HTTP_METHOD_UNKNOWN, 501 },
		{ DROP_HTTP_TARGET_LONG, 414 },
		{ DROP_HTTP_HEAD_LONG, 431 },
		{ DROP_HTTP_FIELDS, 431 },
		{ DROP_HTTP_CODING, 501 },
		{ DROP_HTTP_LENGTHS, 400 },
		{ DROP_HTTP_SLOW_HEAD, 408 },
		{ DROP_HTTP_BODY, 413 },
		{ DROP_HTTP_TOO_MANY, 503 },
		{ DROP_HTTP_EXPECT, 417 },
		{ DROP_HTTP_PATH, 400 },
	};
	struct http_request none = { 0 };
	struct http_reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		http_reply_refusal(&none, table[i].why, NOW_S, &r);
		if (r.status != table[i].status)
			fail_msg("%s: %u", drop_id(table[i].why), r.status);
		check_head(&r, drop_id(table[i].why));
		assert_false(r.keep_alive);
		assert_true(has_line(&r, "Connection: close"));
		assert_int_equal(has_line(&r, "Allow: GET, HEAD"), r.status == 405);
		assert_non_null(strstr(text_str(&r.body), drop_id(table[i].why)));
		http_reply_free(&r);
	}
	http_reply_error(&none, 599, "odd.", true, NOW_S, &r);
	assert_string_equal(text_str(&r.body), "599 Error: odd.\n");
	http_reply_free(&r);
}

static void content_types(void **state)
{
	static const struct {
		const char *name, *want;
	} types[] = {
		{ "a.efi", "application/efi" },
		{ "dir/A.EFI", "application/efi" },
		{ "a.iso", "application/vnd.efi-iso" },
		{ "a.img", "application/vnd.efi-img" },
		{ "boot.ipxe", "text/plain; charset=utf-8" },
		{ "initrd.gz", "application/gzip" },
		{ "vmlinuz", "application/octet-stream" },
		{ "efi", "application/octet-stream" },
		{ "", "application/octet-stream" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		assert_string_equal(http_content_type(span_str(types[i].name)), types[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_conditions_and_ranges),
		cmocka_unit_test(says_what_it_sends),
		cmocka_unit_test(entities_without_a_date),
		cmocka_unit_test(head_is_get_without_octets),
		cmocka_unit_test(dates_that_cannot_be_said),
		cmocka_unit_test(empty_files),
		cmocka_unit_test(texts),
		cmocka_unit_test(refusals),
		cmocka_unit_test(content_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
