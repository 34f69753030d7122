/* Configured texts to the octets of a DHCPv4 option, by its type.
 *
 * RFC 2132; 3442 (routes), 1035 3.1 and 3397 (domains), 3361 (SIP), 2610 (SLP),
 * 8572 8.3 (URIs).
 */
#include "wire/dhcp4_options.h"

#include "base/addr.h"

#include <errno.h>

#define LABEL_MAX  63u  /* RFC 1035 2.3.4 */
#define DOMAIN_MAX 255u /* the same, with the octets of the lengths */

static bool has_hex_prefix(struct span s)
{
	return s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x';
}

/* The number of octets that "0x0a0b" or "0a:0b" stands for; 0: it is neither.
 * One pair alone is no hex: "10" is a number. */
static size_t hex_count(struct span s)
{
	bool prefixed = has_hex_prefix(s);
	struct span digits = prefixed ? span_skip(s, 2) : s;
	size_t step = prefixed ? 2 : 3;

	if ((digits.n + (prefixed ? 0 : 1)) % step != 0 || digits.n < (prefixed ? 2u : 5u))
		return 0;
	for (size_t i = 0; i < digits.n; i++) {
		bool separator = i % step == 2;

		if (separator ? digits.p[i] != ':' : hex_digit_value(digits.p[i]) < 0)
			return 0;
	}
	return (digits.n + (prefixed ? 0 : 1)) / step;
}

static void write_hex(struct span s, size_t count, struct wr *w)
{
	bool prefixed = has_hex_prefix(s);
	const uint8_t *p = s.p + (prefixed ? 2 : 0);

	for (size_t i = 0; i < count; i++, p += prefixed ? 2 : 3)
		wr_u8(w, (uint8_t)(hex_digit_value(p[0]) << 4 | hex_digit_value(p[1])));
}

/* Octets in hex are the way out for any type, but a type of a fixed size keeps
 * it: 0x10 for a 32-bit number would reach the client as one octet.  In a text
 * only 0x… is hex, since "ab:cd" is a text as well. */
static bool encode_hex(enum dhcp4_option_type t, struct span s, struct wr *w)
{
	const struct dhcp4_option_form *form = dhcp4_option_form(t);
	size_t count = hex_count(s);

	if (count == 0 || ((form->flags & OPT_F_TEXT) && !has_hex_prefix(s)))
		return false;
	if (form->unit &&
		((form->flags & OPT_F_LIST) ? count % form->unit != 0 : count != form->unit))
		return false;
	write_hex(s, count, w);
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

static int encode_number(enum dhcp4_option_type t, struct span s, struct wr *w)
{
	const size_t size = dhcp4_option_form(t)->unit;
	const int64_t max = t == OPT_T_S32 ? INT32_MAX
		: size == 1                ? UINT8_MAX
		: size == 2                ? UINT16_MAX
					   : UINT32_MAX;
	int64_t v;

	if (parse_number(s, t == OPT_T_S32 ? INT32_MIN : 0, max, &v) < 0)
		return -EINVAL;
	if (size == 1)
		wr_u8(w, (uint8_t)v);
	else if (size == 2)
		wr_u16(w, (uint16_t)v);
	else
		wr_u32(w, (uint32_t)v);
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

static int encode_address(struct span s, struct wr *w)
{
	struct ip4 a;

	if (ip4_parse(s, &a) < 0)
		return -EINVAL;
	wr_u32(w, a.v);
	return 0;
}

/* A subnet, without bits behind its prefix: those would be a mistake. */
static int parse_subnet(struct span s, struct ip4 *ret, unsigned *ret_len)
{
	struct ip4 a;
	unsigned len;

	if (ip4_parse_prefix(s, &a, &len) < 0 || (a.v & ~ip4_mask(len)))
		return -EINVAL;
	*ret = a;
	*ret_len = len;
	return 0;
}

static int encode_filter(struct span s, struct wr *w)
{
	struct ip4 a;
	unsigned len;

	if (parse_subnet(s, &a, &len) < 0)
		return -EINVAL;
	wr_u32(w, a.v);
	wr_u32(w, ip4_mask(len));
	return 0;
}

/* "DESTINATION via ROUTER" */
static int cut_route(struct span s, struct span *ret_destination, struct ip4 *ret_router)
{
	const struct span via = SPAN_LIT(" via ");

	for (size_t i = 0; i + via.n < s.n; i++) {
		if (!span_has_prefix(span_skip(s, i), via))
			continue;
		*ret_destination = (struct span){ s.p, i };
		return ip4_parse(span_skip(s, i + via.n), ret_router);
	}
	return -EINVAL;
}

static int encode_host_route(struct span s, struct wr *w)
{
	struct span destination;
	struct ip4 a, router;

	/* RFC 2132 5.8: 0.0.0.0 is no destination here. */
	if (cut_route(s, &destination, &router) < 0 || ip4_parse(destination, &a) < 0 || a.v == 0)
		return -EINVAL;
	wr_u32(w, a.v);
	wr_u32(w, router.v);
	return 0;
}

/* RFC 3442: of the destination only the octets that the prefix reaches into. */
static int encode_route(struct span s, struct wr *w)
{
	struct span destination;
	struct ip4 a = { 0 }, router;
	unsigned len = 0;

	if (cut_route(s, &destination, &router) < 0)
		return -EINVAL;
	if (!span_eq(destination, SPAN_LIT("default")) && parse_subnet(destination, &a, &len) < 0)
		return -EINVAL;
	wr_u8(w, (uint8_t)len);
	for (unsigned i = 0; i < (len + 7) / 8; i++)
		wr_u8(w, (uint8_t)(a.v >> (24 - 8 * i)));
	wr_u32(w, router.v);
	return 0;
}

static bool is_label(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (!letter && (c < '0' || c > '9') && c != '-' && c != '_')
			return false;
	}
	return s.n > 0 && s.n <= LABEL_MAX;
}

static int encode_domain(struct span s, struct wr *w)
{
	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0 || s.n + 2 > DOMAIN_MAX)
		return -EINVAL;
	for (;;) {
		const uint8_t *dot = memchr(s.p, '.', s.n);
		struct span label = { s.p, dot ? (size_t)(dot - s.p) : s.n };

		if (!is_label(label))
			return -EINVAL;
		wr_u8(w, (uint8_t)label.n);
		wr_span(w, label);
		if (!dot)
			break;
		s = span_skip(s, label.n + 1);
		if (s.n == 0)
			return -EINVAL;
	}
	wr_u8(w, 0);
	return 0;
}

