/* Lays out FAT volumes; see fat_image.h. */
#include "core/fat_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTOR      512u
#define SECTORS_MAX 64u                    /* of a cluster: 32 KiB, more is not portable */
#define VOLUME_MAX  ((uint64_t)UINT32_MAX) /* firmware of 32 bits loads no more */
#define FATS        2u

/* What kind of FAT it is, the number of clusters alone tells.  Readers err near the
 * borders, so 16 clusters on either side are left (fatgen103, "FAT Type Determination"). */
#define FAT16_MIN (4085u + 16)
#define FAT16_MAX (65524u - 16)
#define FAT32_MIN (65525u + 16)

#define FIRST_CLUSTER   2u
#define ENTRY           32u
#define NAME            11u
#define BASE            8u /* of these, before the dot */
#define LONG_NAME_MAX   255u
#define LONG_NAME_PIECE 13u    /* characters of a long name in an entry */
#define ROOT_ENTRIES    512u   /* of FAT16, whose root is no cluster's */
#define DIRECTORY_MAX   65536u /* entries */
#define FAT32_RESERVED  32u    /* sectors before the first FAT */
#define FAT32_INFO      1u
#define FAT32_BACKUP    6u
#define MEDIA           0xf8u /* a fixed disk */
#define DIRECTORY       0x10u
#define ARCHIVE         0x20u
#define LONG_NAME       0x0fu
#define LAST_PIECE      0x40u
#define DATE            0x0021u /* 1 January 1980: FAT has no earlier one */
#define VOLUME_ID       0xb0075317u
#define ALIASES_MAX     9999u

/* A directory, or a file; node 0 is the root. */
struct node {
	struct span name;
	uint8_t short_name[NAME];
	size_t n_long;               /* entries that spell its long name; 0: it has none */
	const struct fat_file *file; /* NULL: a directory */
	size_t parent;
	size_t n_entries;         /* in a directory, but for itself and its parent */
	uint32_t first, clusters; /* first: 0 where it has none */
};

struct volume {
	struct node *node;
	size_t n_nodes;
	bool is_32;
	uint32_t cluster; /* octets */
	uint32_t n_clusters, n_used;
	uint32_t reserved, fat_sectors, root_sectors;
};

static uint64_t divide_up(uint64_t v, uint64_t by)
{
	return (v + by - 1) / by;
}

static void put_u16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, v & 0xffff);
	put_u16(p + 2, v >> 16);
}

static void put_span(uint8_t *p, struct span s)
{
	memcpy(p, s.p, s.n);
}

/* --- names --- */

static bool is_name(struct span s)
{
	if (s.n == 0 || s.n > LONG_NAME_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
			    (s.p[i] >= '0' && s.p[i] <= '9') || strchr("-_.", s.p[i])))
			return false;
	return true;
}

/* So much of the name as there is room for, in capitals, without dots. */
static void put_part(struct span s, uint8_t *to, size_t room)
{
	for (size_t i = 0; i < s.n && room > 0; i++) {
		if (s.p[i] == '.')
			continue;
		*to++ = s.p[i] >= 'a' && s.p[i] <= 'z' ? (uint8_t)(s.p[i] - 'a' + 'A') : s.p[i];
		room--;
	}
}

static struct span before_last_dot(struct span s)
{
	size_t n = s.n;

	while (n > 0 && s.p[n - 1] != '.')
		n--;
	return n > 0 ? (struct span){ s.p, n - 1 } : s;
}

/* False when it is only the alias of a longer one. */
static bool short_name(struct span name, uint8_t ret[static NAME])
{
	struct span base = before_last_dot(name), extension = span_skip(name, base.n + 1);

	memset(ret, ' ', NAME);
	put_part(base, ret, BASE);
	put_part(extension, ret + BASE, NAME - BASE);
	return base.n <= BASE && extension.n <= NAME - BASE && !memchr(base.p, '.', base.n);
}

/* --- the tree --- */

static uint64_t size_of(const struct fat_file *f)
{
	return f->octets.p ? f->octets.n : f->size;
}

static struct node *find_child(const struct volume *v, size_t parent, struct span name)
{
	for (size_t i = 1; i < v->n_nodes; i++)
		if (v->node[i].parent == parent && span_eq_nocase(v->node[i].name, name))
			return &v->node[i];
	return NULL;
}

static bool is_taken(const struct volume *v, size_t parent, const uint8_t short_name[static NAME])
{
	for (size_t i = 1; i < v->n_nodes; i++)
		if (v->node[i].parent == parent &&
			memcmp(v->node[i].short_name, short_name, NAME) == 0)
			return true;
	return false;
}

