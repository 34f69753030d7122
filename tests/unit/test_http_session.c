/* core/http_session.c: one connection's life, with a clock made of numbers. */
#include "core/http_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define GET  "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST "GET /z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static struct http_session s;

static int start(void **state)
{
	(void)state;
	http_session_init(&s, 1000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_session_free(&s);
	return 0;
}

static void receive(const char *octets, uint64_t now_ms)
{
	struct http_room room = http_session_room(&s);
	size_t n = strlen(octets);

	assert_true(n <= room.n);
	memcpy(room.p, octets, n);
	http_session_received(&s, n, now_ms);
}

/* Answers with a file of that size, as the request wants its connection. */
static void answer(uint64_t size, uint64_t now_ms)
{
	struct http_entity e = { .content_type = "a/b", .size = size };
	struct http_reply r;

	assert_int_equal(s.want, HTTP_WANT_ANSWER);
	if (s.drop != DROP_NONE)
		http_reply_refusal(&s.req, s.drop, 0, &r);
	else
		http_reply_entity(&s.req, &e, 0, &r);
	http_session_answer(&s, &r, now_ms);
}

static void send_all(uint64_t now_ms)
{
	struct http_output out = http_session_output(&s);

	http_session_sent(&s, out.head.n + out.body.n + out.entity_n, now_ms);
	assert_true(http_session_is_sent(&s));
	http_session_next(&s, now_ms);
}

static void serves_and_waits(void **state)
{
	(void)state;
	assert_int_equal(s.deadline_ms, 11000);
	assert_false(http_session_is_idle(&s));
	receive("GET /a HT", 2000);
	assert_int_equal(s.want, HTTP_WANT_RECV);
	assert_int_equal(s.deadline_ms, 11000); /* since the accept */
	receive("TP/1.1\r\nHost: x\r\n\r\n", 3000);
	assert_int_equal(s.drop, DROP_NONE);
	assert_true(span_eq(s.path, SPAN_LIT("a")));
	assert_true(s.deadline_ms == HTTP_NO_DEADLINE);
	answer(5000, 4000);
	assert_int_equal(s.deadline_ms, 34000);

	struct http_output out = http_session_output(&s);

	http_session_sent(&s, out.head.n - 1, 5000);
	out = http_session_output(&s);
	assert_int_equal(out.head.n, 1);
	http_session_sent(&s, 101, 6000);
	assert_int_equal(s.deadline_ms, 36000);
	out = http_session_output(&s);
	assert_int_equal(out.head.n, 0);
	assert_int_equal(out.entity_at, 100);
	assert_int_equal(out.entity_n, 4900);
	http_session_sent(&s, 0, 20000); /* no progress */
	assert_int_equal(s.deadline_ms, 36000);
	send_all(30000);
	assert_int_equal(s.want, HTTP_WANT_RECV);
	assert_int_equal(s.deadline_ms, 90000);
	assert_true(http_session_is_idle(&s));

	receive("\r\n", 40000); /* an empty line is no request yet */
	assert_int_equal(s.deadline_ms, 90000);
	assert_true(http_session_is_idle(&s));
	receive("G", 50000);
	assert_int_equal(s.deadline_ms, 60000);
	assert_false(http_session_is_idle(&s));
	receive("E", 55000);
	assert_int_equal(s.deadline_ms, 60000);
}

static void answers_a_pipeline_in_order(void **state)
{
	(void)state;
	receive(GET "\r\n" GET LAST GET "GET", 2000);
	answer(1, 2000);
	send_all(2000);
	assert_true(span_eq(s.path, SPAN_LIT("a")));
	answer(1, 2000);
	send_all(2000);
	assert_true(span_eq(s.path, SPAN_LIT("z")));
	answer(1, 2000);
	send_all(2000);
	assert_int_equal(s.want, HTTP_WANT_LINGER); /* what is behind "close" is forgotten */
	assert_int_equal(s.deadline_ms, 4000);
	assert_int_equal(s.answered, 3);
}

static void a_partial_head_behind_an_answer(void **state)
{
	(void)state;
	receive(GET "GET", 2000);
	answer(1, 2000);
	send_all(5000);
	assert_int_equal(s.want, HTTP_WANT_RECV);
	assert_int_equal(s.deadline_ms, 15000);
}

static void sends_texts_by_range(void **state)
{
	struct text t = { 0 };
	struct http_reply r;
	struct http_output out;

	(void)state;
	receive("GET /a HTTP/1.1\r\nHost: x\r\nRange: bytes=2-5\r\n\r\n", 2000);
	text_adds(&t, "#!ipxe\n");
	http_reply_text(&s.req, &t, "a/b", 0, &r);
	http_session_answer(&s, &r, 2000);
	out = http_session_output(&s);
	assert_true(span_eq(out.body, SPAN_LIT("ipxe")));
	assert_int_equal(out.entity_n, 0);
	http_session_sent(&s, out.head.n + 1, 2000);
	assert_true(span_eq(http_session_output(&s).body, SPAN_LIT("pxe")));
	send_all(2000);
}

static void refuses_and_lingers(void **state)
{
	static const struct {
		const char *octets;
		enum drop why;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", DROP_HTTP_HOST },
		{ "GET /../a HTTP/1.1\r\nHost: x\r\n\r\n", DROP_HTTP_PATH },
		{ "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", DROP_HTTP_BODY },
		{ "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", DROP_HTTP_METHOD },
		{ "POST /machines/web1/boot.ipxe HTTP/1.1\r\nHost: x\r\n\r\n", DROP_HTTP_METHOD },
		{ "POST /machines/web1/installed HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n",
			DROP_HTTP_BODY },
		{ "a\n\n", DROP_HTTP_BARE_LF },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		http_session_init(&s, 1000);
		receive(cases[i].octets, 2000);
		if (s.want != HTTP_WANT_ANSWER || s.drop != cases[i].why)
			fail_msg("%s: %s", cases[i].octets, drop_id(s.drop));
		answer(0, 2000);
		send_all(3000);
		assert_int_equal(s.want, HTTP_WANT_LINGER);
		assert_true(http_session_is_idle(&s));
		receive(GET, 3500); /* forgotten, and the deadline stays */
		assert_int_equal(s.want, HTTP_WANT_LINGER);
		assert_int_equal(s.deadline_ms, 5000);
		assert_int_equal(http_session_room(&s).n, HTTP_HEAD_MAX);
	}
	http_session_received(&s, 0, 3600);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
}

static void fill(const char *line)
{
	struct http_room room = http_session_room(&s);

	memset(room.p, 'a', room.n);
	memcpy(room.p, line, strlen(line));
	http_session_received(&s, room.n, 2000);
}

static void limits_the_head(void **state)
{
	(void)state;
	fill("GET /");
	assert_int_equal(s.drop, DROP_HTTP_TARGET_LONG);
	http_session_init(&s, 1000);
	fill("GET / HTTP/1.1\r\nX: ");
	assert_int_equal(s.drop, DROP_HTTP_HEAD_LONG);
	assert_int_equal(s.want, HTTP_WANT_ANSWER);
}

static void gives_up(void **state)
{
	(void)state;
	http_session_tick(&s, 10999);
	assert_int_equal(s.want, HTTP_WANT_RECV);
	http_session_tick(&s, 11000); /* nothing ever came: silently */
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
	assert_int_equal(s.drop, DROP_NONE);

	http_session_init(&s, 1000);
	receive("GET", 2000);
	http_session_tick(&s, 11000);
	assert_int_equal(s.want, HTTP_WANT_ANSWER);
	assert_int_equal(s.drop, DROP_HTTP_SLOW_HEAD);
	answer(0, 11000);
	send_all(11000);
	http_session_tick(&s, 13000);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);

	http_session_init(&s, 1000);
	receive(GET, 2000);
	http_session_tick(&s, 1000000); /* an answer may take its time */
	answer(5, 1000000);
	http_session_tick(&s, 1030000);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
	assert_int_equal(s.drop, DROP_HTTP_STALLED);
	http_session_free(&s);

	http_session_init(&s, 1000);
	receive(GET, 2000);
	answer(5, 2000);
	send_all(2000);
	http_session_tick(&s, 62000);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
	assert_int_equal(s.drop, DROP_NONE);
}

