/* Variables of machines and profiles: texts, and lists and maps of them. */
#include "core/config_load_impl.h"

static bool is_var_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';

		if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '-')))
			return false;
	}
	return s.n > 0;
}

static const struct var *read_items(struct loading *l, const struct yaml *v, size_t *ret_n);

/* False after an error.  Trees are as deep as YAML_DEPTH_MAX lets them. */
static bool read_var(struct loading *l, const struct yaml *v, struct var *ret)
{
	struct var var = { .kind = v->kind == YAML_LIST ? VAR_LIST
			: v->kind == YAML_MAP           ? VAR_MAP
							: VAR_TEXT };

	if (v->key.p && !is_var_name(v->key)) {
		config_error_add(l->errs, v->key_pos,
			"`%.64s` cannot be a variable: a letter or _, then letters, "
			"digits, _ or -",
			(const char *)v->key.p);
		return false;
	}
	if (v->kind == YAML_NULL) {
		load_unexpected(l, v, "a text (\"\" for an empty one), a list or a map");
		return false;
	}
	if (v->key.p)
		var.name = arena_strdup(l->arena, v->key);
	if (var.kind == VAR_TEXT)
		var.value = arena_strdup(l->arena, v->text);
	else
		var.items = read_items(l, v, &var.n_items);
	l->no_memory = l->no_memory || (v->key.p && !var.name) ||
		(var.kind == VAR_TEXT && !var.value);
	*ret = var;
	return true;
}

static const struct var *read_items(struct loading *l, const struct yaml *v, size_t *ret_n)
{
	struct var *vars = LOAD_ARRAY(l, struct var, v->n);
	size_t n = 0;

	for (const struct yaml *i = v->first; vars && i; i = i->next)
		if (read_var(l, i, &vars[n]))
			n++;
	*ret_n = n;
	return vars;
}

void load_vars(struct loading *l, const struct yaml *v, const struct var **ret_vars, size_t *ret_n)
{
	if (v->kind == YAML_MAP)
		*ret_vars = read_items(l, v, ret_n);
	else if (v->kind != YAML_NULL)
		load_unexpected(l, v, "a map of names and values such as {disk: /dev/vda}");
}
