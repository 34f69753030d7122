/* base/addr.h: texts to addresses and back, and what is no address. */
#include "base/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void reads_ip4(void **state)
{
	static const struct {
		const char *text;
		uint32_t v;
	} good[] = {
		{ "0.0.0.0", 0 },
		{ "255.255.255.255", 0xffffffffu },
		{ "172.24.0.1", 0xac180001u },
		{ "1.20.199.250", 0x0114c7fau },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct ip4 a = { 7 };

		if (ip4_parse(span_str(good[i].text), &a) != 0 || a.v != good[i].v)
			fail_msg("%s: not read", good[i].text);
		assert_string_equal(ip4_str(a).s, good[i].text);
	}
}

static void refuses_other_ip4(void **state)
{
	static const char *const bad[] = { "", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
		".1.2.3", "1..2.3", "256.1.1.1", "1.2.3.999", "1.2.3.1000", "01.2.3.4", "1.2.3.00",
		"1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "1.2.3.0x4", "1,2,3,4", "1.2.3.4/8", "a.b.c.d",
		"1.2.3.:" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ip4 a = { 7 };

		if (ip4_parse(span_str(bad[i]), &a) != -EINVAL || a.v != 7)
			fail_msg("\"%s\" was read as %s", bad[i], ip4_str(a).s);
	}
	struct ip4 a = { 7 };

	assert_int_equal(ip4_parse(SPAN_LIT("1.2.3.4\0"), &a), -EINVAL);
	assert_int_equal(ip4_parse(SPAN_NONE, &a), -EINVAL);
}

