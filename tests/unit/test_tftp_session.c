/* core/tftp_session.c: names, terms, each rule of the promises, and then a small
 * transfer under every fate that its first packets can have. */
#include "core/tftp_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

/* ---- names ---- */

static const struct {
	struct span name;
	const char *path; /* NULL: refused */
} names[] = {
	{ SPAN_LIT("ipxe.efi"), "ipxe.efi" },
	{ SPAN_LIT("/ipxe.efi"), "ipxe.efi" },
	{ SPAN_LIT("\\boot\\x64\\wdsnbp.com"), "boot/x64/wdsnbp.com" },
	{ SPAN_LIT("//a///b\\/c"), "a/b/c" },
	{ SPAN_LIT("a.b/..c/d.."), "a.b/..c/d.." },
	{ SPAN_LIT("%2e%2e/x"), "%2e%2e/x" },
	{ SPAN_LIT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
	{ SPAN_LIT(".."), NULL },
	{ SPAN_LIT("."), NULL },
	{ SPAN_LIT("../etc/passwd"), NULL },
	{ SPAN_LIT("a/../b"), NULL },
	{ SPAN_LIT("a\\..\\b"), NULL },
	{ SPAN_LIT("a/./b"), NULL },
	{ SPAN_LIT("a/.."), NULL },
	{ SPAN_LIT("a/"), NULL },
	{ SPAN_LIT("/"), NULL },
	{ SPAN_LIT(""), NULL },
	{ SPAN_LIT("a\nb"), NULL },
	{ SPAN_LIT("a\0b"), NULL },
	{ SPAN_LIT("a\x7f"), NULL },
};

static void cleans_names(void **state)
{
	uint8_t buf[TFTP_PATH_MAX], longest[TFTP_PATH_MAX + 2];
	struct span path;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int err = tftp_session_path(names[i].name, buf, &path);
		bool ok = names[i].path ? err == 0 && span_eq(path, span_str(names[i].path))
					: err < 0;

		if (!ok)
			fail_msg("name %zu: %s", i, names[i].path ? names[i].path : "refused");
	}
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	assert_int_equal(
		tftp_session_path((struct span){ longest, TFTP_PATH_MAX + 1 }, buf, &path), 0);
	assert_int_equal(path.n, TFTP_PATH_MAX);
	assert_true(tftp_session_path((struct span){ longest, TFTP_PATH_MAX + 2 }, buf, &path) < 0);
}

/* ---- options ---- */

static const struct {
	const char *name;
	struct span options;
	unsigned mtu;
	struct span oack; /* after the opcode; none: no OACK */
} agreements[] = {
	{ "none", { NULL, 0 }, 1500, { NULL, 0 } },
	{ "OVMF's", SPAN_LIT("tsize\0000\0blksize\0001468\0windowsize\0004\0"), 1500,
		SPAN_LIT("blksize\0001468\0tsize\0001000\0windowsize\0004\0") },
	{ "MTU", SPAN_LIT("blksize\00065464\0"), 1500, SPAN_LIT("blksize\0001468\0") },
	{ "narrow MTU", SPAN_LIT("blksize\0001468\0"), 576, SPAN_LIT("blksize\000544\0") },
	{ "absurd MTU", SPAN_LIT("blksize\0001468\0"), 3, SPAN_LIT("blksize\0008\0") },
	{ "loopback", SPAN_LIT("blksize\00065464\0"), 65536, SPAN_LIT("blksize\00065464\0") },
	{ "too large", SPAN_LIT("blksize\00065465\0"), 65536, SPAN_LIT("blksize\00065464\0") },
	{ "past 64 bits", SPAN_LIT("blksize\00099999999999999999999\0"), 1500,
		SPAN_LIT("blksize\0001468\0") },
	{ "smallest", SPAN_LIT("blksize\0008\0"), 1500, SPAN_LIT("blksize\0008\0") },
	{ "too small", SPAN_LIT("blksize\0007\0"), 1500, { NULL, 0 } },
	{ "zero", SPAN_LIT("blksize\0000\0"), 1500, { NULL, 0 } },
	{ "negative", SPAN_LIT("blksize\000-1\0"), 1500, { NULL, 0 } },
	{ "no number", SPAN_LIT("blksize\000abc\0tsize\000x\0"), 1500, { NULL, 0 } },
	{ "empty", SPAN_LIT("blksize\000\0"), 1500, { NULL, 0 } },
	{ "twice: the first", SPAN_LIT("blksize\0001024\0BLKSIZE\0008\0"), 1500,
		SPAN_LIT("blksize\0001024\0") },
	{ "unknown", SPAN_LIT("multicast\000\0x\0001\0tsize\0000\0"), 1500,
		SPAN_LIT("tsize\0001000\0") },
	{ "timeout 0", SPAN_LIT("timeout\0000\0"), 1500, { NULL, 0 } },
	{ "timeout 1", SPAN_LIT("timeout\0001\0"), 1500, SPAN_LIT("timeout\0001\0") },
	{ "timeout 255", SPAN_LIT("timeout\000255\0"), 1500, SPAN_LIT("timeout\000255\0") },
	{ "timeout 256", SPAN_LIT("timeout\000256\0"), 1500, { NULL, 0 } },
	{ "window 0", SPAN_LIT("windowsize\0000\0"), 1500, { NULL, 0 } },
	{ "window 64", SPAN_LIT("windowsize\00064\0blksize\0001468\0"), 1500,
		SPAN_LIT("blksize\0001468\0windowsize\00064\0") },
	{ "window 1000", SPAN_LIT("windowsize\0001000\0blksize\0001468\0"), 1500,
		SPAN_LIT("blksize\0001468\0windowsize\0001000\0") },
	{ "window 65535: 2 MiB", SPAN_LIT("windowsize\00065535\0"), 1500,
		SPAN_LIT("windowsize\0004096\0") },
	{ "window 65535: half of the numbers", SPAN_LIT("windowsize\00065535\0blksize\0008\0"),
		1500, SPAN_LIT("blksize\0008\0windowsize\00032767\0") },
	{ "window of huge blocks", SPAN_LIT("windowsize\00064\0blksize\00065464\0"), 65536,
		SPAN_LIT("blksize\00065464\0windowsize\00032\0") },
	{ "window 65536", SPAN_LIT("windowsize\00065536\0"), 1500, { NULL, 0 } },
};

