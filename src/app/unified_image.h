/* machines/WHO/boot.efi: a profile's kernel and initrds with this machine's command
 * line as one unified kernel image (core/uki.h), which UEFI loads by HTTP itself.
 *
 * Opens the parts and lays them out; nothing is copied, the HTTP server sends each
 * octet from where it lies.  Parts that lie elsewhere need not be here yet: the image
 * leaves as they come.  What cannot be made is an error with its reason, which the log
 * has too.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

struct unified_image {
	const struct config *cfg;
	const struct site_files *files; /* with the stubs open; NULL: they are looked for */
	const struct profile *profile; /* of a kernel */
	enum arch arch; /* of the machine; ARCH_UNKNOWN: whatever the kernel is for */
	struct span cmdline;
	struct source_file *fetched; /* kernel and initrds that lie elsewhere, each in its place (boot_part()); NULL: none */
};

/* Opens the files and lays them out; what was fetched moves.  -EBADMSG with a sentence in
 * *why when they make no image; -ENOMEM.  -ENODATA: some lie elsewhere and are not here,
 * and nothing is wrong with the others.  May wait for a disk. */
int unified_image_assemble(const struct unified_image *image, struct http_parts **ret, struct text *why) WARN_UNUSED;

/* Answers the question, now or later. */
void unified_image_give(struct site *site, struct question *q, struct mac mac);
