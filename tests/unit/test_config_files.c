/* The configuration's file and the files it names, in a directory of the test's
 * own; and the examples. */
#include "app/config_files.h"

#include "pe_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_config_files.XXXXXX";

static void write_file(const char *name, const char *content)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(content, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void write_pe(const char *name, uint16_t machine, bool is_signed)
{
	uint8_t octets[PE_FILE_OCTETS];
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	pe_file_make(octets, machine, is_signed);
	assert_int_equal(fwrite(octets, 1, sizeof(octets), f), sizeof(octets));
	assert_int_equal(fclose(f), 0);
}

/* dir/http/{linux, sub/}, dir/http/out -> /etc/passwd, dir/tftp/pxelinux.0, dir/ipxe/ipxe.efi */
static int make_tree(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("http", 0700) < 0 ||
		mkdir("http/sub", 0700) < 0 || mkdir("tftp", 0700) < 0 || mkdir("ipxe", 0700) < 0 ||
		symlink("/etc/passwd", "http/out") < 0)
		return -1;
	write_file("http/linux", "k");
	write_file("tftp/pxelinux.0", "p");
	write_pe("ipxe/ipxe.efi", PE_MACHINE_X64, false);
	write_pe("ipxe/signed.efi", PE_MACHINE_X64, true);
	write_pe("ipxe/arm64.efi", PE_MACHINE_ARM64, false);
	write_pe("http/vmlinuz", PE_MACHINE_X64, false);
	write_pe("http/vmlinuz-signed", PE_MACHINE_X64, true);
	write_pe("http/vmlinuz-arm64", PE_MACHINE_ARM64, false);
	return 0;
}

static int remove_tree(void **state)
{
	static const char *const files[] = { "http/linux", "http/out", "tftp/pxelinux.0",
		"ipxe/ipxe.efi", "ipxe/signed.efi", "ipxe/arm64.efi", "http/vmlinuz",
		"http/vmlinuz-signed", "http/vmlinuz-arm64", "good.yaml", "bad.yaml" };
	static const char *const dirs[] = { "http/sub", "http", "tftp", "ipxe", dir };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)unlink(files[i]);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		(void)rmdir(dirs[i]);
	return 0;
}

