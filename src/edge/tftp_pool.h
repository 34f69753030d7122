/* The TFTP transfers that run, and the requests that wait for their answer: their
 * table with its limits, timers, and what of them is sent when.
 *
 * A transfer is found by the socket that a packet came in on and its sender.  Listens
 * on no port and decides about no request: that is edge/tftp_server.h's work.
 */
#pragma once

#include "base/text.h"
#include "core/tftp_session.h"
#include "core/timer_wheel.h"
#include "edge/file_blocks.h"
#include "edge/tftp_batch.h"
#include "edge/tftp_port.h"

#include <uv.h>

#define TFTP_TRANSFER_BUCKETS 16384u

struct tftp_pending;

enum tftp_target_kind {
	TFTP_TARGET_ERROR,
	TFTP_TARGET_FILE,
	TFTP_TARGET_TEXT,
};

/* What a request gets. */
struct tftp_target {
	enum tftp_target_kind kind;
	int fd;           /* FILE: a regular file, the server closes it */
	struct text text; /* TEXT: moves to the server */
	uint16_t error;   /* ERROR: enum tftp_error and a short sentence, which
	                   * must live until done() was called */
	const char *sentence;
	void *cookie; /* comes back in struct tftp_access */
};

/* One request, after its end. */
struct tftp_access {
	const struct tftp_peer *peer;
	const struct tftp_request *request; /* as asked, options included */
	struct span path;                   /* cleaned; empty when the name was refused */
	const struct tftp_session *session; /* NULL when no transfer began */
	enum tftp_outcome outcome;
	uint16_t error;       /* of REFUSED, FAILED, CHANGED (ours) and ABORTED (theirs) */
	struct span sentence; /* that went with it */
	uint64_t duration_us;
	void *cookie; /* of the target; NULL when resolve() was not answered */
};

/* All are called on the loop, and may call tftp_server_unlisten() and
 * (resolve() only) tftp_server_answer(), but not tftp_server_close().  What pointers
 * point to is gone when the hook returns, but for the request of resolve(). */
struct tftp_hooks {
	/* May this address be answered at all?  NULL: every one. */
	bool (*admit)(void *ctx, const struct tftp_peer *peer);
	/* What does this request get?  The answer is tftp_server_answer(), now or later,
	 * once for each request. */
	void (*resolve)(void *ctx, struct tftp_pending *request, const struct tftp_peer *peer,
		struct span path);
	/* Once for each admitted request that was new, transfer or not. */
	void (*done)(void *ctx, const struct tftp_access *access);
	/* A packet that was dropped, or answered with nothing but an ERROR. */
	void (*dropped)(void *ctx, enum drop why, const struct tftp_peer *peer);
};

struct tftp_limits {
	unsigned transfers;            /* at once, requests that wait included; 0 = 16384 */
	unsigned transfers_per_client; /* at once from one address; 0 = 32 */
	size_t cache_octets;           /* of files; 0 = 64 MiB */
};

struct tftp_pool {
	uv_loop_t *loop;
	const struct tftp_hooks *hooks;
	void *ctx; /* of the hooks */
	struct tftp_limits limits;
	struct tftp_ports *ports;
	struct file_blocks *cache;
	/* Called after the pool has let go of one of libuv's handles. */
	void (*released)(void *owner);
	void *owner;
	unsigned open_handles;
	unsigned n_transfers, n_pending;     /* n_pending: whose answer is to come */
	struct tftp_client *clients;         /* a hash of addresses with transfers */
	struct transfer *half_open, *proven; /* oldest first */
	struct transfer *asked;              /* that wait for resolve()'s answer */
	struct tftp_pending *pending;
	struct tftp_port *dirty; /* ports with something to send */
	bool in_turn;            /* what is to be sent is sent at its end */
	uv_timer_t timer;
	uint64_t timer_ms; /* when it fires; TIMER_WHEEL_IDLE: not */
	struct tftp_batch batch;
	uint64_t hash_seed;
	struct timer_wheel wheel;
	struct transfer *buckets[TFTP_TRANSFER_BUCKETS];
};

/* A read request on its way to become a transfer; all of it borrowed. */
struct tftp_incoming {
	struct tftp_peer peer;
	struct tftp_port *listener;
	bool single_port; /* the transfer answers from the listener's own socket */
	struct span packet;
	struct tftp_request request; /* points into packet */
	struct span path;
	uint64_t started_us;
};

/* loop, hooks, ctx, limits, ports, released and owner are set.  0 or -errno. */
int tftp_pool_init(struct tftp_pool *pool) WARN_UNUSED;
/* Ends all transfers (TFTP_STOPPED); handles are released from the loop. */
void tftp_pool_stop(struct tftp_pool *pool);
/* Everything was released. */
void tftp_pool_free(struct tftp_pool *pool);

/* True when the request belongs to a transfer that runs, or to a request that
 * waits, and was given to it.  One for another file from the same port, or after a
 * long silence, ends the old transfer instead. */
bool tftp_pool_take_repeated(struct tftp_pool *pool, const struct tftp_incoming *in);
/* Keeps both limits; forged and forgotten requests make room for this one.
 * False when all places are held by clients that answer. */
bool tftp_pool_make_room(struct tftp_pool *pool, const struct tftp_peer *peer);
/* Asks resolve() for this request.  0 or -ENOMEM. */
int tftp_pool_ask(struct tftp_pool *pool, const struct tftp_incoming *in) WARN_UNUSED;
/* The answer, which moves here.  A request that ended meanwhile is no more. */
void tftp_pool_answer(
	struct tftp_pool *pool, struct tftp_pending *pending, struct tftp_target *target);
/* Tells the sender of a request, and done(), that it gets nothing.  */
void tftp_pool_refuse(struct tftp_pool *pool, const struct tftp_incoming *in,
	enum tftp_outcome outcome, uint16_t code, struct span sentence);

/* Tells of transfers that are acknowledged and run for min_us; at most max. */
void tftp_pool_look(struct tftp_pool *pool, uint64_t min_us, unsigned max,
	void (*seen)(void *ctx, const struct tftp_access *access));

/* A packet that is no request, on a port that transfers use.  False: it is of none. */
bool tftp_pool_take(struct tftp_pool *pool, struct tftp_port *port, const struct tftp_peer *peer,
	struct span packet);
/* Ends the transfers on a listener that is to be closed. */
void tftp_pool_abandon(struct tftp_pool *pool, struct tftp_port *port);

/* The socket may be written to: what waits for that is sent at the turn's end. */
void tftp_pool_port_ready(struct tftp_pool *pool, struct tftp_port *port);
/* What is done in between is sent in as few calls as possible, at the end. */
void tftp_pool_begin_turn(struct tftp_pool *pool);
void tftp_pool_end_turn(struct tftp_pool *pool);
