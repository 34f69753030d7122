/* Addresses and identities as values: IPv4, MAC, UUID, and their texts.
 *
 * IPv4 addresses are kept in host order inside struct ip4, so that pools can
 * count; only wire/ turns them.  Parsing is strict (no octal, no short forms).
 */
#pragma once

#include "base/bytes.h"

struct ip4 {
	uint32_t v; /* host order; 0 = none */
};

struct mac {
	uint8_t b[6];
};

struct uuid {
	uint8_t b[16]; /* the order of its text form (RFC 9562, network order) */
};

#define IP4_TEXT_MAX  16 /* "255.255.255.255" and NUL */
#define MAC_TEXT_MAX  18
#define UUID_TEXT_MAX 37

struct ip4_text {
	char s[IP4_TEXT_MAX];
};
struct mac_text {
	char s[MAC_TEXT_MAX];
};
struct uuid_text {
	char s[UUID_TEXT_MAX];
};

/* Texts by value: ip4_str(a).s lives to the end of the full expression. */
struct ip4_text ip4_str(struct ip4 a);
struct mac_text mac_str(struct mac m); /* 52:54:00:12:34:56 */
struct mac_text mac_str_dashed(
	struct mac m); /* 52-54-00-12-34-56: colons in URLs upset some clients */
struct uuid_text uuid_str(struct uuid u);

/* 0, or -EINVAL with *ret untouched. */
int ip4_parse(struct span s, struct ip4 *ret) WARN_UNUSED;
/* "a.b.c.d/len"; the address is kept as written. */
int ip4_parse_prefix(struct span s, struct ip4 *ret, unsigned *ret_len) WARN_UNUSED;
/* Six hex pairs with ':' or '-' between, or twelve hex digits; any case. */
int mac_parse(struct span s, struct mac *ret) WARN_UNUSED;
int uuid_parse(struct span s, struct uuid *ret) WARN_UNUSED;

static inline bool ip4_eq(struct ip4 a, struct ip4 b)
{
	return a.v == b.v;
}

static inline uint32_t ip4_mask(unsigned prefix_len)
{
	return prefix_len == 0 ? 0 : ~(uint32_t)0 << (32 - prefix_len);
}

static inline bool ip4_in(struct ip4 a, struct ip4 net, unsigned prefix_len)
{
	return ((a.v ^ net.v) & ip4_mask(prefix_len)) == 0;
}

static inline bool mac_eq(struct mac a, struct mac b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static inline bool uuid_eq(struct uuid a, struct uuid b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

/* The same machine's UUID as firmware that sends SMBIOS order writes it: the
 * first three fields little-endian (EDK2 does, iPXE does not). Its own inverse. */
struct uuid uuid_swap(struct uuid u);
/* All zero, all ones, or AMI's default 00020003-0004-0005-0006-000700080009 in
 * either order: these stand in thousands of machines and identify none. */
bool uuid_is_default(struct uuid u);
