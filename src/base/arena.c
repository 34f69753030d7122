/* A bump allocator in chunks.  No freeing of single things. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_SIZE 8192u

struct arena_chunk {
	struct arena_chunk *next;
	size_t n, cap;
	alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit = limit };
}

static struct arena_chunk *chunk_with_room(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->now;

	if (c && c->cap - c->n >= n)
		return c;

	size_t cap = n > CHUNK_SIZE ? n : CHUNK_SIZE;

	c = malloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	*c = (struct arena_chunk){ .cap = cap };
	if (a->now)
		a->now->next = c;
	else
		a->first = c;
	a->now = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c;
	void *p;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + align - 1) & ~(align - 1);
	if (a->limit && n > a->limit - a->used)
		return NULL;
	c = chunk_with_room(a, n);
	if (!c)
		return NULL;
	p = c->data + c->n;
	c->n += n;
	a->used += n;
	memset(p, 0, n);
	return p;
}

char *arena_strdup(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (p && s.n)
		memcpy(p, s.p, s.n);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

static void free_chunks(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void arena_reset(struct arena *a)
{
	if (a->first) {
		free_chunks(a->first->next);
		a->first->next = NULL;
		a->first->n = 0;
	}
	a->now = a->first;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	free_chunks(a->first);
	*a = (struct arena){ .limit = a->limit };
}
