/* grub.cfg: what GRUB runs.
 *
 * The same profile as core/ipxe_script.h renders, for one machine, in GRUB's
 * language.  Files come by the names that locate.h gives them: kernel and initrdN
 * below vars->files.  Uses only commands that Debian's signed grubnet image has
 * built in, since Secure Boot lets it load no module; HTTP is not among them (debian/build-efi-images), so it comes first only
 * for a GRUB that asked by HTTP or is the profile's own boot file, with modules
 * beside it, and TFTP is tried after it.
 *
 * Source: GRUB 2.06's manual and grub-core/script, Debian's 2.06-13+deb12u2.
 */
#pragma once

#include "core/machine_vars.h"

/* A kernel or local profile as grub.cfg.  vars->facts->transport is how it was
 * asked for, vars->url its name as GRUB says it, "(tftp,172.24.0.1)/grub/grub.cfg".
 * -EINVAL with *ret_error set: a {{variable}} of the command line is wrong. */
int grub_cfg_profile(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* A kernel profile for GRUB on a disk that has vars->files: where they cannot be loaded, the
 * machine starts anew, since firmware then loads the disk anew. */
int grub_cfg_disk(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* Prints the reason (any text; escaped here), waits ten seconds, then runs url again. */
void grub_cfg_retry(const char *reason, const char *url, struct text *out);
