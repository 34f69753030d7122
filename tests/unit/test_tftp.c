/* wire/tftp.c: what decodes to what, and what is refused. */
#include "wire/tftp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct {
	const char *name;
	struct span packet;
	enum drop why;
} refusals[] = {
	{ "nothing", { NULL, 0 }, DROP_TFTP_SHORT },
	{ "one octet", SPAN_LIT("\0"), DROP_TFTP_SHORT },
	{ "opcode 0", SPAN_LIT("\0\0a\0octet\0"), DROP_TFTP_OPCODE },
	{ "DATA from a client", SPAN_LIT("\0\3\0\1x"), DROP_TFTP_OPCODE },
	{ "OACK from a client", SPAN_LIT("\0\6blksize\0008\0"), DROP_TFTP_OPCODE },
	{ "opcode in the wrong byte order", SPAN_LIT("\1\0a\0octet\0"), DROP_TFTP_OPCODE },
	{ "short ACK", SPAN_LIT("\0\4\0"), DROP_TFTP_SHORT },
	{ "short ERROR", SPAN_LIT("\0\5\0"), DROP_TFTP_SHORT },
	{ "RRQ of nothing", SPAN_LIT("\0\1"), DROP_TFTP_NO_NUL },
	{ "name without NUL", SPAN_LIT("\0\1abc"), DROP_TFTP_NO_NUL },
	{ "no name", SPAN_LIT("\0\1\0octet\0"), DROP_TFTP_NO_FILE },
	{ "no mode", SPAN_LIT("\0\1a\0"), DROP_TFTP_MODE },
	{ "mode without NUL", SPAN_LIT("\0\1a\0octet"), DROP_TFTP_NO_NUL },
	{ "option name without NUL", SPAN_LIT("\0\1a\0octet\0blk"), DROP_TFTP_NO_NUL },
	{ "option without value", SPAN_LIT("\0\1a\0octet\0blksize\0"), DROP_TFTP_NO_NUL },
	{ "value without NUL", SPAN_LIT("\0\1a\0octet\0blksize\00012"), DROP_TFTP_NO_NUL },
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct tftp_packet p;
		enum drop why = tftp_decode(refusals[i].packet, &p);

		if (why != refusals[i].why)
			fail_msg("%s: %s instead of %s", refusals[i].name, drop_id(why),
				drop_id(refusals[i].why));
	}
}

static void decodes_request(void **state)
{
	struct tftp_packet p;
	const struct span *v;

	(void)state;
	assert_int_equal(
		tftp_decode(SPAN_LIT("\0\1a/b\0OcTeT\0BLKsize\0001468\0x\0\0blksize\0009\0"), &p),
		DROP_NONE);
	assert_int_equal(p.opcode, TFTP_RRQ);
	assert_int_equal(p.request.mode, TFTP_MODE_OCTET);
	assert_true(span_eq(p.request.file, SPAN_LIT("a/b")));
	assert_int_equal(p.request.n_options, 3);
	v = tftp_option_find(&p.request, SPAN_LIT("blksize"));
	assert_non_null(v);
	assert_true(span_eq(*v, SPAN_LIT("1468")));
	v = tftp_option_find(&p.request, SPAN_LIT("X"));
	assert_non_null(v);
	assert_int_equal(v->n, 0);
	assert_null(tftp_option_find(&p.request, SPAN_LIT("tsize")));

	assert_int_equal(tftp_decode(SPAN_LIT("\0\2a\0netASCII\0"), &p), DROP_NONE);
	assert_int_equal(p.opcode, TFTP_WRQ);
	assert_int_equal(p.request.mode, TFTP_MODE_NETASCII);
	assert_int_equal(tftp_decode(SPAN_LIT("\0\1a\0mail\0"), &p), DROP_NONE);
	assert_int_equal(p.request.mode, TFTP_MODE_OTHER);
	assert_int_equal(tftp_decode(SPAN_LIT("\0\1a\0\0"), &p), DROP_NONE);
	assert_int_equal(p.request.mode, TFTP_MODE_OTHER);
}

static void ignores_padding(void **state)
{
	struct tftp_packet p;

	(void)state;
	assert_int_equal(
		tftp_decode(SPAN_LIT("\0\1a\0octet\0tsize\0000\0\0\0\0\0"), &p), DROP_NONE);
	assert_int_equal(p.request.n_options, 1);
}

