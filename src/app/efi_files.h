/* Files that UEFI is to run, looked into when a configuration is read and before they
 * are served: is each of them an image for its architecture, and signed where Secure
 * Boot asks for it?
 *
 * Reads heads only (core/efi_check.h); serves nothing.
 */
#pragma once

#include "core/config_load.h"
#include "core/efi_check.h"

#include <sys/stat.h>

/* The head of a file, and what it says. */
struct efi_head {
	uint8_t octets[PE_HEAD_MAX];
	size_t n;
	struct pe pe;
};

/* Reads and judges an open file.  Else what is wrong with it is appended to *why, to
 * stand after its name. */
bool efi_file_check(int fd, const struct stat *st, const struct efi_wanted *wanted,
	struct efi_head *ret, struct text *why) WARN_UNUSED;

/* The loaders that the configuration names, and what its profiles are to boot without
 * a loader or by Secure Boot: every mistake in errs.  http_root: the directory, or -1.
 * Files that are missing are not told here. */
void efi_files_check(const struct config *cfg, int http_root, struct config_errors *errs);
