/* Many DHCPv4 packets with one system call: what arrived together, what leaves
 * together.  A thousand machines that are switched on at once send as many
 * packets in a millisecond.
 */
#pragma once

#include "edge/dhcp4_socket.h"

#define DHCP4_BATCH      64u   /* packets per system call */
#define DHCP4_PACKET_MAX 4096u /* octets of one that is received; longer ones are truncated */

struct dhcp4_inbox;

int dhcp4_inbox_new(struct dhcp4_inbox **ret) WARN_UNUSED;
void dhcp4_inbox_free(struct dhcp4_inbox *in);
/* Reads what is there, at most DHCP4_BATCH packets; how many, or -errno (-EAGAIN:
 * none). */
int dhcp4_inbox_read(struct dhcp4_inbox *in, int fd) WARN_UNUSED;
/* The i-th packet of the last read; valid until the next. */
struct dhcp4_packet dhcp4_inbox_packet(const struct dhcp4_inbox *in, unsigned i);
/* How many packets the kernel has dropped on that socket since it was opened,
 * because nobody read them in time (SO_RXQ_OVFL), as the last read says. */
uint32_t dhcp4_inbox_overflow(const struct dhcp4_inbox *in);

struct dhcp4_outbox;

int dhcp4_outbox_new(struct dhcp4_outbox **ret) WARN_UNUSED;
void dhcp4_outbox_free(struct dhcp4_outbox *out);
bool dhcp4_outbox_is_full(const struct dhcp4_outbox *out);
/* Adds a datagram (as dhcp4_socket_send()) or a frame; the octets must live until
 * the flush, a frame is copied.  Not when it is full. */
void dhcp4_outbox_add(struct dhcp4_outbox *out, int fd, unsigned ifindex, struct ip4 from,
	struct ip4 to, uint16_t port, struct span data);
void dhcp4_outbox_add_frame(
	struct dhcp4_outbox *out, int raw_fd, unsigned ifindex, const struct frame4 *f);
/* Sends all and empties it.  0, or the last -errno with *ret_failed set to how many
 * could not be sent. */
int dhcp4_outbox_flush(struct dhcp4_outbox *out, unsigned *ret_failed) WARN_UNUSED;
