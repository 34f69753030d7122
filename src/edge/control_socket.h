/* The control socket: requests of the command line, a line each, and answers.
 *
 * A UNIX stream socket.  A connection's requests are answered one after another;
 * an answer is lines too, written at once or in pieces: while it is under way and
 * the client has read what was written, more() is called once a turn of the loop,
 * so that an answer of any length stops nobody else.  Here are sockets, lines and
 * limits; what a line means is app/control.c's.
 * Whoever may open the socket may do everything: its mode is 0660.
 */
#pragma once

#include "base/bytes.h"

#include <sys/types.h>
#include <uv.h>

#define CONTROL_REQUEST_MAX     65536u /* octets of a line */
#define CONTROL_CONNECTIONS_MAX 32u
#define CONTROL_REQUEST_MS      5000       /* for a request to arrive */
#define CONTROL_STALLED_MS      30000      /* for a client to read on */
#define CONTROL_UNREAD_MAX      (4u << 20) /* octets that wait for a client */

struct control_conn;

struct control_hooks {
	/* A request, without its newline, valid during the call.  What is answered
	 * ends with control_finish(), now or later. */
	void (*request)(void *ctx, struct control_conn *c, struct span line);
	/* There is room for the next piece of an answer that is under way. */
	void (*more)(void *ctx, struct control_conn *c, void *answer);
	/* The client went away: c is no more, and its answer needs no end. */
	void (*gone)(void *ctx, void *answer);
	/* What an answer's line is that refuses a connection or a request. */
	void (*refuse)(void *ctx, struct control_conn *c, const char *sentence);
};

struct control_socket;

/* Listens at path.  A directory that is missing is made (0750); a socket that a
 * dead daemon left is replaced.  -EADDRINUSE: a live one has it.  -EEXIST: no
 * socket stands there.  -ENAMETOOLONG.  hooks must outlive the socket. */
int control_socket_open(uv_loop_t *loop, const char *path, const struct control_hooks *hooks,
	void *ctx, struct control_socket **ret) WARN_UNUSED;
/* Closes everything, gone() for each answer under way included, and removes the
 * socket's file.  Memory is freed on the loop's next turn. */
void control_socket_close(struct control_socket *s);

/* Lines of an answer; data ends with a newline.  A client that leaves more than
 * CONTROL_UNREAD_MAX unread is dropped on the loop's next turn. */
void control_write(struct control_conn *c, struct span data);
/* An answer that is not written at once: `answer` is handed to more() and gone().
 * pull: more() is wanted. */
void control_begin(struct control_conn *c, void *answer, bool pull);
/* From now on nothing is to be pulled: the rest is written when it is known. */
void control_stop_pulling(struct control_conn *c);
/* There is more of an answer that pulled no longer. */
void control_pull(struct control_conn *c);
/* The answer is complete. */
void control_finish(struct control_conn *c);
/* The user who connected. */
uid_t control_uid(const struct control_conn *c);
