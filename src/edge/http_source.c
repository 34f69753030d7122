/* Entities of files and pieces; see http_source.h. */
#include "edge/http_source.h"

#include "edge/files.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define TAG_OCTETS 16u /* of a SHA-256: as good as all of it against chance */

/* --- files --- */

int source_file_growing(struct growing *g, struct source_file *ret)
{
	int fd, r = growing_open(g, &fd);

	if (r < 0)
		return r;
	*ret = (struct source_file){
		.fd = fd, .st.st_size = (off_t)growing_total(g), .growing = g
	};
	return 0;
}

void source_file_close(struct source_file *f)
{
	growing_unref(f->growing);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct source_file){ .fd = -1 };
}

/* --- sources --- */

struct http_source http_source_none(void)
{
	return (struct http_source){ .file.fd = -1 };
}

struct http_source http_source_file(int fd, const struct stat *st)
{
	return (struct http_source){ .file = { .fd = fd, .st = *st } };
}

struct http_source http_source_parts(struct http_parts *parts)
{
	return (struct http_source){ .file.fd = -1, .parts = parts };
}

int http_source_growing(struct growing *g, struct http_source *ret)
{
	struct source_file file;
	int r = source_file_growing(g, &file);

	if (r == 0)
		*ret = (struct http_source){ .file = file };
	return r;
}

void http_source_close(struct http_source *s)
{
	source_file_close(&s->file);
	http_parts_free(s->parts);
	*s = http_source_none();
}

int http_parts_new(size_t n_files, struct http_parts **ret)
{
	struct http_parts *p = calloc(1, sizeof(*p) + n_files * sizeof(p->files[0]));

	if (!p)
		return -ENOMEM;
	p->n_files = n_files;
	for (size_t i = 0; i < n_files; i++)
		p->files[i].fd = -1;
	*ret = p;
	return 0;
}

void http_parts_free(struct http_parts *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_files; i++)
		source_file_close(&p->files[i]);
	pieces_free(&p->pieces);
	free(p);
}

/* --- what the entity is --- */

/* A file written anew has another inode, one written in place another time. */
static int print_identity(char *buf, size_t cap, const struct stat *st)
{
	return snprintf(buf, cap, "%llx-%llx-%llx-%llx.%x", (unsigned long long)st->st_dev,
		(unsigned long long)st->st_ino, (unsigned long long)st->st_size,
		(unsigned long long)st->st_mtim.tv_sec, (unsigned)st->st_mtim.tv_nsec);
}

void http_entity_of_stat(const struct stat *st, struct http_entity *ret)
{
	char identity[sizeof(ret->etag.s) - 2];

	(void)print_identity(identity, sizeof(identity), st);
	(void)snprintf(ret->etag.s, sizeof(ret->etag.s), "\"%s\"", identity);
	ret->size = (uint64_t)st->st_size;
	ret->has_date = true;
	ret->mtime_s = st->st_mtim.tv_sec;
}

static bool digest_parts(const struct http_parts *p, EVP_MD_CTX *ctx, unsigned char *ret)
{
	bool good = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < p->pieces.n; i++) {
		const struct piece *piece = &p->pieces.list[i];
		char line[192], identity[96] = "";
		int n;

		if (piece->kind == PIECE_FILE)
			(void)print_identity(identity, sizeof(identity), &p->files[piece->file].st);
		n = snprintf(line, sizeof(line), "%d %llx %llx %s\n", (int)piece->kind,
			(unsigned long long)piece->offset, (unsigned long long)piece->end,
			identity);
		good = good && EVP_DigestUpdate(ctx, line, (size_t)n) == 1;
	}
	return good &&
		EVP_DigestUpdate(ctx, text_str(&p->pieces.octets), p->pieces.octets.n) == 1 &&
		EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
}

