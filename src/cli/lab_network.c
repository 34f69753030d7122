/* bootsmith lab network: a bridge that is there until Ctrl-C. */
#include "cli/lab.h"
#include "cli/options.h"

#include "edge/child.h"
#include "edge/lab_net.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: bootsmith lab network --name NAME --address ADDRESS/PREFIX\n"
	"\n"
	"Makes a bridge for virtual machines and removes it again on Ctrl-C.\n"
	"\n"
	"  --name NAME               name of the bridge, br0 for example\n"
	"  --address ADDRESS/PREFIX  this host's address on it, 172.24.0.1/16 for example\n"
	"  -h, --help                this text\n"
	"\n"
	"Needs root. Exit code: 0 made and removed, 1 it could not be, 2 wrong usage.\n";

struct options {
	const char *name, *address_text;
	struct ip4 address;
	unsigned prefix_len;
	bool help;
};

static const char verb[] = "lab network";

static bool interpret_address(struct options *o)
{
	unsigned first;

	if (ip4_parse_prefix(span_str(o->address_text), &o->address, &o->prefix_len) < 0)
		return false;
	first = o->address.v >> 24;
	return first > 0 && first < 224 && o->prefix_len >= 8 && o->prefix_len <= 30;
}

/* 0, or 2 after saying what is wrong. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "address", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct options o = { 0 };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			o.name = optarg;
			break;
		case 'a':
			o.address_text = optarg;
			break;
		case 'h':
			o.help = true;
			break;
		default:
			return 2;
		}
	}
	if (!o.help && optind < argc)
		return options_wrong_usage(verb, "it takes no \"%s\"", argv[optind]);
	if (!o.help && (!o.name || !o.address_text))
		return options_wrong_usage(verb, "--name or --address is missing");
	if (!o.help && !interpret_address(&o))
		return options_wrong_usage(verb,
			"--address %s: expected an address of this host and the prefix length of "
			"a subnet (8 to 30), such as 172.24.0.1/16",
			o.address_text);
	*ret = o;
	return 0;
}

static void explain(const struct options *o, int err)
{
	const char *why = strerror(-err);

	switch (err) {
	case -EEXIST:
		why = "an interface of that name exists already; choose another name, or remove "
		      "that one with \"ip link delete\"";
		break;
	case -EPERM:
		why = "that needs root; run it with sudo";
		break;
	case -EINVAL:
	case -ENAMETOOLONG:
		why = "the kernel takes neither that name nor that address "
		      "(a name has at most 15 characters, without \"/\" and spaces)";
		break;
	case -EOPNOTSUPP:
		why = "this kernel has no bridges (module \"bridge\")";
		break;
	default:
		break;
	}
	(void)fprintf(stderr, "bootsmith lab network: cannot make the bridge %s with %s: %s\n",
		o->name, o->address_text, why);
}

int lab_network(int argc, char **argv)
{
	struct options o = { 0 };
	unsigned index;
	int err = parse(argc, argv, &o);

	if (err != 0)
		return err;
	if (o.help) {
		(void)fputs(help, stdout);
		return EXIT_SUCCESS;
	}

	child_hold_stop();
	err = lab_bridge_add(o.name, o.address, o.prefix_len, &index);
	if (err < 0) {
		explain(&o, err);
		return EXIT_FAILURE;
	}
	(void)printf("network %s is up with %s; Ctrl-C removes it\n", o.name, o.address_text);
	(void)fflush(stdout);
	child_wait_for_stop();

	err = lab_bridge_delete(index);
	if (err < 0 && err != -ENODEV) {
		(void)fprintf(stderr, "bootsmith lab network: cannot remove %s: %s\n", o.name,
			strerror(-err));
		return EXIT_FAILURE;
	}
	(void)printf("network %s is removed\n", o.name);
	return EXIT_SUCCESS;
}
