/* app/events.h: rings that wrap, readers that are overtaken; app/log_record.h: what
 * is packed comes out as it was, and harmless. */
#include "app/events.h"
#include "app/log.h"
#include "edge/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define SMALL (3 * EVENTS_RECORD_MAX)

static struct events *new_events(size_t said, size_t progress)
{
	const size_t octets[EVENTS_KINDS] = { [EVENTS_SAID] = said, [EVENTS_PROGRESS] = progress };
	struct events *e;

	assert_int_equal(events_new(octets, &e), 0);
	return e;
}

/* A record of n octets that knows its number. */
static void add(struct events *e, enum events_kind kind, size_t n)
{
	uint64_t seq = events_last(e) + 1;
	uint8_t *p = calloc(1, n + sizeof(seq));

	assert_non_null(p);
	memset(p, (int)(seq & 0xff), n);
	memcpy(p, &seq, n < sizeof(seq) ? n : sizeof(seq));
	events_add(e, kind, (struct span){ p, n });
	free(p);
}

static void expect_record(const struct event *got, uint64_t seq)
{
	uint64_t inside;

	assert_int_equal(got->seq, seq);
	assert_true(got->record.n >= sizeof(inside));
	memcpy(&inside, got->record.p, sizeof(inside));
	assert_int_equal(inside, seq);
	for (size_t i = sizeof(inside); i < got->record.n; i++)
		assert_int_equal(got->record.p[i], seq & 0xff);
}

static void empty(void **state)
{
	struct events *e = new_events(SMALL, SMALL);
	struct events_cursor c;
	uint64_t missed;
	struct event got;

	(void)state;
	events_begin(e, 0, &c);
	assert_false(events_next(e, &c, &got, &missed));
	assert_int_equal(events_last(e), 0);
	add(e, EVENTS_SAID, 8);
	assert_true(events_next(e, &c, &got, &missed));
	expect_record(&got, 1);
	assert_int_equal(missed, 0);
	assert_false(events_next(e, &c, &got, &missed));
	events_free(e);
	events_free(NULL);
}

/* Sizes of all kinds, so that every way to end at the end of the ring comes up: a
 * reader that keeps up sees each, one that began late what is left, and both the
 * same as a list that forgets nothing. */
static void wraps(void **state)
{
	struct events *e = new_events(SMALL + 40, SMALL);
	struct events_cursor keeps_up, late;
	uint64_t missed, seen = 0, first = 0, last = 0;
	struct event got;

	(void)state;
	srand(4);
	events_begin(e, 0, &keeps_up);
	for (unsigned i = 0; i < 20000; i++) {
		add(e, EVENTS_SAID,
			8 + (size_t)(rand() % (i % 16 ? 900 : (int)EVENTS_RECORD_MAX - 8)));
		assert_true(events_next(e, &keeps_up, &got, &missed));
		assert_int_equal(missed, 0);
		expect_record(&got, i + 1);
		if (i % 97 == 0) {
			events_begin(e, 0, &late);
			first = last = 0;
			for (seen = 0; events_next(e, &late, &got, &missed); seen++) {
				assert_int_equal(missed, 0);
				first = seen ? first : got.seq;
				last = got.seq;
				expect_record(&got, first + seen);
			}
			assert_int_equal(last, i + 1);
			assert_true(seen >= 1);
		}
	}
	events_free(e);
}

static void who_is_overtaken_is_told(void **state)
{
	struct events *e = new_events(SMALL, SMALL);
	struct events_cursor c;
	uint64_t missed, total = 0, n = 0;
	struct event got;

	(void)state;
	events_begin(e, 0, &c);
	add(e, EVENTS_SAID, 100);
	assert_true(events_next(e, &c, &got, &missed));
	for (unsigned i = 0; i < 10000; i++)
		add(e, EVENTS_SAID, 100);
	while (events_next(e, &c, &got, &missed)) {
		assert_true(missed == 0 || n == 0); /* at once, before the first one that is left */
		total += missed;
		n++;
	}
	assert_true(n > 1400 && n <= SMALL / 124);
	assert_int_equal(total + n, 10000);
	/* One that is too long to be kept is missed too. */
	add(e, EVENTS_SAID, EVENTS_RECORD_MAX + 1);
	assert_false(events_next(e, &c, &got, &missed));
	add(e, EVENTS_SAID, EVENTS_RECORD_MAX);
	assert_true(events_next(e, &c, &got, &missed));
	assert_int_equal(missed, 1);
	expect_record(&got, 10003);
	events_free(e);
}

static void progress_pushes_out_nothing_that_was_said(void **state)
{
	struct events *e = new_events(SMALL, SMALL);
	uint64_t missed, last = 0, said = 0;
	struct events_cursor c;
	struct event got;

	(void)state;
	add(e, EVENTS_SAID, 50);
	for (unsigned i = 0; i < 5000; i++)
		add(e, EVENTS_PROGRESS, 200);
	add(e, EVENTS_SAID, 50);
	add(e, EVENTS_PROGRESS, 200);
	events_begin(e, 0, &c);
	while (events_next(e, &c, &got, &missed)) {
		assert_int_equal(missed, 0); /* a history begins where it begins */
		assert_true(got.seq > last); /* both kinds in one order */
		last = got.seq;
		said += got.record.n == 50;
		expect_record(&got, got.seq);
	}
	assert_int_equal(said, 2);
	assert_int_equal(last, 5003);
	events_free(e);
}

