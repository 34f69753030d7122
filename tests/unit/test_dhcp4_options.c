/* The option table is sound, and each type encodes as its RFC says and is shown
 * in the same words. */
#include "wire/dhcp4_options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void table_is_ordered_and_named(void **state)
{
	size_t n;
	const struct dhcp4_option_info *t = dhcp4_option_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct span name = span_str(t[i].name);

		if (i > 0 && t[i].code <= t[i - 1].code)
			fail_msg("option %u is out of order", t[i].code);
		for (size_t j = 0; j < name.n; j++)
			if (!(name.p[j] >= 'a' && name.p[j] <= 'z') &&
				!(name.p[j] >= '0' && name.p[j] <= '9') && name.p[j] != '-')
				fail_msg("name of option %u: %s", t[i].code, t[i].name);
		assert_ptr_equal(dhcp4_option_find(t[i].code), &t[i]);
		if (dhcp4_option_find_name(name) != &t[i])
			fail_msg("the name %s is there twice", t[i].name);
		assert_non_null(dhcp4_option_form(t[i].type)->expected);
	}
	assert_null(dhcp4_option_find(84));
	assert_null(dhcp4_option_find_name(SPAN_LIT("nonsense")));
	assert_int_equal(dhcp4_option_find_name(SPAN_LIT("NTP-Servers"))->code, 42);
}

