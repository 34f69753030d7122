/* bootsmith serve and bootsmith boot: command lines of the daemon. */
#include "cli/options.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum long_only {
	OPT_L_PROXY = OPTIONS_OWN,
	OPT_L_STATE_DIR,
	OPT_L_SOCKET,
	OPT_L_LOG_FORMAT,
	OPT_L_CMDLINE,
};

struct parsed {
	struct options_common common;
	bool log_json;
};

static const char serve_help[] =
	"usage: bootsmith serve [-c FILE] [-i IFACE]... [options]\n"
	"\n"
	"Serves DHCPv4, TFTP and HTTP until Ctrl-C. Without a configuration file, machines\n"
	"on the interfaces given get an address from the upper half of the interface's own\n"
	"subnet, the iPXE loader for their firmware, and boot.ipxe of the HTTP root.\n"
	"\n"
	"  -c, --config FILE       the configuration (default: /etc/bootsmith/bootsmith.yaml where that exists)\n"
	"  -i, --interface IFACE   serve this interface; may be given several times\n"
	"      --proxy             beside a DHCP server of somebody else's: boot options only, no\n"
	"                          addresses, on the interfaces given (or all of the configuration)\n"
	"      --http-root DIR     files for HTTP (default: /srv/http)\n"
	"      --tftp-root DIR     files for TFTP (default: /srv/tftp)\n"
	"      --profile NAME      what machines boot that no rule names (default: default_profile)\n"
	"      --state-dir DIR     what the daemon keeps (default: /var/lib/bootsmith)\n"
	"      --socket PATH       the control socket that `bootsmith lease` speaks to\n"
	"                          (default: /run/bootsmith/control.sock)\n"
	"      --log-format FORMAT text (default) or json, one line per event on standard output\n"
	"  -h, --help              this text\n"
	"\n"
	"Defaults are the configuration's where it says otherwise.\n"
	"SIGHUP loads the configuration anew.\n"
	"Exit code: 0 stopped when told to, 1 could not start, 2 wrong usage.\n";

static const char boot_help[] =
	"usage: bootsmith boot KERNEL [INITRD...] [--cmdline TEXT] -i IFACE [options]\n"
	"\n"
	"Serves like `bootsmith serve`, and every machine on IFACE boots this kernel:\n"
	"files of this machine, or URLs. No configuration file is read.\n"
	"\n"
	"      --cmdline TEXT      the kernel's command line (default: none; initrd= is added)\n"
	"  -i, --interface IFACE   serve this interface; may be given several times\n"
	"      --proxy, --http-root DIR, --tftp-root DIR, --state-dir DIR, --socket PATH,\n"
	"      --log-format FORMAT as for `bootsmith serve`\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit code: 0 stopped when told to, 1 could not start, 2 wrong usage.\n";

static const struct option long_options[] = {
	{ "proxy", no_argument, NULL, OPT_L_PROXY },
	{ "state-dir", required_argument, NULL, OPT_L_STATE_DIR },
	{ "socket", required_argument, NULL, OPT_L_SOCKET },
	{ "log-format", required_argument, NULL, OPT_L_LOG_FORMAT },
	{ "cmdline", required_argument, NULL, OPT_L_CMDLINE },
	OPTIONS_COMMON_LONG,
	{ NULL, 0, NULL, 0 },
};

static int take_option(struct parsed *p, const char *verb, int c)
{
	struct config_override *o = &p->common.override;

	switch (c) {
	case OPT_L_PROXY:
		o->proxy = true;
		return 0;
	case OPT_L_STATE_DIR:
		o->state_dir = optarg;
		return 0;
	case OPT_L_SOCKET:
		o->control_socket = optarg;
		return 0;
	case OPT_L_LOG_FORMAT:
		p->log_json = strcmp(optarg, "json") == 0;
		if (!p->log_json && strcmp(optarg, "text") != 0)
			return options_wrong_usage(
				verb, "--log-format is text or json, not \"%s\"", optarg);
		return 0;
	case OPT_L_CMDLINE:
		o->boot_cmdline = optarg;
		return 0;
	default:
		return options_take_common(&p->common, verb, c);
	}
}

static int parse(struct parsed *p, int argc, char **argv)
{
	int c, r;

	*p = (struct parsed){ 0 };
	while ((c = getopt_long(argc, argv, OPTIONS_COMMON_LETTERS, long_options, NULL)) != -1) {
		r = take_option(p, argv[0], c);
		if (r != 0)
			return r;
	}
	return 0;
}

static int serve(const struct parsed *p, const char *config_file)
{
	const struct serve_options options = {
		.config_file = config_file,
		.override = p->common.override,
		.log_json = p->log_json,
	};

	return serve_run(&options);
}

int verb_serve(int argc, char **argv)
{
	const char *config_file;
	struct parsed p;
	int r = parse(&p, argc, argv);

	if (r != 0)
		return r;
	if (p.common.help) {
		(void)fputs(serve_help, stdout);
		return 0;
	}
	if (optind < argc)
		return options_wrong_usage("serve", "\"%s\" is no option", argv[optind]);
	if (p.common.override.boot_cmdline)
		return options_wrong_usage("serve",
			"--cmdline belongs to `bootsmith boot`, a profile has a key cmdline");
	config_file = options_config_file(p.common.config);
	if (!config_file && p.common.override.n_interfaces == 0)
		return options_wrong_usage("serve",
			"name an interface with -i IFACE, or a configuration with -c FILE");
	return serve(&p, config_file);
}

int verb_boot(int argc, char **argv)
{
	struct config_override *o;
	struct parsed p;
	int r = parse(&p, argc, argv);

	if (r != 0)
		return r;
	if (p.common.help) {
		(void)fputs(boot_help, stdout);
		return 0;
	}
	o = &p.common.override;
	if (p.common.config)
		return options_wrong_usage("boot", "it reads no configuration");
	if (o->profile)
		return options_wrong_usage(
			"boot", "--profile: machines boot the kernel given here");
	if (optind == argc)
		return options_wrong_usage("boot", "name a kernel");
	if (o->n_interfaces == 0)
		return options_wrong_usage("boot", "name an interface with -i IFACE");
	o->boot_kernel = argv[optind];
	o->boot_initrds = (const char *const *)&argv[optind + 1];
	o->n_boot_initrds = (size_t)(argc - optind - 1);
	return serve(&p, NULL);
}
