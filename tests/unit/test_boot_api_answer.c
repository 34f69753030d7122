/* app/boot_api_answer.c: what Pixiecore's form means, and what is no answer. */
#include "app/boot_api_answer.h"
#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define API "http://api.example:8080/pixie"

/* "kernel | initrds, by blanks | command line | message", URLs behind what they are served as. */
static const struct {
	const char *json, *expected;
} good[] = {
	/* the examples of Pixiecore's README.api.md */
	{ "{\"kernel\": \"http://x.example/k\", \"initrd\": [\"http://x.example/i.gz\"]}",
		"machines/m/kernel=http://x.example/k|machines/m/initrd0=http://x.example/i.gz||" },
	{ "{\"kernel\": \"/kernel\", \"initrd\": [\"/initrd.0\", \"/initrd.1\"]}",
		"machines/m/kernel=http://api.example:8080/kernel|machines/m/initrd0=http://api.example:8080/initrd.0 "
		"machines/m/initrd1=http://api.example:8080/initrd.1||" },
	{ "{\"kernel\": \"https://files.local/kernel\", \"cmdline\": \"selinux=1 coreos.autologin\"}",
		"machines/m/kernel=https://files.local/kernel||selinux=1 coreos.autologin|" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"a={{ URL \\\"https://files.local/cc\\\" }} b={{URL \\\"/c\\\"}} c=}}\"}",
		"machines/m/kernel=http://api.example:8080/k||a={{http}}/machines/m/url0 b={{http}}/machines/m/url1 c=}}|" },
	/* the form before that, as matchbox writes it */
	{ "{\"kernel\": \"/k\", \"cmdline\": {\"z\": \"\", \"console\": \"ttyS0\", \"quiet\": true, \"u\": {\"url\": \"/c\"}}}",
		"machines/m/kernel=http://api.example:8080/k||z= console=ttyS0 quiet u={{http}}/machines/m/url0|" },
	{ "{\"kernel\": \"file:///srv/http/debian/linux\", \"initrd\": null, \"message\": \"hi\", \"new\": [1]}",
		"debian/linux|||hi" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"a={{ URL \\\"file:///srv/http/a b\\\" }}\"}",
		"machines/m/kernel=http://api.example:8080/k||a={{http}}/a%20b|" },
};

static void add_file(const struct file_ref *f, struct text *out)
{
	if (f->upstream)
		text_addf(out, "%s=", f->path);
	text_adds(out, f->upstream ? f->upstream : f->path);
}

static void understands_the_published_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct boot_api_answer a;
		struct text got = { 0 };
		char why[BOOT_API_WHY_MAX] = "";

		if (boot_api_answer_read(
			    span_str(good[i].json), API, "/srv/http", "machines/m", &a, why) != 0)
			fail_msg("%s: %s", good[i].json, why);
		assert_null(a.script);
		add_file(&a.profile.kernel, &got);
		text_addc(&got, '|');
		for (size_t k = 0; k < a.profile.n_initrds; k++) {
			text_adds(&got, k ? " " : "");
			add_file(&a.profile.initrds[k], &got);
		}
		text_addf(&got, "|%s|%s", a.profile.cmdline,
			a.profile.message ? a.profile.message : "");
		assert_string_equal(text_str(&got), good[i].expected);
		text_free(&got);
		boot_api_answer_free(&a);
	}
}

