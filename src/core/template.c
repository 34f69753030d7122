/* Interpolation of {{variables}}. */
#include "core/template.h"

#include "base/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct tag {
	struct span name;
	bool raw, comment;
	size_t length; /* of the whole tag */
};

struct render {
	struct span source;
	size_t at;
	struct template_error *error;
};

static int fail(struct render *r, const char *fmt, ...) PRINTF(2, 3);
static int fail(struct render *r, const char *fmt, ...)
{
	va_list ap;

	r->error->line = 1;
	for (size_t i = 0; i < r->at; i++)
		r->error->line += r->source.p[i] == '\n';
	va_start(ap, fmt);
	(void)vsnprintf(r->error->message, sizeof(r->error->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Where needle begins in s, or s.n. */
static size_t find(struct span s, const char *needle)
{
	const uint8_t *p = s.n ? memmem(s.p, s.n, needle, strlen(needle)) : NULL;

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

static void name_for_message(struct span name, struct text *out)
{
	escape_log(out, name, 40);
}

/* The tag that begins at r->at. */
static int read_tag(struct render *r, struct tag *ret)
{
	struct span rest = span_skip(r->source, r->at);
	bool triple = span_has_prefix(rest, SPAN_LIT("{{{"));
	size_t open = triple ? 3 : 2;
	struct span inside = span_skip(rest, open);
	size_t end = find(inside, triple ? "}}}" : "}}");

	if (end == inside.n)
		return fail(r, "\"{{\" is never closed: write }} behind the name");
	*ret = (struct tag){ .raw = triple, .length = open + end + open };
	inside.n = end;
	if (!triple && inside.n && strchr("#^/>=", inside.p[0]) && inside.p[0] != 0)
		return fail(r, "{{%c…}} is not supported by this version: only {{variables}} are",
			inside.p[0]);
	if (!triple && inside.n && inside.p[0] == '!') {
		ret->comment = true;
		return 0;
	}
	if (!triple && inside.n && inside.p[0] == '&') {
		ret->raw = true;
		inside = span_skip(inside, 1);
	}
	ret->name = trim(inside);
	if (ret->name.n == 0)
		return fail(r, "{{}} names no variable");
	return 0;
}

/* A comment alone on its line of the source takes the line with it (Mustache:
 * "standalone"): drops the blanks before it from out; returns the octets to skip. */
static size_t comment_length(const struct render *r, size_t tag_length, struct text *out)
{
	size_t before = r->at, after = r->at + tag_length;

	while (before > 0 && (r->source.p[before - 1] == ' ' || r->source.p[before - 1] == '\t'))
		before--;
	while (after < r->source.n && (r->source.p[after] == ' ' || r->source.p[after] == '\t'))
		after++;
	if (after + 1 < r->source.n && r->source.p[after] == '\r')
		after++;
	if ((before > 0 && r->source.p[before - 1] != '\n') ||
		(after < r->source.n && r->source.p[after] != '\n'))
		return tag_length;
	if (before < r->at && !out->failed) {
		out->n -= r->at - before;
		out->p[out->n] = '\0';
	}
	return after + (after < r->source.n) - r->at;
}

int template_render(struct span source, template_lookup lookup, void *ctx, template_escape escape,
	struct text *out, struct template_error *ret_error)
{
	struct render r = { .source = source, .error = ret_error };

	for (;;) {
		struct span rest = span_skip(source, r.at);
		size_t plain = find(rest, "{{");
		struct template_value value;
		struct tag tag = { 0 };

		text_add(out, (struct span){ rest.p, plain });
		r.at += plain;
		if (r.at == source.n)
			break;
		if (read_tag(&r, &tag) < 0)
			return -EINVAL;
		if (tag.comment) {
			tag.length = comment_length(&r, tag.length, out);
		} else if (!lookup(ctx, tag.name, &value)) {
			struct text name = { 0 };

			name_for_message(tag.name, &name);
			(void)fail(&r, "there is no variable \"%s\"", text_str(&name));
			text_free(&name);
			return -EINVAL;
		} else if (tag.raw || value.trusted) {
			text_add(out, value.text);
		} else {
			escape(out, value.text);
		}
		r.at += tag.length;
	}
	return out->failed ? -ENOMEM : 0;
}
