/* Lists of digests, as distributions write them. */
#include "core/sums.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static void test_finds(void **state)
{
	static const struct {
		const char *what, *list, *name;
		int r;
		uint8_t octet;
	} cases[] = {
		{ "sha256sum", A64 "  linux\n" B64 "  initrd.gz\n", "initrd.gz", 0, 0xbb },
		{ "binary mark", A64 " *linux\n", "linux", 0, 0xaa },
		{ "./ in the list", A64 "  ./netboot/linux\n", "netboot/linux", 0, 0xaa },
		{ "./ in the name", A64 "  netboot/linux\n", "./netboot/linux", 0, 0xaa },
		{ "Release", "SHA256:\n " A64 "    78509 main/x/SHA256SUMS\n", "main/x/SHA256SUMS",
			0, 0xaa },
		{ "tag", "SHA256 (linux) = " A64 "\n", "linux", 0, 0xaa },
		{ "tag of another digest", "SHA512 (linux) = " A64 "\n", "linux", -ENOENT, 0 },
		{ "CRLF", A64 "  linux\r\n", "linux", 0, 0xaa },
		{ "no newline at the end", A64 "  linux", "linux", 0, 0xaa },
		{ "MD5 of the same name",
			"8bda4ce4f0530ae601d1d7a7c47eb927 linux\n" A64 "  linux\n", "linux", 0,
			0xaa },
		{ "longer digest", A64 "00  linux\n", "linux", -ENOENT, 0 },
		{ "part of a name", A64 "  linux.old\n", "linux", -ENOENT, 0 },
		{ "end of a path", A64 "  a/linux\n", "linux", -ENOENT, 0 },
		{ "twice the same", A64 "  linux\n" A64 "  linux\n", "linux", 0, 0xaa },
		{ "twice, differing", A64 "  linux\n" B64 "  linux\n", "linux", -EEXIST, 0 },
		{ "a name of blanks and digits", A64 "  12\n", "12", 0, 0xaa },
		{ "no name", A64 "\n", "", -ENOENT, 0 },
		{ "empty", "", "linux", -ENOENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sha256 d = { { 0 } };

		print_message("%s\n", cases[i].what);
		assert_int_equal(sums_find(span_str(cases[i].list), span_str(cases[i].name), &d),
			cases[i].r);
		assert_int_equal(d.b[31], cases[i].octet);
	}
}

static void test_digest_text(void **state)
{
	struct sha256 d;

	(void)state;
	assert_int_equal(sha256_parse(SPAN_LIT(B64), &d), 0);
	assert_string_equal(sha256_str(d).s,
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	assert_int_equal(sha256_parse(SPAN_LIT(A64 "a"), &d), -EINVAL);
	assert_int_equal(
		sha256_parse(
			SPAN_LIT(
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaag"),
			&d),
		-EINVAL);
}

static void test_name_below_list(void **state)
{
	static const struct {
		const char *list, *url, *name; /* NULL: not below it */
	} cases[] = {
		{ "https://h/d/SHA256SUMS", "https://h/d/linux", "linux" },
		{ "https://h/d/SHA256SUMS", "https://h/d/netboot/linux", "netboot/linux" },
		{ "https://h/d/SHA256SUMS", "https://h/e/linux", NULL },
		{ "https://h/d/SHA256SUMS", "http://h/d/linux", NULL },
		{ "https://h/d/SHA256SUMS", "https://h/d/", NULL },
		{ "https://h/d/SHA256SUMS", "https://h/d/linux?x", NULL },
		{ "https://h/d?/SHA256SUMS", "https://h/d?/linux", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span name = SPAN_NONE;

		assert_int_equal(
			sums_name_of(cases[i].list, cases[i].url, &name), cases[i].name != NULL);
		if (cases[i].name)
			assert_true(span_eq(name, span_str(cases[i].name)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_digest_text),
		cmocka_unit_test(test_name_below_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
