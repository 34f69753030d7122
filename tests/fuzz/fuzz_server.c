/* The whole DHCP server, fed with a sequence of packets and steps of its clock.
 *
 * Input: records of a step in seconds (one octet), a length (two octets) and a
 * packet.  The server has a pool, reservations, a network behind a relay, one
 * that is off, one where we are a proxy, and leases from before.  Checked after each packet: the reply can
 * be encoded and decoded again, is neither shorter nor longer than it may be, and
 * gives away no address that is another's, ours, the router's or out of bounds.
 */
#include "core/dhcp4_server.h"

#include <stdlib.h>

#define SEEDED      8u
#define CHECK(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pool pools[] = { { { 0xac182001 }, { 0xac182010 } } },
			 relayed_pools[] = { { { 0x0a090064 }, { 0x0a090068 } } };
static const struct ip4 dns[] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 } };
static const uint8_t octets[255] = { 1, 2, 3, 4 };
static const struct option_value options[] = { { .code = 42, .value = { octets, 4 } },
	{ .code = 121, .value = { octets, 250 } }, { .code = 17, .value = { octets, 100 } },
	{ .code = 14, .value = { octets, 60 } } },
				 narrower[] = { { .code = 42, .value = { octets, 8 } },
					 { .code = 3, .value = { octets, 4 } },
					 { .code = 6, .value = { octets, 40 } },
					 { .code = 224, .value = { octets, 255 } } };
static const struct network nets[] = {
	{ .name = "br0",
		.interface = "br0",
		.pools = pools,
		.n_pools = 1,
		.dns = dns,
		.n_dns = 5,
		.domain = "lab",
		.lease_time_s = 3600,
		.authoritative = true,
		.options = { options, 4 } },
	{ .name = "relayed",
		.has_subnet = true,
		.subnet = { 0x0a090000 },
		.prefix_len = 24,
		.pools = relayed_pools,
		.n_pools = 1,
		.lease_time_s = 600 },
	{ .name = "off", .interface = "br1", .dhcp = DHCP_OFF },
	{ .name = "proxy", .interface = "br2", .dhcp = DHCP_PROXY },
};
static const struct profile profile = {
	.name = "p", .kind = PROFILE_KERNEL, .cmdline = "", .options = { narrower, 4 }
};
static const struct machine machines[] = {
	{ .name = "in",
		.has_mac = true,
		.mac = { { 0x52, 0x54, 0, 0, 0, 1 } },
		.address = { 0xac182005 } },
	{ .name = "out",
		.has_mac = true,
		.mac = { { 0x52, 0x54, 0, 0, 0, 2 } },
		.address = { 0xac180063 },
		.profile = &profile },
	{ .name = "uuid",
		.has_uuid = true,
		.uuid = { { 1, 2, 3 } },
		.address = { 0xac180064 },
		.options = { narrower, 4 } },
};
static const struct iface_view ifaces[] = {
	{ .name = "br0",
		.index = 2,
		.up = true,
		.mtu = 1500,
		.addrs = { { { 0xac180001 }, 16 } },
		.n_addrs = 1 },
	{ .name = "br1",
		.index = 3,
		.up = true,
		.mtu = 1500,
		.addrs = { { { 0xc0a80001 }, 24 } },
		.n_addrs = 1 },
	{ .name = "br2",
		.index = 4,
		.up = true,
		.mtu = 1500,
		.addrs = { { { 0xc0a90001 }, 24 } },
		.n_addrs = 1 },
};

/* What was acknowledged to whom: by the last octets of an address. */
struct promise {
	uint32_t address;
	int64_t until_s;
	struct lease_client client;
	uint8_t client_id[1024];
};

#define PROMISES_MAX 64u

struct world {
	struct config cfg;
	struct dhcp4_server server;
	struct served_set *set;
	struct arena arena;
	struct promise promises[PROMISES_MAX];
	size_t n_promises;
	int64_t now_s;
};

static struct lease_client client_of(const struct dhcp4_msg *m)
{
	struct lease_client c = {
		.client_id = m->opt[OPT_CLIENT_ID], .htype = m->htype, .hlen = m->hlen
	};

	memcpy(c.chaddr, m->chaddr, sizeof(c.chaddr));
	return c;
}

