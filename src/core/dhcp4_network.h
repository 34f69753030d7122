/* Which of the networks a client is in, and who we are there.
 *
 * Looks at the message, the interface and what is known of the client; says nothing
 * about what is answered.
 * RFC 2131 4.1, RFC 3011, RFC 3046, RFC 3527, RFC 5107.
 */
#pragma once

#include "core/dhcp4_server.h"

/* The network of the client: where the relay says that it is (RFC 3527, else
 * giaddr), else the one of the address that it has and that reached us through
 * a router, else that of our interface.  NULL: none of ours. */
const struct served *dhcp4_network(
	const struct served_set *nets, const struct dhcp4_msg *m, const struct dhcp4_rx *rx);

/* Several subnets on one wire (a shared network): the one in which the machine (NULL:
 * not configured) has a reservation, else the client a lease, else the address that it
 * asks for; else the first. */
const struct served *dhcp4_subnet(const struct served_set *nets, const struct served *first,
	const struct dhcp4_msg *m, const struct machine *machine, struct lease_table *leases,
	const struct lease_client *client);

/* Our identity towards a client of that network: what the relay wants it to be (RFC
 * 5107), our address in the network, or the one that the relay's packet was sent to. */
struct ip4 dhcp4_server_id(
	const struct served *s, const struct dhcp4_msg *m, const struct dhcp4_rx *rx);

/* DROP_NONE, or the reason why an address in the message cannot be its sender's or its relay's. */
enum drop dhcp4_check_addresses(const struct served *s, const struct dhcp4_msg *m);
