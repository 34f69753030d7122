/* What only the machine can tell of a configuration: its file, and the files it names.
 *
 * Opens nothing for good and serves nothing; core/config_load.c knows the rest.
 */
#pragma once

#include "core/config_load.h"
#include "core/config_override.h"

#define CONFIG_FILE_DEFAULT "/etc/bootsmith/bootsmith.yaml"

/* The whole of a configuration file in *ret_source, which the caller frees.
 * Else one sentence in errs, at line 0, and -ENOENT, -EACCES, -EISDIR, -EFBIG,
 * -EPERM (no regular file), -ENOMEM or what reading it said. */
int config_files_read(
	const char *path, struct config_errors *errs, struct text *ret_source) WARN_UNUSED;

/* Are the roots and loaders that the configuration names really there, and the
 * files of its profiles below the roots?  URLs are not asked for; defaults that
 * are missing are no mistake.  0, or -ENOENT with at least one more error in
 * errs, which is sorted. */
int config_files_check(const struct config *cfg, struct config_errors *errs) WARN_UNUSED;

/* All of it, as every verb with -c FILE starts: reads, loads, lets the command
 * line have its say (o, or NULL), looks for the files, and collects all mistakes.
 * source (empty before) has the file's text afterwards, also on failure, for
 * config_files_print_errors(); the caller frees it.  0; or negative, with errors in errs unless -ENOMEM. */
int config_files_load(const char *path, const struct config_override *o, struct config_errors *errs,
	struct text *source, struct config **ret_config) WARN_UNUSED;

/* Every mistake with its line, and their number: "3 mistakes in FILE". */
void config_files_print_errors(
	const char *path, struct span source, const struct config_errors *errs, struct text *out);
