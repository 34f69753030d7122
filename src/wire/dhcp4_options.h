/* DHCPv4 options by number, IANA name and type: how a configured value becomes
 * octets, and how octets are shown.
 *
 * Knows formats only; which options a configuration may set is core's business.
 * Source: IANA "BOOTP Vendor Extensions and DHCP Options", RFC 2132; for the
 * types with an RFC of their own see below.
 */
#pragma once

#include "base/bytes.h"
#include "base/text.h"

enum dhcp4_option_type {
	OPT_T_HEX, /* no format known here: octets only */
	OPT_T_ADDRESS,
	OPT_T_ADDRESSES,
	OPT_T_FILTERS,     /* 21: addresses with their masks */
	OPT_T_HOST_ROUTES, /* 33: destinations with their routers */
	OPT_T_ROUTES,      /* 121, RFC 3442: destinations with a prefix length, and routers */
	OPT_T_TEXT,
	OPT_T_URIS,    /* 143, RFC 8572 8.3: each with its length in two octets before it */
	OPT_T_DOMAIN,  /* RFC 1035 3.1: labels */
	OPT_T_DOMAINS, /* 119, RFC 3397: as above one after the other; compression is optional */
	OPT_T_SIP_SERVERS, /* 120, RFC 3361: 0 and domains, or 1 and addresses */
	OPT_T_SLP_AGENTS,  /* 78, RFC 2610: an octet "mandatory", then addresses */
	OPT_T_SLP_SCOPES,  /* 79, RFC 2610: an octet "mandatory", then a text */
	OPT_T_BOOL,
	OPT_T_U8,
	OPT_T_U8S,
	OPT_T_U16,
	OPT_T_U16S,
	OPT_T_U32,
	OPT_T_S32,
};

/* Bits of a form. */
#define OPT_F_LIST 1u /* several values may be given */
#define OPT_F_MAP  2u /* {destination: router} too */
#define OPT_F_TEXT 4u /* "ab:cd" is a text: octets only as 0x… */
#define OPT_F_LONG 8u /* may be longer than 255 octets: its RFC wants clients to know RFC 3396 */

struct dhcp4_option_form {
	const char *expected; /* for error messages: "an IPv4 address" */
	size_t unit;          /* octets of a value on the wire; 0: any number of them */
	unsigned flags;       /* OPT_F_… */
};

struct dhcp4_option_info {
	uint8_t code;
	enum dhcp4_option_type type;
	const char *name; /* IANA's words in lower case with '-': "ntp-servers" */
};

/* The row of a code, or NULL. */
const struct dhcp4_option_info *dhcp4_option_find(uint8_t code);
const struct dhcp4_option_info *dhcp4_option_find_name(struct span name);
/* All rows, in the order of their codes. */
const struct dhcp4_option_info *dhcp4_option_table(size_t *ret_n);
const struct dhcp4_option_form *dhcp4_option_form(enum dhcp4_option_type t);

/* Appends the value that the texts of items stand for to w (w->full when it does
 * not fit).  A single item of any type may be octets in hex.  -EINVAL: there is
 * none, or items[*ret_bad] is not of the type; then nothing was written. */
int dhcp4_option_encode(enum dhcp4_option_type t, const struct span *items, size_t n, struct wr *w,
	size_t *ret_bad) WARN_UNUSED;
/* Appends a value as text, in the words that dhcp4_option_encode() takes, with
 * ", " between several; what is not of the type is shown in hex.  One line of
 * printable ASCII, whatever the octets. */
void dhcp4_option_format(enum dhcp4_option_type t, struct span value, struct text *out);
