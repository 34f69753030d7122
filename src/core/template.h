/* Texts of the user's own with {{variables}}: Mustache.
 *
 * Variables, sections, inverted sections, partials, comments, set delimiters,
 * dotted names, the implicit iterator, and lines that a tag has for itself, as
 * mustache(5) and the public specification say (tests/vectors/mustache), but for
 * one thing: a name that is not known is an error at its line, never an empty
 * text.  ${…} is iPXE's and the shell's own and passes.
 *
 * Knows nothing of where values come from, nor of the language of the text: both
 * come in as functions.  Work, depth and length have limits, for a list in a
 * list in a list multiplies.
 */
#pragma once

#include "base/text.h"

#define TEMPLATE_OUTPUT_MAX  (4u << 20)  /* octets of a rendered text */
#define TEMPLATE_WORK_MAX    (16u << 20) /* octets of templates read for it, repetitions included */
#define TEMPLATE_NESTING_MAX 64u         /* sections and partials in each other */
#define TEMPLATE_NAME_MAX    64u         /* octets of a partial's name in a message */

enum template_kind {
	TEMPLATE_TEXT,
	TEMPLATE_FALSE, /* a text too, but no section is made for it: empty, or false */
	TEMPLATE_LIST,
	TEMPLATE_MAP,
	TEMPLATE_ANY, /* template_check(): what only a machine can tell */
};

struct template_value {
	enum template_kind kind;
	struct span text; /* TEMPLATE_TEXT, TEMPLATE_FALSE: lives until the rendering ends */
	const void *node; /* TEMPLATE_LIST, TEMPLATE_MAP: whose, for find() and item() */
	size_t n;         /* TEMPLATE_LIST: items */
	bool trusted;     /* the administrator's own words, or ours: no stranger chose it */
	bool may_lack_keys; /* a section over a key that it has not is left out; else it is an error */
};

/* Where values come from. */
struct template_data {
	void *ctx;
	struct template_value root;
	/* The value of a map's key: true and *ret set when there is one. */
	bool (*find)(void *ctx, const struct template_value *map, struct span key,
		struct template_value *ret);
	/* A list's item i, below its n. */
	void (*item)(
		void *ctx, const struct template_value *list, size_t i, struct template_value *ret);
};

/* Makes any octets harmless (base/escape.h). */
typedef void (*template_escape)(struct text *out, struct span value);
/* Appends the administrator's own words.  NULL; or why they cannot stand there,
 * as the end of a sentence. */
typedef const char *(*template_write)(struct text *out, struct span value);
/* The source of a partial, which lives until the rendering ends.  0, or -errno. */
typedef int (*template_partial)(void *ctx, struct span name, struct span *ret);

/* What kind of text it is. */
struct template_sink {
	template_escape stranger; /* what a client chose, in {{name}} and in {{{name}}} */
	template_write own; /* {{name}} of what is trusted; NULL: as it is.  {{{name}}}: as it is */
	template_partial partial; /* NULL: there are none */
	void *partial_ctx;
};

struct template_error {
	unsigned line;                       /* from 1 */
	char partial[TEMPLATE_NAME_MAX + 1]; /* in which the line is; "": in the template itself */
	char message[160];
};

/* Appends the rendered text to out.  -EINVAL with *ret_error set: the template
 * is wrong, and out holds only its first part; -ENOMEM. */
int template_render(struct span source, const struct template_data *data,
	const struct template_sink *sink, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;
/* Is it right whatever the values are?  Visits each section once, and renders
 * nothing.  -EINVAL with *ret_error set. */
int template_check(struct span source, const struct template_data *data,
	const struct template_sink *sink, struct template_error *ret_error) WARN_UNUSED;
