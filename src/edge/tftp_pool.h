/* The TFTP transfers that run: their table with its limits, sockets and timers.
 *
 * Each transfer has a socket of its own on the address that was asked; it is not
 * connected, because RFC 1350 4 wants strangers to be told (ERROR 5).  Listens on
 * no port and decides about no request: that is edge/tftp_server.h's work.
 */
#pragma once

#include "base/text.h"
#include "core/tftp_session.h"
#include "edge/tftp_socket.h"

#include <uv.h>

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
	uint16_t error;   /* ERROR: enum tftp_error and a short sentence without
	                   * paths, which must live until done() was called */
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
	void *cookie; /* of the target; NULL when resolve() was not asked */
};

/* All are called on the loop, and may call tftp_server_unlisten() but not
 * tftp_server_close().  What pointers point to is gone when the hook returns. */
struct tftp_hooks {
	/* May this address be answered at all?  NULL: every one. */
	bool (*admit)(void *ctx, const struct tftp_peer *peer);
	/* Fills *ret_target (zeroed before). */
	void (*resolve)(void *ctx, const struct tftp_peer *peer, struct span path,
		struct tftp_target *ret_target);
	/* Once for each admitted request that was new, transfer or not. */
	void (*done)(void *ctx, const struct tftp_access *access);
	/* A packet that was dropped, or answered with nothing but an ERROR. */
	void (*dropped)(void *ctx, enum drop why, const struct tftp_peer *peer);
};

/* Each transfer costs up to two descriptors: see to RLIMIT_NOFILE. */
struct tftp_limits {
	unsigned transfers;            /* at once; 0 = 1024 */
	unsigned transfers_per_client; /* at once from one address; 0 = 32 */
};

struct tftp_pool {
	uv_loop_t *loop;
	const struct tftp_hooks *hooks;
	void *ctx; /* of the hooks */
	struct tftp_limits limits;
	/* Called after the pool has let go of one of libuv's handles. */
	void (*released)(void *owner);
	void *owner;
	unsigned open_handles;
	unsigned n_transfers;
	struct tftp_client *clients;              /* a hash of addresses with transfers */
	struct transfer *half_open, *proven; /* oldest first */
	uint8_t block[TFTP_HEADER_LEN + TFTP_BLKSIZE_MAX];
};

/* A read request on its way to become a transfer; all of it borrowed. */
struct tftp_incoming {
	struct tftp_peer peer;
	const char *device; /* "": none */
	struct span packet;
	struct tftp_request request; /* points into packet */
	struct span path;
	uint64_t started_us;
};

/* True when the request belongs to a transfer that runs, and was given to it.  One
 * for another file from the same port, or after a long silence, ends the old
 * transfer instead. */
bool tftp_pool_take_repeated(struct tftp_pool *pool, const struct tftp_incoming *in);

/* Keeps both limits; forged and forgotten requests make room for this one.
 * False when all places are held by clients that answer. */
bool tftp_pool_make_room(struct tftp_pool *pool, const struct tftp_peer *peer);

/* Starts a transfer of a FILE or TEXT target, which moves to the pool on success.
 * 0 or -errno. */
int tftp_pool_begin(struct tftp_pool *pool, const struct tftp_incoming *in,
	const struct tftp_target *target) WARN_UNUSED;

/* Ends all transfers (TFTP_STOPPED); their handles are released from the loop. */
void tftp_pool_stop(struct tftp_pool *pool);

/* Closes or frees what a target holds. */
void tftp_pool_release_target(struct tftp_target *target);
