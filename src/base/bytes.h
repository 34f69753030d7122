/* Bytes that came from elsewhere, and bounded ways to read and write them.
 *
 * A span is a borrowed view: it owns nothing and is valid as long as what it
 * points into.  Everything from the wire stays a span until it is escaped for
 * its sink (base/escape.h); it is never a C string.
 *
 * A reader (rd) never reads past its end: a short read marks it bad and gives
 * zeros, so a decoder reads on and asks once.  A writer (wr) never writes past
 * its capacity: what does not fit marks it full.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WARN_UNUSED  __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct span {
	const uint8_t *p;
	size_t n;
};

#define SPAN_NONE   ((struct span){ NULL, 0 })
#define SPAN_LIT(s) ((struct span){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline struct span span_str(const char *s)
{
	return s ? (struct span){ (const uint8_t *)s, strlen(s) } : SPAN_NONE;
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_has_prefix(struct span s, struct span prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* s without its first n octets (all of it when n is larger). */
static inline struct span span_skip(struct span s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return n == 0 ? s : (struct span){ s.p + n, s.n - n };
}

/* s up to its first NUL: how firmware that sends C strings means them. */
static inline struct span span_until_nul(struct span s)
{
	const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;

	return nul ? (struct span){ s.p, (size_t)(nul - s.p) } : s;
}

/* Same octets, ASCII letters in either case. */
bool span_eq_nocase(struct span a, struct span b);
/* memcmp()'s order; of two texts that begin alike the shorter comes first. */
int span_compare(struct span a, struct span b);
/* 0 to 15 of an ASCII digit in either case, else -1. */
int hex_digit_value(uint8_t c);

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd rd_of(struct span s)
{
	return s.n ? (struct rd){ s.p, s.p + s.n, false } : (struct rd){ NULL, NULL, false };
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* The next n octets, or an empty span and r marked bad. */
static inline struct span rd_span(struct rd *r, size_t n)
{
	struct span s;

	if (r->bad || n > rd_left(r)) {
		r->bad = true;
		return SPAN_NONE;
	}
	s = (struct span){ r->p, n };
	if (n)
		r->p += n;
	return s;
}

/* The next n, at most 4, in network order. */
static inline uint32_t rd_be(struct rd *r, size_t n)
{
	struct span s = rd_span(r, n);
	uint32_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

static inline uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_be(r, 2);
}

static inline uint32_t rd_u32(struct rd *r)
{
	return rd_be(r, 4);
}

struct wr {
	uint8_t *p;
	size_t n, cap;
	bool full;
};

static inline struct wr wr_of(void *buf, size_t cap)
{
	return (struct wr){ buf, 0, cap, false };
}

static inline void wr_span(struct wr *w, struct span s)
{
	if (w->full || s.n > w->cap - w->n) {
		w->full = true;
		return;
	}
	if (s.n)
		memcpy(w->p + w->n, s.p, s.n);
	w->n += s.n;
}

void wr_fill(struct wr *w, uint8_t octet, size_t n);

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_span(w, (struct span){ &v, 1 });
}

/* In network order, as all numbers here. */
static inline void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wr_span(w, (struct span){ b, sizeof(b) });
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wr_span(w, (struct span){ b, sizeof(b) });
}

static inline struct span wr_done(const struct wr *w)
{
	return (struct span){ w->p, w->n };
}
