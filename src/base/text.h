/* A growing text on the heap: log lines, scripts, error bodies.
 *
 * A text that ran out of memory stays as it was and is marked failed; callers
 * build on and ask once at the end.  It is always NUL-terminated once non-empty.
 */
#pragma once

#include "base/bytes.h"

#include <stdarg.h>

struct text {
	char *p; /* NULL while empty */
	size_t n, cap;
	bool failed;
};

/* Room for so many octets more, to be added piece by piece. */
void text_reserve(struct text *t, size_t more);
void text_add(struct text *t, struct span s);
void text_addc(struct text *t, char c);
void text_adds(struct text *t, const char *s);
void text_addu(struct text *t, uint64_t v); /* in decimal digits */
void text_addf(struct text *t, const char *fmt, ...) PRINTF(2, 3);
void text_addv(struct text *t, const char *fmt, va_list ap);

static inline struct span text_span(const struct text *t)
{
	return (struct span){ (const uint8_t *)t->p, t->n };
}

static inline const char *text_str(const struct text *t)
{
	return t->p ? t->p : "";
}

/* Empties the text, keeps its memory. */
void text_reset(struct text *t);
void text_free(struct text *t);
