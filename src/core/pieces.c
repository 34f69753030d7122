/* Lists of pieces; see pieces.h. */
#include "core/pieces.h"

#include <stdlib.h>

static void add(struct pieces *p, enum piece_kind kind, unsigned file, uint64_t offset, uint64_t n)
{
	if (n == 0 || p->failed)
		return;
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		struct piece *more = reallocarray(p->list, cap, sizeof(*more));

		if (!more) {
			p->failed = true;
			return;
		}
		p->list = more;
		p->cap = cap;
	}
	p->list[p->n] = (struct piece){ kind, file, offset, pieces_length(p) + n };
	p->n++;
}

void pieces_add_octets(struct pieces *p, struct span octets)
{
	size_t at = p->octets.n;

	text_add(&p->octets, octets);
	p->failed |= p->octets.failed;
	add(p, PIECE_OCTETS, 0, at, octets.n);
}

void pieces_add_file(struct pieces *p, unsigned file, uint64_t offset, uint64_t n)
{
	add(p, PIECE_FILE, file, offset, n);
}

void pieces_add_zeros(struct pieces *p, uint64_t n)
{
	add(p, PIECE_ZEROS, 0, 0, n);
}

uint64_t pieces_length(const struct pieces *p)
{
	return p->n ? p->list[p->n - 1].end : 0;
}

struct piece_range pieces_at(const struct pieces *p, uint64_t at)
{
	size_t low = 0, high = p->n;

	/* The first one that ends behind `at`. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->list[middle].end > at)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == p->n)
		return (struct piece_range){ 0 };

	const struct piece *found = &p->list[low];
	uint64_t in = at - (low ? p->list[low - 1].end : 0);

	return (struct piece_range){ found->kind, found->file,
		found->kind == PIECE_ZEROS ? 0 : found->offset + in, found->end - at };
}

void pieces_free(struct pieces *p)
{
	free(p->list);
	text_free(&p->octets);
	*p = (struct pieces){ 0 };
}
