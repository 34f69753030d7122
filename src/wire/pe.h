/* Headers of PE/COFF files: what UEFI loads, and what a Linux kernel pretends to be.
 *
 * Reads the head of a file and nothing else: which machine it is for, where its
 * sections lie, whether somebody signed it.  It holds each number against the
 * file's size, so that whoever rewrites a head need not; it does not look into
 * sections, verify signatures or load anything.
 *
 * Microsoft's PE format (rev. 11); UEFI 2.10 2.1.1 (images), 32.4 (signatures).
 */
#pragma once

#include "base/bytes.h"
#include "wire/pxe.h"

#define PE_HEAD_MAX     4096u /* octets at a file's beginning that hold all headers */
#define PE_SECTIONS_MAX 64u

/* X(name, sentence that goes on after the file's name) */
#define PE_FAULTS(X)                                                                               \
	X(NONE, "is in order")                                                                     \
	X(NO_MZ, "is no PE file: it does not begin with MZ")                                       \
	X(NO_PE, "is no PE file: no PE signature where its MZ header says")                        \
	X(SHORT, "ends inside its PE headers")                                                     \
	X(HEADERS, "has PE headers that lie outside of the file or of each other")                 \
	X(MAGIC, "is neither a PE32 nor a PE32+ image")                                            \
	X(ALIGNMENT, "has PE alignments that are no powers of two")                                \
	X(SECTIONS, "has no sections, or more than 64")                                            \
	X(SECTION_FILE, "has a section that lies outside of the file: it is cut off")              \
	X(SECTION_IMAGE, "has a section that lies outside of its image")                           \
	X(SIGNATURE, "has a signature that lies outside of the file: it is cut off")

enum pe_fault {
#define X(name, sentence) PE_FAULT_##name,
	PE_FAULTS(X)
#undef X
};

enum pe_machine {
	PE_MACHINE_IA32 = 0x014c,
	PE_MACHINE_ARM32 = 0x01c2, /* Thumb, as UEFI has it */
	PE_MACHINE_X64 = 0x8664,
	PE_MACHINE_ARM64 = 0xaa64,
};

#define PE_SUBSYSTEM_EFI_APPLICATION 10u

struct pe_section {
	char name[9]; /* as it stands, any octets, and a NUL */
	uint32_t virtual_address, virtual_size;
	uint32_t raw_offset, raw_size; /* in the file */
};

struct pe {
	uint16_t machine;
	uint16_t subsystem;
	uint32_t section_alignment, file_alignment;
	uint32_t size_of_headers, size_of_image;
	uint32_t size_of_initialized_data;
	bool is_signed; /* has a certificate table; whose, and whether it holds, is not looked at */
	size_t coff_at, optional_at, sections_at; /* where in the head these begin */
	size_t security_at; /* the certificate table's entry in the data directory; 0: has none */
	size_t n_sections;
	struct pe_section section[PE_SECTIONS_MAX];
};

/* Offsets of fields in the COFF header (coff_at) and in the optional header, the
 * same in PE32 and PE32+: for whoever rewrites a head.  Numbers are little-endian. */
#define PE_COFF_SECTIONS     2u
#define PE_COFF_SYMBOLS      8u /* two words: where, how many */
#define PE_OPTIONAL_DATA     8u /* SizeOfInitializedData */
#define PE_OPTIONAL_IMAGE    56u
#define PE_OPTIONAL_CHECKSUM 64u
#define PE_SECTION_OCTETS    40u

/* Reads the headers of a file of so many octets, of which head is the beginning:
 * PE_HEAD_MAX octets, or all of a smaller one.  *ret only when it is in order. */
enum pe_fault pe_decode(struct span head, uint64_t file_size, struct pe *ret) WARN_UNUSED;

const char *pe_fault_sentence(enum pe_fault f);

/* What a file that is no PE seems to be, with its article ("a gzip file"), or NULL. */
const char *pe_guess_other(struct span head);

/* The machine whose images such firmware loads; 0: no UEFI of that kind. */
uint16_t pe_machine_of(enum arch arch);
/* And back; ARCH_OTHER for the rest. */
enum arch pe_arch_of(uint16_t machine);
/* How names of files have it, "X64" of \EFI\BOOT\BOOTX64.EFI (UEFI 2.10 3.5.1.1); NULL:
 * no UEFI of that kind. */
const char *pe_machine_suffix(enum arch arch);

/* Numbers as PE has them. */
uint16_t pe_u16(const uint8_t *p);
uint32_t pe_u32(const uint8_t *p);
void pe_put_u16(uint8_t *p, uint16_t v);
void pe_put_u32(uint8_t *p, uint32_t v);
