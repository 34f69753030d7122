/* iPXE scripts: what an iPXE client runs.
 *
 * Renders a profile for one machine, and the script that a machine gets when
 * there is nothing to run: it prints why, waits and tries again.  Reads no file:
 * the text of a script profile comes in.
 */
#pragma once

#include "core/locate.h"
#include "core/template.h"

/* What a script may say of its machine. */
struct script_vars {
	const struct facts *facts;
	const struct machine *machine; /* or NULL */
	struct ip4 address;            /* 0: unknown */
	struct ip4 server;
	struct base_url base;
	const char *url; /* of this script: what a failed boot asks for again */
};

/* A kernel or local profile as a script.  -EINVAL with *ret_error set: a
 * {{variable}} of the command line is wrong. */
int ipxe_script_profile(const struct profile *p, const struct script_vars *vars, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* A script profile: the user's own text with its variables. */
int ipxe_script_template(struct span source, const struct script_vars *vars, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* Could this text be rendered for some machine?  Whether a machine has a vars.X
 * only its own rendering tells.  -EINVAL with *ret_error set. */
int ipxe_script_check(struct span source, struct template_error *ret_error) WARN_UNUSED;
/* Prints the reason (any text; escaped here), waits ten seconds, then asks for url again. */
void ipxe_script_retry(const char *reason, const char *url, struct text *out);
