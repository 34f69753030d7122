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
