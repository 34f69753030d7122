/* Rendering of templates; see template.h for what is promised. */
#include "core/template.h"

#include "base/escape.h"
#include "core/template_tag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct source {
	struct span text;
	struct span name;              /* of a partial */
	const struct source *includes; /* the one that this partial stands in, or NULL */
};

struct render {
	const struct template_data *data;
	const struct template_sink *sink;
	struct text *out;
	size_t start; /* what out held before */
	struct template_error *error;
	struct template_value
		stack[TEMPLATE_NESTING_MAX + 1]; /* the innermost section's value last */
	size_t depth;
	unsigned nesting;
	size_t work;
	bool check;
};

/* A place in a source, with the delimiters in force there. */
struct cursor {
	size_t at;
	struct template_delimiters delimiters;
};

/* A name in a message: printable, and cut. */
struct shown {
	char s[TEMPLATE_NAME_MAX + 1];
};

static struct shown show(struct span name)
{
	struct shown shown;
	struct text t = { 0 };

	escape_log(&t, name, 40);
	(void)snprintf(shown.s, sizeof(shown.s), "%s", text_str(&t));
	text_free(&t);
	return shown;
}

static int fail(struct render *r, const struct source *s, size_t at, const char *fmt, ...)
	PRINTF(4, 5);
static int fail(struct render *r, const struct source *s, size_t at, const char *fmt, ...)
{
	va_list ap;

	r->error->line = 1;
	for (size_t i = 0; i < at; i++)
		r->error->line += s->text.p[i] == '\n';
	(void)snprintf(r->error->partial, sizeof(r->error->partial), "%s", show(s->name).s);
	va_start(ap, fmt);
	(void)vsnprintf(r->error->message, sizeof(r->error->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool find_key(const struct render *r, const struct template_value *map, struct span key,
	struct template_value *ret)
{
	if (map->kind == TEMPLATE_ANY) {
		*ret = *map;
		return key.n > 0;
	}
	return map->kind == TEMPLATE_MAP && key.n > 0 && r->data->find(r->data->ctx, map, key, ret);
}

/* Takes the part before the next dot off *name; false: it is the last one. */
static bool next_part(struct span *name, struct span *ret_part)
{
	const uint8_t *dot = memchr(name->p, '.', name->n);

	*ret_part = (struct span){ name->p, dot ? (size_t)(dot - name->p) : name->n };
	*name = span_skip(*name, ret_part->n + 1);
	return dot != NULL;
}

/* The value of a name: its first part in the innermost section that has it, the
 * others in that value alone (the specification's "Context Precedence").  False:
 * there is none, and *ret_may_lack says whether a section may do without. */
static bool resolve(
	const struct render *r, struct span name, struct template_value *ret, bool *ret_may_lack)
{
	struct template_value value = r->stack[r->depth];
	bool more, found = false;
	struct span part;

	*ret_may_lack = false;
	if (span_eq(name, SPAN_LIT("."))) {
		*ret = value;
		return true;
	}
	more = next_part(&name, &part);
	for (size_t i = r->depth + 1; i-- > 0 && !found;) {
		*ret_may_lack = *ret_may_lack || r->stack[i].may_lack_keys;
		found = find_key(r, &r->stack[i], part, &value);
	}
	while (found && more) {
		const struct template_value map = value;

		more = next_part(&name, &part);
		*ret_may_lack = *ret_may_lack || map.may_lack_keys;
		found = find_key(r, &map, part, &value);
	}
	if (found)
		*ret = value;
	return found;
}

static int add_value(struct render *r, const struct source *s, const struct template_tag *tag)
{
	struct template_value value;
	const char *why = NULL;
	bool may_lack;

	if (!resolve(r, tag->name, &value, &may_lack))
		return fail(r, s, tag->at, "there is no variable \"%s\"", show(tag->name).s);
	if (value.kind == TEMPLATE_LIST || value.kind == TEMPLATE_MAP)
		return fail(r, s, tag->at, "\"%s\" is a %s, not a text: write {{#%s}}…{{/%s}}",
			show(tag->name).s, value.kind == TEMPLATE_LIST ? "list" : "map",
			show(tag->name).s, show(tag->name).s);
	if (r->check || value.kind == TEMPLATE_ANY)
		return 0;
	if (!value.trusted)
		r->sink->stranger(r->out, value.text);
	else if (tag->kind == TEMPLATE_TAG_RAW || !r->sink->own)
		text_add(r->out, value.text);
	else
		why = r->sink->own(r->out, value.text);
	return why ? fail(r, s, tag->at, "the value of \"%s\" %s", show(tag->name).s, why) : 0;
}

static int block(struct render *r, const struct source *s, struct cursor *c,
	const struct template_tag *opened, bool emit);

/* The partial's lines, each with the blanks that stood before its tag. */
static void indent_lines(struct span source, struct span indent, struct text *out)
{
	while (source.n) {
		const uint8_t *newline = memchr(source.p, '\n', source.n);
		size_t n = newline ? (size_t)(newline - source.p) + 1 : source.n;

		text_add(out, indent);
		text_add(out, (struct span){ source.p, n });
		source = span_skip(source, n);
	}
}

static bool is_included_already(const struct source *s, struct span name)
{
	for (; s; s = s->includes)
		if (span_eq(s->name, name))
			return true;
	return false;
}

static int add_partial(struct render *r, const struct source *s, const struct template_tag *tag)
{
	struct source partial = { .name = tag->name, .includes = s };
	struct cursor c = { .delimiters = TEMPLATE_DELIMITERS_DEFAULT };
	struct text indented = { 0 };
	int e;

	/* A check needs to see it once; that it ends, the values see to. */
	if (r->check && is_included_already(s, tag->name))
		return 0;
	e = r->sink->partial ? r->sink->partial(r->sink->partial_ctx, tag->name, &partial.text)
			     : -ENOSYS;
	if (e == -ENOMEM)
		return e;
	if (e == -ENOSYS)
		return fail(
			r, s, tag->at, "{{> %s}}: there are no partials here", show(tag->name).s);
	if (e < 0)
		return fail(r, s, tag->at, "the partial \"%s\" cannot be read: %s",
			show(tag->name).s, strerror(-e));
	if (tag->indent.n) {
		if (partial.text.n > TEMPLATE_OUTPUT_MAX / (tag->indent.n + 1))
			return fail(r, s, tag->at, "the partial \"%s\" is too long to be indented",
				show(tag->name).s);
		indent_lines(partial.text, tag->indent, &indented);
		partial.text = text_span(&indented);
	}
	e = indented.failed ? -ENOMEM : block(r, &partial, &c, NULL, true);
	text_free(&indented);
	return e;
}

/* The body of a section, from *c on, with a value on the stack. */
static int with_value(struct render *r, const struct source *s, struct cursor *c,
	const struct template_tag *tag, const struct template_value *value)
{
	int e;

	r->stack[++r->depth] = *value; /* block() holds the nesting below the stack's length */
	e = block(r, s, c, tag, true);
	r->depth--;
	return e;
}

static int each_item(struct render *r, const struct source *s, struct cursor *c,
	const struct template_tag *tag, const struct template_value *list)
{
	const struct cursor body = *c;
	int e = list->n ? 0 : block(r, s, c, tag, false);

	for (size_t i = 0; e == 0 && i < list->n; i++) {
		struct template_value item;

		*c = body;
		r->data->item(r->data->ctx, list, i, &item);
		e = with_value(r, s, c, tag, &item);
	}
	return e;
}

static int section(
	struct render *r, const struct source *s, struct cursor *c, const struct template_tag *tag)
{
	bool inverted = tag->kind == TEMPLATE_TAG_INVERTED, may_lack, is_true;
	struct template_value value = { .kind = TEMPLATE_FALSE };

	if (!resolve(r, tag->name, &value, &may_lack)) {
		if (!may_lack)
			return fail(
				r, s, tag->at, "there is no variable \"%s\"", show(tag->name).s);
		value.kind = r->check ? TEMPLATE_ANY : TEMPLATE_FALSE;
	}
	is_true = value.kind != TEMPLATE_FALSE && (value.kind != TEMPLATE_LIST || value.n > 0);
	if (inverted)
		return block(r, s, c, tag, !is_true || r->check);
	if (value.kind == TEMPLATE_LIST && !r->check)
		return each_item(r, s, c, tag, &value);
	return is_true || r->check ? with_value(r, s, c, tag, &value) : block(r, s, c, tag, false);
}

static int close_tag(struct render *r, const struct source *s, const struct template_tag *tag,
	const struct template_tag *opened)
{
	if (!opened)
		return fail(r, s, tag->at, "{{/%s}} closes nothing", show(tag->name).s);
	if (!span_eq(opened->name, tag->name))
		return fail(r, s, tag->at, "{{/%s}} stands where {{/%s}} was expected",
			show(tag->name).s, show(opened->name).s);
	return 0;
}

static int spend(struct render *r, const struct source *s, size_t at, size_t octets)
{
	r->work += octets;
	if (r->work > TEMPLATE_WORK_MAX)
		return fail(r, s, at, "too much work: lists in lists repeat this part too often");
	if (!r->out->failed && r->out->n - r->start > TEMPLATE_OUTPUT_MAX)
		return fail(
			r, s, at, "the text becomes longer than %u MiB", TEMPLATE_OUTPUT_MAX >> 20);
	return 0;
}

static int obey(struct render *r, const struct source *s, struct cursor *c,
	const struct template_tag *tag, bool emit)
{
	switch (tag->kind) {
	case TEMPLATE_TAG_VARIABLE:
	case TEMPLATE_TAG_RAW:
		return emit ? add_value(r, s, tag) : 0;
	case TEMPLATE_TAG_SECTION:
	case TEMPLATE_TAG_INVERTED:
		return emit ? section(r, s, c, tag) : block(r, s, c, tag, false);
	case TEMPLATE_TAG_PARTIAL:
		return emit ? add_partial(r, s, tag) : 0;
	case TEMPLATE_TAG_DELIMITERS:
		c->delimiters = tag->delimiters;
		return 0;
	case TEMPLATE_TAG_COMMENT:
	case TEMPLATE_TAG_CLOSE:
		break;
	}
	return 0;
}

/* From *c to the tag that closes `opened`, or to the end of the source (NULL). */
static int block(struct render *r, const struct source *s, struct cursor *c,
	const struct template_tag *opened, bool emit)
{
	size_t at = opened ? opened->at : 0;
	struct template_tag tag = { 0 };
	const char *why;
	int e;

	if (r->nesting == TEMPLATE_NESTING_MAX)
		return fail(r, s, at, "sections and partials nest deeper than %u",
			TEMPLATE_NESTING_MAX);
	r->nesting++;
	do {
		size_t from = c->at;

		e = template_tag_next(s->text, from, &c->delimiters, &tag, &at, &why);
		if (e < 0) {
			e = fail(r, s, at, "%s", why);
			break;
		}
		if (e == 0)
			tag = (struct template_tag){ .begin = s->text.n, .end = s->text.n };
		if (emit && !r->check && tag.begin > from)
			text_add(r->out, (struct span){ s->text.p + from, tag.begin - from });
		c->at = tag.end;
		if (e == 0 && opened)
			e = fail(r, s, opened->at, "{{%c%s}} is never closed: write {{/%s}}",
				opened->kind == TEMPLATE_TAG_SECTION ? '#' : '^',
				show(opened->name).s, show(opened->name).s);
		if (e <= 0)
			break;
		e = spend(r, s, tag.at, tag.end - from);
		if (e == 0)
			e = tag.kind == TEMPLATE_TAG_CLOSE ? close_tag(r, s, &tag, opened)
							   : obey(r, s, c, &tag, emit);
	} while (e == 0 && tag.kind != TEMPLATE_TAG_CLOSE);
	r->nesting--;
	return e;
}

static int run(struct span source, struct render *r)
{
	const struct source s = { .text = source };
	struct cursor c = { .delimiters = TEMPLATE_DELIMITERS_DEFAULT };
	int e;

	r->start = r->out->n;
	r->stack[0] = r->data->root;
	e = block(r, &s, &c, NULL, true);
	if (e == 0)
		e = spend(r, &s, source.n, 0);
	r->out->failed |= e == -ENOMEM; /* of a partial: nobody takes the half for the whole */
	return r->out->failed ? -ENOMEM : e;
}

int template_render(struct span source, const struct template_data *data,
	const struct template_sink *sink, struct text *out, struct template_error *ret_error)
{
	struct render r = { .data = data, .sink = sink, .out = out, .error = ret_error };

	return run(source, &r);
}

int template_check(struct span source, const struct template_data *data,
	const struct template_sink *sink, struct template_error *ret_error)
{
	struct text nothing = { 0 };
	struct render r = {
		.data = data, .sink = sink, .out = &nothing, .error = ret_error, .check = true
	};

	return run(source, &r);
}
