/* The table of DHCPv4 options, and what a value of each type looks like.
 *
 * A type stands here where the option's RFC leaves no doubt; what has structure
 * of its own that nobody writes by hand (sub-options, civic addresses, 6rd) is
 * OPT_T_HEX, so that its octets can be given, and no half-right encoder pretends
 * to know.  Says nothing about which option makes sense where.
 * Source: IANA "BOOTP Vendor Extensions and DHCP Options", RFC 2132 for 1 to 76.
 */
#include "wire/dhcp4_options.h"

static const struct dhcp4_option_info table[] = {
	{ 0, OPT_T_HEX, "pad" },
	{ 1, OPT_T_ADDRESS, "subnet-mask" },
	{ 2, OPT_T_S32, "time-offset" },
	{ 3, OPT_T_ADDRESSES, "router" },
	{ 4, OPT_T_ADDRESSES, "time-server" },
	{ 5, OPT_T_ADDRESSES, "name-server" },
	{ 6, OPT_T_ADDRESSES, "domain-server" },
	{ 7, OPT_T_ADDRESSES, "log-server" },
	{ 8, OPT_T_ADDRESSES, "quotes-server" },
	{ 9, OPT_T_ADDRESSES, "lpr-server" },
	{ 10, OPT_T_ADDRESSES, "impress-server" },
	{ 11, OPT_T_ADDRESSES, "rlp-server" },
	{ 12, OPT_T_TEXT, "hostname" },
	{ 13, OPT_T_U16, "boot-file-size" },
	{ 14, OPT_T_TEXT, "merit-dump-file" },
	{ 15, OPT_T_TEXT, "domain-name" },
	{ 16, OPT_T_ADDRESS, "swap-server" },
	{ 17, OPT_T_TEXT, "root-path" },
	{ 18, OPT_T_TEXT, "extension-file" },
	{ 19, OPT_T_BOOL, "forward-on-off" },
	{ 20, OPT_T_BOOL, "srcrte-on-off" },
	{ 21, OPT_T_FILTERS, "policy-filter" },
	{ 22, OPT_T_U16, "max-dg-assembly" },
	{ 23, OPT_T_U8, "default-ip-ttl" },
	{ 24, OPT_T_U32, "mtu-timeout" },
	{ 25, OPT_T_U16S, "mtu-plateau" },
	{ 26, OPT_T_U16, "mtu-interface" },
	{ 27, OPT_T_BOOL, "mtu-subnet" },
	{ 28, OPT_T_ADDRESS, "broadcast-address" },
	{ 29, OPT_T_BOOL, "mask-discovery" },
	{ 30, OPT_T_BOOL, "mask-supplier" },
	{ 31, OPT_T_BOOL, "router-discovery" },
	{ 32, OPT_T_ADDRESS, "router-request" },
	{ 33, OPT_T_HOST_ROUTES, "static-route" },
	{ 34, OPT_T_BOOL, "trailers" },
	{ 35, OPT_T_U32, "arp-timeout" },
	{ 36, OPT_T_BOOL, "ethernet" },
	{ 37, OPT_T_U8, "default-tcp-ttl" },
	{ 38, OPT_T_U32, "keepalive-time" },
	{ 39, OPT_T_BOOL, "keepalive-data" },
	{ 40, OPT_T_TEXT, "nis-domain" },
	{ 41, OPT_T_ADDRESSES, "nis-servers" },
	{ 42, OPT_T_ADDRESSES, "ntp-servers" },
	{ 43, OPT_T_HEX, "vendor-specific" },
	{ 44, OPT_T_ADDRESSES, "netbios-name-srv" },
	{ 45, OPT_T_ADDRESSES, "netbios-dist-srv" },
	{ 46, OPT_T_U8, "netbios-node-type" },
	{ 47, OPT_T_TEXT, "netbios-scope" },
	{ 48, OPT_T_ADDRESSES, "x-window-font" },
	{ 49, OPT_T_ADDRESSES, "x-window-manager" },
	{ 50, OPT_T_ADDRESS, "address-request" },
	{ 51, OPT_T_U32, "address-time" },
	{ 52, OPT_T_U8, "overload" },
	{ 53, OPT_T_U8, "dhcp-msg-type" },
	{ 54, OPT_T_ADDRESS, "dhcp-server-id" },
	{ 55, OPT_T_U8S, "parameter-list" },
	{ 56, OPT_T_TEXT, "dhcp-message" },
	{ 57, OPT_T_U16, "dhcp-max-msg-size" },
	{ 58, OPT_T_U32, "renewal-time" },
	{ 59, OPT_T_U32, "rebinding-time" },
	{ 60, OPT_T_TEXT, "class-id" },
	{ 61, OPT_T_HEX, "client-id" },
	{ 62, OPT_T_TEXT, "netware-ip-domain" },
	{ 63, OPT_T_HEX, "netware-ip-option" },
	{ 64, OPT_T_TEXT, "nis-domain-name" },
	{ 65, OPT_T_ADDRESSES, "nis-server-addr" },
	{ 66, OPT_T_TEXT, "server-name" },
	{ 67, OPT_T_TEXT, "bootfile-name" },
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
	{ 78, OPT_T_SLP_AGENTS, "directory-agent" },
	{ 79, OPT_T_SLP_SCOPES, "service-scope" },
	{ 80, OPT_T_HEX, "rapid-commit" },
	{ 81, OPT_T_HEX, "client-fqdn" },
	{ 82, OPT_T_HEX, "relay-agent-information" },
	{ 83, OPT_T_HEX, "isns" },
	{ 85, OPT_T_ADDRESSES, "nds-servers" },
	{ 86, OPT_T_TEXT, "nds-tree-name" },
	{ 87, OPT_T_TEXT, "nds-context" },
	{ 88, OPT_T_DOMAINS, "bcmcs-controller-domain-name-list" },
	{ 89, OPT_T_ADDRESSES, "bcmcs-controller-ipv4-address" },
	{ 90, OPT_T_HEX, "authentication" },
	{ 91, OPT_T_U32, "client-last-transaction-time" },
	{ 92, OPT_T_ADDRESSES, "associated-ip" },
	{ 93, OPT_T_U16S, "client-system" },
	{ 94, OPT_T_HEX, "client-ndi" },
	{ 95, OPT_T_TEXT, "ldap" },
	{ 97, OPT_T_HEX, "uuid-guid" },
	{ 98, OPT_T_TEXT, "user-auth" },
	{ 99, OPT_T_HEX, "geoconf-civic" },
	{ 100, OPT_T_TEXT, "pcode" },
	{ 101, OPT_T_TEXT, "tcode" },
	{ 108, OPT_T_U32, "ipv6-only-preferred" },
	{ 112, OPT_T_ADDRESSES, "netinfo-address" },
	{ 113, OPT_T_TEXT, "netinfo-tag" },
	{ 114, OPT_T_TEXT, "dhcp-captive-portal" },
	{ 116, OPT_T_U8, "auto-config" },
	{ 117, OPT_T_U16S, "name-service-search" },
	{ 118, OPT_T_ADDRESS, "subnet-selection-option" },
	{ 119, OPT_T_DOMAINS, "domain-search" },
	{ 120, OPT_T_SIP_SERVERS, "sip-servers" },
	{ 121, OPT_T_ROUTES, "classless-static-route-option" },
	{ 122, OPT_T_HEX, "ccc-option" },
	{ 123, OPT_T_HEX, "geoconf-option" },
	{ 124, OPT_T_HEX, "v-i-vendor-class" },
	{ 125, OPT_T_HEX, "v-i-vendor-specific-information" },
	{ 136, OPT_T_ADDRESSES, "option-pana-agent" },
	{ 137, OPT_T_DOMAIN, "option-v4-lost" },
	{ 138, OPT_T_ADDRESSES, "option-capwap-ac-v4" },
	{ 139, OPT_T_HEX, "option-ipv4-address-mos" },
	{ 140, OPT_T_HEX, "option-ipv4-fqdn-mos" },
	{ 141, OPT_T_DOMAINS, "sip-ua-configuration-service-domains" },
	{ 142, OPT_T_ADDRESSES, "option-ipv4-address-andsf" },
	{ 143, OPT_T_URIS, "option-v4-sztp-redirect" },
	{ 144, OPT_T_HEX, "geoloc" },
	{ 145, OPT_T_U8S, "forcerenew-nonce-capable" },
	{ 146, OPT_T_HEX, "rdnss-selection" },
	{ 147, OPT_T_DOMAIN, "option-v4-dots-ri" },
	{ 148, OPT_T_ADDRESSES, "option-v4-dots-address" },
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
	{ 162, OPT_T_HEX, "option-v4-dnr" },
	{ 175, OPT_T_HEX, "etherboot" },
	{ 208, OPT_T_HEX, "pxelinux-magic" },
	{ 209, OPT_T_TEXT, "configuration-file" },
	{ 210, OPT_T_TEXT, "path-prefix" },
	{ 211, OPT_T_U32, "reboot-time" },
	{ 212, OPT_T_HEX, "option-6rd" },
	{ 213, OPT_T_DOMAIN, "option-v4-access-domain" },
	{ 220, OPT_T_HEX, "subnet-allocation-option" },
	{ 221, OPT_T_HEX, "virtual-subnet-selection-option" },
	{ 255, OPT_T_HEX, "end" },
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

const struct dhcp4_option_form *dhcp4_option_form(enum dhcp4_option_type t)
{
	static const struct dhcp4_option_form forms[] = {
		[OPT_T_HEX] = { "octets, as 0x0a0b or 0a:0b", 0, 0 },
		[OPT_T_ADDRESS] = { "an IPv4 address", 4, 0 },
		[OPT_T_ADDRESSES] = { "an IPv4 address, or a list of them", 4, OPT_F_LIST },
		[OPT_T_FILTERS] = { "a destination such as 10.9.0.0/16, or a list of them", 8,
			OPT_F_LIST },
		[OPT_T_HOST_ROUTES] = { "a route such as `10.9.0.1 via 172.24.0.1`, a list of them, or a map "
					"{10.9.0.1: 172.24.0.1}",
			8, OPT_F_LIST | OPT_F_MAP },
		[OPT_T_ROUTES] = { "a route such as `10.9.0.0/16 via 172.24.0.1` or `default via 172.24.0.1`, "
				   "a list of them, or a map {10.9.0.0/16: 172.24.0.1}",
			0, OPT_F_LIST | OPT_F_MAP | OPT_F_LONG },
		[OPT_T_TEXT] = { "a text", 0, OPT_F_TEXT },
		[OPT_T_URIS] = { "a URI, or a list of them", 0, OPT_F_LIST | OPT_F_TEXT },
		[OPT_T_DOMAIN] = { "a domain name such as lab.example", 0, 0 },
		[OPT_T_DOMAINS] = { "a domain name such as lab.example, or a list of them", 0,
			OPT_F_LIST | OPT_F_LONG },
		[OPT_T_SIP_SERVERS] = { "a domain name or an IPv4 address, or a list of one of both",
			0, OPT_F_LIST | OPT_F_LONG },
		[OPT_T_SLP_AGENTS] = { "true or false (are they mandatory?), then IPv4 addresses: "
				       "[true, 172.24.0.1]",
			0, OPT_F_LIST },
		[OPT_T_SLP_SCOPES] = { "true or false (are they mandatory?), then scopes: [true, default]",
			0, OPT_F_LIST | OPT_F_TEXT },
		[OPT_T_BOOL] = { "true or false", 1, 0 },
		[OPT_T_U8] = { "a number from 0 to 255", 1, 0 },
		[OPT_T_U8S] = { "a number from 0 to 255, or a list of them", 1, OPT_F_LIST },
		[OPT_T_U16] = { "a number from 0 to 65535", 2, 0 },
		[OPT_T_U16S] = { "a number from 0 to 65535, or a list of them", 2, OPT_F_LIST },
		[OPT_T_U32] = { "a number from 0 to 4294967295", 4, 0 },
		[OPT_T_S32] = { "a number from -2147483648 to 2147483647", 4, 0 },
	};

	return &forms[t];
}
