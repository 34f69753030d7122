/* core/fat_image.h: volumes read back by a reader of its own, which believes nothing but
 * fatgen103; what cannot be.  tests/e2e/boot_disk.py has fsck.fat and mtools look at them too. */
#include "core/fat_image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define GIB (UINT64_C(1) << 30)

/* --- a reader of volumes --- */

struct reader {
	const struct pieces *p;
	const struct fat_file *files; /* that are to be found */
	size_t n_files;
	unsigned found; /* of them */
	uint32_t cluster, reserved, fat_sectors, root_entries, root_cluster;
	uint64_t fat_at[2], root_at, data_at;
	uint32_t n_clusters;
	bool is_32;
	uint8_t *seen; /* of each cluster */
};

/* What the file of that number has there. */
static uint8_t octet_of(unsigned file, uint64_t at)
{
	return (uint8_t)(file * 131 + at * 7 + (at >> 9) * 29 + 1);
}

static void read_at(const struct reader *r, uint64_t at, void *to, size_t n)
{
	uint8_t *out = to;

	assert_true(at + n <= pieces_length(r->p));
	while (n > 0) {
		struct piece_range range = pieces_at(r->p, at);
		size_t some = range.n < n ? (size_t)range.n : n;

		for (size_t i = 0; i < some; i++)
			out[i] = range.kind == PIECE_FILE ? octet_of(range.file, range.offset + i)
				: range.kind == PIECE_ZEROS
				? 0
				: (uint8_t)r->p->octets.p[range.offset + i];
		at += some;
		out += some;
		n -= some;
	}
}

