/* Configurations: each mistake at its line and column with its sentence, and good
 * ones with every field where it belongs. */
#include "core/config_load.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct expected {
	unsigned line, col;
	const char *part; /* of the message */
};

/* A file and exactly its mistakes. */
struct vector {
	const char *name, *yaml;
	struct expected errors[16];
};

#define NET  "networks: [{subnet: 10.9.0.0/24"
#define PROF "profiles: {a: {kernel: k}, deb: {local_boot: true}}\n"
#define MAC1 "mac: 52:54:00:00:00:01"

static const struct vector syntax[] = {
	{ "unclosed list", "networks: [a, b\n",
		{ { 2, 1, "not YAML: flow sequence without a closing bracket" } } },
	{ "tab", "tftp:\n\tport: 1\n", { { 2, 1, "indent with blanks" } } },
	{ "nested on a line", "a: b: c\n", { { 1, 5, "in quotes" } } },
	{ "no colon", "tftp\nhttp: {}\n", { { 1, 1, "is a `:` missing" } } },
	{ "open quote", "a: 'x\n", { { 1, 5, "not YAML" } } },
	{ "alias", "state_dir: *x\n", { { 1, 12, "aliases" } } },
	{ "anchor", "state_dir: &x /a\n", { { 1, 12, "anchors" } } },
	{ "anchored map", "tftp: &x {port: 69}\n", { { 1, 7, "anchors" } } },
	{ "tag", "state_dir: !!str /a\n", { { 1, 12, "tags" } } },
	{ "two documents", "---\ntftp: {}\n---\nhttp: {}\n", { { 3, 1, "second document" } } },
	{ "a list as key", "? [a]\n: b\n", { { 1, 3, "a key must be a plain text" } } },
	{ "a variable without quotes", "default_profile: {{name}}\n",
		{ { 1, 19, "must stand in quotes" } } },
	{ "a variable without quotes in a flow map",
		"profiles: {d: {kernel: a, cmdline: h={{name}}}}\n",
		{ { 1, 38, "must stand in quotes" } } },
	{ "no colon", "networks:\n  - interface: br0\n    dhcp server\n    router: 1.2.3.4\n",
		{ { 3, 5, "is a `:` missing" } } },
	{ "control character",
		"state_dir: /a\x01"
		"b\n",
		{ { 1, 14, "control character 0x01" } } },
	{ "DEL in line 2", "a: 1\nb: \x7f\n", { { 2, 4, "control character 0x7f" } } },
	{ "escaped NUL", "state_dir: \"/a\\0b\"\n", { { 1, 12, "control character (0x00)" } } },
	{ "escaped newline", "state_dir: \"/a\\nb\"\n", { { 1, 12, "control character (0x0a)" } } },
	{ "literal block", "profiles:\n  a:\n    kernel: k\n    cmdline: |\n      x\n      y\n",
		{ { 5, 1, "control character (0x0a)" } } },
	{ "Latin 1", "a: b\n# f\xfcr\n", { { 2, 4, "0xfc is not UTF-8" } } },
	{ "overlong UTF-8", "# \xc0\xaf\n", { { 1, 3, "not UTF-8" } } },
	{ "surrogate", "# \xed\xa0\x80\n", { { 1, 3, "not UTF-8" } } },
	{ "truncated UTF-8", "# \xe2\x82", { { 1, 3, "not UTF-8" } } },
};

static const struct vector top[] = {
	{ "a text", "hello\n", { { 1, 1, "expected the configuration: a map" } } },
	{ "a list", "- a\n", { { 1, 1, "found a list" } } },
	{ "unknown keys", "netwroks: []\nfoo: 1\nTFTP: {}\n",
		{ { 1, 1, "did you mean `networks`?" },
			{ 2, 1, "its keys are networks, state_dir" },
			{ 3, 1, "did you mean `tftp`?" } } },
	{ "a key twice", "tftp: {port: 69}\nhttp: {}\ntftp: {port: 70}\n",
		{ { 3, 1, "`tftp` stands here twice, first in line 1" } } },
	{ "a deep key twice", "tftp: {port: 69, port: 69}\n",
		{ { 1, 18, "`port` stands here twice" } } },
	{ "single_port is a word", "tftp: {single_port: 1}\n", { { 1, 21, "true or false" } } },
	{ "merge keys", "tftp: {<<: {port: 1}}\n", { { 1, 8, "unknown key `<<` in tftp" } } },
	{ "paths",
		"state_dir: var\ncontrol: {socket: x, sock: y}\ntftp: {root: srv}\nhttp: {root: "
		"[a]}\n",
		{ { 1, 12, "expected an absolute path" }, { 2, 19, "absolute path" },
			{ 2, 22, "did you mean `socket`" }, { 3, 14, "found `srv`" },
			{ 4, 14, "found a list" } } },
	{ "no value", "state_dir:\nhttp: {root: ~}\n",
		{ { 1, 1, "found nothing" }, { 2, 14, "found nothing" } } },
	{ "ports", "tftp: {port: 0}\nhttp: {port: 65536}\n",
		{ { 1, 14, "1 to 65535" }, { 2, 14, "1 to 65535" } } },
	{ "a port that is none", "tftp: {port: x}\nhttp: {port: -1}\n",
		{ { 1, 14, "found `x`" }, { 2, 14, "found `-1`" } } },
	{ "socket too long",
		"control: {socket: "
		"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n",
		{ { 1, 19, "at most 107 characters" } } },
	{ "https", "https: {port: 443, certificate: /a, key: /b, fro: [x]}\n",
		{ { 1, 46, "did you mean `for`" } } },
	{ "https for nobody that there is",
		"https: {certificate: /a, key: /b, for: [http-bot, grub]}\n",
		{ { 1, 41, "did you mean `http-boot`" }, { 1, 51, "http-boot, ipxe or all" } } },
	{ "https without a certificate", "https: {key: /b}\n",
		{ { 1, 1, "`certificate` is missing" } } },
	{ "https without a key", "https: {port: 8443, certificate: [/a]}\n",
		{ { 1, 1, "`key` is missing" } } },
	{ "https with too few keys", "https:\n  certificate: [/a, /b]\n  key: /c\n",
		{ { 3, 8, "2 certificates but 1 keys" } } },
	{ "https with too many certificates",
		"https:\n  certificate: [/a, /b, /c, /d, /e]\n  key: /c\n",
		{ { 2, 33, "at most 4 certificates" } } },
	{ "https with paths that are none", "https: {port: 0, certificate: a.pem, key: {x: /b}}\n",
		{ { 1, 15, "1 to 65535" }, { 1, 31, "absolute path" },
			{ 1, 43, "an absolute path, or a list" } } },
	{ "https as a list", "https: [x]\n", { { 1, 8, "https" } } },
	{ "loaders", "loaders: {dir: x, bios: ../a, x86: b, arm64: [c], x64: ''}\n",
		{ { 1, 16, "absolute path" }, { 1, 25, "leads out" },
			{ 1, 31, "its keys are dir, bios, ia32" }, { 1, 46, "found a list" },
			{ 1, 56, "expected an iPXE binary" } } },
	{ "default profile", PROF "default_profile: dep\n", { { 2, 18, "did you mean `deb`" } } },
	{ "a default profile of none", "default_profile: debian\n",
		{ { 1, 18, "define it under `profiles`" } } },
};

