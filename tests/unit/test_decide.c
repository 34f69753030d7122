/* The decision: design section 4 as a table, the matching of rules, and what
 * holds for every client there can be. */
#include "core/decide.h"

#include "core/locate.h"
#include "core/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct profile kernel = { .name = "kernel", .kind = PROFILE_KERNEL, .cmdline = "" };
static const struct profile script = {
	.name = "script", .kind = PROFILE_SCRIPT, .script = { .path = "a.ipxe" }
};
static const struct profile bootfile = {
	.name = "bootfile", .kind = PROFILE_BOOTFILE, .bootfile = { .path = "pxelinux/pxelinux.0" }
};
static const struct profile url = { .name = "url",
	.kind = PROFILE_BOOTFILE,
	.bootfile = { .path = "http://192.0.2.1/a.efi", .is_url = true } };
static const struct profile chain = {
	.name = "chain", .kind = PROFILE_BOOTFILE, .bootfile = { .path = "old/ipxe.efi" }
};
static const struct profile local = { .name = "local", .kind = PROFILE_LOCAL };

static const struct profile *const profiles[] = { NULL, &kernel, &script, &bootfile, &url, &chain,
	&local };

static struct config config_with(const struct profile *p, bool loaders)
{
	struct config cfg = { .http_port = 80, .default_profile = p };

	cfg.loaders.file[FAMILY_IPXE][ARCH_BIOS].path = "undionly.kpxe";
	cfg.loaders.file[FAMILY_IPXE][ARCH_X64].path = "/opt/ipxe/ipxe.efi";
	cfg.loaders.file[FAMILY_IPXE][ARCH_BIOS].present =
		cfg.loaders.file[FAMILY_IPXE][ARCH_X64].present = loaders;
	return cfg;
}

static struct facts client_with(const char *class, int arch, const char *user_class)
{
	const uint8_t option93[2] = { (uint8_t)(arch >> 8), (uint8_t)arch };
	struct facts f = { .has_mac = true, .mac = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } } };

	facts_classify(span_str(class), span_str(user_class),
		arch < 0 ? SPAN_NONE : (struct span){ option93, 2 }, SPAN_NONE, &f);
	return f;
}

