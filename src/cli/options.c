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