static uint32_t number_at(const struct reader *r, uint64_t at, unsigned octets)
{
	uint8_t b[4] = { 0 };

	read_at(r, at, b, octets);
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* fatgen103, "Boot Sector and BPB" and "FAT Type Determination". */
static void read_boot_sector(struct reader *r)
{
	uint32_t sectors, data_sectors, root_sectors;
	uint8_t b[512];

	read_at(r, 0, b, sizeof(b));
	assert_true(b[0] == 0xeb && b[2] == 0x90);
	assert_int_equal(number_at(r, 11, 2), 512);
	assert_true(b[13] != 0 && (b[13] & (b[13] - 1)) == 0 && b[13] <= 64);
	r->cluster = b[13] * 512u;
	r->reserved = number_at(r, 14, 2);
	assert_true(r->reserved >= 1);
	assert_int_equal(b[16], 2);
	r->root_entries = number_at(r, 17, 2);
	assert_int_equal(b[21], 0xf8);
	sectors = number_at(r, 19, 2);
	if (sectors == 0)
		sectors = number_at(r, 32, 4);
	else
		assert_int_equal(number_at(r, 32, 4), 0);
	assert_int_equal((uint64_t)sectors * 512, pieces_length(r->p));
	r->fat_sectors = number_at(r, 22, 2);
	if (r->fat_sectors == 0)
		r->fat_sectors = number_at(r, 36, 4);
	root_sectors = (r->root_entries * 32 + 511) / 512;
	data_sectors = sectors - (r->reserved + 2 * r->fat_sectors + root_sectors);
	r->n_clusters = data_sectors / b[13];
	assert_int_equal(r->n_clusters * b[13], data_sectors);
	assert_true(r->n_clusters >= 4085 + 16);
	r->is_32 = r->n_clusters >= 65525;
	assert_true(r->is_32 ? r->n_clusters >= 65525 + 16 : r->n_clusters < 65525 - 16);
	assert_memory_equal(b + (r->is_32 ? 82 : 54), r->is_32 ? "FAT32   " : "FAT16   ", 8);
	assert_int_equal(b[r->is_32 ? 66 : 38], 0x29);
	assert_true(b[510] == 0x55 && b[511] == 0xaa);
	assert_true((uint64_t)r->fat_sectors * 512 >=
		(r->n_clusters + 2) * (r->is_32 ? UINT64_C(4) : 2));
	r->fat_at[0] = (uint64_t)r->reserved * 512;
	r->fat_at[1] = r->fat_at[0] + (uint64_t)r->fat_sectors * 512;
	r->root_at = r->fat_at[1] + (uint64_t)r->fat_sectors * 512;
	r->data_at = r->root_at + (uint64_t)root_sectors * 512;
}

static void read_fat32(struct reader *r)
{
	uint8_t first[512], backup[512];

	assert_int_equal(r->root_entries, 0);
	assert_int_equal(number_at(r, 22, 2), 0);
	assert_int_equal(number_at(r, 42, 2), 0);
	r->root_cluster = number_at(r, 44, 4);
	for (unsigned i = 0; i < 2; i++) {
		read_at(r, i * UINT64_C(512), first, sizeof(first));
		read_at(r, (number_at(r, 50, 2) + i) * UINT64_C(512), backup, sizeof(backup));
		assert_memory_equal(first, backup, sizeof(first));
	}
	assert_int_equal(number_at(r, 48, 2), 1);
	assert_int_equal(number_at(r, 512, 4), 0x41615252);
	assert_int_equal(number_at(r, 512 + 484, 4), 0x61417272);
	assert_int_equal(number_at(r, 512 + 508, 4), 0xaa550000);
}

static uint32_t next_of(const struct reader *r, uint32_t cluster)
{
	unsigned octets = r->is_32 ? 4 : 2;
	uint32_t one = number_at(r, r->fat_at[0] + (uint64_t)cluster * octets, octets);

	assert_int_equal(one, number_at(r, r->fat_at[1] + (uint64_t)cluster * octets, octets));
	return one;
}

static bool is_end(const struct reader *r, uint32_t entry)
{
	return entry >= (r->is_32 ? 0x0ffffff8u : 0xfff8u);
}

/* The cluster's place; nothing else has it. */
static uint64_t take_cluster(struct reader *r, uint32_t cluster)
{
	assert_true(cluster >= 2 && cluster < r->n_clusters + 2);
	assert_int_equal(r->seen[cluster], 0);
	r->seen[cluster] = 1;
	return r->data_at + (uint64_t)(cluster - 2) * r->cluster;
}

static void check_octets(
	const struct reader *r, const struct fat_file *f, uint64_t in_file, uint64_t at, uint64_t n)
{
	/* All of a small piece, the ends of a large one. */
	for (uint64_t i = 0; i<n; i += n> 16 && i == 7 ? n - 15 : 1) {
		uint8_t got;

		read_at(r, at + i, &got, 1);
		assert_int_equal(got,
			f->octets.p ? f->octets.p[in_file + i] : octet_of(f->file, in_file + i));
	}
}

static void check_file(struct reader *r, const struct fat_file *f, uint32_t cluster, uint32_t size)
{
	uint64_t at = 0;

	assert_int_equal(size, f->octets.p ? f->octets.n : f->size);
	assert_true((size == 0) == (cluster == 0));
	while (at < size) {
		uint64_t place = take_cluster(r, cluster),
			 n = size - at < r->cluster ? size - at : r->cluster;

		check_octets(r, f, at, place, n);
		at += n;
		cluster = next_of(r, cluster);
		assert_true(is_end(r, cluster) == (at == size));
	}
	r->found++;
}

static const struct fat_file *file_named(const struct reader *r, const char *path)
{
	for (size_t i = 0; i < r->n_files; i++)
		if (span_eq_nocase(span_str(r->files[i].path), span_str(path)))
			return &r->files[i];
	return NULL;
}

/* The entries of a directory, in memory. */
struct listing {
	uint8_t *entry;
	size_t n;
};

static struct listing list_chain(struct reader *r, uint32_t cluster)
{
	struct listing l = { 0 };

	for (; !is_end(r, cluster); cluster = next_of(r, cluster)) {
		uint64_t place = take_cluster(r, cluster);

		l.entry = realloc(l.entry, l.n * 32 + r->cluster);
		assert_non_null(l.entry);
		read_at(r, place, l.entry + l.n * 32, r->cluster);
		l.n += r->cluster / 32;
	}
	return l;
}

static uint8_t checksum(const uint8_t *short_name)
{
	uint8_t sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (uint8_t)(((sum & 1) ? 0x80 : 0) + (sum >> 1) + short_name[i]);
	return sum;
}

/* A long name's characters out of the entries before e; false: it has none. */
static bool long_name(const struct listing *l, size_t e, char *ret)
{
	size_t n = 0;

	for (size_t k = 1; k <= e; k++) {
		const uint8_t *p = l->entry + (e - k) * 32;

		if (p[11] != 0x0f)
			break;
		assert_int_equal(p[0] & 0x3f, k);
		assert_int_equal(p[13], checksum(l->entry + e * 32));
		for (unsigned i = 0; i < 13; i++) {
			size_t at = i < 5 ? 1 + 2 * i
				: i < 11  ? 14 + 2 * (i - 5)
					  : 28 + 2 * (i - 11);

			ret[n++] = (char)p[at]; /* after the NUL, 0xff */
		}
		ret[n] = '\0';
		if (p[0] & 0x40)
			return true;
	}
	assert_int_equal(n, 0);
	return false;
}

static void short_name_text(const uint8_t *e, char *ret)
{
	for (int i = 0; i < 8 && e[i] != ' '; i++)
		*ret++ = (char)e[i];
	if (e[8] != ' ')
		*ret++ = '.';
	for (int i = 8; i < 11 && e[i] != ' '; i++)
		*ret++ = (char)e[i];
	*ret = '\0';
}

static void read_directory(
	struct reader *r, const struct listing *l, const char *path, uint32_t own, uint32_t parent);

static void read_entry(
	struct reader *r, const struct listing *l, size_t i, const char *path, uint32_t own)
{
	const uint8_t *e = l->entry + i * 32;
	uint32_t cluster = (uint32_t)e[26] | (uint32_t)e[27] << 8 | (uint32_t)e[20] << 16 |
		(uint32_t)e[21] << 24;
	uint32_t size = (uint32_t)e[28] | (uint32_t)e[29] << 8 | (uint32_t)e[30] << 16 |
		(uint32_t)e[31] << 24;
	char name[300], whole[700];

	for (size_t k = 0; k < l->n && l->entry[k * 32]; k++) /* no two short names are the same */
		assert_true(k == i || l->entry[k * 32 + 11] == 0x0f ||
			memcmp(l->entry + k * 32, e, 11) != 0);
	if (!long_name(l, i, name))
		short_name_text(e, name);
	(void)snprintf(whole, sizeof(whole), "%s%s", path, name);
	if (e[11] == 0x10) {
		struct listing inner = list_chain(r, cluster);

		assert_int_equal(size, 0);
		(void)snprintf(whole, sizeof(whole), "%s%s/", path, name);
		read_directory(r, &inner, whole, cluster, own);
		free(inner.entry);
	} else {
		const struct fat_file *f = file_named(r, whole);

		assert_int_equal(e[11], 0x20);
		if (!f)
			fail_msg("nobody wanted %s", whole);
		check_file(r, f, cluster, size);
	}
}

/* own, parent: the clusters of its dot entries; 0 for the root's. */
static void read_directory(
	struct reader *r, const struct listing *l, const char *path, uint32_t own, uint32_t parent)
{
	size_t first = 0;

	if (own != 0) {
		assert_memory_equal(l->entry, ".          \x10", 12);
		assert_memory_equal(l->entry + 32, "..         \x10", 12);
		assert_int_equal(l->entry[26] | l->entry[27] << 8, own & 0xffff);
		assert_int_equal(l->entry[32 + 26] | l->entry[32 + 27] << 8, parent & 0xffff);
		first = 2;
	}
	for (size_t i = first; i < l->n && l->entry[i * 32]; i++)
		if (l->entry[i * 32 + 11] != 0x0f)
			read_entry(r, l, i, path, own);
}

/* The whole volume: all files, nothing else, no cluster that is nobody's. */
static struct reader read_volume(const struct pieces *p, const struct fat_file *files, size_t n)
{
	struct reader r = { .p = p, .files = files, .n_files = n };
	struct listing root;

	read_boot_sector(&r);
	r.seen = calloc(r.n_clusters + 2, 1);
	assert_non_null(r.seen);
	if (r.is_32) {
		read_fat32(&r);
		root = list_chain(&r, r.root_cluster);
	} else {
		root = (struct listing){ malloc(r.root_entries * 32), r.root_entries };
		assert_non_null(root.entry);
		read_at(&r, r.root_at, root.entry, r.root_entries * 32);
	}
	read_directory(&r, &root, "", 0, 0);
	free(root.entry);
	assert_int_equal(r.found, n);
	assert_int_equal(next_of(&r, 0), r.is_32 ? 0x0ffffff8 : 0xfff8);
	assert_int_equal(next_of(&r, 1), r.is_32 ? 0x0fffffff : 0xffff);
	for (uint32_t c = 2; c < r.n_clusters + 2; c++)
		assert_true((next_of(&r, c) != 0) == (r.seen[c] != 0));
	free(r.seen);
	return r;
}

static struct reader laid_out(const struct fat_file *files, size_t n)
{
	struct pieces p = { 0 };
	const char *why = NULL;
	struct reader r;

	if (fat_image_layout(files, n, &p, &why) != 0)
		fail_msg("%s", why);
	r = read_volume(&p, files, n);
	pieces_free(&p);
	r.p = NULL;
	return r;
}

/* --- cases --- */

static void every_size_at_every_cluster(void **state)
{
	(void)state;
	for (uint32_t cluster = 512; cluster <= 32768; cluster *= 2) {
		/* So much that this is the largest cluster of which there are enough. */
		const struct fat_file files[] = {
			{ .path = "filler", .file = 0, .size = UINT64_C(4095) * cluster },
			{ .path = "empty", .file = 1, .size = 0 },
			{ .path = "one", .file = 2, .size = 1 },
			{ .path = "EFI/less", .file = 3, .size = cluster - 1 },
			{ .path = "EFI/equal", .file = 4, .size = cluster },
			{ .path = "EFI/BOOT/more", .file = 5, .size = cluster + 1 },
			{ .path = "EFI/BOOT/two.img", .file = 6, .size = UINT64_C(2) * cluster },
			{ .path = "none", .octets = { (const uint8_t *)"", 0 } },
			{ .path = "grub.cfg", .octets = { (const uint8_t *)"exit\n", 5 } },
		};

		assert_int_equal(laid_out(files, ARRAY_LEN(files)).cluster, cluster);
	}
}

/* What is needed, just below and above of what makes another kind of FAT. */
static void kinds_of_fat(void **state)
{
	(void)state;
	for (int delta = -20; delta <= 20; delta++) {
		struct fat_file small = { .path = "a", .size = (uint64_t)(4101 + delta) * 512 };
		struct fat_file cluster = { .path = "a", .size = (uint64_t)(4101 + delta) * 1024 };
		struct fat_file large[] = { { .path = "a", .size = GIB },
			{ .path = "b", .size = (uint64_t)(65508 + delta) * 32768 - GIB } };

		assert_int_equal(laid_out(&small, 1).n_clusters, delta < 0 ? 4101 : 4101 + delta);
		assert_int_equal(laid_out(&cluster, 1).cluster, delta < 0 ? 512 : 1024);
		if (abs(delta) < 3)
			assert_int_equal(laid_out(large, 2).is_32, delta > 0);
	}
}

static void nothing_at_all_is_a_volume(void **state)
{
	(void)state;
	assert_int_equal(laid_out(NULL, 0).n_clusters, 4101);
}

/* Octets that mkfs.fat and Microsoft's text agree on. */
static void golden(void **state)
{
	static const uint8_t sector[62] = { 0xeb, 0x3c, 0x90, 'M', 'S', 'W', 'I', 'N', '4', '.',
		'1', 0, 2, 1, 1, 0, 2, 0, 2, 0x48, 0x10, 0xf8, 0x11, 0, 63, 0, 255, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0x80, 0, 0x29, 0x17, 0x53, 0x07, 0xb0, 'N', 'O', ' ', 'N', 'A', 'M',
		'E', ' ', ' ', ' ', ' ', 'F', 'A', 'T', '1', '6', ' ', ' ', ' ' };
	static const uint8_t fat[] = { 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 5, 0, 0xff,
		0xff, 0, 0 };
	static const uint8_t root[] = { 'D', 'E', 'B', 'I', 'A', 'N', '~', '1', ' ', ' ', ' ', 0x10,
		0, 0, 0, 0, 0x21, 0, 0x21, 0, 0, 0, 0, 0, 0x21, 0, 2, 0, 0, 0, 0, 0, 'K', 'E', 'R',
		'N', 'E', 'L', ' ', ' ', ' ', ' ', ' ', 0x20, 0, 0, 0, 0, 0x21, 0, 0x21, 0, 0, 0, 0,
		0, 0x21, 0, 4, 0, 1, 2, 0, 0 };
	const struct fat_file files[] = {
		{ .path = "debian-installer/grub.cfg", .octets = { (const uint8_t *)"exit\n", 5 } },
		{ .path = "kernel", .file = 7, .size = 513 },
	};
	struct pieces p = { 0 };
	const char *why = NULL;
	uint8_t got[128];

	(void)state;
	assert_int_equal(fat_image_layout(files, ARRAY_LEN(files), &p, &why), 0);
	/* 1 sector, 2 FATs of 17, the root's 32, 4101 clusters of one: 4168 in all, 0x1048. */
	assert_int_equal(pieces_length(&p), 4168 * 512);
	assert_memory_equal(p.octets.p, sector, sizeof(sector));
	assert_memory_equal(p.octets.p + 512, fat, sizeof(fat));
	read_at(&(struct reader){ .p = &p }, (1 + 34) * 512, got, sizeof(got));
	assert_memory_equal(got,
		"\x42"
		"l\0e\0r\0\0\0\xff\xff\x0f\0",
		13);
	assert_memory_equal(got + 32,
		"\x01"
		"d\0e\0b\0i\0a\0\x0f\0",
		13);
	assert_memory_equal(got + 64, root, sizeof(root));
	pieces_free(&p);
}

static void refused(const struct fat_file *files, size_t n, const char *sentence)
{
	struct pieces p = { 0 };
	const char *why = NULL;

	assert_int_equal(fat_image_layout(files, n, &p, &why), -EINVAL);
	assert_non_null(strstr(why, sentence));
	assert_int_equal(p.n, 0);
}

static void what_cannot_be(void **state)
{
	static const char *const names[] = { "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".a",
		"a.", "a b", "a*", "\xc3\xbc", "a~1", "a\n" };
	const struct fat_file same[] = { { .path = "EFI/a.efi" }, { .path = "efi/A.EFI" } };
	const struct fat_file inside[] = { { .path = "EFI" }, { .path = "EFI/a" } };
	const struct fat_file above[] = { { .path = "EFI/a" }, { .path = "EFI" } };
	const struct fat_file huge = { .path = "a", .size = UINT64_MAX };
	const struct fat_file four = { .path = "a", .size = 4 * GIB };
	const struct fat_file nearly = { .path = "a", .size = UINT32_MAX };
	const struct fat_file sum[] = { { .path = "a", .size = 3 * GIB },
		{ .path = "b", .size = GIB }, { .path = "c", .size = UINT64_MAX - 3 * GIB } };
	struct fat_file many[600];
	char paths[ARRAY_LEN(many)][8], longest[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		refused(&(struct fat_file){ .path = names[i] }, 1, "name");
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	refused(&(struct fat_file){ .path = longest }, 1, "name");
	longest[255] = '\0';
	(void)laid_out(&(struct fat_file){ .path = longest }, 1);
	refused(same, 2, "same name");
	refused(inside, 2, "same name");
	refused(above, 2, "same name");
	refused(&huge, 1, "4 GiB");
	refused(&four, 1, "4 GiB");
	refused(&nearly, 1, "4 GiB");
	refused(sum, 2, "4 GiB");
	refused(sum, 3, "4 GiB");
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "f%zu", i);
		many[i] = (struct fat_file){ .path = paths[i] };
	}
	(void)laid_out(many, 512);
	refused(many, 513, "too many files");
}

