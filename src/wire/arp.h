/* ARP for IPv4 over Ethernet: asking whether an address is in use, and hearing
 * who uses it.
 *
 * RFC 826; RFC 5227 1.1 and 2.1.1.  The message only: its Ethernet header is the
 * kernel's.
 */
#pragma once

#include "base/addr.h"
#include "base/drop.h"

#define ARP_OCTETS 28u

struct arp {
	bool request;
	struct mac sender_mac, target_mac;
	struct ip4 sender, target;
};

/* Other hardware and protocols, and operations but request and reply, are not
 * for us.  Octets behind the message are the padding of a short frame. */
enum drop arp_decode(struct span s, struct arp *ret);
void arp_encode(const struct arp *a, struct wr *w);
/* An ARP probe (RFC 5227 2.1.1): a request that names no sender, so that it
 * changes nobody's cache. */
struct arp arp_probe(struct mac from, struct ip4 address);
