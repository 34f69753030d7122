/* base/escape.h: nothing a stranger writes gets out of the place it stands in.
 *
 * Each sink is fed the same hostile texts, every octet, and random octets.
 */
#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <jansson.h>
#include <cmocka.h>

typedef void (*escape)(struct text *t, struct span s);
typedef void (*property)(struct span in, struct span out, const char *name);

static const struct {
	const char *name;
	struct span in;
	const char *log, *json, *ipxe, *url; /* what must come out */
} hostile[] = {
	{ "nothing", { NULL, 0 }, "", "", "", "" },
	{ "plain", SPAN_LIT("web-1.lan"), "web-1.lan", "web-1.lan", "web-1.lan", "web-1.lan" },
	{ "newline", SPAN_LIT("a\r\nbad"), "a\\x0d\\x0abad", "a\\u000d\\u000abad", "a__bad",
		"a%0D%0Abad" },
	{ "terminal sequence", SPAN_LIT("\x1b[2J"), "\\x1b[2J", "\\u001b[2J", "__2J", "%1B%5B2J" },
	{ "8-bit terminal sequence",
		SPAN_LIT("\x9b"
			 "2J"),
		"\\x9b2J", "\\u009b2J", "_2J", "%9B2J" },
	{ "the same in UTF-8",
		SPAN_LIT("\xc2\x9b"
			 "2J"),
		"\\xc2\\x9b2J", "\\u009b2J", "__2J", "%C2%9B2J" },
	{ "DEL", SPAN_LIT("\x7f"), "\\x7f", "\\u007f", "_", "%7F" },
	{ "NUL", SPAN_LIT("a\0b"), "a\\x00b", "a\\u0000b", "a_b", "a%00b" },
	{ "iPXE expansion", SPAN_LIT("${net0/mac}"), "${net0/mac}", "${net0/mac}", "__net0/mac_",
		"$%7Bnet0/mac%7D" },
	{ "iPXE commands", SPAN_LIT("a || shell #"), "a || shell #", "a || shell #", "a____shell__",
		"a%20%7C%7C%20shell%20%23" },
	{ "HTML", SPAN_LIT("<script>&"), "<script>&", "<script>&", "_script__", "%3Cscript%3E&" },
	{ "quotes", SPAN_LIT("\"'`"), "\\\"'`", "\\\"'`", "___", "%22'%60" },
	{ "backslash", SPAN_LIT("\\x41\\"), "\\\\x41\\\\", "\\\\x41\\\\", "_x41_", "%5Cx41%5C" },
	{ "URL query", SPAN_LIT("a?b#c%2e"), "a?b#c%2e", "a?b#c%2e", "a_b_c%2e", "a%3Fb%23c%252e" },
	{ "valid UTF-8", SPAN_LIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
		"\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80",
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "_________",
		"%C3%A9%E2%82%AC%F0%9F%98%80" },
	{ "overlong slash", SPAN_LIT("\xc0\xaf"), "\\xc0\\xaf", "\\u00c0\\u00af", "__", "%C0%AF" },
	{ "overlong in three", SPAN_LIT("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf", "\\u00e0\\u009f\\u00bf",
		"___", "%E0%9F%BF" },
	{ "overlong in four", SPAN_LIT("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf",
		"\\u00f0\\u008f\\u00bf\\u00bf", "____", "%F0%8F%BF%BF" },
	{ "surrogate", SPAN_LIT("\xed\xa0\x80"), "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080", "___",
		"%ED%A0%80" },
	{ "above U+10FFFF", SPAN_LIT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80",
		"\\u00f4\\u0090\\u0080\\u0080", "____", "%F4%90%80%80" },
	{ "no UTF-8 at all", SPAN_LIT("\xf5\xff\x80"), "\\xf5\\xff\\x80", "\\u00f5\\u00ff\\u0080",
		"___", "%F5%FF%80" },
	{ "sequence cut short", SPAN_LIT("\xe2\x82"), "\\xe2\\x82", "\\u00e2\\u0082", "__",
		"%E2%82" },
	{ "sequence broken off", SPAN_LIT("\xe2\x82z"), "\\xe2\\x82z", "\\u00e2\\u0082z", "__z",
		"%E2%82z" },
	{ "last of each length", SPAN_LIT("\xdf\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf"),
		"\\xdf\\xbf\\xef\\xbf\\xbf\\xf4\\x8f\\xbf\\xbf",
		"\xdf\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf", "_________",
		"%DF%BF%EF%BF%BF%F4%8F%BF%BF" },
};

static void escape_log_whole(struct text *t, struct span s)
{
	escape_log(t, s, SIZE_MAX);
}

static void expect(
	escape f, struct span in, const char *expected, const char *name, const char *sink)
{
	struct text t = { 0 };

	f(&t, in);
	if (strcmp(text_str(&t), expected) != 0)
		fail_msg("%s for %s: \"%s\" instead of \"%s\"", name, sink, text_str(&t), expected);
	text_free(&t);
}

static void hostile_texts_come_out_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		expect(escape_log_whole, hostile[i].in, hostile[i].log, hostile[i].name, "the log");
		expect(escape_json, hostile[i].in, hostile[i].json, hostile[i].name, "JSON");
		expect(escape_ipxe, hostile[i].in, hostile[i].ipxe, hostile[i].name, "iPXE");
		expect(escape_url_path, hostile[i].in, hostile[i].url, hostile[i].name, "a URL");
	}
}

