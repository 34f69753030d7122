/* load_tftp: TFTP clients by the hundred, each octet compared with the file.
 *
 *   load_tftp --server IP --name NAME --file PATH [--local FIRST-IP] [--clients N]
 *             [--blksize N] [--windowsize N] [--seconds S] [--rounds N] [--port N] [--hold]
 *
 * Each client fetches the file again and again (--rounds: at most so often) until
 * the seconds are over, and then ends the transfer that it has; client i has
 * the address FIRST-IP + i.  --hold: each opens one transfer, takes the first
 * data and leaves the server waiting; the result is printed when all have, or the
 * seconds are over, and then the program stays for HOLD_S.  Prints one JSON object.
 */
#include "tftp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 16000,
	EVENTS = 256,
	TICK_US = 50000,
	TRIES = 6,
	TIMEOUT_US = 1000000,
	TAIL_S = 60,       /* what a slow server has to end its transfers */
	OPEN_AT_ONCE = 64, /* requests of --hold that wait for their answer */
	HOLD_S = 30,
};

struct options {
	struct tftp_job job;
	struct in_addr local;
	unsigned clients, rounds, seconds;
	bool hold;
};

struct load {
	struct options o;
	int epoll;
	struct tftp_client *clients;
	unsigned *left; /* rounds, of each client */
	unsigned running, begun, held;
	unsigned long done, failed;
	const char *why;
	struct tftp_counts counts;
	struct waits waits;
	int64_t end_us;
};

static void begin(struct load *l, unsigned i)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };

	tftp_client_begin(&l->clients[i], &l->o.job, client_address(l->o.local, i), l->o.hold);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->clients[i].fd, &e) < 0)
		die("epoll_ctl");
	l->running++;
}

static void settle(struct load *l, unsigned i, int64_t now)
{
	struct tftp_client *c = &l->clients[i];

	if (c->state < TFTP_DONE)
		return;
	(void)close(c->fd);
	c->fd = -1;
	l->running--;
	if (c->state == TFTP_FAILED) {
		l->failed++;
		l->why = c->why;
	} else {
		l->done++;
		waits_add(&l->waits, now - c->began_us);
	}
	if (now < l->end_us && --l->left[i])
		begin(l, i);
}

static void on_readable(struct load *l, unsigned i)
{
	struct tftp_client *c = &l->clients[i];
	bool was_asking = c->state == TFTP_ASKING;

	tftp_client_read(c, &l->counts);
	if (l->o.hold && was_asking && c->state == TFTP_RUNNING) {
		/* What the server sends from now on stays in the socket. */
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, c->fd, NULL);
		l->held++;
	}
	settle(l, i, now_us());
}

/* Those of --hold begin as the server answers, so that what it cannot do is seen, not what is lost. */
static void begin_more(struct load *l)
{
	unsigned limit = l->o.hold ? l->held + (unsigned)l->failed + OPEN_AT_ONCE : l->o.clients;

	while (l->begun < l->o.clients && l->begun < limit)
		begin(l, l->begun++);
}

static bool ended(const struct load *l, int64_t now)
{
	if (l->o.hold)
		return now > l->end_us ||
			(l->begun == l->o.clients && l->held + l->failed == l->o.clients);
	return !l->running || now > l->end_us + TAIL_S * (int64_t)1000000;
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];
	int64_t now = now_us(), next_tick = now;

	begin_more(l);
	while (!ended(l, now)) {
		int n = epoll_wait(l->epoll, events, EVENTS, TICK_US / 1000);

		for (int i = 0; i < n; i++)
			on_readable(l, events[i].data.u32);
		begin_more(l);
		now = now_us();
		if (now < next_tick)
			continue;
		next_tick = now + TICK_US;
		for (unsigned i = 0; i < l->begun; i++)
			if (l->clients[i].fd >= 0) {
				tftp_client_tick(&l->clients[i], now, &l->counts);
				settle(l, i, now);
			}
	}
}

static void print(struct load *l, double seconds)
{
	printf("{\"clients\": %u, \"done\": %lu, \"failed\": %lu, \"unfinished\": %u, \"held\": "
	       "%u, \"octets\": %llu, "
	       "\"seconds\": %.3f, \"mb_s\": %.2f, \"resent\": %lu, \"duplicates\": %lu, \"gaps\": "
	       "%lu, ",
		l->o.clients, l->done, l->failed, l->o.hold ? 0 : l->running, l->held,
		(unsigned long long)l->counts.octets, seconds,
		(double)l->counts.octets / 1e6 / seconds, l->counts.resent, l->counts.duplicates,
		l->counts.gaps);
	waits_print(&l->waits, "transfer");
	printf(", \"load_cpu_s\": %.2f, \"why\": \"%s\"}\n", own_cpu_s(), l->why ? l->why : "");
	(void)fflush(stdout);
}

static bool parse(int argc, char **argv, struct options *o)
{
	const struct load_option list[] = {
		{ "server", LOAD_ADDRESS, &o->job.server.sin_addr, 0 },
		{ "name", LOAD_TEXT, &o->job.name, 0 },
		{ "file", LOAD_FILE, &o->job.expected, 0 },
		{ "local", LOAD_ADDRESS, &o->local, 0 },
		{ "clients", LOAD_NUMBER, &o->clients, CLIENTS_MAX },
		{ "blksize", LOAD_NUMBER, &o->job.blksize, 1468 },
		{ "windowsize", LOAD_NUMBER, &o->job.windowsize, 65535 },
		{ "seconds", LOAD_NUMBER, &o->seconds, 600 },
		{ "rounds", LOAD_NUMBER, &o->rounds, 1000000 },
		{ "port", LOAD_PORT, &o->job.server.sin_port, 0 },
		{ "hold", LOAD_FLAG, &o->hold, 0 },
	};

	*o = (struct options){ .clients = 128, .seconds = 3, .rounds = 1000000 };
	o->job = (struct tftp_job){ .blksize = 1468,
		.windowsize = 1,
		.timeout_us = TIMEOUT_US,
		.tries = TRIES,
		.server = { .sin_family = AF_INET, .sin_port = htons(69) } };
	return parse_options(argc, argv, list, sizeof(list) / sizeof(*list)) &&
		o->job.server.sin_addr.s_addr && o->job.name && o->job.expected.p && o->clients &&
		o->rounds && o->job.blksize >= 8 && o->job.windowsize;
}

int main(int argc, char **argv)
{
	static struct load l;
	int64_t began;

	if (!parse(argc, argv, &l.o)) {
		(void)fprintf(stderr,
			"usage: load_tftp --server IP --name NAME --file PATH "
			"[--local FIRST-IP] [--clients N]\n"
			"                 [--blksize N] [--windowsize N] [--seconds "
			"S] [--rounds N] [--port N] [--hold]\n");
		return 2;
	}
	raise_descriptor_limit();
	waits_init(&l.waits, 1000000);
	l.clients = calloc(l.o.clients, sizeof(*l.clients));
	l.left = calloc(l.o.clients, sizeof(*l.left));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!l.clients || !l.left || l.epoll < 0)
		die("memory");
	for (unsigned i = 0; i < l.o.clients; i++)
		l.left[i] = l.o.rounds;
	began = now_us();
	l.end_us = began + l.o.seconds * (int64_t)1000000;
	run(&l);
	print(&l, (double)(now_us() - began) / 1e6);
	if (l.o.hold)
		(void)sleep(HOLD_S);
	return 0;
}