static const struct vector networks[] = {
	{ "no list", "networks: br0\n", { { 1, 11, "expected a list of networks" } } },
	{ "no map", "networks: [br0]\n", { { 1, 12, "expected a network: a map" } } },
	{ "neither", "networks:\n  - dhcp: server\n", { { 2, 5, "neither `interface`" } } },
	{ "null", "networks:\n  -\n", { { 2, 3, "neither `interface`" } } },
	{ "interface names",
		"networks:\n- interface: a/b\n- interface: abcdefghijklmnop\n- interface: 'a b'\n- "
		"interface: ..\n",
		{ { 2, 14, "cannot be the name of an interface" }, { 3, 14, "at most 15" },
			{ 4, 14, "cannot" }, { 5, 14, "cannot" } } },
	{ "interface twice", "networks:\n- interface: br0\n- interface: br0\n",
		{ { 3, 14,
			"is used twice (first in line 2): give each network on it a `subnet`" } } },
	{ "links",
		"networks:\n- {subnet: 10.1.0.0/24, link: a}\n- {subnet: 10.2.0.0/24, link: a}\n"
		"- {subnet: 10.3.0.0/24, link: b}\n- {interface: br0, link: a}\n- {subnet: 10.4.0.0/24, link: [a]}\n",
		{ { 4, 31, "no other network has the link `b`" },
			{ 5, 26, "those on one interface share its wire already" },
			{ 6, 31, "expected a name that networks on the same wire share" } } },
	{ "bad subnets",
		"networks:\n- subnet: 10.9.0.0\n- subnet: 10.9.0.5/24\n- subnet: 10.9.0.0/31\n- "
		"subnet: 10.0.0.0/7\n"
		"- subnet: 224.0.0.0/24\n- subnet: 10.9/24\n",
		{ { 2, 11, "expected a subnet such as" }, { 3, 11, "did you mean `10.9.0.0/24`" },
			{ 4, 11, "/31" }, { 5, 11, "from /8 to /30" }, { 6, 11, "multicast" },
			{ 7, 11, "expected a subnet" } } },
	{ "subnets overlap",
		"networks:\n- subnet: 10.9.0.0/16\n- subnet: 10.9.4.0/24\n- subnet: 10.9.4.0/24\n",
		{ { 3, 11, "this subnet overlaps 10.9.0.0-10.9.255.255 of line 2" },
			{ 4, 11, "overlaps" } } },
	{ "dhcp",
		"networks:\n- {interface: a, dhcp: servr}\n- {interface: b, dhcp: proxy}\n- "
		"{interface: c, dhcp: 1}\n",
		{ { 2, 24, "did you mean `server`" },
			{ 4, 24, "expected server, proxy or off, found `1`" } } },
	{ "unknown key", NET ", rooter: 10.9.0.1}]\n",
		{ { 1, 34, "unknown key `rooter` in a network: did you mean `router`" } } },
	{ "pool forms", NET ", pools: [10.9.0.1, 10.9.0.1-x, [a], 10.9.0.5-10.9.0.2]}]\n",
		{ { 1, 42, "expected a pool" }, { 1, 52, "expected a pool" },
			{ 1, 64, "found a list" },
			{ 1, 69, "did you mean `10.9.0.2-10.9.0.5`" } } },
	{ "pools empty", NET ", pools: []}]\n", { { 1, 41, "found an empty list" } } },
	{ "pools a map", NET ", pools: {a: b}}]\n", { { 1, 41, "found a map" } } },
	{ "pool outside", NET ", pools: 10.9.0.200-10.9.1.5}]\n",
		{ { 1, 41, "leaves its network's subnet 10.9.0.0/24" } } },
	{ "pool with network and broadcast", NET ", pools: 10.9.0.0-10.9.0.255}]\n",
		{ { 1, 41, "10.9.0.0 is the address of the subnet itself" },
			{ 1, 41, "end the pool at 10.9.0.254" } } },
	{ "pool of no host", "networks: [{interface: a, pools: 224.0.0.1-224.0.0.9}]\n",
		{ { 1, 34, "no machine can have" } } },
	{ "pools overlap", NET ", pools: [10.9.0.10-10.9.0.20, 10.9.0.20-10.9.0.30]}]\n",
		{ { 1, 63, "this pool overlaps 10.9.0.10-10.9.0.20 of line 1" } } },
	{ "pools of two networks",
		"networks:\n- {interface: a, pools: 10.0.0.5-10.0.0.9}\n- {interface: b, pools: "
		"10.0.0.1-10.0.0.5}\n",
		{ { 3, 25, "overlaps 10.0.0.5-10.0.0.9 of line 2" } } },
	{ "a wide pool over two",
		"networks:\n- {interface: a, pools: [10.0.0.1-10.0.0.99, 10.0.0.2-10.0.0.3, "
		"10.0.0.8-10.0.0.9]}\n",
		{ { 2, 46, "overlaps 10.0.0.1-10.0.0.99" },
			{ 2, 65, "overlaps 10.0.0.1-10.0.0.99" } } },
	{ "router and dns", NET ", router: 10.9.0.300, dns: [10.9.0.1, x, 127.0.0.1, 0.0.0.0]}]\n",
		{ { 1, 42, "expected an IPv4 address" }, { 1, 70, "found `x`" },
			{ 1, 73, "127.0.0.1 is no address" },
			{ 1, 84, "0.0.0.0 is no address" } } },
	{ "a list of routers", NET ", router: [10.9.0.1]}]\n", { { 1, 42, "found a list" } } },
	{ "dns a map", NET ", dns: {a: 1}}]\n", { { 1, 39, "found a map" } } },
	{ "domain", NET ", domain: 'lab example'}]\n", { { 1, 42, "is no domain" } } },
	{ "domain dots", NET ", domain: a..b}]\n", { { 1, 42, "is no domain" } } },
	{ "lease times",
		"networks:\n- {interface: a, lease_time: 1x}\n- {interface: b, lease_time: 59s}\n"
		"- {interface: c, lease_time: 366d}\n- {interface: d, lease_time: h}\n- "
		"{interface: e, lease_time: 99999999999999999999}\n",
		{ { 2, 30, "expected a time such as 90s" }, { 3, 30, "at least 60 seconds" },
			{ 4, 30, "at most 365 days" }, { 5, 30, "expected a time" },
			{ 6, 30, "expected a time" } } },
	{ "conflict check", "networks:\n- {interface: a, conflict_check: ping}\n",
		{ { 2, 34, "expected arp or off" } } },
};

