/* Matching of rules.  No packets, no I/O, no state. */
#include "core/rules.h"

#include "core/glob.h"

static void add(struct rule_facts *r, enum match_key key, struct span s)
{
	if (s.n)
		r->of[key].list[r->of[key].n++] = s;
}

void rule_facts_init(const struct facts *f, struct rule_facts *ret)
{
	for (size_t k = 0; k < MATCH_KEY_COUNT; k++)
		ret->of[k].n = 0;
	if (f->has_arch) { /* by class ("arm64") or by the registry's row ("arm64-uboot") */
		add(ret, MATCH_ARCH, span_str(arch_name(f->arch)));
		add(ret, MATCH_ARCH, span_str(facts_arch_name(f)));
	}
	if (f->has_mac) {
		ret->mac = mac_str(f->mac);
		add(ret, MATCH_MAC, span_str(ret->mac.s));
	}
	if (f->has_uuid) { /* firmware does not agree on the order: either one */
		ret->uuid[0] = uuid_str(f->uuid);
		ret->uuid[1] = uuid_str(uuid_swap(f->uuid));
		add(ret, MATCH_UUID, span_str(ret->uuid[0].s));
		add(ret, MATCH_UUID, span_str(ret->uuid[1].s));
	}
	add(ret, MATCH_CLIENT, span_str(client_name(f->client)));
	add(ret, MATCH_VENDOR_CLASS, f->vendor_class);
	add(ret, MATCH_USER_CLASS, f->user_class);
	add(ret, MATCH_HOSTNAME, f->hostname);
	add(ret, MATCH_NETWORK, span_str(f->network));
	add(ret, MATCH_CIRCUIT_ID, f->circuit_id);
	add(ret, MATCH_REMOTE_ID, f->remote_id);
	add(ret, MATCH_SERIAL, f->serial);
	add(ret, MATCH_ASSET, f->asset);
}

/* Host names, MACs and UUIDs are the same in either case; classes and ids are octets. */
static bool ignores_case(enum match_key key)
{
	return key == MATCH_MAC || key == MATCH_UUID || key == MATCH_HOSTNAME ||
		key == MATCH_ARCH || key == MATCH_CLIENT;
}

static bool match_fits(const struct match *m, const struct rule_facts *f)
{
	bool nocase = ignores_case(m->key);

	for (size_t v = 0; v < m->n_values; v++)
		for (size_t t = 0; t < f->of[m->key].n; t++)
			if (glob_match(span_str(m->values[v]), f->of[m->key].list[t], nocase))
				return true;
	return false;
}

bool rule_fits(const struct rule *r, const struct rule_facts *f)
{
	for (size_t i = 0; i < r->n_matches; i++)
		if (!match_fits(&r->matches[i], f))
			return false;
	return true;
}

const struct match *rule_nearly_fits(const struct rule *r, const struct rule_facts *f)
{
	const struct match *miss = NULL;

	for (size_t i = 0; i < r->n_matches; i++) {
		if (match_fits(&r->matches[i], f))
			continue;
		if (miss)
			return NULL;
		miss = &r->matches[i];
	}
	return miss && r->n_matches == 1 && f->of[miss->key].n > 0 ? NULL : miss;
}
