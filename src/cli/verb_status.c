/* bootsmith status: how a running daemon does, as text or JSON. */
#include "cli/control_client.h"
#include "cli/options.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: bootsmith status [--json]\n"
	"\n"
	"Shows what the running daemon serves: its networks and how full their pools are,\n"
	"leases by state, HTTP connections and transfers that run now, and what it dropped\n"
	"since its start, with the reasons.\n"
	"\n"
	"      --json           one JSON document\n"
	"  -c, --config FILE    the daemon's configuration, which names its socket\n"
	"                       (default: /etc/bootsmith/bootsmith.yaml where that exists)\n"
	"      --socket PATH    its control socket (default: /run/bootsmith/control.sock)\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit code: 0 well, 1 no daemon answered, 2 wrong usage.\n";

enum long_only {
	OPT_S_SOCKET = OPTIONS_OWN,
	OPT_S_JSON,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, OPT_S_SOCKET },
	{ "json", no_argument, NULL, OPT_S_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *word(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "-";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_daemon(const json_t *status)
{
	const json_t *leases = json_object_get(status, "leases");
	long long s = number(status, "uptime_s");

	(void)printf("bootsmith %s, process %lld, since %s (", word(status, "version"),
		number(status, "pid"), word(status, "started"));
	if (s >= 86400)
		(void)printf("%lld d ", s / 86400);
	(void)printf("%02lld:%02lld:%02lld)\n", s / 3600 % 24, s / 60 % 60, s % 60);
	(void)printf("leases: %lld bound, %lld offered, %lld declined, %lld free%s\n",
		number(leases, "bound"), number(leases, "offered"), number(leases, "declined"),
		number(leases, "free"),
		json_is_true(json_object_get(status, "store_failing"))
			? "; the store cannot write, so nobody gets a new one: the log says why"
			: "");
}

static void print_running(const json_t *running)
{
	const json_t *t;
	size_t i;

	(void)printf(
		"running: %lld HTTP connections, %lld of them being answered; %lld TFTP transfers (",
		number(running, "http_connections"), number(running, "http_transfers"),
		number(running, "tftp_transfers"));
	json_array_foreach(json_object_get(running, "threads"), i, t)
	{
		(void)printf("%s%s: ", i ? ", " : "", word(t, "thread"));
		if (json_object_get(t, "connections"))
			(void)printf("%lld of ", number(t, "transfers"));
		(void)printf("%lld",
			number(t, json_object_get(t, "connections") ? "connections" : "transfers"));
	}
	(void)puts(")");
}

static void print_pool(const json_t *network)
{
	long long pool = number(network, "pool"), taken = number(network, "taken");

	if (!json_is_true(json_object_get(network, "served")))
		(void)puts("not served now: `bootsmith events` says why");
	else if (strcmp(word(network, "dhcp"), "server") == 0 && pool)
		(void)printf("%lld of %lld (%lld %%)\n", taken, pool, taken * 100 / pool);
	else
		(void)puts("-");
}

static void print_networks(const json_t *networks)
{
	const json_t *n;
	size_t i;

	(void)printf("\n%-18s  %-6s  %-18s  %-15s  %s\n", "NETWORK", "DHCP", "SUBNET", "SERVER",
		"POOL TAKEN");
	json_array_foreach(networks, i, n)
	{
		(void)printf("%-18s  %-6s  %-18s  %-15s  ", word(n, "network"), word(n, "dhcp"),
			word(n, "subnet"), word(n, "server"));
		print_pool(n);
	}
}

static void print_drops(const json_t *drops)
{
	const json_t *d;
	size_t i;

	if (json_array_size(drops) == 0)
		return;
	(void)puts("\nDropped since the start:");
	json_array_foreach(drops, i, d)(void)
		printf("%10lld  %s  %s\n", number(d, "times"), word(d, "drop"), word(d, "why"));
}

static bool print(void *ctx, const json_t *line)
{
	const bool *json = ctx;
	const json_t *status = json_object_get(line, "status");

	if (*json) {
		(void)json_dumpf(
			status, stdout, JSON_PRESERVE_ORDER | JSON_INDENT(2) | JSON_ENSURE_ASCII);
		(void)putchar('\n');
		return true;
	}
	print_daemon(status);
	print_running(json_object_get(status, "running"));
	print_networks(json_object_get(status, "networks"));
	print_drops(json_object_get(status, "drops"));
	return true;
}

int verb_status(int argc, char **argv)
{
	const char *config = NULL, *socket = NULL;
	bool json = false;
	json_t *request;
	char *path;
	int c, code;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case OPT_S_SOCKET:
			socket = optarg;
			break;
		case OPT_S_JSON:
			json = true;
			break;
		case 'h':
			(void)fputs(help, stdout);
			return 0;
		default:
			return options_wrong_usage(
				"status", "wrong option"); /* getopt has named it */
		}
	}
	if (optind < argc)
		return options_wrong_usage("status", "it takes no \"%s\"", argv[optind]);
	path = control_client_path("status", socket, config);
	if (!path)
		return 1;
	request = json_pack("{s:i, s:s}", "v", 1, "verb", "status");
	code = control_client_ask("status", path, request, print, &json);
	free(path);
	return code;
}
