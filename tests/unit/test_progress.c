/* app/progress.h: rates, and events about transfers that run. */
#include "app/progress.h"
#include "edge/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

static void rates(void **state)
{
	(void)state;
	assert_int_equal(progress_octets_per_s(1000, 0), 0);
	assert_int_equal(progress_octets_per_s(0, 1000), 0);
	assert_int_equal(progress_octets_per_s(1000000, 500000), 2000000);
	assert_int_equal(progress_octets_per_s(UINT64_C(1) << 60, UINT64_C(1000000) << 20),
		UINT64_C(1) << 40);
}

static void rates_in_words(void **state)
{
	static const struct {
		uint64_t octets, duration_us;
		const char *want;
	} cases[] = {
		{ 65535, 10, "" },
		{ 65536, 0, "" },
		{ 65536, 65536, ", 1.0 MB/s" },
		{ 1048576, 500000, ", 2.1 MB/s" },
		{ 5000000000u, 1000000, ", 5000.0 MB/s" },
		{ 65536, 60000000, ", 0.0 MB/s" },
	};
	struct text t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		text_reset(&t);
		progress_add_rate(cases[i].octets, cases[i].duration_us, &t);
		assert_string_equal(text_str(&t), cases[i].want);
	}
	text_free(&t);
}

static struct config *cfg; /* of the site */

static const struct served_set no_networks;

static struct site new_site(void)
{
	static const size_t octets[EVENTS_KINDS] = { 3 * EVENTS_RECORD_MAX, 3 * EVENTS_RECORD_MAX };
	struct site site = { 0 };

	assert_int_equal(config_new(&cfg), 0);
	site.cfg = cfg;
	site.nets = &no_networks;
	assert_int_equal(events_new(octets, &site.events), 0);
	assert_int_equal(site_open(&site), 0);
	return site;
}

static void site_free(struct site *site)
{
	events_free(site->events);
	site_close(site);
	config_free(cfg);
}

/* What `bootsmith events --json` would show of the newest event. */
static json_t *newest(struct site *site)
{
	struct log_clock clock = { .utc = true };
	struct text out = { 0 };
	struct events_cursor c;
	struct event event;
	uint64_t missed;
	json_t *j;

	events_begin(site->events, events_last(site->events) - 1, &c);
	assert_true(events_next(site->events, &c, &event, &missed));
	text_addc(&out, '{');
	log_record_json(log_record_of(event.record), &clock, &out);
	text_addc(&out, '}');
	j = json_loads(text_str(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	text_free(&out);
	return j;
}

static void expect_text(const json_t *j, const char *key, const char *want)
{
	const char *got = json_string_value(json_object_get(j, key));

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void expect_number(const json_t *j, const char *key, json_int_t want)
{
	assert_true(json_is_integer(json_object_get(j, key)));
	assert_int_equal(json_integer_value(json_object_get(j, key)), want);
}

static void a_transfer_that_runs(void **state)
{
	struct facts web1 = { .has_mac = true, .mac = { { 2, 0, 0, 0, 0, 1 } } };
	struct progress p = { .topic = "tftp",
		.peer = { 0x0a000005u },
		.file = SPAN_LIT("a\"\n\x1b[2J"),
		.done = 1000000,
		.size = 4000000,
		.duration_us = 2000000 };
	struct site site = new_site();
	json_t *j;

	(void)state;
	progress_say(&site, &p);
	j = newest(&site);
	expect_text(j, "topic", "tftp");
	expect_text(j, "level", "info");
	expect_text(j, "peer", "10.0.0.5");
	expect_text(j, "file", "a\"\n\x1b[2J");
	expect_text(j, "message",
		"10.0.0.5 \"a\\\"\\x0a\\x1b[2J\" 1000000 of 4000000 octets (25 %) in 2.00 s, 0.5 MB/s");
	expect_number(j, "octets", 1000000);
	expect_number(j, "size", 4000000);
	expect_number(j, "progress", 25);
	expect_number(j, "duration_us", 2000000);
	expect_number(j, "octets_per_s", 500000);
	assert_null(json_object_get(j, "mac"));
	json_decref(j);

	/* A machine that is known, a size that is not. */
	clients_remember(site.clients, &web1, p.peer, clock_mono_ms());
	p.topic = "http";
	p.size = 0;
	progress_say(&site, &p);
	j = newest(&site);
	expect_text(j, "topic", "http");
	expect_text(j, "mac", "02:00:00:00:00:01");
	expect_number(j, "progress", 0);
	assert_null(json_object_get(j, "size"));
	expect_text(j, "message",
		"02:00:00:00:00:01 \"a\\\"\\x0a\\x1b[2J\" 1000000 octets in 2.00 s, 0.5 MB/s");
	json_decref(j);
	assert_int_equal(events_last(site.events), 2);
	site_free(&site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(rates_in_words),
		cmocka_unit_test(a_transfer_that_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
