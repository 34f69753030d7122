/* Mustache's interpolation against the public specification, and our own errors. */
#include "core/template.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What the specification wants and we refuse on purpose: sections, the implicit
 * iterator's sections, and unknown names rendered as nothing. */
static bool is_refused_here(const char *template, const char *name)
{
	return strstr(template, "{{#") || strstr(name, "Context Miss") || strstr(name, "Broken Chain") ||
		strstr(name, "never single keys") || strstr(name, "Context Precedence");
}

static void escape_html(struct text *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			text_adds(out, "&amp;");
			break;
		case '"':
			text_adds(out, "&quot;");
			break;
		case '<':
			text_adds(out, "&lt;");
			break;
		case '>':
			text_adds(out, "&gt;");
			break;
		default:
			text_addc(out, (char)s.p[i]);
		}
	}
}

struct data {
	json_t *root;
	char number[32];
};

/* Dotted names walk the data, "." is the whole of it. */
static bool lookup_json(void *ctx, struct span name, struct template_value *ret)
{
	struct data *d = ctx;
	json_t *at = d->root;

	while (name.n && !span_eq(name, SPAN_LIT("."))) {
		const uint8_t *dot = memchr(name.p, '.', name.n);
		size_t n = dot ? (size_t)(dot - name.p) : name.n;
		char key[64];

		(void)snprintf(key, sizeof(key), "%.*s", (int)n, (const char *)name.p);
		at = json_object_get(at, key);
		name = span_skip(name, n + 1);
	}
	*ret = (struct template_value){ .text = SPAN_NONE };
	if (json_is_string(at))
		ret->text = span_str(json_string_value(at));
	else if (json_is_number(at))
		(void)snprintf(d->number, sizeof(d->number), "%g", json_number_value(at));
	if (json_is_number(at))
		ret->text = span_str(d->number);
	return at != NULL;
}

static unsigned run_specification(const char *file)
{
	struct template_error error;
	json_error_t json_error;
	unsigned done = 0;
	json_t *spec, *test;
	char path[1024];
	size_t i;

	(void)snprintf(path, sizeof(path), VECTORS_DIR "/mustache/%s", file);
	spec = json_load_file(path, 0, &json_error);
	assert_non_null(spec);
	json_array_foreach(json_object_get(spec, "tests"), i, test) {
		const char *name = json_string_value(json_object_get(test, "name"));
		const char *template = json_string_value(json_object_get(test, "template"));
		const char *expected = json_string_value(json_object_get(test, "expected"));
		struct data data = { .root = json_object_get(test, "data") };
		struct text out = { 0 };
		int r = template_render(span_str(template), lookup_json, &data, escape_html, &out, &error);

		if (is_refused_here(template, name)) {
			if (r != -EINVAL)
				fail_msg("%s: %s: not refused", file, name);
		} else {
			if (r != 0 || strcmp(text_str(&out), expected) != 0)
				fail_msg("%s: %s: %d, \"%s\", expected \"%s\"", file, name, r, text_str(&out),
					expected);
			done++;
		}
		text_free(&out);
	}
	json_decref(spec);
	return done;
}

static void keeps_to_the_specification(void **state)
{
	(void)state;
	assert_true(run_specification("interpolation.json") >= 28);
	assert_int_equal(run_specification("comments.json"), 12);
}

static bool lookup_few(void *ctx, struct span name, struct template_value *ret)
{
	(void)ctx;
	*ret = (struct template_value){ .text = SPAN_LIT("<mine>"), .trusted = true };
	if (span_eq(name, SPAN_LIT("mine")))
		return true;
	*ret = (struct template_value){ .text = SPAN_LIT("<its>") };
	if (span_eq(name, SPAN_LIT("its")))
		return true;
	ret->text = SPAN_NONE;
	return span_eq(name, SPAN_LIT("empty"));
}