static void agrees_on_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(agreements); i++) {
		uint8_t buf[256], oack[TFTP_OACK_MAX];
		struct wr w = wr_of(buf, sizeof(buf)), o = wr_of(oack, sizeof(oack));
		struct tftp_packet p;
		struct tftp_terms t;

		wr_span(&w, SPAN_LIT("\0\1f\0octet\0"));
		wr_span(&w, agreements[i].options);
		assert_int_equal(tftp_decode(wr_done(&w), &p), DROP_NONE);
		t = tftp_session_negotiate(&p.request, 1000, agreements[i].mtu);
		tftp_session_put_oack(&t, &o);
		if (!span_eq(span_skip(wr_done(&o), 2), agreements[i].oack))
			fail_msg("%s: another OACK", agreements[i].name);
		if (tftp_session_has_options(&t) != (agreements[i].oack.n > 0))
			fail_msg("%s: OACK or not", agreements[i].name);
	}
}

static void oack_always_fits(void **state)
{
	struct tftp_terms t = { UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, true, true, true,
		true };
	uint8_t oack[TFTP_OACK_MAX];
	struct wr o = wr_of(oack, sizeof(oack));

	(void)state;
	tftp_session_put_oack(&t, &o);
	assert_false(o.full);
}

/* ---- rules, one by one ---- */

static struct tftp_terms terms_of(uint64_t size, uint32_t windowsize, bool options)
{
	return (struct tftp_terms){
		.size = size,
		.blksize = 512,
		.windowsize = windowsize,
		.timeout_s = 1,
		.has_windowsize = options,
		.has_tsize = options,
	};
}

static void expect_blocks(struct tftp_action a, uint64_t first, uint64_t last)
{
	assert_int_equal(a.send, TFTP_SEND_BLOCKS);
	assert_int_equal(a.first, first);
	assert_int_equal(a.last, last);
}

static void expect_nothing(struct tftp_action a)
{
	assert_int_equal(a.send, TFTP_SEND_NOTHING);
}

static struct tftp_session begin(uint64_t size, uint32_t windowsize, uint64_t now)
{
	struct tftp_terms t = terms_of(size, windowsize, windowsize > 0);
	struct tftp_session s;

	if (windowsize == 0) {
		t.windowsize = 1;
		expect_blocks(tftp_session_start(&s, &t, now), 1, 1);
	} else {
		assert_int_equal(tftp_session_start(&s, &t, now).send, TFTP_SEND_OACK);
	}
	return s;
}

