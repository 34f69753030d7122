/* machines/WHO/boot.efi: a profile's kernel and initrds with this machine's command
 * line as one unified kernel image (core/uki.h), which UEFI loads by HTTP itself.
 */
#pragma once

#include "app/boot_parts.h"

/* Opens the files and lays them out; what was fetched moves.  -EBADMSG with a sentence in
 * *why when they make no image; -ENOMEM.  -ENODATA: some lie elsewhere and are not here,
 * and nothing is wrong with the others.  May wait for a disk. */
int unified_image_assemble(
	const struct boot_parts *of, struct http_parts **ret, struct text *why) WARN_UNUSED;
