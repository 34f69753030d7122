/* Shared blocks of files.  Reads on workers only, and a few at a time: a disk that
 * hangs must leave libuv a thread for the others. */
#include "edge/file_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define FILE_BUCKETS  1024u
#define BLOCK_BUCKETS 4096u
#define READS_MAX     3    /* of libuv's four threads */
#define AHEAD_MAX     16   /* blocks that nobody waits for yet */
#define BLOCK_CHARGE  4096 /* at least, so that tiny files are bounded too */

/* A write within the same tick of the file system's clock leaves no trace: what is so
 * young is not shared with later transfers.  Some clocks count whole seconds. */
#define YOUNG_NS        50000000
#define YOUNG_COARSE_NS 2000000000

enum block_state {
	BLOCK_QUEUED,
	BLOCK_READING,
	BLOCK_READY,
	BLOCK_TEXT, /* a text as it is, in no table */
};

struct cached_block {
	struct file_block pub; /* first: what holders have */
	struct block_file *file;
	enum block_state state;
	bool wanted; /* QUEUED: somebody waits, and not only may soon */
	unsigned holders;
	uint8_t *data;
	struct cached_block *bucket_next;
	struct cached_block *prev, *next;           /* of a queue, or of the LRU list */
	struct cached_block *file_prev, *file_next; /* of file->blocks */
	struct block_wait *waits;
	uv_work_t work;
	int result;
};

struct block_file {
	struct file_blocks *cache;
	struct stat st;
	int fd;                  /* -1: nobody uses it, or a text */
	bool known;              /* in the table, for others to share */
	int error;               /* why nothing more can be read */
	unsigned users, reading; /* users: opens, and blocks that are held */
	uint64_t checked_turn;   /* when fstat() last said that it is unchanged */
	struct cached_block *blocks;
	struct block_file *bucket_next;
	struct text text;
	struct cached_block text_block;
};

struct file_blocks {
	uv_loop_t *loop;
	uint64_t turn;
	size_t limit, octets;
	unsigned reading, n_ahead;
	struct cached_block *wanted, *ahead; /* queues of reads */
	struct cached_block *unused;         /* READY, the least recently used first */
	void (*closed)(void *ctx);
	void *closed_ctx;
	struct block_file *files[FILE_BUCKETS];
	struct cached_block *blocks[BLOCK_BUCKETS];
};

static void start_reads(struct file_blocks *c);

/* ---- tables ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static struct cached_block **block_bucket(const struct block_file *f, uint64_t offset)
{
	uint64_t h = mix((uint64_t)(uintptr_t)f + offset / FILE_BLOCK_SIZE * 0x9e3779b97f4a7c15u);

	return &f->cache->blocks[h % BLOCK_BUCKETS];
}

static struct cached_block *find_block(const struct block_file *f, uint64_t offset)
{
	struct cached_block *b = *block_bucket(f, offset);

	while (b && (b->file != f || b->pub.offset != offset))
		b = b->bucket_next;
	return b;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && is_same_time(a->st_mtim, b->st_mtim);
}

static struct block_file **file_bucket(struct file_blocks *c, const struct stat *st)
{
	return &c->files[mix((uint64_t)st->st_ino ^ (uint64_t)st->st_dev << 40) % FILE_BUCKETS];
}

/* ctime too: whoever sets mtime back after a change cannot set that. */
static struct block_file *find_file(struct file_blocks *c, const struct stat *st)
{
	struct block_file *f = *file_bucket(c, st);

	while (f &&
		(f->st.st_ino != st->st_ino || f->st.st_dev != st->st_dev ||
			!is_same_content(&f->st, st) || !is_same_time(f->st.st_ctim, st->st_ctim)))
		f = f->bucket_next;
	return f;
}

static void forget_file(struct block_file *f)
{
	struct block_file **at = file_bucket(f->cache, &f->st);

	if (!f->known)
		return;
	while (*at != f)
		at = &(*at)->bucket_next;
	*at = f->bucket_next;
	f->known = false;
}

/* ---- blocks ---- */

static size_t charge(size_t n)
{
	return n > BLOCK_CHARGE ? n : BLOCK_CHARGE;
}

static void leave_queue(struct cached_block *b)
{
	struct file_blocks *c = b->file->cache;

	if (b->wanted) {
		DL_DELETE(c->wanted, b);
	} else {
		DL_DELETE(c->ahead, b);
		c->n_ahead--;
	}
}

/* A block that is not read just now, and that nobody holds or waits for. */
static void drop_block(struct cached_block *b)
{
	struct file_blocks *c = b->file->cache;
	struct cached_block **at = block_bucket(b->file, b->pub.offset);

	if (b->state == BLOCK_QUEUED)
		leave_queue(b);
	if (b->state == BLOCK_READY)
		DL_DELETE(c->unused, b);
	while (*at != b)
		at = &(*at)->bucket_next;
	*at = b->bucket_next;
	DL_DELETE2(b->file->blocks, b, file_prev, file_next);
	if (b->data)
		c->octets -= charge(b->pub.n);
	free(b->data);
	free(b);
}

