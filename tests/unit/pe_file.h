/* Small PE32+ files for tests: a head of 512 octets, and a section of as many. */
#pragma once

#include "wire/pe.h"

#define PE_FILE_OCTETS 1536u
#define PE_FILE_AT_PE  64u
#define PE_FILE_AT_OPT (PE_FILE_AT_PE + 24u)
#define PE_FILE_AT_DIR (PE_FILE_AT_OPT + 112u)
#define PE_FILE_AT_SEC (PE_FILE_AT_DIR + 16u * 8u)

/* What follows the section at 1024 is no part of the image: a "signature", or nothing. */
static inline void pe_file_make(uint8_t p[static PE_FILE_OCTETS], uint16_t machine, bool is_signed)
{
	memset(p, 0, PE_FILE_OCTETS);
	memcpy(p, "MZ", 2);
	pe_put_u32(p + 60, PE_FILE_AT_PE);
	memcpy(p + PE_FILE_AT_PE, "PE", 2);
	pe_put_u16(p + PE_FILE_AT_PE + 4, machine);
	pe_put_u16(p + PE_FILE_AT_PE + 6, 1);
	pe_put_u16(p + PE_FILE_AT_PE + 20, 112 + 16 * 8);
	pe_put_u16(p + PE_FILE_AT_OPT, 0x20b);
	pe_put_u32(p + PE_FILE_AT_OPT + 8, 77);
	pe_put_u32(p + PE_FILE_AT_OPT + 32, 4096);
	pe_put_u32(p + PE_FILE_AT_OPT + 36, 512);
	pe_put_u32(p + PE_FILE_AT_OPT + 56, 0x3000);
	pe_put_u32(p + PE_FILE_AT_OPT + 60, 512);
	pe_put_u16(p + PE_FILE_AT_OPT + 68, PE_SUBSYSTEM_EFI_APPLICATION);
	pe_put_u32(p + PE_FILE_AT_OPT + 108, 16);
	if (is_signed) {
		pe_put_u32(p + PE_FILE_AT_DIR + 4 * 8, 1024);
		pe_put_u32(p + PE_FILE_AT_DIR + 4 * 8 + 4, 512);
	}
	memcpy(p + PE_FILE_AT_SEC, ".longest", 8);
	pe_put_u32(p + PE_FILE_AT_SEC + 8, 0x1234);
	pe_put_u32(p + PE_FILE_AT_SEC + 12, 0x1000);
	pe_put_u32(p + PE_FILE_AT_SEC + 16, 512);
	pe_put_u32(p + PE_FILE_AT_SEC + 20, 512);
}