/* No tag where it cannot be made: then nothing is said to be the same. */
static void tag_parts(const struct http_parts *p, struct http_etag *ret)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx && digest_parts(p, ctx, digest)) {
		char *at = ret->s;

		*at++ = '"';
		for (size_t i = 0; i < TAG_OCTETS; i++)
			at += snprintf(at, 3, "%02x", digest[i]);
		(void)snprintf(at, 2, "\"");
	}
	EVP_MD_CTX_free(ctx);
}

/* Which version it will be nobody knows. */
static bool is_growing(const struct http_source *s)
{
	for (size_t i = 0; s->parts && i < s->parts->n_files; i++)
		if (s->parts->files[i].growing)
			return true;
	return s->file.growing != NULL;
}

void http_source_entity(const struct http_source *s, struct http_entity *ret)
{
	bool has_tag = !is_growing(s);

	ret->size = s->parts ? pieces_length(&s->parts->pieces) : (uint64_t)s->file.st.st_size;
	if (s->parts && has_tag)
		tag_parts(s->parts,
			&ret->etag); /* of memory's octets nobody knows when they changed: no date */
	else if (has_tag)
		http_entity_of_stat(&s->file.st, ret);
}

/* --- where its octets are --- */

struct piece_range http_source_at(const struct http_source *s, uint64_t at)
{
	uint64_t size = (uint64_t)s->file.st.st_size;

	if (s->parts)
		return pieces_at(&s->parts->pieces, at);
	return (struct piece_range){
		.kind = PIECE_FILE, .offset = at, .n = at < size ? size - at : 0
	};
}

static const struct source_file *file_of(
	const struct http_source *s, const struct piece_range *range)
{
	return s->parts ? &s->parts->files[range->file] : &s->file;
}

uint64_t http_source_ready(const struct http_source *s, const struct piece_range *range)
{
	const struct growing *g = range->kind == PIECE_FILE ? file_of(s, range)->growing : NULL;
	uint64_t available;

	if (!g)
		return range->n;
	available = growing_available(g);
	if (available <= range->offset)
		return 0;
	available -= range->offset;
	return available < range->n ? available : range->n;
}

bool http_source_is_broken(const struct http_source *s)
{
	for (size_t i = 0; s->parts && i < s->parts->n_files; i++)
		if (s->parts->files[i].growing && growing_is_broken(s->parts->files[i].growing))
			return true;
	return s->file.growing && growing_is_broken(s->file.growing);
}

struct source_file *http_source_file_of(struct http_source *s, const struct piece_range *range)
{
	return s->parts ? &s->parts->files[range->file] : &s->file;
}

struct span http_source_octets_of(const struct http_source *s, const struct piece_range *range)
{
	static const uint8_t zeros[4096];

	if (range->kind == PIECE_ZEROS)
		return (struct span){ zeros,
			range->n < sizeof(zeros) ? (size_t)range->n : sizeof(zeros) };
	return (struct span){ (const uint8_t *)s->parts->pieces.octets.p + range->offset,
		(size_t)range->n };
}

/* --- its files --- */

bool source_file_is_unchanged(const struct source_file *f)
{
	struct stat now;

	return fstat(f->fd, &now) == 0 && now.st_size == f->st.st_size &&
		now.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec;
}

static bool is_octet_cached(struct source_file *f, uint64_t offset)
{
	uint8_t octet;
	struct iovec iov = { &octet, 1 };

	if (f->storage != STORAGE_TELLS)
		return f->storage == STORAGE_MEMORY;
	if (preadv2(f->fd, &iov, 1, (off_t)offset, RWF_NOWAIT) >= 0)
		return true;
	/* Looked up once for a file: NFS asks its server, as it does for fstat. */
	if (errno == EOPNOTSUPP) {
		f->storage = files_is_in_memory(f->fd) ? STORAGE_MEMORY : STORAGE_SILENT;
		return f->storage == STORAGE_MEMORY;
	}
	return errno != EAGAIN; /* sendfile will find out the same, and say it */
}

bool source_file_is_cached(struct source_file *f, uint64_t offset, size_t n)
{
	return is_octet_cached(f, offset) && is_octet_cached(f, offset + n - 1);
}