static const struct vector options[] = {
	{ "no map", NET ", options: [42]}]\n", { { 1, 43, "a map of DHCP options" } } },
	{ "own business", NET ", options: {53: 1, 0: 1, 255: 1, dhcp-server-id: 10.0.0.1}}]\n",
		{ { 1, 44, "(dhcp-msg-type) cannot be given here: the server itself" },
			{ 1, 51, "frames" }, { 1, 57, "frames" }, { 1, 65, "(dhcp-server-id)" } } },
	{ "own keys", NET ", options: {3: a, 6: a, 15: a, 1: a, 51: a}}]\n",
		{ { 1, 44, "`router`" }, { 1, 50, "`dns`" }, { 1, 56, "`domain`" },
			{ 1, 63, "`subnet`" }, { 1, 69, "`lease_time`" } } },
	{ "boot", NET ", options: {66: a, 67: a, 43: 0x00, 60: x, 97: x}}]\n",
		{ { 1, 44, "rules decide" }, { 1, 51, "rules decide" }, { 1, 58, "rules decide" },
			{ 1, 68, "rules decide" }, { 1, 75, "rules decide" } } },
	{ "unknown",
		NET ", options: {ntp-server: 1.2.3.4, 256: 1, xyzzy: 1, 99999999999999999999999: "
		    "1}}]\n",
		{ { 1, 44, "did you mean `ntp-servers`" }, { 1, 65, "there is no DHCP option 256" },
			{ 1, 73, "use IANA's name" }, { 1, 83, "there is no DHCP option" } } },
	{ "types",
		NET
		", options: {42: x, 26: 70000, 19: maybe, 121: text, 16: [1.2.3.4], 12: {}}}]\n",
		{ { 1, 48, "expected an IPv4 address, or a list" }, { 1, 55, "0 to 65535" },
			{ 1, 66, "true or false" }, { 1, 78, "expected a route such as" },
			{ 1, 88, "found a list" }, { 1, 103, "found a map" } } },
	{ "routes and lists",
		"networks:\n- interface: br0\n  options:\n    121: [10.0.0.0/8 via 1.2.3.4, 10.0.0.1/8 via "
		"1.2.3.4]\n    33: {10.0.0.1: 1.2.3.4, 10.0.0.2: x, 0.0.0.0: 1.2.3.4}\n    21: {10.0.0.0/8: "
		"1.2.3.4}\n    119: [lab.example, a b]\n    25: [68, 70000]\n    26: [68]\n",
		{ { 4, 35, "default via" }, { 5, 39, "such as `10.9.0.1 via" },
			{ 6, 9, "found a map" }, { 7, 24, "a domain name such as" },
			{ 8, 14, "0 to 65535, or a list" },
			{ 9, 9, "0 to 65535, found a list" } } },
	{ "rare forms",
		NET ", options: {120: [1.2.3.4, a], 78: [1.2.3.4], 80: true, 125: text}}]\n",
		{ { 1, 59, "a list of one of both" }, { 1, 68, "mandatory" },
			{ 1, 78, "no rapid commit" }, { 1, 93, "expected octets" } } },
	{ "of profiles and machines",
		"profiles:\n  a: {local_boot: true, options: {3: x, 1: 1.2.3.4, 51: 60, 43: 0x01}}\n"
		"machines:\n- {name: m, mac: 525400000001, options: {15: , 67: a, 53: 1, 6: 1.2.3}}\n",
		{ { 2, 38, "an IPv4 address" }, { 2, 41, "`subnet`" },
			{ 2, 53, "network's `lease_time`" }, { 2, 61, "rules decide" },
			{ 4, 42, "found nothing" }, { 4, 48, "rules decide" },
			{ 4, 55, "the server itself" }, { 4, 65, "an IPv4 address" } } },
	{ "no maps", "profiles:\n  a: {local_boot: true, options: [3]}\n",
		{ { 2, 34, "a map of DHCP options" } } },
	{ "authoritative", NET ", authoritative: maybe}]\n", { { 1, 49, "true or false" } } },
	{ "twice by two names", NET ", options: {42: 1.2.3.4, ntp-servers: 1.2.3.4}}]\n",
		{ { 1, 57, "is here twice" } } },
	{ "twice by one name", NET ", options: {42: 1.2.3.4, 42: 1.2.3.4}}]\n",
		{ { 1, 57, "stands here twice" } } },
	{ "no value", NET ", options: {42: , 41: []}}]\n",
		{ { 1, 44, "found nothing" }, { 1, 54, "found an empty list" } } },
};

