/* Names of virtual files: what is built is found again, and what is not ours is not. */
#include "core/locate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct ip4 server = { 0xac180001 };
static const struct named_file named[] = { { "boot/0/vmlinuz", "/tmp/vmlinuz" },
	{ "boot/1/a b", "/tmp/a b" } };
static const struct facts ipxe = {
	.client = CLIENT_IPXE, .has_mac = true, .mac = { { 0x52, 0x54, 0, 0xab, 0xcd, 0xef } }
};
static const struct facts nameless = { .client = CLIENT_IPXE };

static const struct file_ref initrds[] = { { .path = "a" }, { .path = "b" } };
static const struct profile profiles[] = {
	{ .name = "rancher", .kind = PROFILE_SCRIPT },
	{ .name = "debian",
		.kind = PROFILE_KERNEL,
		.kernel.path = "linux",
		.initrds = initrds,
		.n_initrds = 2 },
};

static struct config config_on(uint16_t port)
{
	struct config cfg = { .http_port = port,
		.named_files = named,
		.n_named_files = 2,
		.profiles = profiles,
		.n_profiles = 2 };

	cfg.loaders.file[FAMILY_IPXE][ARCH_BIOS].path = "undionly.kpxe";
	cfg.loaders.file[FAMILY_IPXE][ARCH_X64].path = "/opt/ipxe/snponly.efi";
	cfg.loaders.file[FAMILY_IPXE][ARCH_ARM64].path = "sub/arm.efi";
	cfg.loaders.file[FAMILY_GRUB][ARCH_X64].path = "/g/grubnetx64.efi.signed";
	cfg.loaders.file[FAMILY_STUB][ARCH_X64].path = "/s/linuxx64.efi.stub";
	return cfg;
}

static void the_url_names_the_port_when_it_must(void **state)
{
	struct config cfg = config_on(80);

	(void)state;
	assert_string_equal(locate_http_url(&cfg, server).s, "http://172.24.0.1");
	cfg.http_port = 65535;
	assert_string_equal(locate_http_url(&cfg, (struct ip4){ 0xffffffff }).s,
		"http://255.255.255.255:65535");
	cfg.https_port = 443;
	assert_string_equal(locate_https_url(&cfg, server).s, "https://172.24.0.1");
	cfg.https_port = 65535;
	assert_string_equal(locate_https_url(&cfg, (struct ip4){ 0xffffffff }).s,
		"https://255.255.255.255:65535");
}

static void https_is_for_those_that_were_named(void **state)
{
	struct config cfg = config_on(80);

	(void)state;
	cfg.https_clients = 1u << CLIENT_HTTP;
	assert_string_equal(locate_base_url(&cfg, CLIENT_HTTP, server).s, "http://172.24.0.1");
	cfg.https_port = 443;
	assert_string_equal(locate_base_url(&cfg, CLIENT_HTTP, server).s, "https://172.24.0.1");
	assert_string_equal(locate_base_url(&cfg, CLIENT_IPXE, server).s, "http://172.24.0.1");
	cfg.https_clients = 1u << CLIENT_IPXE;
	assert_string_equal(locate_base_url(&cfg, CLIENT_HTTP, server).s, "http://172.24.0.1");
	assert_string_equal(locate_base_url(&cfg, CLIENT_IPXE, server).s, "https://172.24.0.1");
}

