/* The second word of a verb's command line, `list` of `bootsmith lease list`, and
 * the words behind it. */
#pragma once

#include <stddef.h>

struct subverb {
	const char *name;
	int words;         /* so many stand behind it */
	const char *wants; /* what they are, the end of a sentence; NULL: there are none */
};

/* Which of them stands at argv[optind], with as many words behind it as it takes: its
 * index.  0, or the exit code 2 after a complaint. */
int subverb_choose(
	const char *verb, const struct subverb *list, size_t n, int argc, char **argv, size_t *ret);
