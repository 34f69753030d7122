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

/* What the specification wants and we refuse on purpose: a name that is not known
 * rendered as nothing, and a partial that is not there as an empty one. */
static const char *const refused_here[] = {
	"Basic Context Miss Interpolation",
	"Triple Mustache Context Miss Interpolation",
	"Ampersand Context Miss Interpolation",
	"Dotted Names - Broken Chains",
	"Dotted Names - Broken Chain Resolution",
	"Dotted Names - Context Precedence",
	"Dotted Names are never single keys",
	"Failed Lookup",
};

static bool is_refused_here(const char *file, const char *name)
{
	/* Sections of the same name are left out, as the specification wants. */
	if (strcmp(file, "sections.json") == 0 || strcmp(file, "inverted.json") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(refused_here); i++)
		if (strcmp(refused_here[i], name) == 0)
			return true;
	return false;
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

static const char *write_html(struct text *out, struct span value)
{
	escape_html(out, value);
	return NULL;
}

struct json_data {
	struct text numbers[256]; /* of numbers, each for itself: values live until the end */
	size_t n;
	const json_t *partials;
};

static struct template_value json_value(struct json_data *d, const json_t *j)
{
	struct template_value v = {
		.kind = TEMPLATE_TEXT, .node = j, .trusted = true, .may_lack_keys = true
	};

	if (json_is_object(j)) {
		v.kind = TEMPLATE_MAP;
	} else if (json_is_array(j)) {
		v.kind = TEMPLATE_LIST;
		v.n = json_array_size(j);
	} else if (json_is_string(j)) {
		v.text = span_str(json_string_value(j));
	} else if (json_is_number(j)) {
		assert_true(d->n < ARRAY_LEN(d->numbers));
		text_addf(&d->numbers[d->n], "%g", json_number_value(j));
		v.text = text_span(&d->numbers[d->n++]);
	} else if (!json_is_true(j)) {
		v.kind = TEMPLATE_FALSE;
	}
	return v;
}

static bool find_json(
	void *ctx, const struct template_value *map, struct span key, struct template_value *ret)
{
	const json_t *found = json_object_getn(map->node, (const char *)key.p, key.n);

	if (found)
		*ret = json_value(ctx, found);
	return found != NULL;
}

static void json_item(
	void *ctx, const struct template_value *list, size_t i, struct template_value *ret)
{
	*ret = json_value(ctx, json_array_get(list->node, i));
}

static int json_partial(void *ctx, struct span name, struct span *ret)
{
	const struct json_data *d = ctx;
	const json_t *found = json_object_getn(d->partials, (const char *)name.p, name.n);

	if (!found)
		return -ENOENT;
	*ret = span_str(json_string_value(found));
	return 0;
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
	json_array_foreach(json_object_get(spec, "tests"), i, test)
	{
		const char *name = json_string_value(json_object_get(test, "name"));
		const char *template = json_string_value(json_object_get(test, "template"));
		const char *expected = json_string_value(json_object_get(test, "expected"));
		struct json_data d = { .partials = json_object_get(test, "partials") };
		const struct template_sink sink = { escape_html, write_html, json_partial, &d };
		struct template_data data = { &d, { 0 }, find_json, json_item };
		struct text out = { 0 };
		int r;

		data.root = json_value(&d, json_object_get(test, "data"));
		r = template_render(span_str(template), &data, &sink, &out, &error);
		if (is_refused_here(file, name)) {
			if (r != -EINVAL)
				fail_msg("%s: %s: not refused", file, name);
		} else {
			if (r != 0 || strcmp(text_str(&out), expected) != 0)
				fail_msg("%s: %s: %d, \"%s\", expected \"%s\" (%s)", file, name, r,
					text_str(&out), expected, r ? error.message : "");
			done++;
		}
		text_free(&out);
		for (size_t n = 0; n < d.n; n++)
			text_free(&d.numbers[n]);
	}
	json_decref(spec);
	return done;
}

static void keeps_to_the_specification(void **state)
{
	(void)state;
	assert_int_equal(run_specification("comments.json"), 12);
	assert_int_equal(run_specification("delimiters.json"), 14);
	assert_int_equal(run_specification("interpolation.json"), 35);
	assert_int_equal(run_specification("inverted.json"), 22);
	assert_int_equal(run_specification("partials.json"), 11);
	assert_int_equal(run_specification("sections.json"), 34);
}

/* mine and its: texts; empty; yes and no; list: a and b; map: with a key x, and it
 * may lack others; strict: a map that may not. */
static bool find_few(
	void *ctx, const struct template_value *map, struct span key, struct template_value *ret)
{
	static const struct {
		const char *name;
		struct template_value value;
	} few[] = {
		{ "mine", { .text = SPAN_LIT("<mine>"), .trusted = true } },
		{ "its", { .text = SPAN_LIT("<its>") } },
		{ "odd", { .text = SPAN_LIT("odd"), .trusted = true } },
		{ "empty", { .kind = TEMPLATE_FALSE } },
		{ "list", { .kind = TEMPLATE_LIST, .n = 2 } },
		{ "long", { .kind = TEMPLATE_LIST, .n = 1000 } },
		{ "map", { .kind = TEMPLATE_MAP, .node = &few, .may_lack_keys = true } },
		{ "strict", { .kind = TEMPLATE_MAP, .node = &few } },
		{ "any", { .kind = TEMPLATE_ANY, .may_lack_keys = true } },
	};

	(void)ctx;
	if (map->node) {
		*ret = (struct template_value){ .text = SPAN_LIT("X"), .trusted = true };
		return span_eq(key, SPAN_LIT("x"));
	}
	for (size_t i = 0; i < ARRAY_LEN(few); i++) {
		*ret = few[i].value;
		if (span_eq(key, span_str(few[i].name)))
			return true;
	}
	return false;
}

static void item_few(
	void *ctx, const struct template_value *list, size_t i, struct template_value *ret)
{
	(void)ctx;
	(void)list;
	*ret = (struct template_value){ .text = { (const uint8_t *)"abcdefgh" + i % 8, 1 },
		.trusted = true };
}

static int partial_few(void *ctx, struct span name, struct span *ret)
{
	static const struct {
		const char *name, *source;
	} few[] = {
		{ "good", "[{{its}}]\n" },
		{ "bad", "\n{{other}}" },
		{ "open", "{{#mine}}" },
		{ "self", "{{> self}}" },
		{ "outer", "1\n{{> bad}}" },
		{ "tree", "{{#map.y}}{{> tree}}{{/map.y}}" },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_LEN(few); i++) {
		*ret = span_str(few[i].source);
		if (span_eq(name, span_str(few[i].name)))
			return 0;
	}
	return -ENOENT;
}

static const char *write_few(struct text *out, struct span value)
{
	text_add(out, value);
	return span_eq(value, SPAN_LIT("odd")) ? "is odd" : NULL;
}

static const struct template_data few_data = { NULL, { .kind = TEMPLATE_MAP }, find_few, item_few };
static const struct template_sink few_sink = { escape_html, write_few, partial_few, NULL };

static const struct {
	const char *source, *expected; /* NULL: refused */
	unsigned line;
	const char *message;
	const char *partial;
} vectors[] = {
	{ "", "", 0, NULL },
	{ "plain", "plain", 0, NULL },
	/* What a stranger chose is escaped, however it is written. */
	{ "{{mine}} {{its}} {{{its}}} {{&its}} {{{odd}}}",
		"<mine> &lt;its&gt; &lt;its&gt; &lt;its&gt; odd", 0, NULL },
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
	{ "{{#list}}{{.}}{{^empty}}-{{/empty}}{{/list}}{{#empty}}{{other}}{{/empty}}", "a-b-", 0,
		NULL },
	{ "{{#list}}\n- {{.}}\n{{/list}}\nend", "- a\n- b\nend", 0, NULL },
	{ "{{#list}}{{=<% %>=}}<%.%><%={{ }}=%>{{.}}{{/list}}", "aabb", 0, NULL },
	{ "{{={{{ }}}=}}{{{mine}}}{{mine}}", "<mine>{{mine}}", 0, NULL },
	{ "{{#map}}{{x}}{{#y}}{{other}}{{/y}}{{^y.z}}no{{/y.z}}{{its}}{{/map}}", "Xno&lt;its&gt;",
		0, NULL },
	{ "{{map.x}}{{^map.y}}no{{/map.y}}{{#map.y.z}}yes{{/map.y.z}}", "Xno", 0, NULL },
	{ "a\n  {{> good}}\nb", "a\n  [&lt;its&gt;]\nb", 0, NULL },
	{ "{{> tree}}", "", 0, NULL },
	{ "one\ntwo {{", NULL, 2, "never closed" },
	{ "{{{its}}", NULL, 1, "never closed" },
	{ "{{its}", NULL, 1, "never closed" },
	{ "{{=", NULL, 1, "never closed" },
	{ "{{=}}", NULL, 1, "never closed" },
	{ "\n\n{{}}", NULL, 3, "names no variable" },
	{ "{{  }}", NULL, 1, "names no variable" },
	{ "{{{}}}", NULL, 1, "names no variable" },
	{ "{{&}}", NULL, 1, "names no variable" },
	{ "{{#}}", NULL, 1, "names no variable" },
	{ "{{> }}", NULL, 1, "names no variable" },
	{ "x\n{{other}}", NULL, 2, "no variable \"other\"" },
	{ "{{a\001b}}", NULL, 1, "\"a\\x01b\"" },
	{ "{{its.x}}", NULL, 1, "no variable \"its.x\"" },
	{ "{{map.}}", NULL, 1, "no variable \"map.\"" },
	{ "{{.map}}", NULL, 1, "no variable" },
	{ "{{map..x}}", NULL, 1, "no variable" },
	{ "{{map.y}}", NULL, 1, "no variable \"map.y\"" },
	{ "{{#other}}{{/other}}", NULL, 1, "no variable \"other\"" },
	{ "{{^other}}{{/other}}", NULL, 1, "no variable \"other\"" },
	{ "{{#its.x}}{{/its.x}}", NULL, 1, "no variable" },
	{ "{{#strict.y}}{{/strict.y}}", NULL, 1, "no variable" },
	{ "{{#strict}}{{#y}}{{/y}}{{/strict}}", NULL, 1, "no variable" },
	{ "{{#map}}\n{{y}}{{/map}}", NULL, 2, "no variable \"y\"" },
	{ "{{list}}", NULL, 1, "\"list\" is a list" },
	{ "{{{map}}}", NULL, 1, "\"map\" is a map" },
	{ "{{.}}", NULL, 1, "is a map" },
	{ "\n{{odd}}", NULL, 2, "the value of \"odd\" is odd" },
	{ "\n{{#its}}\n\n", NULL, 2, "{{#its}} is never closed" },
	{ "{{^its}}\n\n", NULL, 1, "{{^its}} is never closed" },
	{ "\n{{/its}}", NULL, 2, "{{/its}} closes nothing" },
	{ "{{#its}}{{#mine}}{{/its}}{{/mine}}", NULL, 1,
		"{{/its}} stands where {{/mine}} was expected" },
	/* What is left out must be right too, as far as that can be told. */
	{ "{{#empty}}\n{{#its}}{{/empty}}", NULL, 2, "was expected" },
	{ "{{> none}}", NULL, 1, "\"none\" cannot be read: No such file" },
	{ "{{> bad}}", NULL, 2, "no variable \"other\"", "bad" },
	{ "{{> outer}}", NULL, 2, "no variable \"other\"", "bad" },
	{ "\n{{> open}}{{/mine}}", NULL, 1, "{{#mine}} is never closed", "open" },
	{ "{{> self}}", NULL, 1, "nest deeper than 64", "self" },
	{ "{{=< =}}", NULL, 1, "two words" },
	{ "{{=<% %> x=}}", NULL, 1, "two words" },
	{ "{{=<= =>=}}", NULL, 1, "two words" },
	{ "{{==}}", NULL, 1, "two words" },
	/* A thousand times a thousand times a thousand. */
	{ "{{#long}}{{#long}}{{#long}}{{/long}}{{/long}}{{/long}}", NULL, 1, "too much work" },
	{ "{{#long}}{{#long}}..........{{/long}}{{/long}}", NULL, 1, "longer than 4 MiB" },
};

static void renders_and_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const char *partial = vectors[i].partial ? vectors[i].partial : "";
		struct template_error error = { 0 };
		struct text out = { 0 };
		int r = template_render(
			span_str(vectors[i].source), &few_data, &few_sink, &out, &error);

		if (vectors[i].expected &&
			(r != 0 || strcmp(text_str(&out), vectors[i].expected) != 0))
			fail_msg("\"%s\": %d, \"%s\": %s", vectors[i].source, r, text_str(&out),
				error.message);
		if (!vectors[i].expected &&
			(r != -EINVAL || error.line != vectors[i].line ||
				!strstr(error.message, vectors[i].message) ||
				strcmp(error.partial, partial) != 0))
			fail_msg("\"%s\": %d, line %u: %s (%s)", vectors[i].source, r, error.line,
				error.message, error.partial);
		text_free(&out);
	}
}

