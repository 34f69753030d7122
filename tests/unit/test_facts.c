/* core/facts.h: who a client is, when its options are missing, malformed or at odds. */
#include "core/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define PXE_X64  SPAN_LIT("PXEClient:Arch:00007:UNDI:003000")
#define HTTP_X64 SPAN_LIT("HTTPClient:Arch:00016:UNDI:003000")
#define FEATURES SPAN_LIT("\xb1\5\1\x80\x86\x10\x0e\x13\1\1")

/* Section 4 of the design, row by row, then what firmware does to it. */
static const struct {
	const char *name;
	struct span option60, option77, option93, option175;
	enum client client;
	enum transport transport;
	int number; /* -1: none */
	enum arch arch;
} cases[] = {
	{ "plain", { 0 }, { 0 }, { 0 }, { 0 }, CLIENT_DHCP, TRANSPORT_NONE, -1, ARCH_UNKNOWN },
	{ "plain with a class", SPAN_LIT("udhcp 1.35.0"), { 0 }, { 0 }, { 0 }, CLIENT_DHCP,
		TRANSPORT_NONE, -1, ARCH_UNKNOWN },
	{ "plain with a user class", { 0 }, SPAN_LIT("\4lab1"), { 0 }, { 0 }, CLIENT_DHCP,
		TRANSPORT_NONE, -1, ARCH_UNKNOWN },
	{ "PXE BIOS", SPAN_LIT("PXEClient:Arch:00000:UNDI:002001"), { 0 }, SPAN_LIT("\0\0"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 0, ARCH_BIOS },
	{ "PXE ia32", SPAN_LIT("PXEClient:Arch:00006"), { 0 }, SPAN_LIT("\0\6"), { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 6, ARCH_IA32 },
	{ "PXE x64", PXE_X64, { 0 }, SPAN_LIT("\0\7"), { 0 }, CLIENT_PXE, TRANSPORT_TFTP, 7,
		ARCH_X64 },
	{ "PXE x64 as EBC", SPAN_LIT("PXEClient:Arch:00009"), { 0 }, SPAN_LIT("\0\x09"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 9, ARCH_X64 },
	{ "PXE arm32", SPAN_LIT("PXEClient"), { 0 }, SPAN_LIT("\0\x0a"), { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 10, ARCH_ARM32 },
	{ "PXE arm64", SPAN_LIT("PXEClient"), { 0 }, SPAN_LIT("\0\x0b"), { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 11, ARCH_ARM64 },
	/* HTTP's numbers under PXEClient: the transport is option 60's. */
	{ "PXE arm32 by 18", SPAN_LIT("PXEClient:Arch:00018"), { 0 }, SPAN_LIT("\0\x12"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 18, ARCH_ARM32 },
	{ "PXE arm64 by 19", SPAN_LIT("PXEClient:Arch:00019"), { 0 }, SPAN_LIT("\0\x13"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 19, ARCH_ARM64 },
	{ "HTTP ia32", SPAN_LIT("HTTPClient:Arch:00015"), { 0 }, SPAN_LIT("\0\x0f"), { 0 },
		CLIENT_HTTP, TRANSPORT_HTTP, 15, ARCH_IA32 },
	{ "HTTP x64", HTTP_X64, { 0 }, SPAN_LIT("\0\x10"), { 0 }, CLIENT_HTTP, TRANSPORT_HTTP, 16,
		ARCH_X64 },
	{ "HTTP arm32", SPAN_LIT("HTTPClient"), { 0 }, SPAN_LIT("\0\x12"), { 0 }, CLIENT_HTTP,
		TRANSPORT_HTTP, 18, ARCH_ARM32 },
	{ "HTTP arm64", SPAN_LIT("HTTPClient"), { 0 }, SPAN_LIT("\0\x13"), { 0 }, CLIENT_HTTP,
		TRANSPORT_HTTP, 19, ARCH_ARM64 },
	{ "HTTP BIOS", SPAN_LIT("HTTPClient"), { 0 }, SPAN_LIT("\0\x14"), { 0 }, CLIENT_HTTP,
		TRANSPORT_HTTP, 20, ARCH_BIOS },
	{ "HTTP without a number", SPAN_LIT("HTTPClient"), { 0 }, { 0 }, { 0 }, CLIENT_HTTP,
		TRANSPORT_HTTP, -1, ARCH_UNKNOWN },
	{ "iPXE BIOS", SPAN_LIT("PXEClient:Arch:00000:UNDI:002001"), SPAN_LIT("iPXE"),
		SPAN_LIT("\0\0"), FEATURES, CLIENT_IPXE, TRANSPORT_HTTP, 0, ARCH_BIOS },
	{ "iPXE x64", PXE_X64, SPAN_LIT("iPXE"), SPAN_LIT("\0\7"), FEATURES, CLIENT_IPXE,
		TRANSPORT_HTTP, 7, ARCH_X64 },
	{ "iPXE by 77 alone", { 0 }, SPAN_LIT("iPXE"), { 0 }, { 0 }, CLIENT_IPXE, TRANSPORT_HTTP, 0,
		ARCH_BIOS },
	{ "iPXE by RFC 3004", PXE_X64, SPAN_LIT("\3lab\4iPXE"), SPAN_LIT("\0\7"), { 0 },
		CLIENT_IPXE, TRANSPORT_HTTP, 7, ARCH_X64 },
	{ "iPXE by 175 alone", { 0 }, { 0 }, { 0 }, FEATURES, CLIENT_IPXE, TRANSPORT_HTTP, 0,
		ARCH_BIOS },
	{ "iPXE with a user class of its own", PXE_X64, SPAN_LIT("mine"), SPAN_LIT("\0\7"),
		FEATURES, CLIENT_IPXE, TRANSPORT_HTTP, 7, ARCH_X64 },
	{ "iPXE in HTTPClient", HTTP_X64, SPAN_LIT("iPXE"), SPAN_LIT("\0\x10"), { 0 }, CLIENT_IPXE,
		TRANSPORT_HTTP, 16, ARCH_X64 },
	{ "malformed 175 is no iPXE", PXE_X64, { 0 }, SPAN_LIT("\0\7"), SPAN_LIT("\x13\5\1"),
		CLIENT_PXE, TRANSPORT_TFTP, 7, ARCH_X64 },
	{ "no 93", PXE_X64, { 0 }, { 0 }, { 0 }, CLIENT_PXE, TRANSPORT_TFTP, 7, ARCH_X64 },
	{ "no number at all", SPAN_LIT("PXEClient"), { 0 }, { 0 }, { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 0, ARCH_BIOS },
	{ "93 of one octet", PXE_X64, { 0 }, SPAN_LIT("\7"), { 0 }, CLIENT_PXE, TRANSPORT_TFTP, 7,
		ARCH_X64 },
	{ "93 before 60", PXE_X64, { 0 }, SPAN_LIT("\0\x0b"), { 0 }, CLIENT_PXE, TRANSPORT_TFTP, 11,
		ARCH_ARM64 },
	{ "93 is a list", PXE_X64, { 0 }, SPAN_LIT("\x7f\xff\0\x0b\0\6"), { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 11, ARCH_ARM64 },
	{ "93 unknown, 60 known", PXE_X64, { 0 }, SPAN_LIT("\x7f\xff"), { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 7, ARCH_X64 },
	{ "93 unknown, 60 without", SPAN_LIT("PXEClient"), { 0 }, SPAN_LIT("\x7f\xff"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 0x7fff, ARCH_UNKNOWN },
	{ "both unknown", SPAN_LIT("PXEClient:Arch:00999"), { 0 }, SPAN_LIT("\x7f\xff"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 999, ARCH_UNKNOWN },
	{ "93 alone, U-Boot", SPAN_LIT("U-Boot.armv8"), { 0 }, SPAN_LIT("\0\x16"), { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 0x16, ARCH_OTHER },
	{ "93 alone, s390", { 0 }, { 0 }, SPAN_LIT("\0\x1f"), { 0 }, CLIENT_PXE, TRANSPORT_TFTP,
		0x1f, ARCH_OTHER },
	{ "93 alone, HTTP's number", { 0 }, { 0 }, SPAN_LIT("\0\x10"), { 0 }, CLIENT_HTTP,
		TRANSPORT_HTTP, 16, ARCH_X64 },
	{ "93 alone, unknown", { 0 }, { 0 }, SPAN_LIT("\x7f\xff"), { 0 }, CLIENT_PXE,
		TRANSPORT_TFTP, 0x7fff, ARCH_UNKNOWN },
	{ "VisionFive 2", SPAN_LIT("PXEClient:Arch:0001b:UNDI:003000"), { 0 }, { 0 }, { 0 },
		CLIENT_PXE, TRANSPORT_TFTP, 0x1b, ARCH_OTHER },
};

static void classifies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct facts f = { .network = NULL };

		facts_classify(cases[i].option60, cases[i].option77, cases[i].option93,
			cases[i].option175, &f);
		if (f.client != cases[i].client || f.transport != cases[i].transport)
			fail_msg("%s: client %d, transport %d", cases[i].name, f.client,
				f.transport);
		if (f.has_arch != (cases[i].number >= 0) ||
			(f.has_arch && f.arch_number != cases[i].number) || f.arch != cases[i].arch)
			fail_msg("%s: architecture %u, class %s", cases[i].name, f.arch_number,
				arch_name(f.arch));
	}
}

static struct dhcp4_msg discover(void)
{
	return (struct dhcp4_msg){ .op = DHCP4_BOOTREQUEST,
		.htype = DHCP4_HTYPE_ETHERNET,
		.hlen = 6,
		.chaddr = { 0x52, 0x54, 0, 1, 2, 3 },
		.type = DHCP4_DISCOVER };
}

static void knows_nothing_of_an_empty_message(void **state)
{
	struct dhcp4_msg m = discover();
	struct facts f;

	(void)state;
	facts_from_dhcp4(&m, NULL, &f);
	assert_null(f.network);
	assert_int_equal(f.client, CLIENT_DHCP);
	assert_true(f.has_mac);
	assert_string_equal(mac_str(f.mac).s, "52:54:00:01:02:03");
	assert_false(f.has_uuid || f.has_arch);
	assert_int_equal(f.vendor_class.n + f.user_class.n + f.hostname.n + f.circuit_id.n +
			f.remote_id.n + f.serial.n + f.asset.n,
		0);
	m.htype = 6;
	facts_from_dhcp4(&m, NULL, &f);
	assert_false(f.has_mac);
	m.htype = DHCP4_HTYPE_ETHERNET;
	m.hlen = 16;
	facts_from_dhcp4(&m, NULL, &f);
	assert_false(f.has_mac);
}

static void reads_texts_to_their_nul(void **state)
{
	struct dhcp4_msg m = discover();
	struct facts f;

	(void)state;
	m.opt[OPT_VENDOR_CLASS] = SPAN_LIT("d-i\0\0");
	m.opt[OPT_USER_CLASS] = SPAN_LIT("\4lab\0\3foo");
	m.opt[OPT_HOSTNAME] = SPAN_LIT("web1\0");
	m.opt[OPT_RELAY_AGENT] = SPAN_LIT("\1\4rsr1\2\3a\0b");
	facts_from_dhcp4(&m, "lab", &f);
	assert_string_equal(f.network, "lab");
	assert_true(span_eq(f.vendor_class, SPAN_LIT("d-i")));
	assert_true(span_eq(f.user_class, SPAN_LIT("lab")));
	assert_true(span_eq(f.hostname, SPAN_LIT("web1")));
	assert_true(span_eq(f.circuit_id, SPAN_LIT("rsr1")));
	assert_true(span_eq(f.remote_id, SPAN_LIT("a\0b"))); /* octets, no text */
}

static void turns_uuids_into_text_order(void **state)
{
	static const struct span sent = SPAN_LIT(
		"\0\x44\x45\x4c\x4c\x42\0\x10\x30\x80\x56\xb7\xc0\x4f\x4e\x31\x32");
	struct dhcp4_msg m = discover();
	struct facts f;

	(void)state;
	m.opt[OPT_MACHINE_ID] = sent;
	m.opt[OPT_VENDOR_CLASS] = PXE_X64;
	facts_from_dhcp4(&m, NULL, &f);
	assert_true(f.has_uuid);
	assert_string_equal(uuid_str(f.uuid).s, "4c4c4544-0042-3010-8056-b7c04f4e3132");
	m.opt[OPT_USER_CLASS] = SPAN_LIT("iPXE"); /* the same machine, one stage later */
	facts_from_dhcp4(&m, NULL, &f);
	assert_string_equal(uuid_str(f.uuid).s, "4c4c4544-0042-3010-8056-b7c04f4e3132");

	m.opt[OPT_MACHINE_ID].n--;
	facts_from_dhcp4(&m, NULL, &f);
	assert_false(f.has_uuid);
	/* x-uefi-http-intelnuc: AMI's default identifies nobody */
	m.opt[OPT_MACHINE_ID] = SPAN_LIT("\0\0\2\0\3\0\4\0\5\0\6\0\7\0\x08\0\x09");
	facts_from_dhcp4(&m, NULL, &f);
	assert_false(f.has_uuid);
}

static const char *kind_text(enum client client, enum arch arch)
{
	return facts_kind_text(&(struct facts){ .client = client, .arch = arch });
}

static void says_what_a_machine_is(void **state)
{
	static const enum client clients[] = { CLIENT_DHCP, CLIENT_PXE, CLIENT_HTTP, CLIENT_IPXE };
	const struct facts x64 = { .has_arch = true, .arch_number = 7 },
			   none = { .arch_number = 7 },
			   strange = { .has_arch = true, .arch_number = 0x7fff };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		for (int a = 0; a < ARCH_COUNT; a++)
			assert_non_null(kind_text(clients[i], (enum arch)a));
	assert_string_equal(kind_text(CLIENT_PXE, ARCH_BIOS), "PXE BIOS");
	assert_string_equal(kind_text(CLIENT_PXE, ARCH_X64), "UEFI PXE x64");
	assert_string_equal(kind_text(CLIENT_HTTP, ARCH_ARM64), "UEFI HTTP Boot arm64");
	assert_string_equal(kind_text(CLIENT_IPXE, ARCH_UNKNOWN), "iPXE");
	assert_string_equal(kind_text(CLIENT_IPXE, ARCH_X64), "iPXE on UEFI x64");
	assert_string_equal(kind_text(CLIENT_DHCP, ARCH_UNKNOWN), "DHCP client");
	assert_string_equal(facts_arch_name(&x64), "x64-uefi");
	assert_string_equal(facts_arch_name(&none), "unknown");
	assert_string_equal(facts_arch_name(&strange), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classifies),
		cmocka_unit_test(knows_nothing_of_an_empty_message),
		cmocka_unit_test(reads_texts_to_their_nul),
		cmocka_unit_test(turns_uuids_into_text_order),
		cmocka_unit_test(says_what_a_machine_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
