/* Files for answers, by way of a worker; see brought_file.h. */
#include "app/brought_file.h"

#include "app/disk_answer.h"
#include "app/virtual_files.h"
#include "edge/files.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

struct brought_file {
	struct disk_answer disk;
	struct brought_file *next;
	struct question *question;
	enum site_disk place;
	size_t max; /* octets to read; 0: it is opened */
	/* what the worker found */
	int error, fd;
	struct stat st;
	struct text octets;
	size_t path_n;
	char path[]; /* ends in NUL */
};

static struct span path_of(const struct brought_file *b)
{
	return (struct span){ (const uint8_t *)b->path, b->path_n };
}

static void free_one(struct brought_file *b)
{
	if (b->fd >= 0)
		(void)close(b->fd);
	text_free(&b->octets);
	free(b);
}

void brought_files_free(struct brought_file *list)
{
	struct brought_file *b, *next;

	LL_FOREACH_SAFE(list, b, next)
		free_one(b);
}

/* --- on a worker --- */

static int open_below(const char *dir, struct brought_file *b)
{
	struct root root = root_open(dir);
	int r = root_open_file(&root, path_of(b), &b->fd, &b->st);

	root_close(&root);
	return r;
}

static int open_file(struct brought_file *b)
{
	const struct config *cfg = b->disk.now->cfg;

	if (b->place == DISK_HTTP_ROOT)
		return open_below(cfg->http_root, b);
	if (b->place == DISK_TFTP_ROOT)
		return open_below(cfg->tftp_root, b);
	return files_open_path(b->path, &b->fd, &b->st);
}

static void bring(struct disk_answer *disk)
{
	struct brought_file *b = (struct brought_file *)disk;

	b->error = open_file(b);
	if (b->error < 0 || b->max == 0)
		return;
	b->error = files_read_all(b->fd, b->max, &b->octets);
	(void)close(b->fd);
	b->fd = -1;
}

/* --- on the main thread --- */

static void give(struct disk_answer *disk)
{
	struct brought_file *b = (struct brought_file *)disk;
	struct question *q = b->question;

	LL_PREPEND(q->brought, b);
	given_error(&q->given, -ENOENT, "%s", "");
	virtual_files_answer(disk->site, q);
}

static int begin(
	struct site *site, struct question *q, enum site_disk place, struct span path, size_t max)
{
	struct brought_file *b = calloc(1, sizeof(*b) + path.n + 1);

	if (!b)
		return -ENOMEM;
	b->disk.read = bring;
	b->disk.give = give;
	b->question = q;
	b->place = place;
	b->max = max;
	b->fd = -1;
	b->path_n = path.n;
	if (path.n)
		memcpy(b->path, path.p, path.n);
	q->given.kind = GIVEN_LATER;
	disk_answer_begin(&b->disk, site, &site->disks[place]);
	return -EINPROGRESS;
}

static struct brought_file *find(
	const struct question *q, enum site_disk place, struct span path, size_t max)
{
	struct brought_file *b;

	LL_FOREACH(q->brought, b)
		if (b->place == place && b->max == max && span_eq(path_of(b), path))
			return b;
	return NULL;
}

/* What was found is taken once; that nothing was, stays. */
static void leave(struct question *q, struct brought_file *b)
{
	LL_DELETE(q->brought, b);
	free_one(b);
}

int brought_file_open(struct site *site, struct question *q, enum site_disk disk, struct span path,
	int *ret_fd, struct stat *ret_st)
{
	struct brought_file *b = find(q, disk, path, 0);

	if (!b)
		return begin(site, q, disk, path, 0);
	if (b->error < 0)
		return b->error;
	*ret_fd = b->fd;
	*ret_st = b->st;
	b->fd = -1;
	leave(q, b);
	return 0;
}

int brought_file_read(struct site *site, struct question *q, enum site_disk disk, struct span path,
	size_t max, struct text *ret)
{
	struct brought_file *b = find(q, disk, path, max);

	if (!b)
		return begin(site, q, disk, path, max);
	if (b->error < 0)
		return b->error;
	*ret = b->octets;
	b->octets = (struct text){ 0 };
	leave(q, b);
	return 0;
}
