/* An entity that is made of parts: octets in memory, ranges of files, zeros.
 *
 * A list of pieces in their order, and where in it an offset falls; it opens and
 * reads nothing. Files are numbered by whoever builds the list.  Built on like a
 * text: a list that ran out of memory is marked failed, and its builder asks once.
 */
#pragma once

#include "base/text.h"

enum piece_kind {
	PIECE_OCTETS,
	PIECE_FILE,
	PIECE_ZEROS,
};

struct piece {
	enum piece_kind kind;
	unsigned file;   /* which, of PIECE_FILE */
	uint64_t offset; /* in that file, or in `octets` */
	uint64_t end;    /* in the entity: where the next one begins */
};

struct pieces {
	struct piece *list;
	size_t n, cap;
	struct text octets; /* of all PIECE_OCTETS */
	bool failed;
};

/* What stands at an offset of the entity, as far as it is of one piece. */
struct piece_range {
	enum piece_kind kind;
	unsigned file;
	uint64_t offset;
	uint64_t n; /* at least 1; 0 from the entity's end on */
};

/* Pieces without a length are left out. */
void pieces_add_octets(struct pieces *p, struct span octets);
void pieces_add_file(struct pieces *p, unsigned file, uint64_t offset, uint64_t n);
void pieces_add_zeros(struct pieces *p, uint64_t n);

/* Octets of the entity. */
uint64_t pieces_length(const struct pieces *p);
struct piece_range pieces_at(const struct pieces *p, uint64_t at);

void pieces_free(struct pieces *p);
