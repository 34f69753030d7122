/* Requests of the control socket: read, looked up, refused. */
#include "app/control.h"

#include "app/control_events.h"
#include "app/control_lease.h"
#include "app/control_machine.h"
#include "app/control_status.h"
#include "base/escape.h"

#include <errno.h>
#include <stdlib.h>

struct control {
	struct site *site;
	struct control_socket *socket;
};

static const struct {
	const char *name;
	control_verb start;
} verbs[] = {
	{ "events", control_events },
	{ "lease.list", control_lease_list },
	{ "lease.show", control_lease_show },
	{ "lease.release", control_lease_release },
	{ "machine.list", control_machine_list },
	{ "machine.show", control_machine_show },
	{ "machine.boot", control_machine_boot },
	{ "machine.hold", control_machine_hold },
	{ "machine.local", control_machine_local },
	{ "machine.reset", control_machine_reset },
	{ "status", control_status },
};

static void say_error(struct control_conn *c, struct span sentence)
{
	struct text line = { 0 };

	text_adds(&line, "{\"v\": 1, \"error\": \"");
	escape_json(&line, sentence);
	text_adds(&line, "\"}\n");
	control_write(c, text_span(&line));
	text_free(&line);
}

void control_say_error(struct control_conn *c, const char *fmt, ...)
{
	struct text sentence = { 0 };
	va_list ap;

	va_start(ap, fmt);
	text_addv(&sentence, fmt, ap);
	va_end(ap);
	say_error(c, text_span(&sentence));
	text_free(&sentence);
	control_finish(c);
}

void control_say_done(struct control_conn *c)
{
	control_write(c, SPAN_LIT("{\"v\": 1, \"done\": true}\n"));
	control_finish(c);
}

const char *control_text(const json_t *request, const char *key, bool *ret_ok)
{
	const json_t *v = json_object_get(request, key);

	*ret_ok = !v || json_is_string(v);
	return json_string_value(v);
}

/* Before the parser, which goes down a level for each bracket. */
static bool is_too_deep(struct span s)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t b = s.p[i];

		if (in_string && b == '\\')
			i++;
		else if (b == '"')
			in_string = !in_string;
		else if (!in_string && (b == '[' || b == '{') && ++depth > CONTROL_DEPTH_MAX)
			return true;
		else if (!in_string && (b == ']' || b == '}') && depth > 0)
			depth--;
	}
	return false;
}

static void start(struct site *site, struct control_conn *c, const json_t *request)
{
	const json_t *version = json_object_get(request, "v");
	const char *verb = json_string_value(json_object_get(request, "verb"));

	if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION) {
		control_say_error(c,
			"this daemon speaks version %d: a request begins {\"v\": %d, \"verb\": …",
			CONTROL_VERSION, CONTROL_VERSION);
		return;
	}
	for (size_t i = 0; verb && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verb, verbs[i].name) == 0) {
			verbs[i].start(site, c, request);
			return;
		}
	}
	control_say_error(c, "this daemon knows no verb \"%.64s\"", verb ? verb : "");
}

static void on_request(void *ctx, struct control_conn *c, struct span line)
{
	struct control *ctl = ctx;
	json_error_t why;
	json_t *request;

	if (is_too_deep(line)) {
		control_say_error(c, "a request has at most %d levels", CONTROL_DEPTH_MAX);
		return;
	}
	request = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &why);
	if (!request)
		control_say_error(c, "this is no JSON: %s", why.text);
	else
		start(ctl->site, c, request);
	json_decref(request);
}

static void on_more(void *ctx, struct control_conn *c, void *answer)
{
	struct control_answer *a = answer;

	(void)ctx;
	a->more(a, c);
}

static void on_gone(void *ctx, void *answer)
{
	struct control_answer *a = answer;

	(void)ctx;
	a->gone(a);
}

static void on_refuse(void *ctx, struct control_conn *c, const char *sentence)
{
	(void)ctx;
	say_error(c, span_str(sentence));
}

static void say_why_not(struct log *log, const char *path, int error)
{
	if (error == -EADDRINUSE)
		log_say(log, LOG_WARNING, "control",
			"another daemon listens on the control socket %s: this one does without; give it another --socket",
			path);
	else if (error == -EEXIST)
		log_say(log, LOG_WARNING, "control",
			"%s is no socket: it is left alone, and there is no control socket; name another with --socket",
			path);
	else
		log_say(log, LOG_WARNING, "control",
			"no control socket at %s: %s; the daemon does without, `bootsmith lease` cannot ask it",
			path, strerror(-error));
}

void control_open(uv_loop_t *loop, struct site *site, struct control **ret)
{
	static const struct control_hooks hooks = {
		.request = on_request, .more = on_more, .gone = on_gone, .refuse = on_refuse
	};
	struct control *ctl = calloc(1, sizeof(*ctl));
	int r = -ENOMEM;

	*ret = NULL;
	if (ctl) {
		ctl->site = site;
		r = control_socket_open(loop, site->cfg->control_socket, &hooks, ctl, &ctl->socket);
	}
	if (r == 0) {
		*ret = ctl;
		return;
	}
	say_why_not(site->log, site->cfg->control_socket, r);
	free(ctl);
}

void control_close(struct control *ctl)
{
	if (!ctl)
		return;
	control_socket_close(ctl->socket);
	free(ctl);
}