static const struct {
	const char *source, *expected; /* NULL: refused */
	unsigned line;
	const char *message;
} vectors[] = {
	{ "", "", 0, NULL },
	{ "plain", "plain", 0, NULL },
	{ "{{mine}} {{its}} {{{its}}}", "<mine> &lt;its&gt; <its>", 0, NULL },
	{ "${net0/mac} {} { } {x} }}", "${net0/mac} {} { } {x} }}", 0, NULL },
	{ "a{{\n\tits\r\n}}b", "a&lt;its&gt;b", 0, NULL },
	/* A line with a variable and a comment keeps its newline, even when the variable is empty. */
	{ "{{empty}}{{! c }}\nb", "\nb", 0, NULL },
	{ "a\n{{empty}} {{! c }}\nb", "a\n \nb", 0, NULL },
	{ "{{! a }} {{! b }}\nc", " \nc", 0, NULL },
	{ "a\n{{! c }}", "a\n", 0, NULL },
	{ "a\n{{! c }}\rb", "a\n\rb", 0, NULL },
	{ "a\n{{! c }}\r", "a\n\r", 0, NULL },
	{ "\t{{! c }} x", "\t x", 0, NULL },
	{ "{{!}}", "", 0, NULL },
	{ "one\ntwo {{", NULL, 2, "never closed" },
	{ "{{{its}}", NULL, 1, "never closed" },
	{ "{{its}", NULL, 1, "never closed" },
	{ "\n\n{{}}", NULL, 3, "names no variable" },
	{ "{{  }}", NULL, 1, "names no variable" },
	{ "{{{}}}", NULL, 1, "names no variable" },
	{ "{{&}}", NULL, 1, "names no variable" },
	{ "x\n{{other}}", NULL, 2, "no variable \"other\"" },
	{ "{{a\001b}}", NULL, 1, "\"a\\x01b\"" },
	{ "{{#its}}", NULL, 1, "{{#" },
	{ "{{^its}}", NULL, 1, "{{^" },
	{ "{{/its}}", NULL, 1, "{{/" },
	{ "{{>its}}", NULL, 1, "{{>" },
	{ "{{=<% %>=}}", NULL, 1, "{{=" },
};

static void renders_and_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct template_error error = { 0 };
		struct text out = { 0 };
		int r = template_render(span_str(vectors[i].source), lookup_few, NULL, escape_html, &out, &error);

		if (vectors[i].expected && (r != 0 || strcmp(text_str(&out), vectors[i].expected) != 0))
			fail_msg("\"%s\": %d, \"%s\"", vectors[i].source, r, text_str(&out));
		if (!vectors[i].expected && (r != -EINVAL || error.line != vectors[i].line ||
						    !strstr(error.message, vectors[i].message)))
			fail_msg("\"%s\": %d, line %u: %s", vectors[i].source, r, error.line, error.message);
		text_free(&out);
	}
}

static void appends_to_what_is_there(void **state)
{
	struct template_error error;
	struct text out = { 0 };

	(void)state;
	text_adds(&out, "kernel /x ");
	assert_int_equal(template_render(SPAN_LIT("{{! nothing }}"), lookup_few, NULL, escape_html, &out, &error), 0);
	assert_string_equal(text_str(&out), "kernel /x ");
	text_free(&out);
}

static void says_when_memory_is_out(void **state)
{
	struct template_error error;
	struct text out = { .failed = true };

	(void)state;
	assert_int_equal(template_render(SPAN_LIT("a\n  {{! c }}\n"), lookup_few, NULL, escape_html, &out, &error),
		-ENOMEM);
}

/* The name in a message is cut, a NUL in a template is an octet like others. */
static void takes_any_octets(void **state)
{
	static const uint8_t source[] = "a\0{{\0}}";
	struct template_error error;
	struct text out = { 0 };

	(void)state;
	assert_int_equal(template_render((struct span){ source, sizeof(source) - 1 }, lookup_few, NULL, escape_html,
				 &out, &error), -EINVAL);
	assert_string_equal(error.message, "there is no variable \"\\x00\"");
	text_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_to_the_specification),
		cmocka_unit_test(renders_and_refuses),
		cmocka_unit_test(appends_to_what_is_there),
		cmocka_unit_test(says_when_memory_is_out),
		cmocka_unit_test(takes_any_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