/* class, 93 (-1: none), 77, profile, loaders installed; what comes of it. */
static const struct {
	const char *class;
	int arch;
	const char *user_class;
	const struct profile *profile;
	bool loaders;
	enum answer_kind kind;
	const char *bootfile;
	bool missing;
	const char *why;
} table[] = {
	/* plain DHCP clients */
	{ NULL, -1, NULL, &kernel, true, ANSWER_ADDRESS, "", false, "address only" },
	{ "udhcp 1.35", -1, NULL, &bootfile, true, ANSWER_ADDRESS, "", false, "address only" },
	/* PXE BIOS */
	{ "PXEClient", 0, NULL, &kernel, true, ANSWER_LOADER, "loaders/undionly.kpxe", false,
		"iPXE first" },
	{ "PXEClient:Arch:00000", -1, NULL, NULL, true, ANSWER_LOADER, "loaders/undionly.kpxe",
		false, "" },
	{ "PXEClient", 0, NULL, &script, true, ANSWER_LOADER, "loaders/undionly.kpxe", false, "" },
	{ "PXEClient", 0, NULL, &bootfile, true, ANSWER_BOOTFILE, "pxelinux/pxelinux.0", false,
		"own boot file" },
	{ "PXEClient", 0, NULL, &bootfile, false, ANSWER_BOOTFILE, "pxelinux/pxelinux.0", false,
		"" },
	{ "PXEClient", 0, NULL, &url, true, ANSWER_LOADER, "loaders/undionly.kpxe", false, "" },
	{ "PXEClient", 0, NULL, &url, false, ANSWER_ADDRESS, "", true, "package ipxe" },
	{ "PXEClient", 0, NULL, &local, true, ANSWER_LOCAL, "", false, "local disk" },
	{ "PXEClient", 0, NULL, &kernel, false, ANSWER_ADDRESS, "", true,
		"iPXE for bios was not found (undionly.kpxe)" },
	/* UEFI PXE */
	{ "PXEClient", 7, NULL, &kernel, true, ANSWER_LOADER, "loaders/ipxe.efi", false, "" },
	{ "PXEClient", 9, NULL, NULL, true, ANSWER_LOADER, "loaders/ipxe.efi", false, "" },
	{ "PXEClient", 7, NULL, &bootfile, true, ANSWER_BOOTFILE, "pxelinux/pxelinux.0", false,
		"" },
	{ "PXEClient", 7, NULL, &chain, true, ANSWER_BOOTFILE, "old/ipxe.efi", false, "" },
	{ "PXEClient", 7, NULL, &kernel, false, ANSWER_ADDRESS, "", true,
		"iPXE for x64 was not found (/opt/ipxe/ipxe.efi)" },
	{ "PXEClient", 6, NULL, &kernel, true, ANSWER_ADDRESS, "", true,
		"no GRUB for ia32: Debian has none; name one with loaders: {grub: {ia32: FILE}}" },
	{ "PXEClient", 10, NULL, &kernel, true, ANSWER_ADDRESS, "", true, "arm32" },
	{ "PXEClient", 11, NULL, &kernel, true, ANSWER_ADDRESS, "", true,
		"loaders: {grub: {arm64: FILE}}" },
	{ "PXEClient", 11, NULL, &bootfile, true, ANSWER_BOOTFILE, "pxelinux/pxelinux.0", false,
		"" },
	{ "PXEClient", 0x1b, NULL, &kernel, true, ANSWER_ADDRESS, "", true, "riscv64-uefi" },
	{ "PXEClient", 999, NULL, &kernel, true, ANSWER_ADDRESS, "", true, "architecture unknown" },
	/* UEFI HTTP Boot */
	{ "HTTPClient", 16, NULL, &kernel, true, ANSWER_LOADER, "http://10.0.0.1/loaders/ipxe.efi",
		false, "" },
	{ "HTTPClient", 16, NULL, &bootfile, true, ANSWER_BOOTFILE,
		"http://10.0.0.1/pxelinux/pxelinux.0", false, "" },
	{ "HTTPClient", 16, NULL, &url, true, ANSWER_BOOTFILE, "http://192.0.2.1/a.efi", false,
		"" },
	{ "HTTPClient", 16, NULL, &local, true, ANSWER_LOCAL,
		"http://10.0.0.1/machines/52-54-00-12-34-56/local.efi", false, "local disk" },
	{ "HTTPClient", 19, NULL, &kernel, true, ANSWER_ADDRESS, "", true, "arm64" },
	{ "HTTPClient", 20, NULL, &kernel, true, ANSWER_LOADER,
		"http://10.0.0.1/loaders/undionly.kpxe", false, "" },
	/* iPXE, on whatever it runs */
	{ "PXEClient", 0, "iPXE", &kernel, true, ANSWER_SCRIPT,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.ipxe", false,
		"rendered for this machine" },
	{ "PXEClient", 7, "iPXE", &script, true, ANSWER_SCRIPT,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.ipxe", false, "" },
	{ "HTTPClient", 19, "iPXE", &kernel, false, ANSWER_SCRIPT,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.ipxe", false, "" },
	{ NULL, -1, "iPXE", &local, true, ANSWER_SCRIPT,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.ipxe", false, "local disk" },
	{ "PXEClient", 0, "iPXE", NULL, true, ANSWER_SITE_SCRIPT, "http://10.0.0.1/boot.ipxe",
		false, "no profile" },
	{ "PXEClient", 0, "iPXE", &bootfile, true, ANSWER_BOOTFILE, "pxelinux/pxelinux.0", false,
		"" },
	{ "PXEClient", 0, "iPXE", &url, true, ANSWER_BOOTFILE, "http://192.0.2.1/a.efi", false,
		"" },
	{ "PXEClient", 7, "iPXE", &chain, true, ANSWER_SITE_SCRIPT, "http://10.0.0.1/boot.ipxe",
		false, "runs already" },
};

static void answers_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config cfg = config_with(table[i].profile, table[i].loaders);
		struct facts f = client_with(table[i].class, table[i].arch, table[i].user_class);
		struct text where = { 0 };
		struct answer a;

		boot_decide(&cfg, &f, &a);
		locate_bootfile(&cfg, &f, &a, (struct ip4){ 0x0a000001 }, &where);
		if (a.kind != table[i].kind || strcmp(text_str(&where), table[i].bootfile) != 0 ||
			a.missing_loader != table[i].missing || !strstr(a.why, table[i].why))
			fail_msg("row %zu (%s, %d, %s, %s): %s \"%s\", missing %d, why: %s", i,
				table[i].class, table[i].arch, table[i].user_class,
				table[i].profile ? table[i].profile->name : "no profile",
				answer_kind_name(a.kind), text_str(&where), a.missing_loader,
				a.why);
		text_free(&where);
	}
}

/* --- loaders of every family --- */

#define GRUB (1u << FAMILY_GRUB)
#define SHIM (1u << FAMILY_SHIM)
#define STUB (1u << FAMILY_STUB)
#define IPXE (1u << FAMILY_IPXE)

#define KERNEL(...)                                                                                \
	{                                                                                          \
		.name = "k", .kind = PROFILE_KERNEL, .kernel = { .path = "linux" }, .cmdline = "", \
		__VA_ARGS__                                                                        \
	}
static const struct profile auto_ = KERNEL(.loader = LOADER_AUTO),
			    by_ipxe = KERNEL(.loader = LOADER_IPXE),
			    by_grub = KERNEL(.loader = LOADER_GRUB),
			    by_shim = KERNEL(.loader = LOADER_SHIM),
			    by_uki = KERNEL(.loader = LOADER_UKI),
			    secure = KERNEL(.secure_boot = true),
			    own = KERNEL(.bootfile = { .path = "pxelinux.0" });

/* class, number, what is installed for every architecture; where it goes. */
static const struct {
	const char *class;
	int arch;
	const struct profile *profile;
	unsigned installed;
	const char *bootfile, *why;
} families[] = {
	{ "PXEClient", 7, &auto_, IPXE | GRUB | SHIM | STUB, "loaders/ipxe", "iPXE first" },
	{ "PXEClient", 7, &auto_, GRUB | SHIM | STUB, "loaders/shim", "Secure Boot" },
	{ "PXEClient", 7, &auto_, GRUB | STUB, "loaders/grub", "GRUB first" },
	{ "PXEClient", 7, &auto_, SHIM | STUB, "", "iPXE for x64 was not found" },
	{ "HTTPClient", 19, &auto_, GRUB | SHIM | STUB,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.efi", "one image" },
	{ "HTTPClient", 19, &auto_, GRUB | SHIM,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.img", "a disk with shim" },
	{ "HTTPClient", 19, &auto_, SHIM, "", "iPXE for arm64 was not found" },
	{ "PXEClient", 11, &auto_, GRUB | SHIM | STUB, "loaders/shim", "" },
	{ "PXEClient", 7, &by_ipxe, GRUB | SHIM, "", "iPXE for x64" },
	{ "PXEClient", 7, &by_grub, IPXE | GRUB | SHIM, "loaders/grub", "" },
	{ "PXEClient", 0, &by_grub, IPXE | GRUB, "loaders/grub", "" },
	{ "PXEClient", 7, &by_grub, IPXE, "", "GRUB for x64 was not found" },
	{ "PXEClient", 7, &by_shim, IPXE | GRUB | SHIM, "loaders/shim", "" },
	{ "PXEClient", 7, &by_shim, IPXE | SHIM, "", "GRUB for x64 was not found" },
	{ "PXEClient", 0, &by_shim, IPXE | GRUB | SHIM, "loaders/ipxe",
		"" }, /* BIOS knows no Secure Boot */
	{ "HTTPClient", 16, &by_uki, IPXE | STUB,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.efi", "" },
	{ "HTTPClient", 16, &by_uki, IPXE, "", "the EFI stub for x64 was not found" },
	{ "PXEClient", 7, &by_uki, IPXE | STUB, "loaders/ipxe",
		"" }, /* an image of 60 MB by TFTP is no way */
	{ "PXEClient", 7, &secure, IPXE | GRUB | SHIM, "loaders/shim", "" },
	{ "HTTPClient", 16, &secure, IPXE | GRUB | SHIM | STUB,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.img", "Secure Boot allows" },
	{ "HTTPClient", 16, &secure, IPXE | SHIM | STUB, "", "GRUB for x64 was not found" },
	{ "HTTPClient", 15, &auto_, GRUB, "http://10.0.0.1/machines/52-54-00-12-34-56/boot.img",
		"a disk with GRUB" },
	{ "HTTPClient", 16, &by_grub, IPXE | GRUB | STUB,
		"http://10.0.0.1/machines/52-54-00-12-34-56/boot.img", "a disk with GRUB" },
	{ "HTTPClient", 20, &by_grub, GRUB, "http://10.0.0.1/loaders/grub",
		"GRUB first" }, /* a BIOS knows no such disks */
	{ "PXEClient", 7, &secure, IPXE | STUB, "", "shim for x64 was not found" },
	{ "PXEClient", 0, &secure, IPXE, "loaders/ipxe", "" },
	{ "PXEClient", 0, &own, IPXE | GRUB, "pxelinux.0", "own boot file" },
	{ "PXEClient", 7, &script, GRUB | SHIM | STUB, "",
		"iPXE for x64" }, /* scripts are iPXE's */
	{ "PXEClient", 7, NULL, GRUB | SHIM | STUB, "", "iPXE for x64" },
};

static void brings_each_firmware_to_its_kernel(void **state)
{
	static const char *const names[] = { [FAMILY_IPXE] = "/l/ipxe",
		[FAMILY_GRUB] = "/l/grub",
		[FAMILY_SHIM] = "/l/shim",
		[FAMILY_STUB] = "/l/stub" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct config cfg = { .http_port = 80, .default_profile = families[i].profile };
		struct facts f = client_with(families[i].class, families[i].arch, NULL);
		struct text where = { 0 };
		struct answer a;

		for (enum loader_family family = 0; family < FAMILY_COUNT; family++)
			cfg.loaders.file[family][f.arch] = (struct loader_file){
				.path = names[family],
				.present = (families[i].installed & 1u << family) != 0
			};
		boot_decide(&cfg, &f, &a);
		locate_bootfile(&cfg, &f, &a, (struct ip4){ 0x0a000001 }, &where);
		if (strcmp(text_str(&where), families[i].bootfile) != 0 ||
			!strstr(a.why, families[i].why) ||
			a.missing_loader != (families[i].bootfile[0] == '\0'))
			fail_msg("row %zu: \"%s\", why: %s", i, text_str(&where), a.why);
		text_free(&where);
	}
}

/* Debian's GRUB has no HTTP; one that the configuration names perhaps has. */
static void a_named_grub_goes_as_it_is(void **state)
{
	static const struct {
		const struct profile *profile;
		int arch;
		enum answer_kind kind;
	} rows[] = {
		{ &by_grub, 16, ANSWER_LOADER },
		{ &auto_, 15, ANSWER_LOADER },
		{ &by_shim, 16, ANSWER_IMAGE },
		{ &secure, 16, ANSWER_IMAGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config cfg = { .http_port = 80, .default_profile = rows[i].profile };
		struct facts f = client_with("HTTPClient", rows[i].arch, NULL);
		struct answer a;

		cfg.loaders.file[FAMILY_SHIM][ARCH_X64] = (struct loader_file){ .path = "/l/shim",
			.present = true };
		cfg.loaders.file[FAMILY_GRUB][f.arch] = (struct loader_file){
			.path = "/l/own-http-grub.efi", .present = true, .pos = { 3, 1 }
		};
		boot_decide(&cfg, &f, &a);
		if (a.kind != rows[i].kind ||
			a.family != (a.kind == ANSWER_LOADER ? FAMILY_GRUB : FAMILY_SHIM))
			fail_msg("row %zu: %s, why: %s", i, answer_kind_name(a.kind), a.why);
		cfg.loaders.file[FAMILY_GRUB][f.arch].pos.line = 0;
		boot_decide(&cfg, &f, &a);
		assert_int_equal(a.kind, ANSWER_IMAGE);
	}
}

/* P-3, P-4 and totality, for every architecture number x class x profile x loaders. */
static void holds_for_every_client(void **state)
{
	static const char *const classes[] = { NULL, "PXEClient",
		"PXEClient:Arch:00007:UNDI:003000", "HTTPClient",
		"HTTPClient:Arch:00016:UNDI:003001", "U-Boot.armv8", "MSFT 5.0" };
	static const char *const user_classes[] = { NULL, "iPXE", "\004iPXE", "other" };
	unsigned n = 0;

	(void)state;
	for (int arch = -1; arch <= 65; arch++)
		for (size_t c = 0; c < ARRAY_LEN(classes); c++)
			for (size_t u = 0; u < ARRAY_LEN(user_classes); u++)
				for (size_t p = 0; p < 2 * ARRAY_LEN(profiles); p++) {
					struct config cfg = config_with(profiles[p / 2], p & 1);
					struct facts f = client_with(
						classes[c], arch, user_classes[u]);
					bool ipxe = u == 1 || u == 2, has_url;
					struct text where = { 0 };
					struct answer a = { .kind = (enum answer_kind)99 };

					boot_decide(&cfg, &f, &a);
					locate_bootfile(&cfg, &f, &a, (struct ip4){ 1 }, &where);
					has_url = strstr(text_str(&where), "://") != NULL;
					if (a.why[0] == '\0' || a.kind > ANSWER_NONE ||
						(a.kind == ANSWER_ADDRESS ||
							(a.kind == ANSWER_LOCAL &&
								f.client != CLIENT_HTTP)) !=
							(where.n == 0))
						fail_msg("%d %s: no answer", arch, classes[c]);
					if (ipxe &&
						(a.kind == ANSWER_LOADER ||
							strstr(text_str(&where), "ipxe.efi") ||
							strstr(text_str(&where), "undionly")))
						fail_msg("%d %s: iPXE is given iPXE again", arch,
							classes[c]);
					if (ipxe && a.kind == ANSWER_ADDRESS)
						fail_msg("%d %s: iPXE is given nothing", arch,
							classes[c]);
					if (f.client == CLIENT_PXE && has_url)
						fail_msg("%d %s: a PXE client is given a URL", arch,
							classes[c]);
					if (f.client == CLIENT_HTTP && where.n && !has_url)
						fail_msg("%d %s: an HTTP client is given a path",
							arch, classes[c]);
					if (f.client == CLIENT_DHCP && a.kind != ANSWER_ADDRESS)
						fail_msg("%d %s: a plain client is told to boot",
							arch, classes[c]);
					if (a.kind == ANSWER_LOADER &&
						!cfg.loaders.file[FAMILY_IPXE][f.arch].present)
						fail_msg("%d %s: a loader that is not there", arch,
							classes[c]);
					if ((a.kind == ANSWER_SCRIPT ||
						    a.kind == ANSWER_SITE_SCRIPT) &&
						!ipxe)
						fail_msg("%d %s: a script to firmware", arch,
							classes[c]);
					text_free(&where);
					n++;
				}
	assert_true(n > 20000);
}

/* --- rules --- */

static const struct facts known = {
	.client = CLIENT_IPXE,
	.transport = TRANSPORT_HTTP,
	.has_arch = true,
	.arch_number = 0x16,
	.arch = ARCH_OTHER,
	.has_mac = true,
	.mac = { { 0x52, 0x54, 0, 0xab, 0xcd, 0xef } },
	.has_uuid = true,
	.uuid = { { 0x44, 0x45, 0x4c, 0x4c, 0x4b, 0x00, 0x10, 0x38, 0x80, 0x43, 0xb7, 0xc0, 0x4f,
		0x4a, 0x34, 0x32 } },
	.vendor_class = { (const uint8_t *)"PXEClient:Arch:00022", 20 },
	.user_class = { (const uint8_t *)"iPXE", 4 },
	.hostname = { (const uint8_t *)"Web-7", 5 },
	.circuit_id = { (const uint8_t *)"eth0/1", 6 },
	.remote_id = { (const uint8_t *)"\0\x01sw", 4 },
	.serial = { (const uint8_t *)"SN42", 4 },
	.asset = { (const uint8_t *)"rack 1", 6 },
	.network = "br0",
};
static const struct facts nothing = { .client = CLIENT_DHCP };

static const struct {
	enum match_key key;
	const char *values[3];
	bool fits;
} matches[] = {
	{ MATCH_ARCH, { "arm64-uboot" }, true },
	{ MATCH_ARCH, { "other" }, true },
	{ MATCH_ARCH, { "*-UBOOT" }, true },
	{ MATCH_ARCH, { "arm64" }, false },
	{ MATCH_CLIENT, { "ipxe" }, true },
	{ MATCH_CLIENT, { "pxe", "http", "dhcp" }, false },
	{ MATCH_CLIENT, { "pxe", "ipxe" }, true },
	{ MATCH_MAC, { "52:54:00:ab:cd:ef" }, true },
	{ MATCH_MAC, { "52:54:00:AB:*" }, true },
	{ MATCH_MAC, { "52:54:00:*:00" }, false },
	{ MATCH_UUID, { "44454c4c-4b00-1038-8043-b7c04f4a3432" }, true },
	{ MATCH_UUID, { "4C4C4544-004B-3810-8043-B7C04F4A3432" }, true }, /* P-5: the other order */
	{ MATCH_UUID, { "4c4c4544-*" }, true },
	{ MATCH_UUID, { "4c4c4545-*" }, false },
	{ MATCH_VENDOR_CLASS, { "PXEClient*" }, true },
	{ MATCH_VENDOR_CLASS, { "pxeclient*" }, false }, /* classes are octets */
	{ MATCH_USER_CLASS, { "iPXE" }, true },
	{ MATCH_USER_CLASS, { "ipxe" }, false },
	{ MATCH_HOSTNAME, { "web-[0-9]" }, true },
	{ MATCH_HOSTNAME, { "web-[!0-9]" }, false },
	{ MATCH_NETWORK, { "br1", "br0" }, true },
	{ MATCH_NETWORK, { "br" }, false },
	{ MATCH_CIRCUIT_ID, { "eth0/*" }, true },
	{ MATCH_REMOTE_ID, { "??sw" }, true },
	{ MATCH_REMOTE_ID, { "sw" }, false },
	{ MATCH_SERIAL, { "SN4?" }, true },
	{ MATCH_ASSET, { "rack *" }, true },
	{ MATCH_ASSET, { "Rack *" }, false },
};

static size_t count_values(const char *const values[3])
{
	size_t n = 0;

	while (n < 3 && values[n])
		n++;
	return n;
}

static bool fits(const struct rule *r, const struct facts *f)
{
	struct rule_facts texts;

	rule_facts_init(f, &texts);
	return rule_fits(r, &texts);
}

static const struct match *nearly(const struct rule *r, const struct facts *f)
{
	struct rule_facts texts;

	rule_facts_init(f, &texts);
	return rule_nearly_fits(r, &texts);
}

static void every_key_matches(void **state)
{
	bool seen[MATCH_KEY_COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		const struct match m = { .key = matches[i].key,
			.values = matches[i].values,
			.n_values = count_values(matches[i].values) };
		const struct rule r = { .matches = &m, .n_matches = 1 };

		seen[m.key] = true;
		if (fits(&r, &known) != matches[i].fits || nearly(&r, &known))
			fail_msg("row %zu: %s", i, matches[i].values[0]);
		/* Unknown here: does not match, not even "*"; the client's kind is always known. */
		const struct match any = {
			.key = m.key, .values = (const char *const[]){ "*" }, .n_values = 1
		};
		const struct rule r2 = { .matches = &any, .n_matches = 1 };

		if (fits(&r2, &nothing) != (m.key == MATCH_CLIENT) ||
			nearly(&r2, &nothing) != (m.key == MATCH_CLIENT ? NULL : &any))
			fail_msg("row %zu: an unknown fact matched", i);
	}
	for (size_t k = 0; k < MATCH_KEY_COUNT; k++)
		assert_true(seen[k]);
}

static void all_keys_of_a_rule_must_fit(void **state)
{
	const char *const pxe[] = { "pxe" }, *const ipxe[] = { "ipxe" }, *const sn[] = { "SN*" };
	const struct match two[] = { { .key = MATCH_CLIENT, .values = ipxe, .n_values = 1 },
		{ .key = MATCH_SERIAL, .values = sn, .n_values = 1 } };
	const struct match bad[] = { { .key = MATCH_SERIAL, .values = sn, .n_values = 1 },
		{ .key = MATCH_CLIENT, .values = pxe, .n_values = 1 } };
	struct rule r = { .matches = two, .n_matches = 2 };
	struct facts early = known;

	(void)state;
	assert_true(fits(&r, &known));
	assert_null(nearly(&r, &known));
	r.matches = bad;
	assert_false(fits(&r, &known));
	assert_ptr_equal(nearly(&r, &known), &bad[1]);
	early.serial = SPAN_NONE;
	assert_null(nearly(&r, &early)); /* misses two */
	r.matches = two;
	assert_false(fits(&r, &early));
	assert_ptr_equal(nearly(&r, &early), &two[1]);
	r.n_matches = 0; /* matches everybody */
	assert_true(fits(&r, &early));
}

static void machines_first_then_rules_in_order(void **state)
{
	const char *const any[] = { "*" }, *const web[] = { "web*" };
	const struct match by_name = { .key = MATCH_HOSTNAME, .values = web, .n_values = 1 };
	const struct match by_mac = { .key = MATCH_MAC, .values = any, .n_values = 1 };
	const struct rule rules[] = {
		{ .number = 1,
			.matches = &by_name,
			.n_matches = 1,
			.profile = &bootfile,
			.pos = { 30, 5 } },
		{ .number = 2,
			.matches = &by_mac,
			.n_matches = 1,
			.profile = &local,
			.pos = { 31, 5 } },
	};
	struct machine machines[] = {
		{ .name = "plain", .has_mac = true, .mac = { { 2, 0, 0, 0, 0, 1 } } },
		{ .name = "web1", .has_mac = true, .mac = known.mac, .profile = &script },
		{ .name = "web2", .has_uuid = true, .uuid = known.uuid, .profile = &url },
	};
	struct config cfg = config_with(&kernel, true);
	struct facts f = known;
	char rule[RULE_TEXT_MAX];
	struct answer a;

	(void)state;
	cfg.machines = machines;
	cfg.n_machines = 3;
	assert_int_equal(config_index_machines(&cfg), 0);
	cfg.rules = rules;
	cfg.n_rules = 2;
	boot_decide(&cfg, &f, &a);
	answer_rule_text(&a, rule);
	assert_string_equal(rule, "machine web1");
	assert_ptr_equal(a.profile, &script);

	f.mac.b[5] = 0; /* by its UUID now, in either order */
	boot_decide(&cfg, &f, &a);
	assert_ptr_equal(a.machine, &machines[2]);
	f.uuid = uuid_swap(f.uuid);
	boot_decide(&cfg, &f, &a);
	assert_ptr_equal(a.machine, &machines[2]);

	f.has_uuid = false;
	boot_decide(&cfg, &f, &a);
	answer_rule_text(&a, rule);
	assert_string_equal(rule, "rule 1 (line 30)");
	assert_null(a.machine);

	f.hostname = SPAN_NONE;
	boot_decide(&cfg, &f, &a);
	answer_rule_text(&a, rule);
	assert_string_equal(rule, "rule 2 (line 31)");

	f.has_mac = false;
	boot_decide(&cfg, &f, &a);
	answer_rule_text(&a, rule);
	assert_string_equal(rule, "default_profile");
	assert_ptr_equal(a.profile, &kernel);

	cfg.default_profile = NULL;
	boot_decide(&cfg, &f, &a);
	answer_rule_text(&a, rule);
	assert_string_equal(rule, "none");

	/* A machine without a profile of its own: the rules decide, and it is named all the same. */
	f = known;
	f.mac = machines[0].mac;
	boot_decide(&cfg, &f, &a);
	assert_ptr_equal(a.machine, &machines[0]);
	assert_int_equal(a.rule_kind, RULE_RULE);
	arena_free(&cfg.arena);
}

/* The boot API goes before the rules, not before a machine's own profile; firmware needs iPXE for it. */
static void the_api_is_asked_before_the_rules(void **state)
{
	struct machine machines[] = {
		{ .name = "web1", .has_mac = true, .mac = known.mac, .profile = &script }
	};
	struct config cfg = config_with(&kernel, true);
	struct facts f = client_with("PXEClient", 7, NULL);
	char rule[RULE_TEXT_MAX];
	struct answer a;

	(void)state;
	cfg.boot_api.url = "http://api.example";
	cfg.machines = machines;
	cfg.n_machines = 1;
	assert_int_equal(config_index_machines(&cfg), 0);
	boot_decide(&cfg, &f, &a);
	answer_rule_text(&a, rule);
	assert_string_equal(rule, "boot_api");
	assert_int_equal(a.kind, ANSWER_LOADER);
	assert_int_equal(a.family, FAMILY_IPXE);
	/* No iPXE for arm64: shim and GRUB, but no image of what nobody knows yet. */
	cfg.loaders.file[FAMILY_GRUB][ARCH_ARM64].present =
		cfg.loaders.file[FAMILY_STUB][ARCH_ARM64].present = true;
	f = client_with("PXEClient", 11, NULL);
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.kind, ANSWER_LOADER);
	assert_int_equal(a.family, FAMILY_GRUB);
	cfg.loaders.file[FAMILY_SHIM][ARCH_ARM64].present = true;
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.family, FAMILY_SHIM);
	f = client_with("HTTPClient", 19, NULL);
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.kind, ANSWER_ADDRESS);
	f = client_with("PXEClient", 7, "iPXE");
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.kind, ANSWER_SCRIPT);
	assert_null(a.profile);
	f.api_is_silent = true;
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.rule_kind, RULE_DEFAULT);
	f.api_is_silent = false;
	f.has_mac = false; /* it is asked by MAC */
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.rule_kind, RULE_DEFAULT);
	f = known;
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.rule_kind, RULE_MACHINE);
	arena_free(&cfg.arena);
}

