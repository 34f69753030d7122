/* The boot part of a DHCPv4 reply: the options that make firmware load the file
 * that the decision named.
 *
 * What is in it follows the client (PXE, UEFI HTTP Boot, iPXE) and, for PXE, the
 * form that core/forms.c chose.  Decides nothing about what is booted.
 */
#pragma once

#include "core/decide.h"
#include "core/forms.h"
#include "core/locate.h"

/* The form of the answer to request: forms_choose() for firmware that has forms
 * and something to boot, else one without a quirk. */
void dhcp4_boot_form(struct forms *forms, const struct dhcp4_msg *request,
	const struct facts *facts, const struct answer *answer, enum forms_mode mode, int64_t now_s,
	struct form_choice *ret);

/* Fills siaddr, sname and file of out and adds the options before option 67;
 * ret_bootfile is 67's value, NUL included, which the caller adds last (empty
 * when there is nothing to boot).  Values live in a. -ENOMEM. */
int dhcp4_boot_fill(const struct config *cfg, const struct dhcp4_msg *request,
	const struct facts *facts, const struct answer *answer, struct ip4 server,
	const struct form_choice *form, struct arena *a, struct dhcp4_out *out,
	struct span *ret_bootfile) WARN_UNUSED;
