/* edge/http_source.h: what an entity of files and pieces is, and where its octets are. */
#include "edge/http_source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct source_file temporary(const char *octets)
{
	char path[] = "/tmp/bootsmith-source-XXXXXX";
	struct source_file f = { .fd = mkstemp(path) };

	assert_true(f.fd >= 0);
	(void)unlink(path);
	assert_int_equal(write(f.fd, octets, strlen(octets)), (ssize_t)strlen(octets));
	assert_int_equal(fstat(f.fd, &f.st), 0);
	return f;
}

/* "<head>" + octets 2 to 6 of a file + two NULs + all of another one. */
static struct http_source image(const char *head)
{
	struct http_parts *p = NULL;

	assert_int_equal(http_parts_new(2, &p), 0);
	p->files[0] = temporary("0123456789");
	p->files[1] = temporary("abc");
	pieces_add_octets(&p->pieces, span_str(head));
	pieces_add_file(&p->pieces, 0, 2, 5);
	pieces_add_zeros(&p->pieces, 2);
	pieces_add_file(&p->pieces, 1, 0, 3);
	return http_source_parts(p);
}

static size_t read_all(struct http_source *s, uint64_t at, uint64_t size, char *buf)
{
	size_t n = 0;

	while (at + n < size) {
		struct piece_range r = http_source_at(s, at + n);

		assert_true(r.n > 0);
		if (r.kind == PIECE_FILE) {
			ssize_t got = pread(
				http_source_file_of(s, &r)->fd, buf + n, r.n, (off_t)r.offset);

			assert_int_equal(got, r.n);
			n += r.n;
		} else {
			struct span octets = http_source_octets_of(s, &r);

			memcpy(buf + n, octets.p, octets.n);
			n += octets.n;
		}
	}
	return n;
}

static void finds_octets(void **state)
{
	static const char want[] = "head23456\0\0abc";
	struct http_source s = image("head");
	struct http_entity e = { 0 };
	char buf[64];

	(void)state;
	http_source_entity(&s, &e);
	assert_int_equal(e.size, sizeof(want) - 1);
	assert_false(e.has_date);
	for (uint64_t at = 0; at <= e.size; at++) {
		assert_int_equal(read_all(&s, at, e.size, buf), e.size - at);
		assert_memory_equal(buf, want + at, e.size - at);
	}
	http_source_close(&s);
	assert_null(s.parts);
}

static void zeros_come_in_bounded_pieces(void **state)
{
	struct http_parts *p = NULL;
	struct http_source s;
	struct piece_range r;

	(void)state;
	assert_int_equal(http_parts_new(0, &p), 0);
	pieces_add_zeros(&p->pieces, UINT64_C(1) << 40);
	s = http_source_parts(p);
	r = http_source_at(&s, 12345);
	assert_int_equal(r.kind, PIECE_ZEROS);
	assert_in_range(http_source_octets_of(&s, &r).n, 1, 65536);
	http_source_close(&s);
}

static void one_file(void **state)
{
	struct source_file f = temporary("0123456789");
	struct http_source s = http_source_file(f.fd, &f.st);
	struct http_entity e = { 0 };
	struct piece_range r = http_source_at(&s, 7);
	char want[96];

	(void)state;
	assert_int_equal(r.kind, PIECE_FILE);
	assert_int_equal(r.offset, 7);
	assert_int_equal(r.n, 3);
	assert_int_equal(http_source_at(&s, 10).n, 0);
	assert_int_equal(http_source_file_of(&s, &r)->fd, f.fd);
	http_source_entity(&s, &e);
	assert_int_equal(e.size, 10);
	assert_true(e.has_date);
	assert_int_equal(e.mtime_s, f.st.st_mtim.tv_sec);
	(void)snprintf(want, sizeof(want), "\"%llx-%llx-a-%llx.%x\"",
		(unsigned long long)f.st.st_dev, (unsigned long long)f.st.st_ino,
		(unsigned long long)f.st.st_mtim.tv_sec, (unsigned)f.st.st_mtim.tv_nsec);
	assert_string_equal(e.etag.s, want);
	http_source_close(&s);
	assert_int_equal(fcntl(f.fd, F_GETFD), -1);
	http_source_close(&s); /* twice is no harm */
}

/* The longest numbers that a stat can have. */
static void tags_have_room(void **state)
{
	struct http_entity e = { 0 };
	struct stat st;

	(void)state;
	memset(&st, 0xff, sizeof(st));
	st.st_mtim.tv_nsec = 999999999;
	http_entity_of_stat(&st, &e);
	assert_int_equal(e.etag.s[strlen(e.etag.s) - 1], '"');
	assert_non_null(strstr(e.etag.s, ".3b9ac9ff\""));
}

static void differ(struct http_source *a, struct http_source *b, const char *what)
{
	struct http_entity ea = { 0 }, eb = { 0 };

	http_source_entity(a, &ea);
	http_source_entity(b, &eb);
	assert_int_equal(strlen(ea.etag.s), 34);
	if (strcmp(ea.etag.s, eb.etag.s) == 0)
		fail_msg("the tag is the same with %s", what);
}