static const struct vector profiles[] = {
	{ "no map", "profiles: [a]\n", { { 1, 11, "a map of profiles by name" } } },
	{ "kinds", "profiles:\n  a: {}\n  b: {kernel: k, script: s}\n  c:\n  d: {loader: ipxe}\n",
		{ { 2, 3, "boots nothing" }, { 3, 3, "more than one" }, { 4, 3, "boots nothing" },
			{ 5, 3, "boots nothing" } } },
	{ "variables of a command line",
		"profiles:\n  a: {kernel: k, cmdline: 'x={{name}} y={{vars.any}} z={{nmae}}'}\n"
		"  b: {kernel: k, cmdline: '{{#if}}'}\n",
		{ { 2, 27, "there is no variable \"nmae\"" },
			{ 3, 27, "there is no variable \"if\"" } } },
	{ "files",
		"profiles:\n  a: {local_boot: true, files: [x]}\n  b: {local_boot: true, files: {boot.ipxe: x, /a: x}}\n"
		"  c: {local_boot: true, files: {a: ../x, b: 'http://h/x', c: , d: a/}}\n"
		"  d: {local_boot: true, files: {installed: x, a//b: x, .a: x, a/: x, a b: x}, vars: [x]}\n",
		{ { 2, 32, "a map of names and templates" },
			{ 3, 33, "file of ours called boot.ipxe" },
			{ 3, 47, "cannot be a file's name" }, { 4, 36, "leads out of the root" },
			{ 4, 45, "not a URL" }, { 4, 59, "found nothing" },
			{ 4, 67, "the path of a file" }, { 5, 33, "file of ours called installed" },
			{ 5, 47, "cannot be a file's name" }, { 5, 56, "cannot be a file's name" },
			{ 5, 63, "cannot be a file's name" }, { 5, 70, "cannot be a file's name" },
			{ 5, 85, "a map of names and values" } } },
	{ "initrd and cmdline without kernel",
		"profiles:\n  a: {script: s, initrd: i}\n  b: {local_boot: true, cmdline: c}\n",
		{ { 2, 18, "initrd belongs to a kernel" },
			{ 3, 25, "cmdline belongs to a kernel" } } },
	{ "loaders",
		"profiles:\n  a: {kernel: k, loader: ipxe, secure_boot: true}\n  b: {kernel: k, loader: uki, secure_boot: true}\n  c: "
		"{kernel: k, loader: shm}\n  d: {script: s, secure_boot: true}\n  e: {kernel: k, secure_boot: maybe}\n",
		{ { 2, 26, "Secure Boot refuses what `ipxe` would load" }, { 3, 26, "`uki`" },
			{ 4, 26, "did you mean `shim`" },
			{ 5, 18, "secure_boot belongs to a kernel" },
			{ 6, 31, "true or false" } } },
	{ "other loaders",
		"loaders: {grub: {x64: a, arm64: /b, x65: /c}, shim: {bios: /d}, stub: [x]}\n",
		{ { 1, 23, "absolute path" }, { 1, 37, "did you mean `x64`" },
			{ 1, 54, "unknown key `bios` in loaders.shim" },
			{ 1, 71, "loaders.stub" } } },
	{ "paths",
		"profiles:\n  a: {kernel: ../k}\n  b: {kernel: a/../../k}\n  c: {kernel: /}\n  d: "
		"{kernel: a/}\n  e: {script: a/..}\n",
		{ { 2, 15, "leads out of the root" }, { 3, 15, "leads out" },
			{ 4, 15, "expected the path" }, { 5, 15, "expected the path" },
			{ 6, 15, "leads out" } } },
	{ "URLs",
		"profiles:\n  a: {kernel: 'ftp://x/k'}\n  b: {kernel: 'http://'}\n  c: {kernel: "
		"'http:///k'}\n  d: {script: 'http://x/s'}\n"
		"  e: {bootfile: 'http://x/a b'}\n",
		{ { 2, 15, "http, https or tftp" }, { 3, 15, "expected a URL" },
			{ 4, 15, "expected a URL" }, { 5, 15, "not a URL" },
			{ 6, 17, "no blanks" } } },
	{ "local_boot", "profiles: {a: {local_boot: false}, b: {local_boot: maybe}}\n",
		{ { 1, 28, "either true or not there" }, { 1, 52, "expected true or false" } } },
	{ "types",
		"profiles: {a: k, b: {kernel: [k]}, c: {kernel: k, initrd: {a: b}, cmdline: "
		"[x]}}\n",
		{ { 1, 15, "expected a profile: a map" }, { 1, 30, "found a list" },
			{ 1, 59, "this file has no url" }, { 1, 60, "unknown key `a`" },
			{ 1, 76, "found a list" } } },
	{ "names", "profiles: {'a b': {kernel: k}, 'ä': {kernel: k}, '': {kernel: k}}\n",
		{ { 1, 12, "cannot be the name of a profile" }, { 1, 32, "cannot be" },
			{ 1, 50, "cannot be" } } },
	{ "twice", "profiles:\n  a: {kernel: k}\n  a: {kernel: k}\n",
		{ { 3, 3, "first in line 2" } } },
};

static const struct vector images[] = {
	{ "sizes", "images: {limit: 10}\n", { { 1, 17, "a size such as 500M" } } },
	{ "too large a size", "images: {limit: 99999999G}\n", { { 1, 17, "a size such as" } } },
	{ "no size", "images: {limit: G}\n", { { 1, 17, "a size such as" } } },
	{ "nothing", "images: {limit: 0G}\n", { { 1, 17, "a size such as" } } },
	{ "paths", "images: {dir: a, ca: b}\n",
		{ { 1, 15, "an absolute path" }, { 1, 22, "an absolute path" } } },
	{ "files elsewhere",
		"profiles:\n  a: {kernel: {url: 'tftp://h/k'}}\n  b: {kernel: {sha256: ab, url: 'http://h/k'}}\n"
		"  c: {kernel: k, initrd: ['http://h/i j']}\n",
		{ { 2, 21, "expected a URL such as" }, { 3, 24, "64 hexadecimal digits" },
			{ 4, 27, "no blanks" } } },
};

