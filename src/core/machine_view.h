/* A machine as people and programs are told of it: the contract of `bootsmith
 * machine … --json`.
 *
 * Takes what the configuration says of it and what it has been through, decides
 * what it would boot now, and prints one JSON object.  Its fields are stable.
 * Never its token: whoever reads lists need not be able to end installations.
 */
#pragma once

#include "base/text.h"
#include "core/decide.h"

/* m: of the configuration, or NULL; s: what is known of it, or NULL; one of them is not.
 * {"name": …, "mac": …, "state": …, "boot_once": …, "profile": …, "rule": …, "known": …,
 * "first_seen": …, "last_seen": …, "given": …, "given_at": …, "client": …, "arch": …,
 * "uuid": …, "address": …, and the names of enum machine_said}; what is unknown is null. */
void machine_view_json(const struct config *cfg, const struct machine *m,
	const struct machine_state *s, struct text *out);
