/* core/efi_check.h: what is said of wrong files.  Debian's own serve as examples. */
#include "core/efi_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#define INSTALLER "/usr/lib/debian-installer/images/12/"
#define AMD64     INSTALLER "amd64/text/debian-installer/amd64/"
#define ARM64     INSTALLER "arm64/text/debian-installer/arm64/"
#define IPXE      "/usr/lib/ipxe/ipxe.efi"

static const struct {
	const char *path;
	struct efi_wanted wanted;
	const char *why; /* NULL: it is right */
} cases[] = {
	{ IPXE, { ARCH_UNKNOWN, false }, NULL },
	{ IPXE, { ARCH_X64, false }, NULL },
	{ IPXE, { ARCH_ARM64, false }, "is an image for x64, and arm64 is wanted" },
	{ IPXE, { ARCH_X64, true }, "is not signed, and Secure Boot loads nothing unsigned" },
	{ AMD64 "linux", { ARCH_X64, true }, NULL },
	{ ARM64 "linux", { ARCH_ARM64, true }, NULL },
	{ ARM64 "linux", { ARCH_X64, false }, "is an image for arm64, and x64 is wanted" },
	{ AMD64 "bootnetx64.efi", { ARCH_X64, true }, NULL },
	{ AMD64 "bootnetx64.efi", { ARCH_IA32, true }, "is an image for x64, and ia32 is wanted" },
	{ AMD64 "initrd.gz", { ARCH_X64, false },
		"is no UEFI image (PE) but a gzip file: unpack it" },
	{ "/usr/lib/ipxe/ipxe.lkrn", { ARCH_X64, false },
		"is no UEFI image (PE) but an x86 kernel without an EFI stub (or iPXE for BIOS)" },
	{ "/usr/lib/ipxe/undionly.kpxe", { ARCH_X64, false },
		"is no PE file: it does not begin with MZ" },
};

static void says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *f = fopen(cases[i].path, "re");
		uint8_t head[PE_HEAD_MAX];
		struct text why = { 0 };
		struct stat st;
		struct pe pe;
		size_t n;

		if (!f)
			fail_msg("%s is missing: make deps-check", cases[i].path);
		n = fread(head, 1, sizeof(head), f);
		assert_int_equal(fstat(fileno(f), &st), 0);
		(void)fclose(f);
		assert_int_equal(efi_check((struct span){ head, n }, (uint64_t)st.st_size,
					 &cases[i].wanted, &pe, &why),
			cases[i].why == NULL);
		assert_string_equal(text_str(&why), cases[i].why ? cases[i].why : "");
		text_free(&why);
	}
}

static void says_the_number_of_strange_machines(void **state)
{
	uint8_t head[PE_HEAD_MAX] = { 'M', 'Z' };
	struct text why = { 0 };
	FILE *f = fopen(IPXE, "re");
	struct pe pe;

	(void)state;
	if (!f)
		fail_msg(IPXE " is missing: make deps-check");
	assert_int_equal(fread(head, 1, sizeof(head), f), sizeof(head));
	(void)fclose(f);
	pe_put_u16(head + pe_u32(head + 60) + 4, 0x5064);
	assert_false(efi_check((struct span){ head, sizeof(head) }, UINT32_MAX,
		&(struct efi_wanted){ .arch = ARCH_X64 }, &pe, &why));
	assert_string_equal(
		text_str(&why), "is an image for machines of type 0x5064, and x64 is wanted");
	text_reset(&why);
	pe_put_u16(head + pe_u32(head + 60) + 24 + 68, 2); /* a program for Windows */
	assert_false(efi_check((struct span){ head, sizeof(head) }, UINT32_MAX,
		&(struct efi_wanted){ 0 }, &pe, &why));
	assert_string_equal(text_str(&why), "is a PE image, but no UEFI application");
	text_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(says_the_number_of_strange_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
