/* The client's end of the control socket (app/control.h has the protocol).
 *
 * Blocks, as a command line may; gives up on a daemon that says nothing for a minute,
 * unless it was asked to go on for ever.
 */
#pragma once

#include "base/bytes.h"

#include <jansson.h>

/* One line of an answer; borrowed.  False: enough, no more lines are wanted. */
typedef bool (*control_client_item)(void *ctx, const json_t *line);

/* The socket that a command line means: `path` where it is given, else that of the
 * configuration file, else the default; in memory that the caller frees.  NULL: a
 * sentence has been printed. */
char *control_client_path(const char *verb, const char *path, const char *config_file) WARN_UNUSED;
/* Sends the request, which it takes over, and shows the answer's items.  The exit
 * code: 0 after an answer that is done, else 1, with a sentence on standard error. */
int control_client_ask(const char *verb, const char *path, json_t *request,
	control_client_item item, void *ctx) WARN_UNUSED;
/* The same for an answer that goes on until the daemon stops, which is no success: 1. */
int control_client_follow(const char *verb, const char *path, json_t *request,
	control_client_item item, void *ctx) WARN_UNUSED;