static void ends_with_a_short_block(void **state)
{
	static const struct {
		uint64_t size, final;
		uint32_t last_length;
	} v[] = { { 0, 1, 0 }, { 1, 1, 1 }, { 511, 1, 511 }, { 512, 2, 0 }, { 513, 2, 1 },
		{ 1024, 3, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct tftp_session s = begin(v[i].size, 0, 5);

		assert_int_equal(s.final, v[i].final);
		assert_int_equal(tftp_session_length(&s.terms, s.final), v[i].last_length);
		for (uint64_t b = 1; b <= v[i].final; b++) {
			assert_int_equal(s.outcome, TFTP_RUNNING);
			(void)tftp_session_ack(&s, (uint16_t)b, 6);
		}
		assert_int_equal(s.outcome, TFTP_SENT);
		assert_int_equal(tftp_session_octets(&s), v[i].size);
		expect_nothing(tftp_session_ack(&s, 1, 7));
		expect_nothing(tftp_session_tick(&s, 70000));
		expect_nothing(tftp_session_repeat(&s, 70000));
		tftp_session_error(&s, 0);
		assert_int_equal(s.outcome, TFTP_SENT);
	}
}

/* T-13: three OACKs, 1 and 2 seconds apart, then silence to the end. */
static void sends_three_oacks(void **state)
{
	struct tftp_session s = begin(2000, 1, 1000);

	(void)state;
	assert_int_equal(s.deadline_ms, 2000);
	assert_int_equal(tftp_session_tick(&s, 2000).send, TFTP_SEND_OACK);
	assert_int_equal(s.deadline_ms, 4000);
	assert_int_equal(tftp_session_tick(&s, 4000).send, TFTP_SEND_OACK);
	assert_int_equal(s.deadline_ms, 61000);
	expect_nothing(tftp_session_tick(&s, 60999));
	expect_nothing(tftp_session_tick(&s, 61000));
	assert_int_equal(s.outcome, TFTP_TIMEOUT);
}

static void data_is_not_resent_before_an_ack(void **state)
{
	struct tftp_session s = begin(2000, 0, 1000);

	(void)state;
	assert_int_equal(s.deadline_ms, 61000);
	expect_nothing(tftp_session_tick(&s, 2000));
	expect_blocks(tftp_session_repeat(&s, 5000), 1, 1);
	assert_int_equal(s.deadline_ms, 61000);
	assert_false(s.proven);
	expect_blocks(tftp_session_ack(&s, 1, 6000), 2, 2);
	assert_true(s.proven);
	expect_nothing(tftp_session_repeat(&s, 6001));
	/* sent twice, so nothing is measured: the first guess stays */
	assert_int_equal(s.deadline_ms, 7000);
	expect_blocks(tftp_session_tick(&s, 7000), 2, 2);
}

static void backs_off_and_gives_up(void **state)
{
	/* a round trip of 0 ms was measured: 200 ms, and twice as long each time, to 8 s */
	static const uint64_t at[] = { 200, 600, 1400, 3000, 6200, 12600, 20600, 28600, 36600,
		44600, 52600 };
	struct tftp_session s = begin(2000, 1, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 0), 1, 1);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		assert_int_equal(s.deadline_ms, at[i]);
		assert_int_equal(tftp_session_is_silent(&s, at[i]), at[i] >= 7000);
		expect_nothing(tftp_session_tick(&s, at[i] - 1));
		expect_blocks(tftp_session_tick(&s, at[i]), 1, 1);
	}
	assert_int_equal(s.resent, ARRAY_LEN(at));
	assert_int_equal(s.deadline_ms, 60000);
	expect_nothing(tftp_session_tick(&s, 60000));
	assert_int_equal(s.outcome, TFTP_TIMEOUT);
}

/* RFC 6298 2, with our bounds. */
static void waits_as_round_trips_say(void **state)
{
	struct tftp_terms t = terms_of(1 << 20, 1, true);
	struct tftp_session s;
	uint64_t now = 1000;

	(void)state;
	t.timeout_s = 2;
	(void)tftp_session_start(&s, &t, now);
	assert_int_equal(s.resend_ms, 2000);
	now += 100;
	(void)tftp_session_ack(&s, 0, now);
	assert_int_equal(s.resend_ms, 100 + 4 * 50);
	now += 100;
	(void)tftp_session_ack(&s, 1, now);
	assert_int_equal(s.resend_ms, 100 + 4 * 37 + 2); /* 37.5 */
	for (uint16_t b = 2; b < 40; b++) {
		now += 100;
		(void)tftp_session_ack(&s, b, now);
	}
	assert_int_equal(s.resend_ms, 200); /* no flood for a slow client */
	for (uint16_t b = 40; b < 60; b++) {
		/* it became slower than any timer: bounded by the client's timeout */
		for (now += 1900; s.deadline_ms <= now;)
			(void)tftp_session_tick(&s, s.deadline_ms);
		(void)tftp_session_ack(&s, b, now);
		assert_true(s.resend_ms <= 2000);
	}
	assert_int_equal(s.resend_ms, 2000);
}

/* Karn and Partridge: without the longer wait this path would have each block
 * twice, and never measure that. */
