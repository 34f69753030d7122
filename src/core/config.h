/* The configuration as an immutable value: what a file, or no file, says.
 *
 * A config is built once by core/config_load.c (from text) and core/config_default.c
 * (from the command line), never changed afterwards, and freed as a whole; a
 * reload builds another.  It knows nothing of the machine it runs on: defaults
 * that depend on an interface's address are filled in by core/served.c.
 * Strings are NUL-terminated and owned by the config's arena.
 */
#pragma once

#include "base/addr.h"
#include "base/arena.h"
#include "core/sums.h"
#include "wire/pxe.h"

/* Where in the file something stands; line 0: not from a file. */
struct src_pos {
	unsigned line, col;
};

enum dhcp_mode {
	DHCP_SERVER,
	DHCP_PROXY,
	DHCP_OFF,
};

struct pool {
	struct ip4 first, last; /* both included */
	struct src_pos pos;
};

/* A further DHCP option, its value already encoded as it goes on the wire. */
struct option_value {
	uint8_t code;
	struct span value;
	struct src_pos pos;
};

/* Those of one scope; each code once. */
struct option_list {
	const struct option_value *list;
	size_t n;
};

struct network {
	const char *
		name; /* the interface's name, or the subnet's text: what logs and `match: network` call it */
	const char *interface; /* NULL: reached through a relay agent */
	const char
		*link; /* behind relay agents: networks of the same name are on one wire; or NULL */
	bool has_subnet;
	struct ip4 subnet; /* the network address when has_subnet */
	unsigned prefix_len;
	enum dhcp_mode dhcp;
	const struct pool *pools; /* none: the upper half of the subnet */
	size_t n_pools;
	struct ip4 router; /* 0: our own address on the interface; none where relayed */
	const struct ip4 *dns;
	size_t n_dns;
	const char *domain; /* or NULL */
	uint32_t lease_time_s;
	bool conflict_check;
	bool authoritative; /* NAKs also what another server may know of */
	struct option_list options;
	struct src_pos pos;
};

/* The way from firmware to a profile's kernel: the words of `loader:`. */
enum loader {
	LOADER_AUTO, /* what suits the firmware, and is there */
	LOADER_IPXE,
	LOADER_GRUB,
	LOADER_SHIM, /* shim, then GRUB: the way that Secure Boot allows */
	LOADER_UKI,  /* a unified kernel image, for firmware that loads by HTTP */
};

/* What becomes of machines that want to boot and do not stand under `machines:`. */
enum unknown_policy {
	UNKNOWN_BOOT,     /* rules and default_profile decide, as for all others */
	UNKNOWN_REGISTER, /* they say what they are, and wait for an order */
	UNKNOWN_IGNORE,   /* they are not answered */
};

enum profile_kind {
	PROFILE_KERNEL,   /* kernel, initrds, cmdline */
	PROFILE_SCRIPT,   /* an iPXE script of the user's own */
	PROFILE_BOOTFILE, /* a file handed to the client as it is */
	PROFILE_LOCAL,    /* boot from disk */
};

/* A file that a profile names, and where it stands in the configuration. */
struct file_ref {
	const char *path; /* below the root, no leading '/', or a URL (is_url) */
	bool is_url;
	/* An image that we fetch from there and serve as `path`, a virtual name; or NULL. */
	const char *upstream;
	bool has_sha256; /* only these octets will do */
	struct sha256 sha256;
	struct src_pos pos;
};

/* A variable of the user's own for templates: a text, or a tree of them. */
enum var_kind {
	VAR_TEXT,
	VAR_LIST,
	VAR_MAP,
};

struct var {
	const char *name;  /* NULL: an item of a list */
	const char *value; /* VAR_TEXT */
	enum var_kind kind;
	const struct var *items; /* VAR_LIST, VAR_MAP */
	size_t n_items;
};

/* A text that is rendered for each machine of a profile. */
struct profile_file {
	const char *name;       /* as clients ask for it, below machines/WHO/ */
	struct file_ref source; /* below templates.root */
};

