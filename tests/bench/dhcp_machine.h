/* The DHCP of one machine of a storm: frames as UEFI PXE x64 and then as iPXE
 * sends them, and what the answers say.  Knows no sockets and no time. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DHCP_FRAME_MAX = 700, /* of one that we send */
	DHCP_MAC_LEN = 6,
};

struct dhcp_answer {
	uint8_t type; /* OFFER, ACK, … of packet4.h */
	uint32_t xid;
	uint8_t mac[DHCP_MAC_LEN];
	struct in_addr address, server_id, next_server;
	char bootfile[256];
};

/* A DISCOVER, or, with an offer, its REQUEST.  The length of the frame. */
size_t dhcp_machine_frame(uint8_t frame[DHCP_FRAME_MAX], const uint8_t mac[DHCP_MAC_LEN],
	uint32_t xid, bool ipxe, const struct dhcp_answer *offer);

/* False when the frame is no BOOTP reply to a client. */
bool dhcp_machine_answer(const uint8_t *frame, size_t n, struct dhcp_answer *ret);
