/* bootsmith lab node: a virtual machine on a lab network, with its console here.
 *
 * Nothing it makes outlives it: the tap goes with its last descriptor, the
 * firmware's variables are a nameless copy in memory, and QEMU dies with us.
 */
#include "cli/lab.h"
#include "cli/lab_qemu.h"
#include "cli/options.h"

#include "edge/child.h"
#include "edge/lab_net.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char help[] =
	"usage: bootsmith lab node --network NAME [option]...\n"
	"\n"
	"Starts a virtual machine that boots from the network NAME, with its serial\n"
	"console on this terminal. It ends when it powers off or restarts, or on Ctrl-C.\n"
	"\n"
	"  --network NAME          a bridge, made by \"bootsmith lab network\" for example\n"
	"  --firmware bios|uefi-x64|uefi-x64-secure|uefi-ia32|uefi-arm64\n"
	"                          default bios: SeaBIOS with the iPXE ROM of the NIC;\n"
	"                          -secure: with Secure Boot and Microsoft's keys\n"
	"  --boot pxe|http         how UEFI is to boot; default: as it likes, PXE first\n"
	"  --mac MAC               default: 52:54:00 and three random octets\n"
	"  --serial TEXT           the machine's serial number (SMBIOS); default: none\n"
	"  --memory MB             64 or more; default 1024\n"
	"  --nic MODEL             virtio (default), e1000, or any other NIC of QEMU's\n"
	"  --disk FILE             a raw image of a disk, booted after the network; the\n"
	"                          machine writes to it; default: no disk\n"
	"  --timeout SECONDS       ends the machine after that time, with exit code 1;\n"
	"                          default 0: never\n"
	"  --accel tcg|kvm         default kvm where the processor has it, else tcg\n"
	"  --firmware-file FILE    another UEFI code image than Debian's\n"
	"  --vars-file FILE        its variable store; default: the file beside it with\n"
	"                          VARS for CODE in its name. It is copied, never written\n"
	"  --https-ca FILE         the CAs that UEFI HTTPS Boot trusts: an EFI signature\n"
	"                          list, such as ca.esl of \"bootsmith cert\"\n"
	"  -h, --help              this text\n"
	"\n"
	"Needs root. Exit code: 0 the machine ended, 1 it failed, 2 wrong usage.\n";

struct options {
	const char *network, *nic, *serial, *mac_text, *code, *vars, *https_ca, *disk;
	const char *firmware_name, *boot_name, *accel, *memory_text, *timeout_text;
	const struct lab_firmware *firmware;
	enum lab_boot boot;
	struct mac mac;
	unsigned memory_mb, timeout_s;
	bool help;
};

static const char verb[] = "lab node";

static int wrong(const char *option, const char *value, const char *expected)
{
	return options_wrong_usage(verb, "--%s %s: expected %s", option, value, expected);
}

/* Gives each text its meaning; 0, or 2 after saying what is wrong. */
static int interpret(struct options *o)
{
	static const char *const boots[] = {
		[LAB_BOOT_ANY] = "any", [LAB_BOOT_PXE] = "pxe", [LAB_BOOT_HTTP] = "http"
	};

	o->firmware = lab_firmware_find(o->firmware_name);
	if (!o->firmware)
		return wrong("firmware", o->firmware_name, lab_firmware_names);
	while (o->boot < ARRAY_LEN(boots) && strcmp(o->boot_name, boots[o->boot]) != 0)
		o->boot++;
	if (o->boot == ARRAY_LEN(boots))
		return wrong("boot", o->boot_name, "pxe|http");
	if (o->boot == LAB_BOOT_HTTP && !o->firmware->code)
		return wrong("boot", "http", "a UEFI firmware with it: a BIOS has no HTTP Boot");
	if (!o->firmware->code && (o->code || o->vars || o->https_ca))
		return wrong("firmware", o->firmware_name,
			"a UEFI one with a firmware or vars file, or with CAs");
	if (o->mac_text && mac_parse(span_str(o->mac_text), &o->mac) < 0)
		return wrong("mac", o->mac_text, "an address such as 52:54:00:12:34:56");
	if (o->mac.b[0] & 1)
		return wrong("mac", o->mac_text,
			"one machine's address, not a group's "
			"(the first octet is even)");
	if (lab_parse_number(o->memory_text, 1u << 20, &o->memory_mb) < 0 || o->memory_mb < 64)
		return wrong("memory", o->memory_text, "megabytes, 64 or more");
	if (lab_parse_number(o->timeout_text, 1u << 20, &o->timeout_s) < 0)
		return wrong("timeout", o->timeout_text, "whole seconds");
	if (o->accel && strcmp(o->accel, "tcg") != 0 && strcmp(o->accel, "kvm") != 0)
		return wrong("accel", o->accel, "tcg|kvm");
	if (strcmp(o->nic, "virtio") == 0)
		o->nic = "virtio-net-pci";
	return 0;
}