static void nests_as_deep_as_promised_and_no_deeper(void **state)
{
	(void)state;
	for (unsigned depth = TEMPLATE_NESTING_MAX - 1; depth <= TEMPLATE_NESTING_MAX; depth++) {
		struct text source = { 0 }, out = { 0 };
		struct template_error error;
		int r;

		for (unsigned i = 0; i < depth; i++)
			text_adds(&source, "{{#mine}}");
		text_adds(&source, "{{.}}");
		for (unsigned i = 0; i < depth; i++)
			text_adds(&source, "{{/mine}}");
		r = template_render(text_span(&source), &few_data, &few_sink, &out, &error);
		assert_int_equal(r, depth < TEMPLATE_NESTING_MAX ? 0 : -EINVAL);
		assert_string_equal(text_str(&out), r == 0 ? "<mine>" : "");
		text_free(&source);
		text_free(&out);
	}
}

/* Every section is looked into, whatever its value; partials that stand in
 * themselves end. */
static void checks_what_values_would_hide(void **state)
{
	static const struct {
		const char *source, *message;
	} checks[] = {
		{ "{{#any.a}}{{.}}{{x}}{{any}}{{any.b.c}}{{/any.a}}{{^any}}{{its}}{{/any}}{{> tree}}{{> self}}",
			NULL },
		{ "{{#list}}{{its}}{{/list}}{{odd}}", NULL },
		{ "{{#map.y}}{{z}}{{/map.y}}", NULL },
		{ "{{#empty}}{{other}}{{/empty}}", "no variable \"other\"" },
		{ "{{^its}}{{other}}{{/its}}", "no variable \"other\"" },
		{ "{{#map.y}}{{> bad}}{{/map.y}}", NULL }, /* its section may have it */
		{ "{{^map.y}}{{> bad}}{{/map.y}}", "no variable \"other\"" },
		{ "{{#its}}", "never closed" },
		{ "{{^map}}{{> none}}{{/map}}", "cannot be read" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct template_error error = { 0 };
		int r = template_check(span_str(checks[i].source), &few_data, &few_sink, &error);

		if (r != (checks[i].message ? -EINVAL : 0) ||
			(checks[i].message && !strstr(error.message, checks[i].message)))
			fail_msg("\"%s\": %d: %s", checks[i].source, r, error.message);
	}
}

static void appends_to_what_is_there(void **state)
{
	struct template_error error;
	struct text out = { 0 };

	(void)state;
	text_adds(&out, "kernel /x ");
	assert_int_equal(
		template_render(SPAN_LIT("{{! nothing }}"), &few_data, &few_sink, &out, &error), 0);
	assert_string_equal(text_str(&out), "kernel /x ");
	text_free(&out);
}

static void says_when_memory_is_out(void **state)
{
	struct template_error error;
	struct text out = { .failed = true };

	(void)state;
	assert_int_equal(
		template_render(SPAN_LIT("a\n  {{! c }}\n"), &few_data, &few_sink, &out, &error),
		-ENOMEM);
}

/* The name in a message is cut, a NUL in a template is an octet like others. */
static void takes_any_octets(void **state)
{
	static const uint8_t source[] = "a\0{{\0}}";
	const struct template_sink no_partials = { escape_html, NULL, NULL, NULL };
	struct template_error error;
	struct text out = { 0 };

	(void)state;
	assert_int_equal(template_render((struct span){ source, sizeof(source) - 1 }, &few_data,
				 &few_sink, &out, &error),
		-EINVAL);
	assert_string_equal(error.message, "there is no variable \"\\x00\"");
	assert_int_equal(
		template_render(SPAN_LIT("{{> good}}"), &few_data, &no_partials, &out, &error),
		-EINVAL);
	assert_string_equal(error.message, "{{> good}}: there are no partials here");
	text_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_to_the_specification),
		cmocka_unit_test(renders_and_refuses),
		cmocka_unit_test(nests_as_deep_as_promised_and_no_deeper),
		cmocka_unit_test(checks_what_values_would_hide),
		cmocka_unit_test(appends_to_what_is_there),
		cmocka_unit_test(says_when_memory_is_out),
		cmocka_unit_test(takes_any_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
