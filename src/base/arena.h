/* Memory of one event: everything allocated for a packet dies with it.
 *
 * An arena grows by chunks and is reset, not freed, between events.  It has a
 * limit, so that no packet can make it grow without end; past it (or out of
 * memory) allocations give NULL.  It is not for things that outlive the event.
 */
#pragma once

#include "base/bytes.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *first, *now;
	size_t used, limit; /* octets handed out since the reset; 0 = no limit */
};

void arena_init(struct arena *a, size_t limit);
/* n zeroed octets, aligned for any type; NULL past the limit or out of memory. */
void *arena_alloc(struct arena *a, size_t n) WARN_UNUSED;
/* A copy of s with a NUL behind it (the NUL is not part of s); NULL as above. */
char *arena_strdup(struct arena *a, struct span s) WARN_UNUSED;
/* Formatted text, NUL-terminated; NULL as above. */
char *arena_printf(struct arena *a, const char *fmt, ...) WARN_UNUSED PRINTF(2, 3);
/* Forgets all allocations, keeps the first chunk. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#define arena_new(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))