static int encode_text(struct span s, struct wr *w)
{
	if (s.n == 0)
		return -EINVAL;
	wr_span(w, s);
	return 0;
}

static int encode_uri(struct span s, struct wr *w)
{
	if (s.n == 0 || s.n > UINT16_MAX || memchr(s.p, ' ', s.n))
		return -EINVAL;
	wr_u16(w, (uint16_t)s.n);
	wr_span(w, s);
	return 0;
}

/* The first server says of which kind all are. */
static int encode_sip_server(struct span s, bool first, bool addresses, struct wr *w)
{
	if (first)
		wr_u8(w, addresses);
	return addresses ? encode_address(s, w) : encode_domain(s, w);
}

static int encode_item(enum dhcp4_option_type t, const struct span *items, size_t i, struct wr *w)
{
	struct span s = items[i];
	struct ip4 ignored;

	switch (t) {
	case OPT_T_HEX:
		return -EINVAL;
	case OPT_T_ADDRESS:
	case OPT_T_ADDRESSES:
		return encode_address(s, w);
	case OPT_T_FILTERS:
		return encode_filter(s, w);
	case OPT_T_HOST_ROUTES:
		return encode_host_route(s, w);
	case OPT_T_ROUTES:
		return encode_route(s, w);
	case OPT_T_TEXT:
		return encode_text(s, w);
	case OPT_T_URIS:
		return encode_uri(s, w);
	case OPT_T_DOMAIN:
	case OPT_T_DOMAINS:
		return encode_domain(s, w);
	case OPT_T_SIP_SERVERS:
		return encode_sip_server(s, i == 0, ip4_parse(items[0], &ignored) == 0, w);
	case OPT_T_SLP_AGENTS:
		return i == 0 ? encode_bool(s, w) : encode_address(s, w);
	case OPT_T_SLP_SCOPES:
		if (i > 1)
			wr_u8(w, ',');
		return i == 0 ? encode_bool(s, w) : encode_text(s, w);
	case OPT_T_BOOL:
		return encode_bool(s, w);
	case OPT_T_U8:
	case OPT_T_U8S:
	case OPT_T_U16:
	case OPT_T_U16S:
	case OPT_T_U32:
	case OPT_T_S32:
		return encode_number(t, s, w);
	}
	return -EINVAL;
}

int dhcp4_option_encode(
	enum dhcp4_option_type t, const struct span *items, size_t n, struct wr *w, size_t *ret_bad)
{
	const struct wr before = *w;
	size_t least = t == OPT_T_SLP_AGENTS || t == OPT_T_SLP_SCOPES ? 2 : 1;

	if (n == 1 && encode_hex(t, items[0], w))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (encode_item(t, items, i, w) < 0) {
			*w = before;
			*ret_bad = i;
			return -EINVAL;
		}
	}
	if (n < least) {
		*w = before;
		*ret_bad = 0;
		return -EINVAL;
	}
	return 0;
}
