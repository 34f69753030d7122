/* Networks joined with interfaces: what is served, and which addresses may be given away. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"

/* Compiled in here, with an allocator that can run dry. */
static int allocations_left = -1; /* -1: no end */

static bool may_allocate(void)
{
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left != 0;
}

#define calloc(n, size)   (may_allocate() ? calloc(n, size) : NULL)
#define arena_alloc(a, n) (may_allocate() ? arena_alloc(a, n) : NULL)
#include "core/served.c"
#undef calloc
#undef arena_alloc

#define IP(a, b, c, d)                                                                             \
	{                                                                                          \
		(uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)                                   \
	}

static const struct pool pools[] = { { IP(172, 24, 0, 1), IP(172, 24, 0, 20) },
	{ IP(172, 24, 1, 0), IP(172, 24, 1, 9) } };
static const struct machine machines[] = {
	{ .name = "far", .address = IP(10, 9, 0, 7) },
	{ .name = "web2", .address = IP(172, 24, 0, 11) },
	{ .name = "none" },
	{ .name = "web1", .address = IP(172, 24, 0, 10) },
};

static struct iface_view iface(const char *name, unsigned index, struct ip4 a, unsigned len)
{
	struct iface_view v = { .index = index,
		.up = true,
		.ethernet = true,
		.mtu = 1400,
		.mac = { { 2, 0, 0, 0, 0, 9 } },
		.addrs = { { a, len } },
		.n_addrs = 1 };

	(void)strncpy(v.name, name, sizeof(v.name) - 1);
	return v;
}

static struct served_set *build(
	const struct network *nets, size_t n, const struct iface_view *ifaces, size_t n_ifaces)
{
	const struct config cfg = { .networks = nets,
		.n_networks = n,
		.machines = machines,
		.n_machines = ARRAY_LEN(machines) };
	struct served_set *set = NULL;

	assert_int_equal(served_build(&cfg, ifaces, n_ifaces, &set), 0);
	return set;
}

static void joins_an_interface(void **state)
{
	const struct network net = { .name = "br0", .interface = "br0" };
	const struct iface_view v[] = { iface("lo", 1, (struct ip4)IP(127, 0, 0, 1), 8),
		iface("br0", 2, (struct ip4)IP(172, 24, 0, 1), 16) };
	struct served_set *set = build(&net, 1, v, 2);
	const struct served *s = served_by_ifindex(set, 2);

	(void)state;
	assert_int_equal(set->n, 1);
	assert_non_null(s);
	assert_int_equal(s->server.v, 0xac180001);
	assert_int_equal(s->router.v, 0xac180001);
	assert_int_equal(s->subnet.v, 0xac180000);
	assert_int_equal(s->prefix_len, 16);
	assert_int_equal(s->mtu, 1400);
	assert_memory_equal(s->mac.b, v[1].mac.b, 6);
	/* design section 3: the upper half */
	assert_int_equal(s->pools[0].first.v, 0xac188000);
	assert_int_equal(s->pools[0].last.v, 0xac18fffe);
	assert_int_equal(s->pool_size, 32767);
	assert_null(served_by_ifindex(set, 1));
	assert_null(served_by_ifindex(set, 0));
	assert_ptr_equal(served_by_address(set, (struct ip4)IP(172, 24, 99, 1)), s);
	assert_null(served_by_address(set, (struct ip4)IP(172, 25, 0, 1)));
	served_free(set);
}

/* Every prefix length: the default pool holds no address of the network, the
 * broadcast or ours, and something wherever there is somebody to serve. */
static void has_a_default_pool_for_every_length(void **state)
{
	(void)state;
	for (unsigned len = 0; len <= 32; len++) {
		const struct network net = { .name = "br0", .interface = "br0" };
		const struct iface_view v = iface("br0", 2, (struct ip4)IP(10, 0, 0, 1), len);
		struct served_set *set = build(&net, 1, &v, 1);
		const struct served *s = &set->list[0];

		if (len >= 31) {
			assert_int_equal(s->n_pools, 0);
			assert_int_equal(s->pool_size, 0);
		} else {
			assert_int_equal(s->n_pools, 1);
			assert_true(s->pools[0].first.v <= s->pools[0].last.v);
			assert_true(served_may_lease(s, s->pools[0].first));
			assert_true(served_may_lease(s, s->pools[0].last));
			assert_int_equal(s->pool_size, ((uint64_t)1 << (31 - len)) - 1);
		}
		served_free(set);
	}
}

static void leaves_out_what_has_no_address(void **state)
{
	const struct network nets[] = {
		{ .name = "gone", .interface = "gone" },
		{ .name = "down", .interface = "down" },
		{ .name = "bare", .interface = "bare" },
		{ .name = "other",
			.interface = "br0",
			.has_subnet = true,
			.subnet = IP(10, 0, 0, 0),
			.prefix_len = 8 },
		{ .name = "br0",
			.interface = "br0",
			.has_subnet = true,
			.subnet = IP(172, 24, 0, 0),
			.prefix_len = 24,
			.router = IP(172, 24, 0, 2) },
		{ .name = "relayed",
			.has_subnet = true,
			.subnet = IP(10, 9, 0, 0),
			.prefix_len = 24 },
	};
	struct iface_view v[3] = { iface("down", 2, (struct ip4)IP(172, 24, 0, 1), 16),
		iface("bare", 3, (struct ip4){ 0 }, 0),
		iface("br0", 4, (struct ip4)IP(192, 168, 0, 1), 24) };
	struct served_set *set;

	(void)state;
	v[0].up = false;
	v[1].n_addrs = 0;
	v[2].addrs[1] = (struct iface_addr){ IP(172, 24, 0, 3), 16 };
	v[2].n_addrs = 2;
	set = build(nets, ARRAY_LEN(nets), v, 3);
	assert_int_equal(set->n, 2);
	/* our address in the configured subnet, not the interface's first */
	assert_int_equal(set->list[0].server.v, 0xac180003);
	assert_int_equal(set->list[0].prefix_len, 24);
	assert_int_equal(set->list[0].router.v, 0xac180002);
	assert_int_equal(set->list[1].ifindex, 0);
	assert_int_equal(set->list[1].server.v, 0);
	assert_int_equal(set->list[1].router.v, 0);
	assert_int_equal(set->list[1].mtu, 1500);
	assert_int_equal(set->list[1].n_reservations, 1);
	served_free(set);
}

