/* Heads of PE files, and unified kernel images with such a stub.
 *
 * The input is a file's head.  Checked: what passes lies inside of the file; an
 * image with it as its stub has a head that passes too, is not signed, has pieces
 * without a hole, each of them inside of its file, and sections that do not overlap
 * those of the stub.
 */
#include "core/uki.h"

#include <stdlib.h>

#define CHECK(x)    ((x) ? (void)0 : abort())
#define KERNEL_SIZE 5000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t initrds[] = { 1, 0, 4097 };

static uint64_t size_of(unsigned file, uint64_t stub_size)
{
	if (file == UKI_STUB)
		return stub_size;
	if (file == UKI_KERNEL)
		return KERNEL_SIZE;
	CHECK(file - UKI_INITRD < ARRAY_LEN(initrds));
	return initrds[file - UKI_INITRD];
}

static void check_pieces(const struct pieces *p, uint64_t stub_size)
{
	uint64_t at = 0;

	while (at < pieces_length(p)) {
		struct piece_range r = pieces_at(p, at);

		CHECK(r.n > 0);
		if (r.kind == PIECE_FILE)
			CHECK(r.offset + r.n <= size_of(r.file, stub_size));
		if (r.kind == PIECE_OCTETS)
			CHECK(r.offset + r.n <= p->octets.n);
		at += r.n;
	}
	CHECK(at == pieces_length(p));
}

static void check_image(struct span head, uint64_t file_size, const struct pe *stub)
{
	const struct uki_parts parts = { .stub_head = head,
		.stub = stub,
		.kernel_size = KERNEL_SIZE,
		.initrd_sizes = initrds,
		.n_initrds = ARRAY_LEN(initrds),
		.os_release = SPAN_LIT("ID=x\n"),
		.cmdline = SPAN_LIT("console=ttyS0") };
	const char *why = NULL;
	struct pieces p = { 0 };
	struct pe pe;
	uint64_t end = 0;

	if (uki_layout(&parts, &p, &why) < 0) {
		CHECK(why && *why);
		return;
	}
	check_pieces(&p, file_size);
	CHECK(p.list[0].kind == PIECE_OCTETS && p.list[0].offset == 0);
	CHECK(pe_decode((struct span){ (const uint8_t *)p.octets.p, (size_t)p.list[0].end },
		      pieces_length(&p), &pe) == PE_FAULT_NONE);
	CHECK(!pe.is_signed && pe.machine == stub->machine &&
		pe.n_sections == stub->n_sections + 4);
	for (size_t i = 0; i < pe.n_sections; i++) {
		const struct pe_section *s = &pe.section[i];

		if (i >= stub->n_sections)
			CHECK(s->virtual_address >= end);
		if (end < (uint64_t)s->virtual_address + s->virtual_size)
			end = (uint64_t)s->virtual_address + s->virtual_size;
	}
	CHECK(end <= pe.size_of_image);
	pieces_free(&p);
}

static void check_head(struct span head, uint64_t file_size)
{
	struct pe pe;

	if (pe_decode(head, file_size, &pe) != PE_FAULT_NONE)
		return;
	CHECK(pe.n_sections > 0 && pe.size_of_headers <= file_size);
	CHECK(pe.sections_at + pe.n_sections * PE_SECTION_OCTETS <= head.n);
	for (size_t i = 0; i < pe.n_sections; i++) {
		const struct pe_section *s = &pe.section[i];

		CHECK(s->raw_size == 0 || (uint64_t)s->raw_offset + s->raw_size <= file_size);
		CHECK((uint64_t)s->virtual_address + s->virtual_size <= pe.size_of_image);
	}
	check_image(head, file_size, &pe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span head = { data, size < PE_HEAD_MAX ? size : PE_HEAD_MAX };
	const char *other = pe_guess_other(head);

	CHECK(!other || *other);
	check_head(head, size);
	check_head(head, UINT32_MAX);
	return 0;
}
