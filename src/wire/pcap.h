/* Packet captures: classic pcap and pcapng, of either byte order, read in memory.
 *
 * draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.  Gives the packets in the
 * file's order, as far as they were captured; knows nothing of times, names and
 * comments, and passes over blocks that it does not know.
 */
#pragma once

#include "base/bytes.h"

#define PCAP_LINK_ETHERNET  1u
#define PCAP_LINK_UNKNOWN   0xffffu /* a packet of an interface that the file does not describe */
#define PCAP_INTERFACES_MAX 64u

struct pcap {
	struct span rest; /* from the next record or block on */
	bool is_ng;
	bool is_little; /* its numbers' order; of pcapng, in this section */
	bool is_broken; /* the file ended inside a record, or its lengths are wrong: nothing follows */
	unsigned n_packets;
	uint16_t links[PCAP_INTERFACES_MAX]; /* link types by interface; pcap has one */
	size_t n_links;
};

struct pcap_packet {
	unsigned number; /* from 1, as Wireshark counts them */
	uint16_t link;   /* LINKTYPE_… of the registry */
	struct span data;
};

/* file is borrowed.  -EINVAL: it is no capture. */
int pcap_open(struct span file, struct pcap *ret) WARN_UNUSED;
/* False: there are no more; is_broken says whether the file is whole. */
bool pcap_next(struct pcap *p, struct pcap_packet *ret);
/* An Ethernet frame as if it had no VLAN tags (802.1Q, 802.1ad): a part of it that
 * begins with 12 octets of no meaning where there were some. */
struct span pcap_without_tags(struct span frame);
