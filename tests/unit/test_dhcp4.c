/* wire/dhcp4.h: what decodes to what, what is refused, how replies are laid out. */
#include "wire/dhcp4.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define HEADER     236u
#define AT_SNAME   44u
#define AT_FILE    108u
#define AT_COOKIE  236u
#define AT_OPTIONS 240u

/* A DISCOVER's type, ahead of the options that a case is about. */
#define TYPE "\x35\x01\x01"

struct packet {
	uint8_t b[2048];
	size_t n;
};

/* A request with a header in which every field differs. */
static void make_packet(struct packet *p, struct span options, struct span sname, struct span file)
{
	static const uint8_t fixed[] = { 1, 6, 7, 3, 0xa1, 0xa2, 0xa3, 0xa4, 0x12, 0x34, 0x80, 0x00,
		10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3, 10, 0, 0, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
		10, 11, 12, 13, 14, 15 };
	static const uint8_t cookie[] = { 0x63, 0x82, 0x53, 0x63 };

	*p = (struct packet){ .n = AT_OPTIONS + options.n };
	memcpy(p->b, fixed, sizeof(fixed));
	if (sname.n)
		memcpy(p->b + AT_SNAME, sname.p, sname.n);
	if (file.n)
		memcpy(p->b + AT_FILE, file.p, file.n);
	memcpy(p->b + AT_COOKIE, cookie, sizeof(cookie));
	memcpy(p->b + AT_OPTIONS, options.p, options.n);
}

/* Decodes a copy without slack, so that the sanitizer sees a read past the end.
 * The message's spans die with the copy: look at them in a callback. */
typedef void (*look)(enum drop d, const struct dhcp4_msg *m, const void *ctx);

static void decode(struct span packet, size_t arena_limit, look f, const void *ctx)
{
	uint8_t *copy = malloc(packet.n ? packet.n : 1);
	struct dhcp4_msg m;
	struct arena a;
	enum drop d;

	assert_non_null(copy);
	if (packet.n)
		memcpy(copy, packet.p, packet.n);
	arena_init(&a, arena_limit);
	d = dhcp4_decode(&a, (struct span){ copy, packet.n }, &m);
	f(d, &m, ctx);
	arena_free(&a);
	free(copy);
}

static struct span span_of(const struct packet *p)
{
	return (struct span){ p->b, p->n };
}

static void look_header(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	(void)ctx;
	assert_int_equal(d, DROP_NONE);
	assert_int_equal(m->op, 1);
	assert_int_equal(m->htype, 6);
	assert_int_equal(m->hlen, 7);
	assert_int_equal(m->hops, 3);
	assert_int_equal(m->xid, 0xa1a2a3a4u);
	assert_int_equal(m->secs, 0x1234);
	assert_int_equal(m->flags, DHCP4_FLAG_BROADCAST);
	assert_int_equal(m->ciaddr.v, 0x0a000001u);
	assert_int_equal(m->yiaddr.v, 0x0a000002u);
	assert_int_equal(m->siaddr.v, 0x0a000003u);
	assert_int_equal(m->giaddr.v, 0x0a000004u);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(m->chaddr[i], i);
	assert_int_equal(m->sname.n, 64);
	assert_int_equal(m->file.n, 128);
	assert_true(span_has_prefix(m->sname, SPAN_LIT("server\0")));
	assert_true(span_has_prefix(m->file, SPAN_LIT("boot\0")));
	assert_int_equal(m->type, DHCP4_DISCOVER);
	assert_true(dhcp4_has(m, OPT_MESSAGE_TYPE));
	assert_false(dhcp4_has(m, OPT_PAD));
	assert_false(dhcp4_has(m, OPT_END));
}

static void reads_the_header(void **state)
{
	struct packet p;

	(void)state;
	make_packet(&p, SPAN_LIT(TYPE "\xff"), SPAN_LIT("server"), SPAN_LIT("boot"));
	decode(span_of(&p), 0, look_header, NULL);
}

/* The value of option 12 (or that it is absent) out of the three areas. */
struct option_case {
	const char *name;
	struct span options, sname, file;
	bool absent;
	struct span host;
};

