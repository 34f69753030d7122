/* What tests of rendered texts (iPXE, GRUB, PXELINUX) have in common: machines, good
 * and hostile, a profile's files, golden texts, and names that try everything. */
#pragma once

#include "golden.h"
#include "core/machine_vars.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct file_ref initrds[] = { { .path = "debian/initrd.gz" },
	{ .path = "a b/initrd.gz" },
	{ .path = "https://192.0.2.1/firmware.cpio.gz", .is_url = true } };
static const struct var vars[] = { { "disk", "/dev/vda" }, { "note", "a b && ${c}" } };
static const struct machine web1 = { .name = "web1", .vars = vars, .n_vars = ARRAY_LEN(vars) };

static const struct facts good = {
	.client = CLIENT_IPXE,
	.has_arch = true,
	.arch_number = 7,
	.arch = ARCH_X64,
	.has_mac = true,
	.mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } },
	.has_uuid = true,
	.uuid = { { 0x44, 0x45, 0x4c, 0x4c, 1 } },
	.hostname = { (const uint8_t *)"pc7", 3 },
};
#define HOSTILE "x\n#!ipxe\r\nshell || ${net0/mac} \"'`;&\0\xff"
static const struct facts hostile = {
	.client = CLIENT_IPXE,
	.has_mac = true,
	.mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } },
	.hostname = { (const uint8_t *)HOSTILE, sizeof(HOSTILE) - 1 },
};
static const struct facts unknown = { .client = CLIENT_IPXE };

#define KERNEL(...)                                                                                \
	{                                                                                          \
		.name = "debian", .kind = PROFILE_KERNEL, .kernel = { .path = "debian/linux" },    \
		__VA_ARGS__                                                                        \
	}

static inline struct machine_vars fixture_vars(
	const struct facts *f, const struct machine *m, const char *url)
{
	return (struct machine_vars){ .facts = f,
		.machine = m,
		.address = { f->has_mac ? 0xac182001 : 0 },
		.server = { 0xac180001 },
		.base = { "http://172.24.0.1" },
		.url = url,
		.files = "profiles/debian" };
}

static inline size_t fixture_count(const struct text *t, const char *what)
{
	size_t n = 0;

	for (const char *p = text_str(t); (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* What means something to one loader or another. */
static const char *const shapes[] = { "\n", "${", "||", "&&", ";", "#", "\"", "'", "`", "\\", "$",
	"{", "}", "{{mac}}", " ", "\t", "\r", "\v" };

/* To repeat a run. */
static inline unsigned fixture_seed(void)
{
	const char *again = getenv("BOOTSMITH_SEED");
	unsigned seed = again ? (unsigned)strtoul(again, NULL, 10) : (unsigned)getpid();

	print_message("seed %u\n", seed);
	srand(seed);
	return seed;
}

/* A text of shapes and random octets, in buf. */
static inline struct span fixture_hostile_text(uint8_t *buf, size_t cap)
{
	struct wr w = wr_of(buf, cap);

	while (!w.full && rand() % 12)
		wr_span(&w,
			rand() % 2 ? span_str(shapes[(size_t)rand() % ARRAY_LEN(shapes)])
				   : (struct span){ &(uint8_t){ (uint8_t)rand() }, 1 });
	return wr_done(&w);
}

typedef int (*fixture_render)(const struct profile *p, const struct machine_vars *vars,
	struct text *out, struct template_error *ret_error);

/* A profile rendered for a machine, and the golden text of that. */
struct fixture_vector {
	const char *golden;
	struct profile profile;
	const struct facts *facts;
	const struct machine *machine;
	enum transport transport;
	const char *base;  /* or NULL: as usual */
	const char *files; /* or NULL: as usual */
};

static inline int fixture_render_vector(const struct fixture_vector *x, const char *url,
	fixture_render render, struct text *out, struct template_error *ret_error)
{
	struct facts f = *x->facts;
	struct machine_vars v = fixture_vars(&f, x->machine, url);

	f.transport = x->transport;
	if (x->files)
		v.files = x->files;
	if (x->base)
		(void)snprintf(v.base.s, sizeof(v.base.s), "%s", x->base);
	return render(&x->profile, &v, out, ret_error);
}

static inline void fixture_renders_as_golden(
	const struct fixture_vector *list, size_t n, const char *url, fixture_render render)
{
	for (size_t i = 0; i < n; i++) {
		struct template_error error = { 0 };
		struct text out = { 0 };
		int r = fixture_render_vector(&list[i], url, render, &out, &error);

		if (r != 0)
			fail_msg("%s: %d, %s", list[i].golden, r, error.message);
		golden_compare(list[i].golden, &out);
		text_free(&out);
	}
}

static inline void fixture_says_when_memory_is_out(
	const struct fixture_vector *list, size_t n, const char *url, fixture_render render)
{
	struct template_error error = { 0 };
	struct text out = { .failed = true };

	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			fixture_render_vector(&list[i], url, render, &out, &error), -ENOMEM);
}

/* This machine has no vars. */
static inline void fixture_names_the_wrong_variable(const char *url, fixture_render render)
{
	struct machine_vars v = fixture_vars(&good, NULL, url);
	const struct profile p = KERNEL(.cmdline = "a\nb={{vars.disk}}");
	struct template_error error = { 0 };
	struct text out = { 0 };

	assert_int_equal(render(&p, &v, &out, &error), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_non_null(strstr(error.message, "vars.disk"));
	text_free(&out);
}

/* Whatever octets a client calls itself by, its text has the lines, the expansions,
 * the commands and the words that it has for a harmless name. */
static inline void fixture_no_name_breaks_out(fixture_render render, const char *url)
{
	const struct profile p =
		KERNEL(.cmdline = "a={{hostname}} b={{{hostname}}} c={{& hostname }}",
			.initrds = initrds, .n_initrds = 2);
	unsigned seed = fixture_seed();

	for (unsigned round = 0; round < 3000; round++) {
		uint8_t name[64];
		struct facts f = good, plain = good;
		struct machine_vars v = fixture_vars(&f, NULL, url);
		struct template_error error = { 0 };
		struct text is = { 0 }, should = { 0 };

		f.hostname = fixture_hostile_text(name, sizeof(name));
		plain.hostname = SPAN_LIT("x");
		assert_int_equal(render(&p, &v, &is, &error), 0);
		v.facts = &plain;
		assert_int_equal(render(&p, &v, &should, &error), 0);
		for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
			if (fixture_count(&is, shapes[i]) != fixture_count(&should, shapes[i]))
				fail_msg("seed %u: \"%s\" got in:\n%s", seed, shapes[i],
					text_str(&is));
		if (strlen(is.p) != is.n)
			fail_msg("seed %u: NUL got in:\n%s", seed, text_str(&is));
		text_free(&is);
		text_free(&should);
	}
}