static void limits_options_and_length(void **state)
{
	uint8_t buf[600];
	struct wr w = wr_of(buf, sizeof(buf));
	struct tftp_packet p;

	(void)state;
	wr_span(&w, SPAN_LIT("\0\1a\0octet\0"));
	for (int i = 0; i < TFTP_OPTIONS_MAX; i++)
		wr_span(&w, SPAN_LIT("o\0v\0"));
	assert_int_equal(tftp_decode(wr_done(&w), &p), DROP_NONE);
	assert_int_equal(p.request.n_options, TFTP_OPTIONS_MAX);
	wr_span(&w, SPAN_LIT("o\0v\0"));
	assert_int_equal(tftp_decode(wr_done(&w), &p), DROP_TFTP_OPTIONS);

	w = wr_of(buf, sizeof(buf));
	wr_span(&w, SPAN_LIT("\0\1"));
	wr_fill(&w, 'a', TFTP_REQUEST_MAX - 9);
	wr_span(&w, SPAN_LIT("\0octet\0"));
	assert_int_equal(w.n, TFTP_REQUEST_MAX);
	assert_int_equal(tftp_decode(wr_done(&w), &p), DROP_NONE);
	wr_u8(&w, 0);
	assert_int_equal(tftp_decode(wr_done(&w), &p), DROP_TFTP_LONG);
}

static void decodes_ack_and_error(void **state)
{
	struct tftp_packet p;

	(void)state;
	assert_int_equal(tftp_decode(SPAN_LIT("\0\4\xff\xfe"), &p), DROP_NONE);
	assert_int_equal(p.opcode, TFTP_ACK);
	assert_int_equal(p.block, 0xfffe);
	assert_int_equal(tftp_decode(SPAN_LIT("\0\5\0\10User aborted\0junk"), &p), DROP_NONE);
	assert_int_equal(p.opcode, TFTP_ERROR);
	assert_int_equal(p.error.code, TFTP_ERROR_OPTIONS);
	assert_true(span_eq(p.error.text, SPAN_LIT("User aborted")));
	assert_int_equal(tftp_decode(SPAN_LIT("\0\5\0\0no NUL"), &p), DROP_NONE);
	assert_true(span_eq(p.error.text, SPAN_LIT("no NUL")));
	assert_int_equal(tftp_decode(SPAN_LIT("\0\5\0\0"), &p), DROP_NONE);
	assert_int_equal(p.error.text.n, 0);
}

static const struct {
	const char *text;
	int err;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0 },
	{ "1468", 0, 1468 },
	{ "0512", 0, 512 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", 0, UINT64_MAX },
	{ "99999999999999999999999999999999", 0, UINT64_MAX },
	{ "", -1, 0 },
	{ "-1", -1, 0 },
	{ "+1", -1, 0 },
	{ " 1", -1, 0 },
	{ "1 ", -1, 0 },
	{ "0x10", -1, 0 },
	{ "1e3", -1, 0 },
	{ "abc", -1, 0 },
};

static void reads_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t v = 7;
		int err = tftp_number(span_str(numbers[i].text), &v);

		if ((err < 0) != (numbers[i].err < 0) || (err == 0 && v != numbers[i].value) ||
			(err < 0 && v != 7))
			fail_msg("number '%s'", numbers[i].text);
	}
}

static void encodes(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	tftp_put_data(&w, 0xabcd);
	assert_true(span_eq(wr_done(&w), SPAN_LIT("\0\3\xab\xcd")));

	w = wr_of(buf, sizeof(buf));
	tftp_put_oack(&w);
	tftp_put_option(&w, SPAN_LIT("tsize"), 4294967296);
	assert_true(span_eq(wr_done(&w), SPAN_LIT("\0\6tsize\0004294967296\0")));

	w = wr_of(buf, sizeof(buf));
	tftp_put_error(&w, TFTP_ERROR_ACCESS, SPAN_LIT("No"));
	assert_true(span_eq(wr_done(&w), SPAN_LIT("\0\5\0\2No\0")));

	w = wr_of(buf, 8);
	tftp_put_error(&w, TFTP_ERROR_OTHER, SPAN_LIT("a long sentence"));
	assert_true(span_eq(wr_done(&w), SPAN_LIT("\0\5\0\0a l\0")));
	assert_false(w.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(decodes_request),
		cmocka_unit_test(ignores_padding),
		cmocka_unit_test(limits_options_and_length),
		cmocka_unit_test(decodes_ack_and_error),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(encodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
