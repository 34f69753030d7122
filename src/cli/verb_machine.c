/* bootsmith machine: machines of a running daemon, their states and orders for them. */
#include "base/escape.h"
#include "cli/control_client.h"
#include "cli/options.h"
#include "cli/subverb.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: bootsmith machine list [--state S] [--unknown] [--json]\n"
	"       bootsmith machine show NAME|MAC [--json]\n"
	"       bootsmith machine boot NAME|MAC PROFILE [--json]\n"
	"       bootsmith machine hold|local|reset NAME|MAC [--json]\n"
	"\n"
	"Asks the running daemon what its machines have been through, and orders what they\n"
	"boot the next time: boot, this profile once; hold, nothing from here; local, their\n"
	"own disk; reset, as if they had never been here. An order returns when it is on disk,\n"
	"and the last one counts. NAME is one of the configuration's machines.\n"
	"\n" OPTIONS_CONTROL_HELP
	"      --state S        only new, installing, installed, hold or local ones\n"
	"      --unknown        only those that the configuration does not know\n"
	"      --json           one JSON document: an array for list, else an object\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit code: 0 well, 1 it could not be told or done, 2 wrong usage.\n";

enum long_only {
	OPT_M_STATE = OPTIONS_OWN,
	OPT_M_UNKNOWN,
};

static const struct option long_options[] = {
	OPTIONS_CONTROL_LONG,
	{ "state", required_argument, NULL, OPT_M_STATE },
	{ "unknown", no_argument, NULL, OPT_M_UNKNOWN },
	{ NULL, 0, NULL, 0 },
};

struct parsed {
	struct options_control control;
	const char *state;
	bool unknown;
};

static int take_option(struct parsed *p, int c)
{
	switch (c) {
	case OPT_M_STATE:
		p->state = optarg;
		return 0;
	case OPT_M_UNKNOWN:
		p->unknown = true;
		return 0;
	default:
		return options_take_control(&p->control, "machine", c);
	}
}

static bool keep(void *ctx, const json_t *line)
{
	json_t *all = ctx, *machine = json_object_get(line, "machine");

	return json_array_append(all, machine) == 0;
}

/* --- as text --- */

/* What a machine says of itself is not for the terminal as it is. */
static void cell(const json_t *machine, const char *key, struct text *out)
{
	const json_t *v = json_object_get(machine, key);

	text_reset(out);
	if (json_is_boolean(v))
		text_adds(out, json_is_true(v) ? "yes" : "no");
	else if (json_is_string(v))
		escape_log(out, span_str(json_string_value(v)), 255);
	else
		text_adds(out, "-");
}

static const struct column {
	const char *key, *title;
} columns[] = {
	{ "mac", "MAC" },
	{ "name", "NAME" },
	{ "state", "STATE" },
	{ "boot_once", "BOOT ONCE" },
	{ "profile", "PROFILE" },
	{ "arch", "ARCH" },
	{ "address", "ADDRESS" },
	{ "last_seen", "LAST SEEN" },
	{ "serial", "SERIAL" },
};

static void measure(const json_t *all, int width[static ARRAY_LEN(columns)])
{
	struct text value = { 0 };
	const json_t *machine;
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(columns); k++)
		width[k] = (int)strlen(columns[k].title);
	json_array_foreach(all, i, machine) for (size_t k = 0; k < ARRAY_LEN(columns); k++)
	{
		cell(machine, columns[k].key, &value);
		if ((int)value.n > width[k])
			width[k] = (int)value.n;
	}
	text_free(&value);
}

static void print_table(const json_t *all)
{
	int width[ARRAY_LEN(columns)];
	size_t last = ARRAY_LEN(columns) - 1, i;
	struct text value = { 0 };
	const json_t *machine;

	measure(all, width);
	for (size_t k = 0; k < last; k++)
		(void)printf("%-*s  ", width[k], columns[k].title);
	(void)printf("%s\n", columns[last].title);
	json_array_foreach(all, i, machine)
	{
		for (size_t k = 0; k < last; k++) {
			cell(machine, columns[k].key, &value);
			(void)printf("%-*s  ", width[k], text_str(&value));
		}
		cell(machine, columns[last].key, &value);
		(void)printf("%s\n", text_str(&value));
	}
	text_free(&value);
}

