/* getrandom(2) gives up to 256 octets at once. */
#include "edge/random.h"

#include <errno.h>
#include <sys/random.h>

int random_octets(void *to, size_t n)
{
	ssize_t got = getrandom(to, n, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == n ? 0 : -EIO;
}