static const struct option_case option_cases[] = {
	{ "alone", SPAN_LIT(TYPE "\x0c\x02hi\xff"), { 0 }, { 0 }, false, SPAN_LIT("hi") },
	{ "absent", SPAN_LIT(TYPE "\xff"), { 0 }, { 0 }, true, { 0 } },
	{ "empty is not absent", SPAN_LIT(TYPE "\x0c\x00\xff"), { 0 }, { 0 }, false, { 0 } },
	{ "empty at the end", SPAN_LIT(TYPE "\x0c\x00"), { 0 }, { 0 }, false, { 0 } },
	{ "no END", SPAN_LIT(TYPE "\x0c\x02hi"), { 0 }, { 0 }, false, SPAN_LIT("hi") },
	{ "PAD first", SPAN_LIT("\0\0\0" TYPE "\x0c\x02hi\xff"), { 0 }, { 0 }, false,
		SPAN_LIT("hi") },
	{ "PAD between", SPAN_LIT(TYPE "\0\0\x0c\x02hi\0\xff"), { 0 }, { 0 }, false,
		SPAN_LIT("hi") },
	{ "PAD at the end, no END", SPAN_LIT(TYPE "\x0c\x02hi\0\0\0\0"), { 0 }, { 0 }, false,
		SPAN_LIT("hi") },
	{ "PAD and END inside a value", SPAN_LIT(TYPE "\x0c\x03\0\xff\0\xff"), { 0 }, { 0 }, false,
		SPAN_LIT("\0\xff\0") },
	{ "nothing behind END", SPAN_LIT(TYPE "\xff\x0c\x02hi"), { 0 }, { 0 }, true, { 0 } },
	{ "rubbish behind END", SPAN_LIT(TYPE "\xff\x0c\xf0hi"), { 0 }, { 0 }, true, { 0 } },
	{ "split in two", SPAN_LIT(TYPE "\x0c\x02hi\x0f\x01x\x0c\x03gh!\xff"), { 0 }, { 0 }, false,
		SPAN_LIT("high!") },
	{ "split in three, one empty",
		SPAN_LIT(TYPE "\x0c\x01"
			      "a\x0c\x00\x0c\x01"
			      "b"),
		{ 0 }, { 0 }, false, SPAN_LIT("ab") },
	{ "split in two empty ones", SPAN_LIT(TYPE "\x0c\x00\x0c\x00\xff"), { 0 }, { 0 }, false,
		{ 0 } },
	{ "in file", SPAN_LIT(TYPE "\x34\x01\x01\xff"), SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		false, SPAN_LIT("f") },
	{ "in sname", SPAN_LIT(TYPE "\x34\x01\x02\xff"), SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		false, SPAN_LIT("s") },
	{ "in both, file first", SPAN_LIT(TYPE "\x34\x01\x03\xff"), SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		false, SPAN_LIT("fs") },
	{ "in all three, the options first", SPAN_LIT("\x0c\x01o" TYPE "\x34\x01\x03\xff"),
		SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		false, SPAN_LIT("ofs") },
	{ "in both without END", SPAN_LIT(TYPE "\x34\x01\x03"), SPAN_LIT("\x0c\x01s"),
		SPAN_LIT("\0\0\x0c\x01"
			 "f"),
		false, SPAN_LIT("fs") },
	{ "not overloaded", SPAN_LIT(TYPE "\xff"), SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		true, { 0 } },
	{ "overload 0", SPAN_LIT(TYPE "\x34\x01\x00\xff"), SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		true, { 0 } },
	{ "overload of two octets", SPAN_LIT(TYPE "\x34\x02\x03\x03\xff"),
		SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		true, { 0 } },
	{ "overload behind END", SPAN_LIT(TYPE "\xff\x34\x01\x03"), SPAN_LIT("\x0c\x01s\xff"),
		SPAN_LIT("\x0c\x01"
			 "f\xff"),
		true, { 0 } },
	/* RFC 3396 5: file and sname are not searched for option 52. */
	{ "overload in file does not open sname", SPAN_LIT(TYPE "\x34\x01\x01\xff"),
		SPAN_LIT("\x0c\x01s\xff"), SPAN_LIT("\x34\x01\x02\xff"), true, { 0 } },
};

static void look_host(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	const struct option_case *c = ctx;

	if (d != DROP_NONE)
		fail_msg("%s: dropped, %s", c->name, drop_sentence(d));
	if (dhcp4_has(m, OPT_HOSTNAME) == c->absent)
		fail_msg("%s: %s", c->name, c->absent ? "not absent" : "absent");
	if (!span_eq(m->opt[OPT_HOSTNAME], c->host))
		fail_msg("%s: \"%.*s\"", c->name, (int)m->opt[OPT_HOSTNAME].n,
			(const char *)m->opt[OPT_HOSTNAME].p);
}

static void reads_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(option_cases); i++) {
		const struct option_case *c = &option_cases[i];
		struct packet p;

		make_packet(&p, c->options, c->sname, c->file);
		decode(span_of(&p), 0, look_host, c);
	}
}

static void look_overload(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	unsigned bits = *(const uint8_t *)ctx;

	assert_int_equal(d, DROP_NONE);
	assert_int_equal(m->file.n, bits & 1 ? 0 : 128);
	assert_int_equal(m->sname.n, bits & 2 ? 0 : 64);
}

