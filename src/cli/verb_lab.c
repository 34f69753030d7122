/* bootsmith lab: chooses the sub-verb. */
#include "cli/lab.h"

#include "base/bytes.h"
#include "cli/options.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: bootsmith lab network --name NAME --address ADDRESS/PREFIX\n"
	"       bootsmith lab node --network NAME [option]...\n"
	"\n"
	"A network and machines to try bootsmith on, made of a bridge and QEMU.\n"
	"\n"
	"  network   a bridge with an address, until Ctrl-C\n"
	"  node      a virtual machine on it that boots from the network\n"
	"\n"
	"\"bootsmith lab network --help\" and \"bootsmith lab node --help\" tell more.\n";

int lab_parse_number(const char *s, unsigned max, unsigned *ret_n)
{
	unsigned n = 0;

	if (*s == '\0')
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(*s - '0');
		if (n > max)
			return -EINVAL;
	}
	*ret_n = n;
	return 0;
}

int verb_lab(int argc, char **argv)
{
	static const struct {
		const char *name;
		char *title; /* getopt's complaints begin with it */
		int (*run)(int argc, char **argv);
	} verbs[] = { { "network", "bootsmith lab network", lab_network },
		{ "node", "bootsmith lab node", lab_node } };

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		(void)fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; argc >= 2 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0) {
			argv[1] = verbs[i].title;
			return verbs[i].run(argc - 1, argv + 1);
		}
	}
	if (argc >= 2)
		return options_wrong_usage("lab", "there is no \"%s\" in the lab", argv[1]);
	return options_wrong_usage("lab", "it needs \"network\" or \"node\"");
}
