/* wire/frame.h: frames out and in again; lengths and checksums that lie. */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define AT_TYPE     12u
#define AT_IP       14u
#define AT_TOTAL    16u
#define AT_FRAGMENT 20u
#define AT_PROTOCOL 23u
#define AT_IP_SUM   24u
#define AT_UDP      34u
#define AT_UDP_LEN  38u
#define AT_UDP_SUM  40u

static const struct frame4 offer = {
	.src_mac = { { 0x52, 0x54, 0, 1, 2, 3 } },
	.dst_mac = { { 0x52, 0x54, 0, 4, 5, 6 } },
	.src = { 0xac180001u },
	.dst = { 0xac182001u },
	.src_port = 67,
	.dst_port = 68,
};

/* Made by hand; the sums were checked with tshark. */
static const uint8_t offer_of_two_octets[] = { 0x52, 0x54, 0x00, 0x04, 0x05, 0x06, 0x52, 0x54, 0x00,
	0x01, 0x02, 0x03, 0x08, 0x00,                                           /* Ethernet */
	0x45, 0x00, 0x00, 0x1e, 0x00, 0x00, 0x00, 0x00, 0x40, 0x11, 0x02, 0x9d, /* IPv4 */
	0xac, 0x18, 0x00, 0x01, 0xac, 0x18, 0x20, 0x01, 0x00, 0x43, 0x00, 0x44, 0x00, 0x0a, 0x1e,
	0xb7, 'h', 'i' };

static enum drop decode(const uint8_t *p, size_t n, bool checksums, struct frame4 *f)
{
	/* A copy without slack: the sanitizer sees any read past the end. */
	uint8_t *copy = malloc(n ? n : 1);
	enum drop d;

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	d = frame4_decode((struct span){ copy, n }, checksums, f);
	if (d == DROP_NONE)
		f->payload.p = p + (f->payload.p - copy);
	free(copy);
	return d;
}

static void lays_out_a_frame(void **state)
{
	struct frame4 f = offer;
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	f.payload = SPAN_LIT("hi");
	frame4_encode(&f, &w);
	assert_false(w.full);
	assert_int_equal(w.n, sizeof(offer_of_two_octets));
	assert_memory_equal(buf, offer_of_two_octets, sizeof(offer_of_two_octets));
}

static void comes_back_as_it_was(void **state)
{
	static uint8_t payload[1500], buf[1600];

	(void)state;
	for (size_t n = 0; n < sizeof(payload); n += n < 20 ? 1 : 37) {
		struct frame4 f = offer, g;
		struct wr w = wr_of(buf, sizeof(buf));

		for (size_t i = 0; i < n; i++)
			payload[i] = (uint8_t)(i * n);
		f.payload = (struct span){ payload, n };
		frame4_encode(&f, &w);
		assert_int_equal(w.n, FRAME4_HEADERS + n);
		assert_int_equal(decode(buf, w.n, true, &g), DROP_NONE);
		assert_true(mac_eq(g.src_mac, f.src_mac) && mac_eq(g.dst_mac, f.dst_mac));
		assert_true(ip4_eq(g.src, f.src) && ip4_eq(g.dst, f.dst));
		assert_true(g.src_port == f.src_port && g.dst_port == f.dst_port);
		assert_true(span_eq(g.payload, f.payload));
	}
}

/* RFC 768: a sum of zero goes as all ones, since zero says that none was made. */
static void never_sends_a_zero_checksum(void **state)
{
	(void)state;
	for (unsigned v = 0; v <= UINT16_MAX; v++) {
		const uint8_t two[] = { (uint8_t)(v >> 8), (uint8_t)v };
		struct frame4 f = offer, g;
		uint8_t buf[64];
		struct wr w = wr_of(buf, sizeof(buf));

		f.payload = (struct span){ two, 2 };
		frame4_encode(&f, &w);
		if (buf[AT_UDP_SUM] == 0 && buf[AT_UDP_SUM + 1] == 0)
			fail_msg("payload %04x", v);
		if (frame4_decode(wr_done(&w), true, &g) != DROP_NONE)
			fail_msg("payload %04x does not come back", v);
	}
}

static void a_frame_without_room_is_full(void **state)
{
	static const uint8_t large[UINT16_MAX];
	struct frame4 f = offer;

	(void)state;
	f.payload = SPAN_LIT("hi");
	for (size_t room = 0; room < sizeof(offer_of_two_octets); room++) {
		uint8_t *buf = malloc(room ? room : 1);
		struct wr w = wr_of(buf, room);

		assert_non_null(buf);
		frame4_encode(&f, &w);
		assert_true(w.full);
		free(buf);
	}
	uint8_t *buf = malloc(70000);
	struct wr w = wr_of(buf, 70000);

	assert_non_null(buf);
	f.payload = (struct span){ large, UINT16_MAX - 28 };
	frame4_encode(&f, &w);
	assert_false(w.full);
	w = wr_of(buf, 70000);
	f.payload = (struct span){ large, UINT16_MAX - 27 }; /* IP cannot count this far */
	frame4_encode(&f, &w);
	assert_true(w.full);
	assert_int_equal(w.n, 0);
	free(buf);
}

