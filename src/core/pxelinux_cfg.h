/* pxelinux.cfg/…: what PXELINUX runs.
 *
 * The same profile as core/ipxe_script.h renders, for one machine, in SYSLINUX's
 * configuration language.  Files come by the names that locate.h gives them,
 * kernel and initrdN below vars->files, from the server that was asked: `ADDRESS::name` by TFTP, or URLs for an LPXELINUX that asked by
 * HTTP.  What PXELINUX cannot say on its screen after a failed load, its own
 * message and the server's log say.
 *
 * Source: syslinux 6.04's doc/syslinux.txt and doc/pxelinux.txt; tried with Debian's.
 */
#pragma once

#include "core/machine_vars.h"

/* A kernel or local profile.  vars->facts->transport is how it was asked for,
 * vars->url its name as PXELINUX says it, "172.24.0.1::pxelinux.cfg/default".
 * -EINVAL with *ret_error set: a {{variable}} of the command line is wrong. */
int pxelinux_cfg_profile(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* Prints the reason (any text; escaped here), waits ten seconds and begins anew: with
 * the profile's boot file, which is PXELINUX, or where there is none with vars->url. */
void pxelinux_cfg_retry(const char *reason, const struct profile *p,
	const struct machine_vars *vars, struct text *out);
