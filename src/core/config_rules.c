/* The rules: which profile for which kind of client.  First match wins, so they
 * keep the file's order.
 *
 * Values become the canonical texts that core/decide.c compares with: what can
 * never match is an error here, not a riddle at three in the morning.
 */
#include "core/config_load_impl.h"
#include "core/glob.h"

struct reading {
	struct rule rule;
	bool has_match, has_profile;
};

struct match_reading {
	struct rule *rule;
	struct match *matches;
};

static const char *copy_text(struct loading *l, const char *s)
{
	const char *copy = arena_strdup(l->arena, span_str(s));

	l->no_memory = l->no_memory || !copy;
	return copy;
}

/* A class of architectures, or one row of the IANA registry by its name. */
static const char *arch_value(struct loading *l, const struct yaml *v)
{
	const char *words[ARCH_COUNT + ARCH_TYPE_NUMBERS];
	size_t n = 0;
	unsigned word;

	for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++)
		words[n++] = arch_name(a);
	for (uint16_t number = 0; number < ARCH_TYPE_NUMBERS; number++)
		if (arch_type_find(number))
			words[n++] = arch_type_find(number)->name;
	return load_word(l, v, words, n, &word) ? copy_text(l, words[word]) : NULL;
}

static const char *client_value(struct loading *l, const struct yaml *v)
{
	const char *const words[] = { client_name(CLIENT_PXE), client_name(CLIENT_HTTP),
		client_name(CLIENT_IPXE), client_name(CLIENT_DHCP) };
	unsigned word;

	return load_word(l, v, words, ARRAY_LEN(words), &word) ? copy_text(l, words[word]) : NULL;
}

/* A glob over canonical texts: lower case, and for a MAC ':' for a '-' that
 * stands in no set. */
static const char *canonical_glob(struct loading *l, struct span s, bool dashes_to_colons)
{
	char *p = arena_strdup(l->arena, s);
	bool in_set = false;

	l->no_memory = l->no_memory || !p;
	for (size_t i = 0; p && i < s.n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] | 0x20);
		if (p[i] == '[' || p[i] == ']')
			in_set = p[i] == '[';
		if (dashes_to_colons && !in_set && p[i] == '-')
			p[i] = ':';
	}
	return p;
}

static const char *mac_value(struct loading *l, const struct yaml *v)
{
	static const char expected[] =
		"a MAC address such as 52:54:00:12:34:56, or a glob such as 52:54:00:*";
	struct span s;
	struct mac mac;

	if (!load_scalar(l, v, expected, &s))
		return NULL;
	if (mac_parse(s, &mac) == 0)
		return copy_text(l, mac_str(mac).s);
	if (glob_has_magic(s))
		return canonical_glob(l, s, true);
	load_unexpected(l, v, expected);
	return NULL;
}

static const char *uuid_value(struct loading *l, const struct yaml *v)
{
	static const char expected[] =
		"a UUID such as 4c4c4544-0042-3510-8052-b4c04f4d3532, or a glob such as 4c4c4544-*";
	struct span s;
	struct uuid uuid;

	if (!load_scalar(l, v, expected, &s))
		return NULL;
	if (uuid_parse(s, &uuid) == 0)
		return copy_text(l, uuid_str(uuid).s);
	if (glob_has_magic(s))
		return canonical_glob(l, s, false);
	load_unexpected(l, v, expected);
	return NULL;
}

static const char *match_value(struct loading *l, enum match_key key, const struct yaml *v)
{
	switch (key) {
	case MATCH_ARCH:
		return arch_value(l, v);
	case MATCH_CLIENT:
		return client_value(l, v);
	case MATCH_MAC:
		return mac_value(l, v);
	case MATCH_UUID:
		return uuid_value(l, v);
	default:
		return load_text(l, v, "a text, or a glob such as web*");
	}
}

static enum match_key key_by_name(struct span name)
{
	enum match_key k = 0;

	while (k < MATCH_KEY_COUNT && !span_eq(span_str(match_key_name(k)), name))
		k++;
	return k;
}

static void read_match_key(struct loading *l, const struct yaml *v, void *into)
{
	struct match_reading *r = into;
	struct match *m = &r->matches[r->rule->n_matches];
	const char **values;

	if (v->kind == YAML_MAP || yaml_count(v) == 0) {
		load_unexpected(l, v, "a value, or a list of values of which one must fit");
		return;
	}
	values = LOAD_ARRAY(l, const char *, yaml_count(v));
	if (!values)
		return;
	*m = (struct match){ .key = key_by_name(v->key), .values = values, .pos = v->key_pos };
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i)) {
		const char *value = match_value(l, m->key, i);

		if (value)
			values[m->n_values++] = value;
	}
	r->rule->n_matches++;
}

static void read_match(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct load_key keys[MATCH_KEY_COUNT];
	struct match_reading mr = { .rule = &r->rule };

	r->has_match = true;
	if (v->kind == YAML_NULL || (v->kind == YAML_MAP && v->n == 0)) {
		config_error_add(l->errs, v->pos,
			"this rule matches everything: use default_profile for that, or give match "
			"a key such as arch");
		return;
	}
	for (enum match_key k = 0; k < MATCH_KEY_COUNT; k++)
		keys[k] = (struct load_key){ match_key_name(k), read_match_key };
	mr.matches = LOAD_ARRAY(l, struct match, v->n);
	if (!mr.matches)
		return;
	r->rule.matches = mr.matches;
	(void)load_map(l, v, "match", keys, ARRAY_LEN(keys), &mr);
}

static void read_profile(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->has_profile = true;
	r->rule.profile = load_profile_ref(l, v);
}

static const struct load_key rule_keys[] = {
	{ "match", read_match },
	{ "profile", read_profile },
};

void load_rules(struct loading *l, const struct yaml *v)
{
	struct rule *rules;
	size_t n = 0;

	if (!load_list(
		    l, v, "a list of rules, each like `- {match: {arch: x64}, profile: debian}`"))
		return;
	rules = LOAD_ARRAY(l, struct rule, v->n);
	if (!rules)
		return;
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct reading r = { .rule = { .number = (unsigned)(n + 1), .pos = i->pos } };

		if (load_map(l, i, "a rule", rule_keys, ARRAY_LEN(rule_keys), &r)) {
			if (!r.has_match)
				config_error_add(l->errs, i->pos,
					"this rule has no match: it would fit everything, use "
					"default_profile for that");
			if (!r.has_profile)
				config_error_add(l->errs, i->pos,
					"this rule has no profile: name one of `profiles`");
		}
		rules[n++] = r.rule;
	}
	l->cfg->rules = rules;
	l->cfg->n_rules = n;
}
