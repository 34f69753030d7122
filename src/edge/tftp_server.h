/* The TFTP server: listeners and what becomes of requests, on one libuv loop.
 *
 * Read-only.  It decides nothing about content: a hook turns a cleaned name
 * into an open file, a text or an error, at once or later, and is told how each
 * request ended.  What is sent when is core/tftp_session.h's business.
 * What a caller fills in and gets told stands in edge/tftp_pool.h.
 *
 * All of it happens on the loop that it was given, and on libuv's workers: it may
 * have a thread of its own.  Names, texts and numbers of requests are a stranger's:
 * escape before logging.
 */
#pragma once

#include "edge/tftp_pool.h"

struct tftp_server;

/* hooks must outlive the server.  0 or -ENOMEM. */
int tftp_server_new(uv_loop_t *loop, const struct tftp_hooks *hooks, void *ctx,
	struct tftp_limits limits, struct tftp_server **ret_server) WARN_UNUSED;

/* Transfers answer from the listener's own port, for firewalls and NAT that know
 * nothing of TFTP.  For requests from now on. */
void tftp_server_set_single_port(struct tftp_server *server, bool single_port);

/* Listens on fd (tftp_socket_open_serving), bound to addr (0.0.0.0: all; answers leave
 * from the one that was asked), which moves in on success.  id: the owner's, for
 * tftp_server_unlisten().  0 or -errno. */
int tftp_server_listen(struct tftp_server *server, int fd, struct ip4 addr, int id) WARN_UNUSED;
/* Transfers that run go on, but for those on the listener's own port.  An unknown id
 * is ignored. */
void tftp_server_unlisten(struct tftp_server *server, int id);

/* What resolve() was asked for: the target moves to the server.  A request that is
 * answered ends there; the server's end ends all that are not, and none may be
 * answered after it. */
void tftp_server_answer(
	struct tftp_server *server, struct tftp_pending *request, struct tftp_target *target);

/* Transfers that somebody acknowledges and that run for longer than min_us: the oldest
 * first, at most max of them. */
typedef void (*tftp_server_seen)(void *ctx, const struct tftp_access *access);
void tftp_server_look(
	struct tftp_server *server, uint64_t min_us, unsigned max, tftp_server_seen seen);
/* Transfers, and requests whose answer is to come. */
unsigned tftp_server_count(const struct tftp_server *server);
/* No new requests from now on; true while there are such transfers. */
bool tftp_server_drain(struct tftp_server *server);

/* Ends every transfer (TFTP_STOPPED) and frees the server.  closed(ctx) is called
 * from the loop when nothing of it is left. */
void tftp_server_close(struct tftp_server *server, void (*closed)(void *ctx));
