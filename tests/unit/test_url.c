/* URLs: what is one, and what a reference means. */
#include "core/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_is_http(void **state)
{
	static const char *const good[] = { "http://h", "https://h/", "http://h:80/a?b=c#d",
		"http://[::1]/x", "https://u:p@h/~a/%20" };
	static const char *const bad[] = { "", "http://", "http:///a", "http://:80", "https://?x",
		"ftp://h/a", "HTTP://h", "http:/h", "h/a", "http://h/a b", "http://h/a\n",
		"http://h/\"", "http://h/a\\b", "file:///etc/passwd", "http://h/\xc3\xa4",
		"http://h/{a}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(url_is_http(span_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		print_message("%s\n", bad[i]);
		assert_false(url_is_http(span_str(bad[i])));
	}
}

static void test_length(void **state)
{
	char url[URL_MAX + 2];

	(void)state;
	memset(url, 'a', sizeof(url));
	memcpy(url, "http://", 7);
	url[URL_MAX] = '\0';
	assert_true(url_is_http(span_str(url)));
	url[URL_MAX] = 'a';
	url[URL_MAX + 1] = '\0';
	assert_false(url_is_http(span_str(url)));
}

static void test_resolve(void **state)
{
	static const struct {
		const char *base, *reference, *url; /* NULL: none */
	} cases[] = {
		{ "http://h/d/e", "f", "http://h/d/f" },
		{ "http://h/d/", "f/g", "http://h/d/f/g" },
		{ "http://h", "f", "http://h/f" },
		{ "http://h:8080", "/f", "http://h:8080/f" },
		{ "http://h/d?x=/y/z", "f", "http://h/f" },
		{ "http://h/d/e", "/f?g", "http://h/f?g" },
		{ "http://h/d", "https://i/j", "https://i/j" },
		{ "http://h/d", "file:///etc/passwd", NULL },
		{ "http://h/d", "//i/j", NULL },
		{ "http://h/d", "", NULL },
		{ "http://h/d", "a b", NULL },
		{ "http://h/d", "a/b:c", "http://h/a/b:c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text url = { 0 };
		bool good = url_resolve(
			span_str(cases[i].base), span_str(cases[i].reference), &url);

		print_message("%s + %s\n", cases[i].base, cases[i].reference);
		assert_int_equal(good, cases[i].url != NULL);
		assert_string_equal(text_str(&url), cases[i].url ? cases[i].url : "");
		text_free(&url);
	}
}

static void test_file_name(void **state)
{
	static const struct {
		const char *url, *name;
	} cases[] = {
		{ "http://h/a/linux", "linux" },
		{ "http://h/linux?x=/y", "linux" },
		{ "http://h/a/#/b", "" },
		{ "http://h/a/", "" },
		{ "http://h", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(
			span_eq(url_file_name(span_str(cases[i].url)), span_str(cases[i].name)));
}

static void test_show(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{ "http://h:80/a/b", "http://h:80/a/b" },
		{ "https://u:p@h/linux?token=secret#x", "https://h/linux?..." },
		{ "https://u:p@x@h", "https://h" },
		{ "http://h/mail@x?y", "http://h/mail@x?..." },
		{ "http://h#u@v", "http://h" },
#define FORTY "0123456789012345678901234567890123456789"
		{ "http://h/" FORTY FORTY FORTY "012345678901234567890123456789abcdefgh",
			"http://h/" FORTY FORTY FORTY "012345678901234567890123456789abcdefgh" },
		{ "http://u:p@h/" FORTY FORTY FORTY FORTY "/linux?x",
			"http://h/" FORTY "01234567890123456789012345678901234567"
			"..."
			"6789012345678901234567890123456789" FORTY "/linux?..." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text out = { 0 };

		url_show(span_str(cases[i].url), &out);
		assert_string_equal(text_str(&out), cases[i].shown);
		text_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_http),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_file_name),
		cmocka_unit_test(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
