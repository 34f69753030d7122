/* wire/pxe.h: what netbooting clients say of themselves, right and wrong. */
#include "wire/pxe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* Section 4 of the design, and firmware-quirks for HTTP's numbers. */
static const struct {
	uint16_t number;
	enum arch arch;
	bool http;
} classes[] = {
	{ 0, ARCH_BIOS, false },
	{ 6, ARCH_IA32, false },
	{ 7, ARCH_X64, false },
	{ 9, ARCH_X64, false },
	{ 10, ARCH_ARM32, false },
	{ 11, ARCH_ARM64, false },
	{ 15, ARCH_IA32, true },
	{ 16, ARCH_X64, true },
	{ 18, ARCH_ARM32, true },
	{ 19, ARCH_ARM64, true },
	{ 20, ARCH_BIOS, true },
	{ 1, ARCH_OTHER, false },
	{ 0x11, ARCH_OTHER, true },
	{ 0x16, ARCH_OTHER, false },
	{ 0x18, ARCH_OTHER, true },
	{ 0x1b, ARCH_OTHER, false },
	{ 0x1c, ARCH_OTHER, true },
	{ 0x1f, ARCH_OTHER, false },
	{ 0x25, ARCH_OTHER, false },
	{ 0x28, ARCH_OTHER, true },
	{ 0x29, ARCH_OTHER, false },
};

static void knows_the_registry(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		const struct arch_type *t = arch_type_find(classes[i].number);

		if (!t || t->number != classes[i].number || t->arch != classes[i].arch ||
			t->http != classes[i].http)
			fail_msg("number %u", classes[i].number);
	}
	for (unsigned n = 0; n <= UINT16_MAX; n++) {
		const struct arch_type *t = arch_type_find((uint16_t)n);

		if ((t != NULL) != (n <= 0x29))
			fail_msg("number %u", n);
		if (!t)
			continue;
		if (arch_type_find_name(span_str(t->name)) != t)
			fail_msg("%s is not its own name", t->name);
		/* HTTP's names say so, and only they. */
		if (t->http !=
			(strlen(t->name) > 5 &&
				strcmp(t->name + strlen(t->name) - 5, "-http") == 0))
			fail_msg("%s", t->name);
	}
}

static void finds_architectures_by_name(void **state)
{
	static const struct {
		const char *name;
		enum arch arch;
		uint16_t first;
	} names[] = {
		{ "bios", ARCH_BIOS, 0 },
		{ "ia32", ARCH_IA32, 6 },
		{ "x64", ARCH_X64, 7 },
		{ "arm32", ARCH_ARM32, 10 },
		{ "ARM64", ARCH_ARM64, 11 },
	};
	static const char *const none[] = { "", "other", "unknown", "x6", "x64 ", "x86", "amd64" };
	enum arch a = ARCH_UNKNOWN;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(arch_parse(span_str(names[i].name), &a), 0);
		assert_int_equal(a, names[i].arch);
		assert_int_equal(
			arch_type_find_name(span_str(names[i].name))->number, names[i].first);
	}
	a = ARCH_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		if (arch_parse(span_str(none[i]), &a) != -EINVAL || a != ARCH_UNKNOWN)
			fail_msg("\"%s\" is a class", none[i]);
		if (arch_type_find_name(span_str(none[i])))
			fail_msg("\"%s\" is a type", none[i]);
	}
	assert_int_equal(arch_type_find_name(SPAN_LIT("X64-UEFI-http"))->number, 16);
	for (int c = 0; c < ARCH_COUNT; c++)
		assert_non_null(arch_name((enum arch)c));
	assert_string_equal(arch_name(ARCH_X64), "x64");
	assert_string_equal(arch_name(ARCH_UNKNOWN), "unknown");
}