static bool same_client(const struct lease_client *a, const struct lease_client *b)
{
	if (a->client_id.n || b->client_id.n)
		return span_eq(a->client_id, b->client_id);
	return a->htype == b->htype && a->hlen == b->hlen &&
		memcmp(a->chaddr, b->chaddr, a->hlen) == 0;
}

static struct promise *find_promise(struct world *w, uint32_t address)
{
	for (size_t i = 0; i < w->n_promises; i++)
		if (w->promises[i].address == address)
			return &w->promises[i];
	return NULL;
}

/* No address of another client's, unless it is the next stage of the same machine
 * taking over its reservation. */
static void check_promises(
	struct world *w, const struct dhcp4_msg *m, const struct dhcp4_plan *plan)
{
	struct lease_client c = client_of(m);
	struct promise *p = find_promise(w, plan->out.yiaddr.v);
	bool its_reservation = plan->answer.machine &&
		ip4_eq(plan->answer.machine->address, plan->out.yiaddr);

	CHECK(its_reservation ? served_is_usable(plan->net, plan->out.yiaddr)
			      : served_may_lease(plan->net, plan->out.yiaddr));
	if (p && p->until_s > w->now_s && !same_client(&p->client, &c))
		CHECK(its_reservation && c.hlen == p->client.hlen &&
			memcmp(c.chaddr, p->client.chaddr, c.hlen) == 0);
	if (plan->reply_type != DHCP4_ACK || c.client_id.n > sizeof(p->client_id))
		return;
	if (!p) {
		if (w->n_promises == PROMISES_MAX)
			return;
		p = &w->promises[w->n_promises++];
	}
	p->address = plan->out.yiaddr.v;
	p->until_s = w->now_s + plan->net->cfg->lease_time_s;
	p->client = c;
	if (c.client_id.n)
		memcpy(p->client_id, c.client_id.p, c.client_id.n);
	p->client.client_id.p = p->client_id;
}

/* RELEASE, DECLINE and a NAK end what was promised; so does another address for the same client. */
static void end_promises(struct world *w, const struct dhcp4_msg *m, const struct dhcp4_plan *plan)
{
	struct lease_client c = client_of(m);
	bool over = plan->drop == DROP_NONE && plan->reply_type != DHCP4_OFFER &&
		m->type != DHCP4_INFORM && plan->dest != DHCP4_TO_SOURCE;

	for (size_t i = 0; over && i < w->n_promises; i++) {
		struct promise *p = &w->promises[i];
		const struct served *net = served_by_address(w->set, (struct ip4){ p->address });

		if (net == plan->net && same_client(&p->client, &c) &&
			!(plan->reply_type == DHCP4_ACK && p->address == plan->out.yiaddr.v))
			p->until_s = 0;
	}
}

static void check_reply(struct world *w, const struct dhcp4_msg *m, const struct dhcp4_plan *plan)
{
	uint8_t buf[2048];
	struct wr out = wr_of(buf, sizeof(buf));
	struct dhcp4_msg reply;

	CHECK(plan->max_size <= 1472 && plan->max_size >= 548);
	if (dhcp4_encode(&plan->out, plan->max_size, &out) < 0)
		return; /* D027 */
	CHECK(out.n >= DHCP4_REPLY_MIN && out.n <= plan->max_size);
	CHECK(dhcp4_decode(&w->arena, wr_done(&out), &reply) == DROP_NONE);
	CHECK(reply.type == plan->reply_type && reply.xid == m->xid && reply.op == DHCP4_BOOTREPLY);
	CHECK(reply.type == DHCP4_OFFER || reply.type == DHCP4_ACK || reply.type == DHCP4_NAK);
	CHECK(span_eq(reply.opt[OPT_CLIENT_ID], m->opt[OPT_CLIENT_ID]));
	CHECK(span_eq(reply.opt[OPT_RELAY_AGENT], m->opt[OPT_RELAY_AGENT]));
	CHECK(dhcp4_has(&reply, OPT_SERVER_ID));
	CHECK(plan->dest != DHCP4_TO_ADDRESS ||
		ip4_in(plan->dest_addr, plan->net->subnet, plan->net->prefix_len));
	CHECK(plan->dest != DHCP4_TO_FRAME || (plan->facts.has_mac && plan->dest_addr.v));
	if (plan->out.yiaddr.v)
		check_promises(w, m, plan);
}

