/* load4: DHCPv4 clients by the ten thousand, behind one relay address.
 *
 *   load4 --local IP --server IP [--clients N] [--first N] [--seconds S]
 *         (--rate EXCHANGES | --window OPEN) | --burst N [--hold PID]
 *
 * --rate begins four-way exchanges at a fixed pace, whatever the server does, and
 * counts latency from the moment a packet was due; --window keeps so many open,
 * which is as fast as the server can.  --burst sends N DISCOVERs at once; with
 * --hold the server is stopped (SIGSTOP) until the last one is in its socket,
 * which is stricter than any interval.  A packet is lost that is not
 * answered in a second (a burst's: in four).  Prints one JSON object.
 */
#include "packet4.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define SLOTS          (1u << 18) /* exchanges in flight, and then some */
#define RECEIVE_BUFFER (16 << 20)
#define ANSWERS_MAX    8000000u
#define LOST_US        1000000
#define BURST_US       4000000

struct options {
	struct in_addr local, server;
	unsigned clients, first, rate, window, burst;
	int seconds, hold;
};

struct exchange {
	uint32_t xid;
	bool open, requested;
	int64_t due_us; /* of the packet that waits for its answer */
};

struct load {
	struct options o;
	int fd;
	struct exchange slots[SLOTS];
	uint32_t begun, oldest; /* numbers of exchanges; a number is also the xid */
	unsigned in_flight;
	unsigned long offers, acks, naks, lost;
	uint32_t *latency_us; /* of each answer */
	size_t answers;
	uint8_t out[BATCH][PACKET_SIZE];
	unsigned n_out;
};

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "load4: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_socket(struct load *l)
{
	const int on = 1, size = RECEIVE_BUFFER;
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr = l->o.local
	};
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr = l->o.server
	};

	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
		bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		connect(l->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("socket");
}

static void flush(struct load *l)
{
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];

	for (unsigned i = 0; i < l->n_out; i++) {
		iov[i] = (struct iovec){ l->out[i], PACKET_SIZE };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	for (unsigned sent = 0; sent < l->n_out;) {
		int r = sendmmsg(l->fd, m + sent, l->n_out - sent, 0);

		if (r < 0 && errno != EAGAIN && errno != ECONNREFUSED)
			die("sendmmsg");
		sent += r > 0 ? (unsigned)r : 0;
	}
	l->n_out = 0;
}

/* A packet of exchange `number`; offer: what its REQUEST answers, or NULL. */
static void put_packet(
	struct load *l, uint32_t number, const uint8_t *offer, const uint8_t *server_id)
{
	static const uint8_t wanted[] = { 1, 3, 6, 15, 28, 51, 54, 58, 59 };
	uint8_t *p = l->out[l->n_out++], *at = p + AT_OPTIONS;
	uint8_t type = offer ? REQUEST : DISCOVER;

	memset(p, 0, PACKET_SIZE);
	memcpy(p, (const uint8_t[]){ 1, 1, 6, 1 }, 4);
	put_u32(p + AT_XID, number);
	memcpy(p + AT_GIADDR, &l->o.local, 4);
	p[AT_CHADDR] = 2;
	put_u32(p + AT_CHADDR + 2, l->o.first + number % l->o.clients);
	put_u32(p + AT_COOKIE, 0x63825363);
	at = put_option(at, 53, &type, 1);
	if (offer) {
		at = put_option(at, 50, offer + AT_YIADDR, 4);
		at = put_option(at, 54, server_id, 4);
	}
	at = put_option(at, 55, wanted, sizeof(wanted));
	*at = 255;
	if (l->n_out == BATCH)
		flush(l);
}

static void begin_exchange(struct load *l, int64_t due_us)
{
	struct exchange *x = &l->slots[l->begun % SLOTS];

	*x = (struct exchange){ .xid = l->begun, .open = true, .due_us = due_us };
	put_packet(l, l->begun++, NULL, NULL);
	l->in_flight++;
}

static void note_answer(struct load *l, const struct exchange *x, int64_t now)
{
	int64_t us = now - x->due_us;

	if (l->answers < ANSWERS_MAX)
		l->latency_us[l->answers++] = us < 0 ? 0 : (uint32_t)us;
}

static void take_answer(struct load *l, const uint8_t *p, size_t n, int64_t now)
{
	const uint8_t *type = n > AT_OPTIONS ? find_option(p, n, 53, 1) : NULL;
	const uint8_t *server_id = type ? find_option(p, n, 54, 4) : NULL;
	struct exchange *x = &l->slots[get_u32(p + AT_XID) % SLOTS];

	if (!server_id || !x->open || x->xid != get_u32(p + AT_XID))
		return;
	if (*type == OFFER && !x->requested) {
		note_answer(l, x, now);
		l->offers++;
		if (!l->o.burst) {
			x->requested = true;
			x->due_us = now;
			put_packet(l, x->xid, p, server_id);
			return;
		}
	} else if (*type == ACK && x->requested) {
		note_answer(l, x, now);
		l->acks++;
	} else if (*type == OFFER) {
		return;
	} else {
		l->naks++;
	}
	x->open = false;
	l->in_flight--;
}

