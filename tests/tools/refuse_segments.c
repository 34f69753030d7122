/* refuse_segments.so, preloaded: a kernel or device that takes no UDP_SEGMENT.
 *
 * What is sent with that control message fails with the error whose number stands in
 * REFUSE_SEGMENTS; the rest is let through.  For each refusal an octet is appended to
 * the file REFUSE_SEGMENTS_COUNT.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static int is_segmented(const struct msghdr *m)
{
	struct msghdr h = *m;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
			return 1;
	return 0;
}

static int refuse(void)
{
	const char *error = getenv("REFUSE_SEGMENTS"), *count = getenv("REFUSE_SEGMENTS_COUNT");
	int fd = count ? open(count, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	close(fd);
	errno = error ? (int)strtol(error, NULL, 10) : EIO;
	return -1;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (is_segmented(m))
		return refuse();
	return ((ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg"))(
		fd, m, flags);
}

/* As the kernel does: what stands before the one that fails is sent and counted. */
int sendmmsg(int fd, struct mmsghdr *list, unsigned n, int flags)
{
	unsigned taken = 0;

	while (taken < n && !is_segmented(&list[taken].msg_hdr))
		taken++;
	if (taken == 0 && n > 0)
		return refuse();
	return ((int (*)(int, struct mmsghdr *, unsigned, int))dlsym(RTLD_NEXT, "sendmmsg"))(
		fd, list, taken, flags);
}