static void overloaded_fields_are_no_texts(void **state)
{
	(void)state;
	for (uint8_t bits = 0; bits < 4; bits++) {
		const uint8_t options[] = { 53, 1, 1, 52, 1, bits, 255 };
		struct packet p;

		make_packet(&p, (struct span){ options, sizeof(options) }, SPAN_NONE, SPAN_NONE);
		decode(span_of(&p), 0, look_overload, &bits);
	}
}

/* A type that lies in an overloaded field only (promise D4-7). */
static void look_type(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	assert_int_equal(d, DROP_NONE);
	assert_int_equal(m->type, *(const uint8_t *)ctx);
}

static void finds_the_type_in_file(void **state)
{
	const uint8_t request = DHCP4_REQUEST;
	struct packet p;

	(void)state;
	make_packet(&p, SPAN_LIT("\x34\x01\x01\xff"), SPAN_NONE, SPAN_LIT("\x35\x01\x03\xff"));
	decode(span_of(&p), 0, look_type, &request);
}

struct refusal {
	const char *name;
	size_t at; /* this octet of a good packet … */
	uint8_t becomes;
	enum drop why;
};

static const struct refusal refusals[] = {
	{ "op 0", 0, 0, DROP_NOT_REQUEST },
	{ "op 3", 0, 3, DROP_NOT_REQUEST },
	{ "op 2: a server's message is read too", 0, 2, DROP_NONE },
	{ "hlen 0", 2, 0, DROP_NONE },
	{ "hlen 16", 2, 16, DROP_NONE },
	{ "hlen 17", 2, 17, DROP_HLEN },
	{ "hlen 255", 2, 255, DROP_HLEN },
	{ "cookie's first octet", AT_COOKIE, 0, DROP_NO_COOKIE },
	{ "cookie's last octet", AT_COOKIE + 3, 0, DROP_NO_COOKIE },
	{ "type becomes PAD", AT_OPTIONS, 0, DROP_NO_MESSAGE_TYPE },
	{ "type is another option", AT_OPTIONS, 54, DROP_NO_MESSAGE_TYPE },
	{ "type 0", AT_OPTIONS + 2, 0, DROP_BAD_MESSAGE_TYPE },
	{ "type 9", AT_OPTIONS + 2, 9, DROP_BAD_MESSAGE_TYPE },
	{ "type 255", AT_OPTIONS + 2, 255, DROP_BAD_MESSAGE_TYPE },
	{ "type 8", AT_OPTIONS + 2, 8, DROP_NONE },
	{ "type of two octets", AT_OPTIONS + 1, 2, DROP_BAD_MESSAGE_TYPE },
	{ "type past the end", AT_OPTIONS + 1, 8, DROP_OPTION_PAST_END },
};

static void look_refusal(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	const struct refusal *r = ctx;

	(void)m;
	if (d != r->why)
		fail_msg("%s: %s instead of %s", r->name, drop_id(d), drop_id(r->why));
}

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct packet p;

		make_packet(&p, SPAN_LIT(TYPE "\xff\xff\xff"), SPAN_NONE, SPAN_NONE);
		p.b[refusals[i].at] = refusals[i].becomes;
		decode(span_of(&p), 0, look_refusal, &refusals[i]);
	}
}

static void refuses_a_type_without_value(void **state)
{
	const struct refusal r = { .name = "type without value", .why = DROP_BAD_MESSAGE_TYPE };
	struct packet p;

	(void)state;
	make_packet(&p, SPAN_LIT("\x35\x00\xff"), SPAN_NONE, SPAN_NONE);
	decode(span_of(&p), 0, look_refusal, &r);
}

