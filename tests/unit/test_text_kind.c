/* Kinds of rendered files: which kind a name has, and what own words and strangers'
 * become in each; with libfyaml and jansson as the readers of what came out. */
#include "core/machine_vars.h"
#include "core/text_kind.h"

#include <errno.h>
#include <jansson.h>
#include <libfyaml.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void kinds_go_by_the_name(void **state)
{
	static const struct {
		const char *name, *kind;
	} names[] = {
		{ "preseed.cfg", "text" },
		{ "ks.cfg", "text" },
		{ "install.sh", "text" },
		{ "a", "text" },
		{ "", "text" },
		{ "json", "text" },
		{ "config.ign", "JSON" },
		{ "a/b/c.JSON", "JSON" },
		{ "controlplane.yaml", "YAML" },
		{ "x.yml", "YAML" },
		{ "user-data", "YAML" },
		{ "ubuntu/meta-data", "YAML" },
		{ "network-config", "YAML" },
		{ "vendor-data", "YAML" },
		{ "my-user-data", "text" },
		{ "user-data/x", "text" },
		{ "autoinst.xml", "XML" },
		{ "index.html", "HTML" },
		{ "next.ipxe", "iPXE script" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(text_kind_of(span_str(names[i].name))->name, names[i].kind) != 0)
			fail_msg("%s: %s", names[i].name,
				text_kind_of(span_str(names[i].name))->name);
}

static int render(const char *name, const char *source, struct span hostname, const char *var,
	struct text *out, struct template_error *error)
{
	const struct text_kind *kind = text_kind_of(span_str(name));
	const struct template_sink sink = { .stranger = kind->stranger, .own = kind->own };
	const struct facts facts = { .hostname = hostname };
	const struct var v = { .name = "x", .value = var };
	const struct profile profile = { .vars = &v, .n_vars = 1 };
	const struct machine_vars vars = { .facts = &facts, .profile = &profile };

	return machine_vars_render_as(span_str(source), &vars, &sink, out, error);
}

static void own_words_come_out_as_written(void **state)
{
	static const struct {
		const char *name, *var, *expected; /* NULL: refused */
	} vectors[] = {
		{ "a.json", "say \"hi\"\\", "say \\\"hi\\\"\\\\" },
		{ "a.xml", "a < b", "a&#32;&#60;&#32;b" },
		{ "a.cfg", "$6$salt$hash. \"q\" 'q' # ; ${x}", "$6$salt$hash. \"q\" 'q' # ; ${x}" },
		{ "a.cfg", "a\nb", NULL },
		{ "a.cfg", "a\x1b", NULL },
		{ "a.ipxe", "a b && ${c}", "a b && ${c}" },
		{ "a.yaml", "", "" },
		{ "a.yaml", "$6$salt$hash./x", "$6$salt$hash./x" },
		{ "a.yaml", "ssh-ed25519 AAAA+/= me@here", "ssh-ed25519 AAAA+/= me@here" },
		{ "a.yaml", "http://h:80/a?b#c", "http://h:80/a?b#c" },
		{ "a.yaml", "-1", "-1" },
		{ "a.yaml", "--flag", "--flag" },
		{ "a.yaml", "a, b", "a, b" },
		{ "a.yaml", "don't", "don't" },
		{ "a.yaml", "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "a.yaml", "a: b", NULL },
		{ "a.yaml", "a:", NULL },
		{ "a.yaml", "a #b", NULL },
		{ "a.yaml", "#b", NULL },
		{ "a.yaml", "- a", NULL },
		{ "a.yaml", "-", NULL },
		{ "a.yaml", "? a", NULL },
		{ "a.yaml", "---", NULL },
		{ "a.yaml", "...", NULL },
		{ "a.yaml", "[a]", NULL },
		{ "a.yaml", "{a: b}", NULL },
		{ "a.yaml", "&a", NULL },
		{ "a.yaml", "*a", NULL },
		{ "a.yaml", "!a", NULL },
		{ "a.yaml", "|", NULL },
		{ "a.yaml", ">", NULL },
		{ "a.yaml", "'a'", NULL },
		{ "a.yaml", "%a", NULL },
		{ "a.yaml", "@a", NULL },
		{ "a.yaml", "`a", NULL },
		{ "a.yaml", "a\"b", NULL },
		{ "a.yaml", "a\\b", NULL },
		{ "a.yaml", " a", NULL },
		{ "a.yaml", "a ", NULL },
		{ "a.yaml", "a\nb", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct template_error error = { 0 };
		struct text out = { 0 }, raw = { 0 };
		int r = render(
			vectors[i].name, "{{vars.x}}", SPAN_NONE, vectors[i].var, &out, &error);

		if (vectors[i].expected ? r != 0 || strcmp(text_str(&out), vectors[i].expected) != 0
					: r != -EINVAL)
			fail_msg("%s: \"%s\": %d, \"%s\": %s", vectors[i].name, vectors[i].var, r,
				text_str(&out), error.message);
		if (!vectors[i].expected)
			assert_non_null(strstr(error.message, "the value of \"vars.x\" is n"));
		assert_int_equal(render(vectors[i].name, "{{{vars.x}}}", SPAN_NONE, vectors[i].var,
					 &raw, &error),
			0);
		assert_string_equal(text_str(&raw), vectors[i].var);
		text_free(&out);
		text_free(&raw);
	}
}

/* How a file of each kind may use a name that its client chose. */
static const struct {
	const char *name, *source;
} shapes[] = {
	{ "a.json", "{\"a\": \"{{hostname}}\", \"b\": [\"x{{{hostname}}}y\"], \"c\": 1}\n" },
	{ "a.yaml",
		"a: {{hostname}}\nb: \"{{hostname}}\"\nc: '{{hostname}}'\nd: [x, {{hostname}}, y]\ne:\n- {{&hostname}}\n"
		"f: |\n  {{hostname}}\ng: {h: x{{hostname}}, i: j}\n" },
	{ "a.xml",
		"<a b=\"{{hostname}}\" c='{{hostname}}'><!-- {{hostname}} -->{{{hostname}}}</a>\n" },
	{ "a.sh",
		"echo {{hostname}} \"{{hostname}}\" '{{hostname}}' $(echo {{hostname}}) # {{hostname}}\n{{hostname}}\n" },
	{ "ks.cfg",
		"{{hostname}}\nnetwork --hostname={{hostname}}\n%packages\n{{hostname}}\n%end\n" },
};

static const char *const pieces[] = { "\n", "\r\n", "\"", "'", "\\", ": ", " #", "- ", "---\n",
	"...\n", "[", "]", "{", "}", ",", "&", "*", "!", "|", ">", "%", "@", "`", "<", "</a>",
	"-->", "]]>", "$(", "${", ";", "%end", "%post", "{{mac}}", "\xc2\x85", "\xe2\x80\xa8", "\t",
	" ", "a", "true", "0" };

static struct span hostile_name(uint8_t *buf, size_t cap)
{
	struct wr w = wr_of(buf, cap);

	while (!w.full && rand() % 10)
		wr_span(&w,
			rand() % 3 ? span_str(pieces[(size_t)rand() % ARRAY_LEN(pieces)])
				   : (struct span){ &(uint8_t){ (uint8_t)rand() }, 1 });
	return wr_done(&w);
}

/* The shape of a document without its texts: {s:s,s:[s,s]}. */
static void json_shape(const json_t *j, struct text *out)
{
	const json_t *item;
	const char *key;
	size_t i;

	if (json_is_object(j)) {
		text_addc(out, '{');
		json_object_foreach((json_t *)(uintptr_t)j, key, item) json_shape(item, out);
		text_addc(out, '}');
	} else if (json_is_array(j)) {
		text_addc(out, '[');
		json_array_foreach(j, i, item) json_shape(item, out);
		text_addc(out, ']');
	} else {
		text_addc(out, json_is_string(j) ? 's' : 'n');
	}
}

static void shape_of_json(const struct text *t, struct text *out)
{
	json_error_t error;
	json_t *j = json_loadb(t->p, t->n, JSON_ALLOW_NUL, &error);

	if (!j)
		fail_msg("%s in %s", error.text, text_str(t));
	json_shape(j, out);
	json_decref(j);
}

static void yaml_shape(struct fy_node *n, struct text *out)
{
	struct fy_node_pair *pair;
	struct fy_node *item;
	void *iter = NULL;

	if (fy_node_is_mapping(n)) {
		text_addc(out, '{');
		while ((pair = fy_node_mapping_iterate(n, &iter)) != NULL) {
			yaml_shape(fy_node_pair_key(pair), out);
			text_addc(out, ':');
			yaml_shape(fy_node_pair_value(pair), out);
		}
		text_addc(out, '}');
	} else if (fy_node_is_sequence(n)) {
		text_addc(out, '[');
		while ((item = fy_node_sequence_iterate(n, &iter)) != NULL)
			yaml_shape(item, out);
		text_addc(out, ']');
	} else {
		text_addc(out, fy_node_is_null(n) ? '0' : 's');
	}
}

static void shape_of_yaml(const struct text *t, struct text *out)
{
	struct fy_document *doc = fy_document_build_from_string(NULL, t->p, t->n);

	if (!doc)
		fail_msg("no YAML: %s", text_str(t));
	yaml_shape(fy_document_root(doc), out);
	fy_document_destroy(doc);
}

/* Without names: what is left are the language's own signs. */
static void shape_of_text(const struct text *t, struct text *out)
{
	for (size_t i = 0; i < t->n; i++) {
		uint8_t c = (uint8_t)t->p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '_';

		if (!plain && ((c != '.' && c != '-') || i == 0 || strchr(" \n\"'=", t->p[i - 1])))
			text_addc(out, t->p[i]);
	}
}

static void replace_references(struct text *t)
{
	size_t to = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->p[i] == '&')
			while (t->p[i] != ';')
				i++;
		else if ((uint8_t)t->p[i] < 0x80 && !strchr("._:/@%+,-", t->p[i]))
			t->p[to++] = t->p[i];
	}
	t->n = to;
}

static void shape_of(size_t i, struct text *t, struct text *out)
{
	if (strstr(shapes[i].name, ".json")) {
		shape_of_json(t, out);
	} else if (strstr(shapes[i].name, ".yaml")) {
		shape_of_yaml(t, out);
	} else {
		if (strstr(shapes[i].name, ".xml"))
			replace_references(t);
		shape_of_text(t, out);
	}
}

static void no_client_changes_the_shape_of_a_file(void **state)
{
	const char *again = getenv("BOOTSMITH_SEED"); /* to repeat a run */
	unsigned seed = again ? (unsigned)strtoul(again, NULL, 10) : (unsigned)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned round = 0; round < 3000; round++) {
		uint8_t buf[64];
		struct span name = hostile_name(buf, sizeof(buf));

		for (size_t i = 0; name.n && i < ARRAY_LEN(shapes); i++) {
			struct template_error error = { 0 };
			struct text is = { 0 }, should = { 0 }, shape = { 0 }, right = { 0 };

			assert_int_equal(
				render(shapes[i].name, shapes[i].source, name, "", &is, &error), 0);
			assert_int_equal(render(shapes[i].name, shapes[i].source, SPAN_LIT("x"), "",
						 &should, &error),
				0);
			shape_of(i, &is, &shape);
			shape_of(i, &should, &right);
			if (!span_eq(text_span(&shape), text_span(&right)))
				fail_msg("seed %u, %s:\n%s\n%s\ninstead of\n%s", seed,
					shapes[i].name, text_str(&is), text_str(&shape),
					text_str(&right));
			text_free(&is);
			text_free(&should);
			text_free(&shape);
			text_free(&right);
		}
	}
}

/* What a JSON string says is what the client said. */
static void json_tells_what_the_client_said(void **state)
{
	static const char name[] = "say \"hi\", <b>\\ {caf\xc3\xa9}\n";
	struct template_error error;
	json_error_t json_error;
	struct text out = { 0 };
	json_t *j;

	(void)state;
	assert_int_equal(
		render("a.json", "[\"{{hostname}}\"]", span_str(name), "", &out, &error), 0);
	j = json_loads(text_str(&out), 0, &json_error);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_array_get(j, 0)), name);
	json_decref(j);
	text_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_go_by_the_name),
		cmocka_unit_test(own_words_come_out_as_written),
		cmocka_unit_test(no_client_changes_the_shape_of_a_file),
		cmocka_unit_test(json_tells_what_the_client_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