/* Closes what nobody needs open, and frees what nobody could find again. */
static void settle_file(struct block_file *f)
{
	struct cached_block *b, *next;

	if (f->users > 0 || f->reading > 0)
		return;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	DL_FOREACH_SAFE2(f->blocks, b, next, file_next)
	if (!f->known || b->state == BLOCK_QUEUED)
		drop_block(b);
	if (f->blocks)
		return;
	forget_file(f);
	text_free(&f->text);
	free(f);
}

/* Makes room for n octets as far as blocks lie unused. */
static void evict(struct file_blocks *c, size_t n)
{
	while (c->octets + n > c->limit && c->unused) {
		struct block_file *f = c->unused->file;

		drop_block(c->unused);
		if (!f->blocks)
			settle_file(f);
	}
}

static struct cached_block *new_block(struct block_file *f, uint64_t offset, bool wanted)
{
	struct file_blocks *c = f->cache;
	struct cached_block **bucket = block_bucket(f, offset);
	struct cached_block *b = calloc(1, sizeof(*b));
	uint64_t left = (uint64_t)f->st.st_size - offset;

	if (!b)
		return NULL;
	b->file = f;
	b->pub.offset = offset;
	b->pub.n = left < FILE_BLOCK_SIZE ? (size_t)left : FILE_BLOCK_SIZE;
	b->wanted = wanted;
	b->bucket_next = *bucket;
	*bucket = b;
	DL_APPEND2(f->blocks, b, file_prev, file_next);
	if (wanted) {
		DL_APPEND(c->wanted, b);
	} else {
		DL_APPEND(c->ahead, b);
		c->n_ahead++;
	}
	return b;
}

/* ---- reading ---- */

