/* Batches of packets.  Decides neither what is sent nor when. */
#include "edge/tftp_batch.h"

#include "core/tftp_session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define SEGMENTS_MAX 64         /* UDP_MAX_SEGMENTS of older kernels */
#define MESSAGE_MAX  65507      /* a datagram's octets */
#define PARTS_MAX    8192       /* of all messages: each block has two or three */
#define OCTETS_MAX   (1u << 20) /* of a batch: then others have their turn */

#define CONTROL_MAX (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

struct tftp_batch_parts {
	struct mmsghdr messages[TFTP_BATCH_MESSAGES];
	struct sockaddr_in to[TFTP_BATCH_MESSAGES];
	_Alignas(struct cmsghdr) uint8_t control[TFTP_BATCH_MESSAGES][CONTROL_MAX];
	uint32_t ifindex[TFTP_BATCH_MESSAGES];
	bool segmented[TFTP_BATCH_MESSAGES];
	struct iovec list[PARTS_MAX];
	size_t n, n_headers, octets;
	uint8_t headers[PARTS_MAX / 2][TFTP_HEADER_LEN];
	uint8_t packets[TFTP_BATCH_MESSAGES][TFTP_OACK_MAX];
	const struct file_block *held[TFTP_BATCH_HELD];
	size_t n_held;
};

int tftp_batch_init(struct tftp_batch *b)
{
	b->parts = calloc(1, sizeof(*b->parts));
	return b->parts ? 0 : -ENOMEM;
}

void tftp_batch_free(struct tftp_batch *b)
{
	free(b->parts);
	b->parts = NULL;
}

bool tftp_batch_has_room(const struct tftp_batch *b)
{
	const struct tftp_batch_parts *p = b->parts;

	return b->n < TFTP_BATCH_MESSAGES && p->n + 3 * SEGMENTS_MAX <= PARTS_MAX &&
		p->n_headers + SEGMENTS_MAX <= ARRAY_LEN(p->headers) &&
		p->n_held + SEGMENTS_MAX <= TFTP_BATCH_HELD && p->octets < OCTETS_MAX;
}

static bool is_narrow(const struct tftp_batch *b, uint32_t ifindex)
{
	for (size_t i = 0; i < ARRAY_LEN(b->narrow); i++)
		if (b->narrow[i] == ifindex && ifindex != 0)
			return true;
	return false;
}

unsigned tftp_batch_blocks_max(
	const struct tftp_batch *b, const struct tftp_peer *peer, uint32_t blksize)
{
	unsigned fit = MESSAGE_MAX / (TFTP_HEADER_LEN + blksize);

	if (fit <= 1 || is_narrow(b, peer->ifindex))
		return 1;
	return fit < SEGMENTS_MAX ? fit : SEGMENTS_MAX;
}

/* ---- building ---- */

/* Adds a control message to message i. */
static void put_control(struct msghdr *h, int level, int type, const void *value, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)h->msg_control + h->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), value, n);
	h->msg_controllen += CMSG_SPACE(n);
}

struct tftp_message *tftp_batch_begin(
	struct tftp_batch *b, const struct tftp_peer *peer, bool name_local)
{
	struct tftp_batch_parts *p = b->parts;
	struct msghdr *h = &p->messages[b->n].msg_hdr;

	p->to[b->n] = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(peer->remote.v),
		.sin_port = htons(peer->remote_port),
	};
	p->ifindex[b->n] = peer->ifindex;
	*h = (struct msghdr){
		.msg_name = &p->to[b->n],
		.msg_namelen = sizeof(p->to[b->n]),
		.msg_iov = &p->list[p->n],
		.msg_control = p->control[b->n],
	};
	memset(p->control[b->n], 0, CONTROL_MAX);
	if (name_local) {
		struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(peer->local.v) };

		put_control(h, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	b->list[b->n] = (struct tftp_message){ .owner = NULL };
	return &b->list[b->n];
}