/* "DEBIAN~1": a name that nobody uses, since `~` is in none of ours. */
static bool choose_alias(const struct volume *v, size_t parent, uint8_t name[static NAME])
{
	for (unsigned i = 1; i <= ALIASES_MAX; i++) {
		char number[8];
		size_t n = (size_t)snprintf(number, sizeof(number), "~%u", i), at = 0;

		while (at < BASE - n && name[at] != ' ' && name[at] != '~')
			at++;
		memset(name + at, ' ', BASE - at);
		memcpy(name + at, number, n);
		if (!is_taken(v, parent, name))
			return true;
	}
	return false;
}

static struct node *add_node(
	struct volume *v, size_t parent, struct span name, const struct fat_file *file)
{
	struct node *n = &v->node[v->n_nodes];

	*n = (struct node){ .name = name, .file = file, .parent = parent };
	if (!short_name(name, n->short_name)) {
		n->n_long = (size_t)divide_up(name.n, LONG_NAME_PIECE);
		if (!choose_alias(v, parent, n->short_name))
			return NULL;
	}
	v->node[parent].n_entries += 1 + n->n_long;
	v->n_nodes++;
	return n;
}

static const char *add_file(struct volume *v, const struct fat_file *f)
{
	struct span rest = span_str(f->path);
	size_t at = 0;

	for (;;) {
		const uint8_t *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
		struct span step = { rest.p, slash ? (size_t)(slash - rest.p) : rest.n };
		struct node *node;

		if (!is_name(step))
			return "a file's name is none that a FAT volume of ours can have";
		node = find_child(v, at, step);
		if (node && (!slash || node->file))
			return "two files of a volume have the same name";
		if (!node)
			node = add_node(v, at, step, slash ? NULL : f);
		if (!node)
			return "there are too many files in one directory";
		if (!slash)
			return NULL;
		at = (size_t)(node - v->node);
		rest = span_skip(rest, step.n + 1);
	}
}

/* At most: each step is a node. */
static size_t count_nodes(const struct fat_file *files, size_t n)
{
	size_t count = 1;

	for (size_t i = 0; i < n; i++) {
		count++;
		for (const char *p = files[i].path; *p; p++)
			count += *p == '/';
	}
	return count;
}

static const char *add_files(struct volume *v, const struct fat_file *files, size_t n)
{
	const char *why = NULL;
	uint64_t sum = 0;

	v->n_nodes = 1;
	for (size_t i = 0; i < n && !why; i++) {
		if (size_of(&files[i]) > VOLUME_MAX || (sum += size_of(&files[i])) > VOLUME_MAX)
			return "the files are larger than the 4 GiB that such an image may have";
		why = add_file(v, &files[i]);
	}
	return why;
}

/* --- sizes --- */

static bool is_root_of_fat16(const struct volume *v, const struct node *n)
{
	return n == v->node && !v->is_32;
}

/* A directory has itself and its parent in it, but the root. */
static size_t own_entries(const struct volume *v, const struct node *n)
{
	return n == v->node ? 0 : 2;
}

static uint64_t octets_of(const struct volume *v, const struct node *n)
{
	if (n->file)
		return size_of(n->file);
	return is_root_of_fat16(v, n) ? 0 : (n->n_entries + own_entries(v, n)) * ENTRY;
}

static uint64_t clusters_of(const struct volume *v, const struct node *n)
{
	uint64_t clusters = divide_up(octets_of(v, n), v->cluster);

	/* A root without anything in it has a cluster all the same. */
	return clusters == 0 && !n->file && !is_root_of_fat16(v, n) ? 1 : clusters;
}

static uint64_t needed(const struct volume *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->n_nodes; i++)
		sum += clusters_of(v, &v->node[i]);
	return sum;
}

/* The largest clusters that still are enough of them for FAT16: the shortest FATs, which
 * are all of the volume that has to be kept in memory. */
static void choose_clusters(struct volume *v)
{
	uint32_t least;

	v->cluster = SECTORS_MAX * SECTOR;
	while (v->cluster > SECTOR && needed(v) < FAT16_MIN)
		v->cluster /= 2;
	v->is_32 = needed(v) > FAT16_MAX;
	least = v->is_32 ? FAT32_MIN : FAT16_MIN;
	v->n_used = (uint32_t)needed(v);
	v->n_clusters = v->n_used > least ? v->n_used : least;
}

static uint32_t entry_octets(const struct volume *v)
{
	return v->is_32 ? 4 : 2;
}

static uint32_t sectors_before_clusters(const struct volume *v)
{
	return v->reserved + FATS * v->fat_sectors + v->root_sectors;
}

