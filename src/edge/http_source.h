/* Where an entity's octets lie: in one open file, or in several and in memory by a
 * list of pieces.  Files may still be coming (edge/growing.h).
 *
 * Owns the descriptors.  Says what the entity is (its size, its tag) and where each
 * of its octets comes from; whether a file is still the one that was opened, and
 * whether reading it would wait for a disk.  Sends nothing and knows no requests.
 */
#pragma once

#include "core/http_reply.h"
#include "core/pieces.h"
#include "edge/growing.h"

#include <sys/stat.h>

/* Where a file's octets may be when they are to be sent. */
enum file_storage {
	STORAGE_TELLS,  /* the kernel says whether they are in its cache (RWF_NOWAIT) */
	STORAGE_MEMORY, /* nowhere else */
	STORAGE_SILENT, /* nobody knows (NFS): they are to be read by a worker first */
};

struct source_file {
	int fd; /* -1: none */
	enum file_storage storage;
	struct stat st; /* as it was when opened; while it grows, only the size that it will have */
	struct growing *growing; /* it comes only now; NULL: it is all there */
};

/* What the pieces' files are; built by whoever lays out an entity. */
struct http_parts {
	struct pieces pieces;
	size_t n_files;
	struct source_file files[];
};

struct http_source {
	struct source_file file;  /* the only one, from its beginning to its end */
	struct http_parts *parts; /* or these; NULL */
};

/* A file that grows; g moves in.  -errno, and g stays the caller's. */
int source_file_growing(struct growing *g, struct source_file *ret) WARN_UNUSED;
/* Nothing to do for none. */
void source_file_close(struct source_file *f);

/* No octets at all. */
struct http_source http_source_none(void);
/* The file moves in. */
struct http_source http_source_file(int fd, const struct stat *st);
/* The parts move in. */
struct http_source http_source_parts(struct http_parts *parts);
/* As source_file_growing(). */
int http_source_growing(struct growing *g, struct http_source *ret) WARN_UNUSED;
void http_source_close(struct http_source *s);

/* Parts with so many files, none of them open yet, and without pieces.  -ENOMEM. */
int http_parts_new(size_t n_files, struct http_parts **ret) WARN_UNUSED;
/* Closes the files; NULL is fine. */
void http_parts_free(struct http_parts *p);

/* All of the entity but its type.  The tag of several parts is made of each file's
 * identity, of the octets in memory and of how they lie; while a file grows there is none. */
void http_source_entity(const struct http_source *s, struct http_entity *ret);
void http_entity_of_stat(const struct stat *st, struct http_entity *ret);

/* Where the octets from `at` on are, as far as they are in one place. */
struct piece_range http_source_at(const struct http_source *s, uint64_t at);
/* The file, or the memory, of such a range. */
struct source_file *http_source_file_of(struct http_source *s, const struct piece_range *range);
/* How many octets of such a range may be sent by now. */
uint64_t http_source_ready(const struct http_source *s, const struct piece_range *range);
/* A file that grew will not be whole: nor will the entity. */
bool http_source_is_broken(const struct http_source *s);
struct span http_source_octets_of(const struct http_source *s, const struct piece_range *range);

/* Written anew in place, a file would go out as a mix of old and new. */
bool source_file_is_unchanged(const struct source_file *f);
/* Judged by the ends of the range: the kernel reads ahead in larger steps. */
bool source_file_is_cached(struct source_file *f, uint64_t offset, size_t n);
