/* The few DHCPv4 offsets and options that the bench's programs share.  They
 * have a codec of their own, ten lines of it, so that what is measured is not
 * also what measures. */
#pragma once

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	AT_OP = 0,
	AT_HOPS = 3,
	AT_XID = 4,
	AT_YIADDR = 16,
	AT_GIADDR = 24,
	AT_CHADDR = 28,
	AT_COOKIE = 236,
	AT_OPTIONS = 240,
	PACKET_SIZE = 300, /* BOOTP's least, what most clients send */
	PACKET_MAX = 1500,
};

enum {
	DISCOVER = 1,
	OFFER = 2,
	REQUEST = 3,
	ACK = 5,
};

enum {
	SERVER_PORT = 67,
	BATCH = 64,
};

static inline uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

/* Appends an option; returns where the next one goes. */
static inline uint8_t *put_option(uint8_t *at, uint8_t code, const void *value, uint8_t n)
{
	*at++ = code;
	*at++ = n;
	memcpy(at, value, n);
	return at + n;
}

/* The value of an option of at least `least` octets, or NULL. */
static inline const uint8_t *find_option(const uint8_t *p, size_t n, uint8_t code, uint8_t least)
{
	size_t at = AT_OPTIONS;

	while (at + 1 < n && p[at] != 255) {
		if (p[at] == 0) {
			at++;
			continue;
		}
		if (at + 2 + p[at + 1] > n)
			return NULL;
		if (p[at] == code)
			return p[at + 1] >= least ? p + at + 2 : NULL;
		at += 2 + p[at + 1];
	}
	return NULL;
}
