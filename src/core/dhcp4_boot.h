/* The boot part of a DHCPv4 reply: the options that make firmware load the file
 * that the decision named.
 *
 * The form follows the client (firmware-quirks.md): PXE, UEFI HTTP Boot, iPXE.
 * Decides nothing about what is booted.
 */
#pragma once

#include "core/decide.h"
#include "core/locate.h"

/* Fills siaddr, sname and file of out and adds the options before option 67;
 * ret_bootfile is 67's value, NUL included, which the caller adds last (empty
 * when there is nothing to boot).  Values live in a. -ENOMEM. */
int dhcp4_boot_fill(const struct config *cfg, const struct dhcp4_msg *request, const struct facts *facts,
	const struct answer *answer, struct ip4 server, struct arena *a, struct dhcp4_out *out,
	struct span *ret_bootfile) WARN_UNUSED;
