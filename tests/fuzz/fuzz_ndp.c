/* Router solicitations: any octets whatever. */
#include "wire/ndp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mac mac;

	(void)ndp_solicitation_source((struct span){ data, size }, &mac);
	return 0;
}