static void learns_that_a_path_became_slower(void **state)
{
	struct tftp_session s = begin(1 << 20, 1, 0);
	uint64_t now = 0, resent;
	uint16_t b = 0;

	(void)state;
	for (; b < 30; b++) {
		now += 3;
		(void)tftp_session_ack(&s, b, now);
	}
	assert_int_equal(s.resend_ms, 200);
	for (int i = 0; i < 6; i++, b++) {
		now += 700;
		while (s.deadline_ms <= now)
			(void)tftp_session_tick(&s, s.deadline_ms);
		(void)tftp_session_ack(&s, b, now);
	}
	for (resent = s.resent; b < 50; b++) {
		now += 700;
		assert_true(s.deadline_ms > now);
		(void)tftp_session_ack(&s, b, now);
	}
	assert_int_equal(s.resent, resent);
}

static void a_window_restarts_the_wait(void **state)
{
	struct tftp_session s = begin(2000, 1, 0);

	(void)state;
	(void)tftp_session_ack(&s, 0, 0);
	(void)tftp_session_tick(&s, 200);
	(void)tftp_session_tick(&s, 600);
	/* twice 200 ms, twice again */
	expect_blocks(tftp_session_ack(&s, 1, 700), 2, 2);
	assert_int_equal(s.deadline_ms, 1500);
	/* sent once: measured */
	expect_blocks(tftp_session_ack(&s, 2, 710), 3, 3);
	assert_int_equal(s.deadline_ms, 910);
}

/* What has not left is not resent; what left late is waited for from then on. */
static void waits_for_what_is_held(void **state)
{
	struct tftp_session s = begin(50000, 4, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 5), 1, 4);
	tftp_session_hold(&s);
	assert_int_equal(s.deadline_ms, 60005);
	expect_nothing(tftp_session_tick(&s, 5000));
	/* the first ones were sent, the second is lost */
	expect_nothing(tftp_session_ack(&s, 1, 6000));
	assert_int_equal(s.deadline_ms, 66000);
	tftp_session_released(&s, 7000);
	assert_int_equal(s.deadline_ms, 7010);
	expect_blocks(tftp_session_tick(&s, 7010), 2, 5);
	tftp_session_hold(&s);
	expect_nothing(tftp_session_tick(&s, 66000));
	assert_int_equal(s.outcome, TFTP_TIMEOUT);
}

static void long_timeout_gives_up_at_60_s(void **state)
{
	struct tftp_terms t = terms_of(2000, 1, true);
	struct tftp_session s;

	(void)state;
	t.timeout_s = 255;
	(void)tftp_session_start(&s, &t, 0);
	assert_int_equal(s.deadline_ms, 60000);
	t.timeout_s = 20;
	(void)tftp_session_start(&s, &t, 0);
	assert_int_equal(s.deadline_ms, 20000);
}

/* T-8 */
static void no_data_for_a_duplicate_ack(void **state)
{
	struct tftp_session s = begin(5000, 1, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 10), 1, 1);
	expect_nothing(tftp_session_ack(&s, 0, 11));
	expect_blocks(tftp_session_ack(&s, 1, 20), 2, 2);
	for (uint64_t now = 20; now < 900; now += 100)
		expect_nothing(tftp_session_ack(&s, 1, now));
	assert_int_equal(s.deadline_ms, 220);
}

/* T-9 */
static void ack_of_what_was_not_sent_is_ignored(void **state)
{
	struct tftp_session s = begin(50000, 4, 0);

	(void)state;
	expect_nothing(tftp_session_ack(&s, 1, 1));
	expect_blocks(tftp_session_ack(&s, 0, 1), 1, 4);
	expect_nothing(tftp_session_ack(&s, 5, 100));
	expect_nothing(tftp_session_ack(&s, 256, 100));
	expect_nothing(tftp_session_ack(&s, 65535, 100));
	expect_blocks(tftp_session_ack(&s, 4, 100), 5, 8);
	expect_nothing(tftp_session_ack(&s, 3, 500));
	assert_int_equal(s.resent, 0);
}

/* RFC 7440 4 */
static void restarts_the_window(void **state)
{
	struct tftp_session s = begin(50000, 4, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 5), 1, 4);
	/* block 3 was lost; a round trip (10 ms at least) has passed */
	expect_blocks(tftp_session_ack(&s, 2, 20), 3, 6);
	assert_int_equal(s.resent, 2);
	/* the same, seen from block 4 of the first sending: once is enough */
	expect_nothing(tftp_session_ack(&s, 2, 21));
	expect_nothing(tftp_session_ack(&s, 2, 150));
	expect_blocks(tftp_session_tick(&s, 220), 3, 6);
	/* the first block of a window was lost */
	expect_blocks(tftp_session_ack(&s, 6, 230), 7, 10);
	expect_blocks(tftp_session_ack(&s, 6, 250), 7, 10);
	expect_nothing(tftp_session_ack(&s, 6, 270));
}

