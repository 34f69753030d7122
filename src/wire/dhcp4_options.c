/* The table of DHCPv4 options and how one configured text becomes octets.
 *
 * A row stands here only where its format is certain from its RFC; what needs
 * a structure of its own (121's routes, 119's compressed names) is OPT_T_HEX,
 * so that its octets can be given, and no half-right encoder pretends to know.
 * Refuses lists (the caller concatenates) and says nothing about which option
 * makes sense where.
 * Source: IANA "BOOTP Vendor Extensions and DHCP Options", RFC 2132 for 1 to 76.
 */
#include "wire/dhcp4_options.h"

#include "base/addr.h"

#include <errno.h>

static const struct dhcp4_option_info table[] = {
	{ 0, OPT_T_RESERVED, "pad" },
	{ 1, OPT_T_RESERVED, "subnet-mask" },
	{ 2, OPT_T_S32, "time-offset" },
	{ 3, OPT_T_RESERVED, "router" },
	{ 4, OPT_T_ADDRESSES, "time-server" },
	{ 5, OPT_T_ADDRESSES, "name-server" },
	{ 6, OPT_T_RESERVED, "domain-server" },
	{ 7, OPT_T_ADDRESSES, "log-server" },
	{ 8, OPT_T_ADDRESSES, "quotes-server" },
	{ 9, OPT_T_ADDRESSES, "lpr-server" },
	{ 10, OPT_T_ADDRESSES, "impress-server" },
	{ 11, OPT_T_ADDRESSES, "rlp-server" },
	{ 12, OPT_T_TEXT, "hostname" },
	{ 13, OPT_T_U16, "boot-file-size" },
	{ 14, OPT_T_TEXT, "merit-dump-file" },
	{ 15, OPT_T_RESERVED, "domain-name" },
	{ 16, OPT_T_ADDRESS, "swap-server" },
	{ 17, OPT_T_TEXT, "root-path" },
	{ 18, OPT_T_TEXT, "extension-file" },
	{ 19, OPT_T_BOOL, "forward-on-off" },
	{ 20, OPT_T_BOOL, "srcrte-on-off" },
	{ 21, OPT_T_ADDRESSES, "policy-filter" },
	{ 22, OPT_T_U16, "max-dg-assembly" },
	{ 23, OPT_T_U8, "default-ip-ttl" },
	{ 24, OPT_T_U32, "mtu-timeout" },
	{ 25, OPT_T_HEX, "mtu-plateau" },
	{ 26, OPT_T_U16, "mtu-interface" },
	{ 27, OPT_T_BOOL, "mtu-subnet" },
	{ 28, OPT_T_ADDRESS, "broadcast-address" },
	{ 29, OPT_T_BOOL, "mask-discovery" },
	{ 30, OPT_T_BOOL, "mask-supplier" },
	{ 31, OPT_T_BOOL, "router-discovery" },
	{ 32, OPT_T_ADDRESS, "router-request" },
	{ 33, OPT_T_ADDRESSES, "static-route" },
	{ 34, OPT_T_BOOL, "trailers" },
	{ 35, OPT_T_U32, "arp-timeout" },
	{ 36, OPT_T_BOOL, "ethernet" },
	{ 37, OPT_T_U8, "default-tcp-ttl" },
	{ 38, OPT_T_U32, "keepalive-time" },
	{ 39, OPT_T_BOOL, "keepalive-data" },
	{ 40, OPT_T_TEXT, "nis-domain" },
	{ 41, OPT_T_ADDRESSES, "nis-servers" },
	{ 42, OPT_T_ADDRESSES, "ntp-servers" },
	{ 43, OPT_T_RESERVED, "vendor-specific" },
	{ 44, OPT_T_ADDRESSES, "netbios-name-srv" },
	{ 45, OPT_T_ADDRESSES, "netbios-dist-srv" },
	{ 46, OPT_T_U8, "netbios-node-type" },
	{ 47, OPT_T_TEXT, "netbios-scope" },
	{ 48, OPT_T_ADDRESSES, "x-window-font" },
	{ 49, OPT_T_ADDRESSES, "x-window-manager" },
	{ 50, OPT_T_RESERVED, "address-request" },
	{ 51, OPT_T_RESERVED, "address-time" },
	{ 52, OPT_T_RESERVED, "overload" },
	{ 53, OPT_T_RESERVED, "dhcp-msg-type" },
	{ 54, OPT_T_RESERVED, "dhcp-server-id" },
	{ 55, OPT_T_RESERVED, "parameter-list" },
	{ 56, OPT_T_TEXT, "dhcp-message" },
	{ 57, OPT_T_RESERVED, "dhcp-max-msg-size" },
	{ 58, OPT_T_RESERVED, "renewal-time" },
	{ 59, OPT_T_RESERVED, "rebinding-time" },
	{ 60, OPT_T_RESERVED, "class-id" },
	{ 61, OPT_T_RESERVED, "client-id" },
	{ 62, OPT_T_TEXT, "netware-ip-domain" },
	{ 63, OPT_T_HEX, "netware-ip-option" },
	{ 64, OPT_T_TEXT, "nis-domain-name" },
	{ 65, OPT_T_ADDRESSES, "nis-server-addr" },
	{ 66, OPT_T_RESERVED, "server-name" },
	{ 67, OPT_T_RESERVED, "bootfile-name" },
	{ 68, OPT_T_ADDRESSES, "home-agent-addrs" },
	{ 69, OPT_T_ADDRESSES, "smtp-server" },
	{ 70, OPT_T_ADDRESSES, "pop3-server" },
	{ 71, OPT_T_ADDRESSES, "nntp-server" },
	{ 72, OPT_T_ADDRESSES, "www-server" },
	{ 73, OPT_T_ADDRESSES, "finger-server" },
	{ 74, OPT_T_ADDRESSES, "irc-server" },
	{ 75, OPT_T_ADDRESSES, "streettalk-server" },
	{ 76, OPT_T_ADDRESSES, "stda-server" },
	{ 77, OPT_T_HEX, "user-class" },
	{ 78, OPT_T_HEX, "directory-agent" },
	{ 79, OPT_T_HEX, "service-scope" },
	{ 80, OPT_T_HEX, "rapid-commit" },
	{ 81, OPT_T_HEX, "client-fqdn" },
	{ 82, OPT_T_RESERVED, "relay-agent-information" },
	{ 83, OPT_T_HEX, "isns" },
	{ 85, OPT_T_ADDRESSES, "nds-servers" },
	{ 86, OPT_T_TEXT, "nds-tree-name" },
	{ 87, OPT_T_TEXT, "nds-context" },
	{ 88, OPT_T_HEX, "bcmcs-controller-domain-name-list" },
	{ 89, OPT_T_ADDRESSES, "bcmcs-controller-ipv4-address" },
	{ 90, OPT_T_HEX, "authentication" },
	{ 91, OPT_T_U32, "client-last-transaction-time" },
	{ 92, OPT_T_ADDRESSES, "associated-ip" },
	{ 93, OPT_T_HEX, "client-system" },
	{ 94, OPT_T_HEX, "client-ndi" },
	{ 95, OPT_T_TEXT, "ldap" },
	{ 97, OPT_T_RESERVED, "uuid-guid" },
	{ 98, OPT_T_TEXT, "user-auth" },
	{ 99, OPT_T_HEX, "geoconf-civic" },
	{ 100, OPT_T_TEXT, "pcode" },
	{ 101, OPT_T_TEXT, "tcode" },
	{ 108, OPT_T_U32, "ipv6-only-preferred" },
	{ 112, OPT_T_ADDRESSES, "netinfo-address" },
	{ 113, OPT_T_TEXT, "netinfo-tag" },
	{ 114, OPT_T_TEXT, "dhcp-captive-portal" },
	{ 116, OPT_T_U8, "auto-config" },
	{ 117, OPT_T_HEX, "name-service-search" },
	{ 118, OPT_T_ADDRESS, "subnet-selection-option" },
	{ 119, OPT_T_HEX, "domain-search" },
	{ 120, OPT_T_HEX, "sip-servers" },
	{ 121, OPT_T_HEX, "classless-static-route-option" },
	{ 122, OPT_T_HEX, "ccc-option" },
	{ 123, OPT_T_HEX, "geoconf-option" },
	{ 124, OPT_T_HEX, "v-i-vendor-class" },
	{ 125, OPT_T_HEX, "v-i-vendor-specific-information" },
	{ 136, OPT_T_ADDRESSES, "option-pana-agent" },
	{ 137, OPT_T_HEX, "option-v4-lost" },
	{ 138, OPT_T_ADDRESSES, "option-capwap-ac-v4" },
	{ 139, OPT_T_HEX, "option-ipv4-address-mos" },
	{ 140, OPT_T_HEX, "option-ipv4-fqdn-mos" },
	{ 141, OPT_T_HEX, "sip-ua-configuration-service-domains" },
	{ 142, OPT_T_HEX, "option-ipv4-address-andsf" },
	{ 143, OPT_T_HEX, "option-v4-sztp-redirect" },
	{ 144, OPT_T_HEX, "geoloc" },
	{ 145, OPT_T_HEX, "forcerenew-nonce-capable" },
	{ 146, OPT_T_HEX, "rdnss-selection" },
	{ 150, OPT_T_ADDRESSES, "tftp-server-address" },
	{ 151, OPT_T_HEX, "status-code" },
	{ 152, OPT_T_U32, "base-time" },
	{ 153, OPT_T_U32, "start-time-of-state" },
	{ 154, OPT_T_U32, "query-start-time" },
	{ 155, OPT_T_U32, "query-end-time" },
	{ 156, OPT_T_U8, "dhcp-state" },
	{ 157, OPT_T_U8, "data-source" },
	{ 158, OPT_T_HEX, "option-v4-pcp-server" },
	{ 159, OPT_T_HEX, "option-v4-portparams" },
	{ 161, OPT_T_TEXT, "option-mud-url-v4" },
	{ 175, OPT_T_HEX, "etherboot" },
	{ 208, OPT_T_HEX, "pxelinux-magic" },
	{ 209, OPT_T_TEXT, "configuration-file" },
	{ 210, OPT_T_TEXT, "path-prefix" },
	{ 211, OPT_T_U32, "reboot-time" },
	{ 212, OPT_T_HEX, "option-6rd" },
	{ 213, OPT_T_HEX, "option-v4-access-domain" },
	{ 220, OPT_T_HEX, "subnet-allocation-option" },
	{ 221, OPT_T_HEX, "virtual-subnet-selection-option" },
	{ 255, OPT_T_RESERVED, "end" },
};

