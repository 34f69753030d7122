/* Names: where a client finds what the decision gave it, and back.
 *
 * Virtual names win over files in the roots:
 *   loaders/FILE              our iPXE, GRUB and shim binaries
 *   machines/WHO/FILE         what is made for one machine: boot.ipxe, boot.efi, boot.img, …
 *                             (WHO is its MAC with '-', since colons in URL paths
 *                             upset some clients, tinkerbell#306; or its name),
 *                             and the kernel, initrdN and urlN that the boot API named
 *   profiles/NAME/kernel      a profile's files by any protocol, for loaders that
 *   profiles/NAME/initrdN     have TFTP only
 *   NAME                      a named file of `bootsmith boot`
 *   boot.ipxe                 (HTTP) the file of that name in the root, or,
 *                             where there is none, a script that says so
 * Other names mean what the machine that asks is to boot (locate_loader_path):
 * where a loader looks for its configuration, and what it looks for beside itself.
 * Opens and renders nothing.
 */
#pragma once

#include "base/text.h"
#include "core/decide.h"

/* "http://172.24.0.1" or "https://172.24.0.1:8443". */
#define BASE_URL_MAX 40
struct base_url {
	char s[BASE_URL_MAX];
};
/* The URL that such a client is told. */
struct base_url locate_base_url(const struct config *cfg, enum client client, struct ip4 server);
struct base_url locate_http_url(const struct config *cfg, struct ip4 server);
struct base_url locate_https_url(const struct config *cfg, struct ip4 server);

/* What options 67 and `file` say for this answer; empty where there is nothing to load. */
void locate_bootfile(const struct config *cfg, const struct facts *facts,
	const struct answer *answer, struct ip4 server, struct text *out);

/* A path without its directories. */
const char *locate_file_name(const char *path);

/* What clients ask for behind loaders/: the binary's file name, without the ".signed"
 * of Debian's; with its architecture before it where two would be called alike. */
#define LOADER_NAME_MAX 128
void locate_loader_name(const struct config *cfg, enum loader_family family, enum arch arch,
	char ret[static LOADER_NAME_MAX]);

/* The directory of a profile's "kernel", "initrd0", …, and of those of a machine for which the boot API
 * speaks; without slashes at either end. */
#define LOCATE_FILES_MAX 128
void locate_profile_files(const struct profile *p, char ret[static LOCATE_FILES_MAX]);
void locate_machine_files(struct mac mac, char ret[static LOCATE_FILES_MAX]);

/* The path in the query of a script's URL by which iPXE reports what only it
 * can tell; used when a rule asks for it. */
bool locate_wants_report(const struct config *cfg);

enum virtual_kind {
	VIRTUAL_NONE, /* a file below the root, if it is there */
	VIRTUAL_LOADER,
	VIRTUAL_MACHINE_FILE,
	VIRTUAL_PROFILE_FILE,
	VIRTUAL_NAMED_FILE,
	VIRTUAL_SITE_SCRIPT,
	VIRTUAL_GRUB_CFG,     /* GRUB's configuration, for whoever asks */
	VIRTUAL_PXELINUX_CFG, /* PXELINUX's */
	VIRTUAL_BESIDE, /* a loader looks for it beside itself, and may have dropped its directory */
	VIRTUAL_MISSING, /* below a reserved prefix, but nothing of ours */
};

struct virtual_name {
	enum virtual_kind kind;
	bool optional; /* loaders ask for such names, and go on without: not worth a warning */
	enum loader_family family; /* VIRTUAL_LOADER */
	enum arch arch;            /* VIRTUAL_LOADER */
	bool has_mac;              /* of the machine that the name itself tells */
	struct mac mac;
	bool has_uuid;
	struct uuid uuid;
	struct span who,
		file; /* VIRTUAL_MACHINE_FILE: a MAC or name; what of it.  file: VIRTUAL_BESIDE, too */
	const struct profile *profile;  /* VIRTUAL_PROFILE_FILE */
	const struct file_ref *ref;     /* its file */
	const struct named_file *named; /* VIRTUAL_NAMED_FILE */
};

/* path: decoded, normalised, without a leading '/'; spans of *ret are within it. */
void locate_path(const struct config *cfg, struct span path, struct virtual_name *ret);

/* Is a name's text or file one that only the main thread can tell, since it depends
 * on who asks? */
bool locate_asks_for_machine(enum virtual_kind kind);

/* May something be posted to this path? */
bool locate_takes_post(struct span path);

/* The names below machines/. */
#define MACHINE_SCRIPT     "boot.ipxe"
#define MACHINE_IMAGE      "boot.efi" /* a unified kernel image */
#define MACHINE_DISK       "boot.img" /* a disk with GRUB and a kernel; firmware knows one by `.img` */
#define MACHINE_LOCAL_DISK "local.efi" /* never there: firmware goes on to its disk */
#define MACHINE_PHONE_HOME "installed" /* by which an installer phones home */
