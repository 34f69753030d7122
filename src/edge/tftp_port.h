/* The UDP sockets of the TFTP server: the listeners', and those that transfers share.
 *
 * For each address of ours that was asked there are up to 32 sockets on ephemeral
 * ports, opened as needed and closed when nobody uses them: ten thousand transfers
 * take no ten thousand descriptors.  A transfer has one of them at random, and never
 * the one that the same client and port had before: what comes late of the former
 * transfer must not look like this one's.  Packets come in batches.
 *
 * Knows neither transfers nor requests: whoever made the ports is told.
 */
#pragma once

#include "edge/tftp_socket.h"

#include <uv.h>

#define TFTP_PORTS_PER_ADDRESS 32

struct transfer;

struct tftp_port {
	struct tftp_ports *ports;
	struct tftp_port *prev, *next;
	struct port_group *group; /* NULL: a listener */
	uv_poll_t poll;
	int fd, events, id; /* id: of a listener */
	unsigned index;     /* in its group */
	unsigned users;
	struct ip4 local; /* 0.0.0.0: all */
	bool full;        /* until it is writable again: set by who sends */
	bool doomed;      /* a listener that is to be closed */
	/* Of edge/tftp_send.c: transfers with something to send, and whether this port is
	 * in the list of those that have any. */
	struct transfer *sendable;
	struct tftp_port **dirty;
	struct tftp_port *dirty_prev, *dirty_next;
};

struct tftp_port_hooks {
	/* A packet; not after tftp_port_close(). */
	void (*take)(void *owner, struct tftp_port *port, const struct tftp_peer *peer,
		struct span packet, bool is_broadcast);
	/* A batch of packets was taken, or the socket can be written to again. */
	void (*turn)(void *owner, struct tftp_port *port);
	/* One of libuv's handles is gone. */
	void (*released)(void *owner);
};

struct tftp_ports {
	uv_loop_t *loop;
	const struct tftp_port_hooks *hooks;
	void *owner;
	unsigned open_handles;
	struct tftp_port *listeners;
	struct port_group *groups;
	struct tftp_reader *reader;
	uint64_t random;         /* state of a generator, seeded by the kernel */
	uint8_t last_port[8192]; /* by client and port: the index + 1 of the latest */
};

/* loop, hooks and owner are set.  0 or -ENOMEM. */
int tftp_ports_init(struct tftp_ports *ports) WARN_UNUSED;
/* All listeners are closed and no port is used. */
void tftp_ports_free(struct tftp_ports *ports);

/* Listens on fd (tftp_socket_open_serving), which moves in on success; addr and id as
 * the owner knows it by.  0 or -errno. */
int tftp_ports_listen(struct tftp_ports *ports, int fd, struct ip4 addr, int id) WARN_UNUSED;
/* A port for a new transfer with this peer.  0 or -errno. */
int tftp_ports_use(struct tftp_ports *ports, const struct tftp_peer *peer,
	struct tftp_port **ret_port) WARN_UNUSED;
/* A listener as the port of a transfer. */
void tftp_port_share(struct tftp_port *port);
/* Once for each of both; the last one closes a port that is no listener. */
void tftp_port_leave(struct tftp_port *port);
/* A listener; nobody uses it any more. */
void tftp_port_close(struct tftp_port *port);
/* Whether this port was the latest of that client and port. */
bool tftp_port_was_latest(const struct tftp_port *port, const struct tftp_peer *peer);
/* Have hooks.turn called when the socket takes packets again, or not any more. */
void tftp_port_want_write(struct tftp_port *port, bool want);
/* A number below n, n > 0. */
uint32_t tftp_ports_random(struct tftp_ports *ports, uint32_t n);
