/* The certificates and keys of `https:`, as a TLS context. */
#pragma once

#include "core/config.h"
#include "edge/tls_context.h"

/* *ret_context is NULL where the configuration has no HTTPS.  What is wrong with
 * the files, and what only deserves a warning, is in report, which the caller
 * frees.  0, -EINVAL or -ENOMEM. */
int https_files_open(const struct config *cfg, struct tls_report *report,
	struct ssl_ctx_st **ret_context) WARN_UNUSED;
