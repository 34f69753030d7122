/* Which rules of the configuration fit a client, and which nearly do.
 *
 * A fact that is not known at this stage (serial before iPXE has told it) fits no
 * value, not even "*".
 */
#pragma once

#include "core/facts.h"

/* All that rules may ask for, as the texts that they are compared with: made once
 * for any number of rules.  Borrows from the facts. */
struct rule_facts {
	struct {
		struct span list[2]; /* either fits */
		size_t n;            /* 0: unknown */
	} of[MATCH_KEY_COUNT];
	struct mac_text mac;
	struct uuid_text uuid[2];
};

/* ret must not be moved afterwards. */
void rule_facts_init(const struct facts *f, struct rule_facts *ret);

bool rule_fits(const struct rule *r, const struct rule_facts *f);
/* The one key but for which the rule would fit, or NULL: it fits, misses more, or asks for
 * nothing but that and the fact is known, which is no near miss. */
const struct match *rule_nearly_fits(const struct rule *r, const struct rule_facts *f);
