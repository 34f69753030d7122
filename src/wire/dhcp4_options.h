/* DHCPv4 options by number, IANA name and type: how a configured value becomes octets.
 *
 * Knows single values only; lists of addresses are the caller's to concatenate
 * (the type says whether a list is allowed).
 * Source: IANA "BOOTP Vendor Extensions and DHCP Options".
 */
#pragma once

#include "base/bytes.h"

enum dhcp4_option_type {
	OPT_T_HEX,     /* no type known: "0x…" or aa:bb:cc only */
	OPT_T_ADDRESS,
	OPT_T_ADDRESSES,
	OPT_T_TEXT,
	OPT_T_BOOL,
	OPT_T_U8,
	OPT_T_U16,
	OPT_T_U32,
	OPT_T_S32,
	OPT_T_RESERVED, /* the server's own business: not for `options:` */
};

struct dhcp4_option_info {
	uint8_t code;
	enum dhcp4_option_type type;
	const char *name; /* IANA's words in lower case with '-': "ntp-servers" */
};

/* The row of a code, or NULL. */
const struct dhcp4_option_info *dhcp4_option_find(uint8_t code);
const struct dhcp4_option_info *dhcp4_option_find_name(struct span name);
/* What a value of this type looks like, for error messages: "an IPv4 address". */
const char *dhcp4_option_type_text(enum dhcp4_option_type t);
/* Appends the encoded value of one scalar text to w (w->full when it does not
 * fit).  -EINVAL: the text is not of the type; nothing was written. */
int dhcp4_option_encode_text(enum dhcp4_option_type t, struct span text, struct wr *w) WARN_UNUSED;
/* All rows, in the order of their codes. */
const struct dhcp4_option_info *dhcp4_option_table(size_t *ret_n);
