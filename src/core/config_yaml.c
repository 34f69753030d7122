/* Building the tree from libfyaml's events.
 *
 * Events, not libfyaml's documents: they come one by one, so nesting and size
 * are bounded here, nothing recurses, and an alias is seen before it is expanded.
 * libfyaml stops at the first mistake of syntax; its message is collected and
 * never printed by itself.
 */
#include "core/config_yaml.h"

#include "base/escape.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>

struct builder {
	struct arena *arena;
	struct config_errors *errs;
	struct yaml *root;
	struct yaml *open[YAML_DEPTH_MAX]; /* the lists and maps that we are in */
	unsigned depth;
	unsigned documents;
	size_t nodes;
};

const struct yaml *yaml_first(const struct yaml *v)
{
	return v->kind == YAML_LIST ? v->first : v->kind == YAML_NULL ? NULL : v;
}

const struct yaml *yaml_after(const struct yaml *list, const struct yaml *v)
{
	return list->kind == YAML_LIST ? v->next : NULL;
}

size_t yaml_count(const struct yaml *v)
{
	return v->kind == YAML_LIST ? v->n : v->kind == YAML_NULL ? 0 : 1;
}

const struct yaml *yaml_find(const struct yaml *map, const char *key)
{
	const struct yaml *v = map->first;

	while (v && !span_eq(v->key, span_str(key)))
		v = v->next;
	return v;
}

/* The length of the UTF-8 sequence at p (RFC 3629), 0 when it is none. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1
		: p[0] < 0xc2    ? 0
		: p[0] < 0xe0    ? 2
		: p[0] < 0xf0    ? 3
		: p[0] < 0xf5    ? 4
				 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static bool is_control(const uint8_t *p, size_t len)
{
	return p[0] < 0x20 || p[0] == 0x7f || (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* A file must be text before it can be YAML: libfyaml takes a NUL for the end,
 * and its messages about broken UTF-8 help nobody. */
static int check_is_text(struct span source, struct config_errors *errs)
{
	struct src_pos pos = { 1, 1 };

	if (source.n > YAML_SIZE_MAX) {
		config_error_add(
			errs, pos, "the file is larger than 16 MiB: this is no configuration");
		return -EINVAL;
	}
	for (size_t i = 0; i < source.n;) {
		const uint8_t *p = source.p + i;
		size_t len = utf8_length(p, source.n - i);
		bool crlf = p[0] == '\r' && i + 1 < source.n && p[1] == '\n';

		if (len == 0) {
			config_error_add(errs, pos,
				"octet 0x%02x is not UTF-8: save the file as UTF-8 text", p[0]);
			return -EINVAL;
		}
		if (is_control(p, len) && p[0] != '\t' && p[0] != '\r' && p[0] != '\n') {
			config_error_add(errs, pos,
				"control character 0x%02x: a configuration holds text only, remove "
				"it",
				p[len - 1]);
			return -EINVAL;
		}
		if (p[0] == '\n' || (p[0] == '\r' && !crlf))
			pos = (struct src_pos){ pos.line + 1, 1 };
		else if (!crlf)
			pos.col++;
		i += len;
	}
	return 0;
}

static struct src_pos pos_of(const struct fy_mark *mark)
{
	if (!mark || mark->line < 0 || mark->column < 0)
		return (struct src_pos){ 0, 0 };
	return (struct src_pos){ (unsigned)mark->line + 1, (unsigned)mark->column + 1 };
}

/* libfyaml (0.7.12) marks quoted texts, aliases and anchors behind their opening sign. */
static struct src_pos before_sign(struct src_pos pos)
{
	return (struct src_pos){ pos.line, pos.col > 1 ? pos.col - 1 : pos.col };
}

static int by_key(const void *a, const void *b)
{
	const struct yaml *x = *(const struct yaml *const *)a, *y = *(const struct yaml *const *)b;
	int order = span_compare(x->key, y->key);

	if (order != 0)
		return order;
	if (x->key_pos.line != y->key_pos.line)
		return x->key_pos.line < y->key_pos.line ? -1 : 1;
	return x->key_pos.col < y->key_pos.col ? -1 : x->key_pos.col > y->key_pos.col;
}

