/* The kernel's neighbour table: which MAC an address on a wire of ours has.
 *
 * Asks only what the kernel knows already: sends nothing.
 */
#pragma once

#include "base/addr.h"

/* A descriptor to ask by, the caller's to close.  -EMFILE, … */
int neighbours_open(void) WARN_UNUSED;
/* 0; -ENXIO: not known (any more); -ENODEV; -EBADF, … */
int neighbour_find(int fd, const char *interface, struct ip4 address, struct mac *ret) WARN_UNUSED;
