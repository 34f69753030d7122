/* Bridge and taps by rtnetlink(7) and /dev/net/tun; see lab_net.h.
 *
 * Each request travels on a socket of its own and asks for an acknowledgement,
 * so the kernel's answer to it is the only message there ever is to read.
 */
#include "edge/lab_net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	uint8_t body[256]; /* far more than the few short attributes below need */
};

static void request_put(struct request *r, const void *data, size_t n)
{
	size_t at = NLMSG_ALIGN(r->head.nlmsg_len);

	assert(at + n <= sizeof(*r));
	memcpy((uint8_t *)r + at, data, n);
	r->head.nlmsg_len = (uint32_t)(at + n);
}

static void request_attr(struct request *r, uint16_t type, const void *data, size_t n)
{
	struct rtattr attr = { .rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type };

	request_put(r, &attr, sizeof(attr));
	if (n > 0)
		request_put(r, data, n);
}

static void request_attr_str(struct request *r, uint16_t type, const char *s)
{
	request_attr(r, type, s, strlen(s) + 1);
}

/* Opens a nested attribute; what is put until request_end belongs to it. */
static size_t request_begin(struct request *r, uint16_t type)
{
	size_t at = NLMSG_ALIGN(r->head.nlmsg_len);

	request_attr(r, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static void request_end(struct request *r, size_t at)
{
	uint16_t len = (uint16_t)(r->head.nlmsg_len - at);

	memcpy((uint8_t *)r + at + offsetof(struct rtattr, rta_len), &len, sizeof(len));
}

/* The head and fixed part of a request about a link. flags_up: take it up too. */
static struct request request_link(uint16_t type, uint16_t flags, unsigned index, bool up)
{
	struct request r = {
		.head = { .nlmsg_len = sizeof(struct nlmsghdr),
			.nlmsg_type = type,
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) }
	};
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC,
		.ifi_index = (int)index,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = up ? IFF_UP : 0 };

	request_put(&r, &link, sizeof(link));
	return r;
}

/* Sends the request and returns the kernel's verdict: 0 or -E…. */
static int request_send(const struct request *r)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		uint8_t echo[sizeof(struct request)];
	} answer = { 0 };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = sendto(fd, r, r->head.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	if (n >= 0)
		n = recv(fd, &answer, sizeof(answer), 0);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(answer.head) + sizeof(answer.error) ||
		answer.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error;
}

static int bridge_create(const char *name)
{
	struct request r = request_link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, true);
	uint32_t no_delay = 0, no_stp = 0;
	struct mac mac;
	size_t info, data;

	/* Without a MAC of its own a bridge takes the lowest of its ports', anew
	 * with each tap, and machines that know it by ARP lose it. */
	if (getrandom(mac.b, sizeof(mac.b), 0) != sizeof(mac.b))
		return -EIO;
	mac.b[0] = (uint8_t)((mac.b[0] & ~1) | 2); /* one station's, locally administered */

	request_attr_str(&r, IFLA_IFNAME, name);
	request_attr(&r, IFLA_ADDRESS, mac.b, sizeof(mac.b));
	info = request_begin(&r, IFLA_LINKINFO);
	request_attr_str(&r, IFLA_INFO_KIND, "bridge");
	data = request_begin(&r, IFLA_INFO_DATA);
	/* Firmware gives up on DHCP before a port has listened and learnt for 30 s. */
	request_attr(&r, IFLA_BR_FORWARD_DELAY, &no_delay, sizeof(no_delay));
	request_attr(&r, IFLA_BR_STP_STATE, &no_stp, sizeof(no_stp));
	request_end(&r, data);
	request_end(&r, info);
	return request_send(&r);
}

static int address_add(unsigned index, struct ip4 address, unsigned prefix_len)
{
	struct request r = { .head = { .nlmsg_len = sizeof(struct nlmsghdr),
				     .nlmsg_type = RTM_NEWADDR,
				     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE |
					     NLM_F_EXCL } };
	struct ifaddrmsg addr = {
		.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix_len, .ifa_index = index
	};
	uint32_t local = htonl(address.v);
	uint32_t broadcast = htonl(address.v | ~ip4_mask(prefix_len));

	request_put(&r, &addr, sizeof(addr));
	request_attr(&r, IFA_LOCAL, &local, sizeof(local));
	request_attr(&r, IFA_ADDRESS, &local, sizeof(local));
	if (prefix_len < 31) /* RFC 3021: such a link has no broadcast address */
		request_attr(&r, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	return request_send(&r);
}

int lab_bridge_add(const char *name, struct ip4 address, unsigned prefix_len, unsigned *ret_index)
{
	unsigned index;
	int err;

	if (strlen(name) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	/* The kernel would choose a name by such a template, and we not know it. */
	if (*name == '\0' || strchr(name, '%'))
		return -EINVAL;
	err = bridge_create(name);
	if (err < 0)
		return err;
	index = if_nametoindex(name);
	if (index == 0)
		return -errno;
	err = address_add(index, address, prefix_len);
	if (err < 0) {
		/* The first failure is the one to tell; this one could only hide it. */
		int ignored = lab_bridge_delete(index);

		(void)ignored;
		return err;
	}
	*ret_index = index;
	return 0;
}

int lab_bridge_delete(unsigned index)
{
	struct request r = request_link(RTM_DELLINK, 0, index, false);

	return request_send(&r);
}

static int tap_attach(const char *tap, unsigned bridge)
{
	unsigned index = if_nametoindex(tap);

	if (index == 0)
		return -errno;

	struct request r = request_link(RTM_NEWLINK, 0, index, true);

	request_attr(&r, IFLA_MASTER, &bridge, sizeof(bridge));
	return request_send(&r);
}

int lab_tap_open(const char *bridge, struct lab_tap *ret_tap)
{
	struct ifreq req = { .ifr_name = "bsnode%d",
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	unsigned index = if_nametoindex(bridge);
	int fd, err;

	if (index == 0)
		return -ENODEV;
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0)
		return -errno;
	err = ioctl(fd, TUNSETIFF, &req) < 0 ? -errno : tap_attach(req.ifr_name, index);
	if (err < 0) {
		close(fd);
		return err;
	}
	ret_tap->fd = fd;
	memcpy(ret_tap->name, req.ifr_name, IFNAMSIZ);
	return 0;
}

void lab_tap_close(struct lab_tap *tap)
{
	close(tap->fd);
	tap->fd = -1;
}