static void refuses_options_past_the_end(void **state)
{
	static const struct {
		struct span options, sname, file;
	} cases[] = {
		{ SPAN_LIT(TYPE "\x0c"), { 0 }, { 0 } },
		{ SPAN_LIT(TYPE "\x0c\x01"), { 0 }, { 0 } },
		{ SPAN_LIT(TYPE "\x0c\xff"
				"abc"),
			{ 0 }, { 0 } },
		{ SPAN_LIT(TYPE "\x34\x01\x01\xff"), { 0 }, SPAN_LIT("\x0c\x7f") },
		{ SPAN_LIT(TYPE "\x34\x01\x02\xff"), SPAN_LIT("\x0c\x3f"), { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[32];
		const struct refusal r = { .name = name, .why = DROP_OPTION_PAST_END };
		struct packet p;

		(void)snprintf(name, sizeof(name), "past the end, case %zu", i);
		make_packet(&p, cases[i].options, cases[i].sname, cases[i].file);
		decode(span_of(&p), 0, look_refusal, &r);
	}
}

static void look_truncated(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	size_t n = *(const size_t *)ctx;
	enum drop why = n < HEADER                         ? DROP_SHORT
		: n < AT_OPTIONS                           ? DROP_NO_COOKIE
		: n == AT_OPTIONS                          ? DROP_NO_MESSAGE_TYPE
		: n < AT_OPTIONS + 3                       ? DROP_OPTION_PAST_END
		: n > AT_OPTIONS + 3 && n < AT_OPTIONS + 7 ? DROP_OPTION_PAST_END
							   : DROP_NONE;

	(void)m;
	if (d != why)
		fail_msg("cut to %zu octets: %s instead of %s", n, drop_id(d), drop_id(why));
}

static void every_truncation_has_its_reason(void **state)
{
	struct packet p;

	(void)state;
	make_packet(&p, SPAN_LIT(TYPE "\x0c\x02hi\xff"), SPAN_NONE, SPAN_NONE);
	for (size_t n = 0; n <= p.n; n++)
		decode((struct span){ p.b, n }, 0, look_truncated, &n);
}

static void look_long(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	(void)ctx;
	assert_int_equal(d, DROP_NONE);
	assert_int_equal(m->opt[OPT_HOSTNAME].n, 3 * 255);
	for (size_t i = 0; i < 3 * 255; i++)
		assert_int_equal(m->opt[OPT_HOSTNAME].p[i], i / 255);
}

static void look_no_memory(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	(void)m;
	(void)ctx;
	assert_int_equal(d, DROP_NO_MEMORY);
}

static void joins_within_its_memory(void **state)
{
	uint8_t options[3 + 3 * 257] = { 53, 1, 1 };
	struct packet p;

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		uint8_t *at = options + 3 + i * 257;

		at[0] = OPT_HOSTNAME;
		at[1] = 255;
		memset(at + 2, i, 255);
	}
	make_packet(&p, (struct span){ options, sizeof(options) }, SPAN_NONE, SPAN_NONE);
	decode(span_of(&p), 0, look_long, NULL);
	decode(span_of(&p), 3 * 255 + 16, look_long, NULL);
	decode(span_of(&p), 3 * 255, look_no_memory, NULL);
}

static void look_typed(enum drop d, const struct dhcp4_msg *m, const void *ctx)
{
	uint8_t u8 = 7;
	uint16_t u16 = 7;
	struct ip4 a = { 7 };

	(void)ctx;
	assert_int_equal(d, DROP_NONE);
	assert_false(dhcp4_opt_u8(m, OPT_MAX_SIZE, &u8));
	assert_false(dhcp4_opt_u8(m, OPT_DOMAIN, &u8));
	assert_false(dhcp4_opt_u8(m, OPT_HOSTNAME, &u8));
	assert_false(dhcp4_opt_u16(m, OPT_MESSAGE_TYPE, &u16));
	assert_false(dhcp4_opt_u16(m, OPT_HOSTNAME, &u16));
	assert_false(dhcp4_opt_ip4(m, OPT_MAX_SIZE, &a));
	assert_false(dhcp4_opt_ip4(m, OPT_ROUTER, &a)); /* two addresses */
	assert_false(dhcp4_opt_ip4(m, OPT_HOSTNAME, &a));
	assert_int_equal(u8, 7);
	assert_int_equal(u16, 7);
	assert_int_equal(a.v, 7);
	assert_true(dhcp4_opt_u8(m, OPT_MESSAGE_TYPE, &u8));
	assert_true(dhcp4_opt_u16(m, OPT_MAX_SIZE, &u16));
	assert_true(dhcp4_opt_ip4(m, OPT_REQUESTED_ADDRESS, &a));
	assert_int_equal(u8, 1);
	assert_int_equal(u16, 1500);
	assert_int_equal(a.v, 0x0a0000ffu);
}

static void typed_options_have_their_size_exactly(void **state)
{
	struct packet p;

	(void)state;
	make_packet(&p,
		SPAN_LIT(TYPE "\x39\x02\x05\xdc\x32\x04\x0a\x00\x00\xff\x0f\x00\x03\x08\1\1\1\1\2\2"
			      "\2\2\xff"),
		SPAN_NONE, SPAN_NONE);
	decode(span_of(&p), 0, look_typed, NULL);
}

static void finds_relay_suboptions(void **state)
{
	const struct span good = SPAN_LIT("\1\2ab\5\4\x0a\0\0\0\2\0\1\1z");

	(void)state;
	assert_true(span_eq(
		dhcp4_relay_suboption(good, RELAY_CIRCUIT_ID), SPAN_LIT("ab"))); /* the first */
	assert_true(
		span_eq(dhcp4_relay_suboption(good, RELAY_LINK_SELECTION), SPAN_LIT("\x0a\0\0\0")));
	assert_int_equal(dhcp4_relay_suboption(good, RELAY_REMOTE_ID).n, 0);
	assert_null(dhcp4_relay_suboption(good, RELAY_SERVER_ID).p);
	assert_null(dhcp4_relay_suboption(SPAN_NONE, RELAY_CIRCUIT_ID).p);
	/* What stands before a fault counts, what reaches over it does not. */
	assert_true(span_eq(
		dhcp4_relay_suboption(SPAN_LIT("\1\1a\2"), RELAY_CIRCUIT_ID), SPAN_LIT("a")));
	assert_null(dhcp4_relay_suboption(SPAN_LIT("\1\1a\2\2b"), RELAY_REMOTE_ID).p);
	assert_null(dhcp4_relay_suboption(SPAN_LIT("\2"), RELAY_REMOTE_ID).p);
	assert_null(dhcp4_relay_suboption(SPAN_LIT("\1\5a\2\1b"), RELAY_REMOTE_ID).p);
}

static void names_types(void **state)
{
	(void)state;
	assert_string_equal(dhcp4_type_name(DHCP4_DISCOVER), "DISCOVER");
	assert_string_equal(dhcp4_type_name(DHCP4_NAK), "NAK");
	assert_string_equal(dhcp4_type_name(DHCP4_INFORM), "INFORM");
	assert_string_equal(dhcp4_type_name(DHCP4_BOOTP), "BOOTP");
	assert_string_equal(dhcp4_type_name(DHCP4_BOOTREPLY_ONLY), "BOOTP reply");
	assert_string_equal(dhcp4_type_name((enum dhcp4_type)10), "?");
	assert_string_equal(dhcp4_type_name((enum dhcp4_type)17), "?");
}

static const struct dhcp4_out reply = {
	.op = DHCP4_BOOTREPLY,
	.htype = 1,
	.hlen = 6,
	.hops = 2,
	.xid = 0xa1a2a3a4u,
	.secs = 0x1234,
	.flags = 0x8000,
	.ciaddr = { 0x0a000001u },
	.yiaddr = { 0x0a000002u },
	.siaddr = { 0x0a000003u },
	.giaddr = { 0x0a000004u },
	.chaddr = { 0x52, 0x54, 0, 1, 2, 3 },
};

/* Encodes into room of exactly that size. */
static struct span encode(
	const struct dhcp4_out *out, size_t max_size, size_t room, uint8_t *buf, int expected)
{
	struct wr w = wr_of(buf, room);
	int r = dhcp4_encode(out, max_size, &w);

	if (r != expected)
		fail_msg("max size %zu, room %zu: %d instead of %d", max_size, room, r, expected);
	assert_true(w.n <= room);
	return wr_done(&w);
}

static void lays_out_the_header(void **state)
{
	static const uint8_t head[] = { 2, 1, 6, 2, 0xa1, 0xa2, 0xa3, 0xa4, 0x12, 0x34, 0x80, 0, 10,
		0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3, 10, 0, 0, 4, 0x52, 0x54, 0, 1, 2, 3, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0 };
	struct dhcp4_out out = reply;
	uint8_t buf[600];
	struct span p;

	(void)state;
	out.sname = SPAN_LIT("172.24.0.1");
	out.file = SPAN_LIT("undionly.kpxe");
	memset(buf, 0xee, sizeof(buf));
	p = encode(&out, 548, sizeof(buf), buf, 0);
	assert_int_equal(p.n, DHCP4_REPLY_MIN);
	assert_memory_equal(p.p, head, sizeof(head));
	assert_string_equal((const char *)p.p + AT_SNAME, "172.24.0.1");
	assert_string_equal((const char *)p.p + AT_FILE, "undionly.kpxe");
	assert_memory_equal(p.p + AT_COOKIE, "\x63\x82\x53\x63\xff", 5);
	for (size_t i = AT_OPTIONS + 1; i < p.n; i++)
		assert_int_equal(p.p[i], 0);
	assert_int_equal(buf[p.n], 0xee);
}

static void cuts_fields_and_ends_them_in_nul(void **state)
{
	char text[200];
	uint8_t buf[600];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t n = 62; n < sizeof(text); n++) {
		struct dhcp4_out out = reply;
		struct span p;

		out.sname = out.file = (struct span){ (const uint8_t *)text, n };
		p = encode(&out, 548, sizeof(buf), buf, 0);
		assert_int_equal(strlen((const char *)p.p + AT_SNAME), n < 63 ? n : 63);
		assert_int_equal(strlen((const char *)p.p + AT_FILE), n < 127 ? n : 127);
	}
}

