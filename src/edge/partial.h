/* A file that comes piece by piece, and is there only when it is whole.
 *
 * For the file DIR/NAME its octets are gathered in DIR/.NAME.part, while DIR/.NAME.of
 * says which version of which URL they are, and is locked.  The file itself is
 * replaced by a rename, with its octets and its directory on disk; until then the
 * old one stays as it is.  A beginning that is of no use is never overwritten: a
 * new file takes its name, so whoever reads the former one sees no mixture.
 *
 * Knows nothing of the network.  Blocks for the disk.
 */
#pragma once

#include "base/text.h"
#include "core/sums.h"

struct partial;

/* The beginning that is there, of this URL; its directory must exist.  keep_note: DIR/NAME.of
 * is to say of the whole file what DIR/.NAME.of says of its beginning.  -EBUSY: another
 * process is at it; or -errno. *cancelled (atomic; NULL: never): -ECANCELED, since a digest of what
 * is there takes long. */
int partial_open(const char *path, const char *url, bool keep_note, const bool *cancelled,
	struct partial **ret) WARN_UNUSED;
/* Of which version the whole file is that is in place, where a note was kept; else empty. */
struct span partial_in_place(const struct partial *p);
/* How much there is, and of which version: the validator that partial_start() got. */
uint64_t partial_size(const struct partial *p);
struct span partial_validator(const struct partial *p);
/* Its descriptor, -1 before the first octet; the partial's own. */
int partial_fd(const struct partial *p);

/* A new file, of this version. */
int partial_start(struct partial *p, struct span validator) WARN_UNUSED;
int partial_add(struct partial *p, struct span octets) WARN_UNUSED;
/* All is there: replaces the file when it has the digest (NULL: any).  -EBADMSG: it
 * has not, *ret_got says what it has, and what was gathered is gone; or -errno. */
int partial_finish(
	struct partial *p, const struct sha256 *expected, struct sha256 *ret_got) WARN_UNUSED;
/* What was gathered goes. */
void partial_discard(struct partial *p);
/* What was gathered stays, for the next partial_open().  NULL is no partial. */
void partial_close(struct partial *p);

/* The digest of a file that is there.  -errno; cancelled as above. */
int partial_sha256_of(const char *path, const bool *cancelled, struct sha256 *ret) WARN_UNUSED;