static const struct {
	struct span option60;
	enum vendor_kind kind;
	int arch; /* -1: none */
} vendors[] = {
	{ { NULL, 0 }, VENDOR_NONE, -1 },
	{ SPAN_LIT(""), VENDOR_NONE, -1 },
	{ SPAN_LIT("PXEClient"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:00000:UNDI:002001"), VENDOR_PXE, 0 },
	{ SPAN_LIT("PXEClient:Arch:00007:UNDI:003016"), VENDOR_PXE, 7 },
	{ SPAN_LIT("PXEClient:Arch:00011"), VENDOR_PXE, 11 },
	{ SPAN_LIT("PXEClient:Arch:00011\0junk"), VENDOR_PXE, 11 },
	{ SPAN_LIT("PXEClient:Arch:00011\0:UNDI"), VENDOR_PXE, 11 },
	{ SPAN_LIT("PXEClient:Arch:7:UNDI"), VENDOR_PXE, 7 },
	{ SPAN_LIT("PXEClient:Arch:00027:UNDI:003000"), VENDOR_PXE, 0x1b }, /* U-Boot riscv64 */
	{ SPAN_LIT("PXEClient:Arch:0001b:UNDI:003000"), VENDOR_PXE,
		0x1b }, /* U-Boot on VisionFive 2 */
	{ SPAN_LIT("PXEClient:Arch:0001B:UNDI:003000"), VENDOR_PXE, 0x1b },
	{ SPAN_LIT("PXEClient:Arch:65535:UNDI:003000"), VENDOR_PXE, 65535 },
	{ SPAN_LIT("PXEClient:Arch:65536:UNDI:003000"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:fffff:UNDI:003000"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:000007:UNDI"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch::UNDI"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:\0"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:0000g:UNDI"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:0000G:UNDI"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch:-0007:UNDI"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arch: 0007:UNDI"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:arch:00007"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClient:Arc"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClientele"), VENDOR_PXE, -1 },
	{ SPAN_LIT("PXEClien"), VENDOR_NONE, -1 },
	{ SPAN_LIT("pxeclient"), VENDOR_NONE, -1 },
	{ SPAN_LIT(" PXEClient"), VENDOR_NONE, -1 },
	{ SPAN_LIT("HTTPClient"), VENDOR_HTTP, -1 },
	{ SPAN_LIT("HTTPClient:Arch:00016:UNDI:003000"), VENDOR_HTTP, 16 },
	{ SPAN_LIT("HTTPClien"), VENDOR_NONE, -1 },
	{ SPAN_LIT("U-Boot.armv8"), VENDOR_NONE, -1 },
	{ SPAN_LIT("9:PXEClient:Arch:00009:UNDI:003010"), VENDOR_NONE, -1 },
};

static void reads_vendor_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vendors); i++) {
		struct vendor_class v = { .kind = 9, .has_arch = true, .arch = 999 };

		vendor_class_parse(vendors[i].option60, &v);
		if (v.kind != vendors[i].kind || v.has_arch != (vendors[i].arch >= 0) ||
			v.arch != (vendors[i].arch >= 0 ? vendors[i].arch : 0))
			fail_msg("\"%.*s\": kind %d, architecture %u", (int)vendors[i].option60.n,
				(const char *)vendors[i].option60.p, v.kind, v.arch);
	}
}

static const struct {
	const char *name;
	struct span option77;
	bool ipxe;
	struct span first;
} users[] = {
	{ "absent", { NULL, 0 }, false, { NULL, 0 } },
	{ "raw", SPAN_LIT("iPXE"), true, SPAN_LIT("iPXE") },
	{ "raw with NUL", SPAN_LIT("iPXE\0"), true, SPAN_LIT("iPXE\0") },
	{ "RFC 3004", SPAN_LIT("\4iPXE"), true, SPAN_LIT("iPXE") },
	{ "second of RFC 3004", SPAN_LIT("\3foo\4iPXE"), true, SPAN_LIT("foo") },
	{ "before a broken class", SPAN_LIT("\4iPXE\x09x"), true, SPAN_LIT("\4iPXE\x09x") },
	{ "behind a broken class", SPAN_LIT("\x09x\4iPXE"), false, SPAN_LIT("\x09x\4iPXE") },
	{ "behind an empty class", SPAN_LIT("\0\4iPXE"), false, SPAN_LIT("\0\4iPXE") },
	{ "other case", SPAN_LIT("ipxe"), false, SPAN_LIT("ipxe") },
	{ "prefix only", SPAN_LIT("iPXEs"), false, SPAN_LIT("iPXEs") },
	{ "part of a class", SPAN_LIT("\5iPXEs"), false, SPAN_LIT("iPXEs") },
	{ "gPXE", SPAN_LIT("gPXE"), false, SPAN_LIT("gPXE") },
	{ "no inner length (Cisco)", SPAN_LIT("exr-config"), false, SPAN_LIT("exr-config") },
	{ "x-userclass-rfc3004", SPAN_LIT("\7subopt1\x11subopt2-123456789\x0asubopt3-12"), false,
		SPAN_LIT("subopt1") },
	{ "list with a short tail", SPAN_LIT("\1a\2b"), false, SPAN_LIT("\1a\2b") },
	{ "list with a NUL behind it", SPAN_LIT("\1a\0"), false, SPAN_LIT("a") },
	{ "a single length", SPAN_LIT("\4"), false, SPAN_LIT("\4") },
};

static void reads_user_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		if (user_class_has_ipxe(users[i].option77) != users[i].ipxe)
			fail_msg("%s: iPXE or not", users[i].name);
		if (!span_eq(user_class_first(users[i].option77), users[i].first))
			fail_msg("%s: first class", users[i].name);
	}
}