/* Directories of more than a cluster, long names that begin alike. */
static void many_long_names(void **state)
{
	struct fat_file files[200];
	char paths[ARRAY_LEN(files)][60];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(
			paths[i], sizeof(paths[i]), "some-directory/initrd-number.%zu.img", i);
		files[i] = (struct fat_file){
			.path = paths[i], .file = (unsigned)i, .size = i * 10
		};
	}
	(void)laid_out(files, ARRAY_LEN(files));
}

static void add_random_name(struct text *t)
{
	unsigned n = 1 + (unsigned)rand() % (rand() % 4 ? 3 : 40);

	while (n--)
		text_addc(t, "aB1.-_x"[rand() % 7]);
}

/* Any names and sizes: a sentence, or a volume that has them. */
static void whatever_is_asked(void **state)
{
	const char *again = getenv("BOOTSMITH_SEED");
	unsigned seed = again ? (unsigned)strtoul(again, NULL, 10) : (unsigned)getpid(), made = 0;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned round = 0; round < 400; round++) {
		struct fat_file files[12] = { 0 };
		struct text paths[12] = { 0 };
		size_t n = (size_t)rand() % 12;
		struct pieces p = { 0 };
		const char *why = NULL;

		for (size_t i = 0; i < n; i++) {
			for (int steps = rand() % 3; steps > 0; steps--) {
				add_random_name(&paths[i]);
				text_addc(&paths[i], '/');
			}
			add_random_name(&paths[i]);
			files[i] = (struct fat_file){ .path = text_str(&paths[i]),
				.file = (unsigned)i,
				.size = (uint64_t)rand() % (rand() % 3 ? 3000 : 3000000) };
		}
		if (fat_image_layout(files, n, &p, &why) == 0) {
			(void)read_volume(&p, files, n);
			made++;
		} else {
			assert_non_null(why);
		}
		pieces_free(&p);
		for (size_t i = 0; i < n; i++)
			text_free(&paths[i]);
	}
	assert_true(made > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_at_every_cluster),
		cmocka_unit_test(kinds_of_fat),
		cmocka_unit_test(nothing_at_all_is_a_volume),
		cmocka_unit_test(golden),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(many_long_names),
		cmocka_unit_test(whatever_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
