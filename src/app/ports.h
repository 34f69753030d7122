/* One socket per served interface, kept in step with the interfaces.
 *
 * Opens a socket for each interface of a served network, and, where wanted, one
 * for all other interfaces (relayed networks); closes it when the interface
 * goes.  Which socket, and what is read from it, is the owner's business.
 */
#pragma once

#include "app/log.h"
#include "core/served.h"

#include <uv.h>

#define PORTS_ALL_INTERFACES 0u /* as ifindex */

struct port;

struct ports {
	uv_loop_t *loop;
	void *ctx;
	/* name NULL: all interfaces.  beside: a socket of the other kind is open. */
	int (*open)(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd);
	void (*readable)(void *ctx, int fd);
	/* Called for a socket that could not be opened, once per error; or NULL. */
	void (*failed)(void *ctx, const char *name, int error);
	/* Called when the last socket is closed after ports_close(). */
	void (*closed)(void *ctx);
	/* Is a socket wanted for this network?  NULL: for each one that is not off. */
	bool (*wants)(const struct network *net);
	struct port *list;
	unsigned closing;
	bool stopping;
};

/* The sockets for these networks; relayed: also one for all other interfaces when
 * a network is reached through relays.  Returns how many could not be opened. */
unsigned ports_update(struct ports *p, const struct served_set *nets, bool relayed);
/* The socket of an interface, else that of all interfaces, else -1. */
int ports_find(const struct ports *p, unsigned ifindex);
unsigned ports_open_count(const struct ports *p);
void ports_close(struct ports *p);
