/* Kinds of rendered files. */
#include "core/text_kind.h"

#include "base/escape.h"

static const char *write_line(struct text *out, struct span value)
{
	if (!escape_is_one_line(value))
		return "is not one line of text: write {{{X}}} where it may stand";
	text_add(out, value);
	return NULL;
}

static bool has_pair(struct span s, uint8_t first, uint8_t second)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == first && s.p[i + 1] == second)
			return true;
	return false;
}

/* YAML 1.2: the same text as a plain scalar (7.3.3, outside of flow collections) and
 * between double quotes (7.3.1).  Whether it is plain a number or a truth too, is
 * for the template to know: it writes quotes where a text is wanted. */
static bool is_plain_yaml(struct span s)
{
	static const char indicators[] = ",[]{}#&*!|>'%@`", maybe[] = "-?:";

	if (s.n == 0)
		return true;
	if (memchr(indicators, s.p[0], sizeof(indicators) - 1) || s.p[0] == ' ' ||
		s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':')
		return false;
	if (memchr(maybe, s.p[0], sizeof(maybe) - 1) && (s.n == 1 || s.p[1] == ' '))
		return false;
	if (span_has_prefix(s, SPAN_LIT("---")) || span_has_prefix(s, SPAN_LIT("...")))
		return false;
	return !memchr(s.p, '"', s.n) && !memchr(s.p, '\\', s.n) && !has_pair(s, ':', ' ') &&
		!has_pair(s, ' ', '#') && escape_is_one_line(s);
}

static const char *write_yaml(struct text *out, struct span value)
{
	if (!is_plain_yaml(value))
		return "is no plain text of YAML: quote it there, and write {{{X}}}";
	text_add(out, value);
	return NULL;
}

static const char *write_json(struct text *out, struct span value)
{
	escape_json(out, value);
	return NULL;
}

static const char *write_xml(struct text *out, struct span value)
{
	escape_xml(out, value);
	return NULL;
}

static const struct text_kind lines = { "text", "text/plain; charset=utf-8", escape_name,
	write_line };
static const struct text_kind ipxe = { "iPXE script", "text/plain; charset=utf-8", escape_ipxe,
	NULL };
static const struct text_kind json = { "JSON", "application/json", escape_json_word, write_json };
static const struct text_kind yaml = { "YAML", "application/yaml", escape_name, write_yaml };
static const struct text_kind xml = { "XML", "application/xml", escape_xml, write_xml };
static const struct text_kind html = { "HTML", "text/html; charset=utf-8", escape_xml, write_xml };

/* A name's end; one without a dot is the whole name (cloud-init's, by NoCloud). */
static const struct {
	const char *end;
	const struct text_kind *kind;
} kinds[] = {
	{ ".json", &json },
	{ ".ign", &json },
	{ ".yaml", &yaml },
	{ ".yml", &yaml },
	{ "user-data", &yaml },
	{ "meta-data", &yaml },
	{ "vendor-data", &yaml },
	{ "network-config", &yaml },
	{ ".xml", &xml },
	{ ".html", &html },
	{ ".htm", &html },
	{ ".ipxe", &ipxe },
};

const struct text_kind *text_kind_of(struct span name)
{
	const uint8_t *slash = name.n ? memrchr(name.p, '/', name.n) : NULL;

	if (slash)
		name = span_skip(name, (size_t)(slash - name.p) + 1);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct span end = span_str(kinds[i].end);

		if (name.n >= end.n && (kinds[i].end[0] == '.' || name.n == end.n) &&
			span_eq_nocase(span_skip(name, name.n - end.n), end))
			return kinds[i].kind;
	}
	return &lines;
}