static void reading_says_why_not(void **state)
{
	static const struct {
		const char *path;
		int error;
		const char *part;
	} vectors[] = {
		{ "nowhere.yaml", -ENOENT, "does not exist" },
		{ "http", -EISDIR, "directory" },
		{ "/dev/null", -EPERM, "no regular file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct config_errors errs = { 0 };
		struct text source = { 0 };

		assert_int_equal(
			config_files_read(vectors[i].path, &errs, &source), vectors[i].error);
		assert_int_equal(errs.n, 1);
		assert_int_equal(errs.list[0].pos.line, 0);
		assert_non_null(strstr(errs.list[0].message, vectors[i].part));
		config_errors_free(&errs);
	}
}

static void good_file_loads(void **state)
{
	struct config_errors errs = { 0 };
	struct text source = { 0 }, yaml = { 0 };
	struct config *cfg = NULL;

	(void)state;
	text_addf(&yaml,
		"http: {root: %s/http}\ntftp: {root: %s/tftp}\nloaders: {dir: %s/ipxe, x64: "
		"ipxe.efi}\n"
		"profiles:\n  a: {kernel: linux, initrd: 'http://x/y'}\n  b: {bootfile: "
		"pxelinux.0}\n"
		"  c: {bootfile: linux}\n  d: {local_boot: true}\n",
		dir, dir, dir);
	write_file("good.yaml", text_str(&yaml));
	assert_int_equal(config_files_load("good.yaml", NULL, &errs, &source, &cfg), 0);
	assert_int_equal(errs.n, 0);
	assert_int_equal(cfg->n_profiles, 4);
	config_free(cfg);
	text_free(&source);
	text_free(&yaml);
}

static void mistakes_of_all_kinds_come_together(void **state)
{
	static const struct {
		unsigned line;
		const char *part;
	} expected[] = {
		{ 1, "unknown key `foo`" },
		{ 2, "tftp.root: /nowhere/tftp does not exist" },
		{ 4, "/nowhere/ipxe.efi, does not exist: install it (apt install ipxe" },
		{ 4, "/ipxe/a.efi, does not exist" },
		{ 6, "/http/linus does not exist" },
		{ 6, "/http/sub is a directory" },
		{ 7, "leads out of the root" },
		{ 8, "/http/bad.ipxe, line 2: there is no variable \"nmae\"" },
		{ 9, "define it under `profiles`" },
	};
	struct config_errors errs = { 0 };
	struct text source = { 0 }, yaml = { 0 }, out = { 0 };
	struct config *cfg = NULL;

	(void)state;
	text_addf(&yaml,
		"foo: 1\ntftp: {root: /nowhere/tftp}\nhttp: {root: %s/http}\n"
		"loaders: {dir: %s/ipxe, x64: /nowhere/ipxe.efi, arm64: a.efi}\n"
		"profiles:\n  a: {kernel: linus, initrd: [linux, sub]}\n  b: {script: out}\n"
		"  c: {script: bad.ipxe}\n"
		"default_profile: zzz\n",
		dir, dir);
	write_file("http/bad.ipxe", "#!ipxe\necho {{name}} {{nmae}}\n");
	write_file("bad.yaml", text_str(&yaml));
	assert_true(config_files_load("bad.yaml", NULL, &errs, &source, &cfg) < 0);
	assert_null(cfg);
	config_files_print_errors("bad.yaml", text_span(&source), &errs, &out);
	if (errs.n != ARRAY_LEN(expected))
		fail_msg("%s", text_str(&out));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (errs.list[i].pos.line != expected[i].line ||
			!strstr(errs.list[i].message, expected[i].part))
			fail_msg("expected `%s`:\n%s", expected[i].part, text_str(&out));
	assert_non_null(strstr(text_str(&out), "bad.yaml:1:1: error: "));
	assert_non_null(strstr(text_str(&out), "\n9 mistakes in bad.yaml\n"));
	config_errors_free(&errs);
	text_free(&source);
	text_free(&yaml);
	text_free(&out);
}

/* One mistake each: what stands in the file, its line and what is said of it. */
static const struct {
	const char *yaml;
	unsigned line; /* 0: there is none */
	const char *part;
} images[] = {
	{ "loaders: {dir: %s/ipxe, x64: signed.efi}\n", 0, NULL },
	{ "loaders: {dir: %s/ipxe,\n x64: arm64.efi}\n", 2,
		"iPXE for x64, arm64.efi, is an image for arm64, and x64 is wanted" },
	{ "loaders: {dir: %s/ipxe,\n bios: ipxe.efi}\n", 2,
		"iPXE for bios, ipxe.efi, is a UEFI image, and BIOS runs none" },
	{ "loaders: {dir: %s/ipxe,\n arm64: %s/http/linux}\n", 2, "is no PE file" },
	{ "loaders: {dir: %s/ipxe,\n grub: {arm64: %s/ipxe/arm64.efi}}\n", 0, NULL },
	/* Secure Boot: nothing unsigned on its way */
	{ "loaders:\n  shim: {x64: %s/ipxe/signed.efi}\n  grub: {x64: %s/ipxe/ipxe.efi}\n"
	  "profiles: {a: {kernel: vmlinuz-signed}}\n",
		0, NULL },
	{ "loaders:\n  shim: {x64: %s/ipxe/signed.efi}\n  grub: {x64: %s/ipxe/ipxe.efi}\n"
	  "profiles: {a: {kernel: vmlinuz-signed, secure_boot: true}}\n",
		4, "is not signed, and Secure Boot loads nothing unsigned" },
	{ "loaders:\n  shim: {x64: %s/ipxe/ipxe.efi}\n  grub: {x64: %s/ipxe/signed.efi}\n"
	  "profiles: {a: {kernel: vmlinuz-signed, secure_boot: true}}\n",
		4, "secure_boot: shim for x64, " },
	{ "loaders:\n  shim: {x64: %s/ipxe/signed.efi}\n  grub: {x64: %s/ipxe/signed.efi}\n"
	  "profiles: {a: {kernel: vmlinuz, secure_boot: true}}\n",
		4, "http/vmlinuz is not signed" },
	/* unified kernel images */
	{ "loaders: {stub: {x64: %s/ipxe/ipxe.efi}}\nprofiles: {a: {kernel: vmlinuz, initrd: linux, loader: uki}}\n",
		0, NULL },
	{ "loaders: {stub: {x64: %s/ipxe/arm64.efi}}\n", 1, "the EFI stub for x64, " },
	{ "loaders: {stub: {x64: %s/ipxe/ipxe.efi}}\nprofiles: {a: {kernel: linux, loader: uki}}\n",
		2, "http/linux is no PE file" },
	{ "loaders: {stub: {arm64: %s/ipxe/gone.efi}}\nprofiles: {a: {kernel: vmlinuz, initrd: linux, loader: uki}}\n",
		1, "does not exist" },
	/* certificates for what is fetched */
	{ "images: {limit: 1G,\n ca: %s/gone.pem}\n", 2, "images.ca: " },
	{ "images: {limit: 1G,\n ca: %s/gone.pem}\n", 2,
		"gone.pem does not exist: put the certificates there" },
	{ "images: {ca: %s/http/sub}\n", 1, "http/sub is a directory" },
	{ "images: {ca: %s/http/linux}\n", 1, "http/linux holds no certificate in PEM" },
	{ "profiles: {a: {kernel: 'tftp://x/vmlinuz', loader: uki}}\n", 1,
		"tftp://x/vmlinuz is no URL of http or https" },
	/* what lies elsewhere nobody has seen yet; the rest is looked into */
	{ "profiles: {a: {kernel: 'http://x/vmlinuz', loader: uki}}\n", 0, NULL },
	{ "loaders: {stub: {x64: %s/ipxe/ipxe.efi}}\nprofiles: {a: {kernel: vmlinuz, initrd: 'http://x/i', loader: uki}}\n",
		0, NULL },
	{ "profiles: {a: {kernel: linux, initrd: 'http://x/i', loader: uki}}\n", 1,
		"http/linux is no PE file" },
	{ "profiles: {a: {kernel: 'http://x/vmlinuz', secure_boot: true}}\n", 0, NULL },
};

static void images_are_looked_into(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(images); i++) {
		struct config_errors errs = { 0 };
		struct text yaml = { 0 }, source = { 0 }, out = { 0 };
		struct config *cfg = NULL;

		for (const char *at = images[i].yaml; *at; at++) {
			if (at[0] == '%' && at[1] == 's') {
				text_adds(&yaml, dir);
				at++;
			} else {
				text_addc(&yaml, *at);
			}
		}
		text_addf(&yaml, "http: {root: %s/http}\ntftp: {root: %s/tftp}\n", dir, dir);
		write_file("good.yaml", text_str(&yaml));
		assert_int_equal(config_files_load("good.yaml", NULL, &errs, &source, &cfg) == 0,
			images[i].line == 0);
		config_files_print_errors("good.yaml", text_span(&source), &errs, &out);
		if (errs.n != (images[i].line != 0) ||
			(errs.n &&
				(errs.list[0].pos.line != images[i].line ||
					!strstr(errs.list[0].message, images[i].part))))
			fail_msg("case %zu:\n%s", i, text_str(&out));
		config_errors_free(&errs);
		config_free(cfg);
		text_free(&source);
		text_free(&yaml);
		text_free(&out);
	}
}