static void finds_what_is_ours(void **state)
{
	static const struct {
		const char *path;
		enum virtual_kind kind;
		int arch;
	} vectors[] = {
		{ "loaders/undionly.kpxe", VIRTUAL_LOADER, ARCH_BIOS },
		{ "loaders/snponly.efi", VIRTUAL_LOADER, ARCH_X64 },
		{ "loaders/arm.efi", VIRTUAL_LOADER, ARCH_ARM64 },
		{ "loaders/sub/arm.efi", VIRTUAL_MISSING, 0 },
		{ "loaders/opt/ipxe/snponly.efi", VIRTUAL_MISSING, 0 },
		{ "loaders/ipxe.efi", VIRTUAL_MISSING, 0 },
		{ "loaders/arm64-snponly.efi", VIRTUAL_MISSING, 0 },
		{ "loaders/grubnetx64.efi", VIRTUAL_LOADER, ARCH_X64 },
		{ "loaders/grubnetx64.efi.signed", VIRTUAL_MISSING, 0 },
		{ "loaders/grubx64.efi", VIRTUAL_BESIDE, 0 },
		{ "loaders/linuxx64.efi.stub", VIRTUAL_MISSING, 0 },
		{ "profiles/debian/kernel", VIRTUAL_PROFILE_FILE, 0 },
		{ "profiles/debian/initrd0", VIRTUAL_PROFILE_FILE, 0 },
		{ "profiles/debian/initrd1", VIRTUAL_PROFILE_FILE, 0 },
		{ "profiles/debian/initrd2", VIRTUAL_MISSING, 0 },
		{ "profiles/debian/initrd00", VIRTUAL_MISSING, 0 },
		{ "profiles/debian/initrd", VIRTUAL_MISSING, 0 },
		{ "profiles/debian/", VIRTUAL_MISSING, 0 },
		{ "profiles/rancher/kernel", VIRTUAL_MISSING, 0 },
		{ "profiles/", VIRTUAL_MISSING, 0 },
		{ "grubx64.efi", VIRTUAL_BESIDE, 0 },
		{ "revocations_sbat.efi", VIRTUAL_BESIDE, 0 },
		{ "shim_certificate_0.efi", VIRTUAL_BESIDE, 0 },
		{ "autoexec.ipxe", VIRTUAL_BESIDE, 0 },
		{ "debian/grubx64.efi", VIRTUAL_NONE, 0 },
		{ "grub/grub.cfg", VIRTUAL_GRUB_CFG, 0 },
		{ "grub.cfg", VIRTUAL_GRUB_CFG, 0 },
		{ "debian-installer/arm64/grub/grub.cfg", VIRTUAL_GRUB_CFG, 0 },
		{ "grub/grub.cfg-01-52-54-00-ab-cd-ef", VIRTUAL_GRUB_CFG, 0 },
		{ "grub/grub.cfg-AC182001", VIRTUAL_GRUB_CFG, 0 },
		{ "grub/grub.cfg.old", VIRTUAL_NONE, 0 },
		{ "pxelinux.cfg/01-52-54-00-ab-cd-ef", VIRTUAL_PXELINUX_CFG, 0 },
		{ "boot/pxelinux.cfg/default", VIRTUAL_PXELINUX_CFG, 0 },
		{ "pxelinux.cfg/AC18", VIRTUAL_PXELINUX_CFG, 0 },
		{ "pxelinux.cfg", VIRTUAL_NONE, 0 },
		{ "loaders/", VIRTUAL_MISSING, 0 },
		{ "loaders/undionly.kpxe/", VIRTUAL_MISSING, 0 },
		{ "loaders", VIRTUAL_NONE, 0 },
		{ "loadersundionly.kpxe", VIRTUAL_NONE, 0 },
		{ "undionly.kpxe", VIRTUAL_NONE, 0 },
		{ "machines/52-54-00-ab-cd-ef/boot.ipxe", VIRTUAL_MACHINE_FILE, 0 },
		{ "machines/52:54:00:AB:CD:EF/boot.ipxe", VIRTUAL_MACHINE_FILE, 0 },
		{ "machines/525400abcdef/boot.ipxe", VIRTUAL_MACHINE_FILE, 0 },
		{ "machines/52-54-00-ab-cd-ef/boot.ipxe/x", VIRTUAL_MACHINE_FILE, 0 },
		{ "machines/52-54-00-ab-cd-ef/", VIRTUAL_MISSING, 0 },
		{ "machines/52-54-00-ab-cd-ef", VIRTUAL_MISSING, 0 },
		{ "machines//boot.ipxe", VIRTUAL_MISSING, 0 },
		{ "machines/", VIRTUAL_MISSING, 0 },
		{ "machines", VIRTUAL_NONE, 0 },
		{ "boot/0/vmlinuz", VIRTUAL_NAMED_FILE, 0 },
		{ "boot/1/a b", VIRTUAL_NAMED_FILE, 0 },
		{ "boot/1/a%20b", VIRTUAL_NONE, 0 },
		{ "boot/2/vmlinuz", VIRTUAL_NONE, 0 },
		{ "boot.ipxe", VIRTUAL_SITE_SCRIPT, 0 },
		{ "Boot.ipxe", VIRTUAL_NONE, 0 },
		{ "boot.ipxe/", VIRTUAL_NONE, 0 },
		{ "debian/linux", VIRTUAL_NONE, 0 },
		{ "", VIRTUAL_NONE, 0 },
	};
	struct config cfg = config_on(80);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct virtual_name v;

		locate_path(&cfg, span_str(vectors[i].path), &v);
		if (v.kind != vectors[i].kind ||
			(v.kind == VIRTUAL_LOADER && v.arch != (enum arch)vectors[i].arch) ||
			(v.kind == VIRTUAL_MACHINE_FILE &&
				(!v.has_mac || !mac_eq(v.mac, ipxe.mac))) ||
			(v.kind == VIRTUAL_NAMED_FILE &&
				strcmp(v.named->name, vectors[i].path) != 0))
			fail_msg("\"%s\": kind %d, arch %d", vectors[i].path, v.kind, v.arch);
	}
	locate_path(&cfg, SPAN_NONE, &(struct virtual_name){ 0 });
}

