/* How near words are to each other. */
#include "base/suggestion.h"

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Optimal string alignment: insert, delete, replace, or swap of neighbours. */
static size_t edit_distance(struct span a, struct span b)
{
	size_t row[3][64];

	for (size_t j = 0; j <= b.n; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *now = row[i % 3], *above = row[(i - 1) % 3];
		const size_t *two_above = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = (a.p[i - 1] | 0x20) == (b.p[j - 1] | 0x20);

			now[j] = min3(now[j - 1] + 1, above[j] + 1, above[j - 1] + (same ? 0 : 1));
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
				a.p[i - 2] == b.p[j - 1] && two_above[j - 2] + 1 < now[j])
				now[j] = two_above[j - 2] + 1;
		}
	}
	return row[a.n % 3][b.n];
}

void suggestion_offer(struct suggestion *s, const char *word)
{
	struct span w = span_str(word);
	size_t longer = w.n > s->given.n ? w.n : s->given.n,
	       limit = longer / 3 > 0 ? longer / 3 : 1;
	size_t apart = w.n > s->given.n ? w.n - s->given.n : s->given.n - w.n, distance;

	/* A row of edit_distance() holds 63 octets; our longest names have as many. */
	if (longer > 63 || apart > limit || w.n <= 1 || s->given.n == 0)
		return;
	distance = edit_distance(s->given, w);
	if (distance > limit || (s->best && distance >= s->distance))
		return;
	s->best = word;
	s->distance = distance;
}
