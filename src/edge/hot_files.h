/* Small files that many ask for at once (a script, a configuration): kept with their
 * octets, so that an answer takes no open, read and close.
 *
 * An entry is good for a quarter of a second after its name was last looked up, and
 * only while fstat() of its file says that nothing changed: a file that was written
 * to, replaced by rename or removed is found out at once (unless within a tick of the
 * file system's clock); what only a new look at the directories shows (a symlink
 * exchanged, a directory renamed) within that time.
 * Of one thread; opens nothing itself.
 */
#pragma once

#include "base/bytes.h"

#include <sys/stat.h>

#define HOT_FILE_MAX      16384 /* octets of a file */
#define HOT_FILES_GOOD_MS 250

struct hot_files;

struct hot_file {
	const struct stat *st;
	struct span octets;
};

/* 0 or -ENOMEM. */
int hot_files_new(struct hot_files **ret) WARN_UNUSED;
void hot_files_free(struct hot_files *h);
/* Forgets all: the root is another. */
void hot_files_clear(struct hot_files *h);

/* True with *ret, valid until the next call of any function here. */
bool hot_files_find(struct hot_files *h, struct span path, uint64_t now_ms, struct hot_file *ret);
/* Keeps a file that was just opened at path, if it is small and its octets are in the
 * kernel's cache; then fd moves in and *ret is filled.  Else false. */
bool hot_files_keep(struct hot_files *h, struct span path, int fd, const struct stat *st,
	uint64_t now_ms, struct hot_file *ret);
