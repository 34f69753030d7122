/* bootsmith cert: an authority of one's own and a server certificate, for HTTPS
 * in a lab.
 *
 * Never touches an authority that is there already, unless told to make a new one:
 * firmware has taken it.
 */
#include "app/config_files.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "edge/files.h"
#include "edge/files_put.h"
#include "edge/netif.h"
#include "edge/tls_make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_DEFAULT  "/etc/bootsmith"
#define DAYS_DEFAULT "3650"
#define DAYS_MAX     36500u
#define NAMES_MAX    64u
#define PEM_MAX      (256u << 10)

static const char help[] =
	"usage: bootsmith cert [-i IFACE]... [--name NAME]... [-c FILE] [--dir DIR] [option]...\n"
	"\n"
	"Makes what HTTPS needs in a lab: a certificate authority (CA), and server\n"
	"certificates that it signs, one RSA (all firmware) and one ECDSA. A CA that is in\n"
	"DIR already is used again; the server's certificates are made anew each time.\n"
	"Says how firmware takes the CA, and the lines for the configuration.\n"
	"\n"
	"  -i, --interface IFACE  the server's addresses: those of this interface\n"
	"      --name NAME        a name or an address that clients use for the server\n"
	"  -c, --config FILE      the addresses of the interfaces of this configuration; without\n"
	"                         -i and --name the default: " CONFIG_FILE_DEFAULT "\n"
	"      --dir DIR          where to write (default: " DIR_DEFAULT ")\n"
	"      --days N           how long they are valid (default: " DAYS_DEFAULT ")\n"
	"      --new-ca           makes another CA even where one is: all firmware has to take\n"
	"                         the new one\n"
	"  -h, --help             this text\n"
	"\n"
	"Writes ca.pem, ca.key, ca.esl (the CA as firmware likes it), server-rsa.pem,\n"
	"server-rsa.key, server-ecdsa.pem and server-ecdsa.key. Keep ca.key to yourself.\n"
	"Exit code: 0 well, 1 it could not be made, 2 wrong usage.\n";

enum long_only {
	OPT_NAME = OPTIONS_OWN,
	OPT_DIR,
	OPT_DAYS,
	OPT_NEW_CA,
};

struct job {
	const char *config, *dir, *days_text;
	const char *interfaces[NAMES_MAX], *names[NAMES_MAX];
	struct ip4 addrs[NAMES_MAX];
	size_t n_interfaces, n_names, n_addrs;
	unsigned days;
	bool new_ca, help;
	struct tls_authority *ca;
};

static int PRINTF(1, 2) complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("bootsmith cert: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	return 1;
}

/* --- what the server is called --- */

static void add_address(struct job *j, struct ip4 a)
{
	for (size_t i = 0; i < j->n_addrs; i++)
		if (ip4_eq(j->addrs[i], a))
			return;
	if (j->n_addrs < NAMES_MAX)
		j->addrs[j->n_addrs++] = a;
}

static int add_interface(struct job *j, const struct iface_view *ifaces, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(ifaces[i].name, name) != 0)
			continue;
		for (size_t k = 0; k < ifaces[i].n_addrs; k++)
			add_address(j, ifaces[i].addrs[k].addr);
		return ifaces[i].n_addrs
			? 0
			: complain(
				  "%s has no IPv4 address: give it one, or name the server with --name",
				  name);
	}
	return complain("there is no interface %s: `ip link` lists those there are", name);
}

/* The configuration as far as it can be read without its files: the certificates
 * that it names are what is to be made. */
static int add_configured(struct job *j, const struct iface_view *ifaces, size_t n_ifaces)
{
	struct text source = { 0 }, out = { 0 };
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	int r = config_files_read(j->config, &errs, &source), code = 0;

	if (r == 0)
		r = config_load_partly(j->config, text_span(&source), &errs, &cfg);
	if (r < 0 || errs.n > 0) {
		config_files_print_errors(j->config, text_span(&source), &errs, &out);
		(void)fputs(text_str(&out), stderr);
		code = 1;
	}
	for (size_t i = 0; code == 0 && i < cfg->n_networks; i++)
		if (cfg->networks[i].interface)
			code = add_interface(j, ifaces, n_ifaces, cfg->networks[i].interface);
	config_free(cfg);
	config_errors_free(&errs);
	text_free(&source);
	text_free(&out);
	return code;
}

/* A name that is an address goes to the addresses: clients compare it as one. */
static void sort_names(struct job *j)
{
	size_t kept = 0;
	struct ip4 a;

	for (size_t i = 0; i < j->n_names; i++) {
		if (ip4_parse(span_str(j->names[i]), &a) == 0)
			add_address(j, a);
		else
			j->names[kept++] = j->names[i];
	}
	j->n_names = kept;
}

