/* bootsmith serve and bootsmith boot: command lines of the daemon. */
#include "cli/options.h"
#include "cli/verbs.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum long_only {
	OPT_L_PROXY = 256,
	OPT_L_HTTP_ROOT,
	OPT_L_TFTP_ROOT,
	OPT_L_PROFILE,
	OPT_L_STATE_DIR,
	OPT_L_SOCKET,
	OPT_L_LOG_FORMAT,
	OPT_L_CMDLINE,
};

struct parsed {
	struct serve_options serve;
	const char *interfaces[INTERFACES_MAX];
	const char *config;
	bool help;
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
	"      --http-root DIR     files for HTTP (default: /srv/http)\n"
	"      --tftp-root DIR     files for TFTP (default: /srv/tftp)\n"
	"      --profile NAME      what machines boot that no rule names (default: default_profile)\n"
	"      --state-dir DIR     what the daemon keeps (default: /var/lib/bootsmith)\n"
	"      --socket PATH       the control socket (default: /run/bootsmith/control.sock); nothing\n"
	"                          listens on it in this version\n"
	"      --log-format FORMAT text (default) or json, one line per event on standard output\n"
	"  -h, --help              this text\n"
	"\n"
	"Defaults are the configuration's where it says otherwise.\n"
	"SIGHUP loads the configuration anew. --proxy (proxyDHCP) is not in this version.\n"
	"Exit code: 0 stopped when told to, 1 could not start, 2 wrong usage.\n";

static const char boot_help[] =
	"usage: bootsmith boot KERNEL [INITRD...] [--cmdline TEXT] -i IFACE [options]\n"
	"\n"
	"Serves like `bootsmith serve`, and every machine on IFACE boots this kernel:\n"
	"files of this machine, or URLs. No configuration file is read.\n"
	"\n"
	"      --cmdline TEXT      the kernel's command line (default: none; initrd= is added)\n"
	"  -i, --interface IFACE   serve this interface; may be given several times\n"
	"      --http-root DIR, --tftp-root DIR, --state-dir DIR, --socket PATH,\n"
	"      --log-format FORMAT as for `bootsmith serve`\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit code: 0 stopped when told to, 1 could not start, 2 wrong usage.\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "interface", required_argument, NULL, 'i' },
	{ "proxy", no_argument, NULL, OPT_L_PROXY },
	{ "http-root", required_argument, NULL, OPT_L_HTTP_ROOT },
	{ "tftp-root", required_argument, NULL, OPT_L_TFTP_ROOT },
	{ "profile", required_argument, NULL, OPT_L_PROFILE },
	{ "state-dir", required_argument, NULL, OPT_L_STATE_DIR },
	{ "socket", required_argument, NULL, OPT_L_SOCKET },
	{ "log-format", required_argument, NULL, OPT_L_LOG_FORMAT },
	{ "cmdline", required_argument, NULL, OPT_L_CMDLINE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int take_option(struct parsed *p, const char *verb, int c)
{
	struct config_override *o = &p->serve.override;
	bool is_boot = strcmp(verb, "boot") == 0;

	switch (c) {
	case 'c':
		if (is_boot)
			return options_wrong_usage(verb, "it reads no configuration");
		p->config = optarg;
		return 0;
	case 'i':
		if (o->n_interfaces == INTERFACES_MAX)
			return options_wrong_usage(verb, "more than %d interfaces", INTERFACES_MAX);
		p->interfaces[o->n_interfaces++] = optarg;
		return 0;
	case OPT_L_PROXY:
		return options_wrong_usage(verb, "--proxy: proxyDHCP is not in this version");
	case OPT_L_HTTP_ROOT:
		o->http_root = optarg;
		return 0;
	case OPT_L_TFTP_ROOT:
		o->tftp_root = optarg;
		return 0;
	case OPT_L_PROFILE:
		if (is_boot)
			return options_wrong_usage(verb, "--profile: machines boot the kernel given here");
		o->profile = optarg;
		return 0;
	case OPT_L_STATE_DIR:
		o->state_dir = optarg;
		return 0;
	case OPT_L_SOCKET:
		o->control_socket = optarg;
		return 0;
	case OPT_L_LOG_FORMAT:
		p->serve.log_json = strcmp(optarg, "json") == 0;
		if (!p->serve.log_json && strcmp(optarg, "text") != 0)
			return options_wrong_usage(verb, "--log-format is text or json, not \"%s\"", optarg);
		return 0;
	case OPT_L_CMDLINE:
		if (!is_boot)
			return options_wrong_usage(verb, "--cmdline belongs to `bootsmith boot`, a profile has a key cmdline");
		o->boot_cmdline = optarg;
		return 0;
	case 'h':
		p->help = true;
		return 0;
	default:
		return options_wrong_usage(verb, "wrong option"); /* getopt has named it */
	}
}

static int parse(struct parsed *p, int argc, char **argv)
{
	int c, r;

	*p = (struct parsed){ 0 };
	p->serve.override.interfaces = p->interfaces;
	while ((c = getopt_long(argc, argv, "c:i:h", long_options, NULL)) != -1) {
		r = take_option(p, argv[0], c);
		if (r != 0)
			return r;
	}
	return 0;
}

int verb_serve(int argc, char **argv)
{
	struct parsed p;
	int r = parse(&p, argc, argv);

	if (r != 0)
		return r;
	if (p.help) {
		(void)fputs(serve_help, stdout);
		return 0;
	}
	if (optind < argc)
		return options_wrong_usage("serve", "\"%s\" is no option", argv[optind]);
	p.serve.config_file = options_config_file(p.config);
	if (!p.serve.config_file && p.serve.override.n_interfaces == 0)
		return options_wrong_usage("serve", "name an interface with -i IFACE, or a configuration with -c FILE");
	return serve_run(&p.serve);
}

int verb_boot(int argc, char **argv)
{
	struct parsed p;
	int r = parse(&p, argc, argv);

	if (r != 0)
		return r;
	if (p.help) {
		(void)fputs(boot_help, stdout);
		return 0;
	}
	if (optind == argc)
		return options_wrong_usage("boot", "name a kernel");
	if (p.serve.override.n_interfaces == 0)
		return options_wrong_usage("boot", "name an interface with -i IFACE");
	p.serve.override.boot_kernel = argv[optind];
	p.serve.override.boot_initrds = (const char *const *)&argv[optind + 1];
	p.serve.override.n_boot_initrds = (size_t)(argc - optind - 1);
	return serve_run(&p.serve);
}