static void log_is_printable_and_reversible(struct span in, struct span out, const char *name)
{
	uint8_t back[512];
	size_t n = 0;

	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] < 0x20 || out.p[i] > 0x7e)
			fail_msg("%s: octet 0x%02x in the log", name, out.p[i]);
	for (size_t i = 0; i < out.n; i++) {
		unsigned octet = out.p[i];

		if (octet == '"')
			fail_msg("%s: a bare quote in the log", name);
		if (octet == '\\' && out.p[i + 1] == 'x') {
			assert_int_equal(sscanf((const char *)out.p + i + 2, "%2x", &octet), 1);
			i += 3;
		} else if (octet == '\\') {
			octet = out.p[++i];
		}
		back[n++] = (uint8_t)octet;
	}
	if (!span_eq((struct span){ back, n }, in))
		fail_msg("%s: the log does not tell what was sent", name);
}

static bool is_utf8(struct span s)
{
	json_t *j = json_stringn((const char *)s.p, s.n);

	json_decref(j);
	return j != NULL;
}

static void json_parses(struct span in, struct span out, const char *name)
{
	struct text quoted = { 0 };
	json_error_t error;
	json_t *j;

	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] < 0x20 || out.p[i] == 0x7f ||
			(out.p[i] == 0xc2 && i + 1 < out.n && out.p[i + 1] < 0xa0))
			fail_msg("%s: octet 0x%02x in JSON", name, out.p[i]);
	text_addc(&quoted, '"');
	text_add(&quoted, out);
	text_addc(&quoted, '"');
	j = json_loadb(quoted.p, quoted.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!json_is_string(j))
		fail_msg("%s: %s in %s", name, error.text, text_str(&quoted));
	if (is_utf8(in) &&
		!span_eq(in,
			(struct span){
				(const uint8_t *)json_string_value(j), json_string_length(j) }))
		fail_msg("%s: JSON says something else", name);
	json_decref(j);
	text_free(&quoted);
}

static bool in_set(uint8_t c, const char *set)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c != 0 && strchr(set, c) != NULL);
}

static void ipxe_is_one_word(struct span in, struct span out, const char *name)
{
	if (out.n != in.n)
		fail_msg("%s: %zu octets became %zu", name, in.n, out.n);
	for (size_t i = 0; i < out.n; i++)
		if (!in_set(out.p[i], "._:/@%+=,-_"))
			fail_msg("%s: octet 0x%02x in a script", name, out.p[i]);
}

static void url_is_one_path_and_reversible(struct span in, struct span out, const char *name)
{
	uint8_t back[512];
	size_t n = 0;

	for (size_t i = 0; i < out.n; i++) {
		unsigned octet = out.p[i];

		if (octet == '%') {
			assert_int_equal(sscanf((const char *)out.p + i + 1, "%2x", &octet), 1);
			i += 2;
		} else if (!in_set(out.p[i], "-._~!$&'()*+,;=:@/")) {
			fail_msg("%s: octet 0x%02x in a URL", name, octet);
		}
		back[n++] = (uint8_t)octet;
	}
	if (!span_eq((struct span){ back, n }, in))
		fail_msg("%s: the URL names something else", name);
}

/* GRUB's own rule for single quotes: all up to the next one is the word's. */
static void grub_is_one_quoted_word(struct span in, struct span out, const char *name)
{
	bool quoted = true;
	size_t n = 0;

	for (size_t i = 0; i < out.n; i++) {
		uint8_t c = out.p[i];

		if (c == '\'') {
			quoted = !quoted;
			continue;
		}
		if (!quoted) { /* the quote itself */
			assert_true(c == '\\' && i + 1 < out.n && out.p[i + 1] == '\'');
			c = out.p[++i];
		}
		if (n == in.n || (in.p[n] < 0x20 || in.p[n] == 0x7f ? c != ' ' : c != in.p[n]))
			fail_msg("%s: GRUB reads another word", name);
		n++;
	}
	if (!quoted || n != in.n)
		fail_msg("%s: the quotes do not close", name);
}

