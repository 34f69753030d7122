/* Escaping per sink.  Every client-supplied text goes through here on its way out. */
#include "base/escape.h"

static bool is_alnum(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(uint8_t c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

void escape_log(struct text *t, struct span s, size_t max)
{
	for (size_t i = 0; i < s.n && i < max; i++) {
		uint8_t c = s.p[i];

		if (c == '\\')
			text_adds(t, "\\\\");
		else if (c == '"')
			text_adds(t, "\\\"");
		else if (c >= 0x20 && c < 0x7f)
			text_addc(t, (char)c);
		else
			text_addf(t, "\\x%02x", c);
	}
	if (s.n > max)
		text_adds(t, "...");
}

/* The length of the valid UTF-8 sequence at the start of s (RFC 3629 4: no
 * overlong forms, no surrogates, nothing above U+10FFFF), or 0. */
static size_t utf8_length(struct span s)
{
	uint8_t c = s.p[0], low = 0x80, high = 0xbf;
	size_t n;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		n = 2;
	else if (c >= 0xe0 && c <= 0xef)
		n = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		n = 4;
	else
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (s.n < n || s.p[1] < low || s.p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s.p[i] < 0x80 || s.p[i] > 0xbf)
			return 0;
	return n;
}

/* How many octets from the start stand for themselves in JSON: most texts as a whole. */
static size_t json_plain_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

void escape_json(struct text *t, struct span s)
{
	while (s.n) {
		size_t n = json_plain_length(s);
		uint8_t c;

		text_add(t, (struct span){ s.p, n });
		s = span_skip(s, n);
		if (s.n == 0)
			break;
		c = s.p[0];
		n = utf8_length(s);
		if (c == '"' || c == '\\') {
			text_addc(t, '\\');
			text_addc(t, (char)c);
		} else if (n == 2 && c == 0xc2 && s.p[1] < 0xa0) {
			/* U+0080 to U+009F: a terminal takes U+009B for ESC [. */
			text_addf(t, "\\u00%02x", s.p[1]);
		} else if (n == 0 || c < 0x20 || c == 0x7f) {
			text_addf(t, "\\u00%02x", c);
			n = 1;
		} else {
			text_add(t, (struct span){ s.p, n });
		}
		s = span_skip(s, n);
	}
}

/* From U+00A0 on, but for what is no character and what ends a line (U+2028, U+2029). */
static bool is_plain_utf8(struct span s, size_t n)
{
	if (n < 2 || (n == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0))
		return false;
	if (n == 3 && s.p[0] == 0xe2 && s.p[1] == 0x80 && (s.p[2] == 0xa8 || s.p[2] == 0xa9))
		return false;
	/* U+FFFE and U+FFFF, and the last two of each further plane. */
	if (n >= 3 && s.p[n - 2] == 0xbf && s.p[n - 1] >= 0xbe)
		return n == 3 ? s.p[0] != 0xef : (s.p[1] & 0x0f) != 0x0f;
	return true;
}

void escape_json_word(struct text *t, struct span s)
{
	while (s.n) {
		size_t n = utf8_length(s);

		if (is_alnum(s.p[0]) || is_one_of(s.p[0], "._:/@%+=-") || is_plain_utf8(s, n)) {
			text_add(t, (struct span){ s.p, n });
		} else if (n < 2) {
			text_addf(t, "\\u00%02x", s.p[0]);
			n = 1;
		} else {
			escape_json(t, (struct span){ s.p, n });
		}
		s = span_skip(s, n);
	}
}

void escape_xml(struct text *t, struct span s)
{
	while (s.n) {
		size_t n = utf8_length(s);
		uint8_t c = s.p[0];

		if (is_alnum(c) || is_one_of(c, "._:/@%+,-") || is_plain_utf8(s, n))
			text_add(t, (struct span){ s.p, n });
		else if (n == 1 && c < 0x7f && (c >= ' ' || c == '\t' || c == '\n' || c == '\r'))
			text_addf(t, "&#%u;", c);
		else
			text_adds(t, "\xef\xbf\xbd");
		s = span_skip(s, n ? n : 1);
	}
}

void escape_name(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool plain = is_alnum(c) || c == '_' || (i > 0 && (c == '.' || c == '-'));

		text_addc(t, plain ? (char)c : '_');
	}
}

bool escape_is_one_line(struct span s)
{
	while (s.n) {
		size_t n = utf8_length(s);
		bool plain = n == 1 ? s.p[0] >= ' ' && s.p[0] != 0x7f : is_plain_utf8(s, n);

		if (!plain)
			return false;
		s = span_skip(s, n);
	}
	return true;
}

static void add_word(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		text_addc(t, is_alnum(c) || is_one_of(c, "._:/@%+=,-") ? (char)c : '_');
	}
}

void escape_ipxe(struct text *t, struct span s)
{
	add_word(t, s);
}

void escape_cmdline(struct text *t, struct span s)
{
	add_word(t, s);
}

static bool is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

void escape_grub(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			text_adds(t, "'\\''"); /* ends the quotes, adds one, opens them again */
		else
			text_addc(t, is_control(s.p[i]) ? ' ' : (char)s.p[i]);
	}
}

void escape_pxelinux(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		text_addc(t, is_control(s.p[i]) ? ' ' : (char)s.p[i]);
}

void escape_screen(struct text *t, struct span s, const char *without)
{
	for (size_t i = 0; i < s.n; i++) {
		bool plain = s.p[i] < 0x80 && !is_control(s.p[i]) && !is_one_of(s.p[i], without);

		text_addc(t, plain ? (char)s.p[i] : ' ');
	}
}

void escape_url_path(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (is_alnum(c) || is_one_of(c, "-._~!$&'()*+,;=:@/"))
			text_addc(t, (char)c);
		else
			text_addf(t, "%%%02X", c);
	}
}
