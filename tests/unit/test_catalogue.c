/* Catalogues of images: the shipped one, and what is refused with which words. */
#include "core/catalogue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define D64 "abababababababababababababababababababababababababababababababab"

static void test_shipped(void **state)
{
	static char source[65536];
	FILE *f = fopen(EXAMPLES_DIR "/../data/images.yaml", "r");
	struct config_errors errs = { 0 };
	const struct catalogue_image *image;
	const char *near = NULL;
	struct catalogue c;
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(source, 1, sizeof(source), f);
	(void)fclose(f);
	assert_int_equal(catalogue_load((struct span){ (uint8_t *)source, n }, &errs, &c), 0);
	image = catalogue_find(&c, "debian-12", &near);
	assert_non_null(image);
	assert_string_equal(image->kernel.name, "linux");
	assert_string_equal(image->initrds[0].url,
		"https://deb.debian.org/debian/dists/bookworm/main/installer-amd64/"
		"current/images/netboot/debian-installer/amd64/initrd.gz");
	assert_int_equal(image->n_sums, 2);
	for (size_t i = 0; i < c.n_images; i++)
		assert_non_null(c.images[i].keyring);
	assert_null(catalogue_find(&c, "debian-21", &near));
	assert_string_equal(near, "debian-12");
	catalogue_free(&c);
}

static void test_forms(void **state)
{
	static const char source[] = "images:\n"
				     "  a:\n"
				     "    kernel: {url: http://h/linux, sha256: " D64 "}\n"
				     "    initrd: [{url: http://h/one.gz, sha256: " D64
				     "}, {url: http://h/two.gz, sha256: " D64 "}]\n"
				     "    cmdline: quiet\n"
				     "  b: {base: https://h/d/, kernel: linux, sums: SHA256SUMS}\n";
	struct config_errors errs = { 0 };
	const char *near;
	const struct catalogue_image *image;
	struct catalogue c;

	(void)state;
	assert_int_equal(catalogue_load(span_str(source), &errs, &c), 0);
	image = catalogue_find(&c, "a", &near);
	assert_true(image->kernel.has_sha256);
	assert_int_equal(image->kernel.sha256.b[0], 0xab);
	assert_int_equal(image->n_initrds, 2);
	assert_string_equal(image->initrds[1].name, "two.gz");
	assert_string_equal(image->cmdline, "quiet");
	image = catalogue_find(&c, "b", &near);
	assert_string_equal(image->kernel.url, "https://h/d/linux");
	assert_string_equal(image->sums[0], "https://h/d/SHA256SUMS");
	catalogue_free(&c);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *image, *words;
	} cases[] = {
		{ "kernel: http://h/linux", "nothing proves http://h/linux" },
		{ "kernel: {url: http://h/linux, sha256: abc}",
			"a SHA-256, 64 hexadecimal digits" },
		{ "kernel: {sha256: " D64 "}", "this file has no url" },
		{ "title: x", "this image has no kernel" },
		{ "kernel: file:///etc/passwd", "a URL" },
		{ "kernel: linux", "a URL" },
		{ "kernel: https://h/d/linux, sums: https://h/e/SUMS", "does not lie below" },
		{ "kernel: https://h/d/linux, sums: [https://h/e/SUMS, https://h/d/SUMS]",
			"does not lie below" },
		{ "kernel: http://h/linux, sums: http://h/SUMS", "it would prove nothing" },
		{ "kernel: https://h/linux, sums: https://h/SUMS, signature: https://h/SUMS.gpg",
			"without a keyring" },
		{ "kernel: https://h/linux, sums: https://h/SUMS, keyring: keys.gpg",
			"an absolute path" },
		{ "kernel: https://h/linux, initrd: https://h/a/linux, sums: https://h/SUMS",
			"two of its files" },
		{ "kernel: https://h/.linux, sums: https://h/SUMS", "must not begin with a dot" },
		{ "kernel: https://h/.., sums: https://h/SUMS", "must not begin with a dot" },
		{ "kernel: https://h/, sums: https://h/SUMS", "cannot be the name of a file" },
		{ "kernel: https://h/linux, sums: [https://h/1, https://h/2, https://h/3, https://h/4, https://h/5]",
			"at most 4 lists" },
		{ "kernel: https://h/linux, sums: https://h/SUMS, arch: vax", "an architecture" },
		{ "kernel: https://h/linux, sums: https://h/SUMS, kernl: x", "kernl" },
		{ "kernel: https://h/linux, sums: https://h/SUMS, base: ftp://h/", "a URL" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char source[1024];
		struct config_errors errs = { 0 };
		struct catalogue c;
		bool said = false;

		(void)snprintf(source, sizeof(source), "images:\n  a: {%s}\n", cases[i].image);
		print_message("%s\n", cases[i].image);
		assert_int_equal(catalogue_load(span_str(source), &errs, &c), -EINVAL);
		for (size_t k = 0; k < errs.n; k++)
			said = said || strstr(errs.list[k].message, cases[i].words) != NULL;
		assert_true(said);
		config_errors_free(&errs);
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = { ".new", "..", "a/b", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char source[200];
		struct config_errors errs = { 0 };
		struct catalogue c;

		(void)snprintf(source, sizeof(source),
			"images:\n  \"%s\": {kernel: https://h/l, sums: https://h/S}\n", bad[i]);
		assert_int_equal(catalogue_load(span_str(source), &errs, &c), -EINVAL);
		config_errors_free(&errs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
