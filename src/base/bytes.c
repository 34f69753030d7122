/* Bounded reading and writing of octets.  Knows no format. */
#include "base/bytes.h"

static uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool span_eq_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

int span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

int hex_digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct span rd_span(struct rd *r, size_t n)
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

static uint32_t rd_be(struct rd *r, size_t n)
{
	struct span s = rd_span(r, n);
	uint32_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_be(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
	return rd_be(r, 4);
}

void wr_span(struct wr *w, struct span s)
{
	if (w->full || s.n > w->cap - w->n) {
		w->full = true;
		return;
	}
	if (s.n)
		memcpy(w->p + w->n, s.p, s.n);
	w->n += s.n;
}

void wr_fill(struct wr *w, uint8_t octet, size_t n)
{
	if (w->full || n > w->cap - w->n) {
		w->full = true;
		return;
	}
	if (n)
		memset(w->p + w->n, octet, n);
	w->n += n;
}

void wr_u8(struct wr *w, uint8_t v)
{
	wr_span(w, (struct span){ &v, 1 });
}

void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wr_span(w, (struct span){ b, sizeof(b) });
}

void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wr_span(w, (struct span){ b, sizeof(b) });
}
