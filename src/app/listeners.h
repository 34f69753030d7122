/* The addresses that a service listens on, kept in step with the wanted ones.
 *
 * Opens what is missing, closes what is no longer wanted, and says once in the
 * log why an address could not be opened.
 */
#pragma once

#include "app/log.h"
#include "base/addr.h"

struct listener {
	struct ip4 addr;
	int id; /* the server's; valid while open */
	bool open;
	int error; /* the error that has had its line */
};

#define LISTENERS_MAX 64u

typedef int (*listener_open)(void *server, struct ip4 addr, uint16_t port, int *ret_id);
typedef void (*listener_close)(void *server, int id);

struct listeners {
	const char *topic, *what; /* "tftp", "UDP port" */
	listener_open open;
	listener_close close;
	void *server;
	struct log *log;
	struct listener list[LISTENERS_MAX];
	size_t n;
};

/* The wanted addresses: at most LISTENERS_MAX, each once.  Returns how many of
 * them are not open. */
unsigned listeners_update(struct listeners *l, const struct ip4 *addrs, size_t n, uint16_t port);
unsigned listeners_open_count(const struct listeners *l);
