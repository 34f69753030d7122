/* "Did you mean …?" */
#pragma once

#include "base/bytes.h"

/* The nearest of many words to one that is none of them. */
struct suggestion {
	struct span given;
	const char *best; /* NULL: nothing near enough to be meant */
	size_t distance;
};

void suggestion_offer(struct suggestion *s, const char *word);