const struct dhcp4_option_info *dhcp4_option_table(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(table);
	return table;
}

const struct dhcp4_option_info *dhcp4_option_find(uint8_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].code == code)
			return &table[i];
	return NULL;
}

const struct dhcp4_option_info *dhcp4_option_find_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (span_eq_nocase(span_str(table[i].name), name))
			return &table[i];
	return NULL;
}

/* What a type looks like in a message, and how long its value is on the wire. */
static const struct {
	const char *text;
	size_t size; /* octets; 0: any number of them */
	bool list;   /* a multiple of size */
} types[] = {
	[OPT_T_HEX] = { "octets, as 0x0a0b or 0a:0b", 0, false },
	[OPT_T_ADDRESS] = { "an IPv4 address", 4, false },
	[OPT_T_ADDRESSES] = { "an IPv4 address, or a list of them", 4, true },
	[OPT_T_TEXT] = { "a text", 0, false },
	[OPT_T_BOOL] = { "true or false", 1, false },
	[OPT_T_U8] = { "a number from 0 to 255", 1, false },
	[OPT_T_U16] = { "a number from 0 to 65535", 2, false },
	[OPT_T_U32] = { "a number from 0 to 4294967295", 4, false },
	[OPT_T_S32] = { "a number from -2147483648 to 2147483647", 4, false },
	[OPT_T_RESERVED] = { "nothing: the server sets it", 0, false },
};