static void keeps_the_order_of_options(void **state)
{
	struct dhcp4_out out = reply;
	uint8_t buf[600];

	(void)state;
	dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, SPAN_LIT("\2"));
	dhcp4_out_add(&out, OPT_HOSTNAME, false, SPAN_LIT("h"));
	dhcp4_out_add(&out, OPT_DOMAIN, false, SPAN_NONE); /* left out */
	dhcp4_out_add(&out, OPT_SUBNET_MASK, true, SPAN_LIT("\xff\xff\0\0"));
	dhcp4_out_add(&out, OPT_BOOTFILE, true, SPAN_LIT("b\0"));
	assert_int_equal(out.n_options, 4);
	(void)encode(&out, 548, sizeof(buf), buf, 0);
	assert_memory_equal(buf + AT_OPTIONS,
		"\x35\1\2"
		"\x0c\1h"
		"\1\4\xff\xff\0\0"
		"\x43\2b\0"
		"\xff\0",
		18);
}

static void takes_128_options(void **state)
{
	struct dhcp4_out out = reply;
	uint8_t buf[1500];

	(void)state;
	for (unsigned i = 0; i < DHCP4_OUT_OPTIONS_MAX + 5; i++)
		dhcp4_out_add(&out, (enum dhcp4_option)(i + 1), true, SPAN_LIT("v"));
	assert_int_equal(out.n_options, DHCP4_OUT_OPTIONS_MAX);
	assert_int_equal(encode(&out, sizeof(buf), sizeof(buf), buf, 0).n,
		AT_OPTIONS + 3 * DHCP4_OUT_OPTIONS_MAX + 1);
}

