/* Octets that nobody can guess, from the kernel. */
#pragma once

#include "base/bytes.h"

/* At most 256.  -errno: there are none. */
int random_octets(void *to, size_t n) WARN_UNUSED;