static int find_names(struct job *j)
{
	struct iface_view *ifaces = NULL;
	size_t n = 0;
	int code = 0, r;

	if (!j->config && j->n_names + j->n_interfaces == 0)
		j->config = options_config_file(NULL);
	sort_names(j);
	r = j->config || j->n_interfaces ? netif_list(&ifaces, &n) : 0;
	if (r < 0)
		return complain("the interfaces cannot be listed: %s", strerror(-r));
	for (size_t i = 0; code == 0 && i < j->n_interfaces; i++)
		code = add_interface(j, ifaces, n, j->interfaces[i]);
	if (code == 0 && j->config)
		code = add_configured(j, ifaces, n);
	free(ifaces);
	if (code == 0 && j->n_names + j->n_addrs == 0)
		return complain(
			"for which server? Name its interface (-i IFACE), or how clients call it (--name NAME)");
	return code;
}

/* --- files --- */

static int read_file(const char *path, struct text *ret)
{
	struct stat st;
	int fd, r = files_open_path(path, &fd, &st);

	if (r < 0)
		return r;
	r = files_read_all(fd, PEM_MAX, ret);
	(void)close(fd);
	return r;
}

static int put(const struct job *j, const char *name, mode_t mode, const struct text *content)
{
	struct text path = { 0 };
	int r = -ENOMEM;

	text_addf(&path, "%s/%s", j->dir, name);
	if (!path.failed && !content->failed)
		r = files_put(text_str(&path), mode, text_span(content));
	if (r < 0)
		(void)complain("cannot write %s/%s: %s", j->dir, name, strerror(-r));
	text_free(&path);
	return r;
}

static void wipe(struct text *secret)
{
	if (secret->p)
		explicit_bzero(secret->p, secret->n);
	text_free(secret);
}

/* --- the authority --- */

static int make_authority(struct job *j)
{
	struct text certificate = { 0 }, key = { 0 };
	char name[64] = "";
	int r;

	(void)gethostname(name, sizeof(name) - 1);
	r = tls_authority_new(name[0] ? name : "bootsmith", j->days, &j->ca);
	if (r < 0)
		return complain(
			"cannot make a CA: %s", r == -ENOMEM ? "out of memory" : "OpenSSL refused");
	tls_authority_print(j->ca, &certificate, &key);
	/* The key first: a certificate without one could sign nothing. */
	r = put(j, "ca.key", 0600, &key);
	if (r == 0)
		r = put(j, "ca.pem", 0644, &certificate);
	wipe(&key);
	text_free(&certificate);
	return r < 0;
}

/* The one that is there; -ENOENT: none. */
static int open_authority(struct job *j)
{
	struct text pem_path = { 0 }, key_path = { 0 }, pem = { 0 }, key = { 0 };
	int has_pem, has_key, r;

	text_addf(&pem_path, "%s/ca.pem", j->dir);
	text_addf(&key_path, "%s/ca.key", j->dir);
	has_pem = read_file(text_str(&pem_path), &pem);
	has_key = read_file(text_str(&key_path), &key);
	if (has_pem == -ENOENT && has_key == -ENOENT) {
		r = -ENOENT;
	} else if (has_pem < 0 || has_key < 0) {
		r = -EINVAL;
		(void)complain(
			"%s cannot be read: %s; put it back, or make another CA with --new-ca",
			text_str(has_pem < 0 ? &pem_path : &key_path),
			strerror(has_pem < 0 ? -has_pem : -has_key));
	} else {
		r = tls_authority_parse(text_span(&pem), text_span(&key), &j->ca);
		if (r < 0)
			(void)complain(
				"%s is no CA whose key is %s: correct that, or make another CA with --new-ca",
				text_str(&pem_path), text_str(&key_path));
	}
	text_free(&pem_path);
	text_free(&key_path);
	text_free(&pem);
	wipe(&key);
	return r;
}

static int prepare_authority(struct job *j, const char **ret_did)
{
	struct text list = { 0 };
	int r = j->new_ca ? -ENOENT : open_authority(j);

	*ret_did = r == 0 ? "used again" : "new";
	if (r < 0 && r != -ENOENT)
		return 1;
	if (r == -ENOENT && make_authority(j) != 0)
		return 1;
	tls_authority_print_efi_list(j->ca, &list);
	r = put(j, "ca.esl", 0644, &list);
	text_free(&list);
	return r < 0;
}

static int make_server(const struct job *j, enum tls_key_kind kind, const char *certificate_name,
	const char *key_name)
{
	const struct tls_names names = {
		.addrs = j->addrs, .n_addrs = j->n_addrs, .names = j->names, .n_names = j->n_names
	};
	struct text certificate = { 0 }, key = { 0 };
	int r = tls_make_server(j->ca, kind, &names, j->days, &certificate, &key);

	if (r == -EINVAL)
		(void)complain("a --name is no address and no host name such as boot.lab.example");
	else if (r < 0)
		(void)complain("cannot make a certificate: %s",
			r == -ENOMEM ? "out of memory" : "OpenSSL refused");
	if (r == 0)
		r = put(j, key_name, 0600, &key);
	if (r == 0)
		r = put(j, certificate_name, 0644, &certificate);
	text_free(&certificate);
	wipe(&key);
	return r < 0;
}