struct profile {
	const char *name;
	enum profile_kind kind;
	enum loader loader;
	bool secure_boot; /* nothing unsigned on the way */
	bool install;     /* a machine that had it boots its own disk once it phoned home */
	struct file_ref kernel;
	const struct file_ref *initrds;
	size_t n_initrds;
	const char *cmdline;    /* "" when none; may hold {{variables}} */
	const char *message;    /* what a machine says on its screen first; NULL: none */
	struct file_ref script; /* PROFILE_SCRIPT: below http.root */
	struct file_ref
		bootfile; /* PROFILE_BOOTFILE: below tftp.root or http.root; with a kernel, the user's own loader for it */
	const struct var *vars; /* what its machines have not */
	size_t n_vars;
	const struct profile_file *files;
	size_t n_files;
	struct option_list options;
	struct src_pos pos;
};

struct machine {
	const char *name;
	bool has_mac;
	struct mac mac;
	bool has_uuid;
	struct uuid uuid;
	struct ip4 address;            /* 0: from the pool */
	const struct profile *profile; /* NULL: rules and default_profile decide */
	const struct var *vars;
	size_t n_vars;
	struct option_list options;
	struct src_pos pos;
};

/* What a client is at this stage of its boot: the words of `match: client`. */
enum client {
	CLIENT_DHCP, /* plain: wants an address, boots nothing */
	CLIENT_PXE,
	CLIENT_HTTP, /* UEFI HTTP Boot */
	CLIENT_IPXE,
};

enum match_key {
	MATCH_ARCH,
	MATCH_CLIENT,
	MATCH_MAC,
	MATCH_UUID,
	MATCH_VENDOR_CLASS,
	MATCH_USER_CLASS,
	MATCH_HOSTNAME,
	MATCH_NETWORK,
	MATCH_CIRCUIT_ID,
	MATCH_REMOTE_ID,
	MATCH_SERIAL,
	MATCH_ASSET,
	MATCH_KEY_COUNT,
};

/* One key of a rule: true when any of its values fits.  All values are texts
 * with globs (* ? [set]); arch, client, mac and uuid are compared by their
 * canonical texts (mac lower-case with ':'; uuid lower-case). */
struct match {
	enum match_key key;
	const char *const *values;
	size_t n_values;
	struct src_pos pos;
};

struct rule {
	unsigned number;             /* from 1, in the file's order */
	const struct match *matches; /* all of them must fit */
	size_t n_matches;
	const struct profile *profile;
	struct src_pos pos;
};

/* Kinds of binaries that we hand out of our own accord. */
enum loader_family {
	FAMILY_IPXE,
	FAMILY_GRUB,
	FAMILY_SHIM,
	FAMILY_STUB, /* no loader: the head of a unified kernel image */
	FAMILY_COUNT,
};

struct loader_file {
	const char *path;   /* absolute, or iPXE's below loaders.dir; NULL: none is known */
	bool present;       /* it could be opened when the configuration was loaded */
	struct src_pos pos; /* line 0: the default, whose absence is no error */
};

struct loaders {
	const char *dir;
	struct src_pos pos; /* of dir; line 0: the default */
	struct loader_file file[FAMILY_COUNT][ARCH_COUNT];
};

/* A file outside the roots that clients reach by a virtual name only. */
struct named_file {
	const char *name; /* as clients ask for it, no leading '/': "boot/vmlinuz" */
	const char *path; /* on this machine */
};

/* A certificate of `https:`, with its private key. */
struct https_pair {
	const char *certificate, *key; /* on this machine */
	struct src_pos certificate_pos, key_pos;
};

/* The machines in order of what they are looked up by: those that have it. */
struct machine_index {
	const struct machine **by_mac, **by_uuid, **by_name;
	size_t n_macs, n_uuids, n_names;
};

/* What is fetched from elsewhere, and kept. */
struct images_config {
	const char *dir; /* NULL: `images` in the state directory */
	uint64_t limit;  /* octets that it may hold */
	const char *ca;  /* certificates to trust instead of the system's, or NULL */
	struct src_pos ca_pos;
};

