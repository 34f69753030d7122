/* What several verbs' command lines have in common. */
#pragma once

#include "app/serve.h"

#include <getopt.h>

#define INTERFACES_MAX 64

/* -c, -i and the options that override a configuration. */
struct options_common {
	struct config_override override; /* its interfaces point into this struct */
	const char *interfaces[INTERFACES_MAX];
	const char *config;
	bool help;
};

/* Values of long options that have no letter; a verb's own begin at OPTIONS_OWN. */
enum options_long {
	OPTIONS_HTTP_ROOT = 256,
	OPTIONS_TFTP_ROOT,
	OPTIONS_PROFILE,
	OPTIONS_SOCKET,
	OPTIONS_JSON,
	OPTIONS_OWN,
};

#define OPTIONS_COMMON_LETTERS "c:i:h"
#define OPTIONS_COMMON_LONG                                                                        \
	{ "config", required_argument, NULL, 'c' }, { "interface", required_argument, NULL, 'i' }, \
		{ "http-root", required_argument, NULL, OPTIONS_HTTP_ROOT },                       \
		{ "tftp-root", required_argument, NULL, OPTIONS_TFTP_ROOT },                       \
		{ "profile", required_argument, NULL, OPTIONS_PROFILE },                           \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}

/* Takes what getopt_long() gave when it is one of the above, or wrong.  0, or the
 * exit code 2 after a complaint. */
int options_take_common(struct options_common *o, const char *verb, int c);

/* What the verbs that speak to a running daemon have in common. */
struct options_control {
	const char *config, *socket; /* for control_client_path() */
	bool json, help;
};

#define OPTIONS_CONTROL_LETTERS "c:h"
#define OPTIONS_CONTROL_LONG                                                                       \
	{ "config", required_argument, NULL, 'c' },                                                \
		{ "socket", required_argument, NULL, OPTIONS_SOCKET },                             \
		{ "json", no_argument, NULL, OPTIONS_JSON },                                       \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}
#define OPTIONS_CONTROL_HELP                                                                       \
	"  -c, --config FILE    the daemon's configuration, which names its socket\n"              \
	"                       (default: /etc/bootsmith/bootsmith.yaml where that exists)\n"      \
	"      --socket PATH    its control socket (default: /run/bootsmith/control.sock)\n"

/* As options_take_common(). */
int options_take_control(struct options_control *o, const char *verb, int c);

/* The configuration file to use: what -c says, else the default one where it
 * exists, else NULL. */
const char *options_config_file(const char *given);
/* "bootsmith VERB: … : see bootsmith VERB --help" on standard error; returns 2. */
int options_wrong_usage(const char *verb, const char *fmt, ...) PRINTF(2, 3);