static const struct vector machines[] = {
	{ "no list", "machines: {a: b}\n", { { 1, 11, "a list of machines" } } },
	{ "identity", "machines:\n- {name: a}\n- {" MAC1 "}\n- {}\n",
		{ { 2, 3, "neither mac nor uuid" }, { 3, 3, "has no name" },
			{ 4, 3, "has neither" }, { 4, 3, "has no name" } } },
	{ "bad values",
		"machines:\n- {name: 'a b', mac: 52:54, uuid: x, address: 1.2.3, vars: [x]}\n",
		{ { 2, 10, "cannot be the name of a machine" }, { 2, 22, "expected a MAC address" },
			{ 2, 35, "expected a UUID" }, { 2, 47, "expected an IPv4" },
			{ 2, 60, "a map of names and values" } } },
	{ "nobody's identity",
		"machines:\n- {name: a, mac: 00:00:00:00:00:00}\n- {name: b, mac: "
		"01:00:5e:00:00:01}\n"
		"- {name: c, uuid: 00020003-0004-0005-0006-000700080009}\n- {name: d, " MAC1
		", address: 127.0.0.1}\n",
		{ { 2, 18, "zero, or a group's" }, { 3, 18, "zero, or a group's" },
			{ 4, 19, "thousands of machines" }, { 5, 46, "loopback" } } },
	{ "twice",
		"machines:\n- {name: a, mac: 52:54:00:AA:00:01, address: 10.0.0.1}\n- {name: b, "
		"mac: 52-54-00-aa-00-01, address: 10.0.0.1}\n"
		"- {name: a, mac: 52:54:00:aa:00:02}\n",
		{ { 3, 18, "the MAC address 52:54:00:aa:00:01 is taken already, in line 2" },
			{ 3, 46, "the address 10.0.0.1 is taken" },
			{ 4, 10, "the name a is taken" } } },
	{ "a UUID in both orders",
		"machines:\n- {name: a, uuid: 11223344-5566-7788-99aa-bbccddeeff00}\n"
		"- {name: b, uuid: 44332211-6655-8877-99AA-BBCCDDEEFF00}\n",
		{ { 3, 19, "the UUID 44332211-6655-8877-99aa-bbccddeeff00 is taken already" } } },
	{ "profile",
		PROF "machines:\n- {name: a, " MAC1
		     ", profile: dab}\n- {name: b, mac: 525400000002, profile: [a]}\n",
		{ { 3, 46, "did you mean `deb`" }, { 4, 41, "found a list" } } },
	{ "reservations",
		"networks: [{subnet: 10.9.0.0/24}, {interface: b, subnet: "
		"10.8.0.0/24}]\nmachines:\n"
		"- {name: a, mac: 525400000001, address: 10.7.0.1}\n- {name: b, mac: 525400000002, "
		"address: 10.9.0.0}\n"
		"- {name: c, mac: 525400000003, address: 10.8.0.255}\n- {name: d, mac: "
		"525400000004, address: 10.8.0.9}\n",
		{ { 3, 41, "lies in no configured subnet" },
			{ 4, 41, "the network address of 10.9.0.0/24" },
			{ 5, 41, "the broadcast address" } } },
	{ "vars",
		"machines:\n- {name: a, " MAC1 ", vars: {1a: x, 'a b': x, a: [x], b: , a.b: x}}\n",
		{ { 2, 44, "cannot be a variable" }, { 2, 51, "cannot be" },
			{ 2, 69, "found nothing" }, { 2, 74, "cannot be a variable" } } },
	{ "vars in vars",
		"machines:\n- name: a\n  " MAC1
		"\n  vars:\n    a: [x, ~, {b: [{1: x}]}]\n    c: {d: {e: }}\n",
		{ { 5, 12, "found nothing" }, { 5, 21, "cannot be a variable" },
			{ 6, 13, "found nothing" } } },
	{ "unknown key", "machines:\n- {name: a, " MAC1 ", adress: 10.0.0.1}\n",
		{ { 2, 37, "did you mean `address`" } } },
};

static const struct vector rules[] = {
	{ "no list", "rules: {}\n", { { 1, 8, "a list of rules" } } },
	{ "no map", "rules: [a]\n", { { 1, 9, "expected a rule: a map" } } },
	{ "keys missing",
		PROF "rules:\n- {profile: a}\n- {match: {arch: x64}}\n- {match: {}, profile: a}\n- "
		     "{match: , profile: a}\n",
		{ { 3, 3, "has no match" }, { 4, 3, "has no profile" },
			{ 5, 11, "matches everything" }, { 6, 4, "matches everything" } } },
	{ "words",
		PROF
		"rules:\n- {match: {arch: [x64, riscv64-uefi, x46], client: uefi}, profile: a}\n- {match: "
		"{arch: 7}, profile: a}\n",
		{ { 3, 38, "did you mean `x64`" }, { 3, 52, "expected pxe, http, ipxe or dhcp" },
			{ 4, 18, "expected bios, ia32" } } },
	{ "mac and uuid",
		PROF "rules:\n- {match: {mac: 52:54, uuid: x}, profile: a}\n- {match: {mac: [a]}, "
		     "profile: a}\n",
		{ { 3, 17, "or a glob such as 52:54:00:*" }, { 3, 30, "or a glob" },
			{ 4, 18, "expected a MAC address" } } },
	{ "unknown keys",
		PROF
		"rules:\n- {match: {archs: x64}, profile: a}\n- {mtach: {arch: x64}, profile: a}\n",
		{ { 3, 12, "did you mean `arch`" }, { 4, 3, "has no match" },
			{ 4, 4, "did you mean `match`" } } },
	{ "empty values",
		PROF "rules:\n- {match: {arch: [], hostname: '', serial: }, profile: a}\n- {match: "
		     "{asset: {a: b}}, profile: a}\n",
		{ { 3, 18, "found an empty list" }, { 3, 32, "found an empty text" },
			{ 3, 36, "found nothing" }, { 4, 19, "found a map" } } },
	{ "match a text", PROF "rules:\n- {match: x64, profile: a}\n",
		{ { 3, 11, "expected match: a map" } } },
	{ "profile", PROF "rules:\n- {match: {arch: x64}, profile: b}\n",
		{ { 3, 33, "no profile is called `b`" } } },
};

static void describe(const struct vector *v, const struct config_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		print_message("  %u:%u %s\n", errs->list[i].pos.line, errs->list[i].pos.col,
			errs->list[i].message);
	fail_msg("`%s`: these are not the mistakes expected", v->name);
}

static void check_vector(const struct vector *v)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	size_t n = 0;

	while (n < ARRAY_LEN(v->errors) && v->errors[n].part)
		n++;
	if (config_load("f.yaml", span_str(v->yaml), &errs, &cfg) != -EINVAL || cfg || errs.n != n)
		describe(v, &errs);
	for (size_t i = 0; i < n; i++)
		if (errs.list[i].pos.line != v->errors[i].line ||
			errs.list[i].pos.col != v->errors[i].col ||
			!strstr(errs.list[i].message, v->errors[i].part))
			describe(v, &errs);
	config_errors_free(&errs);
}

#define TABLE_TEST(table)                                                                          \
	static void mistakes_of_##table(void **state)                                              \
	{                                                                                          \
		(void)state;                                                                       \
		for (size_t i = 0; i < ARRAY_LEN(table); i++)                                      \
			check_vector(&table[i]);                                                   \
	}

TABLE_TEST(syntax)
TABLE_TEST(top)
TABLE_TEST(networks)
TABLE_TEST(options)
TABLE_TEST(profiles)
TABLE_TEST(images)
TABLE_TEST(machines)
TABLE_TEST(rules)