static void the_client_ends(void **state)
{
	(void)state;
	http_session_received(&s, 0, 2000);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
	assert_int_equal(s.drop, DROP_NONE);
	http_session_init(&s, 1000);
	receive("GET", 2000);
	http_session_received(&s, 0, 2000);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
	assert_int_equal(s.drop, DROP_HTTP_ABORTED);
}

static void no_memory_for_a_reply(void **state)
{
	struct http_reply r = { .head = { .failed = true } };

	(void)state;
	receive(GET, 2000);
	http_session_answer(&s, &r, 2000);
	assert_int_equal(s.want, HTTP_WANT_CLOSE);
	assert_int_equal(s.drop, DROP_NO_MEMORY);
}

#define POST "POST /machines/web1/installed HTTP/1.1\r\nHost: x\r\nContent-Length: "

/* A body comes when it likes within the head's time, and is no next request. */
static void takes_a_body_where_something_is_posted(void **state)
{
	(void)state;
	receive(POST "11\r\n\r\nGET /b", 2000);
	assert_int_equal(s.want, HTTP_WANT_RECV);
	receive(" HTTP" GET, 3000);
	assert_int_equal(s.want, HTTP_WANT_ANSWER);
	assert_int_equal(s.drop, DROP_NONE);
	assert_true(span_eq(s.path, SPAN_LIT("machines/web1/installed")));
	answer(1, 4000);
	send_all(5000);
	assert_int_equal(s.want, HTTP_WANT_ANSWER);
	assert_true(span_eq(s.path, SPAN_LIT("a")));
	answer(1, 6000);
	send_all(7000);
	receive(POST "0\r\n\r\n", 8000);
	assert_int_equal(s.want, HTTP_WANT_ANSWER);
	answer(1, 8000);
	send_all(8000);
	receive(POST "5\r\n\r\nabcd", 9000);
	assert_int_equal(s.deadline_ms, 19000);
	http_session_tick(&s, 19000);
	assert_int_equal(s.drop, DROP_HTTP_SLOW_HEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			takes_a_body_where_something_is_posted, start, stop),
		cmocka_unit_test_setup_teardown(serves_and_waits, start, stop),
		cmocka_unit_test_setup_teardown(answers_a_pipeline_in_order, start, stop),
		cmocka_unit_test_setup_teardown(a_partial_head_behind_an_answer, start, stop),
		cmocka_unit_test_setup_teardown(sends_texts_by_range, start, stop),
		cmocka_unit_test_setup_teardown(refuses_and_lingers, start, stop),
		cmocka_unit_test_setup_teardown(limits_the_head, start, stop),
		cmocka_unit_test_setup_teardown(gives_up, start, stop),
		cmocka_unit_test_setup_teardown(the_client_ends, start, stop),
		cmocka_unit_test_setup_teardown(no_memory_for_a_reply, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
