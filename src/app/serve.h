/* The daemon: wires the services together and lives until it is told to stop.
 *
 * The only place that knows everything: configuration and its reload,
 * interfaces that come and go, signals.  Knows no protocol.
 */
#pragma once

#include "core/config_override.h"

struct serve_options {
	const char *config_file; /* NULL: none */
	struct config_override override;
	bool log_json;
};

/* Serves until SIGINT or SIGTERM.  The process's exit code: 0 after a clean
 * stop, 1 when it could not start (with a sentence on standard error). */
int serve_run(const struct serve_options *options);
