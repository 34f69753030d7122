/* core/uki.h: stubs made by hand, and what cannot be.  tests/e2e/uki_image.py holds
 * images of real files against other tools. */
#include "core/uki.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define AT_PE  64u
#define AT_OPT (AT_PE + 24)
#define OPT    (112u + 16 * 8)
#define AT_SEC (AT_OPT + OPT)
#define STUB_SIZE                                                                                  \
	2000u /* of the file: its section ends at 1536, then comes what is not of the image */

struct stub {
	uint8_t head[1024];
	struct pe pe;
};

static void put_section(uint8_t *p, const char *name, uint32_t size, uint32_t address,
	uint32_t raw_size, uint32_t raw_offset)
{
	memcpy(p, name, strlen(name));
	pe_put_u32(p + 8, size);
	pe_put_u32(p + 12, address);
	pe_put_u32(p + 16, raw_size);
	pe_put_u32(p + 20, raw_offset);
}

static struct stub make(uint32_t size_of_headers)
{
	struct stub s = { { 'M', 'Z' } };
	uint8_t *p = s.head;

	memset(p + AT_SEC + 40, 0x1f, sizeof(s.head) - AT_SEC - 40); /* padding need not be zeros */
	pe_put_u32(p + 60, AT_PE);
	memcpy(p + AT_PE, "PE", 2);
	pe_put_u16(p + AT_PE + 4, PE_MACHINE_ARM64);
	pe_put_u16(p + AT_PE + 6, 1);
	pe_put_u32(p + AT_PE + 12, 1536);
	pe_put_u32(p + AT_PE + 16, 3);
	pe_put_u16(p + AT_PE + 20, OPT);
	pe_put_u16(p + AT_OPT, 0x20b);
	pe_put_u32(p + AT_OPT + 8, 512);
	pe_put_u32(p + AT_OPT + 32, 512);
	pe_put_u32(p + AT_OPT + 36, 512);
	pe_put_u32(p + AT_OPT + 56, 0x2200);
	pe_put_u32(p + AT_OPT + 60, size_of_headers);
	pe_put_u32(p + AT_OPT + 64, 0xbad);
	pe_put_u16(p + AT_OPT + 68, PE_SUBSYSTEM_EFI_APPLICATION);
	pe_put_u32(p + AT_OPT + 108, 16);
	pe_put_u32(p + AT_OPT + 112 + 32, 1600);
	pe_put_u32(p + AT_OPT + 112 + 36, 400);
	put_section(p + AT_SEC, ".text", 0x1100, 0x1000, 512, 1024);
	assert_int_equal(
		pe_decode((struct span){ p, sizeof(s.head) }, STUB_SIZE, &s.pe), PE_FAULT_NONE);
	assert_true(s.pe.is_signed);
	return s;
}

static struct uki_parts parts_of(const struct stub *s)
{
	static const uint64_t initrds[] = { 5, 3, 0, 8 };

	return (struct uki_parts){ .stub_head = { s->head, sizeof(s->head) },
		.stub = &s->pe,
		.kernel_size = 10000,
		.initrd_sizes = initrds,
		.n_initrds = ARRAY_LEN(initrds),
		.os_release = SPAN_LIT("ID=x\n"),
		.cmdline = SPAN_LIT("quiet") };
}

