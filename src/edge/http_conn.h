/* One connection of the HTTP server: its stream, its place in the server's tables
 * and its turns.  Private to edge/http_*.c.
 *
 * Small answers leave at once.  What is longer waits in the server's queue for a
 * turn, after everything small of this round of the loop; a turn is bounded, and so
 * is the time that all turns of a round take.  Octets that are not in the kernel's
 * cache are read by libuv's workers first: a cold disk stops nobody else.
 */
#pragma once

#include "core/http_session.h"
#include "edge/http_server.h"
#include "edge/stream.h"

#define HASH_NONFATAL_OOM 1 /* a full memory costs one connection, not the daemon */
#include <uthash.h>

enum conn_class {
	CONN_IDLE, /* between two requests, or waiting for the client to close */
	CONN_HEAD, /* a head is coming */
	CONN_BUSY, /* being answered */
	CONN_CLASSES,
};

/* An address with at least one connection. */
struct http_client {
	uint32_t addr; /* the key */
	unsigned n_conns;
	struct http_conn *idle; /* linked by sibling_*, oldest first */
	UT_hash_handle hh;
};

struct disk_read;

struct http_conn {
	uv_poll_t poll;
	struct http_server *srv;
	struct http_client *client;
	enum conn_class class;
	struct http_conn *prev, *next;                 /* of srv->conns[class], oldest first */
	struct http_conn *sibling_prev, *sibling_next; /* of client->idle */
	struct http_conn *ready_prev, *ready_next;     /* of srv->ready */
	struct http_peer peer;
	struct stream stream;
	int events;                /* what poll is armed for, 0: not armed */
	bool shut_down;            /* our sending side */
	bool in_request;           /* resolved or refused, and not yet told to hooks.done */
	bool asked;                /* the owner answers later */
	bool is_ready;             /* in srv->ready */
	bool wants_turn;           /* has more to send than leaves at once */
	struct disk_read *disk;    /* under way for this connection, or NULL */
	uint64_t read_until;       /* so far the entity was just read from the disk, or is cached */
	bool waits_growth;         /* for octets that the entity does not have yet */
	void *later;               /* the owner's, while asked */
	struct http_source source; /* of the reply's entity */
	void *cookie;              /* of the target */
	uint64_t began_ns;         /* of the request */
	uint64_t told_ns;          /* when its progress was told */
	struct http_session session;
};

struct http_listener {
	uv_poll_t poll;
	struct http_server *srv;
	struct http_listener *prev, *next;
	int id, fd;
	bool tls;
};

struct http_server {
	uv_loop_t *loop;
	const struct http_hooks *hooks;
	void *ctx;
	struct http_limits limits;
	struct ssl_ctx_st *tls; /* NULL: no HTTPS now */
	struct http_listener *listeners;
	struct http_client *clients; /* a hash by address */
	struct http_conn *conns[CONN_CLASSES];
	struct http_conn *ready; /* first come, first served */
	unsigned n_conns, n_busy;
	uv_timer_t tick;
	uv_timer_t growth;  /* active while a connection waits for octets of a file that grows */
	uv_check_t turns;   /* after a round's events: the ready ones' turns */
	uv_idle_t no_sleep; /* active while any are ready */
	bool paused;        /* out of descriptors: listeners rest until the next tick */
	bool closing;
	uint64_t closing_deadline_ms;
	unsigned handles; /* that the loop still holds, disk reads too */
	http_server_closed closed;
	void *closed_ctx;
};

/* Begins a connection on fd, which it takes over; closes it where that fails. */
void http_conn_begin(struct http_listener *l, int fd, const struct http_peer *peer);
void http_conn_close(struct http_conn *c);
/* The deadline may have passed. */
void http_conn_tick(struct http_conn *c);
/* It waits for octets of a file that grows: has any come?  False: it still waits. */
bool http_conn_look_for_growth(struct http_conn *c);
/* True when it sends and its client has taken nothing for a while. */
bool http_conn_is_stalled(const struct http_conn *c);
/* Turns of those that are ready, for a bounded time. */
void http_conn_run_turns(struct http_server *srv);

/* Looks at files that grow while any connection waits for one. */
void http_server_start_growth(struct http_server *srv);
/* Looks at deadlines while there are connections. */
void http_server_start_tick(struct http_server *srv);
/* One of the loop's handles, or a disk read, is no more. */
void http_server_release(struct http_server *srv);
