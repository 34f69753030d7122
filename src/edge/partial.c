/* Gathering a file; see partial.h. */
#include "edge/partial.h"

#include "edge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define NOTE_MAX 8192u /* octets of a URL and a validator */
#define PIECE    (256u << 10)

struct partial {
	int dirfd, note_fd, fd;
	bool ours; /* the note is locked */
	char name[NAME_MAX + 1], part_name[NAME_MAX + 1], note_name[NAME_MAX + 1],
		kept_name[NAME_MAX + 1];
	bool keep_note;
	char *url;
	struct text validator, in_place;
	uint64_t n;
	EVP_MD_CTX *digest;
};

static int digest_begin(EVP_MD_CTX *d)
{
	return EVP_DigestInit_ex(d, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

static int digest_end(EVP_MD_CTX *d, struct sha256 *ret)
{
	return EVP_DigestFinal_ex(d, ret->b, NULL) == 1 ? 0 : -EIO;
}

/* The whole file from its beginning; *ret_n: how long it is. */
static int digest_file(EVP_MD_CTX *d, int fd, const bool *cancelled, uint64_t *ret_n)
{
	uint8_t *piece = malloc(PIECE);
	ssize_t n = 0;
	uint64_t at = 0;
	int r = piece ? digest_begin(d) : -ENOMEM;

	while (r == 0 && (n = pread(fd, piece, PIECE, (off_t)at)) > 0) {
		at += (uint64_t)n;
		r = EVP_DigestUpdate(d, piece, (size_t)n) == 1 ? 0 : -EIO;
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			r = -ECANCELED;
	}
	if (r == 0 && n < 0)
		r = -errno;
	free(piece);
	*ret_n = at;
	return r;
}

int partial_sha256_of(const char *path, const bool *cancelled, struct sha256 *ret)
{
	EVP_MD_CTX *d = EVP_MD_CTX_new();
	struct stat st;
	uint64_t size;
	int fd = -1, r = d ? files_open_path(path, &fd, &st) : -ENOMEM;

	if (r == 0)
		r = digest_file(d, fd, cancelled, &size);
	if (r == 0)
		r = digest_end(d, ret);
	if (fd >= 0)
		(void)close(fd);
	EVP_MD_CTX_free(d);
	return r;
}

/* --- the note: a line with the URL, and one with the validator --- */

/* Opens and locks it.  The one that we have locked must still be the one of that
 * name: who held it before has perhaps finished. */
static int open_note(struct partial *p)
{
	struct stat ours, named;

	for (;;) {
		p->note_fd = openat(
			p->dirfd, p->note_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (p->note_fd < 0)
			return -errno;
		if (flock(p->note_fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (fstat(p->note_fd, &ours) < 0)
			return -errno;
		if (fstatat(p->dirfd, p->note_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
			ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
			p->ours = true;
			return 0;
		}
		(void)close(p->note_fd);
	}
}

/* Its validator, where it is a note of our URL. */
static int read_note(const struct partial *p, int fd, struct text *ret_validator)
{
	struct text note = { 0 };
	struct span rest, url;
	const uint8_t *newline;
	int r = files_read_all(fd, NOTE_MAX, &note);

	if (r < 0)
		return r == -EFBIG ? 0 : r;
	rest = text_span(&note);
	newline = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
	url = newline ? (struct span){ rest.p, (size_t)(newline - rest.p) } : SPAN_NONE;
	rest = span_skip(rest, url.n + 1);
	/* Without its newline it is not all that was to be written. */
	if (span_eq(url, span_str(p->url)) && rest.n > 1 && rest.p[rest.n - 1] == '\n')
		text_add(ret_validator, (struct span){ rest.p, rest.n - 1 });
	text_free(&note);
	return ret_validator->failed ? -ENOMEM : 0;
}

/* Nothing is known of a file without a note, nor by a note without its file. */
static int read_kept(struct partial *p)
{
	int fd, r;

	if (!p->keep_note || faccessat(p->dirfd, p->name, R_OK, 0) < 0)
		return 0;
	fd = openat(p->dirfd, p->kept_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	r = read_note(p, fd, &p->in_place);
	(void)close(fd);
	return r;
}

static int write_note(const struct partial *p)
{
	struct text note = { 0 };
	ssize_t n = -1;

	text_addf(&note, "%s\n", p->url);
	text_add(&note, text_span(&p->validator));
	text_addc(&note, '\n');
	if (note.failed)
		errno = ENOMEM;
	else if (ftruncate(p->note_fd, 0) == 0)
		n = pwrite(p->note_fd, note.p, note.n, 0);
	text_free(&note);
	return n < 0 ? -errno : 0;
}

/* --- opening --- */

static int open_beginning(struct partial *p, const bool *cancelled)
{
	int r;

	if (p->validator.n == 0)
		return 0;
	p->fd = openat(p->dirfd, p->part_name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = digest_file(p->digest, p->fd, cancelled, &p->n);
	return r;
}

static int set_names(struct partial *p, const char *path, const char *url)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int n = snprintf(p->name, sizeof(p->name), "%s", name);

	p->url = strdup(url);
	if (!dir || !p->url) {
		free(dir);
		return -ENOMEM;
	}
	p->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (p->dirfd < 0)
		return -errno;
	if (n <= 0 || (size_t)n >= sizeof(p->name))
		return -ENAMETOOLONG;
	n = snprintf(p->part_name, sizeof(p->part_name), ".%s.part", name);
	(void)snprintf(p->note_name, sizeof(p->note_name), ".%s.of", name);
	(void)snprintf(p->kept_name, sizeof(p->kept_name), "%s.of", name);
	return n < (int)sizeof(p->part_name) ? 0 : -ENAMETOOLONG;
}

int partial_open(const char *path, const char *url, bool keep_note, const bool *cancelled,
	struct partial **ret)
{
	struct partial *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->dirfd = p->note_fd = p->fd = -1;
	p->keep_note = keep_note;
	p->digest = EVP_MD_CTX_new();
	r = p->digest ? set_names(p, path, url) : -ENOMEM;
	if (r == 0)
		r = open_note(p);
	if (r == 0)
		r = read_note(p, p->note_fd, &p->validator);
	if (r == 0)
		r = read_kept(p);
	if (r == 0)
		r = open_beginning(p, cancelled);
	if (r < 0) {
		partial_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct span partial_in_place(const struct partial *p)
{
	return text_span(&p->in_place);
}

uint64_t partial_size(const struct partial *p)
{
	return p->n;
}

struct span partial_validator(const struct partial *p)
{
	return text_span(&p->validator);
}

int partial_fd(const struct partial *p)
{
	return p->fd;
}

/* --- gathering --- */

static void drop_part(struct partial *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
	p->n = 0;
	(void)unlinkat(p->dirfd, p->part_name, 0);
}

int partial_start(struct partial *p, struct span validator)
{
	int r;

	drop_part(p);
	text_reset(&p->validator);
	/* A line of the note: what would end it is no validator. */
	if (validator.n > 0 && validator.n < NOTE_MAX / 4 &&
		!memchr(validator.p, '\n', validator.n))
		text_add(&p->validator, validator);
	if (p->validator.failed)
		return -ENOMEM;
	r = write_note(p);
	if (r < 0)
		return r;
	p->fd = openat(p->dirfd, p->part_name,
		O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	return p->fd < 0 ? -errno : digest_begin(p->digest);
}

int partial_add(struct partial *p, struct span octets)
{
	while (octets.n > 0) {
		ssize_t n = write(p->fd, octets.p, octets.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		if (EVP_DigestUpdate(p->digest, octets.p, (size_t)n) != 1)
			return -EIO;
		p->n += (uint64_t)n;
		octets = span_skip(octets, (size_t)n);
	}
	return 0;
}

int partial_finish(struct partial *p, const struct sha256 *expected, struct sha256 *ret_got)
{
	int r = digest_end(p->digest, ret_got);

	if (r < 0)
		return r;
	if (expected && !sha256_eq(*expected, *ret_got)) {
		partial_discard(p);
		return -EBADMSG;
	}
	/* The old note goes before the new file comes: it must not speak of that. */
	if (p->keep_note)
		(void)unlinkat(p->dirfd, p->kept_name, 0);
	if (fsync(p->fd) < 0 || renameat(p->dirfd, p->part_name, p->dirfd, p->name) < 0)
		return -errno;
	if (p->keep_note)
		(void)renameat(p->dirfd, p->note_name, p->dirfd, p->kept_name);
	p->n = 0;
	text_reset(&p->validator);
	return fsync(p->dirfd) < 0 ? -errno : 0;
}

void partial_discard(struct partial *p)
{
	drop_part(p);
	text_reset(&p->validator);
}

void partial_close(struct partial *p)
{
	if (!p)
		return;
	/* Nobody could go on with a beginning of no version. */
	if (p->ours && p->validator.n == 0)
		(void)unlinkat(p->dirfd, p->part_name, 0);
	if (p->ours && (p->validator.n == 0 || p->n == 0))
		(void)unlinkat(p->dirfd, p->note_name, 0);
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->note_fd >= 0)
		(void)close(p->note_fd);
	if (p->dirfd >= 0)
		(void)close(p->dirfd);
	EVP_MD_CTX_free(p->digest);
	text_free(&p->validator);
	text_free(&p->in_place);
	free(p->url);
	free(p);
}
