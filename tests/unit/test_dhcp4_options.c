/* The option table is sound, and each type encodes as its RFC says. */
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
		assert_non_null(dhcp4_option_type_text(t[i].type));
	}
	assert_null(dhcp4_option_find(84));
	assert_null(dhcp4_option_find_name(SPAN_LIT("nonsense")));
	assert_int_equal(dhcp4_option_find_name(SPAN_LIT("NTP-Servers"))->code, 42);
}

static const struct {
	enum dhcp4_option_type type;
	const char *text;
	const char *octets; /* NULL: refused */
	size_t n;
} vectors[] = {
	{ OPT_T_ADDRESS, "10.0.0.1", "\x0a\0\0\x01", 4 },
	{ OPT_T_ADDRESS, "10.0.0", NULL, 0 },
	{ OPT_T_ADDRESS, "0x0a000001", "\x0a\0\0\x01", 4 },
	{ OPT_T_ADDRESS, "0a:00:00:01", "\x0a\0\0\x01", 4 },
	{ OPT_T_ADDRESS, "0x0a0000", NULL, 0 },
	{ OPT_T_ADDRESSES, "10.0.0.1", "\x0a\0\0\x01", 4 },
	{ OPT_T_ADDRESSES, "0x0a0000010a000002", "\x0a\0\0\x01\x0a\0\0\x02", 8 },
	{ OPT_T_ADDRESSES, "0x0a00000102", NULL, 0 },
	{ OPT_T_TEXT, "/srv/root", "/srv/root", 9 },
	{ OPT_T_TEXT, "ab:cd", "ab:cd", 5 },
	{ OPT_T_TEXT, "0x4142", "AB", 2 },
	{ OPT_T_TEXT, "0xzz", "0xzz", 4 },
	{ OPT_T_TEXT, "", NULL, 0 },
	{ OPT_T_BOOL, "true", "\x01", 1 },
	{ OPT_T_BOOL, "off", "\0", 1 },
	{ OPT_T_BOOL, "1", "\x01", 1 },
	{ OPT_T_BOOL, "maybe", NULL, 0 },
	{ OPT_T_U8, "255", "\xff", 1 },
	{ OPT_T_U8, "256", NULL, 0 },
	{ OPT_T_U8, "-1", NULL, 0 },
	{ OPT_T_U8, "0x10", "\x10", 1 },
	{ OPT_T_U8, "10", "\x0a", 1 },
	{ OPT_T_U16, "1500", "\x05\xdc", 2 },
	{ OPT_T_U16, "65536", NULL, 0 },
	{ OPT_T_U16, "0x05dc", "\x05\xdc", 2 },
	{ OPT_T_U16, "0x10", NULL, 0 },
	{ OPT_T_U32, "4294967295", "\xff\xff\xff\xff", 4 },
	{ OPT_T_U32, "4294967296", NULL, 0 },
	{ OPT_T_U32, "", NULL, 0 },
	{ OPT_T_U32, "1 ", NULL, 0 },
	{ OPT_T_S32, "-3600", "\xff\xff\xf1\xf0", 4 },
	{ OPT_T_S32, "-2147483648", "\x80\0\0\0", 4 },
	{ OPT_T_S32, "2147483648", NULL, 0 },
	{ OPT_T_HEX, "0x0a0B", "\x0a\x0b", 2 },
	{ OPT_T_HEX, "0a:0B:ff", "\x0a\x0b\xff", 3 },
	{ OPT_T_HEX, "0x0a", "\x0a", 1 },
	{ OPT_T_HEX, "10", NULL, 0 },
	{ OPT_T_HEX, "0x0", NULL, 0 },
	{ OPT_T_HEX, "0a:", NULL, 0 },
	{ OPT_T_HEX, "0a-0b", NULL, 0 },
	{ OPT_T_HEX, "text", NULL, 0 },
	{ OPT_T_HEX, "", NULL, 0 },
	{ OPT_T_HEX, "0x", NULL, 0 },
	{ OPT_T_RESERVED, "0x01", NULL, 0 },
};

static void encodes_each_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t buf[16];
		struct wr w = wr_of(buf, sizeof(buf));
		int r = dhcp4_option_encode_text(vectors[i].type, span_str(vectors[i].text), &w);
		bool good = vectors[i].octets ? r == 0 && w.n == vectors[i].n &&
							memcmp(buf, vectors[i].octets, w.n) == 0
					      : r == -EINVAL && w.n == 0;

		if (!good)
			fail_msg("type %d, `%s`: %d, %zu octets", vectors[i].type, vectors[i].text,
				r, w.n);
	}
}

static void long_hex_and_full_writer(void **state)
{
	char hex[2 + 512 + 1] = "0x";
	uint8_t buf[300];
	struct wr w = wr_of(buf, sizeof(buf)), small = wr_of(buf, 2);

	(void)state;
	memset(hex + 2, 'a', 510);
	assert_int_equal(
		dhcp4_option_encode_text(OPT_T_HEX, (struct span){ (uint8_t *)hex, 512 }, &w), 0);
	assert_int_equal(w.n, 255);
	memset(hex + 2, 'a', 512);
	assert_int_equal(
		dhcp4_option_encode_text(OPT_T_HEX, (struct span){ (uint8_t *)hex, 514 }, &w),
		-EINVAL);
	assert_int_equal(dhcp4_option_encode_text(OPT_T_TEXT, SPAN_LIT("long"), &small), 0);
	assert_true(small.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_ordered_and_named),
		cmocka_unit_test(encodes_each_type),
		cmocka_unit_test(long_hex_and_full_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