/* Several items stand with '|' between. */
static const struct {
	enum dhcp4_option_type type;
	const char *text;
	const char *octets; /* NULL: refused */
	size_t n;
	const char *shown; /* NULL: as the items, with ", " between */
} vectors[] = {
	{ OPT_T_ADDRESS, "10.0.0.1", "\x0a\0\0\x01", 4, NULL },
	{ OPT_T_ADDRESS, "10.0.0", NULL, 0, NULL },
	{ OPT_T_ADDRESS, "0x0a000001", "\x0a\0\0\x01", 4, "10.0.0.1" },
	{ OPT_T_ADDRESS, "0a:00:00:01", "\x0a\0\0\x01", 4, "10.0.0.1" },
	{ OPT_T_ADDRESS, "0x0a0000", NULL, 0, NULL },
	{ OPT_T_ADDRESSES, "10.0.0.1", "\x0a\0\0\x01", 4, NULL },
	{ OPT_T_ADDRESSES, "10.0.0.1|10.0.0.2", "\x0a\0\0\x01\x0a\0\0\x02", 8, NULL },
	{ OPT_T_ADDRESSES, "10.0.0.1|x", NULL, 0, NULL },
	{ OPT_T_ADDRESSES, "0x0a0000010a000002", "\x0a\0\0\x01\x0a\0\0\x02", 8,
		"10.0.0.1, 10.0.0.2" },
	{ OPT_T_ADDRESSES, "0x0a00000102", NULL, 0, NULL },
	/* RFC 2132 4.3: address and mask. */
	{ OPT_T_FILTERS, "10.9.0.0/16|10.1.2.3/32",
		"\x0a\x09\0\0\xff\xff\0\0\x0a\1\2\3\xff\xff\xff\xff", 16, NULL },
	{ OPT_T_FILTERS, "10.9.0.1/16", NULL, 0, NULL },
	{ OPT_T_FILTERS, "10.9.0.0", NULL, 0, NULL },
	{ OPT_T_FILTERS, "0x0a090000ff00ff00", "\x0a\x09\0\0\xff\0\xff\0", 8,
		"0a:09:00:00:ff:00:ff:00" },
	/* RFC 2132 5.8: destination and router; no default route. */
	{ OPT_T_HOST_ROUTES, "10.9.0.1 via 10.0.0.1", "\x0a\x09\0\1\x0a\0\0\1", 8, NULL },
	{ OPT_T_HOST_ROUTES, "0.0.0.0 via 10.0.0.1", NULL, 0, NULL },
	{ OPT_T_HOST_ROUTES, "10.9.0.0/16 via 10.0.0.1", NULL, 0, NULL },
	/* The examples of RFC 3442's table, each with a router. */
	{ OPT_T_ROUTES, "default via 10.0.0.1", "\0\x0a\0\0\1", 5, NULL },
	{ OPT_T_ROUTES, "0.0.0.0/0 via 10.0.0.1", "\0\x0a\0\0\1", 5, "default via 10.0.0.1" },
	{ OPT_T_ROUTES, "10.0.0.0/8 via 10.0.0.1", "\x08\x0a\x0a\0\0\1", 6, NULL },
	{ OPT_T_ROUTES, "10.0.0.0/24 via 10.0.0.1", "\x18\x0a\0\0\x0a\0\0\1", 8, NULL },
	{ OPT_T_ROUTES, "10.17.0.0/16 via 10.0.0.1", "\x10\x0a\x11\x0a\0\0\1", 7, NULL },
	{ OPT_T_ROUTES, "10.27.129.0/24 via 10.0.0.1", "\x18\x0a\x1b\x81\x0a\0\0\1", 8, NULL },
	{ OPT_T_ROUTES, "10.229.0.128/25 via 10.0.0.1", "\x19\x0a\xe5\0\x80\x0a\0\0\1", 9, NULL },
	{ OPT_T_ROUTES, "10.198.122.47/32 via 10.0.0.1", "\x20\x0a\xc6\x7a\x2f\x0a\0\0\1", 9,
		NULL },
	{ OPT_T_ROUTES, "10.0.0.0/8 via 10.0.0.1|default via 10.0.0.2",
		"\x08\x0a\x0a\0\0\1\0\x0a\0\0\2", 11, NULL },
	{ OPT_T_ROUTES, "169.254.0.0/16 via 0.0.0.0", "\x10\xa9\xfe\0\0\0\0", 7, NULL },
	{ OPT_T_ROUTES, "10.0.0.1/8 via 10.0.0.1", NULL, 0, NULL },
	{ OPT_T_ROUTES, "10.0.0.0/33 via 10.0.0.1", NULL, 0, NULL },
	{ OPT_T_ROUTES, "10.0.0.0/8", NULL, 0, NULL },
	{ OPT_T_ROUTES, "10.0.0.0/8 via ", NULL, 0, NULL },
	{ OPT_T_ROUTES, " via 10.0.0.1", NULL, 0, NULL },
	{ OPT_T_ROUTES, "10.0.0.0/8 10.0.0.1", NULL, 0, NULL },
	{ OPT_T_ROUTES, "0x2100", "\x21\0", 2, "21:00" },
	{ OPT_T_TEXT, "/srv/root", "/srv/root", 9, NULL },
	{ OPT_T_TEXT, "ab:cd", "ab:cd", 5, NULL },
	{ OPT_T_TEXT, "0x4142", "AB", 2, "AB" },
	{ OPT_T_TEXT, "0x414200", "AB\0", 3, "AB" },
	{ OPT_T_TEXT, "0x1b5b", "\x1b[", 2, "\\x1b[" },
	{ OPT_T_TEXT, "0xzz", "0xzz", 4, NULL },
	{ OPT_T_TEXT, "", NULL, 0, NULL },
	/* RFC 8572 8.3. */
	{ OPT_T_URIS, "https://a|https://bc", "\0\x09https://a\0\x0ahttps://bc", 23, NULL },
	{ OPT_T_URIS, "https:// a", NULL, 0, NULL },
	{ OPT_T_URIS, "0x0009", "\0\x09", 2, "00:09" },
	{ OPT_T_DOMAIN, "lab.example", "\3lab\7example\0", 13, NULL },
	{ OPT_T_DOMAIN, "lab.example.", "\3lab\7example\0", 13, "lab.example" },
	{ OPT_T_DOMAIN, "0xc000", "\xc0\0", 2, "c0:00" },
	{ OPT_T_DOMAINS, "eng.apple.com|marketing.apple.com",
		"\3eng\5apple\3com\0\x09marketing\5apple\3com\0", 36, NULL },
	{ OPT_T_DOMAINS, "a b", NULL, 0, NULL },
	{ OPT_T_DOMAINS, "a..b", NULL, 0, NULL },
	{ OPT_T_DOMAINS, ".", NULL, 0, NULL },
	{ OPT_T_DOMAINS, ".a", NULL, 0, NULL },
	{ OPT_T_DOMAINS, "a..", NULL, 0, NULL },
	{ OPT_T_DOMAINS, "a,b", NULL, 0, NULL },
	{ OPT_T_DOMAINS, "0x00", "\0", 1, "0x00" },
	{ OPT_T_DOMAINS, "03:6c:61:62", "\3lab", 4, "03:6c:61:62" },
	{ OPT_T_SIP_SERVERS, "10.0.0.1|10.0.0.2", "\1\x0a\0\0\1\x0a\0\0\2", 9, NULL },
	{ OPT_T_SIP_SERVERS, "sip.example|b", "\0\3sip\7example\0\1b\0", 17, NULL },
	{ OPT_T_SIP_SERVERS, "10.0.0.1|b", NULL, 0, NULL },
	{ OPT_T_SIP_SERVERS, "0x0203", "\2\3", 2, "02:03" },
	{ OPT_T_SLP_AGENTS, "true|10.0.0.1|10.0.0.2", "\1\x0a\0\0\1\x0a\0\0\2", 9, NULL },
	{ OPT_T_SLP_AGENTS, "true", NULL, 0, NULL },
	{ OPT_T_SLP_AGENTS, "10.0.0.1|10.0.0.2", NULL, 0, NULL },
	{ OPT_T_SLP_SCOPES, "false|lab|office", "\0lab,office", 11, "false, lab,office" },
	{ OPT_T_SLP_SCOPES, "false", NULL, 0, NULL },
	{ OPT_T_BOOL, "true", "\x01", 1, NULL },
	{ OPT_T_BOOL, "off", "\0", 1, "false" },
	{ OPT_T_BOOL, "1", "\x01", 1, "true" },
	{ OPT_T_BOOL, "maybe", NULL, 0, NULL },
	{ OPT_T_BOOL, "0x07", "\x07", 1, "0x07" },
	{ OPT_T_U8, "255", "\xff", 1, NULL },
	{ OPT_T_U8, "256", NULL, 0, NULL },
	{ OPT_T_U8, "-1", NULL, 0, NULL },
	{ OPT_T_U8, "0x10", "\x10", 1, "16" },
	{ OPT_T_U8, "10", "\x0a", 1, NULL },
	{ OPT_T_U8S, "1|2|255", "\1\2\xff", 3, NULL },
	{ OPT_T_U8S, "1|256", NULL, 0, NULL },
	{ OPT_T_U16, "1500", "\x05\xdc", 2, NULL },
	{ OPT_T_U16, "65536", NULL, 0, NULL },
	{ OPT_T_U16, "0x05dc", "\x05\xdc", 2, "1500" },
	{ OPT_T_U16, "0x10", NULL, 0, NULL },
	{ OPT_T_U16S, "68|296|1500", "\0\x44\x01\x28\x05\xdc", 6, NULL },
	{ OPT_T_U16S, "0x004401", NULL, 0, NULL },
	{ OPT_T_U32, "4294967295", "\xff\xff\xff\xff", 4, NULL },
	{ OPT_T_U32, "4294967296", NULL, 0, NULL },
	{ OPT_T_U32, "", NULL, 0, NULL },
	{ OPT_T_U32, "1 ", NULL, 0, NULL },
	{ OPT_T_S32, "-3600", "\xff\xff\xf1\xf0", 4, NULL },
	{ OPT_T_S32, "-2147483648", "\x80\0\0\0", 4, NULL },
	{ OPT_T_S32, "2147483648", NULL, 0, NULL },
	{ OPT_T_HEX, "0x0a0B", "\x0a\x0b", 2, "0a:0b" },
	{ OPT_T_HEX, "0a:0B:ff", "\x0a\x0b\xff", 3, "0a:0b:ff" },
	{ OPT_T_HEX, "0x0a", "\x0a", 1, NULL },
	{ OPT_T_HEX, "10", NULL, 0, NULL },
	{ OPT_T_HEX, "0x0", NULL, 0, NULL },
	{ OPT_T_HEX, "0a:", NULL, 0, NULL },
	{ OPT_T_HEX, "0a-0b", NULL, 0, NULL },
	{ OPT_T_HEX, "0a:0b:", NULL, 0, NULL },
	{ OPT_T_HEX, "0a0:b", NULL, 0, NULL },
	{ OPT_T_HEX, "text", NULL, 0, NULL },
	{ OPT_T_HEX, "", NULL, 0, NULL },
	{ OPT_T_HEX, "0x", NULL, 0, NULL },
	{ OPT_T_HEX, "0x01|0x02", NULL, 0, NULL },
};

