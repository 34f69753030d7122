/* The further DHCP options of a network, profile or machine: by number or IANA
 * name, encoded here so that nothing can go wrong when a packet waits for them. */
#include "core/config_load_impl.h"
#include "wire/dhcp4_options.h"

#define OPTION_VALUE_MAX 255u
/* Of those that may be split (RFC 3396): more would fill a packet by itself. */
#define OPTION_LONG_MAX 1024u

/* Why an option is none for `options:` of this scope; NULL: it is one. */
static const char *refusal(uint8_t code, enum option_scope scope)
{
	bool network = scope == OPTIONS_OF_NETWORK;

	switch (code) {
	case 0:
	case 255:
		return "it only frames the others";
	case 1:
		return "it comes from the network's `subnet`";
	case 3:
		return network ? "it has a key of its own: `router`" : NULL;
	case 6:
		return network ? "it has a key of its own: `dns`" : NULL;
	case 15:
		return network ? "it has a key of its own: `domain`" : NULL;
	case 51:
		return network ? "it has a key of its own: `lease_time`"
			       : "it comes from the network's `lease_time`";
	case 43:
	case 60:
	case 66:
	case 67:
	case 97:
		return "profiles and rules decide what a client boots";
	case 80:
		return "the server speaks no rapid commit";
	case 50:
	case 52:
	case 53:
	case 54:
	case 55:
	case 57:
	case 58:
	case 59:
	case 61:
	case 82:
		return "the server itself sets it";
	default:
		return NULL;
	}
}

static const struct dhcp4_option_info *find_by_name(struct loading *l, const struct yaml *v)
{
	const struct dhcp4_option_info *info = dhcp4_option_find_name(v->key), *all;
	struct suggestion near = { .given = v->key };
	size_t n;

	if (info)
		return info;
	all = dhcp4_option_table(&n);
	for (size_t i = 0; i < n; i++)
		suggestion_offer(&near, all[i].name);
	if (near.best)
		config_error_add(l->errs, v->key_pos,
			"no DHCP option is called `%.64s`: did you mean `%s`?",
			(const char *)v->key.p, near.best);
	else
		config_error_add(l->errs, v->key_pos,
			"no DHCP option is called `%.64s`: use IANA's name such as ntp-servers, or "
			"a number from 1 to 254",
			(const char *)v->key.p);
	return NULL;
}

static bool is_number(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* The option that a key names; false when none may be given so. */
static bool find_option(struct loading *l, const struct yaml *v, enum option_scope scope,
	struct dhcp4_option_info *ret)
{
	const struct dhcp4_option_info *info;
	const char *refused;
	unsigned code = 0;

	if (is_number(v->key)) {
		for (size_t i = 0; i < v->key.n && code <= 255; i++)
			code = code * 10 + (v->key.p[i] - '0');
		if (code > 255) {
			config_error_add(l->errs, v->key_pos,
				"there is no DHCP option %.20s: they go from 1 to 254",
				(const char *)v->key.p);
			return false;
		}
		info = dhcp4_option_find((uint8_t)code);
	} else {
		info = find_by_name(l, v);
		if (!info)
			return false;
	}
	*ret = info ? *info : (struct dhcp4_option_info){ (uint8_t)code, OPT_T_HEX, "unassigned" };
	refused = refusal(ret->code, scope);
	if (refused)
		config_error_add(l->errs, v->key_pos,
			"DHCP option %u (%s) cannot be given here: %s", ret->code, ret->name,
			refused);
	return !refused;
}

/* {10.9.0.0/16: 172.24.0.1} is "10.9.0.0/16 via 172.24.0.1". */
static struct span route_text(struct loading *l, const struct yaml *v)
{
	char *text = arena_printf(
		&l->scratch, "%.64s via %.64s", (const char *)v->key.p, (const char *)v->text.p);

	l->no_memory = l->no_memory || !text;
	return span_str(text);
}

/* The texts of a value, single, in a list or in a map; NULL after an error. */
static struct span *value_items(
	struct loading *l, const struct yaml *v, const struct dhcp4_option_form *form, size_t n)
{
	bool map = v->kind == YAML_MAP;
	struct span *items;

	if (n == 0 || (map && !(form->flags & OPT_F_MAP)) ||
		(v->kind == YAML_LIST && !(form->flags & OPT_F_LIST))) {
		load_unexpected(l, v, form->expected);
		return NULL;
	}
	items = load_scratch(l, sizeof(*items) * n);
	if (!items)
		return NULL;
	n = 0;
	for (const struct yaml *i = map ? v->first : yaml_first(v); i;
		i = map ? i->next : yaml_after(v, i)) {
		if (i->kind != YAML_SCALAR) {
			load_unexpected(l, i, form->expected);
			return NULL;
		}
		items[n++] = map ? route_text(l, i) : i->text;
	}
	return items;
}

static bool encode_value(
	struct loading *l, const struct yaml *v, const struct dhcp4_option_info *info, struct wr *w)
{
	const struct dhcp4_option_form *form = dhcp4_option_form(info->type);
	size_t n = v->kind == YAML_MAP ? v->n : yaml_count(v), bad;
	const struct span *items = value_items(l, v, form, n);

	if (!items)
		return false;
	if (dhcp4_option_encode(info->type, items, n, w, &bad) < 0) {
		const struct yaml *i = v->kind == YAML_MAP ? v->first : yaml_first(v);

		for (; bad > 0; bad--)
			i = i->next;
		load_unexpected(l, i, form->expected);
		return false;
	}
	if (w->full)
		config_error_add(l->errs, v->pos,
			"this value is longer than the %zu octets that this option may have",
			w->cap);
	return !w->full;
}

static void load_option(struct loading *l, const struct yaml *v,
	const struct dhcp4_option_info *info, struct option_value *list, struct option_list *ret)
{
	bool may_split = dhcp4_option_form(info->type)->flags & OPT_F_LONG;
	uint8_t octets[OPTION_LONG_MAX];
	struct wr w = wr_of(octets, may_split ? OPTION_LONG_MAX : OPTION_VALUE_MAX);
	char *copy;

	if (!encode_value(l, v, info, &w))
		return;
	copy = arena_strdup(l->arena, wr_done(&w));
	l->no_memory = l->no_memory || !copy;
	list[ret->n++] = (struct option_value){ info->code, { (const uint8_t *)copy, w.n },
		v->key_pos };
}

void load_options(
	struct loading *l, const struct yaml *v, enum option_scope scope, struct option_list *ret)
{
	const struct yaml *earlier[256] = { 0 };
	struct option_value *list;

	if (v->kind != YAML_MAP) {
		if (v->kind != YAML_NULL)
			load_unexpected(
				l, v, "a map of DHCP options such as {ntp-servers: [172.24.0.1]}");
		return;
	}
	list = LOAD_ARRAY(l, struct option_value, v->n);
	if (!list)
		return;
	*ret = (struct option_list){ .list = list };
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct dhcp4_option_info info;

		if (!find_option(l, i, scope, &info))
			continue;
		/* The same key twice was reported when the tree was built. */
		if (earlier[info.code] && !span_eq(earlier[info.code]->key, i->key))
			config_error_add(l->errs, i->key_pos,
				"DHCP option %u (%s) is here twice, first in line %u: keep one",
				info.code, info.name, earlier[info.code]->key_pos.line);
		earlier[info.code] = i;
		load_option(l, i, &info, list, ret);
	}
}
