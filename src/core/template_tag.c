/* Tags of a template (mustache(5)). */
#include "core/template_tag.h"

#include <errno.h>

/* Where needle begins in s, or s.n. */
static size_t find(struct span s, struct span needle)
{
	const uint8_t *p = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* A tag alone on its line of the source takes the line with it. */
static void take_line(struct span source, struct template_tag *tag)
{
	size_t before = tag->begin, after = tag->end;

	while (before > 0 && (source.p[before - 1] == ' ' || source.p[before - 1] == '\t'))
		before--;
	while (after < source.n && (source.p[after] == ' ' || source.p[after] == '\t'))
		after++;
	if (after + 1 < source.n && source.p[after] == '\r')
		after++;
	if ((before > 0 && source.p[before - 1] != '\n') ||
		(after < source.n && source.p[after] != '\n'))
		return;
	tag->indent = (struct span){ source.p + before, tag->begin - before };
	tag->begin = before;
	tag->end = after + (after < source.n);
}

/* "<% %>": two texts of any characters but blanks and '='. */
static bool read_delimiters(struct span s, struct template_delimiters *ret)
{
	size_t open = 0, close;

	s = trim(s);
	while (open < s.n && !is_blank(s.p[open]))
		open++;
	ret->open = (struct span){ s.p, open };
	ret->close = trim(span_skip(s, open));
	for (close = 0; close < ret->close.n && !is_blank(ret->close.p[close]);)
		close++;
	return open > 0 && close > 0 && close == ret->close.n && !memchr(s.p, '=', s.n);
}

/* Where the tag that begins with rest ends.  {{=…=}} ends at =}} only: what it
 * says may hold }}. */
static size_t find_close(struct span rest, struct span close)
{
	bool delimiters = rest.n && rest.p[0] == '=';
	size_t from = delimiters, at;

	while ((at = from + find(span_skip(rest, from), close)) < rest.n) {
		if (!delimiters || (at > 1 && rest.p[at - 1] == '='))
			return at;
		from = at + 1;
	}
	return rest.n;
}

static enum template_tag_kind kind_of(uint8_t sigil)
{
	switch (sigil) {
	case '!':
		return TEMPLATE_TAG_COMMENT;
	case '#':
		return TEMPLATE_TAG_SECTION;
	case '^':
		return TEMPLATE_TAG_INVERTED;
	case '/':
		return TEMPLATE_TAG_CLOSE;
	case '>':
		return TEMPLATE_TAG_PARTIAL;
	case '=':
		return TEMPLATE_TAG_DELIMITERS;
	case '&':
		return TEMPLATE_TAG_RAW;
	default:
		return TEMPLATE_TAG_VARIABLE;
	}
}

/* What stands between the delimiters, without its first and last sign. */
static const char *read_inside(struct span inside, struct template_tag *tag)
{
	tag->kind = inside.n ? kind_of(inside.p[0]) : TEMPLATE_TAG_VARIABLE;
	if (tag->kind != TEMPLATE_TAG_VARIABLE)
		inside = span_skip(inside, 1);
	tag->name = trim(inside);
	if (tag->kind == TEMPLATE_TAG_COMMENT)
		return NULL;
	if (tag->kind == TEMPLATE_TAG_DELIMITERS) {
		inside.n -= inside.n > 0; /* the second = */
		return read_delimiters(inside, &tag->delimiters)
			? NULL
			: "new delimiters are two words without =, such as {{=<% %>=}}";
	}
	return tag->name.n ? NULL : "{{}} names no variable";
}

int template_tag_next(struct span source, size_t from, const struct template_delimiters *d,
	struct template_tag *ret, size_t *ret_at, const char **ret_why)
{
	struct span rest = span_skip(source, from);
	size_t at = find(rest, d->open), length;
	struct template_tag tag = { .at = from + at, .begin = from + at };
	const char *why = NULL;

	if (at == rest.n)
		return 0;
	rest = span_skip(rest, at + d->open.n);
	if (span_eq(d->open, SPAN_LIT("{{")) && rest.n && rest.p[0] == '{') {
		rest = span_skip(rest, 1);
		length = find(rest, SPAN_LIT("}}}"));
		tag.kind = TEMPLATE_TAG_RAW;
		tag.name = trim((struct span){ rest.p, length });
		tag.end = tag.at + d->open.n + 1 + length + 3;
		if (tag.name.n == 0)
			why = "{{}} names no variable";
	} else {
		length = find_close(rest, d->close);
		tag.end = tag.at + d->open.n + length + d->close.n;
		if (length < rest.n)
			why = read_inside((struct span){ rest.p, length }, &tag);
	}
	if (length == rest.n)
		why = "\"{{\" is never closed: write }} behind the name";
	if (why) {
		*ret_at = tag.at;
		*ret_why = why;
		return -EINVAL;
	}
	if (tag.kind != TEMPLATE_TAG_VARIABLE && tag.kind != TEMPLATE_TAG_RAW)
		take_line(source, &tag);
	*ret = tag;
	return 1;
}
