/* Ethernet frames that carry UDP over IPv4: for clients that cannot answer ARP
 * yet, and for listening beside the kernel's own stack.
 *
 * RFC 894, 791, 768.  No VLAN tags, no IP options on the way out, no fragments.
 */
#pragma once

#include "base/addr.h"
#include "base/drop.h"

struct frame4 {
	struct mac src_mac, dst_mac;
	struct ip4 src, dst;
	uint16_t src_port, dst_port;
	struct span payload;
};

#define FRAME4_HEADERS 42u /* Ethernet 14, IPv4 20, UDP 8 */

/* Writes a whole frame (w->full when it does not fit). */
void frame4_encode(const struct frame4 *f, struct wr *w);
/* Reads a frame.  checksums: verify them; false where the kernel said that the
 * sender left them to its network card (packets of local virtual machines). */
enum drop frame4_decode(struct span frame, bool checksums, struct frame4 *ret_frame);
