/* bootsmith events: what happened in a running daemon, and happens, as text or JSON. */
#include "base/addr.h"
#include "cli/control_client.h"
#include "cli/options.h"
#include "cli/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"usage: bootsmith events [MAC] [--follow] [--since N] [--json]\n"
	"\n"
	"Shows what the running daemon did lately: each DHCP exchange, transfer and request\n"
	"as in its log, and once a second how far a transfer is that takes longer.\n"
	"\n"
	"  MAC                  only what concerns this machine (default: all)\n"
	"  -f, --follow         go on with what happens, until Ctrl-C\n"
	"      --since N        only events after the one with this number (`seq` of --json)\n"
	"      --json           one JSON document, an array; with --follow one object a line\n" OPTIONS_CONTROL_HELP
	"  -h, --help           this text\n"
	"\n"
	"The daemon remembers some thousand events. A machine is known by its MAC once it has\n"
	"an address of ours. Exit code: 0 well, 1 it could not be told, or the daemon stopped\n"
	"while we followed; 2 wrong usage.\n";

enum long_only {
	OPT_V_SINCE = OPTIONS_OWN,
};

static const struct option long_options[] = {
	OPTIONS_CONTROL_LONG,
	{ "follow", no_argument, NULL, 'f' },
	{ "since", required_argument, NULL, OPT_V_SINCE },
	{ NULL, 0, NULL, 0 },
};

struct parsed {
	struct options_control control;
	struct mac_text mac; /* "": any */
	json_int_t since;
	bool follow;
	unsigned long printed;
};

static int take_since(struct parsed *p, const char *s)
{
	char *end;

	errno = 0;
	p->since = strtoll(s, &end, 10);
	if (errno || end == s || *end || p->since < 0)
		return options_wrong_usage("events", "\"%s\" is no number of an event", s);
	return 0;
}

static int take_option(struct parsed *p, int c)
{
	switch (c) {
	case 'f':
		p->follow = true;
		return 0;
	case OPT_V_SINCE:
		return take_since(p, optarg);
	default:
		return options_take_control(&p->control, "events", c);
	}
}

/* --- as text --- */

/* The daemon's time as this terminal's: "20:27:25.787". */
static void print_time(const char *time)
{
	struct tm tm = { 0 }, local;
	const char *rest = time ? strptime(time, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t s = timegm(&tm);
	char clock[16] = "--:--:--";

	if (rest && localtime_r(&s, &local))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	(void)printf("%s%.4s ", clock, rest ? rest : ".---");
}

/* What the sentence quotes is escaped already; that nothing else of it commands the
 * terminal is made sure here. */
static void print_sentence(const char *s)
{
	for (const uint8_t *p = (const uint8_t *)(s ? s : ""); *p; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if (*p < 0x20 || *p == 0x7f || c1)
			(void)printf("\\x%02x", c1 ? *++p : *p);
		else
			(void)putchar(*p);
	}
	(void)putchar('\n');
}

static const char *field(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key));
}

static void print_text(const json_t *event)
{
	const char *topic = field(event, "topic"), *level = field(event, "level");

	print_time(field(event, "time"));
	(void)printf("%-6s ", topic ? topic : "");
	if (level && strcmp(level, "info") != 0)
		(void)printf("%s: ", level);
	print_sentence(field(event, "message"));
}

static void print_missed_text(const json_t *missed)
{
	(void)printf(
		"... up to %lld events are missing here: they came faster than they were read, or are forgotten\n",
		(long long)json_integer_value(missed));
}

/* --- as JSON --- */

/* A terminal may take what is not ASCII for a command (U+009B).  An array; when following, a line for each, which others can read at once. */
static void print_json(struct parsed *p, const json_t *object)
{
	if (!p->follow)
		(void)fputs(p->printed ? ",\n  " : "[\n  ", stdout);
	p->printed++;
	(void)json_dumpf(object, stdout, JSON_PRESERVE_ORDER | JSON_COMPACT | JSON_ENSURE_ASCII);
	if (p->follow)
		(void)putchar('\n');
}

static void print_json_missed(struct parsed *p, const json_t *missed)
{
	json_t *object = json_pack("{s:O}", "missed", missed);

	print_json(p, object);
	json_decref(object);
}

static bool print(void *ctx, const json_t *line)
{
	struct parsed *p = ctx;
	const json_t *event = json_object_get(line, "event"),
		     *missed = json_object_get(line, "missed");

	if (event && p->control.json)
		print_json(p, event);
	else if (event)
		print_text(event);
	else if (missed && p->control.json)
		print_json_missed(p, missed);
	else if (missed)
		print_missed_text(missed);
	return !(p->follow && fflush(stdout)) && !ferror(stdout);
}

/* Lines are flushed as they come: nothing is left to do. */
static void on_interrupt(int signum)
{
	(void)signum;
	_exit(0);
}

static int run(struct parsed *p)
{
	json_t *request = json_pack("{s:i, s:s, s:s*, s:b, s:I}", "v", 1, "verb", "events", "mac",
		p->mac.s[0] ? p->mac.s : NULL, "follow", p->follow, "since", p->since);
	char *path = request ? control_client_path("events", p->control.socket, p->control.config)
			     : NULL;
	int code = 1;

	if (!path) {
		json_decref(request);
		return 1;
	}
	if (p->follow) {
		(void)signal(SIGINT, on_interrupt);
		code = control_client_follow("events", path, request, print, p);
	} else {
		code = control_client_ask("events", path, request, print, p);
	}
	if (p->control.json && !p->follow && code == 0)
		(void)puts(p->printed ? "\n]" : "[]");
	free(path);
	return fflush(stdout) || ferror(stdout) ? 1 : code;
}

int verb_events(int argc, char **argv)
{
	struct parsed p = { 0 };
	struct mac mac;
	int c, r;

	while ((c = getopt_long(argc, argv, OPTIONS_CONTROL_LETTERS "f", long_options, NULL)) !=
		-1) {
		r = take_option(&p, c);
		if (r != 0)
			return r;
	}
	if (p.control.help) {
		(void)fputs(help, stdout);
		return 0;
	}
	if (optind + 1 < argc)
		return options_wrong_usage(
			"events", "\"%s\" is one machine too many", argv[optind + 1]);
	if (optind < argc) {
		if (mac_parse(span_str(argv[optind]), &mac) < 0)
			return options_wrong_usage(
				"events", "\"%s\" is no MAC address", argv[optind]);
		p.mac = mac_str(mac);
	}
	return run(&p);
}