static void restarts_at_most_once_per_round_trip(void **state)
{
	struct tftp_session s = begin(50000, 4, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 100), 1, 4);
	assert_int_equal(s.srtt8_ms, 800);
	/* a client that acknowledges every block causes no second copy */
	expect_nothing(tftp_session_ack(&s, 1, 150));
	expect_nothing(tftp_session_ack(&s, 2, 150));
	expect_nothing(tftp_session_ack(&s, 3, 151));
	assert_int_equal(s.deadline_ms, 200);
	expect_blocks(tftp_session_ack(&s, 4, 152), 5, 8);
	assert_int_equal(s.resent, 0);
	/* an early ACK that was meant: the restart comes when it may */
	expect_nothing(tftp_session_ack(&s, 6, 160));
	assert_int_equal(s.deadline_ms, 152 + s.srtt8_ms / 8);
	expect_blocks(tftp_session_tick(&s, s.deadline_ms), 7, 10);
}

/* Bursts of 64 at first, 1 ms apart; the client sees but one window. */
static void a_long_window_leaves_in_pieces(void **state)
{
	struct tftp_session s = begin(1000000, 200, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 10), 1, 64);
	assert_int_equal(s.deadline_ms, 11);
	expect_nothing(tftp_session_tick(&s, 10));
	expect_blocks(tftp_session_tick(&s, 11), 65, 128);
	expect_blocks(tftp_session_tick(&s, 12), 129, 192);
	/* what is held back is waited for, the rest comes behind it */
	tftp_session_hold(&s);
	expect_nothing(tftp_session_tick(&s, 15));
	tftp_session_released(&s, 16);
	assert_int_equal(s.deadline_ms, 17);
	expect_blocks(tftp_session_tick(&s, 17), 193, 200);
	assert_int_equal(s.deadline_ms, 217);
	/* it arrived: twice as much, then all at once */
	expect_blocks(tftp_session_ack(&s, 200, 18), 201, 328);
	expect_blocks(tftp_session_tick(&s, 19), 329, 400);
	expect_blocks(tftp_session_ack(&s, 400, 20), 401, 600);
	assert_int_equal(s.deadline_ms, 220);
	assert_int_equal(s.resent, 0);
}

static void what_is_lost_makes_smaller_pieces(void **state)
{
	struct tftp_session s = begin(10000000, 64, 0);
	uint64_t now = 428, acked = 204;

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 10), 1, 64);
	/* the tail is lost, without a gap that the client could see */
	expect_blocks(tftp_session_tick(&s, 210), 1, 32);
	expect_blocks(tftp_session_tick(&s, 211), 33, 64);
	expect_blocks(tftp_session_ack(&s, 64, 212), 65, 96);
	expect_blocks(tftp_session_tick(&s, 213), 97, 128);
	/* only the ACK was lost: it is the answer to the first piece already */
	expect_blocks(tftp_session_ack(&s, 128, 214), 129, 160);
	expect_blocks(tftp_session_tick(&s, 215), 161, 192);
	expect_blocks(tftp_session_tick(&s, 416), 129, 144);
	expect_blocks(tftp_session_ack(&s, 192, 417), 193, 208);
	assert_int_equal(s.resent, 64 + 16);
	/* a gap: what is behind it would be for nothing */
	expect_blocks(tftp_session_tick(&s, 418), 209, 224);
	expect_nothing(tftp_session_ack(&s, 204, 419));
	expect_nothing(tftp_session_tick(&s, 420));
	assert_int_equal(s.deadline_ms, 428);
	expect_blocks(tftp_session_tick(&s, 428), 205, 220);
	/* no smaller than 16, and it takes 64 windows until 32 are tried again */
	for (unsigned i = 0; i < 64; i++, acked += 64) {
		assert_int_equal(s.burst, 16);
		for (unsigned piece = 0; piece < 3; piece++)
			assert_int_equal(tftp_session_tick(&s, ++now).send, TFTP_SEND_BLOCKS);
		(void)tftp_session_ack(&s, (uint16_t)(acked + 64), ++now);
	}
	assert_int_equal(s.burst, 16); /* the first was sent twice, so it counts for nothing */
	for (unsigned piece = 0; piece < 3; piece++)
		(void)tftp_session_tick(&s, ++now);
	expect_blocks(tftp_session_ack(&s, (uint16_t)(acked + 64), ++now), acked + 65, acked + 96);
}

/* So a firmware's windows leave as they always did. */
static void a_short_window_leaves_at_once(void **state)
{
	struct tftp_session s = begin(50000, 16, 0);

	(void)state;
	expect_blocks(tftp_session_ack(&s, 0, 10), 1, 16);
	expect_blocks(tftp_session_tick(&s, 210), 1, 16);
	expect_blocks(tftp_session_ack(&s, 16, 220), 17, 32);
}

