/* The query of a URL: key=value pairs between '&' (RFC 3986 3.4), as iPXE and curl write them. */
#pragma once

#include "base/bytes.h"

/* The value of a key, its %NN decoded into buf, cut at cap; empty where it is not there. */
struct span url_query_value(struct span query, struct span key, uint8_t *buf, size_t cap);
