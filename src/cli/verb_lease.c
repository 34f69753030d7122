/* bootsmith lease: leases of a running daemon, as text or JSON. */
#include "base/addr.h"
#include "base/escape.h"
#include "cli/control_client.h"
#include "cli/options.h"
#include "cli/subverb.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: bootsmith lease list [--network N] [--state S] [--all] [--json]\n"
	"       bootsmith lease show ADDRESS|MAC|HOSTNAME|MACHINE [--json]\n"
	"       bootsmith lease release ADDRESS|MAC [--json]\n"
	"\n"
	"Asks the running daemon for its leases and reservations; release frees what an\n"
	"address or a MAC has, and returns when that is on disk. The client keeps using\n"
	"the address until it renews: release what is gone.\n"
	"\n" OPTIONS_CONTROL_HELP
	"      --network N      only of this network, named as in the log (default: all)\n"
	"      --state S        only offered, bound, declined, reserved or free ones\n"
	"      --all            free ones too: addresses that were somebody's\n"
	"      --json           one JSON document: an array, and for show an object\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit code: 0 well, 1 it could not be told or done, 2 wrong usage.\n";

enum long_only {
	OPT_L_NETWORK = OPTIONS_OWN,
	OPT_L_STATE,
	OPT_L_ALL,
};

static const struct option long_options[] = {
	OPTIONS_CONTROL_LONG,
	{ "network", required_argument, NULL, OPT_L_NETWORK },
	{ "state", required_argument, NULL, OPT_L_STATE },
	{ "all", no_argument, NULL, OPT_L_ALL },
	{ NULL, 0, NULL, 0 },
};

struct parsed {
	struct options_control control;
	const char *network, *state;
	bool all;
};

/* What was told, in the order of rank: a million leases take as many lines. */
struct told {
	struct row {
		uint64_t rank;
		char *json;
	} * rows;
	size_t n, cap;
	bool by_use; /* the one in use first, not the lowest address */
	bool failed;
};

static int take_option(struct parsed *p, int c)
{
	switch (c) {
	case OPT_L_NETWORK:
		p->network = optarg;
		return 0;
	case OPT_L_STATE:
		p->state = optarg;
		return 0;
	case OPT_L_ALL:
		p->all = true;
		return 0;
	default:
		return options_take_control(&p->control, "lease", c);
	}
}

static const char *field(const json_t *lease, const char *key)
{
	return json_string_value(json_object_get(lease, key));
}

static uint64_t rank_of(const json_t *lease, bool by_use)
{
	static const char *const order[] = { "bound", "reserved", "offered", "declined" };
	const char *state = field(lease, "state"), *address = field(lease, "address");
	struct ip4 a;
	uint64_t i = 0;

	if (ip4_parse(span_str(address), &a) < 0)
		a.v = 0;
	while (by_use && i < ARRAY_LEN(order) && !(state && strcmp(state, order[i]) == 0))
		i++;
	return i << 32 | a.v;
}

static bool keep(void *ctx, const json_t *line)
{
	struct told *t = ctx;
	const json_t *lease = json_object_get(line, "lease");
	struct row *rows = t->rows;

	if (t->n == t->cap) {
		rows = realloc(rows, (t->cap * 2 + 16) * sizeof(*rows));
		if (rows) {
			t->rows = rows;
			t->cap = t->cap * 2 + 16;
		}
	}
	if (rows) /* ASCII: a terminal may take U+009B for a command */
		rows[t->n] = (struct row){ rank_of(lease, t->by_use),
			json_dumps(lease, JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) };
	t->failed = !rows || !rows[t->n].json;
	t->n += !t->failed;
	return !t->failed;
}

static int by_rank(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->rank > y->rank) - (x->rank < y->rank);
}

static void told_free(struct told *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].json);
	free(t->rows);
}

/* --- as text --- */

static const struct column {
	const char *key, *title;
	int width; /* the narrowest */
} columns[] = {
	{ "address", "ADDRESS", 15 },
	{ "state", "STATE", 8 },
	{ "mac", "MAC", 17 },
	{ "network", "NETWORK", 7 },
	{ "expires", "EXPIRES", 20 },
	{ "machine", "MACHINE", 7 },
	{ "hostname", "HOSTNAME", 0 },
};

/* What a client called itself is not for the terminal as it is. */
static void cell(const json_t *lease, const char *key, struct text *out)
{
	const char *value = field(lease, key);

	text_reset(out);
	if (value)
		escape_log(out, span_str(value), 255);
	else
		text_adds(out, "-");
}

static void measure(const struct told *t, int width[static ARRAY_LEN(columns)])
{
	struct text value = { 0 };

	for (size_t k = 0; k < ARRAY_LEN(columns); k++)
		width[k] = columns[k].width;
	for (size_t i = 0; i < t->n; i++) {
		json_t *lease = json_loads(t->rows[i].json, 0, NULL);

		for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
			cell(lease, columns[k].key, &value);
			if ((int)value.n > width[k])
				width[k] = (int)value.n;
		}
		json_decref(lease);
	}
	text_free(&value);
}