static void errors_end_it(void **state)
{
	struct tftp_session s = begin(2000, 1, 0);

	(void)state;
	tftp_session_error(&s, 8);
	assert_int_equal(s.outcome, TFTP_PROBE);
	s = begin(2000, 1, 0);
	tftp_session_error(&s, 0);
	assert_int_equal(s.outcome, TFTP_PROBE);
	s = begin(2000, 1, 0);
	tftp_session_error(&s, 3);
	assert_int_equal(s.outcome, TFTP_ABORTED);
	s = begin(2000, 1, 0);
	(void)tftp_session_ack(&s, 0, 1);
	tftp_session_error(&s, 8);
	assert_int_equal(s.outcome, TFTP_ABORTED);
	s = begin(2000, 0, 0);
	tftp_session_error(&s, 0);
	assert_int_equal(s.outcome, TFTP_ABORTED);
}

static void names_outcomes(void **state)
{
	(void)state;
	for (int i = TFTP_RUNNING; i <= TFTP_STOPPED; i++)
		assert_non_null(tftp_session_outcome_name((enum tftp_outcome)i));
	assert_string_equal(tftp_session_outcome_name(TFTP_PROBE), "probe");
}

/* T-10: three times round, at windows that divide 65536 and that do not. */
static void block_numbers_wrap(void **state)
{
	static const uint32_t windows[] = { 1, 4, 7, 64, 1000, TFTP_WINDOWSIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		const uint64_t blocks = 3 * 65536 + 5;
		struct tftp_session s = begin(512 * (blocks - 1), windows[i], 0);
		struct tftp_action a = tftp_session_ack(&s, 0, 0);
		uint64_t got = 0;

		while (s.outcome == TFTP_RUNNING) {
			expect_blocks(a, got + 1, a.last);
			got = a.last;
			a = tftp_session_ack(&s, (uint16_t)got, 1);
		}
		assert_int_equal(s.outcome, TFTP_SENT);
		assert_int_equal(got, blocks);
		assert_int_equal(s.resent, 0);
	}
}

/* ---- every fate of the first packets, and random fates of all ---- */

enum fate {
	DELIVER,
	LOSE,
	DUPLICATE,      /* the copy 3 ms behind */
	DUPLICATE_LATE, /* the copy past the shortest wait */
	DELAY,          /* overtaken by what follows at once */
	DELAY_LONG,     /* past both sides' first timeout */
	FATES,
};

#define FATED      7
#define FATES_ALL  (FATES * FATES * FATES * FATES * FATES * FATES * FATES)
#define ONE_WAY    2    /* ms */
#define SIZE       1400 /* 3 blocks */
#define BLOCKS_MAX 400
#define IN_FLIGHT  4096

enum kind { RRQ, ACK, OACK, DATA };

struct packet {
	uint64_t at;
	enum kind kind;
	uint64_t block; /* unwrapped; the file is small */
};

struct world {
	char name[64];
	unsigned pattern; /* in base FATES, the first packet's fate lowest */
	unsigned n_packets;
	uint64_t seed; /* not 0: fates are random, for all packets */
	uint32_t loss_percent;
	uint64_t now;
	struct packet flying[IN_FLIGHT];
	size_t n_flying;

	struct tftp_terms terms;
	struct tftp_session server;
	uint32_t burst; /* of the server, 0: its own choice */
	uint64_t sent;  /* the furthest block of the server's last piece */
	bool server_runs, server_ended;
	unsigned data_sent[BLOCKS_MAX], timer_sent[BLOCKS_MAX];

	bool started, finished; /* the client */
	uint64_t got, client_deadline;
	unsigned in_window, client_tries;
};

