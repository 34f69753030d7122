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

/* "kernel | initrds, by blanks | command line | message", URLs with a '+' before them. */
static const struct {
	const char *json, *expected;
} good[] = {
	/* the examples of Pixiecore's README.api.md */
	{ "{\"kernel\": \"http://x.example/k\", \"initrd\": [\"http://x.example/i.gz\"]}",
		"+http://x.example/k|+http://x.example/i.gz||" },
	{ "{\"kernel\": \"/kernel\", \"initrd\": [\"/initrd.0\", \"/initrd.1\"]}",
		"+http://api.example:8080/kernel|+http://api.example:8080/initrd.0 +http://api.example:8080/initrd.1||" },
	{ "{\"kernel\": \"https://files.local/kernel\", \"cmdline\": \"selinux=1 coreos.autologin\"}",
		"+https://files.local/kernel||selinux=1 coreos.autologin|" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"a={{ URL \\\"https://files.local/cc\\\" }} b={{URL \\\"/c\\\"}} c=}}\"}",
		"+http://api.example:8080/k||a=https://files.local/cc b=http://api.example:8080/c c=}}|" },
	/* the form before that, as matchbox writes it */
	{ "{\"kernel\": \"/k\", \"cmdline\": {\"z\": \"\", \"console\": \"ttyS0\", \"quiet\": true, \"u\": {\"url\": \"/c\"}}}",
		"+http://api.example:8080/k||z= console=ttyS0 quiet u=http://api.example:8080/c|" },
	{ "{\"kernel\": \"file:///srv/http/debian/linux\", \"initrd\": null, \"message\": \"hi\", \"new\": [1]}",
		"debian/linux|||hi" },
};

static void add_file(const struct file_ref *f, struct text *out)
{
	text_addf(out, "%s%s", f->is_url ? "+" : "", f->path);
}

static void understands_the_published_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct boot_api_answer a;
		struct text got = { 0 };
		char why[BOOT_API_WHY_MAX] = "";

		if (boot_api_answer_read(span_str(good[i].json), API, "/srv/http", &a, why) != 0)
			fail_msg("%s: %s", good[i].json, why);
		assert_null(a.script);
		add_file(&a.profile.kernel, &got);
		text_addc(&got, '|');
		for (size_t k = 0; k < a.profile.n_initrds; k++) {
			text_adds(&got, k ? " " : "");
			add_file(&a.profile.initrds[k], &got);
		}
		text_addf(&got, "|%s|%s", a.profile.cmdline, a.profile.message ? a.profile.message : "");
		assert_string_equal(text_str(&got), good[i].expected);
		text_free(&got);
		boot_api_answer_free(&a);
	}
}

static void hands_on_a_script(void **state)
{
	struct boot_api_answer a;
	char why[BOOT_API_WHY_MAX];

	(void)state;
	assert_int_equal(boot_api_answer_read(SPAN_LIT("{\"ipxe-script\": \"#!ipxe\\nshell\"}"), API, "/srv/http", &a, why), 0);
	assert_string_equal(a.script, "#!ipxe\nshell");
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
	{ "{\"kernel\": \"/k\", \"cmdline\": {\"a\": \"{{name}}\"}}", "{{ in a value" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ URL \"}", "never closed" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ .Mac }}\"}", "is no {{ URL" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ URL \\\"ftp://x\\\" }}\"}", "none of http" },
	{ "{\"kernel\": \"/k\", \"cmdline\": \"{{ URL \\\"file:///srv/http/x\\\" }}\"}", "cannot name" },
	{ "{\"kernel\": \"/k\", \"message\": []}", "\"message\" is no text" },
};

static void says_why_something_is_no_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct boot_api_answer a;
		char why[BOOT_API_WHY_MAX] = "";

		if (boot_api_answer_read(span_str(bad[i].json), API, "/srv/http", &a, why) != -EBADMSG || !strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].json, why);
		for (const char *p = why; *p; p++)
			assert_in_range(*p, ' ', '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_the_published_form),
		cmocka_unit_test(hands_on_a_script),
		cmocka_unit_test(says_why_something_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
