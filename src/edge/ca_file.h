/* A file of certificates that are trusted, as libcurl reads one. */
#pragma once

#include "base/bytes.h"

/* 0: it holds at least one certificate in PEM.  -EBADMSG: it holds none; -EFBIG; or what
 * opening and reading said. */
int ca_file_check(const char *path) WARN_UNUSED;
