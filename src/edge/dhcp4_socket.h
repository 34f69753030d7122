/* DHCPv4's sockets: one UDP socket per interface, bound to it by device, and a
 * packet socket for frames to clients that cannot answer ARP yet.
 *
 * Opens them; edge/dhcp4_batch.h receives and sends.  Knows nothing of DHCP messages.
 */
#pragma once

#include "core/served.h"
#include "wire/frame.h"

/* Which packets a socket takes. */
enum dhcp4_hears {
	DHCP4_HEARS_ALL,
	/* Those to 255.255.255.255 only: what is sent to this machine's own address
	 * stays with the DHCP server that runs here too. */
	DHCP4_HEARS_BROADCAST,
};

/* Binds a UDP port on one interface; ifname NULL: on all that have no socket of
 * their own (relayed networks).  beside: another socket of ours of the other
 * kind is open, so the address must be shared, and another program that shares
 * it too goes unnoticed; otherwise any other socket is -EADDRINUSE.
 * Non-blocking, reports where each packet was sent to.  -EACCES, -ENODEV, … */
int dhcp4_socket_open(const char *ifname, uint16_t port, enum dhcp4_hears hears, bool beside,
	int *ret_fd) WARN_UNUSED;
/* A socket for dhcp4_socket_send_frame() on any interface. */
int dhcp4_socket_open_raw(int *ret_fd) WARN_UNUSED;
/* A non-blocking packet socket that sees UDP packets to `port` on an interface. */
int dhcp4_socket_open_listener(unsigned ifindex, uint16_t port, int *ret_fd) WARN_UNUSED;

struct dhcp4_packet {
	struct span data;
	struct ip4 source, local; /* local: the address of ours that it came to */
	uint16_t source_port;
	unsigned ifindex;
	bool truncated;
	bool broadcast; /* sent to 255.255.255.255 */
};

int dhcp4_socket_send_frame(int raw_fd, unsigned ifindex, const struct frame4 *f) WARN_UNUSED;
/* One frame of a listener, decoded; checksums that the sender left to its
 * network card are not verified.  -EAGAIN: none; -EBADMSG: not for us. */
int dhcp4_socket_recv_frame(int fd, void *buf, size_t size, struct frame4 *ret) WARN_UNUSED;