/* On a worker: touches nothing but its block's data and what never changes. */
static void read_block(uv_work_t *work)
{
	struct cached_block *b = work->data;
	const struct block_file *f = b->file;
	struct stat st;
	size_t done = 0;

	while (done < b->pub.n) {
		ssize_t n = pread(
			f->fd, b->data + done, b->pub.n - done, (off_t)(b->pub.offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			b->result = -errno;
			return;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	if (fstat(f->fd, &st) < 0)
		b->result = -errno;
	else if (done < b->pub.n || !is_same_content(&st, &f->st))
		b->result = -ESTALE;
}

static void wake(struct cached_block *b)
{
	struct block_wait *w;

	while ((w = b->waits)) {
		DL_DELETE(b->waits, w);
		w->block = NULL;
		w->ready(w);
	}
}

/* Nothing more of this file is given to anybody. */
static void file_failed(struct block_file *f, int error)
{
	struct cached_block *b, *next;

	f->error = error;
	forget_file(f);
	DL_FOREACH_SAFE2(f->blocks, b, next, file_next)
	{
		if (b->state != BLOCK_QUEUED)
			continue;
		wake(b);
		drop_block(b);
	}
}

static void maybe_closed(struct file_blocks *c)
{
	void (*closed)(void *ctx) = c->closed;
	void *ctx = c->closed_ctx;

	if (!closed || c->reading > 0)
		return;
	free(c);
	closed(ctx);
}

static void on_block_read(uv_work_t *work, int status)
{
	struct cached_block *b = work->data;
	struct block_file *f = b->file;
	struct file_blocks *c = f->cache;

	(void)status; /* nothing here cancels it */
	c->reading--;
	b->state = BLOCK_READY;
	DL_APPEND(c->unused, b);
	if (b->result < 0 && !f->error)
		file_failed(f, b->result);
	wake(b);
	if (f->error && b->holders == 0)
		drop_block(b);
	f->reading--;
	settle_file(f);
	if (c->closed)
		maybe_closed(c);
	else
		start_reads(c);
}

static void start_read(struct file_blocks *c, struct cached_block *b)
{
	struct block_file *f = b->file;

	leave_queue(b);
	b->state = BLOCK_READING;
	b->work.data = b;
	c->reading++;
	f->reading++;
	evict(c, charge(b->pub.n));
	c->octets += charge(b->pub.n);
	(void)uv_queue_work(
		c->loop, &b->work, read_block, on_block_read); /* fails without callback only */
}

static void start_reads(struct file_blocks *c)
{
	while (c->reading < READS_MAX && (c->wanted || c->ahead)) {
		struct cached_block *b = c->wanted ? c->wanted : c->ahead;

		b->data = malloc(b->pub.n);
		b->pub.p = b->data;
		if (b->data) {
			start_read(c, b);
		} else {
			struct block_file *f = b->file;

			file_failed(f, -ENOMEM);
			settle_file(f);
		}
	}
}

static void ask_ahead(struct block_file *f, uint64_t offset)
{
	if (offset < (uint64_t)f->st.st_size && f->cache->n_ahead < AHEAD_MAX &&
		!find_block(f, offset))
		(void)new_block(f, offset, false);
}

/* ---- users ---- */

int block_file_hold(struct block_file *f, uint64_t offset, struct block_wait *w,
	const struct file_block **ret_block)
{
	struct file_blocks *c = f->cache;
	struct cached_block *b;

	if (f->text_block.state == BLOCK_TEXT) {
		*ret_block = &f->text_block.pub;
		return 0;
	}
	if (f->error)
		return f->error;
	offset -= offset % FILE_BLOCK_SIZE;
	b = find_block(f, offset);
	if (!b)
		b = new_block(f, offset, true);
	if (!b)
		return -ENOMEM;
	ask_ahead(f, offset + FILE_BLOCK_SIZE);
	if (b->state == BLOCK_READY) {
		if (b->holders++ == 0)
			DL_DELETE(c->unused, b);
		f->users++;
		start_reads(c);
		*ret_block = &b->pub;
		return 0;
	}
	if (b->state == BLOCK_QUEUED && !b->wanted) {
		leave_queue(b);
		b->wanted = true;
		DL_APPEND(c->wanted, b);
	}
	w->block = b;
	DL_APPEND(b->waits, w);
	start_reads(c);
	return w->block ? -EINPROGRESS : f->error;
}

void block_release(const struct file_block *block)
{
	struct cached_block *b = (struct cached_block *)(uintptr_t)block;

	if (b->state == BLOCK_TEXT)
		return;
	if (--b->holders == 0)
		DL_APPEND(b->file->cache->unused, b);
	block_file_release(b->file);
}

void block_wait_cancel(struct block_wait *w)
{
	if (!w->block)
		return;
	DL_DELETE(w->block->waits, w);
	w->block = NULL;
}

static bool is_young(const struct stat *st)
{
	struct timespec now;
	int64_t age_ns, limit = st->st_mtim.tv_nsec == 0 ? YOUNG_COARSE_NS : YOUNG_NS;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (st->st_mtim.tv_sec > now.tv_sec + 4 || st->st_mtim.tv_sec < now.tv_sec - 4)
		return false;
	age_ns = (now.tv_sec - st->st_mtim.tv_sec) * (int64_t)1000000000 + now.tv_nsec -
		st->st_mtim.tv_nsec;
	return age_ns < limit;
}

int file_blocks_open(struct file_blocks *c, int fd, struct block_file **ret_file)
{
	struct block_file **bucket, *f;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	f = find_file(c, &st);
	if (f) {
		if (f->fd < 0)
			f->fd = fd;
		else
			close(fd);
		f->users++;
		*ret_file = f;
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->cache = c;
	f->st = st;
	f->fd = fd;
	f->users = 1;
	if (!is_young(&st)) {
		bucket = file_bucket(c, &st);
		f->bucket_next = *bucket;
		*bucket = f;
		f->known = true;
	}
	*ret_file = f;
	return 0;
}

int file_blocks_open_text(struct file_blocks *c, struct text *text, struct block_file **ret_file)
{
	struct block_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->cache = c;
	f->fd = -1;
	f->users = 1;
	f->text = *text;
	*text = (struct text){ 0 };
	f->st.st_size = (off_t)f->text.n;
	f->text_block.state = BLOCK_TEXT;
	f->text_block.pub = (struct file_block){ (const uint8_t *)f->text.p, f->text.n, 0 };
	*ret_file = f;
	return 0;
}

void block_file_release(struct block_file *f)
{
	f->users--;
	settle_file(f);
}

uint64_t block_file_size(const struct block_file *f)
{
	return (uint64_t)f->st.st_size;
}

bool block_file_is_unchanged(struct block_file *f)
{
	struct stat st;

	if (f->fd < 0 || f->checked_turn == f->cache->turn)
		return true;
	if (fstat(f->fd, &st) < 0 || !is_same_content(&st, &f->st))
		return false;
	f->checked_turn = f->cache->turn;
	return true;
}

/* ---- the cache ---- */

int file_blocks_new(uv_loop_t *loop, size_t limit_octets, struct file_blocks **ret_cache)
{
	struct file_blocks *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->limit = limit_octets;
	c->turn = 1;
	*ret_cache = c;
	return 0;
}

void file_blocks_close(struct file_blocks *c, void (*closed)(void *ctx), void *ctx)
{
	for (size_t i = 0; i < FILE_BUCKETS; i++) {
		struct block_file *f, *next;

		for (f = c->files[i]; f; f = next) {
			next = f->bucket_next;
			forget_file(f);
			settle_file(f);
		}
	}
	c->closed = closed;
	c->closed_ctx = ctx;
	maybe_closed(c);
}

void file_blocks_next_turn(struct file_blocks *c)
{
	c->turn++;
}
