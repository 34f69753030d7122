/* What a text that is rendered for one machine may say of it: {{name}} {{mac}}
 * {{address}} {{uuid}} {{arch}} {{hostname}} {{server}} {{http}} {{vars.X}}.
 *
 * The same names in scripts, command lines and templates, for every loader; how
 * a value is made harmless is the loader's affair and comes in as a function.
 */
#pragma once

#include "core/locate.h"
#include "core/template.h"

struct machine_vars {
	const struct facts *facts;
	const struct machine *machine; /* or NULL */
	struct ip4 address;            /* 0: unknown */
	struct ip4 server;
	struct base_url base;
	const char *url; /* of this text: what a failed boot asks for again */
};

/* Appends source with its {{variables}} to out.  -EINVAL with *ret_error set: it
 * cannot be rendered for this machine; -ENOMEM. */
int machine_vars_render(struct span source, const struct machine_vars *vars, template_escape escape,
	struct text *out, struct template_error *ret_error) WARN_UNUSED;
/* Could this text be rendered for some machine?  Whether a machine has a vars.X
 * only its own rendering tells.  -EINVAL with *ret_error set. */
int machine_vars_check(struct span source, struct template_error *ret_error) WARN_UNUSED;
