/* Any octets as a template, or as the values put into a text of each kind: no crash,
 * and no value of a stranger's changes the shape of the text. */
#include "base/escape.h"
#include "core/machine_vars.h"
#include "core/text_kind.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct text *t, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->p[i] == c;
	return n;
}

/* The partial of every name: the template itself. */
static int itself(void *ctx, struct span name, struct span *ret)
{
	(void)name;
	*ret = *(struct span *)ctx;
	return 0;
}

/* The template is the administrator's: it may fail, at a line that it has. */
static void any_template(struct span source, const struct machine_vars *vars)
{
	const struct template_sink sink = { .stranger = escape_name,
		.own = text_kind_of(SPAN_LIT("a.yaml"))->own,
		.partial = itself,
		.partial_ctx = &source };
	struct template_error error = { 0 };
	struct text out = { 0 };
	unsigned lines = 1;
	int r = machine_vars_render_as(source, vars, &sink, &out, &error);
	int checked = machine_vars_check_as(source, NULL, &sink, &error);

	for (size_t i = 0; i < source.n; i++)
		lines += source.p[i] == '\n';
	if ((r != 0 && r != -EINVAL) || (checked != 0 && checked != -EINVAL))
		abort();
	if ((r != 0 || checked != 0) &&
		(error.line < 1 || error.line > lines || error.message[0] == '\0'))
		abort();
	text_free(&out);
}

/* The host name is a stranger's: one line, no blank, nothing to expand. */
static void any_value(struct span name, const struct machine_vars *vars)
{
	static const struct span source = SPAN_LIT(
		"set a {{hostname}}{{{hostname}}}{{&hostname}}\n");
	struct template_error error;
	struct facts facts = *vars->facts;
	struct machine_vars v = *vars;
	struct text out = { 0 };

	facts.hostname = name;
	v.facts = &facts;
	if (machine_vars_render(source, &v, escape_ipxe, &out, &error) != 0)
		abort();
	if (count(&out, '\n') != 1 || count(&out, ' ') != 2 || count(&out, '$') ||
		count(&out, '|') || count(&out, '&') || count(&out, '\0') || count(&out, '\r') ||
		count(&out, '\t'))
		abort();
	text_free(&out);
}

/* The same in files of every kind: as many lines and signs as with a plain name. */
static void any_value_in_files(struct span name)
{
	static const struct span source = SPAN_LIT(
		"a: \"{{hostname}}\" '{{{hostname}}}' {{hostname}}\n");
	static const char *const names[] = { "a.json", "a.yaml", "a.xml", "a.cfg", "a.ipxe" };
	static const char signs[] = "\n\r\"'<>{}[] \t|`$()*!?";
	const struct facts facts = { .hostname = name }, plain = { .hostname = SPAN_LIT("x") };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct text_kind *kind = text_kind_of(span_str(names[i]));
		const struct template_sink sink = { .stranger = kind->stranger, .own = kind->own };
		struct machine_vars vars = { .facts = &facts };
		struct template_error error;
		struct text is = { 0 }, should = { 0 };

		if (machine_vars_render_as(source, &vars, &sink, &is, &error) != 0)
			abort();
		vars.facts = &plain;
		if (machine_vars_render_as(source, &vars, &sink, &should, &error) != 0)
			abort();
		for (size_t s = 0; s < sizeof(signs); s++) /* with the NUL */
			if (count(&is, signs[s]) != count(&should, signs[s]))
				abort();
		text_free(&is);
		text_free(&should);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct var items[] = { { NULL, "a" }, { NULL, "b: c" } };
	static const struct var vars_of_machine[] = { { "disk", "/dev/vda" },
		{ "l", NULL, VAR_LIST, items, ARRAY_LEN(items) },
		{ "m", NULL, VAR_MAP, vars_of_machine, 2 } };
	static const struct machine machine = {
		.name = "web1", .vars = vars_of_machine, .n_vars = ARRAY_LEN(vars_of_machine)
	};
	const struct facts facts = { .client = CLIENT_IPXE, .has_mac = true, .has_uuid = true };
	struct machine_vars vars = {
		.facts = &facts, .server = { 1 }, .url = "http://10.0.0.1/boot.ipxe"
	};
	struct span input = { data, size };

	any_template(input, &vars);
	any_value(input, &vars);
	any_value_in_files(input);
	vars.machine = &machine;
	any_template(input, &vars);
	return 0;
}