static void reads_prefixes(void **state)
{
	static const char *const bad[] = { "", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/032",
		"1.2.3.4/00", "1.2.3.4/8 ", "1.2.3.4/-1", "1.2.3/8", "/8", "1.2.3.4:8",
		"1.2.3.4/100" };
	struct ip4 a;
	unsigned len;

	(void)state;
	assert_int_equal(ip4_parse_prefix(SPAN_LIT("172.24.0.1/16"), &a, &len), 0);
	assert_int_equal(a.v, 0xac180001u); /* kept as written */
	assert_int_equal(len, 16);
	assert_int_equal(ip4_parse_prefix(SPAN_LIT("0.0.0.0/0"), &a, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(ip4_parse_prefix(SPAN_LIT("10.0.0.9/32"), &a, &len), 0);
	assert_int_equal(len, 32);
	a.v = 7;
	len = 99;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ip4_parse_prefix(span_str(bad[i]), &a, &len) != -EINVAL || a.v != 7 ||
			len != 99)
			fail_msg("\"%s\" was read as %s/%u", bad[i], ip4_str(a).s, len);
}

static void counts_in_subnets(void **state)
{
	const struct ip4 net = { 0x0a090000u };

	(void)state;
	assert_int_equal(ip4_mask(0), 0);
	assert_int_equal(ip4_mask(1), 0x80000000u);
	assert_int_equal(ip4_mask(24), 0xffffff00u);
	assert_int_equal(ip4_mask(32), 0xffffffffu);
	assert_true(ip4_in((struct ip4){ 0x0a0900ffu }, net, 24));
	assert_false(ip4_in((struct ip4){ 0x0a0901ffu }, net, 24));
	assert_true(ip4_in((struct ip4){ 0xffffffffu }, net, 0));
	assert_true(ip4_in(net, net, 32));
	assert_false(ip4_in((struct ip4){ 0x0a090001u }, net, 32));
	assert_true(ip4_eq(net, net));
	assert_false(ip4_eq(net, (struct ip4){ 0 }));
}

static const struct mac qemu = { { 0x52, 0x54, 0x00, 0xab, 0xcd, 0xef } };

static void reads_macs(void **state)
{
	static const char *const good[] = { "52:54:00:ab:cd:ef", "52-54-00-AB-CD-EF",
		"525400abcdef", "525400AbCdEf" };
	static const char *const bad[] = { "", "52:54:00:ab:cd", "52:54:00:ab:cd:eg",
		"52:54:00:ab:cd:e", "52:54-00:ab:cd:ef", "52-54-00-ab-cd:ef", "52.54.00.ab.cd.ef",
		"525400abcde", "525400abcdeg", "g25400abcdef", "52:54:00:ab:cd:ef:01",
		"5254:00ab:cdef", "52:54:00:ab:cd:/f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct mac m = { { 0 } };

		if (mac_parse(span_str(good[i]), &m) != 0 || !mac_eq(m, qemu))
			fail_msg("%s: not read", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct mac m = { { 9, 9, 9, 9, 9, 9 } };

		if (mac_parse(span_str(bad[i]), &m) != -EINVAL ||
			!mac_eq(m, (struct mac){ { 9, 9, 9, 9, 9, 9 } }))
			fail_msg("\"%s\" was read as %s", bad[i], mac_str(m).s);
	}
	assert_string_equal(mac_str(qemu).s, "52:54:00:ab:cd:ef");
	assert_string_equal(mac_str_dashed(qemu).s, "52-54-00-ab-cd-ef");
	assert_false(mac_eq(qemu, (struct mac){ { 0 } }));
}

/* tests/vectors/dhcp4/ovmf-to-ipxe-efi.txt: as iPXE prints it, as option 97 holds it. */
#define TEXT_ORDER   "4c4c4544-0042-3010-8056-b7c04f4e3132"
#define SMBIOS_ORDER "44454c4c-4200-1030-8056-b7c04f4e3132"

static void reads_uuids(void **state)
{
	static const char *const bad[] = { "", "4c4c4544-0042-3010-8056-b7c04f4e313",
		"4c4c4544-0042-3010-8056-b7c04f4e31321", "4c4c4544004230108056b7c04f4e3132",
		"4c4c4544:0042-3010-8056-b7c04f4e3132", "4c4c454-40042-3010-8056-b7c04f4e3132",
		"4c4c4544-0042-3010-8056-b7c04f4e313g", "4c4c4544-0042-3010-8056-b7c04f4e31-2",
		"{c4c4544-0042-3010-8056-b7c04f4e3132", "4c4c4544-0042-3010-8056:b7c04f4e3132" };
	struct uuid u, upper, swapped;

	(void)state;
	assert_int_equal(uuid_parse(SPAN_LIT(TEXT_ORDER), &u), 0);
	assert_string_equal(uuid_str(u).s, TEXT_ORDER);
	assert_int_equal(u.b[0], 0x4c);
	assert_int_equal(u.b[15], 0x32);
	assert_int_equal(uuid_parse(SPAN_LIT("4C4C4544-0042-3010-8056-B7C04F4E3132"), &upper), 0);
	assert_true(uuid_eq(u, upper));
	swapped = uuid_swap(u);
	assert_string_equal(uuid_str(swapped).s, SMBIOS_ORDER);
	assert_false(uuid_eq(u, swapped));
	assert_true(uuid_eq(u, uuid_swap(swapped)));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (uuid_parse(span_str(bad[i]), &u) != -EINVAL || !uuid_eq(u, upper))
			fail_msg("\"%s\" was read as %s", bad[i], uuid_str(u).s);
}

static void knows_default_uuids(void **state)
{
	static const struct {
		const char *text;
		bool is_default;
	} cases[] = {
		{ "00000000-0000-0000-0000-000000000000", true },
		{ "ffffffff-ffff-ffff-ffff-ffffffffffff", true },
		{ "00020003-0004-0005-0006-000700080009", true },
		{ "03000200-0400-0500-0006-000700080009", true },
		{ "00000000-0000-0000-0000-000000000001", false },
		{ "ffffffff-ffff-ffff-ffff-fffffffffffe", false },
		{ "00020003-0004-0005-0006-00070008000a", false },
		{ TEXT_ORDER, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uuid u;

		assert_int_equal(uuid_parse(span_str(cases[i].text), &u), 0);
		if (uuid_is_default(u) != cases[i].is_default)
			fail_msg("%s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ip4),
		cmocka_unit_test(refuses_other_ip4),
		cmocka_unit_test(reads_prefixes),
		cmocka_unit_test(counts_in_subnets),
		cmocka_unit_test(reads_macs),
		cmocka_unit_test(reads_uuids),
		cmocka_unit_test(knows_default_uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