static void splits_long_values(void **state)
{
	static const size_t lengths[] = { 1, 254, 255, 256, 510, 511, 765 };
	uint8_t value[765], buf[1500];

	(void)state;
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct dhcp4_out out = reply;
		const size_t n = lengths[i], instances = (n + 254) / 255;
		const size_t size = AT_OPTIONS + 3 + n + 2 * instances + 1;
		struct dhcp4_msg m;
		struct arena a;
		struct span p;

		dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, SPAN_LIT("\5"));
		dhcp4_out_add(&out, OPT_VENDOR_SPECIFIC, true, (struct span){ value, n });
		p = encode(
			&out, size > DHCP4_REPLY_MIN ? size : DHCP4_REPLY_MIN, sizeof(buf), buf, 0);
		assert_int_equal(p.n, size > DHCP4_REPLY_MIN ? size : DHCP4_REPLY_MIN);
		assert_int_equal(buf[AT_OPTIONS + 3 + 1], n < 255 ? n : 255);
		if (size > DHCP4_REPLY_MIN)
			(void)encode(&out, size - 1, sizeof(buf), buf, -EMSGSIZE);
		arena_init(&a, 0);
		assert_int_equal(dhcp4_decode(&a, p, &m), DROP_NONE);
		assert_int_equal(m.type, DHCP4_ACK);
		if (!span_eq(m.opt[OPT_VENDOR_SPECIFIC], (struct span){ value, n }))
			fail_msg("%zu octets did not come back", n);
		arena_free(&a);
	}
}

static void leaves_out_what_is_not_needed(void **state)
{
	uint8_t large[200] = { 1 }, buf[600];
	struct dhcp4_out out = reply;
	struct span p;

	(void)state;
	dhcp4_out_add(&out, OPT_DOMAIN, false, (struct span){ large, sizeof(large) });
	dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, (struct span){ large, 60 });
	dhcp4_out_add(&out, OPT_HOSTNAME, false, (struct span){ large, 10 });
	dhcp4_out_add(&out, OPT_BOOTFILE, true, (struct span){ large, 30 });
	assert_int_equal(
		encode(&out, 549, sizeof(buf), buf, 0).n, AT_OPTIONS + 202 + 62 + 12 + 32 + 1);
	/* One octet short of all: what was added last goes … */
	p = encode(&out, AT_OPTIONS + 202 + 62 + 32 + 12, sizeof(buf), buf, 0);
	assert_int_equal(p.n, AT_OPTIONS + 202 + 62 + 32 + 1);
	assert_int_equal(buf[AT_OPTIONS], OPT_DOMAIN);
	/* … and short of the large one, the small one behind it stays. */
	p = encode(&out, AT_OPTIONS + 202 + 62 + 32, sizeof(buf), buf, 0);
	assert_int_equal(p.n, AT_OPTIONS + 62 + 12 + 32 + 1);
	assert_int_equal(buf[AT_OPTIONS], OPT_MESSAGE_TYPE);
	assert_int_equal(buf[AT_OPTIONS + 62], OPT_HOSTNAME);
	p = encode(&out, AT_OPTIONS + 62 + 32 + 1, sizeof(buf), buf, 0);
	assert_int_equal(p.n, AT_OPTIONS + 62 + 32 + 1);
	(void)encode(&out, AT_OPTIONS + 62 + 32, sizeof(buf), buf, -EMSGSIZE);
	(void)encode(&out, 0, sizeof(buf), buf, -EMSGSIZE);
}

/* A plain reply: 53 and 54, then values of the given lengths with codes from 100. */
static struct dhcp4_out plain_reply(const uint8_t *values, const size_t *lengths, size_t n)
{
	struct dhcp4_out out = reply;

