/* Names: where a client finds what the decision gave it, and back.
 *
 * Virtual names win over files in the roots:
 *   loaders/FILE              our iPXE binaries
 *   machines/MAC/boot.ipxe    the script of one machine (MAC with '-': colons
 *                             in URL paths upset some clients, tinkerbell#306)
 *   NAME                      a named file of `bootsmith boot`
 *   boot.ipxe                 (HTTP) the file of that name in the root, or,
 *                             where there is none, a script that says so
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

/* What options 67 and `file` say for this answer; empty for ANSWER_ADDRESS. */
void locate_bootfile(const struct config *cfg, const struct facts *facts, const struct answer *answer,
	struct ip4 server, struct text *out);

/* The file name of a loader without its directory: what clients ask for. */
const char *locate_loader_name(const char *file);

/* The path in the query of a script's URL by which iPXE reports what only it
 * can tell; used when a rule asks for it. */
bool locate_wants_report(const struct config *cfg);

enum virtual_kind {
	VIRTUAL_NONE, /* a file below the root, if it is there */
	VIRTUAL_LOADER,
	VIRTUAL_MACHINE_SCRIPT,
	VIRTUAL_NAMED_FILE,
	VIRTUAL_SITE_SCRIPT,
	VIRTUAL_MISSING, /* below a reserved prefix, but nothing of ours */
};

struct virtual_name {
	enum virtual_kind kind;
	enum arch arch;                 /* VIRTUAL_LOADER */
	struct mac mac;                 /* VIRTUAL_MACHINE_SCRIPT */
	const struct named_file *named; /* VIRTUAL_NAMED_FILE */
};

/* path: decoded, normalised, without a leading '/'. */
void locate_path(const struct config *cfg, struct span path, struct virtual_name *ret);
