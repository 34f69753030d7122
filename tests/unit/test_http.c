/* wire/http.c and wire/http_date.c: what is a head, what is refused, and why. */
#include "wire/http.h"
#include "wire/http_date.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define H "Host: x\r\n"
#define G "GET / HTTP/1.1\r\n"

static const struct {
	struct span head;
	enum drop want;
} heads[] = {
	{ SPAN_LIT(G H "\r\n"), DROP_NONE },
	{ SPAN_LIT("HEAD /a HTTP/1.1\r\n" H "\r\n"), DROP_NONE },
	{ SPAN_LIT("GET / HTTP/1.0\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT("GET / HTTP/1.9\r\n" H "\r\n"), DROP_NONE },
	{ SPAN_LIT("GET http://h:80/a?b HTTP/1.1\r\n" H "\r\n"), DROP_NONE },
	{ SPAN_LIT("GET HTTPS://h HTTP/1.1\r\n" H "\r\n"), DROP_NONE },
	{ SPAN_LIT(G "Host:\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT(G "host: [::1]:80\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT(G H "X:\r\nY: \t \r\nZ: \xff\t!\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT(G H "Content-Length: 18446744073709551609\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT(G H "Expect: 100-Continue\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT("GET / HTTP/1.0\r\nExpect: x\r\n\r\n"), DROP_NONE },
	{ SPAN_LIT(""), DROP_HTTP_LINE },
	{ SPAN_LIT("\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT(G H), DROP_HTTP_LINE },
	{ SPAN_LIT("GET /"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET\r\n\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT(" GET / HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET  / HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET /  HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / HTTP/1.1 \r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / HTTP/11\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / HTTP/1.x\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / HTTP/x.1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / HTTP/1/1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / http/1.1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("G(T / HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_LINE },
	{ SPAN_LIT("GET / HTTP/0.9\r\n" H "\r\n"), DROP_HTTP_VERSION },
	{ SPAN_LIT("GET / HTTP/2.0\r\n" H "\r\n"), DROP_HTTP_VERSION },
	{ SPAN_LIT("PUT / HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_METHOD },
	{ SPAN_LIT("OPTIONS * HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_METHOD },
	{ SPAN_LIT("get / HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_METHOD_UNKNOWN },
	{ SPAN_LIT("GET a HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT("GET * HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT("GET http:// HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT("GET http://a@b/ HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT("GET ftp://a/ HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT("GET /a#b HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT("GET /a\tb HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_TARGET },
	{ SPAN_LIT(G H "X: a\rb\r\n\r\n"), DROP_HTTP_BARE_CR },
	{ SPAN_LIT(G H "X: a\r"), DROP_HTTP_BARE_CR },
	{ SPAN_LIT(G H "X: a\nb\r\n\r\n"), DROP_HTTP_BARE_LF },
	{ SPAN_LIT("GET / HTTP/1.1\n\n"), DROP_HTTP_BARE_LF },
	{ SPAN_LIT(G H "X: a\0b\r\n\r\n"), DROP_HTTP_NUL },
	{ SPAN_LIT(G H "X: \x1b[2J\r\n\r\n"), DROP_HTTP_NUL },
	{ SPAN_LIT(G H "X: \x7f\r\n\r\n"), DROP_HTTP_NUL },
	{ SPAN_LIT("GET /\0 HTTP/1.1\r\n" H "\r\n"), DROP_HTTP_NUL },
	{ SPAN_LIT(G H " b\r\n\r\n"), DROP_HTTP_FOLD },
	{ SPAN_LIT(G "\tb\r\n" H "\r\n"), DROP_HTTP_FOLD },
	{ SPAN_LIT(G H "X : a\r\n\r\n"), DROP_HTTP_FIELD_NAME },
	{ SPAN_LIT(G H "X\r\n\r\n"), DROP_HTTP_FIELD_NAME },
	{ SPAN_LIT(G H ": a\r\n\r\n"), DROP_HTTP_FIELD_NAME },
	{ SPAN_LIT(G H "X\xff: a\r\n\r\n"), DROP_HTTP_FIELD_NAME },
	{ SPAN_LIT(G "\r\n"), DROP_HTTP_HOST },
	{ SPAN_LIT(G H H "\r\n"), DROP_HTTP_HOST },
	{ SPAN_LIT("GET / HTTP/1.0\r\n" H H "\r\n"), DROP_HTTP_HOST },
	{ SPAN_LIT(G "Host: a/b\r\n\r\n"), DROP_HTTP_HOST },
	{ SPAN_LIT(G "Host: a b\r\n\r\n"), DROP_HTTP_HOST },
	{ SPAN_LIT(G H "Content-Length: 1\r\ncontent-length: 1\r\n\r\n"), DROP_HTTP_LENGTHS },
	{ SPAN_LIT(G H "Content-Length:\r\n\r\n"), DROP_HTTP_LENGTH },
	{ SPAN_LIT(G H "Content-Length: -1\r\n\r\n"), DROP_HTTP_LENGTH },
	{ SPAN_LIT(G H "Content-Length: 1, 1\r\n\r\n"), DROP_HTTP_LENGTH },
	{ SPAN_LIT(G H "Content-Length: 99999999999999999999\r\n\r\n"), DROP_HTTP_LENGTH },
	{ SPAN_LIT(G H "Content-Length: 1\r\nTransfer-Encoding: x\r\n\r\n"),
		DROP_HTTP_LENGTH_AND_CODING },
	{ SPAN_LIT(G H "Transfer-Encoding: chunked\r\n\r\n"), DROP_HTTP_CODING },
	{ SPAN_LIT("GET / HTTP/1.0\r\ntransfer-encoding:\r\n\r\n"), DROP_HTTP_CODING },
	{ SPAN_LIT(G H "Expect: a\r\n\r\n"), DROP_HTTP_EXPECT },
};

static void refuses_what_is_ambiguous(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct http_request req;
		enum drop got = http_parse_request(heads[i].head, &req);

		if (got != heads[i].want)
			fail_msg("head %zu (%.*s): %s, expected %s", i, (int)heads[i].head.n,
				(const char *)heads[i].head.p, drop_id(got),
				drop_id(heads[i].want));
	}
}

static void assert_span(struct span got, const char *want)
{
	if (!span_eq(got, span_str(want)))
		fail_msg("\"%.*s\", expected \"%s\"", (int)got.n, (const char *)got.p, want);
}

static void reads_the_parts(void **state)
{
	struct http_request req;
	size_t at = 0;

	(void)state;
	assert_int_equal(
		http_parse_request(
			SPAN_LIT(
				"GET http://h:8/a%20b?c?d HTTP/1.1\r\n"
				"Host: other\r\nRange:  bytes=1-2 \t\r\nIf-Match: \"a\"\r\nif-match: \"b\"\r\n"
				"Content-Length: 12\r\n\r\nbehind"),
			&req),
		DROP_NONE);
	assert_int_equal(req.method, HTTP_METHOD_GET);
	assert_span(req.method_name, "GET");
	assert_span(req.target, "http://h:8/a%20b?c?d");
	assert_span(req.host, "h:8");
	assert_span(req.path, "/a%20b");
	assert_span(req.query, "c?d");
	assert_int_equal(req.content_length, 12);
	assert_span(http_field_single(&req, SPAN_LIT("range")), "bytes=1-2");
	assert_null(http_field_single(&req, SPAN_LIT("If-Match")).p);
	assert_null(http_field_single(&req, SPAN_LIT("Cookie")).p);
	assert_span(http_field_next(&req, SPAN_LIT("If-Match"), &at), "\"a\"");
	assert_span(http_field_next(&req, SPAN_LIT("If-Match"), &at), "\"b\"");
	assert_null(http_field_next(&req, SPAN_LIT("If-Match"), &at).p);

	assert_int_equal(
		http_parse_request(SPAN_LIT("GET http://h?q HTTP/1.0\r\n\r\n"), &req), DROP_NONE);
	assert_span(req.path, "/");
	assert_span(req.query, "q");

	/* what a log needs of a refused request */
	assert_int_equal(http_parse_request(SPAN_LIT("BREW /pot HTTP/1.1\r\n" H "\r\n"), &req),
		DROP_HTTP_METHOD_UNKNOWN);
	assert_span(req.method_name, "BREW");
	assert_span(req.target, "/pot");
}

static void knows_who_stays(void **state)
{
	static const struct {
		const char *head;
		bool want;
	} cases[] = {
		{ G H "\r\n", true },
		{ G H "Connection: close\r\n\r\n", false },
		{ G H "Connection: x ,CLOSE, y\r\n\r\n", false },
		{ G H "Connection: keep-alive\r\nConnection: close\r\n\r\n", false },
		{ G H "Connection: closed\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive,close\r\n\r\n", false },
	};
	struct http_request req;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(http_parse_request(span_str(cases[i].head), &req), DROP_NONE);
		if (req.keep_alive != cases[i].want)
			fail_msg("%s: keep-alive is %d", cases[i].head, req.keep_alive);
	}
}

static void counts_fields(void **state)
{
	(void)state;
	for (int extra = 0; extra <= 1; extra++) {
		char head[1024] = G H;
		struct http_request req;

		for (int i = 1; i < HTTP_FIELDS_MAX + extra; i++)
			strcat(head, "X: a\r\n");
		strcat(head, "\r\n");
		assert_int_equal(http_parse_request(span_str(head), &req),
			extra ? DROP_HTTP_FIELDS : DROP_NONE);
	}
}

static void finds_the_ends(void **state)
{
	static const struct {
		const char *buf;
		size_t start, end;
	} cases[] = {
		{ "", 0, 0 },
		{ "\r", 0, 0 },
		{ "\r\n\r\nGET", 4, 0 },
		{ "\r\n\rG", 2, 0 },
		{ G H, 0, 0 },
		{ G H "\r", 0, 0 },
		{ G H "\r\nrest\r\n\r\n", 0, sizeof(G H) + 1 },
		{ "\r\n" G "\r\n", 2, sizeof(G) + 1 },
		{ "a\n\nb", 0, 3 },
		{ "a\n\r\nb", 0, 4 },
		{ "\na", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span buf = span_str(cases[i].buf);
		size_t start = http_head_start(buf), end = http_head_end(span_skip(buf, start));

		if (start != cases[i].start || end != cases[i].end)
			fail_msg("%s: %zu and %zu", cases[i].buf, start, end);
	}
}

static void decodes_paths(void **state)
{
	static const struct {
		const char *path, *want; /* NULL: refused */
	} cases[] = {
		{ "/", "" },
		{ "", "" },
		{ "///", "" },
		{ "/a", "a" },
		{ "//grubx64.efi", "grubx64.efi" },
		{ "/a//b///c", "a/b/c" },
		{ "/dir/", "dir/" },
		{ "/a%20b%25%41%5c", "a b%A\\" },
		{ "/a\\..\\b", "a\\..\\b" },
		{ "/%252e%252e/", "%2e%2e/" },
		{ "/...", "..." },
		{ "/..a/a../.a", "..a/a../.a" },
		{ "/%c0%ae", "\xc0\xae" },
		{ "/+", "+" },
		{ "/.", NULL },
		{ "/..", NULL },
		{ "/../a", NULL },
		{ "/a/./b", NULL },
		{ "/a/..", NULL },
		{ "/a//../b", NULL },
		{ "/%2e", NULL },
		{ "/%2E%2e/a", NULL },
		{ "/.%2e", NULL },
		{ "/a%2fb", NULL },
		{ "/a%2Fb", NULL },
		{ "/a%00", NULL },
		{ "/a%0a", NULL },
		{ "/a%7F", NULL },
		{ "/a\x01", NULL },
		{ "/%", NULL },
		{ "/%a", NULL },
		{ "/%ag", NULL },
		{ "/%ga", NULL },
	};
	uint8_t buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span got = SPAN_NONE;
		enum drop d = http_decode_path(span_str(cases[i].path), buf, sizeof(buf), &got);

		if (d != (cases[i].want ? DROP_NONE : DROP_HTTP_PATH) ||
			!span_eq(got, span_str(cases[i].want)))
			fail_msg("%s: %s \"%.*s\"", cases[i].path, drop_id(d), (int)got.n,
				(const char *)got.p);
	}
}

static void limits_paths(void **state)
{
	struct span got = SPAN_NONE;
	uint8_t buf[4];

	(void)state;
	assert_int_equal(http_decode_path(SPAN_LIT("//ab%63d"), buf, 4, &got), DROP_NONE);
	assert_int_equal(got.n, 4);
	assert_int_equal(http_decode_path(SPAN_LIT("/abcde"), buf, 4, &got), DROP_HTTP_TARGET_LONG);
	assert_int_equal(http_decode_path(SPAN_LIT("/abcd/"), buf, 4, &got), DROP_HTTP_TARGET_LONG);
	assert_int_equal(
		http_decode_path(SPAN_LIT("/abcd//.."), buf, 4, &got), DROP_HTTP_TARGET_LONG);
}

#define NOW_S 1700000000

static void reads_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: no date */
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Sun Nov 16 08:49:37 1994", 784975777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
		{ "Tue, 29 Feb 2000 12:00:00 GMT", 951825600 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", HTTP_DATE_MAX_S },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
		{ "Tuesday, 14-Nov-23 00:00:00 GMT", 1699920000 },
		{ "Saturday, 01-Jan-00 00:00:00 GMT", 946684800 },
		{ "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:49:37", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", -1 },
		{ "sun, 06 nov 1994 08:49:37 GMT", -1 },
		{ "Xxx, 06 Nov 1994 08:49:37 GMT", -1 },
		{ "Sun, 06 Xxx 1994 08:49:37 GMT", -1 },
		{ "Sun, 31 Nov 1994 08:49:37 GMT", -1 },
		{ "Sun, 29 Feb 2023 08:49:37 GMT", -1 },
		{ "Thu, 29 Feb 1900 08:49:37 GMT", -1 },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 0000 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 24:00:00 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:60:00 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:00:61 GMT", -1 },
		{ "Sunday, 31-Feb-94 08:49:37 GMT", -1 },
		{ "Sun, ", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = -1;
		int err = http_date_parse(span_str(cases[i].text), NOW_S, &got);

		if (err != (cases[i].want < 0 ? -EINVAL : 0) || got != cases[i].want)
			fail_msg("\"%s\": %d, %lld", cases[i].text, err, (long long)got);
	}
	/* more than 50 years ahead: the century before */
	int64_t got;

	assert_int_equal(
		http_date_parse(SPAN_LIT("Sunday, 06-Nov-94 08:49:37 GMT"), 3500000000, &got), 0);
	assert_true(got > 3500000000);
}

static void writes_dates(void **state)
{
	(void)state;
	assert_string_equal(http_date_str(784111777).s, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_string_equal(http_date_str(-5).s, "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(http_date_str(INT64_MAX).s, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_string_equal(http_date_str_rfc3339(784111777).s, "1994-11-06T08:49:37Z");
	assert_string_equal(http_date_str_rfc3339(-5).s, "1970-01-01T00:00:00Z");
	assert_string_equal(http_date_str_rfc3339(INT64_MAX).s, "9999-12-31T23:59:59Z");
	for (int64_t t = 0; t < HTTP_DATE_MAX_S - 90000; t = t * 9 / 8 + 86399) {
		int64_t back = -1;
		struct http_date_text text = http_date_str(t);

		if (http_date_parse(span_str(text.s), NOW_S, &back) < 0 || back != t)
			fail_msg("%lld: %s: %lld", (long long)t, text.s, (long long)back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_ambiguous),
		cmocka_unit_test(reads_the_parts),
		cmocka_unit_test(knows_who_stays),
		cmocka_unit_test(counts_fields),
		cmocka_unit_test(finds_the_ends),
		cmocka_unit_test(decodes_paths),
		cmocka_unit_test(limits_paths),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(writes_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
