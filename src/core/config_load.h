/* A configuration from the text of a YAML file: all its mistakes at once.
 *
 * Pure: reads no file and asks no interface.  What only the machine can tell
 * (does that file exist?) app/config_files.c checks afterwards, with the same
 * struct config_error.
 */
#pragma once

#include "core/config.h"
#include "base/text.h"

struct config_error {
	struct src_pos pos;
	char *message; /* one sentence: what is wrong, what was expected, what to do */
};

struct config_errors {
	struct config_error *list; /* ordered by position after config_load() */
	size_t n;
	bool failed; /* out of memory while collecting */
};

/* Appends one error; drops it silently past 1,000 of them. */
void config_error_add(struct config_errors *errs, struct src_pos pos, const char *fmt, ...)
	PRINTF(3, 4);
void config_errors_sort(struct config_errors *errs);
void config_errors_free(struct config_errors *errs);
/* "file:line:col: error: message", the source line, and a caret below its column. */
void config_error_print(
	const struct config_error *e, const char *file, struct span source, struct text *out);

/* Reads `source`, named `file` in messages (copied).  Defaults are config_new()'s.
 * 0 with a config; -EINVAL with at least one error in errs; -ENOMEM. */
int config_load(const char *file, struct span source, struct config_errors *errs,
	struct config **ret_config) WARN_UNUSED;
/* As above, but gives the config in spite of its mistakes too, which are in errs:
 * for looking what else is wrong with it (app/config_files.c), never to be served.
 * 0 (also with errors in errs); -EINVAL: this is not YAML; -ENOMEM. */
int config_load_partly(const char *file, struct span source, struct config_errors *errs,
	struct config **ret_config) WARN_UNUSED;