static void tags_tell_each_part(void **state)
{
	struct http_source a = image("head"), b = image("HEAD");
	struct http_entity once = { 0 }, again = { 0 };
	struct http_parts *p = b.parts;

	(void)state;
	http_source_entity(&a, &once);
	http_source_entity(&a, &again);
	assert_string_equal(once.etag.s, again.etag.s);

	for (size_t i = 0; i < 2; i++) {
		p->files[i].st = a.parts->files[i].st; /* as if it were the same file */
	}
	differ(&a, &b, "other octets");
	memcpy(p->pieces.octets.p, "head", 4);
	http_source_entity(&b, &again);
	assert_string_equal(once.etag.s, again.etag.s);
	p->files[1].st.st_mtim.tv_nsec ^= 1;
	differ(&a, &b, "another time of a file");
	p->files[1].st.st_mtim.tv_nsec ^= 1;
	p->files[0].st.st_ino ^= 1;
	differ(&a, &b, "another inode");
	p->files[0].st.st_ino ^= 1;
	p->pieces.list[1].offset ^= 1;
	differ(&a, &b, "another range of a file");
	http_source_close(&a);
	http_source_close(&b);
}

/* "head", all of a file that is there, and all of one of 6 octets that grows. */
static struct http_source growing_image(struct growing **ret)
{
	struct http_parts *p = NULL;
	struct source_file f = temporary("uvwxyz");

	assert_int_equal(growing_new(f.fd, 6, ret), 0);
	source_file_close(&f);
	assert_int_equal(http_parts_new(2, &p), 0);
	p->files[0] = temporary("0123456789");
	assert_int_equal(source_file_growing(growing_ref(*ret), &p->files[1]), 0);
	pieces_add_octets(&p->pieces, SPAN_LIT("head"));
	pieces_add_file(&p->pieces, 0, 0, 10);
	pieces_add_file(&p->pieces, 1, 0, 6);
	return http_source_parts(p);
}

static uint64_t ready(const struct http_source *s, uint64_t at)
{
	struct piece_range r = http_source_at(s, at);

	return http_source_ready(s, &r);
}

static void parts_that_grow(void **state)
{
	struct growing *g = NULL;
	struct http_source s = growing_image(&g);
	struct http_entity e = { 0 };
	char buf[64];

	(void)state;
	http_source_entity(&s, &e);
	assert_int_equal(e.size, 20);
	assert_false(e.has_date);
	assert_string_equal(e.etag.s, ""); /* its octets are not known yet */
	/* What is there is not held up by what is not. */
	assert_int_equal(ready(&s, 0), 4);
	assert_int_equal(ready(&s, 5), 9);
	assert_int_equal(ready(&s, 14), 0);
	growing_announce(g, 2);
	assert_int_equal(ready(&s, 14), 2);
	assert_int_equal(ready(&s, 15), 1);
	assert_int_equal(ready(&s, 16), 0);
	assert_int_equal(ready(&s, 19), 0);
	growing_announce(g, 6);
	assert_int_equal(ready(&s, 16), 4);
	assert_int_equal(read_all(&s, 0, 20, buf), 20);
	assert_memory_equal(buf, "head0123456789uvwxyz", 20);
	assert_false(http_source_is_broken(&s));
	growing_break(g);
	assert_true(http_source_is_broken(&s));
	http_source_close(&s);
	growing_unref(g);
}

static void one_file_that_grows(void **state)
{
	struct growing *g = NULL;
	struct source_file f = temporary("0123456789");
	struct http_source s;
	struct http_entity e = { 0 };

	(void)state;
	assert_int_equal(growing_new(f.fd, 10, &g), 0);
	source_file_close(&f);
	assert_int_equal(http_source_growing(growing_ref(g), &s), 0);
	http_source_entity(&s, &e);
	assert_int_equal(e.size, 10);
	assert_string_equal(e.etag.s, "");
	growing_announce(g, 3);
	assert_int_equal(ready(&s, 1), 2);
	growing_break(g);
	assert_true(http_source_is_broken(&s));
	http_source_close(&s);
	growing_unref(g);
}

static void files_that_change(void **state)
{
	struct source_file f = temporary("0123456789");

	(void)state;
	assert_true(source_file_is_unchanged(&f));
	assert_true(source_file_is_cached(&f, 0, 10));
	assert_int_equal(ftruncate(f.fd, 9), 0);
	assert_false(source_file_is_unchanged(&f));
	close(f.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_octets),
		cmocka_unit_test(zeros_come_in_bounded_pieces),
		cmocka_unit_test(one_file),
		cmocka_unit_test(tags_have_room),
		cmocka_unit_test(tags_tell_each_part),
		cmocka_unit_test(parts_that_grow),
		cmocka_unit_test(one_file_that_grows),
		cmocka_unit_test(files_that_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