static uint64_t volume_octets(const struct volume *v)
{
	return (uint64_t)sectors_before_clusters(v) * SECTOR + (uint64_t)v->n_clusters * v->cluster;
}

static const char *plan(struct volume *v)
{
	uint32_t next = FIRST_CLUSTER;

	for (size_t i = 0; i < v->n_nodes; i++)
		if (v->node[i].n_entries > (i == 0 ? ROOT_ENTRIES : DIRECTORY_MAX - 2))
			return "there are too many files in one directory";
	choose_clusters(v);
	v->reserved = v->is_32 ? FAT32_RESERVED : 1;
	v->root_sectors = v->is_32 ? 0 : ROOT_ENTRIES * ENTRY / SECTOR;
	v->fat_sectors = (uint32_t)divide_up(
		((uint64_t)v->n_clusters + FIRST_CLUSTER) * entry_octets(v), SECTOR);
	if (volume_octets(v) > VOLUME_MAX)
		return "the files are larger than the 4 GiB that such an image may have";
	for (size_t i = 0; i < v->n_nodes; i++) {
		struct node *n = &v->node[i];

		n->clusters = (uint32_t)clusters_of(v, n);
		n->first = n->clusters ? next : 0;
		next += n->clusters;
	}
	return NULL;
}

/* --- octets --- */

static void write_bpb(const struct volume *v, uint8_t *p)
{
	uint32_t sectors = (uint32_t)(volume_octets(v) / SECTOR);
	bool is_short = sectors < 0x10000 && !v->is_32;
	uint8_t *tail = p + (v->is_32 ? 64 : 36);

	put_span(p,
		SPAN_LIT("\xeb\x3c\x90"
			 "MSWIN4.1")); /* the name that is compatible, fatgen103 says */
	put_u16(p + 11, SECTOR);
	p[13] = (uint8_t)(v->cluster / SECTOR);
	put_u16(p + 14, v->reserved);
	p[16] = FATS;
	put_u16(p + 17, v->is_32 ? 0 : ROOT_ENTRIES);
	put_u16(p + 19, is_short ? sectors : 0);
	p[21] = MEDIA;
	put_u16(p + 22, v->is_32 ? 0 : v->fat_sectors);
	put_u16(p + 24, 63); /* sectors of a track, and heads: nobody's today */
	put_u16(p + 26, 255);
	put_u32(p + 32, is_short ? 0 : sectors);
	if (v->is_32) {
		p[1] = 0x58;
		put_u32(p + 36, v->fat_sectors);
		put_u32(p + 44, v->node[0].first);
		put_u16(p + 48, FAT32_INFO);
		put_u16(p + 50, FAT32_BACKUP);
	}
	tail[0] = 0x80;
	tail[2] = 0x29; /* these three follow */
	put_u32(tail + 3, VOLUME_ID);
	put_span(tail + 7, SPAN_LIT("NO NAME    "));
	put_span(tail + 18, v->is_32 ? SPAN_LIT("FAT32   ") : SPAN_LIT("FAT16   "));
	p[510] = 0x55;
	p[511] = 0xaa;
}

static void write_info(const struct volume *v, uint8_t *p)
{
	put_u32(p, 0x41615252);
	put_u32(p + 484, 0x61417272);
	put_u32(p + 488, v->n_clusters - v->n_used);
	put_u32(p + 492, v->n_used < v->n_clusters ? FIRST_CLUSTER + v->n_used : UINT32_MAX);
	put_u32(p + 508, 0xaa550000);
}

static void add_reserved(const struct volume *v, struct pieces *p)
{
	uint8_t sectors[FAT32_RESERVED * SECTOR] = { 0 };

	write_bpb(v, sectors);
	if (v->is_32) {
		write_info(v, sectors + FAT32_INFO * SECTOR);
		memcpy(sectors + FAT32_BACKUP * SECTOR, sectors, 2 * SECTOR);
	}
	pieces_add_octets(p, (struct span){ sectors, v->reserved * SECTOR });
}

static void put_entry(const struct volume *v, uint8_t *fat, uint32_t cluster, uint32_t value)
{
	if (v->is_32)
		put_u32(fat + 4 * (size_t)cluster, value & 0x0fffffff);
	else
		put_u16(fat + 2 * (size_t)cluster, value & 0xffff);
}

/* What a directory or a file has lies in one run. */
static int add_fats(const struct volume *v, struct pieces *p)
{
	size_t n = (size_t)v->fat_sectors * SECTOR;
	uint8_t *fat = calloc(n, 1);

	if (!fat)
		return -ENOMEM;
	put_entry(v, fat, 0, 0xffffff00u | MEDIA);
	put_entry(v, fat, 1, UINT32_MAX);
	for (size_t i = 0; i < v->n_nodes; i++)
		for (uint32_t c = 0; c < v->node[i].clusters; c++)
			put_entry(v, fat, v->node[i].first + c,
				c + 1 < v->node[i].clusters ? v->node[i].first + c + 1
							    : UINT32_MAX);
	for (size_t i = 0; i < FATS; i++)
		pieces_add_octets(p, (struct span){ fat, n });
	free(fat);
	return 0;
}

