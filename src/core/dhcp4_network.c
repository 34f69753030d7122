/* Where a message comes from, and who we are there; see dhcp4_network.h. */
#include "core/dhcp4_network.h"

const struct served *dhcp4_network(
	const struct served_set *nets, const struct dhcp4_msg *m, const struct dhcp4_rx *rx)
{
	struct span link = dhcp4_relay_suboption(m->opt[OPT_RELAY_AGENT], RELAY_LINK_SELECTION);
	const struct served *s;
	struct ip4 selected;

	if (m->giaddr.v && link.n == 4) {
		struct rd r = rd_of(link);

		return served_by_address(nets, (struct ip4){ rd_u32(&r) });
	}
	if (dhcp4_opt_ip4(m, OPT_SUBNET_SELECTION, &selected)) /* RFC 3011 */
		return served_by_address(nets, selected);
	if (m->giaddr.v)
		return served_by_address(nets, m->giaddr);
	s = m->ciaddr.v ? served_by_address(nets, m->ciaddr) : NULL;
	return s && s->ifindex == 0 ? s : served_by_ifindex(nets, rx->ifindex);
}

const struct served *dhcp4_subnet(const struct served_set *nets, const struct served *first,
	const struct dhcp4_msg *m, const struct machine *machine, struct lease_table *leases,
	const struct lease_client *client)
{
	const struct served *leased = NULL, *wanted = NULL;
	struct ip4 asked = m->ciaddr;

	(void)dhcp4_opt_ip4(m, OPT_REQUESTED_ADDRESS, &asked);
	if (dhcp4_has(m, OPT_SUBNET_SELECTION))
		return first;
	for (size_t i = 0; i < nets->n; i++) {
		const struct served *s = &nets->list[i];

		if (!served_on_one_wire(s, first))
			continue;
		if (machine && machine->address.v &&
			ip4_in(machine->address, s->subnet, s->prefix_len))
			return s;
		if (!leased && lease_find(leases, s, client))
			leased = s;
		if (!wanted && asked.v && ip4_in(asked, s->subnet, s->prefix_len))
			wanted = s;
	}
	return leased ? leased : wanted ? wanted : first;
}

struct ip4 dhcp4_server_id(
	const struct served *s, const struct dhcp4_msg *m, const struct dhcp4_rx *rx)
{
	struct span override = dhcp4_relay_suboption(m->opt[OPT_RELAY_AGENT], RELAY_SERVER_ID);

	if (m->giaddr.v && override.n == 4) {
		struct rd r = rd_of(override);

		return (struct ip4){ rd_u32(&r) };
	}
	return s->server.v ? s->server : rx->local;
}

/* Could a client or a relay have this address?  A reply to a broadcast address
 * would reach everybody, one to our own would come back to us. */
static bool is_foreign_host(const struct served *s, struct ip4 a)
{
	uint32_t host = a.v & ~ip4_mask(s->prefix_len);

	for (size_t i = 0; i < s->n_own; i++)
		if (ip4_eq(a, s->own[i]))
			return false;
	if (!ip4_in(a, s->subnet, s->prefix_len) || s->prefix_len >= 31)
		return a.v != 0 && a.v < 0xe0000000u; /* neither multicast nor 255.255.255.255 */
	return host != 0 && host != ~ip4_mask(s->prefix_len);
}

enum drop dhcp4_check_addresses(const struct served *s, const struct dhcp4_msg *m)
{
	if (m->giaddr.v && !is_foreign_host(s, m->giaddr))
		return DROP_BAD_GIADDR;
	if (m->ciaddr.v && !is_foreign_host(s, m->ciaddr))
		return DROP_BAD_CIADDR;
	return DROP_NONE;
}
