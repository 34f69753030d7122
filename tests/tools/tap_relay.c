/* A wire of bad quality: relays frames between two bridges through two taps,
 * and delays, loses, doubles and reorders them on the way, or takes options out
 * of the client's DHCP.
 *
 * A test tool: whatever goes wrong ends it with a message.  Chance comes from a
 * seed that it prints and takes, so that a run can be repeated.
 *
 *   tap_relay --client BRIDGE --server BRIDGE [--delay MS] [--loss PERCENT]
 *       [--duplicate PERCENT] [--reorder PERCENT] [--seed N]
 *       [--strip-dhcp-options CODE,CODE… [--first N]]
 *
 * With --strip-dhcp-options 77,175 the iPXE ROM looks like a plain PXE BIOS
 * client in its first N exchanges (default 1), and like iPXE from then on.  An
 * exchange is a transaction id: iPXE repeats its DISCOVER, so counting packets
 * would not do.
 */
#include "base/bytes.h"
#include "edge/lab_net.h"

#include <errno.h>
#include <getopt.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX     2048
#define QUEUE_MAX     4096
#define EXCHANGES_MAX 64
#define REORDER_MS    10 /* how long a frame is held back that others shall overtake */

struct chances {
	unsigned delay_ms, loss, duplicate, reorder; /* all but the first in percent */
};

struct stripper {
	bool codes[256];
	unsigned first; /* exchanges to strip; 0: none */
	unsigned n_seen;
	uint32_t seen[EXCHANGES_MAX];
};

/* A frame as the tap gives it: a virtio header, then Ethernet.  As we never ask
 * for offloads, the kernel completes checksums and the header is zero. */
struct frame {
	int64_t due_us;
	int to_fd;
	size_t n;
	uint8_t octets[FRAME_MAX];
};

struct relay {
	struct lab_tap client, server;
	struct chances chances;
	struct stripper stripper;
	unsigned seed;
	size_t n_queued;
	struct frame *queue[QUEUE_MAX];
};

static _Noreturn void die(const char *what, int err)
{
	fprintf(stderr, "tap_relay: %s: %s\n", what, strerror(err));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The Internet checksum (RFC 1071) goes on from sum over n octets. */
static uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	return n % 2 ? sum + (uint32_t)(p[n - 1] << 8) : sum;
}

static void udp_checksum(const uint8_t *ip, uint8_t *udp)
{
	uint16_t n = get16(udp + 4);
	uint32_t sum;

	udp[6] = udp[7] = 0;
	sum = checksum_add(17u + n, ip + 12, 8);
	sum = checksum_add(sum, udp, n);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	if (sum == 0)
		sum = 0xffff; /* RFC 768: zero means that there is none */
	udp[6] = (uint8_t)(sum >> 8);
	udp[7] = (uint8_t)sum;
}

/* Whether this exchange is among the first ones. */
static bool stripper_wants(struct stripper *s, uint32_t xid)
{
	for (unsigned i = 0; i < s->n_seen; i++) {
		if (s->seen[i] == xid)
			return true;
	}
	if (s->n_seen >= s->first)
		return false;
	s->seen[s->n_seen++] = xid;
	return true;
}

/* Takes the options out; what follows moves up, and PAD takes the room that is
 * left at the end, so that no length changes. */
static void options_strip(const bool codes[256], uint8_t *p, size_t n)
{
	size_t from = 0, to = 0;

	while (from < n && p[from] != 255) {
		size_t len = p[from] == 0 ? 1 : from + 1 < n ? 2 + (size_t)p[from + 1] : n;

		if (len > n - from)
			break;
		if (!codes[p[from]]) {
			memmove(p + to, p + from, len);
			to += len;
		}
		from += len;
	}
	memmove(p + to, p + from, n - from);
	memset(p + to + n - from, 0, from - to);
}

/* Strips a client's DHCP packet; leaves everything else alone. */
static void frame_strip(struct stripper *s, uint8_t *eth, size_t n)
{
	static const uint8_t cookie[] = { 99, 130, 83, 99 };
	uint8_t *ip = eth + 14, *udp, *dhcp;
	size_t ip_n;
	uint32_t xid;

	if (n < 14 + 20 + 8 + 240 || get16(eth + 12) != 0x0800 || ip[0] >> 4 != 4 || ip[9] != 17)
		return;
	ip_n = (size_t)(ip[0] & 15) * 4;
	udp = ip + ip_n;
	dhcp = udp + 8;
	if (14 + ip_n + get16(udp + 4) > n || get16(udp + 4) < 8 + 240 || get16(udp + 2) != 67 ||
		dhcp[0] != 1 || memcmp(dhcp + 236, cookie, 4) != 0)
		return;
	memcpy(&xid, dhcp + 4, sizeof(xid));
	if (!stripper_wants(s, xid))
		return;
	options_strip(s->codes, dhcp + 240, get16(udp + 4) - 8u - 240u);
	udp_checksum(ip, udp);
	printf("stripped a DHCP packet of exchange %08x\n", (unsigned)xid);
}

static bool chance(struct relay *r, unsigned percent)
{
	return (unsigned)rand_r(&r->seed) % 100 < percent;
}