static const struct {
	const char *name;
	size_t at;
	uint8_t becomes[2];
	enum drop why;         /* with checksums verified */
	enum drop why_without; /* with checksums left alone */
} broken[] = {
	{ "ARP", AT_TYPE, { 8, 6 }, DROP_FRAME_NOT_IP, DROP_FRAME_NOT_IP },
	{ "VLAN", AT_TYPE, { 0x81, 0 }, DROP_FRAME_NOT_IP, DROP_FRAME_NOT_IP },
	{ "IP version 6", AT_IP, { 0x65, 0 }, DROP_FRAME_NOT_IP, DROP_FRAME_NOT_IP },
	{ "IP header of 4 words", AT_IP, { 0x44, 0 }, DROP_FRAME_NOT_IP, DROP_FRAME_NOT_IP },
	{ "IP header longer than the packet", AT_IP, { 0x4f, 0 }, DROP_FRAME_SHORT,
		DROP_FRAME_SHORT },
	{ "IP header over the UDP header", AT_IP, { 0x46, 0 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "total of a header alone", AT_TOTAL, { 0, 20 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "total of 0", AT_TOTAL, { 0, 0 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "total past the frame", AT_TOTAL, { 0, 31 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "total of 65535", AT_TOTAL, { 255, 255 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "first fragment", AT_FRAGMENT, { 0x20, 0 }, DROP_FRAME_NOT_UDP, DROP_FRAME_NOT_UDP },
	{ "later fragment", AT_FRAGMENT, { 0, 1 }, DROP_FRAME_NOT_UDP, DROP_FRAME_NOT_UDP },
	{ "don't fragment", AT_FRAGMENT, { 0x40, 0 }, DROP_FRAME_BAD_CHECKSUM, DROP_NONE },
	{ "TCP", AT_PROTOCOL, { 6, 0x02 }, DROP_FRAME_NOT_UDP, DROP_FRAME_NOT_UDP },
	{ "IP checksum", AT_IP_SUM, { 0, 0 }, DROP_FRAME_BAD_CHECKSUM, DROP_NONE },
	{ "UDP length 7", AT_UDP_LEN, { 0, 7 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "UDP length past IP's", AT_UDP_LEN, { 0, 11 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "UDP length 2000", AT_UDP_LEN, { 7, 0xd0 }, DROP_FRAME_SHORT, DROP_FRAME_SHORT },
	{ "UDP length short of the payload", AT_UDP_LEN, { 0, 9 }, DROP_FRAME_BAD_CHECKSUM,
		DROP_NONE },
	{ "UDP checksum", AT_UDP_SUM, { 1, 1 }, DROP_FRAME_BAD_CHECKSUM, DROP_NONE },
	{ "no UDP checksum", AT_UDP_SUM, { 0, 0 }, DROP_NONE, DROP_NONE },
	{ "half a UDP checksum", AT_UDP_SUM, { 0, 0xb7 }, DROP_FRAME_BAD_CHECKSUM, DROP_NONE },
};

static void refuses_broken_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		uint8_t b[sizeof(offer_of_two_octets)];
		struct frame4 f;
		enum drop with, without;

		memcpy(b, offer_of_two_octets, sizeof(b));
		memcpy(b + broken[i].at, broken[i].becomes, 2);
		with = decode(b, sizeof(b), true, &f);
		without = decode(b, sizeof(b), false, &f);
		if (with != broken[i].why || without != broken[i].why_without)
			fail_msg("%s: %s, and %s without checksums", broken[i].name, drop_id(with),
				drop_id(without));
	}
}

static void refuses_every_truncation(void **state)
{
	const struct frame4 untouched = { .src_port = 7 };
	struct frame4 f = untouched;

	(void)state;
	for (size_t n = 0; n < sizeof(offer_of_two_octets); n++)
		if (decode(offer_of_two_octets, n, true, &f) != DROP_FRAME_SHORT)
			fail_msg("%zu octets", n);
	assert_memory_equal(&f, &untouched, sizeof(f));
}

/* Ethernet pads to 60 octets; what lies behind IP's total is none of ours. */
static void ignores_padding(void **state)
{
	uint8_t b[60];
	struct frame4 f;

	(void)state;
	memset(b, 0xee, sizeof(b));
	memcpy(b, offer_of_two_octets, sizeof(offer_of_two_octets));
	assert_int_equal(decode(b, sizeof(b), true, &f), DROP_NONE);
	assert_true(span_eq(f.payload, SPAN_LIT("hi")));
}

static void skips_ip_options(void **state)
{
	uint8_t b[sizeof(offer_of_two_octets) + 4];
	struct frame4 f;

	(void)state;
	memcpy(b, offer_of_two_octets, AT_UDP);
	memset(b + AT_UDP, 1, 4); /* four no-operations */
	memcpy(b + AT_UDP + 4, offer_of_two_octets + AT_UDP, sizeof(offer_of_two_octets) - AT_UDP);
	b[AT_IP] = 0x46;
	b[AT_TOTAL + 1] = 34;
	assert_int_equal(decode(b, sizeof(b), false, &f), DROP_NONE);
	assert_true(span_eq(f.payload, SPAN_LIT("hi")));
	assert_int_equal(f.dst_port, 68);
	assert_int_equal(decode(b, sizeof(b), true, &f), DROP_FRAME_BAD_CHECKSUM);
	b[AT_IP_SUM] = 0xff; /* the sum goes over the options too */
	b[AT_IP_SUM + 1] = 0x96;
	assert_int_equal(decode(b, sizeof(b), true, &f), DROP_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lays_out_a_frame),
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(never_sends_a_zero_checksum),
		cmocka_unit_test(a_frame_without_room_is_full),
		cmocka_unit_test(refuses_broken_frames),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(ignores_padding),
		cmocka_unit_test(skips_ip_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
