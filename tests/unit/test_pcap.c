/* wire/pcap.h: both forms in both orders, and files that lie or end too soon. */
#include "wire/pcap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct file {
	bool little;
	uint8_t b[4096];
	size_t n;
};

static void put(struct file *f, uint32_t v, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		f->b[f->n + i] = (uint8_t)(v >> 8 * (f->little ? i : octets - 1 - i));
	f->n += octets;
}

static void put_octets(struct file *f, struct span s)
{
	if (s.n)
		memcpy(f->b + f->n, s.p, s.n);
	f->n += s.n;
}

static void classic(struct file *f, bool little, uint32_t magic, uint32_t link)
{
	f->n = 0;
	f->little = little;
	put(f, magic, 4);
	put(f, 2, 2);
	put(f, 4, 2);
	put(f, 0, 4);
	put(f, 0, 4);
	put(f, 65535, 4);
	put(f, link, 4);
}

static void classic_packet(struct file *f, struct span data)
{
	put(f, 1700000000, 4);
	put(f, 5, 4);
	put(f, (uint32_t)data.n, 4);
	put(f, (uint32_t)data.n + 100, 4); /* more was on the wire */
	put_octets(f, data);
}

static void block(struct file *f, uint32_t type, const struct file *body)
{
	size_t padded = (body->n + 3) / 4 * 4;

	put(f, type, 4);
	put(f, (uint32_t)padded + 12, 4);
	put_octets(f, (struct span){ body->b, body->n });
	put(f, 0, padded - body->n);
	put(f, (uint32_t)padded + 12, 4);
}

static void section(struct file *f, bool little)
{
	struct file body = { .little = little };

	f->little = little;
	put(&body, 0x1a2b3c4d, 4);
	put(&body, 1, 2);
	put(&body, 0, 2);
	put(&body, 0xffffffff, 4);
	put(&body, 0xffffffff, 4);
	block(f, 0x0a0d0d0a, &body);
}

static void interface(struct file *f, uint16_t link)
{
	struct file body = { .little = f->little };

	put(&body, link, 2);
	put(&body, 0, 2);
	put(&body, 65535, 4);
	block(f, 1, &body);
}

static void enhanced(struct file *f, uint32_t number, struct span data)
{
	struct file body = { .little = f->little };

	put(&body, number, 4);
	put(&body, 0, 4);
	put(&body, 0, 4);
	put(&body, (uint32_t)data.n, 4);
	put(&body, (uint32_t)data.n, 4);
	put_octets(&body, data);
	block(f, 6, &body);
}

static void simple(struct file *f, uint32_t length, struct span data)
{
	struct file body = { .little = f->little };

	put(&body, length, 4);
	put_octets(&body, data);
	block(f, 3, &body);
}

static void unknown(struct file *f)
{
	struct file body = { .little = f->little };

	put(&body, 0xdead, 4);
	block(f, 0x0bad, &body);
}

/* Reads a copy without slack, so that the sanitizer sees any step beyond. */
static unsigned count(struct span file, bool *ret_broken)
{
	uint8_t *copy = malloc(file.n ? file.n : 1);
	struct pcap_packet packet;
	struct pcap p;
	unsigned n = 0;

	assert_non_null(copy);
	if (file.n)
		memcpy(copy, file.p, file.n);
	*ret_broken = true;
	if (pcap_open((struct span){ copy, file.n }, &p) == 0) {
		while (pcap_next(&p, &packet)) {
			assert_int_equal(packet.number, ++n);
			if (packet.data.n)
				assert_true(packet.data.p >= copy &&
					packet.data.p + packet.data.n <= copy + file.n);
		}
		assert_false(pcap_next(&p, &packet));
		*ret_broken = p.is_broken;
	}
	free(copy);
	return n;
}

static void expect(struct pcap *p, uint16_t link, const char *data)
{
	struct pcap_packet packet;

	if (!pcap_next(p, &packet))
		fail_msg("no packet where \"%s\" should be", data);
	assert_int_equal(packet.link, link);
	if (!span_eq(packet.data, span_str(data)))
		fail_msg("%zu octets \"%.*s\", expected \"%s\"", packet.data.n, (int)packet.data.n,
			(const char *)packet.data.p, data);
}

static void reads_pcap(void **state)
{
	static const uint32_t magics[] = { 0xa1b2c3d4, 0xa1b23c4d };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct file f;
		struct pcap p;
		struct pcap_packet none;

		classic(&f, i & 1, magics[i / 2],
			1u | 0x24000000u); /* the upper bits tell of check sequences */
		classic_packet(&f, SPAN_LIT("one"));
		classic_packet(&f, SPAN_NONE);
		classic_packet(&f, SPAN_LIT("three"));
		assert_int_equal(pcap_open((struct span){ f.b, f.n }, &p), 0);
		expect(&p, 1, "one");
		expect(&p, 1, "");
		expect(&p, 1, "three");
		assert_false(pcap_next(&p, &none));
		assert_false(p.is_broken);
	}
}

static void reads_pcapng(void **state)
{
	(void)state;
	for (int little = 0; little < 2; little++) {
		struct file f = { 0 };
		struct pcap p;
		struct pcap_packet none;

		section(&f, little);
		interface(&f, 1);
		interface(&f, 113);
		enhanced(&f, 0, SPAN_LIT("a"));
		unknown(&f);
		enhanced(&f, 1, SPAN_LIT("four"));
		simple(&f, 7, SPAN_LIT("seven!!"));
		simple(&f, 900, SPAN_LIT("cut off!"));
		enhanced(&f, 9, SPAN_LIT("whose?"));
		section(&f, !little);
		enhanced(&f, 0, SPAN_LIT("no interface yet"));
		interface(&f, 276);
		enhanced(&f, 0, SPAN_LIT("other"));
		assert_int_equal(pcap_open((struct span){ f.b, f.n }, &p), 0);
		expect(&p, 1, "a");
		expect(&p, 113, "four");
		expect(&p, 1, "seven!!");
		expect(&p, 1, "cut off!");
		expect(&p, PCAP_LINK_UNKNOWN, "whose?");
		expect(&p, PCAP_LINK_UNKNOWN, "no interface yet");
		expect(&p, 276, "other");
		assert_false(pcap_next(&p, &none));
		assert_false(p.is_broken);
	}
}