static void knows_which_addresses_to_give(void **state)
{
	const struct network net = { .name = "br0",
		.interface = "br0",
		.pools = pools,
		.n_pools = 2,
		.router = IP(172, 24, 0, 2) };
	const struct iface_view v[] = { iface("br0", 2, (struct ip4)IP(172, 24, 0, 1), 23),
		iface("eth7", 3, (struct ip4)IP(172, 24, 0, 5), 32) };
	static const struct {
		struct ip4 a;
		bool usable, may_lease;
	} vectors[] = {
		{ IP(172, 24, 0, 0), false, false },   /* the network */
		{ IP(172, 24, 1, 255), false, false }, /* the broadcast */
		{ IP(172, 24, 0, 1), false, false },   /* ours */
		{ IP(172, 24, 0, 2), false, false },   /* the router's */
		{ IP(172, 24, 0, 5), false, false },   /* ours on another interface */
		{ IP(172, 24, 0, 10), true, false },   /* reserved */
		{ IP(172, 24, 0, 11), true, false },
		{ IP(172, 24, 0, 12), true, true },
		{ IP(172, 24, 0, 21), true, false }, /* between the pools */
		{ IP(172, 24, 1, 0), true, true },   /* a middle .0 is an address like others */
		{ IP(172, 24, 1, 9), true, true },
		{ IP(172, 24, 1, 10), true, false },
		{ IP(172, 26, 0, 3), false, false },
		{ IP(0, 0, 0, 0), false, false },
	};
	struct served_set *set = build(&net, 1, v, 2);
	const struct served *s = &set->list[0];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		if (served_is_usable(s, vectors[i].a) != vectors[i].usable ||
			served_may_lease(s, vectors[i].a) != vectors[i].may_lease)
			fail_msg("%s", ip4_str(vectors[i].a).s);
	assert_int_equal(s->pool_size, 30);
	assert_string_equal(served_reserved_for(s, (struct ip4)IP(172, 24, 0, 10))->name, "web1");
	assert_string_equal(served_reserved_for(s, (struct ip4)IP(172, 24, 0, 11))->name, "web2");
	assert_null(served_reserved_for(s, (struct ip4)IP(172, 24, 0, 12)));
	served_free(set);
}

/* Pools of a network whose interface has another subnet than its author thought. */
static void gives_nothing_of_another_subnet(void **state)
{
	const struct network net = {
		.name = "br0", .interface = "br0", .pools = pools, .n_pools = 2
	};
	const struct iface_view v = iface("br0", 2, (struct ip4)IP(192, 168, 0, 1), 24);
	struct served_set *set = build(&net, 1, &v, 1);

	(void)state;
	assert_true(served_in_pools(&set->list[0], (struct ip4)IP(172, 24, 0, 12)));
	assert_false(served_may_lease(&set->list[0], (struct ip4)IP(172, 24, 0, 12)));
	served_free(set);
}

static void its_fingerprint_is_of_the_addresses(void **state)
{
	struct network net = { .name = "br0", .interface = "br0", .pools = pools, .n_pools = 2 };
	struct iface_view v = iface("br0", 2, (struct ip4)IP(172, 24, 0, 1), 16);
	struct served_set *set = build(&net, 1, &v, 1);
	uint64_t first = set->list[0].fingerprint;

	(void)state;
	served_free(set);
	net.domain = "lab";
	set = build(&net, 1, &v, 1);
	assert_true(set->list[0].fingerprint == first);
	served_free(set);
	net.n_pools = 1;
	set = build(&net, 1, &v, 1);
	assert_true(set->list[0].fingerprint != first);
	served_free(set);
	net.n_pools = 2;
	v.addrs[0].addr.v++;
	set = build(&net, 1, &v, 1);
	assert_true(set->list[0].fingerprint != first);
	served_free(set);
	served_free(NULL);
}

static void without_memory_there_is_no_set(void **state)
{
	const struct network net = { .name = "br0", .interface = "br0" };
	const struct iface_view v = iface("br0", 2, (struct ip4)IP(172, 24, 0, 1), 16);
	const struct config cfg = { .networks = &net,
		.n_networks = 1,
		.machines = machines,
		.n_machines = ARRAY_LEN(machines) };
	struct served_set *set = NULL;
	int n = 1;

	(void)state;
	for (;; n++) { /* the set, its list, the pool, the reservations, our addresses */
		allocations_left = n;
		if (served_build(&cfg, &v, 1, &set) == 0)
			break;
		assert_null(set);
	}
	allocations_left = -1;
	assert_int_equal(n, 6);
	served_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_an_interface),
		cmocka_unit_test(has_a_default_pool_for_every_length),
		cmocka_unit_test(leaves_out_what_has_no_address),
		cmocka_unit_test(knows_which_addresses_to_give),
		cmocka_unit_test(gives_nothing_of_another_subnet),
		cmocka_unit_test(its_fingerprint_is_of_the_addresses),
		cmocka_unit_test(without_memory_there_is_no_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