static void relay_queue(struct relay *r, int to_fd, const uint8_t *octets, size_t n)
{
	int64_t wait_ms = r->chances.delay_ms;
	struct frame *f;

	if (r->n_queued == QUEUE_MAX)
		return; /* as a real wire's queue would */
	if (chance(r, r->chances.reorder))
		wait_ms += REORDER_MS;
	f = malloc(sizeof(*f));
	if (!f)
		die("no memory", ENOMEM);
	f->due_us = now_us() + wait_ms * 1000;
	f->to_fd = to_fd;
	f->n = n;
	memcpy(f->octets, octets, n);
	r->queue[r->n_queued++] = f;
}

static void relay_receive(struct relay *r, const struct lab_tap *from, const struct lab_tap *to)
{
	const size_t head = sizeof(struct virtio_net_hdr);
	uint8_t octets[FRAME_MAX];
	ssize_t n = read(from->fd, octets, sizeof(octets));

	if (n < 0)
		die("reading a tap", errno);
	if ((size_t)n < head)
		return;
	if (from == &r->client && r->stripper.first > 0)
		frame_strip(&r->stripper, octets + head, (size_t)n - head);
	if (chance(r, r->chances.loss))
		return;
	relay_queue(r, to->fd, octets, (size_t)n);
	if (chance(r, r->chances.duplicate))
		relay_queue(r, to->fd, octets, (size_t)n);
}

/* Sends what is due, in the order in which it came; returns the time until the
 * next is, in µs, or -1 when none waits. */
static int64_t relay_send_due(struct relay *r)
{
	int64_t now = now_us(), next = -1;
	size_t kept = 0;

	for (size_t i = 0; i < r->n_queued; i++) {
		struct frame *f = r->queue[i];
		int64_t left = f->due_us - now;

		if (left > 0) {
			r->queue[kept++] = f;
			next = next < 0 || left < next ? left : next;
			continue;
		}
		if (write(f->to_fd, f->octets, f->n) < 0 && errno != EIO)
			die("writing a tap", errno);
		free(f);
	}
	r->n_queued = kept;
	return next;
}

static _Noreturn void relay_run(struct relay *r)
{
	struct pollfd fds[] = { { r->client.fd, POLLIN, 0 }, { r->server.fd, POLLIN, 0 } };

	for (;;) {
		int64_t left_us = relay_send_due(r);
		struct timespec wait = { left_us / 1000000, left_us % 1000000 * 1000 };

		if (ppoll(fds, 2, left_us < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR)
			die("poll", errno);
		if (fds[0].revents)
			relay_receive(r, &r->client, &r->server);
		if (fds[1].revents)
			relay_receive(r, &r->server, &r->client);
	}
}

static void parse_codes(struct stripper *s, char *list)
{
	for (char *code = strtok(list, ","); code; code = strtok(NULL, ","))
		s->codes[strtoul(code, NULL, 10) & 255] = true;
	s->first = s->first ? s->first : 1;
}

static _Noreturn void usage(void)
{
	fputs("usage: tap_relay --client BRIDGE --server BRIDGE [--delay MS] [--loss PERCENT]\n"
	      "    [--duplicate PERCENT] [--reorder PERCENT] [--seed N]\n"
	      "    [--strip-dhcp-options CODE,CODE... [--first N]]\n",
		stderr);
	exit(2);
}

static void parse(int argc, char **argv, struct relay *r, const char **client, const char **server)
{
	static const struct option longs[] = {
		{ "client", required_argument, NULL, 'c' },
		{ "server", required_argument, NULL, 's' },
		{ "delay", required_argument, NULL, 'd' },
		{ "loss", required_argument, NULL, 'l' },
		{ "duplicate", required_argument, NULL, '2' },
		{ "reorder", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'e' },
		{ "strip-dhcp-options", required_argument, NULL, 'o' },
		{ "first", required_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'c':
			*client = optarg;
			break;
		case 's':
			*server = optarg;
			break;
		case 'd':
			r->chances.delay_ms = number;
			break;
		case 'l':
			r->chances.loss = number;
			break;
		case '2':
			r->chances.duplicate = number;
			break;
		case 'r':
			r->chances.reorder = number;
			break;
		case 'e':
			r->seed = number;
			break;
		case 'o':
			parse_codes(&r->stripper, optarg);
			break;
		case 'f':
			r->stripper.first = number;
			break;
		default:
			usage();
		}
	}
	if (!*client || !*server || optind < argc || r->stripper.first > EXCHANGES_MAX)
		usage();
}

int main(int argc, char **argv)
{
	const char *client = NULL, *server = NULL;
	static struct relay r;
	int err;

	if (getrandom(&r.seed, sizeof(r.seed), 0) != sizeof(r.seed))
		die("no random seed", errno);
	parse(argc, argv, &r, &client, &server);
	err = lab_tap_open(client, &r.client);
	if (err < 0)
		die(client, -err);
	err = lab_tap_open(server, &r.server);
	if (err < 0)
		die(server, -err);

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("relaying between %s (%s) and %s (%s), seed %u\n", client, r.client.name, server,
		r.server.name, r.seed);
	relay_run(&r);
}
