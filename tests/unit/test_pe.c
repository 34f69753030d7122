/* wire/pe.h: heads of real files, one made by hand, and lies in it. */
#include "pe_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#define HEAD      512u
#define FILE_SIZE ((uint64_t)PE_FILE_OCTETS)
#define AT_PE     PE_FILE_AT_PE
#define AT_COFF   (AT_PE + 4)
#define AT_OPT    PE_FILE_AT_OPT
#define AT_DIR    PE_FILE_AT_DIR
#define AT_SEC    PE_FILE_AT_SEC

static const char *fault_name(enum pe_fault f)
{
	static const char *const names[] = {
#define X(name, sentence) #name,
		PE_FAULTS(X)
#undef X
	};

	return names[f];
}

/* A PE32+ of one section, 512 octets at 512 of the file, and a certificate table. */
static void make(uint8_t *p)
{
	uint8_t file[PE_FILE_OCTETS];

	pe_file_make(file, PE_MACHINE_X64, true);
	memcpy(p, file, HEAD);
}

/* From a copy without slack: the sanitizer sees any read past the end. */
static enum pe_fault decode(const uint8_t *p, size_t n, uint64_t file_size, struct pe *ret)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum pe_fault f;

	assert_non_null(copy);
	memcpy(copy, p, n);
	f = pe_decode((struct span){ copy, n }, file_size, ret);
	free(copy);
	return f;
}

static void reads_what_stands_there(void **state)
{
	uint8_t head[HEAD];
	struct pe pe;

	(void)state;
	make(head);
	assert_int_equal(decode(head, HEAD, FILE_SIZE, &pe), PE_FAULT_NONE);
	assert_int_equal(pe.machine, PE_MACHINE_X64);
	assert_int_equal(pe.subsystem, PE_SUBSYSTEM_EFI_APPLICATION);
	assert_int_equal(pe.section_alignment, 4096);
	assert_int_equal(pe.file_alignment, 512);
	assert_int_equal(pe.size_of_headers, HEAD);
	assert_int_equal(pe.size_of_image, 0x3000);
	assert_int_equal(pe.size_of_initialized_data, 77);
	assert_true(pe.is_signed);
	assert_int_equal(pe.coff_at, AT_COFF);
	assert_int_equal(pe.optional_at, AT_OPT);
	assert_int_equal(pe.sections_at, AT_SEC);
	assert_int_equal(pe.security_at, AT_DIR + 32);
	assert_int_equal(pe.n_sections, 1);
	assert_string_equal(pe.section[0].name, ".longest");
	assert_int_equal(pe.section[0].virtual_size, 0x1234);
	assert_int_equal(pe.section[0].virtual_address, 0x1000);
	assert_int_equal(pe.section[0].raw_size, 512);
	assert_int_equal(pe.section[0].raw_offset, 512);
}

static void a_directory_without_certificates(void **state)
{
	uint8_t head[HEAD];
	struct pe pe;

	(void)state;
	make(head);
	pe_put_u32(head + AT_OPT + 108, 4);
	assert_int_equal(decode(head, HEAD, FILE_SIZE, &pe), PE_FAULT_NONE);
	assert_false(pe.is_signed);
	assert_int_equal(pe.security_at, 0);
}

static void no_head_is_read_past_its_end(void **state)
{
	uint8_t head[HEAD];
	struct pe pe;

	(void)state;
	make(head);
	for (size_t n = 0; n < AT_SEC + 40; n++)
		assert_int_not_equal(decode(head, n, FILE_SIZE, &pe), PE_FAULT_NONE);
	assert_int_equal(decode(head, AT_SEC + 40, FILE_SIZE, &pe), PE_FAULT_NONE);
}