/* --- states and strangers --- */

#define HELD  "on hold"
#define LOCAL "local disk"

/* Phase, boot once; class, 93, 77; whether `machines:` has it, and `unknown:`; what comes of it. */
static const struct {
	int phase; /* -1: nothing is known */
	const char *once;
	const char *class;
	int arch;
	const char *user_class;
	bool known;
	enum unknown_policy unknown;
	enum answer_kind kind;
	const char *rule, *why;
} states[] = {
	{ MACHINE_NEW, "", "PXEClient", 0, NULL, true, UNKNOWN_BOOT, ANSWER_LOADER,
		"default_profile", "" },
	{ MACHINE_INSTALLING, "", "PXEClient", 0, "iPXE", true, UNKNOWN_BOOT, ANSWER_SCRIPT,
		"default_profile", "" },
	{ MACHINE_INSTALLED, "", "PXEClient", 0, NULL, true, UNKNOWN_BOOT, ANSWER_LOCAL,
		"state installed", LOCAL },
	{ MACHINE_INSTALLED, "", "HTTPClient", 16, NULL, true, UNKNOWN_BOOT, ANSWER_LOCAL,
		"state installed", LOCAL },
	{ MACHINE_INSTALLED, "", "PXEClient", 0, "iPXE", true, UNKNOWN_BOOT, ANSWER_SCRIPT,
		"state installed", LOCAL },
	{ MACHINE_LOCAL, "", "PXEClient", 7, NULL, true, UNKNOWN_BOOT, ANSWER_LOCAL, "state local",
		LOCAL },
	{ MACHINE_HOLD, "", "PXEClient", 0, NULL, true, UNKNOWN_BOOT, ANSWER_ADDRESS, "state hold",
		HELD },
	{ MACHINE_HOLD, "", "PXEClient", 0, "iPXE", true, UNKNOWN_BOOT, ANSWER_ADDRESS,
		"state hold", HELD },
	{ MACHINE_HOLD, "", "HTTPClient", 16, NULL, true, UNKNOWN_BOOT, ANSWER_ADDRESS,
		"state hold", HELD },
	{ MACHINE_HOLD, "", NULL, -1, NULL, true, UNKNOWN_BOOT, ANSWER_ADDRESS, "state hold",
		"address only" },
	{ MACHINE_HOLD, "script", "PXEClient", 0, "iPXE", true, UNKNOWN_BOOT, ANSWER_SCRIPT,
		"boot once", "" },
	{ MACHINE_INSTALLED, "bootfile", "PXEClient", 0, NULL, true, UNKNOWN_BOOT, ANSWER_BOOTFILE,
		"boot once", "" },
	{ MACHINE_INSTALLED, "gone", "PXEClient", 0, NULL, true, UNKNOWN_BOOT, ANSWER_LOCAL,
		"state installed", "" },
	{ MACHINE_NEW, "gone", "PXEClient", 0, NULL, true, UNKNOWN_BOOT, ANSWER_LOADER,
		"default_profile", "" },
	/* strangers */
	{ -1, "", "PXEClient", 0, NULL, true, UNKNOWN_IGNORE, ANSWER_LOADER, "default_profile",
		"" },
	{ -1, "", "PXEClient", 0, NULL, false, UNKNOWN_BOOT, ANSWER_LOADER, "default_profile", "" },
	{ -1, "", "PXEClient", 0, NULL, false, UNKNOWN_IGNORE, ANSWER_NONE, "unknown: ignore",
		"ignored" },
	{ -1, "", "HTTPClient", 16, NULL, false, UNKNOWN_IGNORE, ANSWER_NONE, "unknown: ignore",
		"ignored" },
	{ -1, "", "PXEClient", 0, "iPXE", false, UNKNOWN_IGNORE, ANSWER_NONE, "unknown: ignore",
		"ignored" },
	{ -1, "", NULL, -1, NULL, false, UNKNOWN_IGNORE, ANSWER_ADDRESS, "unknown: ignore",
		"address only" },
	{ -1, "", "PXEClient", 0, NULL, false, UNKNOWN_REGISTER, ANSWER_LOADER, "unknown: register",
		"iPXE first" },
	{ -1, "", "PXEClient", 0, "iPXE", false, UNKNOWN_REGISTER, ANSWER_REGISTER,
		"unknown: register", "waits for" },
	{ MACHINE_NEW, "", "PXEClient", 0, "iPXE", false, UNKNOWN_REGISTER, ANSWER_REGISTER,
		"unknown: register", "" },
	{ MACHINE_INSTALLED, "", "PXEClient", 0, "iPXE", false, UNKNOWN_REGISTER, ANSWER_SCRIPT,
		"state installed", LOCAL },
	{ MACHINE_NEW, "script", "PXEClient", 0, "iPXE", false, UNKNOWN_REGISTER, ANSWER_SCRIPT,
		"boot once", "" },
	{ MACHINE_NEW, "script", "PXEClient", 0, NULL, false, UNKNOWN_IGNORE, ANSWER_LOADER,
		"boot once", "" },
};