static void finds_what_it_serves(void **state)
{
	struct boot_api_answer a;
	char why[BOOT_API_WHY_MAX];
	bool is_private;

	(void)state;
	assert_int_equal(
		boot_api_answer_read(
			SPAN_LIT(
				"{\"kernel\": \"/k\", \"initrd\": [\"/a\", \"file:///srv/http/b\"], "
				"\"cmdline\": \"{{ URL \\\"/c\\\" }}\"}"),
			API, "/srv/http", "machines/m", &a, why),
		0);
	assert_string_equal(boot_api_answer_file(&a, SPAN_LIT("kernel"), &is_private)->upstream,
		"http://api.example:8080/k");
	assert_string_equal(boot_api_answer_file(&a, SPAN_LIT("initrd0"), &is_private)->upstream,
		"http://api.example:8080/a");
	assert_false(is_private);
	assert_string_equal(boot_api_answer_file(&a, SPAN_LIT("url0"), &is_private)->upstream,
		"http://api.example:8080/c");
	assert_true(is_private);
	assert_null(boot_api_answer_file(&a, SPAN_LIT("initrd1"), &is_private)->upstream);
	assert_string_equal(boot_api_answer_file(&a, SPAN_LIT("initrd1"), &is_private)->path, "b");
	assert_false(is_private);
	assert_null(boot_api_answer_file(&a, SPAN_LIT("initrd2"), &is_private));
	assert_null(boot_api_answer_file(&a, SPAN_LIT("url1"), &is_private));
	assert_null(boot_api_answer_file(&a, SPAN_NONE, &is_private));
	boot_api_answer_free(&a);
}

static void hands_on_a_script(void **state)
{
	struct boot_api_answer a;
	char why[BOOT_API_WHY_MAX];
	bool is_private;

	(void)state;
	assert_int_equal(boot_api_answer_read(SPAN_LIT("{\"ipxe-script\": \"#!ipxe\\nshell\"}"),
				 API, "/srv/http", "machines/m", &a, why),
		0);
	assert_string_equal(a.script, "#!ipxe\nshell");
	assert_null(boot_api_answer_file(&a, SPAN_LIT("kernel"), &is_private));
	boot_api_answer_free(&a);
}

static const struct {
	const char *json, *why;
} bad[] = {
	{ "", "no JSON" },
	{ "\x1b[31m", "no JSON" },
	{ "[]", "no JSON object" },
	{ "{}", "\"kernel\" is missing" },
	{ "{\"kernel\": 7}", "\"kernel\" is no text" },
	{ "{\"kernel\": \"/k\", \"kernel\": \"/l\"}", "no JSON" },
	{ "{\"kernel\": \"ftp://x/k\"}", "none of http, https or file" },
	{ "{\"kernel\": \"//evil/k\"}", "none of http" },
	{ "{\"kernel\": \"/k || shell\"}", "none of http" },
	{ "{\"kernel\": \"/k\\n#!ipxe\"}", "none of http" },
	{ "{\"kernel\": \"file:///etc/shadow\"}", "not below http.root" },
	{ "{\"kernel\": \"file:///srv/http/../../etc/shadow\"}", "not below http.root" },
	{ "{\"kernel\": \"file:///srv/http2/x\"}", "not below http.root" },
	{ "{\"kernel\": \"/k\", \"initrd\": \"/i\"}", "must be a list" },
	{ "{\"kernel\": \"/k\", \"initrd\": [\"/i\", {}]}", "item 1 is no text" },
	{ "{\"kernel\": \"/k\", \"cmdline\": 7}", "neither a text nor an object" },
	{ "{\"kernel\": \"/k\", \"cmdline\": {\"a\": false}}", "neither a text, nor true" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"a\\nb\"}", "control character" },
	{ "{\"kernel\": \"/k\", \"cmdline\": {\"a\": \"{{name}}\"}}", "{{ where" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ URL \"}", "never closed" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ .Mac }}\"}", "is no {{ URL" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ URL \\\"ftp://x\\\" }}\"}", "none of http" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ URL \\\"file:///etc/x\\\" }}\"}",
		"not below http.root" },
	{ "{\"kernel\": \"/k\", \"message\": []}", "\"message\" is no text" },
};

static void says_why_something_is_no_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct boot_api_answer a;
		char why[BOOT_API_WHY_MAX] = "";

		if (boot_api_answer_read(span_str(bad[i].json), API, "/srv/http", "machines/m", &a,
			    why) != -EBADMSG ||
			!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].json, why);
		for (const char *p = why; *p; p++)
			assert_in_range(*p, ' ', '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_the_published_form),
		cmocka_unit_test(finds_what_it_serves),
		cmocka_unit_test(hands_on_a_script),
		cmocka_unit_test(says_why_something_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