static uint32_t rnd(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

static uint64_t final_block(const struct world *w)
{
	return w->terms.size / w->terms.blksize + 1;
}

static void fly(struct world *w, enum kind kind, uint64_t block, uint64_t delay)
{
	if (w->n_flying == IN_FLIGHT)
		fail_msg("%s: a flood", w->name);
	w->flying[w->n_flying++] = (struct packet){ w->now + delay, kind, block };
}

static enum fate next_fate(struct world *w)
{
	enum fate fate = DELIVER;

	if (w->seed) {
		uint32_t dice = rnd(&w->seed, 100);

		if (dice < w->loss_percent)
			return LOSE;
		return dice < 90 ? DELIVER : (enum fate)rnd(&w->seed, FATES);
	}
	if (w->n_packets++ < FATED) {
		fate = (enum fate)(w->pattern % FATES);
		w->pattern /= FATES;
	}
	return fate;
}

static void send_packet(struct world *w, enum kind kind, uint64_t block)
{
	enum fate fate = next_fate(w);

	if (fate == LOSE)
		return;
	if (fate == DUPLICATE)
		fly(w, kind, block, ONE_WAY + 3);
	if (fate == DUPLICATE_LATE)
		fly(w, kind, block, 300);
	fly(w, kind, block, fate == DELAY ? 15 : fate == DELAY_LONG ? 2500 : ONE_WAY);
}

static void server_do(struct world *w, struct tftp_action a, bool by_timer)
{
	w->server_ended = w->server.outcome != TFTP_RUNNING;
	if (a.send == TFTP_SEND_OACK)
		send_packet(w, OACK, 0);
	if (a.send != TFTP_SEND_BLOCKS)
		return;
	if ((a.first != w->server.acked + 1 && a.first != w->sent + 1) || a.last > final_block(w) ||
		a.last - w->server.acked > w->terms.windowsize)
		fail_msg("%s: blocks %u to %u", w->name, (unsigned)a.first, (unsigned)a.last);
	w->sent = a.last;
	for (uint64_t b = a.first; b <= a.last; b++) {
		w->data_sent[b]++;
		w->timer_sent[b] += by_timer;
		send_packet(w, DATA, b);
	}
}

static void server_take(struct world *w, const struct packet *p)
{
	/* The edge starts one transfer and would open another for an RRQ after
	 * its end; this client answers only the first one's port. */
	if (p->kind == RRQ && !w->server_runs) {
		w->server_runs = true;
		server_do(w, tftp_session_start(&w->server, &w->terms, w->now), false);
		if (w->burst)
			w->server.burst = w->burst;
	} else if (p->kind == RRQ) {
		server_do(w, tftp_session_repeat(&w->server, w->now), true);
	} else {
		server_do(w, tftp_session_ack(&w->server, (uint16_t)p->block, w->now), false);
	}
}

static void client_ack(struct world *w)
{
	w->in_window = 0;
	send_packet(w, ACK, w->got);
}

/* RFC 1350 with RFC 7440: acknowledges a window's last block and the file's,
 * and at a gap, or when something old comes, the last one that was in order. */
static void client_take(struct world *w, const struct packet *p)
{
	w->client_deadline = w->now + 2000;
	w->client_tries = 0;
	if (p->kind == OACK) {
		w->started = true;
		if (w->got == 0)
			client_ack(w);
		return;
	}
	w->started = true;
	if (p->block != w->got + 1) {
		client_ack(w);
		return;
	}
	w->got++;
	w->finished = w->got == final_block(w);
	if (++w->in_window == w->terms.windowsize || w->finished)
		client_ack(w);
}

static void client_tick(struct world *w)
{
	/* a finished client lingers (RFC 1350 6) but says nothing by itself */
	w->client_deadline = w->now + 2000;
	if (w->finished || w->client_tries++ > 15)
		w->client_deadline = UINT64_MAX;
	else if (w->started)
		client_ack(w);
	else
		send_packet(w, RRQ, 0);
}

static size_t next_packet(const struct world *w)
{
	size_t best = 0;

	for (size_t i = 1; i < w->n_flying; i++)
		if (w->flying[i].at < w->flying[best].at)
			best = i;
	return best;
}

/* Moves to the next thing that happens; false when nothing will. */
static bool world_step(struct world *w)
{
	size_t next = next_packet(w);
	uint64_t packet_at = w->n_flying ? w->flying[next].at : UINT64_MAX;
	uint64_t server_at = w->server_runs && !w->server_ended ? w->server.deadline_ms
								: UINT64_MAX;

	if (packet_at == UINT64_MAX && server_at == UINT64_MAX && w->client_deadline == UINT64_MAX)
		return false;
	if (packet_at <= server_at && packet_at <= w->client_deadline) {
		struct packet p = w->flying[next];

		w->now = packet_at;
		memmove(&w->flying[next], &w->flying[next + 1], (--w->n_flying - next) * sizeof(p));
		if (p.kind == RRQ || p.kind == ACK)
			server_take(w, &p);
		else
			client_take(w, &p);
	} else if (server_at <= w->client_deadline) {
		w->now = server_at;
		server_do(w, tftp_session_tick(&w->server, w->now), true);
	} else {
		w->now = w->client_deadline;
		client_tick(w);
	}
	return true;
}

static void run_world(struct world *w, unsigned steps_max)
{
	unsigned steps = 0;

	client_tick(w);
	while (world_step(w) && ++steps < steps_max)
		if (w->server_runs && w->now > w->server.progress_ms + TFTP_GIVE_UP_MS &&
			!w->server_ended)
			fail_msg("%s: alive after 60 s", w->name);
	if (steps == steps_max)
		fail_msg("%s: no end", w->name);
	if (!w->finished)
		fail_msg("%s: no file", w->name);
	if (w->server.oacks > 3 + FATED && !w->seed)
		fail_msg("%s: %u OACKs", w->name, w->server.oacks);
	for (uint64_t b = 1; w->terms.windowsize == 1 && b <= final_block(w); b++)
		if (w->data_sent[b] > w->timer_sent[b] + 1)
			fail_msg("%s: DATA(%u) for a duplicate ACK", w->name, (unsigned)b);
}

static struct world world; /* too large for a stack */

static void world_begin(uint64_t size, uint32_t windowsize, bool options)
{
	/* what flies need not be cleared: there is a lot of it */
	world.n_flying = world.n_packets = 0;
	world.pattern = 0;
	world.seed = world.sent = 0;
	world.burst = 0;
	world.now = 1000;
	world.terms = terms_of(size, windowsize, options);
	world.server_runs = world.server_ended = world.started = world.finished = false;
	memset(world.data_sent, 0, sizeof(world.data_sent));
	memset(world.timer_sent, 0, sizeof(world.timer_sent));
	world.got = world.in_window = world.client_tries = 0;
	world.client_deadline = UINT64_MAX;
}

static void run_pattern(
	unsigned pattern, uint64_t size, uint32_t windowsize, uint32_t burst, bool options)
{
	world_begin(size, windowsize, options);
	world.pattern = pattern;
	world.burst = burst;
	(void)snprintf(world.name, sizeof(world.name), "pattern %u size %u window %u burst %u",
		pattern, (unsigned)size, windowsize, burst);
	run_world(&world, 10000);
	/* At most seven packets were touched, so the last ACK arrives too. */
	if (world.server.outcome != TFTP_SENT)
		fail_msg("%s: %s", world.name, tftp_session_outcome_name(world.server.outcome));
}

static void survives_every_pattern(void **state)
{
	(void)state;
	for (unsigned pattern = 0; pattern < FATES_ALL; pattern++) {
		run_pattern(pattern, SIZE, 1, 0, false);
		run_pattern(pattern, SIZE, 1, 0, true);
		run_pattern(pattern, SIZE, 2, 0, true);
		run_pattern(pattern, SIZE, 3, 0, true);
		run_pattern(pattern, 5 * 512, 4, 0, true); /* ends with an empty block */
		run_pattern(pattern, 9 * 512 + 1, 8, 0, true);
		run_pattern(pattern, SIZE, 3, 1, true); /* the window in pieces */
		run_pattern(pattern, 9 * 512 + 1, 8, 3, true);
	}
}

/* Long transfers where everything may happen to each packet. */
static void survives_random_networks(void **state)
{
	static const uint32_t windows[] = { 1, 1, 2, 3, 4, 7, 16, 64, 256 };
	const char *s = getenv("SEED");
	uint64_t seed = s ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);

	(void)state;
	printf("SEED=%llu\n", (unsigned long long)seed);
	for (unsigned run = 0; run < 1500; run++) {
		uint32_t window = windows[rnd(&seed, ARRAY_LEN(windows))];

		world_begin(rnd(&seed, (BLOCKS_MAX - 2) * 512), window, window > 1 || run % 2);
		/* more of it, and one run in thousands ends by giving up after 60 s */
		world.loss_percent = rnd(&seed, 16);
		world.burst = run % 3 == 0 ? 1 + rnd(&seed, window) : 0;
		(void)snprintf(world.name, sizeof(world.name), "seed %llu window %u loss %u %%",
			(unsigned long long)seed, window, world.loss_percent);
		world.seed = seed | 1;
		run_world(&world, 1000000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleans_names),
		cmocka_unit_test(agrees_on_options),
		cmocka_unit_test(oack_always_fits),
		cmocka_unit_test(ends_with_a_short_block),
		cmocka_unit_test(sends_three_oacks),
		cmocka_unit_test(data_is_not_resent_before_an_ack),
		cmocka_unit_test(backs_off_and_gives_up),
		cmocka_unit_test(waits_as_round_trips_say),
		cmocka_unit_test(learns_that_a_path_became_slower),
		cmocka_unit_test(a_window_restarts_the_wait),
		cmocka_unit_test(waits_for_what_is_held),
		cmocka_unit_test(long_timeout_gives_up_at_60_s),
		cmocka_unit_test(no_data_for_a_duplicate_ack),
		cmocka_unit_test(ack_of_what_was_not_sent_is_ignored),
		cmocka_unit_test(restarts_the_window),
		cmocka_unit_test(restarts_at_most_once_per_round_trip),
		cmocka_unit_test(a_long_window_leaves_in_pieces),
		cmocka_unit_test(what_is_lost_makes_smaller_pieces),
		cmocka_unit_test(a_short_window_leaves_at_once),
		cmocka_unit_test(errors_end_it),
		cmocka_unit_test(names_outcomes),
		cmocka_unit_test(block_numbers_wrap),
		cmocka_unit_test(survives_every_pattern),
		cmocka_unit_test(survives_random_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
