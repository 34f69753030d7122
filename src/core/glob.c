/* Matching a text against a glob.
 *
 * Works on octets: UTF-8 sequences match themselves, '?' takes one octet.  Only
 * the last '*' is ever tried again, so there is no exponential backtracking: an
 * earlier one already took the shortest text that lets the later ones start.
 */
#include "core/glob.h"

static uint8_t fold(uint8_t c, bool nocase)
{
	return nocase && c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static uint8_t upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c & ~0x20) : c;
}

/* One member of a set at p.p[*at], its backslash taken off; *at moves on. */
static uint8_t set_octet(struct span p, size_t *at)
{
	if (p.p[*at] == '\\' && *at + 1 < p.n)
		++*at;
	return p.p[(*at)++];
}

/* The length of the set that opens at p (p.p[0] is '['), or 0 when it never closes. */
static size_t set_match(struct span p, uint8_t c, bool nocase, bool *ret_fits)
{
	bool negated = p.n > 1 && p.p[1] == '!', fits = false;
	size_t first = negated ? 2 : 1, at = first;
	uint8_t low = fold(c, nocase), high = nocase ? upper(c) : c;

	while (at < p.n && (p.p[at] != ']' || at == first)) {
		uint8_t from = set_octet(p, &at), to = from;

		if (at + 1 < p.n && p.p[at] == '-' && p.p[at + 1] != ']') {
			at++;
			to = set_octet(p, &at);
		}
		fits = fits || (low >= from && low <= to) || (high >= from && high <= to);
	}
	if (at >= p.n)
		return 0;
	*ret_fits = fits != negated;
	return at + 1;
}

/* How many octets of the pattern fit c; 0: none do.  The pattern is not empty
 * and does not start with '*'. */
static size_t one_match(struct span p, uint8_t c, bool nocase)
{
	bool fits = false;
	size_t n;

	switch (p.p[0]) {
	case '?':
		return 1;
	case '[':
		n = set_match(p, c, nocase, &fits);
		if (n != 0)
			return fits ? n : 0;
		return c == '[' ? 1 : 0;
	case '\\':
		if (p.n > 1)
			return fold(p.p[1], nocase) == fold(c, nocase) ? 2 : 0;
		return c == '\\' ? 1 : 0;
	default:
		return fold(p.p[0], nocase) == fold(c, nocase) ? 1 : 0;
	}
}

static bool is_magic(uint8_t c)
{
	return c == '*' || c == '?' || c == '[' || c == '\\';
}

/* How far pattern and text are the same plain octets: most patterns end the matter here. */
static size_t plain_prefix(struct span pattern, struct span text, bool nocase)
{
	size_t i = 0;

	while (i < pattern.n && i < text.n && !is_magic(pattern.p[i]) &&
		(pattern.p[i] == text.p[i] ||
			(nocase && fold(pattern.p[i], true) == fold(text.p[i], true))))
		i++;
	return i;
}

bool glob_match(struct span pattern, struct span text, bool nocase)
{
	size_t p = plain_prefix(pattern, text, nocase), t = p, star_p = SIZE_MAX, star_t = 0;

	while (t < text.n) {
		size_t n = 0;

		if (p < pattern.n && pattern.p[p] == '*') {
			star_p = ++p;
			star_t = t;
			if (p == pattern.n)
				return true;
			continue;
		}
		if (p < pattern.n)
			n = one_match(span_skip(pattern, p), text.p[t], nocase);
		if (n != 0) {
			p += n;
			t++;
		} else if (star_p != SIZE_MAX) {
			p = star_p;
			t = ++star_t;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool glob_has_magic(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_magic(s.p[i]))
			return true;
	return false;
}