static struct config *load_good(const char *yaml)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	int r = config_load("f.yaml", span_str(yaml), &errs, &cfg);

	for (size_t i = 0; i < errs.n; i++)
		print_message("  %u:%u %s\n", errs.list[i].pos.line, errs.list[i].pos.col,
			errs.list[i].message);
	assert_int_equal(r, 0);
	assert_int_equal(errs.n, 0);
	return cfg;
}

/* Section 3 of the design, without what later versions bring. */
static const char contract[] =
	"state_dir: /var/lib/boots\n"
	"networks:\n"
	"  - interface: br0                       # directly attached\n"
	"    dhcp: server\n"
	"    pools: [172.24.32.1-172.24.63.254]\n"
	"    router: 172.24.0.1\n"
	"    dns: [172.24.0.1]\n"
	"    domain: lab.example\n"
	"    lease_time: 2h\n"
	"    conflict_check: arp\n"
	"    options: {42: [172.24.0.1, 172.24.0.2]}\n"
	"  - subnet: 10.9.0.0/24\n"
	"    pools: [10.9.0.100-10.9.0.200]\n"
	"    router: 10.9.0.1\n"
	"control: {socket: /run/b/control.sock}\n"
	"tftp: {root: /srv/t, port: 6969, single_port: true}\n"
	"http: {root: /srv/h, port: 8080}\n"
	"https: {port: 8443, certificate: [/c/rsa.pem, /c/ec.pem], key: [/c/rsa.key, /c/ec.key], for: [all]}\n"
	"loaders: {dir: /usr/lib/ipxe2, bios: undionly.kkpxe, arm64: /opt/ipxe-arm64.efi, grub: {arm64: /opt/grubaa64.efi}}\n"
	"profiles:\n"
	"  debian:   {kernel: debian/linux, initrd: [debian/initrd.gz, 'http://h/x.gz'], cmdline: "
	"console=ttyS0}\n"
	"  custom:   {script: /scripts/custom.ipxe}\n"
	"  syslinux: {bootfile: pxelinux/pxelinux.0}\n"
	"  local:    {local_boot: true, loader: ipxe, vars: {a: [b]}, files: {user-data: x/y, a/b.c: /z}}\n"
	"templates: {root: /srv/templates}\n"
	"machines:\n"
	"  - {name: web1, mac: 52:54:00:12:34:56, address: 172.24.0.10, profile: debian, vars: "
	"{disk: /dev/vda, n: 3, e: '', disks: [a, {name: b, none: []}]}}\n"
	"  - {name: web2, uuid: 4C4C4544-0042-3510-8052-B4C04F4D3532}\n"
	"rules:\n"
	"  - {match: {arch: arm64}, profile: custom}\n"
	"  - {match: {mac: [52-54-00-AB-*, '525400123456'], uuid: 4C4C*, client: [ipxe, http], "
	"serial: 12345}, profile: local}\n"
	"default_profile: debian\n";

static void contract_networks(void **state)
{
	struct config *cfg = load_good(contract);
	const struct network *n = cfg->networks;

	(void)state;
	assert_int_equal(cfg->n_networks, 2);
	assert_string_equal(n[0].name, "br0");
	assert_string_equal(n[0].interface, "br0");
	assert_false(n[0].has_subnet);
	assert_int_equal(n[0].dhcp, DHCP_SERVER);
	assert_int_equal(n[0].n_pools, 1);
	assert_int_equal(n[0].pools[0].first.v, 0xac182001);
	assert_int_equal(n[0].pools[0].last.v, 0xac183ffe);
	assert_int_equal(n[0].pools[0].pos.line, 5);
	assert_int_equal(n[0].router.v, 0xac180001);
	assert_int_equal(n[0].n_dns, 1);
	assert_int_equal(n[0].dns[0].v, 0xac180001);
	assert_string_equal(n[0].domain, "lab.example");
	assert_int_equal(n[0].lease_time_s, 7200);
	assert_true(n[0].conflict_check);
	assert_true(n[0].authoritative);
	assert_int_equal(n[0].options.n, 1);
	assert_int_equal(n[0].options.list[0].code, 42);
	assert_true(span_eq(n[0].options.list[0].value, SPAN_LIT("\xac\x18\0\x01\xac\x18\0\x02")));
	assert_int_equal(n[0].pos.line, 3);
	assert_int_equal(n[0].pos.col, 5);
	assert_string_equal(n[1].name, "10.9.0.0/24");
	assert_null(n[1].interface);
	assert_true(n[1].has_subnet);
	assert_int_equal(n[1].subnet.v, 0x0a090000);
	assert_int_equal(n[1].prefix_len, 24);
	assert_int_equal(n[1].lease_time_s, CONFIG_LEASE_TIME_DEFAULT_S);
	assert_true(n[1].conflict_check);
	config_free(cfg);
}

static void contract_services(void **state)
{
	struct config *cfg = load_good(contract);

	(void)state;
	assert_string_equal(cfg->file, "f.yaml");
	assert_string_equal(cfg->state_dir, "/var/lib/boots");
	assert_string_equal(cfg->control_socket, "/run/b/control.sock");
	assert_string_equal(cfg->tftp_root, "/srv/t");
	assert_int_equal(cfg->tftp_port, 6969);
	assert_true(cfg->tftp_single_port);
	assert_int_equal(cfg->tftp_root_pos.line, 16);
	assert_string_equal(cfg->http_root, "/srv/h");
	assert_int_equal(cfg->http_port, 8080);
	assert_int_equal(cfg->https_port, 8443);
	assert_int_equal(cfg->n_https_pairs, 2);
	assert_string_equal(cfg->https_pairs[0].certificate, "/c/rsa.pem");
	assert_string_equal(cfg->https_pairs[1].key, "/c/ec.key");
	assert_int_equal(cfg->https_clients, 1u << CLIENT_HTTP | 1u << CLIENT_IPXE);
	assert_int_equal(cfg->http_root_pos.col, 14);
	assert_string_equal(cfg->loaders.dir, "/usr/lib/ipxe2");
	assert_string_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_BIOS].path, "undionly.kkpxe");
	assert_string_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_X64].path, "ipxe.efi");
	assert_string_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_ARM64].path, "/opt/ipxe-arm64.efi");
	assert_null(cfg->loaders.file[FAMILY_IPXE][ARCH_IA32].path);
	assert_string_equal(cfg->loaders.file[FAMILY_GRUB][ARCH_ARM64].path, "/opt/grubaa64.efi");
	assert_string_equal(
		cfg->loaders.file[FAMILY_SHIM][ARCH_X64].path, "/usr/lib/shim/shimx64.efi.signed");
	assert_int_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_BIOS].pos.line, 19);
	assert_int_equal(cfg->loaders.file[FAMILY_IPXE][ARCH_X64].pos.line, 0);
	config_free(cfg);
}

