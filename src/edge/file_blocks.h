/* What files hold, read once for all who send it.
 *
 * A file is known by device, inode, size and times: transfers of the same one share
 * one descriptor and its blocks of 128 KiB, which workers read; the loop never
 * waits for a disk.  Blocks stay in memory after their use, the least recently used
 * go first, and the next one is read ahead.  No mmap: a file that shrinks would be
 * a SIGBUS.  Everything but the reading itself happens on the loop that it was given.
 *
 * Opens nothing by name: descriptors come from the caller.
 */
#pragma once

#include "base/text.h"

#include <uv.h>

#define FILE_BLOCK_SIZE (128u << 10)

struct file_blocks;
struct block_file;

struct file_block {
	const uint8_t *p; /* valid while it is held */
	size_t n;
	uint64_t offset; /* in its file */
};

/* Waits for a block; zeroed by the caller, in whose memory it stands.  ready() only
 * takes note: it calls nothing of this file. */
struct block_wait {
	struct block_wait *prev, *next;
	struct cached_block *block; /* NULL: does not wait */
	void (*ready)(struct block_wait *w);
};

/* limit_octets: of blocks in memory, those that are read or held just now excepted.
 * 0 or -ENOMEM. */
int file_blocks_new(
	uv_loop_t *loop, size_t limit_octets, struct file_blocks **ret_cache) WARN_UNUSED;
/* All files have been released.  closed(ctx) is called when no worker reads any
 * more: at once, or from the loop. */
void file_blocks_close(struct file_blocks *cache, void (*closed)(void *ctx), void *ctx);

/* A regular file, from its descriptor, which moves here on success.  0 or -errno. */
int file_blocks_open(struct file_blocks *cache, int fd, struct block_file **ret_file) WARN_UNUSED;
/* A text, which moves here on success, as a file.  0 or -ENOMEM. */
int file_blocks_open_text(
	struct file_blocks *cache, struct text *text, struct block_file **ret_file) WARN_UNUSED;
/* Once for each open; no wait of that user's is left. */
void block_file_release(struct block_file *file);
uint64_t block_file_size(const struct block_file *file);
/* False when the file is no longer what it was at its opening.  One replaced by
 * rename is: the old one stays whole as long as it is open. */
bool block_file_is_unchanged(struct block_file *file);
/* The file system is asked for that once a turn, for all who send the file. */
void file_blocks_next_turn(struct file_blocks *cache);

/* Holds the block of that offset (less than the size): 0, and block_release() once.
 * -EINPROGRESS: it is being read; w->ready(w) is called once, then ask again.
 * -EIO, -ENOMEM, …: it cannot be read; -ESTALE: it changed.  These stay. */
int block_file_hold(struct block_file *file, uint64_t offset, struct block_wait *w,
	const struct file_block **ret_block) WARN_UNUSED;
void block_release(const struct file_block *block);
void block_wait_cancel(struct block_wait *w);
