/* The TFTP server's sockets, timers and tables, on one libuv loop.
 *
 * Read-only.  It decides nothing about content: a hook turns a cleaned name
 * into an open file, a text or an error, and is told how each request ended.
 * What is sent when is core/tftp_session.h's business.
 *
 * Each transfer has a socket of its own on the address that was asked; it is
 * not connected, because RFC 1350 4 wants strangers to be told (ERROR 5).
 * Names, texts and numbers of requests are a stranger's: escape before logging.
 */
#pragma once

#include "base/addr.h"
#include "base/text.h"
#include "core/tftp_session.h"

#include <uv.h>

struct tftp_server;

struct tftp_peer {
	struct ip4 remote, local; /* local: the address of ours that was asked */
	uint16_t remote_port;
	unsigned ifindex; /* that the request came in on */
};

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

/* hooks must outlive the server.  0 or -ENOMEM. */
int tftp_server_new(uv_loop_t *loop, const struct tftp_hooks *hooks, void *ctx,
	struct tftp_limits limits, struct tftp_server **ret_server) WARN_UNUSED;

/* Listens on an address (0.0.0.0: on all; answers leave from the one that was
 * asked) and port (0: any free one), bound to a device unless that is NULL.
 * *ret_id is for tftp_server_unlisten(); *ret_port (NULL ok) is the port in
 * use.  0 or -errno: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENODEV, …. */
int tftp_server_listen(struct tftp_server *server, struct ip4 addr, uint16_t port,
	const char *device, int *ret_id, uint16_t *ret_port) WARN_UNUSED;
/* Transfers that run go on.  An unknown id is ignored. */
void tftp_server_unlisten(struct tftp_server *server, int id);

/* Ends every transfer (TFTP_STOPPED) and frees the server.  closed(ctx) is called
 * when nothing of it is left: from the loop, or at once if it never listened. */
void tftp_server_close(struct tftp_server *server, void (*closed)(void *ctx));
