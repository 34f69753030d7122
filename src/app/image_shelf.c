/* Room for images; see image_shelf.h. */
#include "app/image_shelf.h"

#include "core/sums.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#define NAME_LENGTH (2 * SUMS_SHA256_SIZE)
#define PATH_SIZE   (PATH_MAX + NAME_LENGTH + 8)
#define USED_S      60 /* how exactly a use is noted on disk */

struct shelf_file {
	UT_hash_handle hh; /* in the order of use: who was not used for longest is the first */
	char name[NAME_LENGTH + 1];
	bool has_copy, is_fetched, is_held;
	uint64_t copy, beginning; /* octets */
	int64_t used_s;           /* wall clock, as it is noted on disk */
};

struct image_shelf {
	char dir[PATH_MAX]; /* a path: it may be removed and made anew */
	struct shelf_file *files;
	uint64_t octets, limit;
	image_shelf_gone gone;
	void *ctx;
};

/* --- files --- */

static struct shelf_file *find(const struct image_shelf *s, const char *name)
{
	struct shelf_file *f;

	HASH_FIND_STR(s->files, name, f);
	return f;
}

static struct shelf_file *add(struct image_shelf *s, const char *name)
{
	struct shelf_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	HASH_ADD_STR(s->files, name, f);
	return f;
}

static void forget_if_nothing(struct image_shelf *s, struct shelf_file *f)
{
	if (f->has_copy || f->is_fetched || f->beginning)
		return;
	HASH_DEL(s->files, f);
	free(f);
}

static void set_octets(struct image_shelf *s, uint64_t *of_file, uint64_t octets)
{
	s->octets = s->octets - *of_file + octets;
	*of_file = octets;
}

static void path_of(const struct image_shelf *s, const char *before, const char *name,
	const char *after, char ret[static PATH_SIZE])
{
	(void)snprintf(ret, PATH_SIZE, "%s/%s%s%s", s->dir, before, name, after);
}

static void unlink_one(
	const struct image_shelf *s, const char *before, const char *name, const char *after)
{
	char path[PATH_SIZE];

	path_of(s, before, name, after, path);
	(void)unlink(path);
}

static void drop_beginning(struct image_shelf *s, struct shelf_file *f)
{
	unlink_one(s, ".", f->name, ".part");
	unlink_one(s, ".", f->name, ".of");
	set_octets(s, &f->beginning, 0);
}

static void drop_copy(struct image_shelf *s, struct shelf_file *f)
{
	unlink_one(s, "", f->name, ".of");
	unlink_one(s, "", f->name, "");
	set_octets(s, &f->copy, 0);
	f->has_copy = false;
	s->gone(s->ctx, f->name);
}

/* --- room --- */

static bool may_copy_go(const struct shelf_file *f)
{
	return f->has_copy && !f->is_held;
}

/* Something goes; false: there is nothing that may. */
static bool drop_something(struct image_shelf *s)
{
	struct shelf_file *copy = NULL, *renewed = NULL;

	for (struct shelf_file *f = s->files; f; f = f->hh.next) {
		if (!f->is_fetched && f->beginning) {
			drop_beginning(s, f);
			forget_if_nothing(s, f);
			return true;
		}
		if (may_copy_go(f) && !copy && !f->is_fetched)
			copy = f;
		if (may_copy_go(f) && !renewed && f->is_fetched)
			renewed = f;
	}
	if (!copy)
		copy = renewed;
	if (!copy)
		return false;
	drop_copy(s, copy);
	forget_if_nothing(s, copy);
	return true;
}

/* As much as may go at most. */
static uint64_t octets_that_stay(const struct image_shelf *s)
{
	uint64_t n = s->octets;

	for (const struct shelf_file *f = s->files; f; f = f->hh.next) {
		if (!f->is_fetched)
			n -= f->beginning;
		if (may_copy_go(f))
			n -= f->copy;
	}
	return n;
}

static bool has_room(const struct image_shelf *s, uint64_t held, uint64_t more)
{
	return held <= s->limit && more <= s->limit - held;
}

static bool make_room(struct image_shelf *s, uint64_t more)
{
	if (has_room(s, s->octets, more))
		return true;
	if (!has_room(s, octets_that_stay(s), more))
		return false; /* nobody would have what room there was made */
	while (!has_room(s, s->octets, more) && drop_something(s))
		;
	return true;
}

/* Within a limit that is perhaps another than before, and with one more file.  False:
 * there are so many files that none may come. */
static bool shrink(struct image_shelf *s, unsigned files)
{
	while ((s->octets > s->limit || HASH_COUNT(s->files) + files > IMAGE_SHELF_FILES_MAX) &&
		drop_something(s))
		;
	return HASH_COUNT(s->files) + files <= IMAGE_SHELF_FILES_MAX;
}