	out.may_overload = true;
	dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, SPAN_LIT("\5"));
	dhcp4_out_add(&out, OPT_SERVER_ID, true, SPAN_LIT("\x0a\0\0\1"));
	for (size_t i = 0; i < n; i++)
		dhcp4_out_add(&out, (enum dhcp4_option)(100 + i), false,
			(struct span){ values + i, lengths[i] });
	return out;
}

#define PLAIN_SIZE (AT_OPTIONS + 3 + 6 + 1)

/* RFC 2131 4.1, RFC 2132 9.3. */
static const struct {
	const char *name;
	size_t lengths[4], n;
	size_t room;      /* octets of the option field behind 53 and 54 */
	bool file, sname; /* in use */
	unsigned overload;
	unsigned kept; /* bit i: the option 100 + i comes back */
} overloads[] = {
	{ "all fit", { 60, 60 }, 2, 124, false, false, 0, 3 },
	{ "one octet short: file", { 60, 60 }, 2, 123, false, false, 1, 3 },
	{ "the rest to file and sname", { 100, 100, 61, 30 }, 4, 105, false, false, 3, 7 },
	{ "127 octets of file are full", { 125, 125 }, 2, 130, false, false, 1, 3 },
	{ "126 are one too many", { 126, 126 }, 2, 131, false, false, 0, 1 },
	{ "file is in use", { 60, 60 }, 2, 100, true, false, 2, 3 },
	{ "sname is in use", { 60, 60 }, 2, 100, false, true, 1, 3 },
	{ "both are in use", { 60, 60 }, 2, 100, true, true, 0, 1 },
	{ "no room for option 52 itself", { 60 }, 1, 2, false, false, 0, 0 },
	{ "nothing but option 52 in the options", { 60 }, 1, 3, false, false, 1, 1 },
	{ "too large for a field: the small one behind it stays", { 255, 4 }, 2, 100, false, false,
		0, 2 },
	{ "a long one in the options, the rest in file", { 255, 100 }, 2, 262, false, false, 1, 3 },
};

static void overloads_what_is_free(void **state)
{
	uint8_t values[300], buf[1500];

	(void)state;
	for (size_t i = 0; i < sizeof(values); i++)
		values[i] = (uint8_t)(i * 11 + 1);
	for (size_t i = 0; i < ARRAY_LEN(overloads); i++) {
		struct dhcp4_out out = plain_reply(values, overloads[i].lengths, overloads[i].n);
		size_t max = PLAIN_SIZE + overloads[i].room;
		struct dhcp4_msg m;
		struct arena a;
		struct span p;

		out.file = overloads[i].file ? SPAN_LIT("f") : SPAN_NONE;
		out.sname = overloads[i].sname ? SPAN_LIT("s") : SPAN_NONE;
		p = encode(&out, max, sizeof(buf), buf, 0);
		assert_true(p.n <= (max > DHCP4_REPLY_MIN ? max : DHCP4_REPLY_MIN));
		assert_memory_equal(p.p + AT_OPTIONS, "\x35\1\5\x36\4\x0a\0\0\1", 9);
		if (overloads[i].overload && memcmp(p.p + AT_OPTIONS + 9, "\x34\1", 2) != 0)
			fail_msg("%s: option 52 is not behind 53 and 54", overloads[i].name);
		arena_init(&a, 0);
		assert_int_equal(dhcp4_decode(&a, p, &m), DROP_NONE);
		if ((dhcp4_has(&m, OPT_OVERLOAD) ? m.opt[OPT_OVERLOAD].p[0] : 0) !=
			overloads[i].overload)
			fail_msg("%s: overloaded otherwise", overloads[i].name);
		for (size_t k = 0; k < overloads[i].n; k++) {
			bool kept = overloads[i].kept >> k & 1;

			if (kept != dhcp4_has(&m, (enum dhcp4_option)(100 + k)) ||
				(kept &&
					!span_eq(m.opt[100 + k],
						(struct span){
							values + k, overloads[i].lengths[k] })))
				fail_msg("%s: option %zu", overloads[i].name, 100 + k);
		}
		if (overloads[i].file)
			assert_int_equal(m.file.p[0], 'f');
		if (overloads[i].sname)
			assert_int_equal(m.sname.p[0], 's');
		arena_free(&a);
	}
}

/* Where it is not allowed, and never for what the reply cannot do without. */
static void overloads_only_what_may(void **state)
{
	const size_t lengths[] = { 60, 60 };
	uint8_t values[100] = { 1 }, buf[1500];
	struct dhcp4_out out = plain_reply(values, lengths, 2);
	struct span p;

	(void)state;
	out.may_overload = false;
	p = encode(&out, PLAIN_SIZE + 100, sizeof(buf), buf, 0);
	assert_int_equal(p.n, PLAIN_SIZE + 62);
	for (size_t i = AT_SNAME; i < AT_COOKIE; i++)
		assert_int_equal(p.p[i], 0);
	out.may_overload = true;
	out.options[2].needed = out.options[3].needed = true;
	(void)encode(&out, PLAIN_SIZE + 100, sizeof(buf), buf, -EMSGSIZE);
}