static void contract_profiles(void **state)
{
	struct config *cfg = load_good(contract);
	const struct profile *p = cfg->profiles;

	(void)state;
	assert_int_equal(cfg->n_profiles, 4);
	assert_string_equal(p[0].name, "debian");
	assert_int_equal(p[0].kind, PROFILE_KERNEL);
	assert_int_equal(p[0].loader, LOADER_AUTO);
	assert_string_equal(p[0].kernel.path, "debian/linux");
	assert_false(p[0].kernel.is_url);
	assert_int_equal(p[0].n_initrds, 2);
	assert_string_equal(p[0].initrds[0].path, "debian/initrd.gz");
	assert_false(p[0].initrds[1].is_url);
	assert_string_equal(p[0].initrds[1].upstream, "http://h/x.gz");
	assert_string_equal(p[0].initrds[1].path, "profiles/debian/initrd1");
	assert_string_equal(p[0].cmdline, "console=ttyS0");
	assert_int_equal(p[1].kind, PROFILE_SCRIPT);
	assert_string_equal(p[1].script.path, "scripts/custom.ipxe");
	assert_string_equal(p[1].cmdline, "");
	assert_int_equal(p[2].kind, PROFILE_BOOTFILE);
	assert_string_equal(p[2].bootfile.path, "pxelinux/pxelinux.0");
	assert_int_equal(p[2].bootfile.pos.line, 23);
	assert_int_equal(p[3].kind, PROFILE_LOCAL);
	assert_int_equal(p[3].loader, LOADER_IPXE);
	assert_ptr_equal(cfg->default_profile, &p[0]);
	config_free(cfg);
}

static void contract_machines_and_rules(void **state)
{
	struct config *cfg = load_good(contract);
	const struct machine *m = cfg->machines;
	const struct rule *r = cfg->rules;

	(void)state;
	assert_string_equal(cfg->templates_root, "/srv/templates");
	assert_int_equal(cfg->profiles[3].n_vars, 1);
	assert_string_equal(cfg->profiles[3].vars[0].items[0].value, "b");
	assert_int_equal(cfg->profiles[3].n_files, 2);
	assert_string_equal(cfg->profiles[3].files[0].name, "user-data");
	assert_string_equal(cfg->profiles[3].files[0].source.path, "x/y");
	assert_string_equal(cfg->profiles[3].files[1].source.path, "z");
	assert_int_equal(cfg->n_machines, 2);
	assert_string_equal(m[0].name, "web1");
	assert_true(m[0].has_mac);
	assert_false(m[0].has_uuid);
	assert_string_equal(mac_str(m[0].mac).s, "52:54:00:12:34:56");
	assert_int_equal(m[0].address.v, 0xac18000a);
	assert_ptr_equal(m[0].profile, &cfg->profiles[0]);
	assert_int_equal(m[0].n_vars, 4);
	assert_string_equal(m[0].vars[0].name, "disk");
	assert_string_equal(m[0].vars[0].value, "/dev/vda");
	assert_string_equal(m[0].vars[1].value, "3");
	assert_string_equal(m[0].vars[2].value, "");
	assert_int_equal(m[0].vars[3].kind, VAR_LIST);
	assert_int_equal(m[0].vars[3].n_items, 2);
	assert_string_equal(m[0].vars[3].items[0].value, "a");
	assert_int_equal(m[0].vars[3].items[1].kind, VAR_MAP);
	assert_int_equal(m[0].vars[3].items[1].n_items, 2);
	assert_string_equal(m[0].vars[3].items[1].items[0].name, "name");
	assert_string_equal(m[0].vars[3].items[1].items[0].value, "b");
	assert_int_equal(m[0].vars[3].items[1].items[1].kind, VAR_LIST);
	assert_int_equal(m[0].vars[3].items[1].items[1].n_items, 0);
	assert_true(m[1].has_uuid);
	assert_string_equal(uuid_str(m[1].uuid).s, "4c4c4544-0042-3510-8052-b4c04f4d3532");
	assert_null(m[1].profile);
	assert_int_equal(m[1].address.v, 0);

	assert_int_equal(cfg->n_rules, 2);
	assert_int_equal(r[0].number, 1);
	assert_int_equal(r[0].matches[0].key, MATCH_ARCH);
	assert_string_equal(r[0].matches[0].values[0], "arm64");
	assert_ptr_equal(r[0].profile, &cfg->profiles[1]);
	assert_int_equal(r[1].number, 2);
	assert_int_equal(r[1].n_matches, 4);
	assert_string_equal(r[1].matches[0].values[0], "52:54:00:ab:*");
	assert_string_equal(r[1].matches[0].values[1], "52:54:00:12:34:56");
	assert_string_equal(r[1].matches[1].values[0], "4c4c*");
	assert_int_equal(r[1].matches[2].n_values, 2);
	assert_string_equal(r[1].matches[3].values[0], "12345");
	config_free(cfg);
}

static const char *const good[] = {
	"",
	"# nothing but a comment\n",
	"---\n...\n",
	"\xef\xbb\xbfstate_dir: /a # UTF-8 with a mark, \xc3\xa4\n",
	"networks:\nprofiles:\nmachines:\nrules:\ntftp:\nhttp: {}\n",
	"networks:\r\n- interface: br0\r\n",
	"{\"networks\": [{\"interface\": \"br0\", \"lease_time\": 600}]}",
	"networks:\n- {interface: br0, pools: 10.0.0.1 - 10.0.0.9, dns: 10.0.0.1, options: {}}\n",
	"networks:\n- {interface: br0}\nmachines:\n- {name: a, mac: 525400000001, address: "
	"10.0.0.1}\n",
	"machines:\n- {name: a, mac: 525400000001, address: 10.0.0.1}\n",
	"profiles:\n  a:\n    kernel: k\n    cmdline: >\n      a\n      b\n",
	"profiles:\n  a: {kernel: k, cmdline: , initrd: []}\n",
	"networks:\n- {interface: br0, authoritative: false, options: {121: [10.0.0.0/8 via 10.0.0.1, default "
	"via 10.0.0.2], 119: [a.b, c], 21: 10.0.0.0/8, 33: {10.0.0.1: 10.0.0.2}, 25: [68, 296], 78: [true, "
	"10.0.0.1], 120: sip.example, 124: 0x0000013700}}\n"
	"profiles: {a: {local_boot: true, options: {router: 10.0.0.1, 42: [10.0.0.1]}}}\n"
	"machines: [{name: m, mac: 525400000001, options: {6: 10.0.0.1, domain-name: lab, hostname: m1}}]\n",
	"networks:\n- {subnet: 10.0.0.0/30, pools: 10.0.0.1-10.0.0.2, options: {119: "
	"'03:6c:61:62:00', 224: 0x01}}\n",
};

