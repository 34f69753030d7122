/* Golden texts: what a renderer makes, beside what it should make. */
#pragma once

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* golden: a file below tests/vectors.  With BOOTSMITH_BLESS set, the texts as they
 * are now become the golden ones. */
static inline void golden_compare(const char *golden, const struct text *is)
{
	char path[1024], should[8192];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), VECTORS_DIR "/%s", golden);
	if (getenv("BOOTSMITH_BLESS")) {
		f = fopen(path, "we");
		assert_non_null(f);
		(void)fwrite(is->p, 1, is->n, f);
		(void)fclose(f);
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s is missing", path);
	n = fread(should, 1, sizeof(should) - 1, f);
	(void)fclose(f);
	should[n] = '\0';
	if (n != is->n || memcmp(should, is->p, n) != 0)
		fail_msg("%s:\n%s\nexpected:\n%s", golden, text_str(is), should);
}