const char *dhcp4_option_type_text(enum dhcp4_option_type t)
{
	return types[t].text;
}

/* "0x0a0b" or "0a:0b"; false and nothing written where s is neither. */
static bool encode_hex(struct span s, struct wr *w)
{
	bool prefixed = s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x';
	struct span digits = prefixed ? span_skip(s, 2) : s;
	size_t step = prefixed ? 2 : 3;
	uint8_t octets[255];
	size_t n = 0;

	/* One pair alone is no hex: "10" is a number. */
	if ((digits.n + (prefixed ? 0 : 1)) % step != 0 || digits.n < (prefixed ? 2u : 5u))
		return false;
	for (size_t i = 0; i < digits.n; i += step) {
		int high = hex_digit_value(digits.p[i]), low = hex_digit_value(digits.p[i + 1]);

		if (high < 0 || low < 0 || n == sizeof(octets))
			return false;
		if (!prefixed && i + 2 < digits.n && digits.p[i + 2] != ':')
			return false;
		octets[n++] = (uint8_t)(high << 4 | low);
	}
	wr_span(w, (struct span){ octets, n });
	return true;
}

/* A decimal number from min to max, no signs but '-', no blanks. */
static int parse_number(struct span s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	int64_t v = 0;

	s = span_skip(s, negative ? 1 : 0);
	if (s.n == 0 || s.n > 10)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (s.p[i] - '0');
	}
	if (negative)
		v = -v;
	if (v < min || v > max)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int encode_bool(struct span s, struct wr *w)
{
	bool yes = span_eq_nocase(s, SPAN_LIT("true")) || span_eq_nocase(s, SPAN_LIT("on")) ||
		   span_eq_nocase(s, SPAN_LIT("yes")) || span_eq(s, SPAN_LIT("1"));
	bool no = span_eq_nocase(s, SPAN_LIT("false")) || span_eq_nocase(s, SPAN_LIT("off")) ||
		  span_eq_nocase(s, SPAN_LIT("no")) || span_eq(s, SPAN_LIT("0"));

	if (!yes && !no)
		return -EINVAL;
	wr_u8(w, yes);
	return 0;
}

