/* What several verbs' command lines have in common. */
#pragma once

#include "app/serve.h"

#define INTERFACES_MAX 64

/* The configuration file to use: what -c says, else the default one where it
 * exists, else NULL. */
const char *options_config_file(const char *given);
/* "bootsmith VERB: … : see bootsmith VERB --help" on standard error; returns 2. */
int options_wrong_usage(const char *verb, const char *fmt, ...) PRINTF(2, 3);
