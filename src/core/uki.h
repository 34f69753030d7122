/* Unified kernel images: a stub for UEFI with a kernel, initrds and a command line
 * in sections behind its own, so that firmware loads Linux with one GET.
 *
 * Pure layout: it is told the stub's head and how large the parts are, and says
 * which octets the image has and where each comes from.  It opens nothing, signs
 * nothing and measures nothing; what it makes is unsigned, whatever its parts are.
 *
 * The UAPI Group's "Unified Kernel Image"; systemd-stub(7).
 */
#pragma once

#include "core/pieces.h"
#include "wire/pe.h"

/* How the files of the pieces are numbered; further initrds follow. */
enum uki_file {
	UKI_STUB,
	UKI_KERNEL,
	UKI_INITRD,
};

struct uki_parts {
	struct span stub_head; /* the stub's first PE_HEAD_MAX octets, or all of a smaller one */
	const struct pe *stub; /* what pe_decode() made of it */
	uint64_t kernel_size;
	const uint64_t *initrd_sizes;
	size_t n_initrds;
	struct span os_release; /* .osrel; may be empty, and then there is no such section */
	struct span cmdline;    /* .cmdline; likewise */
};

/* The image in *ret, which the caller frees.  -EINVAL with a sentence in *ret_why,
 * or -ENOMEM. */
int uki_layout(const struct uki_parts *parts, struct pieces *ret, const char **ret_why) WARN_UNUSED;
