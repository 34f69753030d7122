/* Neighbours, by SIOCGARP (arp(7)): one question, one answer, no table to read. */
#include "edge/neighbours.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int neighbours_open(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int neighbour_find(int fd, const char *interface, struct ip4 address, struct mac *ret)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address.v) };
	struct arpreq question = { .arp_flags = 0 };

	memcpy(&question.arp_pa, &sa, sizeof(sa));
	(void)snprintf(question.arp_dev, sizeof(question.arp_dev), "%s", interface);
	if (ioctl(fd, SIOCGARP, &question) < 0)
		return -errno;
	if (!(question.arp_flags & ATF_COM) || question.arp_ha.sa_family != ARPHRD_ETHER)
		return -ENXIO;
	memcpy(ret->b, question.arp_ha.sa_data, sizeof(ret->b));
	return 0;
}