int image_shelf_begin(struct image_shelf *s, const char *name, uint64_t limit)
{
	struct shelf_file *f = find(s, name);
	bool may_come;

	s->limit = limit;
	(void)mkdir(s->dir, 0755);
	if (f)
		f->is_fetched = true; /* and stays */
	may_come = shrink(s, f == NULL);
	if (!f && may_come)
		f = add(s, name);
	if (!f)
		return may_come ? -ENOMEM : -ENOSPC;
	f->is_fetched = true;
	return 0;
}

int image_shelf_claim(struct image_shelf *s, const char *name, uint64_t octets)
{
	struct shelf_file *f = find(s, name);

	if (!f)
		return -ENOENT;
	if (octets > f->beginning && !make_room(s, octets - f->beginning))
		return -ENOSPC;
	set_octets(s, &f->beginning, octets);
	return 0;
}

void image_shelf_hold(struct image_shelf *s, const char *name, bool is_held)
{
	struct shelf_file *f = find(s, name);

	if (f)
		f->is_held = is_held;
}

/* --- what is there --- */

static uint64_t size_of(const struct image_shelf *s, const char *before, const char *name,
	const char *after, bool *ret_is_there)
{
	char path[PATH_SIZE];
	struct stat st;

	path_of(s, before, name, after, path);
	*ret_is_there = lstat(path, &st) == 0 && S_ISREG(st.st_mode);
	return *ret_is_there ? (uint64_t)st.st_size : 0;
}

bool image_shelf_end(struct image_shelf *s, const char *name, uint64_t *ret_size)
{
	struct shelf_file *f = find(s, name);
	bool is_there;

	if (!f)
		return false;
	f->is_fetched = f->is_held = false;
	set_octets(s, &f->beginning, size_of(s, ".", name, ".part", &is_there));
	set_octets(s, &f->copy, size_of(s, "", name, "", &is_there));
	*ret_size = f->copy;
	f->has_copy = is_there;
	forget_if_nothing(s, f);
	if (is_there)
		image_shelf_use(s, name);
	return is_there;
}

bool image_shelf_has(const struct image_shelf *s, const char *name)
{
	const struct shelf_file *f = find(s, name);

	return f && f->has_copy;
}

void image_shelf_use(struct image_shelf *s, const char *name)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	struct shelf_file *f = find(s, name);
	int64_t now_s = time(NULL);
	char path[PATH_SIZE];

	if (!f)
		return;
	HASH_DEL(s->files, f); /* to the end of their order */
	HASH_ADD_STR(s->files, name, f);
	/* The next run has the order from the disk. */
	if (now_s < f->used_s + USED_S && now_s >= f->used_s)
		return;
	f->used_s = now_s;
	path_of(s, "", name, "", path);
	(void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

/* --- the beginning: what an earlier run left --- */

static bool is_name(struct span s)
{
	struct sha256 d;

	return sha256_parse(s, &d) == 0;
}

/* As edge/partial.c calls a beginning and its note: nobody else's hidden files. */
static bool is_beginning(const char *s)
{
	return s[0] == '.' && strlen(s) > NAME_LENGTH + 1 &&
		is_name((struct span){ (const uint8_t *)s + 1, NAME_LENGTH }) &&
		(strcmp(s + 1 + NAME_LENGTH, ".part") == 0 ||
			strcmp(s + 1 + NAME_LENGTH, ".of") == 0);
}

static int take_in(struct image_shelf *s, const char *name)
{
	struct shelf_file *f;
	char path[PATH_SIZE];
	struct stat st;

	if (is_beginning(name))
		unlink_one(s, "", name, "");
	if (!is_name(span_str(name)))
		return 0;
	path_of(s, "", name, "", path);
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	f = add(s, name);
	if (!f)
		return -ENOMEM;
	f->has_copy = true;
	f->used_s = st.st_atim.tv_sec;
	set_octets(s, &f->copy, (uint64_t)st.st_size);
	return 0;
}

static int by_use(const struct shelf_file *a, const struct shelf_file *b)
{
	return a->used_s < b->used_s ? -1 : a->used_s > b->used_s;
}

static int take_in_all(struct image_shelf *s)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return 0; /* what cannot be read cannot be written either, and that is said then */
	while (r == 0 && (e = readdir(d)))
		r = take_in(s, e->d_name);
	(void)closedir(d);
	HASH_SORT(s->files, by_use);
	return r;
}

int image_shelf_open(const char *dir, image_shelf_gone gone, void *ctx, struct image_shelf **ret)
{
	struct image_shelf *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->gone = gone;
	s->ctx = ctx;
	(void)snprintf(s->dir, sizeof(s->dir), "%s", dir);
	r = take_in_all(s);
	if (r < 0) {
		image_shelf_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void image_shelf_free(struct image_shelf *s)
{
	struct shelf_file *f, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->files, f, next) {
		HASH_DEL(s->files, f);
		free(f);
	}
	free(s);
}
