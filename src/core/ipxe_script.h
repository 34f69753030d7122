/* iPXE scripts: what an iPXE client runs.
 *
 * Renders a profile for one machine, and the script that a machine gets when
 * there is nothing to run: it prints why, waits and tries again.
 */
#pragma once

#include "core/machine_vars.h"

/* A kernel or local profile as a script.  -EINVAL with *ret_error set: a
 * {{variable}} of the command line is wrong. */
int ipxe_script_profile(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* Prints the reason (any text; escaped here), waits ten seconds, then asks for url again. */
void ipxe_script_retry(const char *reason, const char *url, struct text *out);
/* For a machine that waits for an order: reports what it is by the query of url and asks
 * again, every few seconds, until it is given something else. */
void ipxe_script_register(const struct machine_vars *vars, struct text *out);
