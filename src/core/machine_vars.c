/* Names of variables and what they stand for. */
#include "core/machine_vars.h"

#include "base/escape.h"

#include <errno.h>

/* The texts of a machine's variables, for as long as it is rendered. */
struct lookup {
	const struct machine_vars *vars;
	const struct config *cfg; /* machine_vars_check_as() */
	struct mac_text mac, dashed;
	struct uuid_text uuid;
	struct ip4_text address, server;
};

struct machine_vars machine_vars_of(const struct facts *f, const struct answer *a,
	struct ip4 address, struct ip4 server, struct base_url base)
{
	return (struct machine_vars){
		.facts = f,
		.machine = a->machine,
		.profile = a->profile,
		.address = address,
		.server = server,
		.base = base,
	};
}

static bool give(struct template_value *ret, struct span text, bool trusted)
{
	*ret = (struct template_value){
		.kind = text.n == 0 || span_eq(text, SPAN_LIT("false")) ? TEMPLATE_FALSE
									: TEMPLATE_TEXT,
		.text = text,
		.trusted = trusted,
	};
	return true;
}

static void give_var(struct template_value *ret, const struct var *var)
{
	(void)give(ret, span_str(var->value), true);
	if (var->kind != VAR_TEXT)
		*ret = (struct template_value){
			.kind = var->kind == VAR_LIST ? TEMPLATE_LIST : TEMPLATE_MAP,
			.node = var,
			.n = var->n_items,
		};
	ret->may_lack_keys = true;
}

static const struct var *find_var(const struct var *vars, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(span_str(vars[i].name), name))
			return &vars[i];
	return NULL;
}

static void lookup_init(struct lookup *l, const struct machine_vars *v)
{
	*l = (struct lookup){ .vars = v };
	if (v->facts->has_mac) {
		l->mac = mac_str(v->facts->mac);
		l->dashed = mac_str_dashed(v->facts->mac);
	}
	if (v->facts->has_uuid)
		l->uuid = uuid_str(v->facts->uuid);
	if (v->address.v)
		l->address = ip4_str(v->address);
	l->server = ip4_str(v->server);
}

static bool find_builtin(const struct lookup *l, struct span name, struct template_value *ret)
{
	const struct machine_vars *v = l->vars;
	const struct {
		const char *name, *value;
	} texts[] = {
		/* The configuration's name, or the MAC where it has none. */
		{ "name",
			v->machine                  ? v->machine->name
				: v->facts->has_mac ? l->dashed.s
						    : "unknown" },
		{ "mac", l->mac.s },
		{ "uuid", l->uuid.s },
		{ "address", l->address.s },
		{ "arch", arch_name(v->facts->arch) },
		{ "server", l->server.s },
		{ "http", v->base.s },
		{ "installed_url", v->installed_url },
	};

	if (span_eq(name, SPAN_LIT("hostname")) && !v->machine)
		return give(ret, v->facts->hostname, false);
	if (span_eq(name, SPAN_LIT("hostname")))
		return give(ret, span_str(v->machine->name), true);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (span_eq(span_str(texts[i].name), name))
			return give(ret, span_str(texts[i].value), true);
	return false;
}

/* The root's node is NULL, that of {{vars}} itself the lookup; others are struct var. */
static bool find_key(
	void *ctx, const struct template_value *map, struct span key, struct template_value *ret)
{
	struct lookup *l = ctx;
	const struct machine *m = l->vars->machine;
	const struct profile *p = l->vars->profile;
	const struct var *var;

	if (!map->node) {
		if (!span_eq(key, SPAN_LIT("vars")))
			return find_builtin(l, key, ret);
		*ret = (struct template_value){
			.kind = TEMPLATE_MAP, .node = l, .may_lack_keys = true
		};
		return true;
	}
	if (map->node == l) {
		var = m ? find_var(m->vars, m->n_vars, key) : NULL;
		if (!var && p)
			var = find_var(p->vars, p->n_vars, key);
	} else {
		var = find_var(((const struct var *)map->node)->items, map->n, key);
	}
	if (var)
		give_var(ret, var);
	return var != NULL;
}

static void get_item(
	void *ctx, const struct template_value *list, size_t i, struct template_value *ret)
{
	(void)ctx;
	give_var(ret, &((const struct var *)list->node)->items[i]);
}

int machine_vars_render_as(struct span source, const struct machine_vars *vars,
	const struct template_sink *sink, struct text *out, struct template_error *ret_error)
{
	struct lookup l;
	const struct template_data data = {
		.ctx = &l, .root = { .kind = TEMPLATE_MAP }, .find = find_key, .item = get_item
	};

	lookup_init(&l, vars);
	return template_render(source, &data, sink, out, ret_error);
}

int machine_vars_render(struct span source, const struct machine_vars *vars, template_escape escape,
	struct text *out, struct template_error *ret_error)
{
	const struct template_sink sink = { .stranger = escape };

	return machine_vars_render_as(source, vars, &sink, out, ret_error);
}

static bool somebody_has_var(const struct config *cfg, struct span name)
{
	for (size_t i = 0; i < cfg->n_profiles; i++)
		if (find_var(cfg->profiles[i].vars, cfg->profiles[i].n_vars, name))
			return true;
	for (size_t i = 0; i < cfg->n_machines; i++)
		if (find_var(cfg->machines[i].vars, cfg->machines[i].n_vars, name))
			return true;
	return false;
}

/* Every machine at once: what is in vars may be anything. */
static bool find_any_key(
	void *ctx, const struct template_value *map, struct span key, struct template_value *ret)
{
	struct lookup *l = ctx;
	bool found = map->node != l || !l->cfg || somebody_has_var(l->cfg, key);

	if (!map->node)
		return find_key(ctx, map, key, ret);
	if (found)
		*ret = (struct template_value){ .kind = TEMPLATE_ANY, .may_lack_keys = true };
	return found;
}

int machine_vars_check_as(struct span source, const struct config *cfg,
	const struct template_sink *sink, struct template_error *ret_error)
{
	const struct facts nobody = { .client = CLIENT_IPXE };
	const struct machine_vars vars = { .facts = &nobody };
	struct lookup l;
	const struct template_data data = {
		.ctx = &l, .root = { .kind = TEMPLATE_MAP }, .find = find_any_key, .item = get_item
	};

	lookup_init(&l, &vars);
	l.cfg = cfg;
	return template_check(source, &data, sink, ret_error);
}

int machine_vars_check(struct span source, struct template_error *ret_error)
{
	const struct template_sink sink = { .stranger = escape_name };

	return machine_vars_check_as(source, NULL, &sink, ret_error);
}
