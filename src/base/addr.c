/* Addresses to text and back. */
#include "base/addr.h"

#include <errno.h>
#include <stdio.h>

/* By hand: each packet's line in the log has several of these. */
struct ip4_text ip4_str(struct ip4 a)
{
	struct ip4_text t;
	char *p = t.s;

	for (int shift = 24; shift >= 0; shift -= 8) {
		unsigned octet = a.v >> shift & 255;

		if (octet >= 100)
			*p++ = (char)('0' + octet / 100);
		if (octet >= 10)
			*p++ = (char)('0' + octet / 10 % 10);
		*p++ = (char)('0' + octet % 10);
		*p++ = shift ? '.' : '\0';
	}
	return t;
}

static struct mac_text mac_str_with(struct mac m, char sep)
{
	static const char hex[] = "0123456789abcdef";
	struct mac_text t;
	char *p = t.s;

	for (size_t i = 0; i < sizeof(m.b); i++) {
		*p++ = hex[m.b[i] >> 4];
		*p++ = hex[m.b[i] & 15];
		*p++ = i + 1 < sizeof(m.b) ? sep : '\0';
	}
	return t;
}

struct mac_text mac_str(struct mac m)
{
	return mac_str_with(m, ':');
}

struct mac_text mac_str_dashed(struct mac m)
{
	return mac_str_with(m, '-');
}

struct uuid_text uuid_str(struct uuid u)
{
	struct uuid_text t;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(u.b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			t.s[n++] = '-';
		(void)snprintf(t.s + n, sizeof(t.s) - n, "%02x", u.b[i]);
		n += 2;
	}
	return t;
}

/* A decimal number of 1 to max_digits digits without leading zeros, up to max. */
static int parse_decimal(struct span *s, size_t max_digits, uint32_t max, uint32_t *ret)
{
	uint32_t v = 0;
	size_t i = 0;

	while (i < s->n && i < max_digits && s->p[i] >= '0' && s->p[i] <= '9')
		v = v * 10 + (uint32_t)(s->p[i++] - '0');
	if (i == 0 || v > max || (i > 1 && s->p[0] == '0'))
		return -EINVAL;
	*s = span_skip(*s, i);
	*ret = v;
	return 0;
}

static int parse_dotted(struct span *s, struct ip4 *ret)
{
	uint32_t v = 0, octet;

	for (int i = 0; i < 4; i++) {
		if (i > 0) {
			if (s->n == 0 || s->p[0] != '.')
				return -EINVAL;
			*s = span_skip(*s, 1);
		}
		if (parse_decimal(s, 3, 255, &octet) < 0)
			return -EINVAL;
		v = v << 8 | octet;
	}
	ret->v = v;
	return 0;
}

int ip4_parse(struct span s, struct ip4 *ret)
{
	struct ip4 a;

	if (parse_dotted(&s, &a) < 0 || s.n != 0)
		return -EINVAL;
	*ret = a;
	return 0;
}

int ip4_parse_prefix(struct span s, struct ip4 *ret, unsigned *ret_len)
{
	struct ip4 a;
	uint32_t len;

	if (parse_dotted(&s, &a) < 0 || s.n == 0 || s.p[0] != '/')
		return -EINVAL;
	s = span_skip(s, 1);
	if (parse_decimal(&s, 2, 32, &len) < 0 || s.n != 0)
		return -EINVAL;
	*ret = a;
	*ret_len = len;
	return 0;
}

static int parse_hex_pair(const uint8_t *p, uint8_t *ret)
{
	int hi = hex_digit_value(p[0]), lo = hex_digit_value(p[1]);

	if (hi < 0 || lo < 0)
		return -EINVAL;
	*ret = (uint8_t)(hi << 4 | lo);
	return 0;
}

int mac_parse(struct span s, struct mac *ret)
{
	bool separated = s.n == 17;
	size_t step = separated ? 3 : 2;
	struct mac m;

	if (s.n != 17 && s.n != 12)
		return -EINVAL;
	if (separated && s.p[2] != ':' && s.p[2] != '-')
		return -EINVAL;
	for (size_t i = 0; i < sizeof(m.b); i++) {
		if (parse_hex_pair(s.p + i * step, &m.b[i]) < 0)
			return -EINVAL;
		if (separated && i < 5 && s.p[i * step + 2] != s.p[2])
			return -EINVAL;
	}
	*ret = m;
	return 0;
}

int uuid_parse(struct span s, struct uuid *ret)
{
	struct uuid u;
	size_t at = 0;

	if (s.n != UUID_TEXT_MAX - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(u.b); i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && s.p[at++] != '-')
			return -EINVAL;
		if (parse_hex_pair(s.p + at, &u.b[i]) < 0)
			return -EINVAL;
		at += 2;
	}
	*ret = u;
	return 0;
}

struct uuid uuid_swap(struct uuid u)
{
	static const uint8_t from[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct uuid v;

	for (size_t i = 0; i < sizeof(v.b); i++)
		v.b[i] = u.b[from[i]];
	return v;
}

bool uuid_is_default(struct uuid u)
{
	/* ../packets: x-asrock-intel-pxe-dhcp, x-uefi-http-intelnuc */
	static const struct uuid ami = { { 0x00, 0x02, 0x00, 0x03, 0x00, 0x04, 0x00, 0x05, 0x00,
		0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x09 } };
	bool zeros = true, ones = true;

	for (size_t i = 0; i < sizeof(u.b); i++) {
		zeros = zeros && u.b[i] == 0;
		ones = ones && u.b[i] == 0xff;
	}
	return zeros || ones || uuid_eq(u, ami) || uuid_eq(u, uuid_swap(ami));
}
