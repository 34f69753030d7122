/* Lays out unified kernel images; see uki.h. */
#include "core/uki.h"

#include <errno.h>

/* Pages of memory: newer firmware protects sections one by one. */
#define PAGE 4096u
/* PE counts with 32 bits. */
#define IMAGE_MAX ((uint64_t)UINT32_MAX)

#define SECTION_CODE 0x40000020u /* readable code: old stubs run the kernel where it lies */
#define SECTION_DATA 0x40000040u /* readable, initialized */

/* One initrd behind another begins where four octets do (the kernel's initramfs
 * buffer format). */
#define INITRD_ALIGNMENT 4u

/* Our sections in their order: the kernel last, since old stubs run it where it
 * lies, and what it unpacks into lies behind it. */
enum part {
	PART_OS_RELEASE,
	PART_CMDLINE,
	PART_INITRD,
	PART_LINUX,
};
#define PARTS (PART_LINUX + 1)

static const struct {
	const char *name;
	uint32_t characteristics;
} sections[PARTS] = {
	[PART_OS_RELEASE] = { ".osrel", SECTION_DATA },
	[PART_CMDLINE] = { ".cmdline", SECTION_DATA },
	[PART_INITRD] = { ".initrd", SECTION_DATA },
	[PART_LINUX] = { ".linux", SECTION_CODE },
};

struct new_section {
	enum part part;
	uint64_t virtual_address, virtual_size;
	uint64_t raw_offset, raw_size;
};

struct layout {
	const struct uki_parts *parts;
	const struct pe *stub;
	uint64_t stub_end;             /* of what the stub's sections have in its file */
	uint64_t memory_end, file_end; /* of what is laid out so far */
	struct new_section section[PARTS];
	size_t n_sections;
};

static uint64_t round_up(uint64_t v, uint64_t power_of_two)
{
	return (v + power_of_two - 1) & ~(power_of_two - 1);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t memory_alignment(const struct pe *stub)
{
	return larger(stub->section_alignment, PAGE);
}

/* Behind all that the stub's sections have, in memory and in its file: what follows
 * there (symbols, certificates) is not of the image. */
static void find_ends(struct layout *l)
{
	const struct pe *stub = l->stub;

	l->file_end = stub->size_of_headers;
	l->memory_end = stub->size_of_headers;
	for (size_t i = 0; i < stub->n_sections; i++) {
		const struct pe_section *s = &stub->section[i];

		l->memory_end = larger(
			l->memory_end, (uint64_t)s->virtual_address + s->virtual_size);
		if (s->raw_size > 0)
			l->file_end = larger(l->file_end, (uint64_t)s->raw_offset + s->raw_size);
	}
	l->stub_end = l->file_end;
}

static uint64_t initrds_size(const struct uki_parts *parts)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < parts->n_initrds; i++) {
		if (sum > IMAGE_MAX || parts->initrd_sizes[i] > IMAGE_MAX)
			return UINT64_MAX;
		sum = round_up(sum, INITRD_ALIGNMENT) + parts->initrd_sizes[i];
	}
	return sum;
}

static uint64_t part_size(const struct uki_parts *parts, enum part part)
{
	switch (part) {
	case PART_OS_RELEASE:
		return parts->os_release.n;
	case PART_CMDLINE:
		return parts->cmdline.n;
	case PART_INITRD:
		return initrds_size(parts);
	case PART_LINUX:
	default:
		return parts->kernel_size;
	}
}

/* False when the image became too large. */
static bool place_sections(struct layout *l)
{
	for (enum part part = 0; part < PARTS; part++) {
		uint64_t size = part_size(l->parts, part);
		struct new_section *s = &l->section[l->n_sections];

		if (size > IMAGE_MAX)
			return false;
		if (size == 0)
			continue;
		*s = (struct new_section){ .part = part,
			.virtual_address = round_up(l->memory_end, memory_alignment(l->stub)),
			.virtual_size = size,
			.raw_offset = round_up(l->file_end, l->stub->file_alignment),
			.raw_size = round_up(size, l->stub->file_alignment) };
		l->memory_end = s->virtual_address + s->virtual_size;
		l->file_end = s->raw_offset + s->raw_size;
		l->n_sections++;
	}
	return larger(round_up(l->memory_end, memory_alignment(l->stub)), l->file_end) <= IMAGE_MAX;
}

static bool is_unified_already(const struct pe *stub)
{
	for (size_t i = 0; i < stub->n_sections; i++)
		for (size_t k = 0; k < PARTS; k++)
			if (strcmp(stub->section[i].name, sections[k].name) == 0)
				return true;
	return false;
}

static size_t headers_end(const struct layout *l)
{
	return l->stub->sections_at + (l->stub->n_sections + l->n_sections) * PE_SECTION_OCTETS;
}

/* Room for our section headers behind the stub's.  What stands there is padding,
 * whatever its octets are (of Debian's arm64 stub NOPs). */
