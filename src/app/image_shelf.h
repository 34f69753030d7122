/* The directory of images: what it holds, and who goes for want of room.
 *
 * It holds whole copies, and beginnings as edge/partial.c calls them.  Before a
 * beginning grows its octets are claimed here, so that all of it together stays within
 * the limit, but for the notes (8 KiB beside each file, at most).  Where there is no
 * room, beginnings go that nobody fetches at the moment; then the copies that were not
 * used for longest, those last that are being renewed; but nothing where all of that
 * would not do.  Files of other names are nobody's here.
 *
 * One thread's.  Waits for the disk.
 */
#pragma once

#include "base/bytes.h"

#define IMAGE_SHELF_FILES_MAX 4096u

struct image_shelf;

/* A copy went for want of room. */
typedef void (*image_shelf_gone)(void *ctx, const char *name);

/* Of dir, which image_shelf_begin() makes where there is none.  Beginnings that lie there go: whether their
 * last octets reached the disk nobody knows.  -ENOMEM. */
int image_shelf_open(
	const char *dir, image_shelf_gone gone, void *ctx, struct image_shelf **ret) WARN_UNUSED;
void image_shelf_free(struct image_shelf *s); /* NULL is fine */

/* A file of this name (64 hexadecimal digits) is to be fetched; until image_shelf_end()
 * its beginning stays.  limit: octets, from now on.  -ENOSPC: there is no room for one more; -ENOMEM. */
int image_shelf_begin(struct image_shelf *s, const char *name, uint64_t limit) WARN_UNUSED;
/* Its beginning may have so many octets, and has no more before it asks again.
 * -ENOSPC: there is no room for that beside what else is being fetched. */
int image_shelf_claim(struct image_shelf *s, const char *name, uint64_t octets) WARN_UNUSED;
/* A worker has its files in hands (true), or no more: meanwhile its copy does not go. */
void image_shelf_hold(struct image_shelf *s, const char *name, bool is_held);
/* It is not fetched any more.  True: there is a whole file, of *ret_size octets. */
bool image_shelf_end(struct image_shelf *s, const char *name, uint64_t *ret_size);
/* Is there a whole file? */
bool image_shelf_has(const struct image_shelf *s, const char *name);
/* Somebody has it. */
void image_shelf_use(struct image_shelf *s, const char *name);