static void tell(const struct job *j, const char *did)
{
	(void)printf(
		"%s/ca.pem: the CA, %s\n%s/server-rsa.pem and server-ecdsa.pem, with their keys: for",
		j->dir, did, j->dir);
	for (size_t i = 0; i < j->n_addrs; i++)
		(void)printf(" %s", ip4_str(j->addrs[i]).s);
	for (size_t i = 0; i < j->n_names; i++)
		(void)printf(" %s", j->names[i]);
	(void)printf(
		"\n\nThe configuration (`bootsmith check` tells whether all is well; SIGHUP loads it):\n\n"
		"https:\n"
		"  certificate: [%s/server-rsa.pem, %s/server-ecdsa.pem]\n"
		"  key: [%s/server-rsa.key, %s/server-ecdsa.key]\n\n",
		j->dir, j->dir, j->dir, j->dir);
	(void)printf(
		"How firmware takes the CA:\n"
		"  real machines   put ca.pem on a FAT stick; in the firmware's setup menu: Tls Auth\n"
		"                  Configuration, Server CA Configuration, Enroll Cert (its place and\n"
		"                  name differ between vendors)\n"
		"  bootsmith lab   bootsmith lab node --firmware uefi-x64 --boot http --https-ca %s/ca.esl\n"
		"  QEMU with OVMF  -fw_cfg name=etc/edk2/https/cacerts,file=%s/ca.esl\n"
		"                  (ca.esl is what efitools' cert-to-efi-sig-list makes of ca.pem)\n"
		"  curl            curl --cacert %s/ca.pem https://%s/\n",
		j->dir, j->dir, j->dir, j->n_addrs ? ip4_str(j->addrs[0]).s : j->names[0]);
}

/* Absolute, as the configuration wants its paths. */
static int open_dir(struct job *j, char **ret_dir)
{
	if (mkdir(j->dir, 0755) < 0 && errno != EEXIST)
		return complain("cannot make the directory %s: %s", j->dir, strerror(errno));
	*ret_dir = realpath(j->dir, NULL);
	if (!*ret_dir)
		return complain("the directory %s: %s", j->dir, strerror(errno));
	j->dir = *ret_dir;
	return 0;
}

static int run(struct job *j)
{
	const char *did;
	char *dir = NULL;
	int code = find_names(j);

	if (code == 0)
		code = open_dir(j, &dir);
	if (code == 0)
		code = prepare_authority(j, &did);
	if (code == 0)
		code = make_server(j, TLS_KEY_RSA, "server-rsa.pem", "server-rsa.key");
	if (code == 0)
		code = make_server(j, TLS_KEY_ECDSA, "server-ecdsa.pem", "server-ecdsa.key");
	if (code == 0)
		tell(j, did);
	tls_authority_free(j->ca);
	free(dir);
	return code;
}

static int add_text(const char **list, size_t *n, const char *value)
{
	if (*n == NAMES_MAX)
		return options_wrong_usage("cert", "more than %u names", NAMES_MAX);
	list[(*n)++] = value;
	return 0;
}

static int take_days(struct job *j)
{
	char *end;
	unsigned long days = strtoul(j->days_text, &end, 10);

	if (*end || end == j->days_text || j->days_text[0] == '-' || days == 0 || days > DAYS_MAX)
		return options_wrong_usage(
			"cert", "--days %s: expected 1 to %u", j->days_text, DAYS_MAX);
	j->days = (unsigned)days;
	return 0;
}

static int take_option(struct job *j, int c)
{
	switch (c) {
	case 'c':
		j->config = optarg;
		return 0;
	case 'i':
		return add_text(j->interfaces, &j->n_interfaces, optarg);
	case OPT_NAME:
		return add_text(j->names, &j->n_names, optarg);
	case OPT_DIR:
		j->dir = optarg;
		return 0;
	case OPT_DAYS:
		j->days_text = optarg;
		return 0;
	case OPT_NEW_CA:
		j->new_ca = true;
		return 0;
	case 'h':
		j->help = true;
		return 0;
	default:
		return options_wrong_usage("cert", "wrong option"); /* getopt has named it */
	}
}

int verb_cert(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "interface", required_argument, NULL, 'i' },
		{ "name", required_argument, NULL, OPT_NAME },
		{ "dir", required_argument, NULL, OPT_DIR },
		{ "days", required_argument, NULL, OPT_DAYS },
		{ "new-ca", no_argument, NULL, OPT_NEW_CA },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct job j = { .dir = DIR_DEFAULT, .days_text = DAYS_DEFAULT };
	int c, code = 0;

	while (code == 0 && (c = getopt_long(argc, argv, "c:i:h", options, NULL)) != -1)
		code = take_option(&j, c);
	if (code == 0 && j.help) {
		(void)fputs(help, stdout);
		return 0;
	}
	if (code == 0 && optind < argc)
		code = options_wrong_usage("cert", "it takes no \"%s\"", argv[optind]);
	if (code == 0)
		code = take_days(&j);
	return code ? code : run(&j);
}