static bool has_room(const struct layout *l)
{
	size_t end = headers_end(l);

	if (end > PE_HEAD_MAX || end > l->parts->stub_head.n || end > l->stub->size_of_headers)
		return false;
	for (size_t i = 0; i < l->stub->n_sections; i++)
		if (l->stub->section[i].raw_size > 0 && l->stub->section[i].raw_offset < end)
			return false;
	return true;
}

static bool has_control_character(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static const char *plan(struct layout *l)
{
	if (is_unified_already(l->stub))
		return "the stub is a unified kernel image already";
	if (has_control_character(l->parts->cmdline))
		return "the command line has a control character in it";
	if (l->parts->kernel_size == 0)
		return "the kernel is empty";
	find_ends(l);
	if (!place_sections(l))
		return "the image would be larger than the 4 GiB that its format has";
	if (!has_room(l))
		return "the stub has no room for further section headers";
	return NULL;
}

static void write_section(uint8_t *p, const struct new_section *s)
{
	memset(p, 0, PE_SECTION_OCTETS);
	memcpy(p, sections[s->part].name, strlen(sections[s->part].name));
	pe_put_u32(p + 8, (uint32_t)s->virtual_size);
	pe_put_u32(p + 12, (uint32_t)s->virtual_address);
	pe_put_u32(p + 16, (uint32_t)s->raw_size);
	pe_put_u32(p + 20, (uint32_t)s->raw_offset);
	pe_put_u32(p + 36, sections[s->part].characteristics);
}

/* The stub's head with our sections in it.  What was true of the stub alone goes:
 * its checksum, which UEFI does not look at, its symbols, its signature. */
static void write_head(const struct layout *l, uint8_t *head)
{
	const struct pe *stub = l->stub;
	uint8_t *coff = head + stub->coff_at, *optional = head + stub->optional_at;
	uint32_t data = stub->size_of_initialized_data;

	for (size_t i = 0; i < l->n_sections; i++) {
		write_section(head + stub->sections_at + (stub->n_sections + i) * PE_SECTION_OCTETS,
			&l->section[i]);
		data += (uint32_t)l->section[i].raw_size;
	}
	pe_put_u16(coff + PE_COFF_SECTIONS, (uint16_t)(stub->n_sections + l->n_sections));
	memset(coff + PE_COFF_SYMBOLS, 0, 8);
	pe_put_u32(optional + PE_OPTIONAL_DATA, data);
	pe_put_u32(optional + PE_OPTIONAL_IMAGE,
		(uint32_t)round_up(l->memory_end, memory_alignment(stub)));
	pe_put_u32(optional + PE_OPTIONAL_CHECKSUM, 0);
	if (stub->security_at)
		memset(head + stub->security_at, 0, 8);
}

static void add_head(const struct layout *l, struct pieces *p)
{
	uint8_t head[PE_HEAD_MAX];
	size_t n = headers_end(l);

	memcpy(head, l->parts->stub_head.p, n);
	write_head(l, head);
	pieces_add_octets(p, (struct span){ head, n });
}

static void zeros_until(struct pieces *p, uint64_t end)
{
	pieces_add_zeros(p, end - pieces_length(p));
}

static void add_initrds(const struct uki_parts *parts, uint64_t begin, struct pieces *p)
{
	for (size_t i = 0; i < parts->n_initrds; i++) {
		zeros_until(p, begin + round_up(pieces_length(p) - begin, INITRD_ALIGNMENT));
		pieces_add_file(p, UKI_INITRD + (unsigned)i, 0, parts->initrd_sizes[i]);
	}
}

static void add_section(const struct layout *l, const struct new_section *s, struct pieces *p)
{
	zeros_until(p, s->raw_offset);
	switch (s->part) {
	case PART_OS_RELEASE:
		pieces_add_octets(p, l->parts->os_release);
		break;
	case PART_CMDLINE:
		pieces_add_octets(p, l->parts->cmdline);
		break;
	case PART_INITRD:
		add_initrds(l->parts, s->raw_offset, p);
		break;
	case PART_LINUX:
		pieces_add_file(p, UKI_KERNEL, 0, l->parts->kernel_size);
		break;
	}
	zeros_until(p, s->raw_offset + s->raw_size);
}

int uki_layout(const struct uki_parts *parts, struct pieces *ret, const char **ret_why)
{
	struct layout l = { .parts = parts, .stub = parts->stub };
	const char *why = plan(&l);
	struct pieces p = { 0 };

	if (why) {
		*ret_why = why;
		return -EINVAL;
	}
	add_head(&l, &p);
	pieces_add_file(&p, UKI_STUB, headers_end(&l), l.stub_end - headers_end(&l));
	for (size_t i = 0; i < l.n_sections; i++)
		add_section(&l, &l.section[i], &p);
	if (p.failed) {
		pieces_free(&p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}
