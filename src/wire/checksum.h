/* The Internet checksum (RFC 1071). */
#pragma once

#include "base/bytes.h"

/* The sum over s, added to sum. */
uint32_t checksum_add(uint32_t sum, struct span s);
/* What goes into the header; 0 over a message that has its checksum in it. */
uint16_t checksum_fold(uint32_t sum);