static int check_keys(struct builder *b, const struct yaml *map)
{
	const struct yaml **keys;
	size_t n = 0;

	if (map->n < 2)
		return 0;
	keys = calloc(map->n, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (const struct yaml *v = map->first; v; v = v->next)
		keys[n++] = v;
	qsort(keys, n, sizeof(const struct yaml *), by_key);
	for (size_t i = 1; i < n; i++)
		if (span_eq(keys[i]->key, keys[i - 1]->key))
			config_error_add(b->errs, keys[i]->key_pos,
				"the key `%.64s` stands here twice, first in line %u: keep one of "
				"them",
				(const char *)keys[i]->key.p, keys[i - 1]->key_pos.line);
	free(keys);
	return 0;
}

/* Puts a value where it belongs: below the innermost open list or map, or as the
 * key that waits for its value. */
static int place(struct builder *b, struct yaml *v)
{
	struct yaml *parent = b->depth ? b->open[b->depth - 1] : NULL;

	if (!parent) {
		b->root = v;
		return 0;
	}
	if (parent->kind == YAML_MAP && !parent->pending) {
		if (v->kind == YAML_LIST || v->kind == YAML_MAP) {
			config_error_add(b->errs, v->pos,
				"a key must be a plain text, not a list or a map "
				"(a text with {{variables}} must stand in quotes)");
			return -EINVAL;
		}
		parent->pending = v;
		if (v->pos.line == 0)
			v->pos = parent->pos;
		return 0;
	}
	if (parent->kind == YAML_MAP) {
		v->key = parent->pending->text;
		v->key_pos = parent->pending->pos;
		parent->pending = NULL;
	}
	if (v->pos.line == 0)
		v->pos = parent->kind == YAML_MAP ? v->key_pos : parent->pos;
	if (parent->last)
		parent->last->next = v;
	else
		parent->first = v;
	parent->last = v;
	parent->n++;
	return 0;
}

static int add_scalar(struct builder *b, struct fy_event *event, struct yaml *v)
{
	struct fy_token *token = event->scalar.value;
	enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
	size_t n = 0;
	const char *p = token ? fy_token_get_text(token, &n) : "";
	char *copy;

	if (!p)
		return -ENOMEM;
	if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
		v->pos = before_sign(v->pos);
	/* Block scalars end in the newline that the eye does not see. */
	while ((style == FYSS_LITERAL || style == FYSS_FOLDED) && n > 0 && p[n - 1] == '\n')
		n--;
	copy = arena_strdup(b->arena, (struct span){ (const uint8_t *)p, n });
	if (!copy)
		return -ENOMEM;
	v->text = (struct span){ (const uint8_t *)copy, n };
	if (style == FYSS_PLAIN && (n == 0 || strcmp(copy, "~") == 0 || strcmp(copy, "null") == 0))
		v->kind = YAML_NULL;
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_length(v->text.p + i, n - i);
		if (len == 0 || is_control(v->text.p + i, len)) {
			config_error_add(b->errs, v->pos,
				"this text holds a control character (0x%02x), a newline perhaps: "
				"write it in one line, without escapes",
				v->text.p[i]);
			return -EINVAL;
		}
	}
	return place(b, v);
}

static int refuse_extras(struct builder *b, struct fy_event *event)
{
	struct fy_token *anchor = fy_event_get_anchor_token(event),
			*tag = fy_event_get_tag_token(event);

	if (event->type == FYET_ALIAS) {
		config_error_add(b->errs, before_sign(pos_of(fy_event_start_mark(event))),
			"aliases (*name) are not read in this file: write the value out "
			"(a text that starts with * must stand in quotes)");
		return -EINVAL;
	}
	if (anchor) {
		config_error_add(b->errs, before_sign(pos_of(fy_token_start_mark(anchor))),
			"anchors (&name) are not read in this file: write the value out where it "
			"is needed "
			"(a text that starts with & must stand in quotes)");
		return -EINVAL;
	}
	if (tag) {
		config_error_add(b->errs, pos_of(fy_token_start_mark(tag)),
			"tags (!name) are not read in this file: remove it "
			"(a text that starts with ! must stand in quotes)");
		return -EINVAL;
	}
	return 0;
}

static int add_node(struct builder *b, struct fy_event *event)
{
	struct yaml *v;
	int r = refuse_extras(b, event);

	if (r < 0)
		return r;
	v = arena_new(b->arena, struct yaml);
	if (!v)
		return -ENOMEM;
	v->pos = pos_of(fy_event_start_mark(event));
	if (++b->nodes > YAML_NODES_MAX) {
		config_error_add(
			b->errs, v->pos, "more than a million values: this is no configuration");
		return -EINVAL;
	}
	if (event->type == FYET_SCALAR) {
		v->kind = YAML_SCALAR;
		return add_scalar(b, event, v);
	}
	v->kind = event->type == FYET_MAPPING_START ? YAML_MAP : YAML_LIST;
	if (b->depth == YAML_DEPTH_MAX) {
		config_error_add(b->errs, v->pos,
			"nested deeper than %u lists or maps: nothing here needs that",
			YAML_DEPTH_MAX);
		return -EINVAL;
	}
	r = place(b, v);
	if (r == 0)
		b->open[b->depth++] = v;
	return r;
}

