/* bootsmith check: all mistakes of a configuration at once, before it is needed.
 *
 * Starts nothing and changes nothing.
 */
#include "app/config_files.h"
#include "app/https_files.h"
#include "cli/options.h"
#include "cli/verbs.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: bootsmith check [-c FILE]\n"
	"\n"
	"Reads a configuration and looks for the files that it names. Prints every mistake\n"
	"with its line and column, and what to do about it. Starts and changes nothing.\n"
	"\n"
	"  -c, --config FILE   the configuration (default: " CONFIG_FILE_DEFAULT ")\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit code: 0 the configuration is good, 1 it is not, 2 wrong usage.\n";

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_summary(const char *file, const struct config *cfg)
{
	(void)printf("%s is good: %zu network%s, %zu profile%s, %zu machine%s, %zu rule%s\n", file,
		cfg->n_networks, plural(cfg->n_networks), cfg->n_profiles, plural(cfg->n_profiles),
		cfg->n_machines, plural(cfg->n_machines), cfg->n_rules, plural(cfg->n_rules));
	if (cfg->n_networks == 0)
		(void)puts("it names no network: `bootsmith serve` needs -i IFACE with it");
}

/* What deserves a word, but stops nobody. */
static void print_warnings(const struct config *cfg)
{
	struct tls_report report = { 0 };
	struct ssl_ctx_st *context = NULL;

	int r = https_files_open(cfg, &report, &context);

	for (size_t i = 0; r == 0 && i < report.n; i++)
		(void)printf("warning: %s\n", text_str(&report.list[i].sentence));
	tls_report_free(&report);
	tls_context_unref(context);
}

static int check_file(const char *file)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	struct text source = { 0 }, out = { 0 };
	int r = config_files_load(file, NULL, &errs, &source, &cfg);

	if (r == 0) {
		print_summary(file, cfg);
		print_warnings(cfg);
	} else {
		config_files_print_errors(file, text_span(&source), &errs, &out);
		(void)fputs(text_str(&out), stderr);
	}
	config_free(cfg);
	config_errors_free(&errs);
	text_free(&source);
	text_free(&out);
	return r == 0 ? 0 : 1;
}

int verb_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *file = CONFIG_FILE_DEFAULT;
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'h':
			(void)fputs(help, stdout);
			return 0;
		default:
			return options_wrong_usage(
				"check", "wrong option"); /* getopt has named it */
		}
	}
	if (optind < argc)
		return options_wrong_usage(
			"check", "\"%s\" is no option, a file is given with -c FILE", argv[optind]);
	return check_file(file);
}