static void knows_what_is_no_capture(void **state)
{
	static const char *const none[] = { "", "a", "#!ipxe\nshell\n", "\x0a\x0d\x0d",
		"PK\3\4PK\3\4PK\3\4PK\3\4PK\3\4PK\3\4", "\xd4\xc3\xb2\xa1",
		"\xa1\xb2\xc3\xd4\0\2\0\4" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct pcap p = { .n_packets = 7 };

		if (pcap_open(span_str(none[i]), &p) != -EINVAL || p.n_packets != 7)
			fail_msg("number %zu", i);
	}
}

static void ends_where_the_file_ends(void **state)
{
	struct file f, g = { 0 };
	bool broken;

	(void)state;
	classic(&f, true, 0xa1b2c3d4, 1);
	classic_packet(&f, SPAN_LIT("one"));
	classic_packet(&f, SPAN_LIT("two"));
	for (size_t n = 24; n <= f.n; n++) {
		unsigned whole = (n >= 43) + (n >= 62);

		assert_int_equal(count((struct span){ f.b, n }, &broken), whole);
		if (broken != (n != 24 && n != 43 && n != 62))
			fail_msg("%zu octets", n);
	}
	section(&g, true);
	interface(&g, 1);
	enhanced(&g, 0, SPAN_LIT("one"));
	for (size_t n = 0; n < g.n; n++) {
		assert_int_equal(count((struct span){ g.b, n }, &broken), 0);
		if (broken != (n != 28 && n != 48))
			fail_msg("pcapng, %zu octets", n);
	}
	assert_int_equal(count((struct span){ g.b, g.n }, &broken), 1);
	assert_false(broken);
}

static void believes_no_length(void **state)
{
	static const uint32_t lengths[] = { 0, 4, 11, 13, 0x7fffffff, 0xfffffffc, 0xffffffff };
	bool broken;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct file f = { 0 };

		classic(&f, false, 0xa1b2c3d4, 1);
		put(&f, 0, 4);
		put(&f, 0, 4);
		put(&f, 0x80000000u | lengths[i], 4);
		put(&f, 0, 4);
		assert_int_equal(count((struct span){ f.b, f.n }, &broken), 0);
		assert_true(broken);
		f.n = 0;
		section(&f, false);
		put(&f, 6, 4);
		put(&f, lengths[i], 4);
		put(&f, 0, 4);
		put(&f, 0, 4);
		assert_int_equal(count((struct span){ f.b, f.n }, &broken), 0);
		assert_true(broken);
		f.n = 0;
		section(&f, false);
		interface(&f, 1);
		enhanced(&f, 0, SPAN_LIT("x"));
		f.b[f.n - 16] = 0x7f; /* captured */
		assert_int_equal(count((struct span){ f.b, f.n }, &broken), 0);
		assert_true(broken);
	}
}

static void keeps_a_limited_number_of_interfaces(void **state)
{
	struct file f = { 0 };
	struct pcap p;

	(void)state;
	section(&f, true);
	for (unsigned i = 0; i < PCAP_INTERFACES_MAX + 10; i++)
		interface(&f, (uint16_t)(i + 1));
	enhanced(&f, PCAP_INTERFACES_MAX - 1, SPAN_LIT("last"));
	enhanced(&f, PCAP_INTERFACES_MAX, SPAN_LIT("beyond"));
	assert_int_equal(pcap_open((struct span){ f.b, f.n }, &p), 0);
	expect(&p, PCAP_INTERFACES_MAX, "last");
	expect(&p, PCAP_LINK_UNKNOWN, "beyond");
}

static void takes_tags_off(void **state)
{
	static const struct {
		struct span frame, without;
	} cases[] = {
		{ SPAN_LIT("dstdstsrcsrc\x08\0IP"), SPAN_LIT("dstdstsrcsrc\x08\0IP") },
		{ SPAN_LIT("dstdstsrcsrc\x81\0\0\7\x08\0IP"),
			SPAN_LIT("stsrcsrc\x81\0\0\7\x08\0IP") },
		{ SPAN_LIT("dstdstsrcsrc\x88\xa8\0\7\x81\0\0\1\x08\0IP"),
			SPAN_LIT("srcsrc\x88\xa8\0\7\x81\0\0\1\x08\0IP") },
		{ SPAN_LIT("dstdstsrcsrc\x81"), SPAN_LIT("dstdstsrcsrc\x81") },
		{ SPAN_LIT("dstdstsrcsrc\x81\0"), SPAN_LIT("stsrcsrc\x81\0") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span got = pcap_without_tags(cases[i].frame);

		if (i != 2 ? !span_eq(got, cases[i].without) : got.n != cases[i].frame.n - 8)
			fail_msg("number %zu: %zu octets", i, got.n);
	}
	assert_int_equal(pcap_without_tags(SPAN_NONE).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pcap),
		cmocka_unit_test(reads_pcapng),
		cmocka_unit_test(knows_what_is_no_capture),
		cmocka_unit_test(ends_where_the_file_ends),
		cmocka_unit_test(believes_no_length),
		cmocka_unit_test(keeps_a_limited_number_of_interfaces),
		cmocka_unit_test(takes_tags_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