/* Whatever the room, a reply stays in it, and what it holds is whole. */
static void every_room_gives_a_whole_reply(void **state)
{
	const size_t lengths[] = { 30, 61, 90, 40 };
	uint8_t values[100], buf[1500];

	(void)state;
	for (size_t i = 0; i < sizeof(values); i++)
		values[i] = (uint8_t)i;
	for (size_t max = PLAIN_SIZE; max < PLAIN_SIZE + 250; max++) {
		struct dhcp4_out out = plain_reply(values, lengths, 4);
		struct span p = encode(&out, max, sizeof(buf), buf, 0);
		struct dhcp4_msg m;
		struct arena a;

		assert_true(p.n <= max || p.n == DHCP4_REPLY_MIN);
		arena_init(&a, 0);
		assert_int_equal(dhcp4_decode(&a, p, &m), DROP_NONE);
		for (size_t k = 0; k < 4; k++)
			if (dhcp4_has(&m, (enum dhcp4_option)(100 + k)))
				assert_true(span_eq(
					m.opt[100 + k], (struct span){ values + k, lengths[k] }));
			else
				assert_true(max < PLAIN_SIZE + 229);
		arena_free(&a);
	}
}

static void sets_an_option_in_its_place(void **state)
{
	struct dhcp4_out out = reply;
	struct arena a;

	(void)state;
	arena_init(&a, 16);
	dhcp4_out_add_u32(&out, &a, OPT_SUBNET_MASK, true, 0xffff0000u);
	dhcp4_out_set(&out, OPT_DOMAIN, SPAN_LIT("lab"));
	dhcp4_out_set(&out, OPT_SUBNET_MASK, SPAN_LIT("\xff\0\0\0"));
	assert_int_equal(out.n_options, 2);
	assert_int_equal(out.options[0].code, OPT_SUBNET_MASK);
	assert_true(out.options[0].needed);
	assert_true(span_eq(out.options[0].value, SPAN_LIT("\xff\0\0\0")));
	assert_false(out.options[1].needed);
	assert_false(out.failed);
	dhcp4_out_add_u32(&out, &a, OPT_ROUTER, true, 1); /* past the arena's limit */
	assert_int_equal(out.n_options, 2);
	assert_true(out.failed);
	arena_free(&a);
}

static void a_reply_without_room_is_an_error(void **state)
{
	struct dhcp4_out out = reply;
	uint8_t *buf;

	(void)state;
	dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, SPAN_LIT("\2"));
	for (size_t room = 0; room <= DHCP4_REPLY_MIN; room++) {
		buf = malloc(room ? room : 1);
		assert_non_null(buf);
		(void)encode(&out, 548, room, buf, room < DHCP4_REPLY_MIN ? -EMSGSIZE : 0);
		free(buf);
	}
}

static void appends_to_what_the_writer_holds(void **state)
{
	struct dhcp4_out out = reply;
	uint8_t buf[600];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	wr_fill(&w, 9, 42); /* a frame's headers */
	assert_int_equal(dhcp4_encode(&out, 548, &w), 0);
	assert_int_equal(w.n, 42 + DHCP4_REPLY_MIN);
	assert_int_equal(buf[42], DHCP4_BOOTREPLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_header),
		cmocka_unit_test(reads_options),
		cmocka_unit_test(overloaded_fields_are_no_texts),
		cmocka_unit_test(finds_the_type_in_file),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_a_type_without_value),
		cmocka_unit_test(refuses_options_past_the_end),
		cmocka_unit_test(every_truncation_has_its_reason),
		cmocka_unit_test(joins_within_its_memory),
		cmocka_unit_test(typed_options_have_their_size_exactly),
		cmocka_unit_test(finds_relay_suboptions),
		cmocka_unit_test(names_types),
		cmocka_unit_test(lays_out_the_header),
		cmocka_unit_test(cuts_fields_and_ends_them_in_nul),
		cmocka_unit_test(keeps_the_order_of_options),
		cmocka_unit_test(takes_128_options),
		cmocka_unit_test(splits_long_values),
		cmocka_unit_test(leaves_out_what_is_not_needed),
		cmocka_unit_test(overloads_what_is_free),
		cmocka_unit_test(overloads_only_what_may),
		cmocka_unit_test(every_room_gives_a_whole_reply),
		cmocka_unit_test(sets_an_option_in_its_place),
		cmocka_unit_test(a_reply_without_room_is_an_error),
		cmocka_unit_test(appends_to_what_the_writer_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