static void lays_out(void **state)
{
	struct stub s = make(1024);
	struct uki_parts parts = parts_of(&s);
	struct pieces p = { 0 };
	const char *why = NULL;
	struct pe pe;

	(void)state;
	assert_int_equal(uki_layout(&parts, &p, &why), 0);
	/* The stub 1536, .osrel and .cmdline 512 each, .initrd 512, .linux 10240. */
	assert_int_equal(pieces_length(&p), 1536 + 3 * 512 + 10240);
	assert_int_equal(p.list[0].kind, PIECE_OCTETS);
	assert_int_equal(p.list[0].end, AT_SEC + 5 * 40);
	assert_int_equal(pe_decode((struct span){ (uint8_t *)p.octets.p, p.list[0].end },
				 pieces_length(&p), &pe),
		PE_FAULT_NONE);
	assert_int_equal(pe.n_sections, 5);
	assert_int_equal(pe.machine, PE_MACHINE_ARM64);
	assert_false(pe.is_signed);
	assert_int_equal(pe_u32((uint8_t *)p.octets.p + AT_OPT + PE_OPTIONAL_CHECKSUM), 0);
	assert_int_equal(pe_u32((uint8_t *)p.octets.p + AT_PE + 4 + PE_COFF_SYMBOLS), 0);
	assert_int_equal(pe.size_of_initialized_data, 512 + 3 * 512 + 10240);
	assert_string_equal(pe.section[0].name, ".text");
	assert_string_equal(pe.section[1].name, ".osrel");
	assert_string_equal(pe.section[2].name, ".cmdline");
	assert_string_equal(pe.section[3].name, ".initrd");
	assert_string_equal(pe.section[4].name, ".linux");
	assert_int_equal(pe.section[3].virtual_size, 5 + 3 + 3 + 1 + 8); /* NULs between them */
	assert_int_equal(pe.section[4].virtual_size, 10000);
	assert_int_equal(pe.size_of_image, 0x9000);
	for (size_t i = 1; i < 5; i++) {
		assert_int_equal(pe.section[i].virtual_address % 4096, 0);
		assert_int_equal(pe.section[i].raw_offset % 512, 0);
	}
	assert_int_equal(pe.section[1].virtual_address, 0x3000);

	/* where the octets come from */
	struct piece_range r = pieces_at(&p, 1535);

	assert_int_equal(r.kind, PIECE_FILE);
	assert_int_equal(r.file, UKI_STUB);
	assert_int_equal(r.offset, 1535);
	assert_int_equal(r.n, 1);
	r = pieces_at(&p, pe.section[2].raw_offset);
	assert_int_equal(r.kind, PIECE_OCTETS);
	assert_int_equal(r.n, 5);
	assert_memory_equal(p.octets.p + r.offset, "quiet", 5);
	r = pieces_at(&p, pe.section[3].raw_offset + 5);
	assert_int_equal(r.kind, PIECE_ZEROS);
	assert_int_equal(r.n, 3);
	r = pieces_at(&p, pe.section[3].raw_offset + 12);
	assert_int_equal(r.kind, PIECE_FILE);
	assert_int_equal(r.file, UKI_INITRD + 3);
	assert_int_equal(r.offset, 0);
	r = pieces_at(&p, pe.section[4].raw_offset + 9999);
	assert_int_equal(r.file, UKI_KERNEL);
	assert_int_equal(r.offset, 9999);
	assert_int_equal(pieces_at(&p, pe.section[4].raw_offset + 10000).kind, PIECE_ZEROS);
	pieces_free(&p);
}

static void leaves_out_what_is_empty(void **state)
{
	struct stub s = make(1024);
	struct uki_parts parts = parts_of(&s);
	struct pieces p = { 0 };
	const char *why = NULL;
	struct pe pe;

	(void)state;
	parts.os_release = parts.cmdline = SPAN_NONE;
	parts.n_initrds = 0;
	assert_int_equal(uki_layout(&parts, &p, &why), 0);
	assert_int_equal(pe_decode((struct span){ (uint8_t *)p.octets.p, p.octets.n },
				 pieces_length(&p), &pe),
		PE_FAULT_NONE);
	assert_int_equal(pe.n_sections, 2);
	assert_string_equal(pe.section[1].name, ".linux");
	pieces_free(&p);
}

static void refuse(const struct uki_parts *parts, const char *want)
{
	struct pieces p = { 0 };
	const char *why = "";

	assert_int_equal(uki_layout(parts, &p, &why), -EINVAL);
	if (!strstr(why, want))
		fail_msg("%s, expected %s", why, want);
	assert_null(p.list);
}

static void refuses(void **state)
{
	static const uint64_t huge[] = { UINT64_C(1) << 31, UINT64_C(1) << 31 };
	static const uint64_t absurd[] = { 1, UINT64_MAX };
	struct stub s = make(1024), tight = make(AT_SEC + 5 * 40 - 1), twice = make(1024);
	struct uki_parts parts = parts_of(&s);

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char text[] = { 'a', (char)c, 'b' };

		parts.cmdline = (struct span){ (const uint8_t *)text, 3 };
		if (c < 32 || c == 127)
			refuse(&parts, "control character");
	}
	parts = parts_of(&s);
	parts.kernel_size = 0;
	refuse(&parts, "the kernel is empty");
	parts.kernel_size = UINT32_MAX - 4000;
	refuse(&parts, "4 GiB");
	parts.kernel_size = UINT64_MAX;
	refuse(&parts, "4 GiB");
	parts = parts_of(&s);
	parts.initrd_sizes = huge;
	parts.n_initrds = 2;
	refuse(&parts, "4 GiB");
	parts.initrd_sizes = absurd;
	refuse(&parts, "4 GiB");

	parts = parts_of(&tight);
	refuse(&parts, "no room");
	s.pe.section[0].raw_offset = AT_SEC + 5 * 40 -
		1; /* its octets begin before our headers would end */
	parts = parts_of(&s);
	refuse(&parts, "no room");
	parts.stub_head.n = AT_SEC + 5 * 40 - 1;
	s.pe.section[0].raw_offset = 1024;
	refuse(&parts, "no room");

	memcpy(twice.pe.section[0].name, ".cmdline", 9);
	parts = parts_of(&twice);
	refuse(&parts, "already");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lays_out),
		cmocka_unit_test(leaves_out_what_is_empty),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
