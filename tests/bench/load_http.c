/* load_http: HTTP connections that are kept, the octets compared with the file.
 *
 *   load_http --server IP --path PATH --file FILE [--local FIRST-IP] [--connections N]
 *             [--seconds S] [--port N] [--tls] [--check-one-in N]
 *
 * Comparing costs more than sending: --check-one-in leaves it to one connection in
 * N, and the others count octets, so that the server is measured and not the load.
 * Each connection asks again as soon as it has the answer; connection i comes from
 * FIRST-IP + i.  The load stops in the middle when the seconds are over.  A stall
 * is a connection that was without an octet for two seconds: a thousand that take
 * turns wait for one, and that is none.  Prints one JSON object.
 */
#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	CONNECTIONS_MAX = 8000,
	EVENTS = 256,
	TICK_MS = 100,
	STALL_US = 2000000,
	FAILURES_PER_CONNECTION = 3, /* then it is left alone */
};

struct options {
	struct sockaddr_in server;
	const char *path;
	struct file file;
	struct in_addr local;
	unsigned connections, seconds;
	unsigned check_one_in;
	bool tls;
};

struct load {
	struct options o;
	int epoll;
	SSL_CTX *ssl_ctx;
	char host[INET_ADDRSTRLEN];
	struct http_client *clients;
	uint8_t *failures; /* of each */
	unsigned long requests, failed, stalls;
	int64_t longest_gap_us;
	uint64_t octets;
	const char *why;
	struct waits waits;
	int64_t end_us;
};

static void watch(struct load *l, unsigned i, int operation, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u32 = i };

	if (epoll_ctl(l->epoll, operation, l->clients[i].fd, &e) < 0)
		die("epoll_ctl");
}

static void note_gap(struct load *l, int64_t gap_us)
{
	l->stalls += gap_us >= STALL_US;
	if (gap_us > l->longest_gap_us)
		l->longest_gap_us = gap_us;
}

static void open_one(struct load *l, unsigned i);

static void on_failed(struct load *l, unsigned i)
{
	struct http_client *c = &l->clients[i];

	l->failed++;
	l->why = c->why;
	note_gap(l, c->gap_us);
	http_client_close(c);
	if (++l->failures[i] < FAILURES_PER_CONNECTION)
		open_one(l, i);
}

static void open_one(struct load *l, unsigned i)
{
	struct http_client *c = &l->clients[i];

	http_client_open(c, &l->o.server, client_address(l->o.local, i), l->ssl_ctx);
	if (c->state == HTTP_FAILED)
		on_failed(l, i);
	else
		watch(l, i, EPOLL_CTL_ADD, EPOLLOUT);
}

static void on_answer(struct load *l, unsigned i)
{
	struct http_client *c = &l->clients[i];

	l->requests++;
	waits_add(&l->waits, c->heard_us - c->asked_us);
	note_gap(l, c->gap_us);
	if (c->closes) {
		http_client_close(c);
		open_one(l, i);
	}
}

static void on_event(struct load *l, unsigned i)
{
	struct http_client *c = &l->clients[i];
	bool connecting = c->state == HTTP_CONNECTING, asked = c->state >= HTTP_HEAD;

	http_client_go_on(c, &l->octets);
	if (c->state == HTTP_FAILED) {
		on_failed(l, i);
		return;
	}
	if (connecting)
		watch(l, i, EPOLL_CTL_MOD, EPOLLIN);
	if (c->state == HTTP_IDLE && asked)
		on_answer(l, i);
	if (c->state == HTTP_IDLE && c->fd >= 0)
		http_client_get(c, l->host, l->o.path, l->o.file);
	if (c->state == HTTP_FAILED)
		on_failed(l, i);
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];

	for (unsigned i = 0; i < l->o.connections; i++) {
		l->clients[i].counts = i % l->o.check_one_in != 0;
		open_one(l, i);
	}
	while (now_us() < l->end_us) {
		int n = epoll_wait(l->epoll, events, EVENTS, TICK_MS);

		for (int i = 0; i < n; i++)
			on_event(l, events[i].data.u32);
	}
	for (unsigned i = 0; i < l->o.connections; i++)
		if (l->clients[i].fd >= 0)
			note_gap(l, l->end_us - l->clients[i].heard_us);
}

static void print(struct load *l, double seconds)
{
	printf("{\"connections\": %u, \"requests\": %lu, \"failed\": %lu, \"stalls\": %lu, "
	       "\"longest_gap_ms\": %.1f, "
	       "\"octets\": %llu, \"seconds\": %.3f, \"rate\": %.0f, \"mb_s\": %.1f, ",
		l->o.connections, l->requests, l->failed, l->stalls,
		(double)l->longest_gap_us / 1e3, (unsigned long long)l->octets, seconds,
		(double)l->requests / seconds, (double)l->octets / 1e6 / seconds);
	waits_print(&l->waits, "request");
	printf(", \"load_cpu_s\": %.2f, \"why\": \"%s\"}\n", own_cpu_s(), l->why ? l->why : "");
}

static bool parse(int argc, char **argv, struct options *o)
{
	const struct load_option list[] = {
		{ "server", LOAD_ADDRESS, &o->server.sin_addr, 0 },
		{ "path", LOAD_TEXT, &o->path, 0 },
		{ "file", LOAD_FILE, &o->file, 0 },
		{ "local", LOAD_ADDRESS, &o->local, 0 },
		{ "connections", LOAD_NUMBER, &o->connections, CONNECTIONS_MAX },
		{ "seconds", LOAD_NUMBER, &o->seconds, 600 },
		{ "port", LOAD_PORT, &o->server.sin_port, 0 },
		{ "tls", LOAD_FLAG, &o->tls, 0 },
		{ "check-one-in", LOAD_NUMBER, &o->check_one_in, CONNECTIONS_MAX },
	};

	*o = (struct options){ .connections = 128,
		.seconds = 3,
		.check_one_in = 1,
		.server = { .sin_family = AF_INET, .sin_port = htons(80) } };
	return parse_options(argc, argv, list, sizeof(list) / sizeof(*list)) &&
		o->server.sin_addr.s_addr && o->path && o->file.p && o->connections && o->seconds &&
		o->check_one_in;
}

int main(int argc, char **argv)
{
	static struct load l;
	int64_t began;

	if (!parse(argc, argv, &l.o)) {
		(void)fprintf(stderr,
			"usage: load_http --server IP --path PATH --file FILE [--local FIRST-IP]\n"
			"                 [--connections N] [--seconds S] [--port N] [--tls]\n"
			"                 [--check-one-in N]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	raise_descriptor_limit();
	waits_init(&l.waits, 4000000);
	l.clients = calloc(l.o.connections, sizeof(*l.clients));
	l.failures = calloc(l.o.connections, 1);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l.o.tls)
		l.ssl_ctx = SSL_CTX_new(TLS_client_method());
	if (!l.clients || !l.failures || l.epoll < 0 || (l.o.tls && !l.ssl_ctx))
		die("memory");
	(void)inet_ntop(AF_INET, &l.o.server.sin_addr, l.host, sizeof(l.host));
	began = now_us();
	l.end_us = began + l.o.seconds * (int64_t)1000000;
	run(&l);
	print(&l, (double)(now_us() - began) / 1e6);
	return 0;
}