static void add_entry(struct text *out, const void *short_name, const struct node *n)
{
	uint8_t e[ENTRY] = { 0 };

	memcpy(e, short_name, NAME);
	e[11] = n->file ? ARCHIVE : DIRECTORY;
	put_u16(e + 16, DATE);
	put_u16(e + 18, DATE);
	put_u16(e + 20, n->first >> 16);
	put_u16(e + 24, DATE);
	put_u16(e + 26, n->first & 0xffff);
	put_u32(e + 28, n->file ? (uint32_t)size_of(n->file) : 0);
	text_add(out, (struct span){ e, ENTRY });
}

static uint8_t sum_of_short_name(const uint8_t name[static NAME])
{
	uint8_t sum = 0;

	for (size_t i = 0; i < NAME; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
	return sum;
}

/* One of the entries before a file's own, numbered from 1. */
static void add_long_entry(struct text *out, const struct node *n, size_t number)
{
	static const uint8_t places[LONG_NAME_PIECE] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28,
		30 };
	uint8_t e[ENTRY] = { 0 };

	e[0] = (uint8_t)(number | (number == n->n_long ? LAST_PIECE : 0));
	e[11] = LONG_NAME;
	e[13] = sum_of_short_name(n->short_name);
	for (size_t i = 0; i < LONG_NAME_PIECE; i++) {
		size_t at = (number - 1) * LONG_NAME_PIECE + i;

		put_u16(e + places[i],
			at < n->name.n            ? n->name.p[at]
				: at == n->name.n ? 0
						  : 0xffff);
	}
	text_add(out, (struct span){ e, ENTRY });
}

static void add_directory(const struct volume *v, const struct node *n, struct pieces *p)
{
	const struct node root = { 0 }; /* has the cluster 0 for its children, in FAT32 too */
	size_t index = (size_t)(n - v->node);
	struct text entries = { 0 };

	if (own_entries(v, n)) {
		add_entry(&entries, ".          ", n);
		add_entry(&entries, "..         ", n->parent ? &v->node[n->parent] : &root);
	}
	for (size_t i = 1; i < v->n_nodes; i++) {
		const struct node *child = &v->node[i];

		if (child->parent != index)
			continue;
		for (size_t k = child->n_long; k > 0; k--)
			add_long_entry(&entries, child, k);
		add_entry(&entries, child->short_name, child);
	}
	p->failed |= entries.failed;
	pieces_add_octets(p, text_span(&entries));
	text_free(&entries);
}

static void zeros_until(struct pieces *p, uint64_t end)
{
	pieces_add_zeros(p, end - pieces_length(p));
}

static void add_node_octets(const struct volume *v, const struct node *n, struct pieces *p)
{
	uint64_t begin = pieces_length(p);

	if (!n->file)
		add_directory(v, n, p);
	else if (n->file->octets.p)
		pieces_add_octets(p, n->file->octets);
	else
		pieces_add_file(p, n->file->file, 0, n->file->size);
	zeros_until(p,
		begin +
			(is_root_of_fat16(v, n) ? v->root_sectors * SECTOR
						: (uint64_t)n->clusters * v->cluster));
}

static int add_octets(const struct volume *v, struct pieces *p)
{
	add_reserved(v, p);
	if (add_fats(v, p) < 0)
		return -ENOMEM;
	/* The root is the first node: that of FAT16 lies before the clusters. */
	for (size_t i = 0; i < v->n_nodes && !p->failed; i++)
		add_node_octets(v, &v->node[i], p);
	if (p->failed)
		return -ENOMEM;
	zeros_until(p, volume_octets(v));
	return p->failed ? -ENOMEM : 0;
}

int fat_image_layout(
	const struct fat_file *files, size_t n, struct pieces *ret, const char **ret_why)
{
	struct volume v = { .node = calloc(count_nodes(files, n), sizeof(*v.node)) };
	struct pieces p = { 0 };
	const char *why;
	int r = -EINVAL;

	if (!v.node)
		return -ENOMEM;
	why = add_files(&v, files, n);
	if (!why)
		why = plan(&v);
	if (why)
		*ret_why = why;
	else
		r = add_octets(&v, &p);
	free(v.node);
	if (r < 0)
		pieces_free(&p);
	else
		*ret = p;
	return r;
}
