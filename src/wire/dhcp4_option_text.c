/* The octets of a DHCPv4 option as text, by its type: the other way round of
 * dhcp4_option_encode.c.  What is not of the type is never guessed: hex. */
#include "wire/dhcp4_options.h"

#include "base/addr.h"
#include "base/escape.h"

#define TEXT_SHOWN_MAX 512u

static void add_comma(struct text *out, bool first)
{
	if (!first)
		text_adds(out, ", ");
}

/* One pair alone would be a number: 0x before it. */
static void format_hex(struct span v, struct text *out)
{
	if (v.n == 1)
		text_adds(out, "0x");
	for (size_t i = 0; i < v.n; i++)
		text_addf(out, "%s%02x", i ? ":" : "", v.p[i]);
}

static void add_address(struct text *out, uint32_t v)
{
	text_adds(out, ip4_str((struct ip4){ v }).s);
}

static bool format_addresses(struct rd *r, struct text *out)
{
	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		add_comma(out, first);
		add_address(out, rd_u32(r));
	}
	return !r->bad;
}

static bool format_filters(struct rd *r, struct text *out)
{
	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		uint32_t a = rd_u32(r), mask = rd_u32(r);
		unsigned len = 0;

		while (len < 32 && ip4_mask(len) != mask)
			len++;
		if (ip4_mask(len) != mask || (a & ~mask))
			return false;
		add_comma(out, first);
		add_address(out, a);
		text_addf(out, "/%u", len);
	}
	return !r->bad;
}

static bool format_host_routes(struct rd *r, struct text *out)
{
	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		add_comma(out, first);
		add_address(out, rd_u32(r));
		text_adds(out, " via ");
		add_address(out, rd_u32(r));
	}
	return !r->bad;
}

static bool format_routes(struct rd *r, struct text *out)
{
	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		unsigned len = rd_u8(r);
		uint32_t a = 0;

		if (len > 32)
			return false;
		for (unsigned i = 0; i < (len + 7) / 8; i++)
			a |= (uint32_t)rd_u8(r) << (24 - 8 * i);
		if (a & ~ip4_mask(len))
			return false;
		add_comma(out, first);
		if (len == 0)
			text_adds(out, "default");
		else
			text_addf(out, "%s/%u", ip4_str((struct ip4){ a }).s, len);
		text_adds(out, " via ");
		add_address(out, rd_u32(r));
	}
	return !r->bad;
}

/* Compressed names (RFC 3397) have octets over 63 for lengths: shown in hex. */
static bool format_domains(struct rd *r, struct text *out)
{
	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		uint8_t n = rd_u8(r);

		if (n == 0)
			return false;
		add_comma(out, first);
		for (bool first_label = true; n != 0; first_label = false) {
			if (n > 63)
				return false;
			if (!first_label)
				text_addc(out, '.');
			escape_log(out, rd_span(r, n), TEXT_SHOWN_MAX);
			n = rd_u8(r);
		}
	}
	return !r->bad;
}

/* Firmware's file names carry a NUL behind them. */
static bool format_text(struct span v, struct text *out)
{
	if (v.n > 0 && v.p[v.n - 1] == 0)
		v.n--;
	escape_log(out, v, TEXT_SHOWN_MAX);
	return true;
}

static bool format_uris(struct rd *r, struct text *out)
{
	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		add_comma(out, first);
		escape_log(out, rd_span(r, rd_u16(r)), TEXT_SHOWN_MAX);
	}
	return !r->bad;
}

static bool format_bool(struct rd *r, struct text *out)
{
	uint8_t v = rd_u8(r);

	text_adds(out, v ? "true" : "false");
	return v <= 1 && !r->bad;
}

static bool format_sip_servers(struct rd *r, struct text *out)
{
	uint8_t kind = rd_u8(r);

	return kind == 0 ? format_domains(r, out) : kind == 1 && format_addresses(r, out);
}

static bool format_slp(enum dhcp4_option_type t, struct rd *r, struct text *out)
{
	if (!format_bool(r, out) || rd_left(r) == 0)
		return false;
	text_adds(out, ", ");
	return t == OPT_T_SLP_AGENTS ? format_addresses(r, out)
				     : format_text(rd_span(r, rd_left(r)), out);
}

static bool format_numbers(enum dhcp4_option_type t, struct rd *r, struct text *out)
{
	size_t size = dhcp4_option_form(t)->unit;

	for (bool first = true; rd_left(r) > 0 && !r->bad; first = false) {
		uint32_t v = size == 1 ? rd_u8(r) : size == 2 ? rd_u16(r) : rd_u32(r);

		add_comma(out, first);
		if (t == OPT_T_S32)
			text_addf(out, "%d", (int32_t)v);
		else
			text_addf(out, "%u", v);
	}
	return !r->bad;
}

static bool format_typed(enum dhcp4_option_type t, struct span v, struct text *out)
{
	struct rd r = rd_of(v);

	switch (t) {
	case OPT_T_HEX:
		return false;
	case OPT_T_ADDRESS:
	case OPT_T_ADDRESSES:
		return format_addresses(&r, out);
	case OPT_T_FILTERS:
		return format_filters(&r, out);
	case OPT_T_HOST_ROUTES:
		return format_host_routes(&r, out);
	case OPT_T_ROUTES:
		return format_routes(&r, out);
	case OPT_T_TEXT:
		return format_text(v, out);
	case OPT_T_URIS:
		return format_uris(&r, out);
	case OPT_T_DOMAIN:
	case OPT_T_DOMAINS:
		return format_domains(&r, out);
	case OPT_T_SIP_SERVERS:
		return format_sip_servers(&r, out);
	case OPT_T_SLP_AGENTS:
	case OPT_T_SLP_SCOPES:
		return format_slp(t, &r, out);
	case OPT_T_BOOL:
		return format_bool(&r, out);
	case OPT_T_U8:
	case OPT_T_U8S:
	case OPT_T_U16:
	case OPT_T_U16S:
	case OPT_T_U32:
	case OPT_T_S32:
		return format_numbers(t, &r, out);
	}
	return false;
}

void dhcp4_option_format(enum dhcp4_option_type t, struct span value, struct text *out)
{
	const struct dhcp4_option_form *form = dhcp4_option_form(t);
	bool one = form->unit && !(form->flags & OPT_F_LIST);
	struct text typed = { 0 };

	if (value.n > 0 && (!one || value.n == form->unit) && format_typed(t, value, &typed))
		text_add(out, text_span(&typed));
	else
		format_hex(value, out);
	text_free(&typed);
}
