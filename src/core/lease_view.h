/* A lease as people and programs are told of it: the contract of `bootsmith
 * lease … --json`.
 *
 * Takes leases and reservations, changes neither, and prints one JSON object.
 * Its fields and the names of states are stable.
 */
#pragma once

#include "base/text.h"
#include "core/lease.h"

enum lease_view_state {
	LEASE_VIEW_FREE, /* was somebody's; expired ones too */
	LEASE_VIEW_OFFERED,
	LEASE_VIEW_BOUND,
	LEASE_VIEW_DECLINED,
	LEASE_VIEW_RESERVED, /* a reservation that its machine does not use now */
	LEASE_VIEW_STATE_COUNT,
};

/* Texts and octets are borrowed from the lease, the machine or the network. */
struct lease_view {
	struct ip4 address;
	bool has_mac;
	struct mac mac;
	struct span client_id;
	const char *network; /* or NULL */
	enum lease_view_state state;
	int64_t expires_s; /* 0: it does not */
	struct span hostname;
	const char *machine; /* of the configuration, or NULL */
};

/* "free", "offered", "bound", "declined", "reserved" */
const char *lease_view_state_name(enum lease_view_state s);
/* -EINVAL: no such state. */
int lease_view_state_parse(struct span s, enum lease_view_state *ret) WARN_UNUSED;
void lease_view_of_lease(
	const struct lease *l, const struct config *cfg, int64_t now_s, struct lease_view *ret);
/* m has an address; the network is the one that serves it, or NULL. */
void lease_view_of_reservation(
	const struct machine *m, const struct served *s, struct lease_view *ret);
/* {"address": …, "mac": …, "client_id": …, "network": …, "state": …, "expires": …,
 * "hostname": …, "machine": …}; what is unknown is null. */
void lease_view_json(const struct lease_view *v, struct text *out);
