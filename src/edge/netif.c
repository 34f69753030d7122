/* Interfaces by rtnetlink. */
#include "edge/netif.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct listing {
	struct iface_view *list;
	size_t n, cap;
	int error;
};

static int netlink_open(unsigned groups, int flags, int *ret_fd)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int request_dump(int fd, uint16_t type)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = 1 },
		.g = { .rtgen_family = type == RTM_GETADDR ? AF_INET : AF_UNSPEC },
	};

	return send(fd, &req, req.h.nlmsg_len, 0) < 0 ? -errno : 0;
}

static void on_link(struct nlmsghdr *h, struct listing *l)
{
	struct ifinfomsg *info = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h);
	struct iface_view v = { .index = (unsigned)info->ifi_index,
		.up = info->ifi_flags & IFF_UP,
		.ethernet = info->ifi_type == ARPHRD_ETHER,
		.mtu = 1500 };

	for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		size_t n = RTA_PAYLOAD(a);

		if (a->rta_type == IFLA_IFNAME && n <= sizeof(v.name))
			memcpy(v.name, RTA_DATA(a), n);
		else if (a->rta_type == IFLA_MTU && n == sizeof(v.mtu))
			memcpy(&v.mtu, RTA_DATA(a), n);
		else if (a->rta_type == IFLA_ADDRESS && n == sizeof(v.mac.b))
			memcpy(v.mac.b, RTA_DATA(a), n);
	}
	v.name[sizeof(v.name) - 1] = '\0';
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct iface_view *list = realloc(l->list, cap * sizeof(*list));

		if (!list) {
			l->error = -ENOMEM;
			return;
		}
		l->list = list;
		l->cap = cap;
	}
	l->list[l->n++] = v;
}

static void on_addr(struct nlmsghdr *h, struct listing *l)
{
	struct ifaddrmsg *info = NLMSG_DATA(h);
	int left = (int)IFA_PAYLOAD(h);
	struct iface_addr addr = { .prefix_len = info->ifa_prefixlen };

	for (struct rtattr *a = IFA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		struct rd r = rd_of((struct span){ RTA_DATA(a), RTA_PAYLOAD(a) });

		if (a->rta_type == IFA_LOCAL && RTA_PAYLOAD(a) == 4)
			addr.addr.v = rd_u32(&r);
	}
	for (size_t i = 0; i < l->n; i++) {
		struct iface_view *v = &l->list[i];

		if (v->index == info->ifa_index && v->n_addrs < IFACE_ADDRS_MAX && addr.addr.v)
			v->addrs[v->n_addrs++] = addr;
	}
}

/* Reads one dump to its end. */
static int read_dump(int fd, struct listing *l)
{
	static const size_t size = 32768;
	char *buf = malloc(size);
	int r = 1;

	if (!buf)
		return -ENOMEM;
	while (r > 0) {
		ssize_t got = recv(fd, buf, size, 0);
		unsigned left = got > 0 ? (unsigned)got : 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			r = got < 0 ? -errno : -EIO;
			break;
		}
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, left);
			h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				r = 0;
			else if (h->nlmsg_type == NLMSG_ERROR)
				r = ((struct nlmsgerr *)NLMSG_DATA(h))->error ? -EIO : 0;
			else if (h->nlmsg_type == RTM_NEWLINK)
				on_link(h, l);
			else if (h->nlmsg_type == RTM_NEWADDR)
				on_addr(h, l);
			if (r <= 0)
				break;
		}
	}
	free(buf);
	return r < 0 ? r : l->error;
}

int netif_list(struct iface_view **ret_list, size_t *ret_n)
{
	struct listing l = { 0 };
	int fd = -1, r;

	r = netlink_open(0, 0, &fd);
	if (r < 0)
		return r;
	r = request_dump(fd, RTM_GETLINK);
	if (r == 0)
		r = read_dump(fd, &l);
	if (r == 0)
		r = request_dump(fd, RTM_GETADDR);
	if (r == 0)
		r = read_dump(fd, &l);
	close(fd);
	if (r < 0) {
		free(l.list);
		return r;
	}
	*ret_list = l.list;
	*ret_n = l.n;
	return 0;
}

int netif_monitor_open(int *ret_fd)
{
	return netlink_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR, SOCK_NONBLOCK, ret_fd);
}

void netif_monitor_drain(int fd)
{
	char buf[8192];

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		/* ENOBUFS: changes were lost; the caller lists everything anew anyway. */
		if (n <= 0 && !(n < 0 && (errno == EINTR || errno == ENOBUFS)))
			return;
	}
}