#define ITEMS_MAX 8

static size_t cut_items(const char *text, struct span items[ITEMS_MAX])
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(text, "|");

		items[n++] = (struct span){ (const uint8_t *)text, len };
		if (text[len] == '\0')
			return n;
		text += len + 1;
	}
}

static int encode(enum dhcp4_option_type t, const char *text, struct wr *w)
{
	struct span items[ITEMS_MAX];
	size_t n = cut_items(text, items), bad = SIZE_MAX;
	int r = dhcp4_option_encode(t, items, n, w, &bad);

	assert_true(r == 0 ? bad == SIZE_MAX : bad < n);
	return r;
}

static void encodes_each_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t buf[64] = { 0xee };
		struct wr w = wr_of(buf, sizeof(buf));
		int r;
		bool good;

		wr_u8(&w, 0xee); /* it appends, and takes back what was wrong */
		r = encode(vectors[i].type, vectors[i].text, &w);
		good = vectors[i].octets ? r == 0 && w.n == vectors[i].n + 1 &&
				memcmp(buf + 1, vectors[i].octets, w.n - 1) == 0
					 : r == -EINVAL && w.n == 1;
		if (!good)
			fail_msg("type %d, `%s`: %d, %zu octets", vectors[i].type, vectors[i].text,
				r, w.n);
	}
}