static void states_come_before_the_configuration(void **unused)
{
	const struct profile all[] = { script, bootfile };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct facts f = client_with(states[i].class, states[i].arch, states[i].user_class);
		const struct machine machine = { .name = "web1", .has_mac = true, .mac = f.mac };
		struct config cfg = config_with(&kernel, true);
		struct machine_state s = { .mac = f.mac };
		char rule[RULE_TEXT_MAX];
		struct answer a;

		cfg.profiles = all;
		cfg.n_profiles = ARRAY_LEN(all);
		cfg.machines = &machine;
		cfg.n_machines = states[i].known;
		cfg.unknown = states[i].unknown;
		assert_int_equal(config_index_machines(&cfg), 0);
		if (states[i].phase >= 0) {
			s.phase = (enum machine_phase)states[i].phase;
			(void)snprintf(s.boot_once, sizeof(s.boot_once), "%s", states[i].once);
			f.state = &s;
		}
		boot_decide(&cfg, &f, &a);
		arena_free(&cfg.arena);
		answer_rule_text(&a, rule);
		if (a.kind != states[i].kind || strcmp(rule, states[i].rule) != 0 ||
			!strstr(a.why, states[i].why) || (a.machine != NULL) != states[i].known)
			fail_msg("row %zu: %s by %s, why: %s", i, answer_kind_name(a.kind), rule,
				a.why);
	}
}

