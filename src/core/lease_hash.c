/* Linear hashing. */
#include "core/lease_hash.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_START 64u

int lease_hash_init(struct lease_hash *h, size_t cap, struct lease **(*next)(struct lease *l),
	uint64_t (*key)(const struct lease *l))
{
	/* Untouched pages of a large block cost nothing. */
	struct lease **list = calloc(cap, sizeof(struct lease *));

	if (!list)
		return -ENOMEM;
	*h = (struct lease_hash){ .list = list,
		.n = BUCKETS_START,
		.level = BUCKETS_START,
		.cap = cap,
		.next = next,
		.key = key };
	return 0;
}

void lease_hash_free(struct lease_hash *h)
{
	free(h->list);
	h->list = NULL;
}

void lease_hash_expect(struct lease_hash *h, size_t n)
{
	if (n <= h->n)
		return;
	h->n = n < h->cap ? n : h->cap;
	while (2 * h->level <= h->n)
		h->level *= 2;
}

struct lease **lease_hash_chain(const struct lease_hash *h, uint64_t key)
{
	size_t i = key & (2 * h->level - 1);

	return &h->list[i < h->n ? i : i & (h->level - 1)];
}

void lease_hash_add(struct lease_hash *h, struct lease *l)
{
	struct lease **head = lease_hash_chain(h, h->key(l));

	*h->next(l) = *head;
	*head = l;
}

void lease_hash_remove(struct lease_hash *h, struct lease *l)
{
	struct lease **at = lease_hash_chain(h, h->key(l));

	while (*at != l)
		at = h->next(*at);
	*at = *h->next(l);
}

void lease_hash_grow(struct lease_hash *h)
{
	struct lease *chain, **source;

	if (h->n == h->cap)
		return;
	source = &h->list[h->n - h->level];
	chain = *source;
	*source = NULL;
	h->list[h->n] = NULL;
	h->n++;
	if (h->n == 2 * h->level)
		h->level = h->n;
	while (chain) {
		struct lease *l = chain;

		chain = *h->next(l);
		lease_hash_add(h, l);
	}
}