static void print_table(const struct told *t)
{
	int width[ARRAY_LEN(columns)];
	size_t last = ARRAY_LEN(columns) - 1;
	struct text value = { 0 };

	measure(t, width);
	for (size_t k = 0; k < last; k++)
		(void)printf("%-*s  ", width[k], columns[k].title);
	(void)printf("%s\n", columns[last].title);
	for (size_t i = 0; i < t->n; i++) {
		json_t *lease = json_loads(t->rows[i].json, 0, NULL);

		for (size_t k = 0; k < last; k++) {
			cell(lease, columns[k].key, &value);
			(void)printf("%-*s  ", width[k], text_str(&value));
		}
		cell(lease, columns[last].key, &value);
		(void)printf("%s\n", text_str(&value));
		json_decref(lease);
	}
	text_free(&value);
}

static void print_one(const struct told *t)
{
	static const char *const keys[] = { "address", "state", "network", "mac", "client_id",
		"machine", "hostname", "expires" };
	json_t *lease = json_loads(t->rows[0].json, 0, NULL);
	struct text value = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		cell(lease, keys[i], &value);
		(void)printf("%-10s %s\n", keys[i], text_str(&value));
	}
	text_free(&value);
	json_decref(lease);
}

static void print_json_array(const struct told *t)
{
	(void)puts("[");
	for (size_t i = 0; i < t->n; i++)
		(void)printf("  %s%s\n", t->rows[i].json, i + 1 < t->n ? "," : "");
	(void)puts("]");
}

/* --- the verbs --- */

static json_t *request_list(const struct parsed *p, const char *key)
{
	(void)key;
	return json_pack("{s:i, s:s, s:s*, s:s*, s:b}", "v", 1, "verb", "lease.list", "network",
		p->network, "state", p->state, "all", p->all);
}

static json_t *request_show(const struct parsed *p, const char *key)
{
	(void)p;
	return json_pack("{s:i, s:s, s:s}", "v", 1, "verb", "lease.show", "key", key);
}

static json_t *request_release(const struct parsed *p, const char *key)
{
	(void)p;
	return json_pack("{s:i, s:s, s:s}", "v", 1, "verb", "lease.release", "key", key);
}

static void print_list(const struct parsed *p, const struct told *t)
{
	if (p->control.json)
		print_json_array(t);
	else
		print_table(t);
}

/* One lease; of several, such as those of a machine's boot stages, the one in use. */
static void print_show(const struct parsed *p, const struct told *t)
{
	if (p->control.json)
		(void)puts(t->rows[0].json);
	else
		print_one(t);
	for (size_t i = 1; i < t->n; i++) {
		json_t *lease = json_loads(t->rows[i].json, 0, NULL);

		(void)fprintf(stderr, "bootsmith lease: %s (%s) fits too\n",
			field(lease, "address"), field(lease, "state"));
		json_decref(lease);
	}
}

static void print_release(const struct parsed *p, const struct told *t)
{
	if (p->control.json) {
		print_json_array(t);
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		json_t *lease = json_loads(t->rows[i].json, 0, NULL);

		(void)printf("%s released\n", field(lease, "address"));
		json_decref(lease);
	}
}

static const struct subverb subverbs[] = {
	{ "list", 0, NULL },
	{ "show", 1, "an address, a MAC, a hostname or a machine's name" },
	{ "release", 1, "an address or a MAC" },
};

/* What each of them asks, and how its answer is printed. */
static const struct request {
	json_t *(*ask)(const struct parsed *p, const char *key); /* key: NULL without a word */
	void (*print)(const struct parsed *p, const struct told *t);
	bool by_use;
} requests[ARRAY_LEN(subverbs)] = {
	{ request_list, print_list, false },
	{ request_show, print_show, true },
	{ request_release, print_release, false },
};

static int run(const struct parsed *p, const struct request *v, const char *key)
{
	json_t *request = v->ask(p, key);
	struct told t = { .by_use = v->by_use };
	char *path;
	int code = 1;

	if (!request)
		return options_wrong_usage("lease", "\"%s\" is no UTF-8", key ? key : "");
	path = control_client_path("lease", p->control.socket, p->control.config);
	if (!path) {
		json_decref(request);
		return 1;
	}
	code = control_client_ask("lease", path, request, keep, &t);
	if (t.failed) {
		(void)fprintf(stderr, "bootsmith lease: out of memory\n");
		code = 1;
	}
	if (code == 0) {
		if (t.n)
			qsort(t.rows, t.n, sizeof(*t.rows), by_rank);
		v->print(p, &t);
	}
	told_free(&t);
	free(path);
	return code;
}

int verb_lease(int argc, char **argv)
{
	struct parsed p = { 0 };
	const char *key;
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
	r = subverb_choose("lease", subverbs, ARRAY_LEN(subverbs), argc, argv, &which);
	if (r != 0)
		return r;
	key = subverbs[which].words ? argv[optind + 1] : NULL;
	if (key && (p.network || p.state || p.all))
		return options_wrong_usage("lease", "--network, --state and --all belong to list");
	return run(&p, &requests[which], key);
}
