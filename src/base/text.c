/* A growing text.  Escapes nothing: that is base/escape.h's job. */
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct text *t, size_t more)
{
	if (t->failed || more > SIZE_MAX / 4 - t->n - 1) {
		t->failed = true;
		return false;
	}
	if (t->n + more + 1 <= t->cap)
		return true;

	size_t cap = t->cap ? t->cap : 128;

	while (cap < t->n + more + 1)
		cap *= 2;

	char *p = realloc(t->p, cap);

	if (!p) {
		t->failed = true;
		return false;
	}
	t->p = p;
	t->cap = cap;
	return true;
}

void text_reserve(struct text *t, size_t more)
{
	(void)reserve(t, more);
}

void text_add(struct text *t, struct span s)
{
	if (!reserve(t, s.n))
		return;
	if (s.n)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	t->p[t->n] = '\0';
}

void text_addc(struct text *t, char c)
{
	text_add(t, (struct span){ (const uint8_t *)&c, 1 });
}

void text_adds(struct text *t, const char *s)
{
	text_add(t, span_str(s));
}

void text_addu(struct text *t, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	text_add(t, (struct span){ (const uint8_t *)digits + n, sizeof(digits) - n });
}

/* Into the room that is there, which is nearly always enough; else once more. */
void text_addv(struct text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (!reserve(t, 1))
		return;
	va_copy(again, ap);
	n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n < t->cap - t->n) {
		t->n += (size_t)n;
		return;
	}
	t->p[t->n] = '\0';
	if (n < 0)
		t->failed = true;
	if (n < 0 || !reserve(t, (size_t)n))
		return;
	(void)vsnprintf(t->p + t->n, (size_t)n + 1, fmt, ap);
	t->n += (size_t)n;
}

void text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_addv(t, fmt, ap);
	va_end(ap);
}

void text_reset(struct text *t)
{
	t->n = 0;
	t->failed = false;
	if (t->p)
		t->p[0] = '\0';
}

void text_free(struct text *t)
{
	free(t->p);
	*t = (struct text){ 0 };
}
