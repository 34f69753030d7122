/* recvmmsg and sendmmsg for DHCPv4. */
#include "edge/dhcp4_batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define FRAME_MAX 2048u

union in_control {
	struct cmsghdr align;
	char b[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
};

struct dhcp4_inbox {
	struct mmsghdr msgs[DHCP4_BATCH];
	struct iovec iov[DHCP4_BATCH];
	struct sockaddr_in from[DHCP4_BATCH];
	union in_control control[DHCP4_BATCH];
	uint32_t overflow;
	uint8_t data[DHCP4_BATCH][DHCP4_PACKET_MAX];
};

int dhcp4_inbox_new(struct dhcp4_inbox **ret)
{
	struct dhcp4_inbox *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	*ret = in;
	return 0;
}

void dhcp4_inbox_free(struct dhcp4_inbox *in)
{
	free(in);
}

int dhcp4_inbox_read(struct dhcp4_inbox *in, int fd)
{
	int n;

	for (unsigned i = 0; i < DHCP4_BATCH; i++) {
		in->iov[i] = (struct iovec){ in->data[i], DHCP4_PACKET_MAX };
		in->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &in->from[i],
			.msg_namelen = sizeof(in->from[i]),
			.msg_iov = &in->iov[i],
			.msg_iovlen = 1,
			.msg_control = &in->control[i],
			.msg_controllen = sizeof(in->control[i]),
		};
	}
	in->overflow = 0;
	n = recvmmsg(fd, in->msgs, DHCP4_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct msghdr *m = &in->msgs[i].msg_hdr;

		for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
			if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
				memcpy(&in->overflow, CMSG_DATA(c), sizeof(in->overflow));
	}
	return n;
}

uint32_t dhcp4_inbox_overflow(const struct dhcp4_inbox *in)
{
	return in->overflow;
}

struct dhcp4_packet dhcp4_inbox_packet(const struct dhcp4_inbox *in, unsigned i)
{
	/* CMSG_NXTHDR takes no const, and changes nothing. */
	struct msghdr m = in->msgs[i].msg_hdr;
	struct dhcp4_packet p = {
		.data = { in->data[i], in->msgs[i].msg_len },
		.truncated = m.msg_flags & MSG_TRUNC,
		.source.v = ntohl(in->from[i].sin_addr.s_addr),
		.source_port = ntohs(in->from[i].sin_port),
	};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			p.ifindex = (unsigned)info.ipi_ifindex;
			p.local.v = ntohl(info.ipi_spec_dst.s_addr);
			p.broadcast = info.ipi_addr.s_addr == htonl(INADDR_BROADCAST);
		}
	}
	return p;
}

union out_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_ll ll;
};

union out_control {
	struct cmsghdr align;
	char b[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct dhcp4_outbox {
	unsigned n;
	int fds[DHCP4_BATCH];
	struct mmsghdr msgs[DHCP4_BATCH];
	struct iovec iov[DHCP4_BATCH];
	union out_address to[DHCP4_BATCH];
	union out_control control[DHCP4_BATCH];
	uint8_t frames[DHCP4_BATCH][FRAME_MAX];
};

int dhcp4_outbox_new(struct dhcp4_outbox **ret)
{
	struct dhcp4_outbox *out = calloc(1, sizeof(*out));

	if (!out)
		return -ENOMEM;
	*ret = out;
	return 0;
}

void dhcp4_outbox_free(struct dhcp4_outbox *out)
{
	free(out);
}

bool dhcp4_outbox_is_full(const struct dhcp4_outbox *out)
{
	return out->n == DHCP4_BATCH;
}

static struct msghdr *add(
	struct dhcp4_outbox *out, int fd, struct span data, socklen_t address_size)
{
	unsigned i = out->n++;
	struct msghdr *m = &out->msgs[i].msg_hdr;

	out->fds[i] = fd;
	out->iov[i] = (struct iovec){ (void *)(uintptr_t)data.p, data.n };
	*m = (struct msghdr){ .msg_name = &out->to[i],
		.msg_namelen = address_size,
		.msg_iov = &out->iov[i],
		.msg_iovlen = 1 };
	return m;
}

void dhcp4_outbox_add(struct dhcp4_outbox *out, int fd, unsigned ifindex, struct ip4 from,
	struct ip4 to, uint16_t port, struct span data)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)ifindex,
		.ipi_spec_dst.s_addr = htonl(from.v) };
	unsigned i = out->n;
	struct msghdr *m;
	struct cmsghdr *c;

	if (dhcp4_outbox_is_full(out))
		return;
	out->to[i].in = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(to.v)
	};
	m = add(out, fd, data, sizeof(out->to[i].in));
	m->msg_control = &out->control[i];
	m->msg_controllen = sizeof(out->control[i]);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

void dhcp4_outbox_add_frame(
	struct dhcp4_outbox *out, int raw_fd, unsigned ifindex, const struct frame4 *f)
{
	unsigned i = out->n;
	struct wr w;

	if (dhcp4_outbox_is_full(out))
		return;
	w = wr_of(out->frames[i], FRAME_MAX);
	frame4_encode(f, &w); /* one that is too long has no octets, and fails as such */
	out->to[i].ll = (struct sockaddr_ll){ .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)ifindex,
		.sll_halen = sizeof(f->dst_mac.b) };
	memcpy(out->to[i].ll.sll_addr, f->dst_mac.b, sizeof(f->dst_mac.b));
	(void)add(out, raw_fd, w.full ? SPAN_NONE : wr_done(&w), sizeof(out->to[i].ll));
}

int dhcp4_outbox_flush(struct dhcp4_outbox *out, unsigned *ret_failed)
{
	unsigned at = 0, failed = 0;
	int error = 0;

	while (at < out->n) {
		unsigned same = at + 1;
		int n;

		while (same < out->n && out->fds[same] == out->fds[at])
			same++;
		n = sendmmsg(out->fds[at], &out->msgs[at], same - at, 0);
		if (n > 0) {
			at += (unsigned)n;
		} else if (errno != EINTR) { /* the first of them: go on behind it */
			error = -errno;
			failed++;
			at++;
		}
	}
	out->n = 0;
	if (failed)
		*ret_failed = failed;
	return error;
}
