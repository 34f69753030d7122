/* bootsmith: one word names the verb, the rest is the verb's own. */
#include "base/bytes.h"
#include "cli/verbs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} verbs[] = {
	{ "serve", verb_serve, "serve DHCP, TFTP and HTTP to machines that boot" },
	{ "boot", verb_boot, "let every machine on an interface boot one kernel" },
	{ "check", verb_check, "find all mistakes of a configuration" },
	{ "explain", verb_explain, "say what a client would be told, and by which rule" },
	{ "lease", verb_lease, "list, show and release leases of a running daemon" },
	{ "machine", verb_machine, "show machines, and order what they boot" },
	{ "status", verb_status, "show what a running daemon serves, and how full its pools are" },
	{ "events", verb_events, "show what happened and happens in a running daemon" },
	{ "image", verb_image, "fetch kernels and initrds of a catalogue, and verify them" },
	{ "cert", verb_cert, "make certificates for HTTPS in a lab" },
	{ "lab", verb_lab, "make a virtual network, and machines that boot from it" },
	{ "version", verb_version, "print the version" },
};

static void print_usage(FILE *to)
{
	(void)fputs(
		"usage: bootsmith VERB [options]\n\nA network boot server: DHCPv4, TFTP and HTTP in one daemon.\n\n",
		to);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		(void)fprintf(to, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	(void)fputs("\n`bootsmith VERB --help` explains each. To begin: bootsmith serve -i IFACE\n",
		to);
}

int verb_version(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		(void)puts("usage: bootsmith version\n\nPrints the version.");
		return 0;
	}
	if (argc > 1) {
		(void)fprintf(stderr, "bootsmith version: it takes no \"%s\"\n", argv[1]);
		return 2;
	}
	(void)puts("bootsmith " BOOTSMITH_VERSION);
	return 0;
}

/* A shell may have closed them (`>&-`): the next socket opened would then get the
 * log's lines. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	open_standard_descriptors();
	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0)
		return verb_version(1, argv);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	(void)fprintf(stderr, "bootsmith: \"%s\" is no verb: see `bootsmith --help`\n", argv[1]);
	return 2;
}