static void takes_the_first_known_architecture(void **state)
{
	static const struct {
		struct span option93;
		int number; /* -1: none */
	} cases[] = {
		{ { NULL, 0 }, -1 }, { SPAN_LIT(""), -1 }, { SPAN_LIT("\7"), -1 },
		{ SPAN_LIT("\0\0"), 0 }, { SPAN_LIT("\0\7"), 7 }, { SPAN_LIT("\0\7\0"), 7 },
		{ SPAN_LIT("\0\7\0\x0b"), 7 }, { SPAN_LIT("\xff\xff\0\x0b"), 11 },
		{ SPAN_LIT("\xff\xff\xee\xee"), 0xffff }, { SPAN_LIT("\xff\xff\0"), 0xffff },
		{ SPAN_LIT("\7\0"), 0x0700 }, /* the wrong byte order is not guessed at */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint16_t number = 999;
		int r = client_arch_first_known(cases[i].option93, &number);

		if (r != (cases[i].number < 0 ? -ENOENT : 0) ||
			number != (cases[i].number < 0 ? 999 : cases[i].number))
			fail_msg("case %zu: %d, %u", i, r, number);
	}
}

static void reads_machine_ids(void **state)
{
	static const uint8_t wire[17] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		16 };
	uint8_t other[18] = { 0 };
	struct uuid u = { { 0 } };

	(void)state;
	assert_int_equal(machine_id_parse((struct span){ wire, 17 }, &u), 0);
	assert_memory_equal(u.b, wire + 1, 16);
	for (size_t n = 0; n <= sizeof(other); n++)
		if (n != 17)
			assert_int_equal(machine_id_parse((struct span){ other, n }, &u), -EINVAL);
	other[0] = 1;
	assert_int_equal(machine_id_parse((struct span){ other, 17 }, &u), -EINVAL);
	assert_int_equal(machine_id_parse(SPAN_NONE, &u), -EINVAL);
	assert_memory_equal(u.b, wire + 1, 16);
}

static void reads_ipxe_features(void **state)
{
	static const struct {
		const char *name;
		struct span option175;
		struct ipxe_features f;
	} cases[] = {
		{ "absent", { NULL, 0 }, { 0 } },
		{ "empty", SPAN_LIT(""), { 0 } },
		{ "padding alone", SPAN_LIT("\0\0\xff"), { 0 } },
		{ "bus id and features (seabios-ipxe-e1000)",
			SPAN_LIT("\xb1\5\1\x80\x86\x10\x0e\x13\1\1\x18\1\1\x27\1\1"),
			{ .present = true, .http = true, .bzimage = true, .menu = true } },
		{ "all", SPAN_LIT("\x13\1\1\x14\1\1\x18\1\1\x24\1\1\x27\1\1"),
			{ .present = true,
				.http = true,
				.https = true,
				.bzimage = true,
				.efi = true,
				.menu = true } },
		{ "switched off", SPAN_LIT("\x13\1\0\x24\0"), { .present = true } },
		{ "off does not undo on", SPAN_LIT("\x13\1\1\x13\1\0"),
			{ .present = true, .http = true } },
		{ "PAD and END", SPAN_LIT("\0\x24\1\1\0\xff\x13\1\1"),
			{ .present = true, .efi = true } },
		{ "another vendor's text", SPAN_LIT("hello, world"), { 0 } },
		{ "past the end", SPAN_LIT("\x13\1\1\x24\2\1"), { 0 } },
		{ "code alone", SPAN_LIT("\x13\1\1\x24"), { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct ipxe_features *want = &cases[i].f;
		struct ipxe_features f = { true, true, true, true, true, true };

		ipxe_features_parse(cases[i].option175, &f);
		if (f.present != want->present || f.http != want->http || f.https != want->https ||
			f.bzimage != want->bzimage || f.efi != want->efi || f.menu != want->menu)
			fail_msg("%s", cases[i].name);
	}
}

static void sends_pxe_clients_straight_to_the_file(void **state)
{
	uint8_t buf[4];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	pxe_vendor_options_direct(&w);
	assert_false(w.full);
	assert_true(span_eq(wr_done(&w), SPAN_LIT("\6\1\x08\xff")));
	w = wr_of(buf, 3);
	pxe_vendor_options_direct(&w);
	assert_true(w.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_registry),
		cmocka_unit_test(finds_architectures_by_name),
		cmocka_unit_test(reads_vendor_classes),
		cmocka_unit_test(reads_user_classes),
		cmocka_unit_test(takes_the_first_known_architecture),
		cmocka_unit_test(reads_machine_ids),
		cmocka_unit_test(reads_ipxe_features),
		cmocka_unit_test(sends_pxe_clients_straight_to_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