/* 0, or 2 after saying what is wrong. */
static int parse(int argc, char **argv, struct options *ret)
{
	struct options o = { .firmware_name = "bios",
		.boot_name = "any",
		.nic = "virtio",
		.memory_text = "1024",
		.timeout_text = "0" };
	const struct {
		const char *name;
		const char **value;
	} texts[] = {
		{ "network", &o.network },
		{ "firmware", &o.firmware_name },
		{ "boot", &o.boot_name },
		{ "mac", &o.mac_text },
		{ "serial", &o.serial },
		{ "memory", &o.memory_text },
		{ "nic", &o.nic },
		{ "timeout", &o.timeout_text },
		{ "accel", &o.accel },
		{ "firmware-file", &o.code },
		{ "vars-file", &o.vars },
		{ "https-ca", &o.https_ca },
		{ "disk", &o.disk },
	};
	struct option longs[ARRAY_LEN(texts) + 2] = { 0 };
	int c;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		longs[i] = (struct option){ texts[i].name, required_argument, NULL, 256 + (int)i };
	longs[ARRAY_LEN(texts)] = (struct option){ "help", no_argument, NULL, 'h' };

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h')
			o.help = true;
		else if (c >= 256)
			*texts[c - 256].value = optarg;
		else
			return 2;
	}
	if (!o.help && optind < argc)
		return options_wrong_usage(verb, "it takes no \"%s\"", argv[optind]);
	if (!o.help && !o.network)
		return options_wrong_usage(verb, "--network is missing");
	c = o.help ? 0 : interpret(&o);
	if (c == 0)
		*ret = o;
	return c;
}

/* Whether this host's KVM can be trusted with the firmware.  Some clouds show a
 * /dev/kvm that opens and then dies on real-mode code; the processor's flag does
 * not lie. */
static bool kvm_works(const struct lab_firmware *firmware)
{
	struct utsname host;
	bool flag = false;
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	if (access("/dev/kvm", R_OK | W_OK) < 0 || uname(&host) < 0 ||
		strcmp(host.machine, firmware->host) != 0)
		return false;
	if (strcmp(host.machine, "x86_64") != 0)
		return true;
	f = fopen("/proc/cpuinfo", "re");
	while (f && !flag && getline(&line, &cap, f) > 0)
		flag = strncmp(line, "flags", 5) == 0 &&
			(strstr(line, " vmx") || strstr(line, " svm"));
	free(line);
	if (f)
		(void)fclose(f);
	return flag;
}

/* The variable store beside a code image: …/OVMF_CODE_4M.fd, …/OVMF_VARS_4M.fd.
 * NULL where there is none: then the machine forgets its variables. */
static const char *vars_beside(struct arena *a, const char *code)
{
	const char *slash = strrchr(code, '/');
	const char *mark = strstr(slash ? slash : code, "CODE");
	char *vars;

	if (!mark)
		return NULL;
	vars = arena_printf(a, "%.*sVARS%s", (int)(mark - code), code, mark + 4);
	return vars && access(vars, R_OK) == 0 ? vars : NULL;
}

/* A private copy in memory, which QEMU inherits: a descriptor, or -E…. */
static int copy_to_memory(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to, err = 0;
	struct stat st = { 0 };
	off_t at = 0;

	if (from < 0)
		return -errno;
	to = memfd_create("bootsmith-vars", 0);
	if (to < 0 || fstat(from, &st) < 0)
		err = -errno;
	while (err == 0 && at < st.st_size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			err = n < 0 ? -errno : -EIO;
	}
	close(from);
	if (err < 0 && to >= 0)
		close(to);
	return err < 0 ? err : to;
}

/* Finds and opens the firmware; 0, or 1 after saying what is missing. */
static int prepare_firmware(const struct options *o, struct arena *a, struct lab_machine *m)
{
	const char *code = o->code ? o->code : o->firmware->code;
	const char *vars = o->vars ? o->vars
		: o->code          ? vars_beside(a, o->code)
				   : o->firmware->vars;

	m->vars_fd = -1;
	if (!code)
		return 0;
	if (access(code, R_OK) < 0) {
		(void)fprintf(stderr,
			"bootsmith lab node: no firmware at %s: %s; install %s, or name "
			"another with --firmware-file\n",
			code, strerror(errno), o->firmware->packages);
		return 1;
	}
	m->code = code;
	m->vars_fd = vars ? copy_to_memory(vars) : -1;
	if (vars && m->vars_fd < 0) {
		(void)fprintf(stderr,
			"bootsmith lab node: cannot read the firmware's variables %s: %s\n", vars,
			strerror(-m->vars_fd));
		return 1;
	}
	return 0;
}

