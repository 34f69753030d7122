/* BOOTP clients (RFC 951, 1534): a reserved address, or silence. */
#include "core/config_load.h"
#include "core/dhcp4_server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char yaml[] =
	"networks: [{interface: br0}]\n"
	"profiles: {x: {bootfile: xterminal/kernel}}\n"
	"machines: [{name: x1, mac: 52:54:00:00:00:01, address: 172.24.0.9, profile: x}]\n";

struct world {
	struct config *cfg;
	struct served_set *nets;
	struct lease_table *leases;
	struct arena arena;
	struct dhcp4_plan plan;
	struct dhcp4_msg request;
};

/* A BOOTP request of 300 octets, with the magic cookie or with nothing. */
static void plan(struct world *w, uint8_t last, bool cookie)
{
	const struct dhcp4_server srv = { .cfg = w->cfg, .nets = w->nets, .leases = w->leases };
	const struct dhcp4_rx rx = { .ifindex = 2 };
	uint8_t packet[300] = { 1, 1, 6, 0, 0, 0, 0, 7, [28] = 0x52, 0x54, 0, 0, 0, last };

	if (cookie)
		memcpy(packet + 236, "\x63\x82\x53\x63\xff", 5);
	assert_int_equal(
		dhcp4_decode(&w->arena, (struct span){ packet, sizeof(packet) }, &w->request),
		cookie ? DROP_NO_MESSAGE_TYPE : DROP_NO_COOKIE);
	assert_int_equal(w->request.type, DHCP4_BOOTP);
	dhcp4_plan(&srv, &w->request, &rx, 1000, &w->arena, &w->plan);
}

static void bootp(void **state)
{
	const struct iface_view br0 = { .name = "br0",
		.index = 2,
		.up = true,
		.mtu = 1500,
		.addrs = { { { 0xac180001 }, 16 } },
		.n_addrs = 1 };
	struct config_errors errs = { 0 };
	struct world w = { 0 };
	uint8_t reply[1500];
	struct wr out;

	(void)state;
	arena_init(&w.arena, 0);
	assert_int_equal(config_load("x", span_str(yaml), &errs, &w.cfg), 0);
	assert_int_equal(served_build(w.cfg, &br0, 1, &w.nets), 0);
	assert_int_equal(lease_table_new(&w.leases), 0);
	for (int cookie = 0; cookie < 2; cookie++) {
		plan(&w, 1, cookie);
		assert_int_equal(w.plan.drop, DROP_NONE);
		assert_int_equal(w.plan.out.yiaddr.v, 0xac180009);
		assert_int_equal(w.plan.out.siaddr.v, 0xac180001);
		assert_false(w.plan.commit);
		out = wr_of(reply, sizeof(reply));
		assert_int_equal(dhcp4_encode(&w.plan.out, w.plan.max_size, &out), 0);
		assert_int_equal(out.n, 300); /* and not more: RFC 1542 2.1 */
		assert_int_equal(
			dhcp4_decode(&w.arena, wr_done(&out), &w.request), DROP_NO_MESSAGE_TYPE);
		assert_true(span_eq(span_until_nul(w.request.file), SPAN_LIT("xterminal/kernel")));
		assert_int_equal(w.request.opt[OPT_SUBNET_MASK].n, 4);
		assert_int_equal(w.request.opt[OPT_LEASE_TIME].n, 0);

		plan(&w, 2, cookie); /* nobody's reservation */
		assert_int_equal(w.plan.drop, DROP_NO_MESSAGE_TYPE);
	}
	lease_table_free(w.leases);
	served_free(w.nets);
	config_free(w.cfg);
	config_errors_free(&errs);
	arena_free(&w.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bootp) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