static void put_part(struct tftp_batch *b, const void *part, size_t n)
{
	struct tftp_batch_parts *p = b->parts;

	if (n == 0)
		return;
	p->list[p->n++] = (struct iovec){ (void *)(uintptr_t)part, n };
	p->messages[b->n].msg_hdr.msg_iovlen++;
	p->octets += n;
}

void tftp_batch_put_packet(struct tftp_batch *b, struct span packet)
{
	memcpy(b->parts->packets[b->n], packet.p, packet.n);
	put_part(b, b->parts->packets[b->n], packet.n);
}

void tftp_batch_put_header(struct tftp_batch *b, uint16_t number)
{
	struct tftp_batch_parts *p = b->parts;
	uint8_t *header = p->headers[p->n_headers++];
	struct wr w = wr_of(header, TFTP_HEADER_LEN);

	tftp_put_data(&w, number);
	put_part(b, header, TFTP_HEADER_LEN);
}

void tftp_batch_put_data(struct tftp_batch *b, const uint8_t *data, size_t n)
{
	put_part(b, data, n);
}

void tftp_batch_keep(struct tftp_batch *b, const struct file_block *block)
{
	b->parts->held[b->parts->n_held++] = block;
}

void tftp_batch_end(struct tftp_batch *b, size_t packet_octets)
{
	struct tftp_batch_parts *p = b->parts;
	struct msghdr *h = &p->messages[b->n].msg_hdr;
	uint16_t segment = (uint16_t)packet_octets;
	const struct tftp_message *m = &b->list[b->n];

	p->segmented[b->n] = m->last > m->first;
	if (p->segmented[b->n])
		put_control(h, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	if (h->msg_controllen == 0)
		h->msg_control = NULL;
	b->n++;
}

/* ---- sending ---- */

/* The interface takes no segments: its device has no checksums in hardware (EIO), or
 * the kernel has none of it. */
static bool says_never(int err)
{
	return err == EIO || err == ENOPROTOOPT || err == EOPNOTSUPP;
}

/* The path's MTU is less than a segment by now.  That is true of this client alone,
 * who can bring it about by a forged ICMP message: others must not pay for it. */
static bool says_too_long(int err)
{
	return err == EINVAL || err == EMSGSIZE;
}

static void set_fate(struct tftp_batch *b, size_t from, size_t to, enum tftp_sent fate)
{
	for (size_t i = from; i < to; i++)
		b->list[i].sent = fate;
}

static void set_narrow(struct tftp_batch *b, uint32_t ifindex)
{
	if (!is_narrow(b, ifindex))
		b->narrow[b->n_narrow++ % ARRAY_LEN(b->narrow)] = ifindex;
}

/* The first one that did not go; what stands behind it for the same owner would
 * overtake it.  Returns where to go on. */
static size_t send_singly(struct tftp_batch *b, size_t i)
{
	size_t end = i + 1;

	while (end < b->n && b->list[end].owner == b->list[i].owner)
		end++;
	set_fate(b, i, end, TFTP_SENT_SINGLY);
	return end;
}

void tftp_batch_send(struct tftp_batch *b, int fd)
{
	struct tftp_batch_parts *p = b->parts;
	size_t i = 0;

	while (i < b->n) {
		int n = sendmmsg(fd, &p->messages[i], (unsigned)(b->n - i), MSG_DONTWAIT);

		if (n > 0) {
			set_fate(b, i, i + (size_t)n, TFTP_SENT_OFF);
			i += (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			set_fate(b, i, b->n, TFTP_SENT_LATER);
			return;
		} else if (p->segmented[i] && (says_never(errno) || says_too_long(errno))) {
			if (says_never(errno))
				set_narrow(b, p->ifindex[i]);
			i = send_singly(b, i);
		} else if (errno != EINTR) {
			/* unreachable, no memory: a loss, which the session repairs */
			set_fate(b, i, i + 1, TFTP_SENT_OFF);
			i++;
		}
	}
}

void tftp_batch_reset(struct tftp_batch *b)
{
	struct tftp_batch_parts *p = b->parts;

	for (size_t i = 0; i < p->n_held; i++)
		block_release(p->held[i]);
	p->n_held = p->n = p->n_headers = p->octets = 0;
	b->n = 0;
}