/* The service that is asked what machines are to boot. */
struct boot_api_config {
	const char *url; /* NULL: none */
	uint32_t timeout_s, cache_s;
	bool waits; /* a machine waits while it is away; else the rules decide */
};

struct config {
	const char *file; /* its name for messages; NULL without a file */
	const char *state_dir;
	const char *control_socket;
	const char *tftp_root, *http_root;
	struct src_pos tftp_root_pos,
		http_root_pos;      /* line 0: the default, whose absence is a warning only */
	const char *templates_root; /* of the files of profiles */
	struct src_pos templates_root_pos;
	uint16_t tftp_port, http_port;
	uint16_t https_port; /* 0: no `https:` */
	const struct https_pair *https_pairs;
	size_t n_https_pairs;
	unsigned https_clients; /* told https:// URLs: a bit, 1 << enum client, for each */
	bool tftp_single_port;
	struct loaders loaders;
	struct images_config images;
	struct boot_api_config boot_api;
	const struct network *networks;
	size_t n_networks;
	const struct profile *profiles;
	size_t n_profiles;
	const struct machine *machines;
	size_t n_machines;
	struct machine_index index; /* of machines: config_index_machines() */
	const struct rule *rules;
	size_t n_rules;
	const struct profile *default_profile; /* or NULL */
	enum unknown_policy unknown;
	const struct named_file *named_files; /* of `bootsmith boot` */
	size_t n_named_files;
	struct arena arena; /* owns all of the above */
};

#define CONFIG_STATE_DIR_DEFAULT      "/var/lib/bootsmith"
#define CONFIG_CONTROL_SOCKET_DEFAULT "/run/bootsmith/control.sock"
#define CONFIG_HTTP_ROOT_DEFAULT      "/srv/http"
#define CONFIG_TFTP_ROOT_DEFAULT      "/srv/tftp"
#define CONFIG_TEMPLATES_ROOT_DEFAULT "/etc/bootsmith/templates"
#define CONFIG_LOADERS_DIR_DEFAULT    "/usr/lib/ipxe"
#define CONFIG_IMAGES_LIMIT_DEFAULT   (UINT64_C(10) << 30)
#define CONFIG_HTTPS_PORT_DEFAULT     443
#define CONFIG_API_TIMEOUT_DEFAULT_S  2u
#define CONFIG_API_CACHE_DEFAULT_S    10u
#define CONFIG_HTTPS_PAIRS_MAX        4u /* RSA and ECDSA, and some room */
#define CONFIG_LEASE_TIME_DEFAULT_S   3600u
#define CONFIG_SCRIPT_MAX             (1u << 20) /* octets of a script profile's file, or of a template */

/* A config with nothing but defaults: no networks, no profiles, and the places where
 * Debian's packages put loaders.  -ENOMEM. */
int config_new(struct config **ret_config) WARN_UNUSED;
void config_free(struct config *cfg);

/* The i-th place where Debian's packages put such a file, the best first; NULL behind
 * the last.  iPXE's are below loaders.dir. */
const char *config_loader_place(enum loader_family f, enum arch a, unsigned i);
/* "iPXE", "GRUB", "shim", "the EFI stub" */
const char *loader_family_name(enum loader_family f);

/* Once, when all machines are there.  -ENOMEM. */
int config_index_machines(struct config *cfg) WARN_UNUSED;

/* By name, or NULL. */
const struct machine *config_find_machine_named(const struct config *cfg, struct span name);
const struct profile *config_find_profile(const struct config *cfg, struct span name);
/* The machine that has this MAC, else the one that has this UUID (in either
 * octet order; default UUIDs are nobody's), else NULL.  NULL arguments: unknown. */
const struct machine *config_find_machine(
	const struct config *cfg, const struct mac *mac, const struct uuid *uuid);
/* "server", "proxy", "off"; "boot", "register", "ignore"; "pxe", "http", "ipxe", "dhcp"; "arch", "client", "mac", … */
const char *dhcp_mode_name(enum dhcp_mode m);
const char *unknown_policy_name(enum unknown_policy u);
const char *client_name(enum client c);
const char *match_key_name(enum match_key k);