static bool receive(struct load *l)
{
	static uint8_t data[BATCH][PACKET_MAX];
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int64_t now;
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], PACKET_MAX };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(l->fd, m, BATCH, 0, NULL);
	now = now_us();
	for (int i = 0; i < n; i++)
		take_answer(l, data[i], m[i].msg_len, now);
	return n == BATCH;
}

static void expire(struct load *l, int64_t before_us)
{
	for (; l->oldest != l->begun; l->oldest++) {
		struct exchange *x = &l->slots[l->oldest % SLOTS];

		if (x->open && x->due_us > before_us)
			return;
		if (x->open) {
			x->open = false;
			l->in_flight--;
			l->lost++;
		}
	}
}

static void wait_readable(const struct load *l, int64_t us)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	if (us > 0)
		(void)ppoll(&p, 1, &t, NULL);
}

/* When exchange `number` is due, at a fixed rate. */
static int64_t due(const struct load *l, int64_t begin_us, uint32_t number)
{
	return begin_us + (int64_t)number * 1000000 / l->o.rate;
}

/* Begins what is to begin by now; when the next one is. */
static int64_t begin_more(struct load *l, int64_t begin_us, int64_t now)
{
	if (l->o.window) {
		while (l->in_flight < l->o.window)
			begin_exchange(l, now);
		return now + 1000;
	}
	while (due(l, begin_us, l->begun) <= now)
		begin_exchange(l, due(l, begin_us, l->begun));
	return due(l, begin_us, l->begun);
}

static void run_exchanges(struct load *l, int64_t begin_us)
{
	int64_t end_us = begin_us + (int64_t)l->o.seconds * 1000000, now = begin_us;

	while (now < end_us || l->in_flight) {
		int64_t next = now < end_us ? begin_more(l, begin_us, now) : now + 10000;

		flush(l);
		expire(l, now - LOST_US);
		if (!receive(l)) {
			flush(l);
			wait_readable(l, next - now_us());
		}
		flush(l);
		now = now_us();
	}
}

static void run_burst(struct load *l)
{
	int64_t begin = now_us();

	if (l->o.hold && kill(l->o.hold, SIGSTOP) < 0)
		die("--hold");
	for (unsigned i = 0; i < l->o.burst; i++)
		begin_exchange(l, begin);
	flush(l);
	if (l->o.hold)
		(void)kill(l->o.hold, SIGCONT);
	while (l->in_flight && now_us() < begin + BURST_US)
		if (!receive(l))
			wait_readable(l, 1000);
	expire(l, INT64_MAX);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print(struct load *l, double seconds)
{
	const uint32_t *us = l->latency_us;
	size_t n = l->answers;

	qsort(l->latency_us, n, sizeof(*us), compare);
	printf("{\"begun\": %u, \"offers\": %lu, \"acks\": %lu, \"naks\": %lu, \"lost\": %lu, \"seconds\": %.3f, "
	       "\"rate\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
		l->begun, l->offers, l->acks, l->naks, l->lost, seconds, (double)l->acks / seconds,
		n ? us[n / 2] / 1000.0 : 0.0, n ? us[n * 99 / 100] / 1000.0 : 0.0,
		n ? us[n - 1] / 1000.0 : 0.0);
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "local", 1, NULL, 'l' },
		{ "server", 1, NULL, 's' },
		{ "clients", 1, NULL, 'c' },
		{ "first", 1, NULL, 'f' },
		{ "seconds", 1, NULL, 't' },
		{ "rate", 1, NULL, 'r' },
		{ "window", 1, NULL, 'w' },
		{ "burst", 1, NULL, 'b' },
		{ "hold", 1, NULL, 'h' },
		{ 0 },
	};
	int c;

	*o = (struct options){ .clients = 50000, .seconds = 3 };
	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'l':
			if (!inet_aton(optarg, &o->local))
				return false;
			break;
		case 's':
			if (!inet_aton(optarg, &o->server))
				return false;
			break;
		case 'c':
			o->clients = n;
			break;
		case 'f':
			o->first = n;
			break;
		case 't':
			o->seconds = (int)n;
			break;
		case 'r':
			o->rate = n;
			break;
		case 'w':
			o->window = n;
			break;
		case 'b':
			o->burst = n;
			break;
		case 'h':
			o->hold = (int)n;
			break;
		default:
			return false;
		}
	}
	return optind == argc && o->server.s_addr && o->clients &&
		!!o->rate + !!o->window + !!o->burst == 1 && o->burst <= SLOTS;
}

int main(int argc, char **argv)
{
	static struct load l;
	int64_t begin;

	if (!parse(argc, argv, &l.o)) {
		(void)fprintf(stderr,
			"usage: load4 --local IP --server IP [--clients N] [--first N] [--seconds S]\n"
			"             --rate EXCHANGES | --window OPEN | --burst N [--hold PID]\n");
		return 2;
	}
	l.latency_us = malloc(ANSWERS_MAX * sizeof(*l.latency_us));
	if (!l.latency_us)
		die("memory");
	open_socket(&l);
	begin = now_us();
	if (l.o.burst)
		run_burst(&l);
	else
		run_exchanges(&l, begin);
	print(&l, l.o.burst ? (double)(now_us() - begin) / 1e6 : l.o.seconds);
	free(l.latency_us);
	return 0;
}
