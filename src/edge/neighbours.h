/* The kernel's neighbour table: which MAC an address on a wire of ours has.
 *
 * Asks only what the kernel knows already: sends nothing.
 */
#pragma once

#include "base/addr.h"

/* 0; -ENXIO: not known (any more); -ENODEV; -EMFILE, … */
int neighbour_find(const char *interface, struct ip4 address, struct mac *ret) WARN_UNUSED;
