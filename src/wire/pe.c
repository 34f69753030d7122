/* Reads PE/COFF headers; see pe.h. */
#include "wire/pe.h"

#define DOS_OCTETS      64u
#define DOS_PE_AT       60u /* e_lfanew */
#define PE_SIGNATURE    "PE\0\0"
#define COFF_OCTETS     20u
#define MAGIC_PE32      0x10bu
#define MAGIC_PE32_PLUS 0x20bu
/* The optional header up to the data directory, whose length is its last word. */
#define FIXED_PE32      96u
#define FIXED_PE32_PLUS 112u
#define DIRECTORY_ENTRY 8u
#define DIRECTORY_MAX   16u
#define SECURITY_ENTRY  4u

uint16_t pe_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t pe_u32(const uint8_t *p)
{
	return pe_u16(p) | (uint32_t)pe_u16(p + 2) << 16;
}

void pe_put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void pe_put_u32(uint8_t *p, uint32_t v)
{
	pe_put_u16(p, (uint16_t)v);
	pe_put_u16(p + 2, (uint16_t)(v >> 16));
}

/* Does [at, at + n) lie in [0, size)? */
static bool lies_in(uint64_t at, uint64_t n, uint64_t size)
{
	return n <= size && at <= size - n;
}

static bool is_power_of_two(uint32_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* A table that was cut off firmware refuses; so do we, rather than call it unsigned. */
static enum pe_fault read_security(
	struct span head, uint64_t file_size, size_t entry_at, struct pe *pe)
{
	uint32_t at = pe_u32(head.p + entry_at), n = pe_u32(head.p + entry_at + 4);

	pe->security_at = entry_at;
	pe->is_signed = n != 0;
	return n == 0 || lies_in(at, n, file_size) ? PE_FAULT_NONE : PE_FAULT_SIGNATURE;
}

static enum pe_fault read_optional(
	struct span head, uint64_t file_size, size_t octets, struct pe *pe)
{
	const uint8_t *p = head.p + pe->optional_at;
	size_t fixed;
	uint32_t n_entries;

	if (octets < 2)
		return PE_FAULT_MAGIC;
	if (pe_u16(p) != MAGIC_PE32 && pe_u16(p) != MAGIC_PE32_PLUS)
		return PE_FAULT_MAGIC;
	fixed = pe_u16(p) == MAGIC_PE32 ? FIXED_PE32 : FIXED_PE32_PLUS;
	if (octets < fixed)
		return PE_FAULT_HEADERS;
	n_entries = pe_u32(p + fixed - 4);
	if (n_entries > DIRECTORY_MAX || (size_t)n_entries * DIRECTORY_ENTRY > octets - fixed)
		return PE_FAULT_HEADERS;
	pe->size_of_initialized_data = pe_u32(p + PE_OPTIONAL_DATA);
	pe->section_alignment = pe_u32(p + 32);
	pe->file_alignment = pe_u32(p + 36);
	pe->size_of_image = pe_u32(p + PE_OPTIONAL_IMAGE);
	pe->size_of_headers = pe_u32(p + 60);
	pe->subsystem = pe_u16(p + 68);
	if (!is_power_of_two(pe->section_alignment) || !is_power_of_two(pe->file_alignment))
		return PE_FAULT_ALIGNMENT;
	if (n_entries <= SECURITY_ENTRY)
		return PE_FAULT_NONE;
	return read_security(head, file_size,
		pe->optional_at + fixed + (size_t)SECURITY_ENTRY * DIRECTORY_ENTRY, pe);
}

static enum pe_fault read_section(
	const uint8_t *p, uint64_t file_size, const struct pe *pe, struct pe_section *ret)
{
	struct pe_section s = {
		.virtual_size = pe_u32(p + 8),
		.virtual_address = pe_u32(p + 12),
		.raw_size = pe_u32(p + 16),
		.raw_offset = pe_u32(p + 20),
	};

	memcpy(s.name, p, 8);
	if (s.raw_size > 0 && !lies_in(s.raw_offset, s.raw_size, file_size))
		return PE_FAULT_SECTION_FILE;
	if (!lies_in(s.virtual_address, s.virtual_size, pe->size_of_image))
		return PE_FAULT_SECTION_IMAGE;
	*ret = s;
	return PE_FAULT_NONE;
}

static enum pe_fault read_sections(struct span head, uint64_t file_size, size_t n, struct pe *pe)
{
	size_t end = pe->sections_at + n * PE_SECTION_OCTETS;

	if (n == 0 || n > PE_SECTIONS_MAX)
		return PE_FAULT_SECTIONS;
	if (end > head.n)
		return PE_FAULT_SHORT;
	if (pe->size_of_headers < end || pe->size_of_headers > file_size)
		return PE_FAULT_HEADERS;
	for (size_t i = 0; i < n; i++) {
		enum pe_fault f = read_section(head.p + pe->sections_at + i * PE_SECTION_OCTETS,
			file_size, pe, &pe->section[i]);

		if (f != PE_FAULT_NONE)
			return f;
	}
	pe->n_sections = n;
	return PE_FAULT_NONE;
}

enum pe_fault pe_decode(struct span head, uint64_t file_size, struct pe *ret)
{
	struct pe pe = { 0 };
	size_t signature_at, optional_octets;
	enum pe_fault f;

	if (!span_has_prefix(head, SPAN_LIT("MZ")))
		return PE_FAULT_NO_MZ;
	if (head.n < DOS_OCTETS)
		return PE_FAULT_SHORT;
	signature_at = pe_u32(head.p + DOS_PE_AT);
	if (signature_at < DOS_OCTETS || !lies_in(signature_at, 4 + COFF_OCTETS, head.n) ||
		!span_has_prefix(span_skip(head, signature_at), SPAN_LIT(PE_SIGNATURE)))
		return PE_FAULT_NO_PE;
	pe.coff_at = signature_at + 4;
	pe.optional_at = pe.coff_at + COFF_OCTETS;
	pe.machine = pe_u16(head.p + pe.coff_at);
	optional_octets = pe_u16(head.p + pe.coff_at + 16);
	if (!lies_in(pe.optional_at, optional_octets, head.n))
		return PE_FAULT_SHORT;
	pe.sections_at = pe.optional_at + optional_octets;
	f = read_optional(head, file_size, optional_octets, &pe);
	if (f == PE_FAULT_NONE)
		f = read_sections(
			head, file_size, pe_u16(head.p + pe.coff_at + PE_COFF_SECTIONS), &pe);
	if (f == PE_FAULT_NONE)
		*ret = pe;
	return f;
}

const char *pe_fault_sentence(enum pe_fault f)
{
	static const char *const sentences[] = {
#define X(name, sentence) [PE_FAULT_##name] = (sentence),
		PE_FAULTS(X)
#undef X
	};

	return (unsigned)f < ARRAY_LEN(sentences) ? sentences[f]
						  : "is wrong in a way without a name";
}

const char *pe_guess_other(struct span head)
{
	/* Where, what, and what it is then. */
	static const struct {
		size_t at;
		struct span magic;
		const char *what;
	} others[] = {
		{ 514, { (const uint8_t *)"HdrS", 4 },
			"an x86 kernel without an EFI stub (or iPXE for BIOS)" },
		{ 56, { (const uint8_t *)"ARMd", 4 }, "an arm64 kernel without an EFI stub" },
		{ 0, { (const uint8_t *)"\x1f\x8b", 2 }, "a gzip file: unpack it" },
		{ 0, { (const uint8_t *)"\x28\xb5\x2f\xfd", 4 }, "a zstd file: unpack it" },
		{ 0,
			{ (const uint8_t *)"\xfd"
					   "7zXZ",
				5 },
			"an xz file: unpack it" },
		{ 0,
			{ (const uint8_t *)"\x7f"
					   "ELF",
				4 },
			"an ELF file" },
		{ 0, { (const uint8_t *)"070701", 6 }, "a cpio archive: an initrd" },
		{ 0, { (const uint8_t *)"<", 1 }, "HTML or XML: an error page?" },
		{ 0, { (const uint8_t *)"#!", 2 }, "a script" },
	};

	if (head.n == 0)
		return "an empty file";
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (span_has_prefix(span_skip(head, others[i].at), others[i].magic))
			return others[i].what;
	return NULL;
}

static const struct {
	enum arch arch;
	uint16_t machine;
	const char *suffix;
} machines[] = {
	{ ARCH_IA32, PE_MACHINE_IA32, "IA32" },
	{ ARCH_X64, PE_MACHINE_X64, "X64" },
	{ ARCH_ARM32, PE_MACHINE_ARM32, "ARM" },
	{ ARCH_ARM64, PE_MACHINE_ARM64, "AA64" },
};

enum arch pe_arch_of(uint16_t machine)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].machine == machine)
			return machines[i].arch;
	return ARCH_OTHER;
}

uint16_t pe_machine_of(enum arch arch)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].arch == arch)
			return machines[i].machine;
	return 0;
}

const char *pe_machine_suffix(enum arch arch)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].arch == arch)
			return machines[i].suffix;
	return NULL;
}