/* P-1: a proxy, and the boot server on port 4011 of any network, give no address and no NAK. */
static void check_proxy(const struct dhcp4_rx *rx, const struct dhcp4_plan *plan)
{
	if (!plan->net || (plan->net->cfg->dhcp != DHCP_PROXY && !rx->on_pxe_port))
		return;
	CHECK(!plan->lease && !plan->commit);
	if (plan->drop != DROP_NONE)
		return;
	CHECK(plan->out.yiaddr.v == 0 && plan->reply_type != DHCP4_NAK && plan->bootfile.n);
	CHECK(rx->on_pxe_port == (plan->dest == DHCP4_TO_SOURCE) &&
		plan->facts.client != CLIENT_DHCP);
	CHECK(!rx->on_pxe_port ||
		ip4_in(plan->dest_addr, plan->net->subnet, plan->net->prefix_len));
}

static void on_packet(struct world *w, struct span packet)
{
	uint8_t last = packet.n ? packet.p[packet.n - 1] : 0;
	const struct dhcp4_rx rx = { .ifindex = last & 2 ? 4 : 2 + (last & 1),
		.local = { 0xac180001 },
		.on_pxe_port = last & 4,
		.source = { last & 2 ? 0xc0a90009 : 0xac182001 },
		.source_port = 68 };
	struct dhcp4_plan plan;
	struct dhcp4_msg m;

	if (dhcp4_decode(&w->arena, packet, &m) == DROP_NONE) {
		dhcp4_plan(&w->server, &m, &rx, w->now_s, &w->arena, &plan);
		CHECK(plan.drop < DROP_COUNT);
		check_proxy(&rx, &plan);
		end_promises(w, &m, &plan);
		if (plan.drop == DROP_NONE && plan.reply_type != 0)
			check_reply(w, &m, &plan);
		if (plan.drop == DROP_NONE && plan.commit)
			CHECK(plan.lease != NULL);
	}
	arena_reset(&w->arena);
}

/* Leases from before: 172.24.32.1 and on, of clients 02:00:00:00:00:N. */
static void seed_leases(struct world *w)
{
	for (uint8_t i = 0; i < SEEDED; i++) {
		const struct lease_client c = {
			.htype = 1, .hlen = 6, .chaddr = { 2, 0, 0, 0, 0, i }
		};
		struct lease *l;

		CHECK(lease_claim(w->server.leases, &w->set->list[0], &c, NULL, (struct ip4){ 0 },
			      w->now_s, &l) == 0);
		lease_bind(w->server.leases, l, SPAN_NONE, 3600, w->now_s);
		w->promises[w->n_promises++] = (struct promise){
			.address = l->address.v, .until_s = w->now_s + 3600, .client = c
		};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_of((struct span){ data, size });
	struct world *w = calloc(1, sizeof(*w));
	struct lease_table *leases;
	struct forms *forms;

	CHECK(w != NULL);
	w->now_s = 1000;
	w->cfg = (struct config){ .http_port = 80,
		.networks = nets,
		.n_networks = ARRAY_LEN(nets),
		.machines = machines,
		.n_machines = ARRAY_LEN(machines) };
	w->cfg.loaders.file[FAMILY_IPXE][ARCH_BIOS].path = "undionly.kpxe";
	w->cfg.loaders.file[FAMILY_IPXE][ARCH_X64].path = "ipxe.efi";
	w->cfg.loaders.file[FAMILY_IPXE][ARCH_BIOS].present =
		w->cfg.loaders.file[FAMILY_IPXE][ARCH_X64].present = true;
	CHECK(config_index_machines(&w->cfg) == 0);
	CHECK(served_build(&w->cfg, ifaces, ARRAY_LEN(ifaces), &w->set) == 0);
	CHECK(lease_table_new(&leases) == 0 && forms_new(&forms) == 0);
	w->server = (struct dhcp4_server){
		.cfg = &w->cfg, .nets = w->set, .leases = leases, .forms = forms
	};
	arena_init(&w->arena, 64u << 10);
	seed_leases(w);
	while (rd_left(&r) > 0) {
		w->now_s += rd_u8(&r);
		on_packet(w, rd_span(&r, rd_u16(&r)));
		if (r.bad)
			break;
	}
	arena_free(&w->arena);
	arena_free(&w->cfg.arena);
	lease_table_free(leases);
	forms_free(forms);
	served_free(w->set);
	free(w);
	return 0;
}
