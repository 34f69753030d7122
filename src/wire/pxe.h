/* The options by which a netbooting client says what it is, and option 43.
 *
 * Decoding only: 60 (vendor class), 77 (user class), 93 (architectures), 97
 * (machine identifier), 175 (iPXE's own).  Every one may be missing, malformed
 * or contradict the others; core/facts.c makes one story of them.
 * Sources: RFC 4578, RFC 3004, IANA "Processor Architecture Types", the PXE
 * specification 2.1, and firmware-quirks.md for what firmware really sends.
 */
#pragma once

#include "base/addr.h"
#include "base/bytes.h"

/* What a processor architecture number means, in the words of section 4 of the
 * design: the classes that a loader is chosen by. */
enum arch {
	ARCH_UNKNOWN, /* no number, or one that the registry does not know */
	ARCH_BIOS,
	ARCH_IA32,
	ARCH_X64,
	ARCH_ARM32,
	ARCH_ARM64,
	ARCH_OTHER, /* in the registry, but nothing that we have a loader class for */
};
#define ARCH_COUNT (ARCH_OTHER + 1)

/* One row of the IANA registry. */
struct arch_type {
	uint16_t number;
	enum arch arch;
	bool http;        /* the number is of an HTTP boot client */
	const char *name; /* short stable name: "x64-uefi-http" */
};

/* All numbers of the registry are below this. */
#define ARCH_TYPE_NUMBERS 0x2au

/* The row of a number, or NULL when the registry has none. */
const struct arch_type *arch_type_find(uint16_t number);
/* By the row's name or by the class's name ("x64" gives the first x64 row), or NULL. */
const struct arch_type *arch_type_find_name(struct span name);
/* "bios", "ia32", "x64", "arm32", "arm64", "other", "unknown": the configuration's words. */
const char *arch_name(enum arch a);
/* 0, or -EINVAL when no class has that name (unknown and other have none here). */
int arch_parse(struct span name, enum arch *ret) WARN_UNUSED;

/* What option 60 says. */
enum vendor_kind {
	VENDOR_NONE, /* missing, or something that is no netbooting client */
	VENDOR_PXE,  /* starts with "PXEClient" */
	VENDOR_HTTP, /* starts with "HTTPClient" */
};

struct vendor_class {
	enum vendor_kind kind;
	bool has_arch;
	uint16_t
		arch; /* from ":Arch:NNNNN": decimal by RFC 4578 2.1; U-Boot writes hex ("0001b") */
};

void vendor_class_parse(struct span option60, struct vendor_class *ret);

/* True when option 77 holds "iPXE", raw (as iPXE sends it) or as one of the
 * length-prefixed classes of RFC 3004. */
bool user_class_has_ipxe(struct span option77);
/* The first class of option 77 for people: the raw text, or the first class of
 * a well-formed RFC 3004 list. */
struct span user_class_first(struct span option77);

/* Calls for each architecture of option 93 in the client's order; an odd
 * trailing octet is ignored.  Returns the first that the registry knows, else
 * the first, else ret untouched and -ENOENT. */
int client_arch_first_known(struct span option93, uint16_t *ret) WARN_UNUSED;

/* The UUID of option 97: type 0 and 16 octets (RFC 4578 2.3), in the octets'
 * order as sent.  -EINVAL for other types and lengths. */
int machine_id_parse(struct span option97, struct uuid *ret) WARN_UNUSED;

/* What option 175 tells: present and well-formed encapsulated options. */
struct ipxe_features {
	bool present; /* well-formed and not empty: only iPXE and gPXE send it */
	bool http, https, bzimage, efi, menu;
};

void ipxe_features_parse(struct span option175, struct ipxe_features *ret);

/* Option 43 for a PXE client that must not look for boot servers: sub-option 6
 * (discovery control) = 8, "boot the file named in this reply", and END. */
void pxe_vendor_options_direct(struct wr *w);
/* A menu of one item, chosen at once, which is the machine's own disk (boot server type 0). */
void pxe_vendor_options_local(struct wr *w, struct span text);
/* A menu of one item, chosen at once (time-out 0), whose boot server is `server`:
 * the client asks it on port 4011.  No broadcast, no multicast discovery. */
void pxe_vendor_options_menu(struct wr *w, struct ip4 server, struct span text);
/* What Raspberry Pi's ROM looks for: a menu entry of type 0 with that text, and
 * the file named in the reply (tinkerbell/smee AddRPIOpt43). */
void pxe_vendor_options_entry(struct wr *w, struct span text);
/* The boot item (71) that a client chose, returned to it; nothing without one. */
void pxe_vendor_options_item(struct wr *w, struct span option43);
/* The sub-option of option 43 with that code, or an empty span. */
struct span pxe_vendor_suboption(struct span option43, uint8_t code);
#define PXE_BOOT_ITEM 71