static const struct mac its_mac = { { 0x52, 0x54, 0, 0xab, 0xcd, 0xef } };

static void reads_names_that_loaders_ask_for(void **state)
{
	struct config cfg = config_on(80);
	struct virtual_name v;

	(void)state;
	locate_path(&cfg, SPAN_LIT("grub/grub.cfg"), &v);
	assert_false(v.optional || v.has_mac);
	locate_path(&cfg, SPAN_LIT("grub/grub.cfg-01-52-54-00-ab-cd-ef"), &v);
	assert_true(v.optional && v.has_mac && mac_eq(v.mac, its_mac));
	locate_path(&cfg, SPAN_LIT("pxelinux.cfg/01-52-54-00-ab-cd-ef"), &v);
	assert_true(v.optional && v.has_mac && mac_eq(v.mac, its_mac) && !v.has_uuid);
	locate_path(&cfg, SPAN_LIT("pxelinux.cfg/44454c4c-4b00-1038-8043-b7c04f4a3432"), &v);
	assert_true(v.has_uuid && !v.has_mac);
	locate_path(&cfg, SPAN_LIT("grub/grub.cfg-44454c4c-4b00-1038-8043-b7c04f4a3432"), &v);
	assert_true(v.optional && v.has_uuid && !v.has_mac);
	locate_path(&cfg, SPAN_LIT("pxelinux.cfg/default"), &v); /* the last that it tries */
	assert_false(v.optional || v.has_mac || v.has_uuid);
	locate_path(&cfg, SPAN_LIT("grub/x86_64-efi/command.lst"), &v);
	assert_true(v.kind == VIRTUAL_NONE && v.optional);
	locate_path(&cfg, SPAN_LIT("grub/i386-pc/fs.lst"), &v);
	assert_true(v.kind == VIRTUAL_NONE && v.optional);
	locate_path(&cfg, SPAN_LIT("files/fs.lst"), &v);
	assert_false(v.optional);
	locate_path(&cfg, SPAN_LIT("machines/web1/user-data"), &v);
	assert_true(v.kind == VIRTUAL_MACHINE_FILE && !v.has_mac &&
		span_eq(v.who, SPAN_LIT("web1")) && span_eq(v.file, SPAN_LIT("user-data")));
	locate_path(&cfg, SPAN_LIT("profiles/debian/initrd1"), &v);
	assert_string_equal(v.ref->path, "b");
}