/* What DHCP told by an order is told again for a while, in the same boot. */
static void an_order_that_was_told_is_told_again(void **unused)
{
	const struct profile all[] = { script, bootfile };
	struct machine_state s = { .phase = MACHINE_HOLD, .given = "script", .again_until_s = 130 };
	struct facts f = client_with("PXEClient", 0, "iPXE");
	struct config cfg = config_with(&kernel, true);
	struct answer a;

	(void)unused;
	cfg.profiles = all;
	cfg.n_profiles = ARRAY_LEN(all);
	f.state = &s;
	f.now_s = 129;
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.rule_kind, RULE_ONCE);
	assert_ptr_equal(a.profile, &all[0]);
	f.now_s = 130;
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.rule_kind, RULE_STATE);
	f.now_s = 0; /* nobody asks */
	boot_decide(&cfg, &f, &a);
	assert_int_equal(a.rule_kind, RULE_STATE);
}

/* P-6: these stand in thousands of machines. */
static void a_default_uuid_is_nobodys(void **state)
{
	static const char *const defaults[] = { "00000000-0000-0000-0000-000000000000",
		"ffffffff-ffff-ffff-ffff-ffffffffffff", "00020003-0004-0005-0006-000700080009",
		"03000200-0400-0500-0006-000700080009" };
	struct config cfg = config_with(NULL, true);
	struct facts f = known;
	struct answer a;

	(void)state;
	f.has_mac = false;
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		struct machine m = { .name = "m", .has_uuid = true, .profile = &local };

		assert_int_equal(uuid_parse(span_str(defaults[i]), &m.uuid), 0);
		cfg.machines = &m;
		cfg.n_machines = 1;
		assert_int_equal(config_index_machines(&cfg), 0);
		f.uuid = m.uuid;
		boot_decide(&cfg, &f, &a);
		arena_free(&cfg.arena);
		assert_null(a.machine);
	}
}

static void words_are_stable(void **state)
{
	(void)state;
	assert_string_equal(answer_kind_name(ANSWER_ADDRESS), "address");
	assert_string_equal(answer_kind_name(ANSWER_LOADER), "loader");
	assert_string_equal(answer_kind_name(ANSWER_SCRIPT), "script");
	assert_string_equal(answer_kind_name(ANSWER_SITE_SCRIPT), "site-script");
	assert_string_equal(answer_kind_name(ANSWER_BOOTFILE), "bootfile");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_the_table_says),
		cmocka_unit_test(brings_each_firmware_to_its_kernel),
		cmocka_unit_test(a_named_grub_goes_as_it_is),
		cmocka_unit_test(holds_for_every_client),
		cmocka_unit_test(every_key_matches),
		cmocka_unit_test(all_keys_of_a_rule_must_fit),
		cmocka_unit_test(machines_first_then_rules_in_order),
		cmocka_unit_test(the_api_is_asked_before_the_rules),
		cmocka_unit_test(states_come_before_the_configuration),
		cmocka_unit_test(an_order_that_was_told_is_told_again),
		cmocka_unit_test(a_default_uuid_is_nobodys),
		cmocka_unit_test(words_are_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