static void lies(void **state)
{
	static const struct {
		size_t at, octets;
		uint32_t v;
		enum pe_fault want;
	} cases[] = {
		{ 0, 2, 0x4d5a, PE_FAULT_NO_MZ },
		{ 60, 4, 0, PE_FAULT_NO_PE },
		{ 60, 4, 60, PE_FAULT_NO_PE },
		{ 60, 4, 0xffffffff, PE_FAULT_NO_PE },
		{ 60, 4, HEAD - 4, PE_FAULT_NO_PE },
		{ AT_PE + 2, 2, 1, PE_FAULT_NO_PE },
		{ AT_COFF + 2, 2, 0, PE_FAULT_SECTIONS },
		{ AT_COFF + 2, 2, 65, PE_FAULT_SECTIONS },
		{ AT_COFF + 2, 2, 8, PE_FAULT_SHORT },
		{ AT_COFF + 16, 2, 0xffff, PE_FAULT_SHORT },
		{ AT_COFF + 16, 2, 0, PE_FAULT_MAGIC },
		{ AT_COFF + 16, 2, 111, PE_FAULT_HEADERS },
		{ AT_COFF + 16, 2, 112 + 16 * 8 - 1, PE_FAULT_HEADERS },
		{ AT_OPT, 2, 0x10c, PE_FAULT_MAGIC },
		{ AT_OPT + 108, 4, 17, PE_FAULT_HEADERS },
		{ AT_OPT + 108, 4, 0x20000000, PE_FAULT_HEADERS },
		{ AT_OPT + 32, 4, 0, PE_FAULT_ALIGNMENT },
		{ AT_OPT + 36, 4, 0x201, PE_FAULT_ALIGNMENT },
		{ AT_OPT + 60, 4, AT_SEC + 39, PE_FAULT_HEADERS },
		{ AT_OPT + 60, 4, FILE_SIZE + 1, PE_FAULT_HEADERS },
		{ AT_SEC + 20, 4, FILE_SIZE - 511, PE_FAULT_SECTION_FILE },
		{ AT_SEC + 20, 4, 0xffffffff, PE_FAULT_SECTION_FILE },
		{ AT_SEC + 16, 4, 0xffffffff, PE_FAULT_SECTION_FILE },
		{ AT_SEC + 8, 4, 0x2001, PE_FAULT_SECTION_IMAGE },
		{ AT_SEC + 12, 4, 0xffffffff, PE_FAULT_SECTION_IMAGE },
		{ AT_DIR + 36, 4, 513, PE_FAULT_SIGNATURE },
		{ AT_DIR + 32, 4, 0xffffffff, PE_FAULT_SIGNATURE },
		{ AT_SEC + 20, 4, FILE_SIZE - 512, PE_FAULT_NONE },
		{ AT_SEC + 8, 4, 0x2000, PE_FAULT_NONE },
		{ AT_DIR + 36, 4, 0, PE_FAULT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t head[HEAD];
		struct pe pe;
		enum pe_fault f;

		make(head);
		if (cases[i].octets == 2)
			pe_put_u16(head + cases[i].at, (uint16_t)cases[i].v);
		else
			pe_put_u32(head + cases[i].at, cases[i].v);
		f = decode(head, HEAD, FILE_SIZE, &pe);
		if (f != cases[i].want)
			fail_msg("case %zu: %s, expected %s", i, fault_name(f),
				fault_name(cases[i].want));
	}
}

/* A section without octets in the file may name any place there. */
static void sections_of_zeros(void **state)
{
	uint8_t head[HEAD];
	struct pe pe;

	(void)state;
	make(head);
	pe_put_u32(head + AT_SEC + 16, 0);
	pe_put_u32(head + AT_SEC + 20, 0xffffffff);
	assert_int_equal(decode(head, HEAD, FILE_SIZE, &pe), PE_FAULT_NONE);
}

/* What Debian ships; `make deps-check` installs it. */
#define INSTALLER "/usr/lib/debian-installer/images/12/"
static const struct {
	const char *path;
	uint16_t machine; /* 0: no PE */
	bool is_signed;
	const char *section; /* its last */
} files[] = {
	{ "/usr/lib/systemd/boot/efi/linuxx64.efi.stub", PE_MACHINE_X64, false, ".sdmagic" },
	{ "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", PE_MACHINE_X64, false, ".osrel" },
	{ "/usr/lib/ipxe/ipxe.efi", PE_MACHINE_X64, false, ".debug" },
	{ "/usr/lib/ipxe/snponly.efi", PE_MACHINE_X64, false, ".debug" },
	{ INSTALLER "amd64/text/debian-installer/amd64/linux", PE_MACHINE_X64, true, ".data" },
	{ INSTALLER "amd64/text/debian-installer/amd64/bootnetx64.efi", PE_MACHINE_X64, true,
		".sbat" },
	{ INSTALLER "amd64/text/debian-installer/amd64/grubx64.efi", PE_MACHINE_X64, true,
		".reloc" },
	{ INSTALLER "arm64/text/debian-installer/arm64/linux", PE_MACHINE_ARM64, true, ".data" },
	{ INSTALLER "arm64/text/debian-installer/arm64/bootnetaa64.efi", PE_MACHINE_ARM64, true,
		".sbat" },
	{ INSTALLER "arm64/text/debian-installer/arm64/grubaa64.efi", PE_MACHINE_ARM64, true,
		".reloc" },
	{ INSTALLER "amd64/text/debian-installer/amd64/initrd.gz", 0, false, NULL },
	{ "/usr/lib/systemd/boot/efi/linuxx64.elf.stub", 0, false, NULL },
	{ "/usr/lib/ipxe/undionly.kpxe", 0, false, NULL },
};

static size_t read_head(const char *path, uint8_t *buf, uint64_t *ret_size)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	size_t n;

	if (!f)
		fail_msg("%s is missing: make deps-check", path);
	n = fread(buf, 1, PE_HEAD_MAX, f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	(void)fclose(f);
	*ret_size = (uint64_t)st.st_size;
	return n;
}

static void real_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		uint8_t head[PE_HEAD_MAX];
		uint64_t size;
		size_t n = read_head(files[i].path, head, &size);
		struct pe pe;
		enum pe_fault f = decode(head, n, size, &pe);

		if (files[i].machine == 0) {
			assert_int_equal(f, PE_FAULT_NO_MZ);
			continue;
		}
		if (f != PE_FAULT_NONE)
			fail_msg("%s %s", files[i].path, pe_fault_sentence(f));
		assert_int_equal(pe.machine, files[i].machine);
		assert_int_equal(pe.subsystem, PE_SUBSYSTEM_EFI_APPLICATION);
		assert_int_equal(pe.is_signed, files[i].is_signed);
		assert_string_equal(pe.section[pe.n_sections - 1].name, files[i].section);
		/* cut off, as a broken download is */
		assert_int_not_equal(decode(head, n, size / 2, &pe), PE_FAULT_NONE);
	}
}

