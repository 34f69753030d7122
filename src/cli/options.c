/* Shared parts of command lines. */
#include "cli/options.h"

#include "app/config_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

const char *options_config_file(const char *given)
{
	if (given)
		return given;
	return access(CONFIG_FILE_DEFAULT, F_OK) == 0 ? CONFIG_FILE_DEFAULT : NULL;
}

int options_take_common(struct options_common *o, const char *verb, int c)
{
	struct config_override *over = &o->override;

	switch (c) {
	case 'c':
		o->config = optarg;
		return 0;
	case 'i':
		if (over->n_interfaces == INTERFACES_MAX)
			return options_wrong_usage(verb, "more than %d interfaces", INTERFACES_MAX);
		over->interfaces = o->interfaces;
		o->interfaces[over->n_interfaces++] = optarg;
		return 0;
	case OPTIONS_HTTP_ROOT:
		over->http_root = optarg;
		return 0;
	case OPTIONS_TFTP_ROOT:
		over->tftp_root = optarg;
		return 0;
	case OPTIONS_PROFILE:
		over->profile = optarg;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	default:
		return options_wrong_usage(verb, "wrong option"); /* getopt has named it */
	}
}

int options_take_control(struct options_control *o, const char *verb, int c)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return 0;
	case OPTIONS_SOCKET:
		o->socket = optarg;
		return 0;
	case OPTIONS_JSON:
		o->json = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	default:
		return options_wrong_usage(verb, "wrong option"); /* getopt has named it */
	}
}

int options_wrong_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "bootsmith %s: ", verb);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, ": see `bootsmith %s --help`\n", verb);
	return 2;
}
