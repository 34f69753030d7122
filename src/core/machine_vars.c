/* Names of variables and what they stand for. */
#include "core/machine_vars.h"

#include "base/escape.h"

#include <errno.h>
#include <stdio.h>

struct lookup {
	const struct machine_vars *vars;
	struct text hostname; /* the client's own word: escaped here, so that {{{hostname}}} is harmless too */
	char buf[64];
};

static bool give(struct template_value *ret, struct span text, bool trusted)
{
	*ret = (struct template_value){ .text = text, .trusted = trusted };
	return true;
}

static bool lookup_machine_var(const struct machine *m, struct span name, struct template_value *ret)
{
	for (size_t i = 0; m && i < m->n_vars; i++)
		if (span_eq(span_str(m->vars[i].name), name))
			return give(ret, span_str(m->vars[i].value), true);
	return false;
}

/* The machine's name: the configuration's, or its MAC where it has none. */
static struct span machine_name(struct lookup *l)
{
	const struct machine_vars *v = l->vars;

	if (v->machine)
		return span_str(v->machine->name);
	if (!v->facts->has_mac)
		return SPAN_LIT("unknown");
	(void)snprintf(l->buf, sizeof(l->buf), "%s", mac_str_dashed(v->facts->mac).s);
	return span_str(l->buf);
}

static bool lookup_var(void *ctx, struct span name, struct template_value *ret)
{
	const struct span vars_prefix = SPAN_LIT("vars.");
	struct lookup *l = ctx;
	const struct machine_vars *v = l->vars;

	if (span_has_prefix(name, vars_prefix))
		return lookup_machine_var(v->machine, span_skip(name, vars_prefix.n), ret);
	if (span_eq(name, SPAN_LIT("name")))
		return give(ret, machine_name(l), false);
	if (span_eq(name, SPAN_LIT("hostname")))
		return give(ret, v->machine ? span_str(v->machine->name) : text_span(&l->hostname), false);
	if (span_eq(name, SPAN_LIT("arch")))
		return give(ret, span_str(arch_name(v->facts->arch)), false);
	if (span_eq(name, SPAN_LIT("http")))
		return give(ret, span_str(v->base.s), false);

	l->buf[0] = '\0';
	if (span_eq(name, SPAN_LIT("mac"))) {
		if (v->facts->has_mac)
			(void)snprintf(l->buf, sizeof(l->buf), "%s", mac_str(v->facts->mac).s);
	} else if (span_eq(name, SPAN_LIT("uuid"))) {
		if (v->facts->has_uuid)
			(void)snprintf(l->buf, sizeof(l->buf), "%s", uuid_str(v->facts->uuid).s);
	} else if (span_eq(name, SPAN_LIT("address"))) {
		if (v->address.v)
			(void)snprintf(l->buf, sizeof(l->buf), "%s", ip4_str(v->address).s);
	} else if (span_eq(name, SPAN_LIT("server"))) {
		(void)snprintf(l->buf, sizeof(l->buf), "%s", ip4_str(v->server).s);
	} else {
		return false;
	}
	return give(ret, span_str(l->buf), false);
}

int machine_vars_render(struct span source, const struct machine_vars *vars, template_escape escape,
	struct text *out, struct template_error *ret_error)
{
	struct lookup l = { .vars = vars };
	int r;

	escape(&l.hostname, vars->facts->hostname);
	r = l.hostname.failed ? -ENOMEM : template_render(source, lookup_var, &l, escape, out, ret_error);
	text_free(&l.hostname);
	return r;
}

static bool lookup_any_var(void *ctx, struct span name, struct template_value *ret)
{
	const struct span vars_prefix = SPAN_LIT("vars.");

	if (span_has_prefix(name, vars_prefix) && name.n > vars_prefix.n)
		return give(ret, SPAN_NONE, true);
	return lookup_var(ctx, name, ret);
}

int machine_vars_check(struct span source, struct template_error *ret_error)
{
	const struct facts nobody = { .client = CLIENT_IPXE };
	const struct machine_vars vars = { .facts = &nobody };
	struct lookup l = { .vars = &vars };
	struct text out = { 0 };
	int r = template_render(source, lookup_any_var, &l, escape_ipxe, &out, ret_error);

	text_free(&out);
	return r;
}
