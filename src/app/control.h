/* What the command line asks of a running daemon, by its control socket.
 *
 * A request is one line of JSON, {"v": 1, "verb": "lease.list", …}; its answer is
 * lines of JSON too: any number of items, {"v": 1, "lease": {…}}, and at the end
 * {"v": 1, "done": true}, or {"v": 1, "error": "a sentence"} which ends it as well.
 * Requests of more than 64 KiB or 32 levels are refused; answers are sent in pieces
 * (edge/control_socket.h).  Each verb is a row of the table in control.c.
 */
#pragma once

#include "app/site.h"
#include "edge/control_socket.h"

#include <jansson.h>

#define CONTROL_VERSION   1
#define CONTROL_DEPTH_MAX 32

/* An answer that takes longer than its request: each verb's own begins with this.
 * One of finish and gone comes, once. */
struct control_answer {
	void (*more)(struct control_answer *a, struct control_conn *c);
	void (*gone)(struct control_answer *a);
};

/* Starts to answer; the request is valid during the call. */
typedef void (*control_verb)(struct site *site, struct control_conn *c, const json_t *request);

struct control;

/* Listens at the configured path.  Where that cannot be, the log says so, *ret is
 * NULL, and the daemon goes on without. */
void control_open(uv_loop_t *loop, struct site *site, struct control **ret);
void control_close(struct control *ctl);

/* The last line of an answer that went well, or did not. */
void control_say_done(struct control_conn *c);
void control_say_error(struct control_conn *c, const char *fmt, ...) PRINTF(2, 3);
/* A text of a request by its key; NULL with *ret_ok false when it is something else,
 * NULL with true when it is missing. */
const char *control_text(const json_t *request, const char *key, bool *ret_ok);
