/* The parameters of a reply: which ones a client is told, and in which order.
 *
 * Network, profile and machine may each set options; the narrowest wins.  Who is
 * answered, with which address and boot file, is decided elsewhere.
 * RFC 2131 4.3.1, 2132 3.3 and 9.8, 3442.
 */
#pragma once

#include "core/decide.h"
#include "core/served.h"

/* Adds what the keys of the network say: mask, router, name servers, domain,
 * broadcast, and the machine's name for a client that asks.  Values live in a;
 * marks out failed when it is exhausted. */
void dhcp4_params_add(const struct dhcp4_msg *request, const struct served *s,
	const struct answer *answer, struct arena *a, struct dhcp4_out *out);
/* To be called when all else is added: sets the options: of the network, of the
 * profile that applies and of the machine, and puts everything in order. */
void dhcp4_params_finish(const struct dhcp4_msg *request, const struct served *s,
	const struct answer *answer, struct dhcp4_out *out);
