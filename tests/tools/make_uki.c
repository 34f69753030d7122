/* make_uki STUB KERNEL OS-RELEASE CMDLINE [INITRD...] > IMAGE
 *
 * A unified kernel image as core/uki.c lays it out, put together in a file: for tests
 * that hold it against what other tools make of the same parts.
 */
#include "core/uki.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_MAX 64

struct part {
	FILE *f;
	uint64_t size;
};

static struct part open_part(const char *path)
{
	struct part p = { .f = fopen(path, "re") };
	struct stat st;

	if (!p.f || fstat(fileno(p.f), &st) < 0) {
		perror(path);
		exit(1);
	}
	p.size = (uint64_t)st.st_size;
	return p;
}

static void write_range(const struct pieces *p, const struct part *files, struct piece_range r)
{
	static const uint8_t zeros[65536];
	static uint8_t buf[65536];

	for (uint64_t at = 0; at < r.n;) {
		size_t n = r.n - at < sizeof(buf) ? (size_t)(r.n - at) : sizeof(buf);
		const void *from = buf;

		if (r.kind == PIECE_ZEROS)
			from = zeros;
		else if (r.kind == PIECE_OCTETS)
			from = p->octets.p + r.offset + at;
		else if (fseek(files[r.file].f, (long)(r.offset + at), SEEK_SET) < 0 ||
			fread(buf, 1, n, files[r.file].f) != n)
			exit(1);
		if (fwrite(from, 1, n, stdout) != n)
			exit(1);
		at += n;
	}
}

int main(int argc, char **argv)
{
	struct part files[FILES_MAX];
	uint64_t initrd_sizes[FILES_MAX];
	uint8_t head[PE_HEAD_MAX];
	struct pieces p = { 0 };
	struct uki_parts parts = { .initrd_sizes = initrd_sizes };
	const char *why = "out of memory";
	struct pe stub;
	enum pe_fault fault;

	if (argc < 5 || argc - 3 > FILES_MAX)
		return 2;
	files[UKI_STUB] = open_part(argv[1]);
	files[UKI_KERNEL] = open_part(argv[2]);
	for (int i = 5; i < argc; i++) {
		files[UKI_INITRD + i - 5] = open_part(argv[i]);
		initrd_sizes[i - 5] = files[UKI_INITRD + i - 5].size;
	}
	parts.stub_head = (struct span){ head, fread(head, 1, sizeof(head), files[UKI_STUB].f) };
	fault = pe_decode(parts.stub_head, files[UKI_STUB].size, &stub);
	if (fault != PE_FAULT_NONE) {
		(void)fprintf(stderr, "%s %s\n", argv[1], pe_fault_sentence(fault));
		return 1;
	}
	parts.stub = &stub;
	parts.kernel_size = files[UKI_KERNEL].size;
	parts.n_initrds = (size_t)argc - 5;
	parts.os_release = span_str(argv[3]);
	parts.cmdline = span_str(argv[4]);
	if (uki_layout(&parts, &p, &why) < 0) {
		(void)fprintf(stderr, "%s\n", why);
		return 1;
	}
	for (uint64_t at = 0; at < pieces_length(&p);) {
		struct piece_range r = pieces_at(&p, at);

		write_range(&p, files, r);
		at += r.n;
	}
	pieces_free(&p);
	return fflush(stdout) == 0 ? 0 : 1;
}
