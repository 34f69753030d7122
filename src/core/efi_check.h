/* Is a file something that UEFI of an architecture runs: a loader, a stub, a kernel?
 *
 * Judges by the file's head alone, so that a wrong file is told when the
 * configuration is read and not by a firmware that says "failed".  Whether a
 * signature holds only firmware knows: here a file is signed or is not.
 */
#pragma once

#include "base/text.h"
#include "wire/pe.h"

struct efi_wanted {
	enum arch arch; /* ARCH_UNKNOWN: any */
	bool is_signed; /* Secure Boot is asked for */
};

/* head: the file's first PE_HEAD_MAX octets, or all of a smaller one.  True with
 * *ret; else what is wrong is appended to *why, to stand after the file's name:
 * "is an x64 image, and arm64 is wanted". */
bool efi_check(struct span head, uint64_t file_size, const struct efi_wanted *wanted,
	struct pe *ret, struct text *why) WARN_UNUSED;
