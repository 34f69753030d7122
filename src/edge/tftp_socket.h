/* UDP sockets as TFTP wants them: non-blocking, bound to an address, not
 * connected, fragmenting where a path is narrower than they think. */
#pragma once

#include "base/addr.h"
#include "wire/tftp.h"

#define TFTP_MTU_UNKNOWN 1500

struct tftp_peer {
	struct ip4 remote, local; /* local: the address of ours that was asked */
	uint16_t remote_port;
	unsigned ifindex; /* that the request came in on */
};

/* A socket on addr (0.0.0.0: all) and port (0: any free one).  The caller closes it.
 * 0 or -errno. */
int tftp_socket_open(struct ip4 addr, uint16_t port, int *ret_fd) WARN_UNUSED;

/* The same with room for many machines that ask at once, telling with each packet
 * which address of ours it was sent to (IP_PKTINFO). */
int tftp_socket_open_serving(struct ip4 addr, uint16_t port, int *ret_fd) WARN_UNUSED;

/* Lost when the socket is full, as any packet may be. */
void tftp_socket_send_error(
	int fd, const struct tftp_peer *peer, uint16_t code, struct span sentence);

/* What the kernel knows of the way to the peer, in octets, IP header included;
 * TFTP_MTU_UNKNOWN when it does not say. */
unsigned tftp_socket_path_mtu(const struct tftp_peer *peer);

/* Services that answer whatever they get, and servers like us: to answer them
 * makes two machines talk for ever (CVE-2024-2169). */
bool tftp_socket_is_service_port(uint16_t port);
