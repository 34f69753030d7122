/* Writes whole files so that a reader sees the old one or the new one. */
#pragma once

#include "base/bytes.h"

#include <sys/types.h>

/* The file has exactly this mode, whatever the umask; on disk when it returns.
 * 0 or -errno, the old file untouched. */
int files_put(const char *path, mode_t mode, struct span content) WARN_UNUSED;