static void print_one(json_t *machine)
{
	struct text value = { 0 };
	const char *key;
	json_t *v;

	json_object_foreach(machine, key, v)
	{
		(void)v;
		cell(machine, key, &value);
		(void)printf("%-12s %s\n", key, text_str(&value));
	}
	text_free(&value);
}

/* ASCII: a terminal may take U+009B for a command. */
static void print_json(const json_t *j)
{
	char *text = json_dumps(j, JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);

	(void)puts(text ? text : "null");
	free(text);
}

static void print_json_array(const json_t *all)
{
	const json_t *machine;
	size_t i, n = json_array_size(all);

	(void)puts("[");
	json_array_foreach(all, i, machine)
	{
		char *text = json_dumps(machine, JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);

		(void)printf("  %s%s\n", text ? text : "null", i + 1 < n ? "," : "");
		free(text);
	}
	(void)puts("]");
}

static void print_order(json_t *machine)
{
	const char *once = json_string_value(json_object_get(machine, "boot_once"));
	const char *name = json_string_value(json_object_get(machine, "name"));

	(void)printf("%s: %s%s%s\n",
		name ? name : json_string_value(json_object_get(machine, "mac")),
		json_string_value(json_object_get(machine, "state")), once ? ", boots once: " : "",
		once ? once : "");
}

/* --- the verbs --- */

static const struct subverb subverbs[] = {
	{ "list", 0, NULL },
	{ "show", 1, "a machine's name or its MAC" },
	{ "boot", 2, "a machine's name or its MAC, and a profile" },
	{ "hold", 1, "a machine's name or its MAC" },
	{ "local", 1, "a machine's name or its MAC" },
	{ "reset", 1, "a machine's name or its MAC" },
};

/* What each of them asks, and how its answer is printed. */
static const struct request {
	const char *verb;
	void (*print)(json_t *machine); /* NULL: a list */
} requests[ARRAY_LEN(subverbs)] = {
	{ "machine.list", NULL },
	{ "machine.show", print_one },
	{ "machine.boot", print_order },
	{ "machine.hold", print_order },
	{ "machine.local", print_order },
	{ "machine.reset", print_order },
};

static void print_answer(const struct parsed *p, const struct request *v, const json_t *all)
{
	json_t *first = json_array_get(all, 0);

	if (!v->print && p->control.json)
		print_json_array(all);
	else if (!v->print)
		print_table(all);
	else if (p->control.json)
		print_json(first);
	else
		v->print(first);
}

static int run(const struct parsed *p, const struct request *v, char **words, int n_words)
{
	json_t *request = json_pack("{s:i, s:s, s:s*, s:s*, s:s*, s:b}", "v", 1, "verb", v->verb,
		"state", p->state, "key", n_words > 0 ? words[0] : NULL, "profile",
		n_words > 1 ? words[1] : NULL, "unknown", p->unknown);
	json_t *all = json_array();
	char *path;
	int code = 1;

	if (!request) {
		json_decref(all);
		return options_wrong_usage("machine", "these words are no UTF-8");
	}
	path = control_client_path("machine", p->control.socket, p->control.config);
	if (!path)
		json_decref(request);
	else
		code = control_client_ask("machine", path, request, keep, all);
	if (code == 0)
		print_answer(p, v, all);
	json_decref(all);
	free(path);
	return code;
}

int verb_machine(int argc, char **argv)
{
	struct parsed p = { 0 };
	size_t which = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, OPTIONS_CONTROL_LETTERS, long_options, NULL)) != -1) {
		r = take_option(&p, c);
		if (r != 0)
			return r;
	}
	if (p.control.help) {
		(void)fputs(help, stdout);
		return 0;
	}
	r = subverb_choose("machine", subverbs, ARRAY_LEN(subverbs), argc, argv, &which);
	if (r != 0)
		return r;
	if (requests[which].print && (p.state || p.unknown))
		return options_wrong_usage("machine", "--state and --unknown belong to list");
	return run(&p, &requests[which], argv + optind + 1, subverbs[which].words);
}
