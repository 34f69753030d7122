/* Texts of the user's own with {{variables}}: Mustache's interpolation.
 *
 * Knows {{name}}, {{{name}}}, {{&name}} and {{! comments }}; sections, partials
 * and set delimiters are errors that say so.  ${…} is iPXE's own and passes.
 * A name that is not known is an error at its line, never an empty text.
 * Source: mustache(5), the public specification's interpolation.json and
 * comments.json (tests/vectors/mustache).
 */
#pragma once

#include "base/text.h"

struct template_value {
	struct span text;
	bool trusted; /* the administrator's own words: not escaped */
};

/* True and *ret set when the name is known. */
typedef bool (*template_lookup)(void *ctx, struct span name, struct template_value *ret);
/* How {{name}} is made harmless in the output (base/escape.h). */
typedef void (*template_escape)(struct text *out, struct span value);

struct template_error {
	unsigned line; /* from 1 */
	char message[160];
};

/* Appends the rendered text to out.  -EINVAL with *ret_error set: the template
 * is wrong, and out holds only its first part. */
int template_render(struct span source, template_lookup lookup, void *ctx, template_escape escape,
	struct text *out, struct template_error *ret_error) WARN_UNUSED;
