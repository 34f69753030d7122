/* Any octets as a configuration: it loads, or says why not, at a place in the file. */
#include "core/config_load.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a few KiB for each single-quoted text with many '' in it
 * (pantoniou/libfyaml#233).  Leaks by our use of it show in the unit tests, which
 * run without this. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span source = { data, size };
	struct config_errors errs = { 0 };
	struct config *cfg = NULL;
	struct text out = { 0 };
	int r = config_load("fuzz.yaml", source, &errs, &cfg);

	if ((r == 0) != (cfg != NULL) || (r == 0) != (errs.n == 0))
		abort();
	for (size_t i = 0; i < errs.n; i++) {
		if (errs.list[i].pos.line == 0 || errs.list[i].pos.col == 0)
			abort();
		config_error_print(&errs.list[i], "fuzz.yaml", source, &out);
	}
	text_free(&out);
	config_errors_free(&errs);
	config_free(cfg);
	return 0;
}