static void goes_on_after_a_number(void **state)
{
	struct events *e = new_events(SMALL, SMALL);
	struct events_cursor c;
	struct event got;
	uint64_t missed;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add(e, i % 3 ? EVENTS_SAID : EVENTS_PROGRESS, 20);
	events_begin(e, 97, &c);
	for (uint64_t seq = 98; seq <= 100; seq++) {
		assert_true(events_next(e, &c, &got, &missed));
		expect_record(&got, seq);
		assert_int_equal(missed, 0);
	}
	assert_false(events_next(e, &c, &got, &missed));
	events_begin(e, 100, &c);
	assert_false(events_next(e, &c, &got, &missed));
	events_begin(e, 101, &c); /* of a daemon that was here before */
	assert_true(events_next(e, &c, &got, &missed));
	expect_record(&got, 1);
	for (unsigned i = 0; i < 5000; i++)
		add(e, EVENTS_SAID, 100);
	events_begin(e, 100, &c);
	assert_true(events_next(e, &c, &got, &missed));
	assert_int_equal(missed, got.seq - 101);
	events_free(e);
}

struct counting {
	struct events_watcher watcher;
	unsigned n;
};

static void on_wake(struct events_watcher *w)
{
	((struct counting *)w)->n++;
}

static void wakes_once(void **state)
{
	struct events *e = new_events(SMALL, SMALL);
	struct counting a = { .watcher.wake = on_wake }, b = a;

	(void)state;
	events_watch(e, &a.watcher);
	events_watch(e, &b.watcher);
	add(e, EVENTS_SAID, 8);
	add(e, EVENTS_SAID, 8);
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 1);
	events_watch(e, &a.watcher);
	events_watch(e, &b.watcher);
	events_unwatch(e, &a.watcher);
	events_unwatch(e, &a.watcher);
	add(e, EVENTS_PROGRESS, 8);
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 2);
	events_unwatch(e, &b.watcher);
	events_free(e);
}

/* --- records --- */

#define HOSTILE "\x1b[2J\"\\\n</script>\x9b\xff%n"

static void on_record(void *ctx, struct span record)
{
	events_add(ctx, EVENTS_SAID, record);
}

/* What log_event() was given is what a reader of the events gets, and the log's own
 * line says the same. */
static void a_line_is_an_event(void **state)
{
	struct events *e = new_events(SMALL, SMALL);
	struct log_clock utc = { .utc = true };
	struct text out = { 0 };
	struct events_cursor c;
	struct log_record r;
	struct log_field f;
	struct event got;
	struct log *log;
	uint64_t missed;
	char line[4096];
	json_t *mine, *logged;
	ssize_t n;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(log_new(fd[1], true, &log), 0);
	log_set_observer(log, on_record, e);
	events_begin(e, 0, &c);

	const struct log_field fields[] = {
		FIELD_STR("mac", "52:54:00:12:34:56"),
		FIELD_STR("machine", NULL),
		FIELD_TEXT("hostname", SPAN_LIT(HOSTILE)),
		FIELD_NUMBER("octets", -3),
		FIELD_SOME("hidden", 0),
		FIELD_NUMBER("zero", 0),
	};

	log_event(log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields), "said %d", 7);
	assert_true(events_next(e, &c, &got, &missed));
	r = log_record_of(got.record);
	assert_string_equal(r.topic, "dhcp");
	assert_int_equal(r.level, LOG_WARNING);
	assert_true(span_eq(r.sentence, SPAN_LIT("said 7")));
	assert_true(span_eq(log_record_text_of(r, "hostname"), SPAN_LIT(HOSTILE)));
	assert_int_equal(log_record_text_of(r, "octets").n, 0);
	assert_int_equal(log_record_text_of(r, "machine").n, 0);
	for (n = 0; log_record_next(&r, &f); n++)
		;
	assert_int_equal(n, 4);

	text_addc(&out, '{');
	log_record_json(log_record_of(got.record), &utc, &out);
	text_addc(&out, '}');
	for (size_t i = 0; i < out.n; i++)
		assert_in_range(out.p[i], 0x20, 0x7e);
	mine = json_loads(text_str(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(mine);
	assert_string_equal(json_string_value(json_object_get(mine, "message")), "said 7");
	assert_int_equal(json_integer_value(json_object_get(mine, "octets")), -3);
	n = read(fd[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	logged = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_equal(mine, logged));

	text_reset(&out);
	log_record_line(log_record_of(got.record), &(struct log_clock){ 0 }, &out);
	assert_string_equal(text_str(&out) + sizeof("20:27:25.787"), "dhcp   warning: said 7\n");
	json_decref(mine);
	json_decref(logged);
	text_free(&out);
	log_free(log);
	close(fd[0]);
	close(fd[1]);
	events_free(e);
}

/* Not a test that fails on a busy machine; the number is printed. */
static void how_long_it_takes(void **state)
{
	struct events *e = new_events(1u << 20, 1u << 18);
	struct text record = { 0 };
	int64_t begin_us;
	const unsigned times = 200000;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		text_addc(&record, 'x');
	begin_us = clock_mono_us();
	for (unsigned i = 0; i < times; i++)
		events_add(e, EVENTS_SAID, text_span(&record));
	print_message("events_add: %.0f ns for 600 octets\n",
		(double)(clock_mono_us() - begin_us) * 1e3 / times);
	assert_int_equal(events_last(e), times);
	text_free(&record);
	events_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(wraps),
		cmocka_unit_test(who_is_overtaken_is_told),
		cmocka_unit_test(progress_pushes_out_nothing_that_was_said),
		cmocka_unit_test(goes_on_after_a_number),
		cmocka_unit_test(wakes_once),
		cmocka_unit_test(a_line_is_an_event),
		cmocka_unit_test(how_long_it_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
