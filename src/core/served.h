/* A network as it is served just now: its configuration joined with the
 * addresses that its interface has.
 *
 * Built anew whenever the configuration or an interface changes; immutable in
 * between.  Decides which addresses may be given away; gives none itself.
 */
#pragma once

#include "core/config.h"

/* What the machine says of an interface. */
struct iface_addr {
	struct ip4 addr;
	unsigned prefix_len;
};

#define IFACE_ADDRS_MAX 16

struct iface_view {
	char name[16];
	unsigned index;
	bool up;
	bool ethernet;
	struct mac mac;
	unsigned mtu;
	struct iface_addr addrs[IFACE_ADDRS_MAX];
	size_t n_addrs;
};

struct reservation {
	struct ip4 address;
	const struct machine *machine;
};

struct served {
	const struct network *cfg;
	unsigned ifindex; /* 0: relayed only */
	struct mac mac;   /* of the interface */
	unsigned mtu;
	struct ip4 server; /* our address: server identifier and next server; 0: that of the
	                       * interface on which the relay's packet came */
	struct ip4 subnet; /* network address */
	unsigned prefix_len;
	struct ip4 router; /* 0: none */
	const struct pool *pools;
	size_t n_pools;
	uint64_t pool_size;                     /* addresses in all pools, before exclusions */
	const struct reservation *reservations; /* of this subnet, by address */
	size_t n_reservations;
	const struct ip4 *own; /* our own addresses on this machine: never given away */
	size_t n_own;
	uint64_t fingerprint; /* of all of the above that says which addresses may be given away */
};

struct served_set {
	struct served *list;
	size_t n;
	struct arena arena;
};

/* Joins the configuration with the interfaces of the machine.  A network whose
 * interface is missing, down or has no fitting address is left out.
 * -ENOMEM leaves ret untouched. */
int served_build(const struct config *cfg, const struct iface_view *ifaces, size_t n_ifaces,
	struct served_set **ret_set) WARN_UNUSED;
void served_free(struct served_set *set);

/* The network served on an interface, or NULL. */
const struct served *served_by_ifindex(const struct served_set *set, unsigned ifindex);
/* The network that an address lies in (a client's, a relay's giaddr, or a link
 * selected by RFC 3527), or NULL. */
const struct served *served_by_address(const struct served_set *set, struct ip4 a);

/* Are these two, or is it one, on the same wire (a shared network): so that a client
 * there may have an address of either? */
bool served_on_one_wire(const struct served *a, const struct served *b);

/* May a client have this address at all?  Not when it is of another subnet, the
 * network's, the broadcast, the router's, or one of ours. */
bool served_is_usable(const struct served *s, struct ip4 a);
/* May it be given to anybody?  Usable, in the pools, and not reserved. */
bool served_may_lease(const struct served *s, struct ip4 a);
bool served_in_pools(const struct served *s, struct ip4 a);
/* The machine that an address is reserved for, or NULL. */
const struct machine *served_reserved_for(const struct served *s, struct ip4 a);