static void guesses(void **state)
{
	static const struct {
		const char *octets, *want;
	} cases[] = {
		{ "", "an empty file" },
		{ "\x1f\x8b\x08", "a gzip file: unpack it" },
		{ "\x7f"
		  "ELF\x02",
			"an ELF file" },
		{ "<!DOCTYPE html>", "HTML or XML: an error page?" },
		{ "#!ipxe", "a script" },
		{ "070701", "a cpio archive: an initrd" },
		{ "hello", NULL },
	};
	uint8_t kernel[520] = { 0xea };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *guess = pe_guess_other(span_str(cases[i].octets));

		if (!cases[i].want)
			assert_null(guess);
		else
			assert_string_equal(guess, cases[i].want);
	}
	memcpy(kernel + 514, "HdrS", 4);
	assert_non_null(
		strstr(pe_guess_other((struct span){ kernel, sizeof(kernel) }), "x86 kernel"));
	assert_null(pe_guess_other((struct span){ kernel, 517 }));
}

static void machines(void **state)
{
	(void)state;
	assert_int_equal(pe_machine_of(ARCH_X64), 0x8664);
	assert_int_equal(pe_machine_of(ARCH_ARM64), 0xaa64);
	assert_int_equal(pe_machine_of(ARCH_BIOS), 0);
	assert_string_equal(pe_machine_suffix(ARCH_X64), "X64");
	assert_string_equal(pe_machine_suffix(ARCH_ARM64), "AA64");
	assert_null(pe_machine_suffix(ARCH_BIOS));
	assert_int_equal(pe_arch_of(0x14c), ARCH_IA32);
	assert_int_equal(pe_arch_of(0x1c2), ARCH_ARM32);
	assert_int_equal(pe_arch_of(0x5064), ARCH_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_stands_there),
		cmocka_unit_test(a_directory_without_certificates),
		cmocka_unit_test(no_head_is_read_past_its_end),
		cmocka_unit_test(lies),
		cmocka_unit_test(sections_of_zeros),
		cmocka_unit_test(real_files),
		cmocka_unit_test(guesses),
		cmocka_unit_test(machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
