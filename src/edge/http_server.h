/* Our HTTP/1.1 server's sockets: accepts, reads heads, sends files and texts.
 *
 * What a request means is the owner's business (hooks); how it is answered is
 * core/http_reply.c's; when to read, send or give up core/http_session.c's.  It
 * has no policy beyond its limits, opens no files and logs nothing.
 *
 * Runs on one libuv loop and must be called on that loop's thread only.  Octets
 * travel by edge/stream.h; a file has at most 2 MiB per turn, so that small
 * answers pass bulk ones.  SIGPIPE must be ignored by the process: sendfile knows no MSG_NOSIGNAL.
 */
#pragma once

#include "base/addr.h"
#include "base/drop.h"
#include "base/text.h"
#include "edge/http_source.h"
#include "wire/http.h"

#include <uv.h>

struct http_server;
struct ssl_ctx_st; /* edge/tls_context.h */
struct http_conn;  /* one connection, for http_server_answer() */

struct http_peer {
	struct ip4 addr, local_addr; /* local: which of our addresses it spoke to */
	uint16_t port, local_port;
	int listener_id;
};

struct http_target {
	enum {
		HTTP_TARGET_ERROR,
		HTTP_TARGET_SOURCE, /* open files, whole or in pieces */
		HTTP_TARGET_OCTETS, /* of a file: they are copied at once */
		HTTP_TARGET_TEXT,
	} kind;
	unsigned status;           /* of an error: 4xx or 5xx */
	const char *message;       /* of an error, one sentence; copied before any other hook */
	struct http_source source; /* moves to the server */
	struct stat st;            /* of the octets' file */
	struct span octets;
	struct text text;         /* moves to the server */
	const char *content_type; /* a literal, or NULL: by the path's suffix */
	void *cookie;             /* given back in http_access */
};

/* One request after its end.  All spans are the client's octets, unescaped. */
struct http_access {
	const struct http_peer *peer;
	struct span method, target, user_agent; /* empty when the head never came */
	unsigned status;                        /* 0: no answer could be made */
	uint64_t sent;                          /* octets of the body */
	uint64_t length;      /* what should have been sent: the range, 0 for HEAD */
	uint64_t whole;       /* size of the file or text */
	uint64_t duration_us; /* from the complete head on */
	bool complete;
	enum drop drop; /* why the request was refused or cut short */
	void *cookie;   /* of the target; NULL for a refused request */
};

/* The hooks run on the loop and must not close the server. */
struct http_hooks {
	/* Says what path (decoded, relative to the root; see http_decode_path) is:
	 * fills *ret_target (zeroed before: HTTP_TARGET_ERROR) and returns true, or
	 * false: then it calls http_server_answer() later, unless gone() comes first. */
	bool (*resolve)(void *ctx, struct http_conn *conn, const struct http_peer *peer,
		const struct http_request *req, struct span path, struct http_target *ret_target,
		void **ret_later);
	/* The connection of a request that waits for its answer is no more. */
	void (*gone)(void *ctx, void *later);
	/* About once a second for each answer that is on its way. */
	void (*progress)(void *ctx, const struct http_access *access);
	/* Once for each request that was resolved or refused. */
	void (*done)(void *ctx, const struct http_access *access);
	/* A connection was turned away at the door, or its TLS handshake failed. */
	void (*refused)(void *ctx, const struct http_peer *peer, enum drop why);
	/* No descriptor or memory is left: connections wait in the kernel meanwhile. */
	void (*starved)(void *ctx);
};

/* At a limit a connection gives way that is idle, then (in all) one whose head is
 * slow, then one whose client has stopped reading. */
struct http_limits {
	unsigned connections;
	unsigned per_address;
};

typedef void (*http_server_closed)(void *ctx);

/* hooks and ctx must outlive the server.  0 or -ENOMEM. */
int http_server_new(uv_loop_t *loop, const struct http_hooks *hooks, void *ctx,
	struct http_limits limits, struct http_server **ret) WARN_UNUSED;

/* Accepts on fd, a listening non-blocking socket that moves in on success; by TLS with
 * the context of http_server_use_tls(), or plain.  listener_id: the owner's, given back in http_peer and for unlisten.  0 or -errno. */
int http_server_listen(struct http_server *srv, int fd, bool tls, int listener_id) WARN_UNUSED;

/* What new TLS connections are served with; those that exist keep theirs.  The
 * server takes a reference of its own.  NULL: they are closed at once. */
void http_server_use_tls(struct http_server *srv, struct ssl_ctx_st *context);

/* Connections, and those of them that are being answered. */
void http_server_count(
	const struct http_server *srv, unsigned *ret_connections, unsigned *ret_answers);

/* Stops accepting there; connections that exist go on. */
void http_server_unlisten(struct http_server *srv, int listener_id);

/* The answer to a request that resolve() left for later.  May end the connection. */
void http_server_answer(struct http_conn *conn, struct http_target *target);

/* Accepts no more, lets answers under way go on for grace_ms, then ends everything;
 * closed is called when the loop has let go of it all, and only then may the server
 * be freed. */
void http_server_close(
	struct http_server *srv, uint64_t grace_ms, http_server_closed closed, void *closed_ctx);

/* After closed, or before the first listen; NULL is fine. */
void http_server_free(struct http_server *srv);

/* Opens n sockets that listen on one address (0.0.0.0: all) and port, among which
 * the kernel spreads the connections.  A port that anybody else has is -EADDRINUSE.
 * 0 or -errno: -EACCES, -EADDRNOTAVAIL, …; nothing is open then. */
int http_socket_listen(struct ip4 addr, uint16_t port, unsigned n, int *ret_fds) WARN_UNUSED;
