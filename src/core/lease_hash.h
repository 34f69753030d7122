/* An open hash of leases that grows by one bucket at a time.
 *
 * A table that doubles in one go stops the server for a moment at a million leases;
 * here each addition splits at most one bucket (linear hashing: Litwin 1980).  The
 * chains run through the leases themselves, so that nothing is allocated.
 * It does not compare keys: whoever looks something up walks the chain.
 */
#pragma once

#include "base/bytes.h"

struct lease;

struct lease_hash {
	struct lease **list;
	size_t n, level; /* n buckets in use; level: the power of two at or below n */
	size_t cap;
	struct lease **(*next)(struct lease *l); /* the field that chains it */
	uint64_t (*key)(const struct lease *l);  /* its hash */
};

/* At most cap buckets; memory follows use.  -ENOMEM. */
int lease_hash_init(struct lease_hash *h, size_t cap, struct lease **(*next)(struct lease *l),
	uint64_t (*key)(const struct lease *l)) WARN_UNUSED;
void lease_hash_free(struct lease_hash *h);
/* n leases will come: as many buckets at once.  Only while it is empty. */
void lease_hash_expect(struct lease_hash *h, size_t n);
/* The chain of a hash. */
struct lease **lease_hash_chain(const struct lease_hash *h, uint64_t key);
void lease_hash_add(struct lease_hash *h, struct lease *l);
/* l must be in it. */
void lease_hash_remove(struct lease_hash *h, struct lease *l);
/* One more bucket, unless there are cap of them: splits the oldest unsplit one. */
void lease_hash_grow(struct lease_hash *h);