/* In the words that were given, else in canonical ones. */
static void shows_what_it_encoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct text as_given = { 0 }, shown = { 0 };
		const char *expected = vectors[i].shown;

		if (!vectors[i].octets)
			continue;
		for (const char *p = vectors[i].text; *p; p++)
			if (*p == '|')
				text_adds(&as_given, ", ");
			else
				text_addc(&as_given, *p);
		if (!expected)
			expected = text_str(&as_given);
		dhcp4_option_format(vectors[i].type,
			(struct span){ (const uint8_t *)vectors[i].octets, vectors[i].n }, &shown);
		if (strcmp(text_str(&shown), expected) != 0)
			fail_msg("type %d, `%s`: shown as `%s`", vectors[i].type, vectors[i].text,
				text_str(&shown));
		text_free(&as_given);
		text_free(&shown);
	}
}

/* Each value cut short at any octet is shown as something that reads no further. */
static void shows_any_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		for (size_t n = 0; vectors[i].octets && n <= vectors[i].n; n++) {
			uint8_t *cut = malloc(n ? n : 1);
			struct text shown = { 0 };

			assert_non_null(cut);
			memcpy(cut, vectors[i].octets, n);
			for (int t = OPT_T_HEX; t <= OPT_T_S32; t++)
				dhcp4_option_format(
					(enum dhcp4_option_type)t, (struct span){ cut, n }, &shown);
			for (size_t k = 0; k < shown.n; k++)
				assert_in_range((uint8_t)shown.p[k], 0x20, 0x7e);
			text_free(&shown);
			free(cut);
		}
	}
}

/* RFC 1035 2.3.4: labels of 63, names of 255 octets with their lengths. */
static void domains_have_their_limits(void **state)
{
	char name[300];
	uint8_t buf[300];

	(void)state;
	for (size_t label = 62; label <= 64; label++) {
		struct wr w = wr_of(buf, sizeof(buf));

		memset(name, 'a', label);
		name[label] = '\0';
		assert_int_equal(encode(OPT_T_DOMAIN, name, &w), label <= 63 ? 0 : -EINVAL);
	}
	memset(name, 'a', sizeof(name));
	for (size_t i = 49; i < sizeof(name); i += 50)
		name[i] = '.';
	for (size_t n = 252; n <= 254; n++) {
		struct wr w = wr_of(buf, sizeof(buf));
		char end = name[n];

		name[n] = '\0';
		assert_int_equal(encode(OPT_T_DOMAIN, name, &w), n <= 253 ? 0 : -EINVAL);
		assert_int_equal(w.n, n <= 253 ? n + 2 : 0);
		name[n] = end;
	}
}

static void long_hex_and_full_writer(void **state)
{
	char hex[2 + 512 + 1] = "0x";
	uint8_t buf[300];
	struct wr w = wr_of(buf, 255), small = wr_of(buf, 2);

	(void)state;
	memset(hex + 2, 'a', 510);
	assert_int_equal(encode(OPT_T_HEX, hex, &w), 0);
	assert_int_equal(w.n, 255);
	assert_false(w.full);
	memset(hex + 2, 'a', 512);
	w = wr_of(buf, 255);
	assert_int_equal(encode(OPT_T_HEX, hex, &w), 0);
	assert_true(w.full);
	assert_int_equal(encode(OPT_T_TEXT, "long", &small), 0);
	assert_true(small.full);
}

static void no_items_are_no_value(void **state)
{
	size_t bad;
	uint8_t buf[4];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	for (int t = OPT_T_HEX; t <= OPT_T_S32; t++)
		assert_int_equal(
			dhcp4_option_encode((enum dhcp4_option_type)t, NULL, 0, &w, &bad), -EINVAL);
	assert_int_equal(w.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_ordered_and_named),
		cmocka_unit_test(encodes_each_type),
		cmocka_unit_test(shows_what_it_encoded),
		cmocka_unit_test(shows_any_octets),
		cmocka_unit_test(domains_have_their_limits),
		cmocka_unit_test(long_hex_and_full_writer),
		cmocka_unit_test(no_items_are_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