static void good_files_are_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct config *cfg;

		print_message("good file %zu\n", i);
		cfg = load_good(good[i]);
		assert_string_equal(cfg->loaders.dir, CONFIG_LOADERS_DIR_DEFAULT);
		config_free(cfg);
	}
}

static void folded_text_is_one_line(void **state)
{
	struct config *cfg = load_good(
		"profiles:\n  a:\n    kernel: k\n    cmdline: >\n      a=1\n      b=2\n");

	(void)state;
	assert_string_equal(cfg->profiles[0].cmdline, "a=1 b=2");
	config_free(cfg);
}

static void hostile_sizes_end_in_a_sentence(void **state)
{
	static const char *const openings[] = { "[", "{", "- ", "{a: ", "? " };
	struct text t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
		struct config_errors errs = { 0 };
		struct config *cfg = NULL;

		text_reset(&t);
		for (unsigned j = 0; j < 20000; j++)
			text_adds(&t, openings[i]);
		assert_int_equal(config_load(NULL, text_span(&t), &errs, &cfg), -EINVAL);
		assert_int_equal(errs.n, 1);
		config_errors_free(&errs);
	}
	text_reset(&t);
	while (t.n <= (size_t)16 << 20)
		text_adds(&t,
			"# a very long comment, again and again and again and again and "
			"again and again\n");

	struct config_errors errs = { 0 };
	struct config *cfg = NULL;

	assert_int_equal(config_load(NULL, text_span(&t), &errs, &cfg), -EINVAL);
	assert_non_null(strstr(errs.list[0].message, "16 MiB"));
	config_errors_free(&errs);
	text_free(&t);
}

static void a_thousand_mistakes_are_enough(void **state)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	struct text t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		text_addf(&t, "key%u: 1\n", i);
	assert_int_equal(config_load(NULL, text_span(&t), &errs, &cfg), -EINVAL);
	assert_int_equal(errs.n, 1000);
	config_errors_free(&errs);
	text_free(&t);
}

static void many_machines_load_fast(void **state)
{
	struct config *cfg;
	struct text t = { 0 };
	struct timespec from, to;

	(void)state;
	text_adds(&t, "networks: [{subnet: 10.0.0.0/8}]\nprofiles: {a: {kernel: k}}\nmachines:\n");
	for (unsigned i = 0; i < 10000; i++)
		text_addf(&t,
			"- {name: m%u, mac: 52:54:00:00:%02x:%02x, address: 10.1.%u.%u, profile: "
			"a, vars: {n: %u}}\n",
			i, i >> 8, i & 255, i >> 8, i & 255, i);
	text_adds(&t, "rules:\n");
	for (unsigned i = 0; i < 1000; i++)
		text_addf(&t, "- {match: {hostname: web%u*, arch: x64}, profile: a}\n", i);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	cfg = load_good(text_str(&t));
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	print_message("%.0f ms\n",
		(double)(to.tv_sec - from.tv_sec) * 1e3 +
			(double)(to.tv_nsec - from.tv_nsec) / 1e6);
	assert_int_equal(cfg->n_machines, 10000);
	assert_int_equal(cfg->n_rules, 1000);
	config_free(cfg);
	text_free(&t);
}

static void errors_print_with_line_and_caret(void **state)
{
	static const struct {
		const char *source;
		struct src_pos pos;
		const char *printed;
	} prints[] = {
		{ "a\nbcd\n", { 2, 2 }, "f:2:2: error: why\n  bcd\n   ^\n" },
		{ "a\r\nbcd\r\n", { 2, 3 }, "f:2:3: error: why\n  bcd\n    ^\n" },
		{ "\tx: y", { 1, 2 }, "f:1:2: error: why\n  \tx: y\n  \t^\n" },
		{ "\xc3\xa4: \x1b[31m", { 1, 4 }, "f:1:4: error: why\n  ?: ?[31m\n     ^\n" },
		{ "a\n", { 7, 1 }, "f:7:1: error: why\n" },
		{ "a\n", { 1, 4 }, "f:1:4: error: why\n  a\n     ^\n" },
		{ "a\n", { 0, 0 }, "f: error: why\n" },
	};
	struct text t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prints); i++) {
		char why[] = "why";
		struct config_error e = { prints[i].pos, why };

		text_reset(&t);
		config_error_print(&e, "f", span_str(prints[i].source), &t);
		assert_string_equal(text_str(&t), prints[i].printed);
	}
	text_free(&t);
}

static void mistaken_config_can_be_looked_at(void **state)
{
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;

	(void)state;
	assert_int_equal(
		config_load_partly("f",
			SPAN_LIT("foo: 1\nprofiles: {a: {kernel: ../x}, b: {kernel: k}}\n"), &errs,
			&cfg),
		0);
	assert_int_equal(errs.n, 2);
	assert_int_equal(cfg->n_profiles, 2);
	assert_null(cfg->profiles[0].kernel.path);
	assert_string_equal(cfg->profiles[1].kernel.path, "k");
	config_free(cfg);
	config_errors_free(&errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_of_syntax),
		cmocka_unit_test(mistakes_of_top),
		cmocka_unit_test(mistakes_of_networks),
		cmocka_unit_test(mistakes_of_options),
		cmocka_unit_test(mistakes_of_profiles),
		cmocka_unit_test(mistakes_of_images),
		cmocka_unit_test(mistakes_of_machines),
		cmocka_unit_test(mistakes_of_rules),
		cmocka_unit_test(contract_networks),
		cmocka_unit_test(contract_services),
		cmocka_unit_test(contract_profiles),
		cmocka_unit_test(contract_machines_and_rules),
		cmocka_unit_test(good_files_are_good),
		cmocka_unit_test(folded_text_is_one_line),
		cmocka_unit_test(hostile_sizes_end_in_a_sentence),
		cmocka_unit_test(a_thousand_mistakes_are_enough),
		cmocka_unit_test(many_machines_load_fast),
		cmocka_unit_test(errors_print_with_line_and_caret),
		cmocka_unit_test(mistaken_config_can_be_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