static int add_event(struct builder *b, struct fy_event *event)
{
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (++b->documents > 1) {
			config_error_add(b->errs, pos_of(fy_event_start_mark(event)),
				"a second document starts here (---): a configuration is one "
				"document, remove the line");
			return -EINVAL;
		}
		return 0;
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
	case FYET_SCALAR:
	case FYET_ALIAS:
		return add_node(b, event);
	case FYET_MAPPING_END:
		return check_keys(b, b->open[--b->depth]);
	case FYET_SEQUENCE_END:
		b->depth--;
		return 0;
	default:
		return 0;
	}
}

/* What libfyaml's words mostly mean, for those that need it. */
static const char *syntax_hint(const char *message)
{
	static const struct {
		const char *message, *hint;
	} hints[] = {
		{ "invalid multiline plain key",
			": is a `:` missing, or a line indented wrongly?" },
		{ "invalid nested block mapping on the same line",
			": put a text that holds `: ` in quotes" },
		{ "tab character may not be used as indentation", ": indent with blanks" },
		{ "could not find expected ':'",
			": is a `:` missing, or a line indented wrongly?" },
		{ "did not find expected '-' indicator",
			": indent all keys of a list's item alike" },
		{ "missing comma in flow mapping",
			": between { and }, a text with a comma or {{variables}} must stand in "
			"quotes" },
		{ "invalid alias detected", ": put a text with [ ] or * in quotes" },
		{ "flow sequence without a closing bracket", ": a [ before here needs its ]" },
		{ "did not find expected node content", ": is a ] or } missing?" },
		{ "invalid scalar at the end of block sequence",
			": this line is indented like the list items before it, but is none" },
	};

	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strcmp(hints[i].message, message) == 0)
			return hints[i].hint;
	return "";
}

static void report_syntax(struct fy_diag *diag, struct config_errors *errs)
{
	void *iterator = NULL;
	const struct fy_diag_error *e;

	while ((e = fy_diag_errors_iterate(diag, &iterator))) {
		struct src_pos pos = { e->line > 0 ? (unsigned)e->line : 1,
			e->column > 0 ? (unsigned)e->column : 1 };
		const char *message = e->msg ? e->msg : "no reason given";
		struct text escaped = { 0 };

		escape_log(&escaped, span_str(message), 200);
		config_error_add(errs, pos, "this is not YAML: %s%s", text_str(&escaped),
			syntax_hint(message));
		text_free(&escaped);
		return;
	}
	config_error_add(errs, (struct src_pos){ 1, 1 }, "this is not YAML");
}

static int parse_events(struct fy_parser *parser, struct builder *b)
{
	struct fy_event *event;
	int r = 0;

	while (r == 0 && (event = fy_parser_parse(parser))) {
		r = add_event(b, event);
		fy_parser_event_free(parser, event);
	}
	return r;
}

int config_yaml_parse(
	struct span source, struct arena *a, struct config_errors *errs, struct yaml **ret_root)
{
	struct builder b = { .arena = a, .errs = errs };
	struct fy_diag_cfg diag_cfg;
	struct fy_diag *diag;
	struct fy_parser *parser = NULL;
	int r = check_is_text(source, errs);

	if (r < 0)
		return r;
	if (source.n == 0) {
		*ret_root = NULL;
		return 0;
	}
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag = fy_diag_create(&diag_cfg);
	if (!diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(diag, true);

	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE |
			FYPCF_DEFAULT_VERSION_1_2,
		.diag = diag,
	};

	parser = fy_parser_create(&cfg);
	if (!parser || fy_parser_set_string(parser, (const char *)source.p, source.n) < 0) {
		r = -ENOMEM;
	} else {
		r = parse_events(parser, &b);
		if (r == 0 && fy_parser_get_stream_error(parser)) {
			report_syntax(diag, errs);
			r = -EINVAL;
		}
	}
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	if (r == 0)
		*ret_root = b.root;
	return r;
}
