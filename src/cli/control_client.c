/* Asks a running daemon. */
#include "cli/control_client.h"

#include "app/config_files.h"
#include "base/escape.h"
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SILENCE_S 60
#define FOR_EVER  0

char *control_client_path(const char *verb, const char *path, const char *config_file)
{
	const struct config_override none = { 0 };
	struct config_errors errs = { 0 };
	struct text source = { 0 }, report = { 0 };
	struct config *cfg = NULL;
	char *found = NULL;

	config_file = options_config_file(config_file);
	if (path || !config_file)
		return strdup(path ? path : CONFIG_CONTROL_SOCKET_DEFAULT);
	if (config_files_load(config_file, &none, &errs, &source, &cfg) == 0) {
		found = strdup(cfg->control_socket);
	} else {
		config_files_print_errors(config_file, text_span(&source), &errs, &report);
		(void)fputs(text_str(&report), stderr);
		(void)fprintf(stderr,
			"bootsmith %s: correct the configuration, or name the daemon's socket with --socket PATH\n",
			verb);
	}
	config_free(cfg);
	config_errors_free(&errs);
	text_free(&source);
	text_free(&report);
	return found;
}

static void say_unreachable(const char *verb, const char *path, int error)
{
	if (error == EACCES || error == EPERM)
		(void)fprintf(stderr,
			"bootsmith %s: no permission to open %s: run this as root, or as a member of its group\n",
			verb, path);
	else if (error == ENOENT || error == ECONNREFUSED)
		(void)fprintf(stderr,
			"bootsmith %s: no daemon listens at %s: start it with `bootsmith serve`, or name its socket with --socket PATH or its configuration with -c FILE\n",
			verb, path);
	else
		(void)fprintf(stderr, "bootsmith %s: %s: %s\n", verb, path, strerror(error));
}

static int open_socket(const char *verb, const char *path, time_t silence_s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval silence = { .tv_sec = silence_s };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		say_unreachable(verb, path, ENAMETOOLONG);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) == 0)
		return fd;
	say_unreachable(verb, path, errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_request(int fd, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct text line = { 0 };
	bool sent;

	if (!text)
		return false;
	text_adds(&line, text);
	text_addc(&line, '\n');
	free(text);
	sent = !line.failed && send(fd, line.p, line.n, MSG_NOSIGNAL) == (ssize_t)line.n;
	text_free(&line);
	return sent;
}

/* The daemon quotes what others chose: a terminal gets it escaped. */
static int say_error(const char *verb, const char *sentence)
{
	struct text out = { 0 };

	escape_log(&out, span_str(sentence), 1024);
	(void)fprintf(stderr, "bootsmith %s: %s\n", verb, text_str(&out));
	text_free(&out);
	return 1;
}

/* Lines until the end; -1: there was none. */
static int read_answer(const char *verb, FILE *in, control_client_item item, void *ctx)
{
	char *line = NULL;
	size_t cap = 0;
	int code = -1;

	while (code < 0 && getline(&line, &cap, in) > 0) {
		json_t *j = json_loads(line, 0, NULL);
		const char *error = json_string_value(json_object_get(j, "error"));

		if (error)
			code = say_error(verb, error);
		else if (!j || json_object_get(j, "done"))
			code = j ? 0 : -1;
		else if (!item(ctx, j))
			code = 0;
		json_decref(j);
		if (!j)
			break;
	}
	free(line);
	return code;
}

static int ask(const char *verb, const char *path, time_t silence_s, json_t *request,
	control_client_item item, void *ctx, const char *no_end)
{
	int fd = open_socket(verb, path, silence_s), code = -1;
	FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (in) {
		/* Also when it could not be sent: a busy daemon says so, and hangs up. */
		(void)send_request(fd, request);
		code = read_answer(verb, in, item, ctx);
		(void)fclose(in);
		if (code < 0)
			(void)fprintf(
				stderr, "bootsmith %s: the daemon at %s %s\n", verb, path, no_end);
	}
	json_decref(request);
	return code < 0 ? 1 : code;
}

int control_client_ask(
	const char *verb, const char *path, json_t *request, control_client_item item, void *ctx)
{
	return ask(verb, path, SILENCE_S, request, item, ctx,
		"gave no whole answer: its log may say why");
}

int control_client_follow(
	const char *verb, const char *path, json_t *request, control_client_item item, void *ctx)
{
	return ask(verb, path, FOR_EVER, request, item, ctx,
		"stopped, or hung up since nothing was read here for half a minute");
}
