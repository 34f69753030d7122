/* One line of a terminal that shows how far a download is; nothing elsewhere. */
#pragma once

#include "base/bytes.h"

struct progress_bar {
	bool shown;
	uint64_t drawn_ms, begun_ms, begun_at; /* of a monotonic clock; octets that were there */
};

/* name: of the file, which is ours; total: UPSTREAM_LENGTH_UNKNOWN (core/upstream.h)
 * where nobody said it.  Draws ten times a second at most. */
void progress_bar_draw(struct progress_bar *b, struct span name, uint64_t got, uint64_t total);
/* The line goes. */
void progress_bar_end(struct progress_bar *b);