static int prepare_tap(const struct options *o, struct lab_tap *ret_tap)
{
	int err = lab_tap_open(o->network, ret_tap);
	const char *why = strerror(-err);

	switch (err) {
	case 0:
		return 0;
	case -ENODEV:
		(void)fprintf(stderr,
			"bootsmith lab node: there is no network %s; make it first: bootsmith "
			"lab network --name %s --address 172.24.0.1/16\n",
			o->network, o->network);
		return 1;
	case -EOPNOTSUPP:
		why = "that interface is no bridge";
		break;
	case -EPERM:
	case -EACCES:
		why = "that needs root; run it with sudo";
		break;
	case -ENOENT:
		why = "this kernel has no /dev/net/tun (module \"tun\")";
		break;
	default:
		break;
	}
	(void)fprintf(
		stderr, "bootsmith lab node: cannot join the network %s: %s\n", o->network, why);
	return 1;
}

/* Says how the machine ended where that is not plain to see; the exit code. */
static int conclude(const struct options *o, int err, const struct child_result *result)
{
	if (err == -ENOENT)
		(void)fprintf(stderr, "bootsmith lab node: there is no %s; install %s\n",
			o->firmware->qemu, o->firmware->packages);
	else if (err < 0)
		(void)fprintf(stderr, "bootsmith lab node: cannot start %s: %s\n",
			o->firmware->qemu, strerror(-err));
	else if (result->end == CHILD_TIMED_OUT)
		(void)fprintf(stderr, "bootsmith lab node: ended after %u s, as --timeout says\n",
			o->timeout_s);
	else if (result->end == CHILD_DIED)
		(void)fprintf(stderr, "bootsmith lab node: QEMU died of signal %d (%s)\n",
			result->value, strsignal(result->value));
	else if (result->end == CHILD_EXITED && result->value != 0)
		(void)fprintf(stderr,
			"bootsmith lab node: QEMU failed with exit code %d; "
			"its own words are above\n",
			result->value);
	else
		return EXIT_SUCCESS;
	return EXIT_FAILURE;
}

static int run(
	const struct options *o, struct arena *a, struct lab_machine *m, const struct lab_tap *tap)
{
	struct child_result result = { 0 };
	struct lab_qemu_args args;
	int err;

	m->tap_fd = tap->fd;
	err = lab_qemu_args(m, a, &args);
	if (err == 0) {
		(void)fprintf(stderr, "node %s on %s (%s): %s firmware, %s; Ctrl-C ends it\n",
			mac_str(m->mac).s, o->network, tap->name, o->firmware->name,
			m->kvm ? "KVM" : "software emulation");
		err = child_run(args.v, o->timeout_s, &result);
	}
	return conclude(o, err, &result);
}

int lab_node(int argc, char **argv)
{
	struct lab_machine m;
	struct lab_tap tap;
	struct options o = { 0 };
	struct arena a;
	int err = parse(argc, argv, &o);

	if (err != 0)
		return err;
	if (o.help) {
		(void)fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	m = (struct lab_machine){ .firmware = o.firmware,
		.boot = o.boot,
		.kvm = o.accel ? strcmp(o.accel, "kvm") == 0 : kvm_works(o.firmware),
		.memory_mb = o.memory_mb,
		.nic = o.nic,
		.mac = o.mac,
		.serial = o.serial,
		.disk = o.disk,
		.https_ca = o.https_ca };
	if (!o.mac_text) {
		m.mac = (struct mac){ { 0x52, 0x54, 0x00 } }; /* QEMU's own prefix */
		if (getrandom(&m.mac.b[3], 3, 0) != 3)
			return EXIT_FAILURE;
	}

	arena_init(&a, 0);
	err = prepare_firmware(&o, &a, &m);
	if (err == 0)
		err = prepare_tap(&o, &tap);
	if (err == 0) {
		err = run(&o, &a, &m, &tap);
		lab_tap_close(&tap);
	}
	if (m.vars_fd >= 0)
		close(m.vars_fd);
	arena_free(&a);
	return err;
}
