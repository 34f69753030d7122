/* Tags of a Mustache template: where the next one stands, what it says, and what
 * of its line goes with it ("standalone" lines).  Looks nothing up.
 */
#pragma once

#include "base/bytes.h"

enum template_tag_kind {
	TEMPLATE_TAG_VARIABLE,   /* {{name}} */
	TEMPLATE_TAG_RAW,        /* {{{name}}} or {{&name}} */
	TEMPLATE_TAG_COMMENT,    /* {{! … }} */
	TEMPLATE_TAG_SECTION,    /* {{#name}} */
	TEMPLATE_TAG_INVERTED,   /* {{^name}} */
	TEMPLATE_TAG_CLOSE,      /* {{/name}} */
	TEMPLATE_TAG_PARTIAL,    /* {{> name}} */
	TEMPLATE_TAG_DELIMITERS, /* {{=<% %>=}} */
};

/* Borrowed from the source, or literals. */
struct template_delimiters {
	struct span open, close;
};

#define TEMPLATE_DELIMITERS_DEFAULT ((struct template_delimiters){ SPAN_LIT("{{"), SPAN_LIT("}}") })

struct template_tag {
	enum template_tag_kind kind;
	struct span name;
	size_t at; /* the tag's first octet in the source */
	size_t begin,
		end; /* what it takes away: itself, or its whole line when it stands alone there */
	struct span indent; /* of a tag alone on its line: the blanks before it */
	struct template_delimiters delimiters; /* TEMPLATE_TAG_DELIMITERS: those from here on */
};

/* The first tag of source at or behind `from`.  1 and *ret set; 0: there is none;
 * -EINVAL: what begins at *ret_at is no tag, and *ret_why says why not. */
int template_tag_next(struct span source, size_t from, const struct template_delimiters *d,
	struct template_tag *ret, size_t *ret_at, const char **ret_why) WARN_UNUSED;
