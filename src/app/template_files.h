/* Templates and their partials as they lie in a directory, read for one rendering.
 *
 * Each is opened below the directory (edge/files.h) and read once.
 */
#pragma once

#include "base/text.h"

#define TEMPLATE_FILES_MAX 32u /* of one rendering */

struct template_file {
	struct text name, source;
};

struct template_files {
	int dirfd; /* borrowed; -1: there is no directory */
	struct template_file list[TEMPLATE_FILES_MAX];
	size_t n;
};

/* A template_partial (core/template.h), and how the template itself is read; ctx is the
 * struct.  *ret lives until template_files_free(); the name is copied.  0, or -errno:
 * -EFBIG for more than CONFIG_SCRIPT_MAX octets, -EMLINK for too many files. */
int template_files_read(void *ctx, struct span name, struct span *ret) WARN_UNUSED;
void template_files_free(struct template_files *t);
