/* The lab's virtual network: a bridge with an address, and taps on it.
 *
 * Speaks netlink to the kernel of the network namespace it runs in; needs no
 * ip(8).  It has no policy: names, addresses and lifetimes are the caller's, and
 * so is what to say when something fails.
 */
#pragma once

#include "base/addr.h"

#include <net/if.h>

/* A tap lives as long as a descriptor of it is open anywhere: close it, or let
 * the process that inherited it die in whatever way, and the kernel removes it. */
struct lab_tap {
	int fd;              /* non-blocking is the reader's business; inherited by exec */
	char name[IFNAMSIZ]; /* chosen by the kernel: bsnode0, bsnode1, … */
};

/* Makes the bridge, gives it its address and takes it up: no spanning tree, no
 * forward delay, and a MAC that stays when taps come and go.  *ret_index names
 * it for lab_bridge_delete.  -EEXIST where any interface has that name already
 * (it is untouched), -EPERM without CAP_NET_ADMIN, else what the kernel said;
 * nothing is left behind on failure. */
int lab_bridge_add(
	const char *name, struct ip4 address, unsigned prefix_len, unsigned *ret_index) WARN_UNUSED;
/* -ENODEV where it is gone already. By index, so that a bridge of the same name
 * which somebody made since is not touched. */
int lab_bridge_delete(unsigned index) WARN_UNUSED;

/* A tap on that bridge, up, with virtio offload headers.  -ENODEV: no such
 * interface; -EOPNOTSUPP: it is no bridge; -EPERM or -EACCES: not allowed;
 * -ENOENT: this kernel has no /dev/net/tun. */
int lab_tap_open(const char *bridge, struct lab_tap *ret_tap) WARN_UNUSED;
void lab_tap_close(struct lab_tap *tap);
