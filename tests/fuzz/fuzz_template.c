/* Any octets as a template, or as the values put into a script: no crash, and no
 * value of a stranger's changes the shape of the script. */
#include "base/escape.h"
#include "core/machine_vars.h"

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

/* The template is the administrator's: it may fail, at a line that it has. */
static void any_template(struct span source, const struct machine_vars *vars)
{
	struct template_error error = { 0 };
	struct text out = { 0 };
	unsigned lines = 1;
	int r = machine_vars_render(source, vars, escape_ipxe, &out, &error);

	for (size_t i = 0; i < source.n; i++)
		lines += source.p[i] == '\n';
	if (r != 0 && (r != -EINVAL || error.line < 1 || error.line > lines || error.message[0] == '\0'))
		abort();
	text_free(&out);
}

/* The host name is a stranger's: one line, no blank, nothing to expand. */
static void any_value(struct span name, const struct machine_vars *vars)
{
	static const struct span source = SPAN_LIT("set a {{hostname}}{{{hostname}}}{{&hostname}}\n");
	struct template_error error;
	struct facts facts = *vars->facts;
	struct machine_vars v = *vars;
	struct text out = { 0 };

	facts.hostname = name;
	v.facts = &facts;
	if (machine_vars_render(source, &v, escape_ipxe, &out, &error) != 0)
		abort();
	if (count(&out, '\n') != 1 || count(&out, ' ') != 2 || count(&out, '$') || count(&out, '|') ||
		count(&out, '&') || count(&out, '\0') || count(&out, '\r') || count(&out, '\t'))
		abort();
	text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct var var = { "disk", "/dev/vda" };
	static const struct machine machine = { .name = "web1", .vars = &var, .n_vars = 1 };
	const struct facts facts = { .client = CLIENT_IPXE, .has_mac = true, .has_uuid = true };
	struct machine_vars vars = { .facts = &facts, .server = { 1 }, .url = "http://10.0.0.1/boot.ipxe" };
	struct span input = { data, size };

	any_template(input, &vars);
	any_value(input, &vars);
	vars.machine = &machine;
	any_template(input, &vars);
	return 0;
}