static void pxelinux_is_one_line(struct span in, struct span out, const char *name)
{
	if (out.n != in.n)
		fail_msg("%s: %zu octets became %zu", name, in.n, out.n);
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] < 0x20 || out.p[i] == 0x7f)
			fail_msg("%s: octet 0x%02x in PXELINUX's configuration", name, out.p[i]);
}

static void escape_screen_without(struct text *t, struct span s)
{
	escape_screen(t, s, "$'");
}

static void screen_is_one_plain_line(struct span in, struct span out, const char *name)
{
	if (out.n != in.n)
		fail_msg("%s: %zu octets became %zu", name, in.n, out.n);
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] < 0x20 || out.p[i] >= 0x7f || out.p[i] == '$' || out.p[i] == '\'' ||
			(out.p[i] != ' ' && out.p[i] != in.p[i]))
			fail_msg("%s: octet 0x%02x on a screen", name, out.p[i]);
}

static void name_is_one_name(struct span in, struct span out, const char *name)
{
	if (out.n != in.n)
		fail_msg("%s: %zu octets became %zu", name, in.n, out.n);
	for (size_t i = 0; i < out.n; i++)
		if (!in_set(out.p[i], i ? "_.-" : "_"))
			fail_msg("%s: octet 0x%02x in a name", name, out.p[i]);
}

/* In a string as it was sent; outside of one nothing that JSON has a use for. */
static void json_word_is_one_word(struct span in, struct span out, const char *name)
{
	json_parses(in, out, name);
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] < 0x80 && !in_set(out.p[i], "._:/@%+=-\\"))
			fail_msg("%s: octet 0x%02x in a JSON word", name, out.p[i]);
}

/* Nothing but characters, and references that are whole. */
static void xml_is_text(struct span in, struct span out, const char *name)
{
	(void)in;
	assert_true(escape_is_one_line(out));
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] == '&') {
			i++;
			if (i == out.n || out.p[i++] != '#')
				fail_msg("%s: a bare & in XML", name);
			while (i < out.n && out.p[i] >= '0' && out.p[i] <= '9')
				i++;
			if (i == out.n || out.p[i] != ';')
				fail_msg("%s: a reference without its end", name);
		} else if (out.p[i] < 0x80 && !in_set(out.p[i], "._:/@%+,-")) {
			fail_msg("%s: octet 0x%02x in XML", name, out.p[i]);
		}
	}
}

static const struct {
	escape f;
	property holds;
} sinks[] = {
	{ escape_json_word, json_word_is_one_word },
	{ escape_xml, xml_is_text },
	{ escape_name, name_is_one_name },
	{ escape_log_whole, log_is_printable_and_reversible },
	{ escape_json, json_parses },
	{ escape_ipxe, ipxe_is_one_word },
	{ escape_cmdline, ipxe_is_one_word },
	{ escape_grub, grub_is_one_quoted_word },
	{ escape_pxelinux, pxelinux_is_one_line },
	{ escape_screen_without, screen_is_one_plain_line },
	{ escape_url_path, url_is_one_path_and_reversible },
};

static void holds_at_every_sink(struct span in, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		struct text t = { 0 };

		sinks[i].f(&t, in);
		assert_false(t.failed);
		sinks[i].holds(in, text_span(&t), name);
		text_free(&t);
	}
}

static void properties_hold_for_every_octet_and_pair(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		char name[32];
		/* Pairs with what may end, continue or begin something. */
		const uint8_t seconds[] = { 0, '\n', 0x1b, '"', '\\', '{', 'a', 0x80, 0x9b, 0xbf,
			0xff };
		uint8_t b[2] = { (uint8_t)first, 0 };

		(void)snprintf(name, sizeof(name), "octet 0x%02x", first);
		holds_at_every_sink((struct span){ b, 1 }, name);
		for (size_t i = 0; i < sizeof(seconds); i++) {
			b[1] = seconds[i];
			holds_at_every_sink((struct span){ b, 2 }, name);
		}
	}
}

