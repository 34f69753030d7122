/* What every reply has in common, a DHCP server's and a proxy's: the request's
 * header returned, options 53 and 54 first, 67 and 82 last.
 *
 * Decides neither what is answered nor where it is sent.
 * RFC 2131 4.1, 4.3.1, RFC 2132 9.10, RFC 3046 2.2.
 */
#pragma once

#include "core/dhcp4_server.h"

/* Header, size, type and server identifier (old ROMs look for those two first).
 * Sets the plan's drop when there is no memory for them. */
void dhcp4_reply_begin(
	const struct dhcp4_msg *m, enum dhcp4_type type, struct arena *a, struct dhcp4_plan *p);
/* The boot file (with its NUL; empty: none), then what the relay wants back. */
void dhcp4_reply_end(const struct dhcp4_msg *m, struct span bootfile, struct dhcp4_plan *p);