/* Two architectures' iPXE are called alike as iPXE's own build calls them. */
static void tells_loaders_apart_that_are_called_alike(void **state)
{
	struct config cfg = config_on(80);
	struct virtual_name v;
	char name[LOADER_NAME_MAX];

	(void)state;
	cfg.loaders.file[FAMILY_IPXE][ARCH_ARM64].path = "/opt/arm64/snponly.efi";
	locate_loader_name(&cfg, FAMILY_IPXE, ARCH_X64, name);
	assert_string_equal(name, "snponly.efi");
	locate_loader_name(&cfg, FAMILY_IPXE, ARCH_ARM64, name);
	assert_string_equal(name, "arm64-snponly.efi");
	locate_path(&cfg, SPAN_LIT("loaders/arm64-snponly.efi"), &v);
	assert_int_equal(v.arch, ARCH_ARM64);
	locate_path(&cfg, SPAN_LIT("loaders/snponly.efi"), &v);
	assert_int_equal(v.arch, ARCH_X64);
}

/* Finds the name again that a client was told: the path of a URL, without its query. */
static struct virtual_name find_again(
	const struct config *cfg, const struct facts *f, const struct answer *a)
{
	struct text told = { 0 };
	struct virtual_name v;
	struct span path;

	locate_bootfile(cfg, f, a, server, &told);
	path = text_span(&told);
	if (a->transport == TRANSPORT_HTTP) {
		struct base_url base = locate_base_url(cfg, f->client, server);
		const char *query;

		assert_int_equal(strncmp(told.p, base.s, strlen(base.s)), 0);
		assert_int_equal(told.p[strlen(base.s)], '/');
		path = span_skip(path, strlen(base.s) + 1);
		query = memchr(path.p, '?', path.n);
		if (query)
			path.n = (size_t)((const uint8_t *)query - path.p);
	}
	locate_path(cfg, path, &v);
	text_free(&told);
	return v;
}

static void finds_what_it_told(void **state)
{
	const char *const any[] = { "*" };
	const struct match keys[] = { { .key = MATCH_MAC, .values = any, .n_values = 1 },
		{ .key = MATCH_ASSET, .values = any, .n_values = 1 } };
	const struct rule rule = { .matches = keys, .n_matches = 2 };
	static const uint16_t ports[] = { 80, 8080 };
	struct virtual_name v;

	(void)state;
	for (size_t p = 0; p < 2; p++)
		for (size_t report = 0; report < 2; report++) {
			struct config cfg = config_on(ports[p]);
			struct answer a = { .kind = ANSWER_SCRIPT, .transport = TRANSPORT_HTTP };

			cfg.rules = &rule;
			cfg.n_rules = report;
			v = find_again(&cfg, &ipxe, &a);
			assert_int_equal(v.kind, VIRTUAL_MACHINE_FILE);
			assert_true(mac_eq(v.mac, ipxe.mac));
			assert_int_equal(find_again(&cfg, &nameless, &a).kind, VIRTUAL_SITE_SCRIPT);
			a.kind = ANSWER_SITE_SCRIPT;
			/* a rule that asks for what only iPXE can tell needs the machine's own URL */
			assert_int_equal(find_again(&cfg, &ipxe, &a).kind,
				report ? VIRTUAL_MACHINE_FILE : VIRTUAL_SITE_SCRIPT);
			assert_int_equal(find_again(&cfg, &nameless, &a).kind, VIRTUAL_SITE_SCRIPT);
			a.kind = ANSWER_LOADER;
			for (enum arch arch = ARCH_BIOS; arch < ARCH_OTHER; arch++) {
				if (!cfg.loaders.file[FAMILY_IPXE][arch].path)
					continue;
				a.arch = arch;
				a.transport = TRANSPORT_HTTP;
				v = find_again(&cfg, &ipxe, &a);
				assert_int_equal(v.kind, VIRTUAL_LOADER);
				assert_int_equal(v.arch, arch);
				a.transport = TRANSPORT_TFTP;
				assert_int_equal(find_again(&cfg, &ipxe, &a).arch, arch);
			}
		}
}

