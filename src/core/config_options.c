/* The further DHCP options of a network: by number or IANA name, encoded here so
 * that nothing can go wrong when a packet waits for them. */
#include "core/config_load_impl.h"
#include "wire/dhcp4_options.h"

#define OPTION_VALUE_MAX 255u

/* Why an option is none for `options:`; NULL for those that the server sets. */
static const char *reserved_reason(uint8_t code)
{
	switch (code) {
	case 0:
	case 255:
		return "it only frames the others";
	case 1:
		return "it comes from the network's `subnet`";
	case 3:
		return "it has a key of its own: `router`";
	case 6:
		return "it has a key of its own: `dns`";
	case 15:
		return "it has a key of its own: `domain`";
	case 51:
		return "it has a key of its own: `lease_time`";
	case 43:
	case 60:
	case 66:
	case 67:
	case 97:
		return "profiles and rules decide what a client boots";
	default:
		return "the server itself sets it";
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
static bool find_option(struct loading *l, const struct yaml *v, struct dhcp4_option_info *ret)
{
	const struct dhcp4_option_info *info;
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
	if (ret->type == OPT_T_RESERVED) {
		config_error_add(l->errs, v->key_pos,
			"DHCP option %u (%s) cannot be given here: %s", ret->code, ret->name,
			reserved_reason(ret->code));
		return false;
	}
	return true;
}

static bool encode_value(
	struct loading *l, const struct yaml *v, const struct dhcp4_option_info *info, struct wr *w)
{
	const char *expected = dhcp4_option_type_text(info->type);

	if (v->kind == YAML_MAP || yaml_count(v) == 0 ||
		(v->kind == YAML_LIST && info->type != OPT_T_ADDRESSES)) {
		load_unexpected(l, v, expected);
		return false;
	}
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i)) {
		if (i->kind != YAML_SCALAR ||
			dhcp4_option_encode_text(info->type, i->text, w) < 0) {
			load_unexpected(l, i, expected);
			return false;
		}
	}
	if (w->full) {
		config_error_add(l->errs, v->pos,
			"this value is longer than the %u octets that an option holds",
			OPTION_VALUE_MAX);
		return false;
	}
	return true;
}

void load_options(struct loading *l, const struct yaml *v, struct network *net)
{
	const struct yaml *earlier[256] = { 0 };
	struct option_value *options;

	if (v->kind != YAML_MAP) {
		if (v->kind != YAML_NULL)
			load_unexpected(
				l, v, "a map of DHCP options such as {ntp-servers: [172.24.0.1]}");
		return;
	}
	options = LOAD_ARRAY(l, struct option_value, v->n);
	if (!options)
		return;
	net->options = options;
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct dhcp4_option_info info;
		uint8_t octets[OPTION_VALUE_MAX];
		struct wr w = wr_of(octets, sizeof(octets));
		char *copy;

		if (!find_option(l, i, &info))
			continue;
		/* The same key twice was reported when the tree was built. */
		if (earlier[info.code] && !span_eq(earlier[info.code]->key, i->key))
			config_error_add(l->errs, i->key_pos,
				"DHCP option %u (%s) is here twice, first in line %u: keep one",
				info.code, info.name, earlier[info.code]->key_pos.line);
		earlier[info.code] = i;
		if (!encode_value(l, i, &info, &w))
			continue;
		copy = arena_strdup(l->arena, wr_done(&w));
		l->no_memory = l->no_memory || !copy;
		options[net->n_options++] = (struct option_value){ info.code,
			{ (const uint8_t *)copy, wr_done(&w).n }, i->key_pos };
	}
}
