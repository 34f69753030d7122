/* From the configuration's words to edge/tls_context.c's; see https_files.h. */
#include "app/https_files.h"

#include <assert.h>

int https_files_open(
	const struct config *cfg, struct tls_report *report, struct ssl_ctx_st **ret_context)
{
	struct tls_pair pairs[TLS_PAIRS_MAX];
	size_t n = cfg->n_https_pairs;

	static_assert(CONFIG_HTTPS_PAIRS_MAX <= TLS_PAIRS_MAX, "each pair has its place");
	if (n == 0) {
		*ret_context = NULL;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct tls_pair){ cfg->https_pairs[i].certificate,
			cfg->https_pairs[i].key };
	return tls_context_new(pairs, n, report, ret_context);
}