static void bootfile_is_looked_for_in_both_roots(void **state)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	struct text yaml = { 0 };

	(void)state;
	text_addf(&yaml,
		"http: {root: %s/http}\ntftp: {root: %s/tftp}\nprofiles: {a: {bootfile: "
		"x/pxelinux.0}, b: {bootfile: sub}}\n",
		dir, dir);
	assert_int_equal(config_load("f", text_span(&yaml), &errs, &cfg), 0);
	assert_int_equal(config_files_check(cfg, &errs), -ENOENT);
	assert_int_equal(errs.n, 2);
	assert_non_null(strstr(errs.list[0].message, "neither "));
	assert_non_null(strstr(errs.list[0].message, "apt install pxelinux"));
	assert_non_null(strstr(errs.list[1].message, "/http/sub is a directory"));
	config_errors_free(&errs);
	config_free(cfg);
	text_free(&yaml);
}

static void defaults_may_be_missing(void **state)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(
		config_load("f", SPAN_LIT("networks: [{interface: br0}]\n"), &errs, &cfg), 0);
	cfg->http_root = cfg->tftp_root = cfg->loaders.dir = "/nowhere";
	assert_int_equal(config_files_check(cfg, &errs), 0);
	config_free(cfg);
}

static void examples_load(void **state)
{
	static const char *const examples[] = {
		EXAMPLES_DIR "/home-lab.yaml",
		EXAMPLES_DIR "/university-lab.yaml",
		EXAMPLES_DIR "/relays.yaml",
		EXAMPLES_DIR "/installers.yaml",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct config_errors errs = { 0 };
		struct text source = { 0 }, out = { 0 };
		struct config *cfg = NULL;

		assert_int_equal(config_files_read(examples[i], &errs, &source), 0);
		if (config_load(examples[i], text_span(&source), &errs, &cfg) < 0) {
			config_files_print_errors(examples[i], text_span(&source), &errs, &out);
			fail_msg("%s", text_str(&out));
		}
		assert_true(cfg->n_networks > 0 && cfg->n_profiles > 0);
		config_free(cfg);
		text_free(&source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_says_why_not),
		cmocka_unit_test(good_file_loads),
		cmocka_unit_test(mistakes_of_all_kinds_come_together),
		cmocka_unit_test(images_are_looked_into),
		cmocka_unit_test(bootfile_is_looked_for_in_both_roots),
		cmocka_unit_test(defaults_may_be_missing),
		cmocka_unit_test(examples_load),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