static void asks_for_a_report_only_when_a_rule_needs_it(void **state)
{
	const char *const any[] = { "*" };
	struct match key = { .values = any, .n_values = 1 };
	const struct rule rule = { .matches = &key, .n_matches = 1 };
	struct config cfg = config_on(80);
	const struct answer a = { .kind = ANSWER_SCRIPT, .transport = TRANSPORT_HTTP };
	struct text url = { 0 };

	(void)state;
	cfg.rules = &rule;
	cfg.n_rules = 1;
	for (enum match_key k = 0; k < MATCH_KEY_COUNT; k++) {
		key.key = k;
		assert_int_equal(locate_wants_report(&cfg), k == MATCH_SERIAL || k == MATCH_ASSET);
	}
	key.key = MATCH_SERIAL;
	cfg.http_port = 65535;
	locate_bootfile(&cfg, &ipxe, &a, (struct ip4){ 0xffffffff }, &url);
	assert_string_equal(text_str(&url),
		"http://255.255.255.255:65535/machines/52-54-00-ab-cd-ef/boot.ipxe"
		"?serial=${serial:uristring}&asset=${asset:uristring}");
	assert_true(url.n < 128); /* or the header could not hold it */
	text_free(&url);
}

static void names_a_profiles_file(void **state)
{
	static const struct {
		struct file_ref file;
		enum transport transport;
		const char *told;
	} vectors[] = {
		{ { .path = "pxelinux/pxelinux.0" }, TRANSPORT_TFTP, "pxelinux/pxelinux.0" },
		{ { .path = "a b%c#d?e.efi" }, TRANSPORT_TFTP, "a b%c#d?e.efi" },
		{ { .path = "a b%c#d?e.efi" }, TRANSPORT_HTTP,
			"http://172.24.0.1/a%20b%25c%23d%3Fe.efi" },
		{ { .path = "http://192.0.2.1/x?y", .is_url = true }, TRANSPORT_HTTP,
			"http://192.0.2.1/x?y" },
		{ { .path = "http://192.0.2.1/x?y", .is_url = true }, TRANSPORT_TFTP,
			"http://192.0.2.1/x?y" },
	};
	struct config cfg = config_on(80);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct profile p = { .kind = PROFILE_BOOTFILE, .bootfile = vectors[i].file };
		struct answer a = {
			.kind = ANSWER_BOOTFILE, .profile = &p, .transport = vectors[i].transport
		};
		struct text told = { 0 };

		locate_bootfile(&cfg, &ipxe, &a, server, &told);
		assert_string_equal(text_str(&told), vectors[i].told);
		text_reset(&told);
		a.kind = ANSWER_ADDRESS;
		locate_bootfile(&cfg, &ipxe, &a, server, &told);
		assert_int_equal(told.n, 0);
		text_free(&told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_url_names_the_port_when_it_must),
		cmocka_unit_test(https_is_for_those_that_were_named),
		cmocka_unit_test(finds_what_is_ours),
		cmocka_unit_test(reads_names_that_loaders_ask_for),
		cmocka_unit_test(tells_loaders_apart_that_are_called_alike),
		cmocka_unit_test(finds_what_it_told),
		cmocka_unit_test(asks_for_a_report_only_when_a_rule_needs_it),
		cmocka_unit_test(names_a_profiles_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