static void properties_hold_for_random_octets(void **state)
{
	unsigned seed = 2131;

	(void)state;
	for (int round = 0; round < 500; round++) {
		size_t n = (size_t)rand_r(&seed) % 60;
		uint8_t *b = malloc(
			n ? n : 1); /* without slack: the sanitizer sees a read past the end */
		char name[32];

		assert_non_null(b);
		/* Half of the octets lead or continue UTF-8. */
		for (size_t i = 0; i < n; i++)
			b[i] = (uint8_t)(rand_r(&seed) | (rand_r(&seed) & 0x80));
		(void)snprintf(name, sizeof(name), "random %d", round);
		holds_at_every_sink((struct span){ b, n }, name);
		free(b);
	}
}

static void texts_of_templates_come_out_as_written(void **state)
{
	static const struct {
		const char *in, *word, *xml, *name;
		bool one_line;
	} texts[] = {
		{ "web-1.lan", "web-1.lan", "web-1.lan", "web-1.lan", true },
		{ "a b", "a\\u0020b", "a&#32;b", "a_b", true },
		{ "a\nb", "a\\u000ab", "a&#10;b", "a_b", false },
		{ "a\tb", "a\\u0009b", "a&#9;b", "a_b", false },
		{ "\"},{\"", "\\u0022\\u007d\\u002c\\u007b\\u0022", "&#34;&#125;,&#123;&#34;",
			"_____", true },
		{ "\\", "\\u005c", "&#92;", "_", true },
		{ "<a href='x'>&amp;",
			"\\u003ca\\u0020href=\\u0027x\\u0027\\u003e\\u0026amp\\u003b",
			"&#60;a&#32;href&#61;&#39;x&#39;&#62;&#38;amp&#59;", "_a_href__x___amp_",
			true },
		{ "../../etc", "../../etc", "../../etc", "_._.._etc", true },
		{ "--noop", "--noop", "--noop", "_-noop", true },
		{ "%end", "%end", "%end", "_end", true },
		{ "$(id)", "\\u0024\\u0028id\\u0029", "&#36;&#40;id&#41;", "__id_", true },
		{ "\xc3\xa9", "\xc3\xa9", "\xc3\xa9", "__", true },
		{ "\x1b", "\\u001b", "\xef\xbf\xbd", "_", false },
		{ "\x7f", "\\u007f", "\xef\xbf\xbd", "_", false },
		{ "\xff", "\\u00ff", "\xef\xbf\xbd", "_", false },
		/* U+0085, U+2028: what some readers end a line at; U+FFFF, U+1FFFE: no characters. */
		{ "\xc2\x85", "\\u0085", "\xef\xbf\xbd", "__", false },
		{ "\xe2\x80\xa8", "\xe2\x80\xa8", "\xef\xbf\xbd", "___", false },
		{ "\xef\xbf\xbf", "\xef\xbf\xbf", "\xef\xbf\xbd", "___", false },
		{ "\xf0\x9f\xbf\xbe", "\xf0\x9f\xbf\xbe", "\xef\xbf\xbd", "____", false },
		{ "\xf0\x9f\x98\xbf", "\xf0\x9f\x98\xbf", "\xf0\x9f\x98\xbf", "____", true },
		{ "\xe1\xbf\xbf", "\xe1\xbf\xbf", "\xe1\xbf\xbf", "___", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		expect(escape_json_word, span_str(texts[i].in), texts[i].word, texts[i].in,
			"a JSON word");
		expect(escape_xml, span_str(texts[i].in), texts[i].xml, texts[i].in, "XML");
		expect(escape_name, span_str(texts[i].in), texts[i].name, texts[i].in, "a name");
		if (escape_is_one_line(span_str(texts[i].in)) != texts[i].one_line)
			fail_msg("\"%s\": one line, or not?", texts[i].in);
	}
}

static void long_texts_are_cut_in_the_log(void **state)
{
	struct text t = { 0 };

	(void)state;
	escape_log(&t, SPAN_LIT("abcdef"), 6);
	assert_string_equal(text_str(&t), "abcdef");
	text_reset(&t);
	escape_log(&t, SPAN_LIT("ab\ncdef"), 3);
	assert_string_equal(text_str(&t), "ab\\x0a...");
	text_reset(&t);
	escape_log(&t, SPAN_LIT("a"), 0);
	assert_string_equal(text_str(&t), "...");
	text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_texts_come_out_as_written),
		cmocka_unit_test(properties_hold_for_every_octet_and_pair),
		cmocka_unit_test(properties_hold_for_random_octets),
		cmocka_unit_test(texts_of_templates_come_out_as_written),
		cmocka_unit_test(long_texts_are_cut_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
