/* ProxyDHCP: boot options beside a DHCP server that we do not control, and the
 * PXE boot server on port 4011.
 *
 * Answers PXE, UEFI HTTP Boot and iPXE clients only; never gives an address,
 * knows no leases and sends no NAK.
 * PXE specification 2.1 (2.2, 2.3), UEFI 2.10 24.7; firmware-quirks.md.
 */
#pragma once

#include "core/dhcp4_server.h"

#define DHCP4_PXE_PORT 4011

/* The second half of dhcp4_plan(), for a proxy network and for port 4011 of any:
 * plan has network, facts, answer and our address. */
void dhcp4_proxy_plan(const struct dhcp4_server *srv, const struct dhcp4_msg *msg,
	const struct dhcp4_rx *rx, int64_t now_s, struct arena *a, struct dhcp4_plan *plan);