static int encode_number(enum dhcp4_option_type t, struct span s, struct wr *w)
{
	int64_t min = t == OPT_T_S32 ? INT32_MIN : 0;
	int64_t max = t == OPT_T_U8    ? UINT8_MAX
		      : t == OPT_T_U16 ? UINT16_MAX
		      : t == OPT_T_S32 ? INT32_MAX
				       : UINT32_MAX;
	int64_t v;

	if (parse_number(s, min, max, &v) < 0)
		return -EINVAL;
	switch (types[t].size) {
	case 1:
		wr_u8(w, (uint8_t)v);
		break;
	case 2:
		wr_u16(w, (uint16_t)v);
		break;
	default:
		wr_u32(w, (uint32_t)v);
		break;
	}
	return 0;
}

static int encode_typed(enum dhcp4_option_type t, struct span s, struct wr *w)
{
	struct ip4 address;

	switch (t) {
	case OPT_T_ADDRESS:
	case OPT_T_ADDRESSES:
		if (ip4_parse(s, &address) < 0)
			return -EINVAL;
		wr_u32(w, address.v);
		return 0;
	case OPT_T_TEXT:
		if (s.n == 0)
			return -EINVAL;
		wr_span(w, s);
		return 0;
	case OPT_T_BOOL:
		return encode_bool(s, w);
	case OPT_T_U8:
	case OPT_T_U16:
	case OPT_T_U32:
	case OPT_T_S32:
		return encode_number(t, s, w);
	case OPT_T_HEX:
	case OPT_T_RESERVED:
		break;
	}
	return -EINVAL;
}

/* Octets in hex are the way out for any type, but a type of a fixed size keeps
 * it: 0x10 for a 32-bit number would reach the client as one octet.  In a text
 * only 0x… is hex, since "ab:cd" is a text as well. */
int dhcp4_option_encode_text(enum dhcp4_option_type t, struct span text, struct wr *w)
{
	uint8_t octets[255];
	struct wr hex = wr_of(octets, sizeof(octets));
	bool prefixed = text.n > 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';

	if (t == OPT_T_RESERVED)
		return -EINVAL;
	if ((t == OPT_T_TEXT && !prefixed) || !encode_hex(text, &hex))
		return encode_typed(t, text, w);
	if (types[t].size != 0 &&
		(types[t].list ? hex.n % types[t].size != 0 : hex.n != types[t].size))
		return encode_typed(t, text, w);
	wr_span(w, wr_done(&hex));
	return 0;
}
