/* Lists of SHA-256 digests, as distributions publish them beside their files.
 *
 * Understood are the lines of sha256sum(1) (`HEX  name`, `HEX *name`), those of its
 * --tag form (`SHA256 (name) = HEX`) and those of Debian's Release files
 * (` HEX size name`).  What looks otherwise is passed over: such lists hold
 * signatures, headings and other digests too.  Whether the list itself can be
 * trusted its reader has to know.
 */
#pragma once

#include "base/bytes.h"

#define SUMS_SHA256_SIZE 32u

struct sha256 {
	uint8_t b[SUMS_SHA256_SIZE];
};

struct sha256_text {
	char s[2 * SUMS_SHA256_SIZE + 1];
};

/* 64 hexadecimal digits in either case; -EINVAL. */
int sha256_parse(struct span s, struct sha256 *ret) WARN_UNUSED;
struct sha256_text sha256_str(struct sha256 d);
static inline bool sha256_eq(struct sha256 a, struct sha256 b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

/* The digest that a list gives for a name; `./` before either name means nothing.
 * -ENOENT: the list does not have it; -EEXIST: it has two that differ. */
int sums_find(struct span list, struct span name, struct sha256 *ret) WARN_UNUSED;

/* How the list at sums_url calls the file at url: by its path below the list's
 * directory.  False: it is not below it.  No URL with a query fits. */
bool sums_name_of(const char *sums_url, const char *url, struct span *ret_name) WARN_UNUSED;
