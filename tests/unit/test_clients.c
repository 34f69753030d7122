/* The memory of machines: what is kept, what is cut, and that it stays bounded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Compiled in here, with an allocator that can run dry (uthash's too). */
static int allocations_left = -1; /* -1: no end */

static bool may_allocate(void)
{
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left != 0;
}

#define calloc(n, size) (may_allocate() ? calloc(n, size) : NULL)
#define malloc(n)       (may_allocate() ? malloc(n) : NULL)
#include "core/clients.c"
#undef calloc
#undef malloc

static struct mac mac(uint32_t n)
{
	return (struct mac){ { 2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n } };
}

static struct clients *new_clients(void)
{
	struct clients *c = NULL;

	assert_int_equal(clients_new(&c), 0);
	return c;
}

/* Every text of the facts, each its own word; the caller's buffer is gone afterwards. */
static void remember(struct clients *c, uint32_t n, struct ip4 address)
{
	char words[] = "vendor\0user\0host\0circuit\0remote\0net";
	struct facts f = { .client = CLIENT_PXE,
		.transport = TRANSPORT_TFTP,
		.has_arch = true,
		.arch = ARCH_X64,
		.arch_number = 7,
		.has_mac = true,
		.mac = mac(n),
		.vendor_class = span_str(words),
		.user_class = span_str(words + 7),
		.hostname = span_str(words + 12),
		.circuit_id = span_str(words + 17),
		.remote_id = span_str(words + 25),
		.network = words + 32 };

	clients_remember(c, &f, address, 1000);
	memset(words, 'x', sizeof(words));
}

/* An installer's own DHCP says nothing of the firmware that started it. */
static void keeps_what_the_firmware_said(void **state)
{
	const struct facts firmware = { .client = CLIENT_PXE,
		.has_arch = true,
		.arch = ARCH_X64,
		.arch_number = 7,
		.has_mac = true,
		.mac = mac(1),
		.has_uuid = true,
		.uuid = { { 1, 2, 3 } } };
	const struct facts system = { .client = CLIENT_DHCP, .has_mac = true, .mac = mac(1) };
	const struct facts other_firmware = {
		.client = CLIENT_PXE, .has_mac = true, .mac = mac(1)
	};
	struct clients *c = new_clients();
	struct ip4 address;
	struct facts f;

	(void)state;
	clients_remember(c, &firmware, (struct ip4){ 1 }, 1000);
	clients_remember(c, &system, (struct ip4){ 1 }, 2000);
	assert_true(clients_find(c, mac(1), &f, &address));
	assert_int_equal(f.client, CLIENT_DHCP);
	assert_true(f.has_arch && f.arch == ARCH_X64 && f.arch_number == 7);
	assert_true(f.has_uuid && f.uuid.b[2] == 3);
	clients_remember(c, &other_firmware, (struct ip4){ 1 }, 3000);
	assert_true(clients_find(c, mac(1), &f, &address));
	assert_false(f.has_arch || f.has_uuid);
	clients_free(c);
}

static void gives_back_what_it_was_told(void **state)
{
	struct clients *c = new_clients();
	struct ip4 address;
	struct facts f;

	(void)state;
	assert_false(clients_find(c, mac(1), &f, &address));
	remember(c, 1, (struct ip4){ 77 });
	assert_true(clients_find(c, mac(1), &f, &address));
	assert_int_equal(address.v, 77);
	assert_int_equal(f.client, CLIENT_PXE);
	assert_int_equal(f.arch, ARCH_X64);
	assert_true(mac_eq(f.mac, mac(1)));
	assert_true(span_eq(f.vendor_class, SPAN_LIT("vendor")));
	assert_true(span_eq(f.user_class, SPAN_LIT("user")));
	assert_true(span_eq(f.hostname, SPAN_LIT("host")));
	assert_true(span_eq(f.circuit_id, SPAN_LIT("circuit")));
	assert_true(span_eq(f.remote_id, SPAN_LIT("remote")));
	assert_string_equal(f.network, "net");
	assert_int_equal(f.serial.n + f.asset.n, 0);
	clients_free(c);
	clients_free(NULL);
}

static void the_next_stage_replaces_it(void **state)
{
	struct clients *c = new_clients();
	struct facts f = { .client = CLIENT_IPXE, .has_mac = true, .mac = mac(1) };
	struct ip4 address;

	(void)state;
	remember(c, 1, (struct ip4){ 77 });
	clients_report(c, mac(1), SPAN_LIT("SN1"), SPAN_LIT("rack 1"));
	clients_remember(c, &f, (struct ip4){ 0 }, 2000); /* an INFORM: no address */
	assert_true(clients_find(c, mac(1), &f, &address));
	assert_int_equal(address.v, 77);
	assert_int_equal(f.client, CLIENT_IPXE);
	assert_int_equal(f.vendor_class.n + f.hostname.n, 0);
	assert_null(f.network);
	/* what only iPXE can tell stays; nothing said of it takes nothing away */
	assert_true(span_eq(f.serial, SPAN_LIT("SN1")));
	clients_report(c, mac(1), SPAN_NONE, SPAN_NONE);
	clients_report(c, mac(2), SPAN_LIT("x"), SPAN_LIT("y")); /* nobody */
	assert_true(clients_find(c, mac(1), &f, &address));
	assert_true(span_eq(f.serial, SPAN_LIT("SN1")));
	assert_true(span_eq(f.asset, SPAN_LIT("rack 1")));
	assert_false(clients_find(c, mac(2), &f, &address));
	clients_free(c);
}

/* An address goes from one machine to the other and back: the last one told has it. */
static void an_address_is_the_last_ones(void **state)
{
	struct clients *c = new_clients();
	struct facts f;

	(void)state;
	for (uint32_t turn = 0; turn < 4; turn++) {
		remember(c, 1 + turn % 2, (struct ip4){ 77 });
		assert_true(clients_find_address(c, (struct ip4){ 77 }, &f));
		assert_true(mac_eq(f.mac, mac(1 + turn % 2)));
	}
	clients_free(c);
}

static void cuts_long_texts(void **state)
{
	struct clients *c = new_clients();
	static const uint8_t octets[300] = { 1, 0, 2 };
	char network[100];
	struct facts f = { .has_mac = true,
		.mac = mac(1),
		.network = network,
		.vendor_class = { octets, sizeof(octets) },
		.hostname = { octets, CLIENT_TEXT_MAX } };
	struct ip4 address;

	(void)state;
	memset(network, 'n', sizeof(network));
	network[sizeof(network) - 1] = '\0';
	clients_remember(c, &f, (struct ip4){ 1 }, 1000);
	clients_report(c, mac(1), (struct span){ octets, sizeof(octets) }, SPAN_NONE);
	assert_true(clients_find(c, mac(1), &f, &address));
	assert_int_equal(f.vendor_class.n, CLIENT_TEXT_MAX);
	assert_memory_equal(f.vendor_class.p, octets, CLIENT_TEXT_MAX);
	assert_int_equal(f.hostname.n, CLIENT_TEXT_MAX);
	assert_int_equal(f.serial.n, CLIENT_TEXT_MAX);
	assert_int_equal(strlen(f.network), 63);
	clients_free(c);
}

static void without_a_mac_there_is_nothing_to_know(void **state)
{
	struct clients *c = new_clients();
	struct facts f = { .has_mac = false };
	struct ip4 address;

	(void)state;
	clients_remember(c, &f, (struct ip4){ 1 }, 1000);
	assert_false(clients_find(c, (struct mac){ { 0 } }, &f, &address));
	clients_free(c);
}

static void the_longest_silent_makes_room(void **state)
{
	struct clients *c = new_clients();
	struct ip4 address;
	struct facts f;

	(void)state;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		remember(c, i, (struct ip4){ i });
	remember(c, 0, (struct ip4){ 1000000 }); /* heard again: not the oldest any more */
	for (uint32_t i = 0; i < 100; i++)
		remember(c, CLIENTS_MAX + i, (struct ip4){ CLIENTS_MAX + i });
	assert_true(clients_find(c, mac(0), &f, &address));
	assert_int_equal(address.v, 1000000);
	for (uint32_t i = 1; i <= 100; i++)
		assert_false(clients_find(c, mac(i), &f, &address));
	for (uint32_t i = 101; i < CLIENTS_MAX + 100; i++) {
		assert_true(clients_find(c, mac(i), &f, &address));
		assert_int_equal(address.v, i);
	}
	clients_free(c);
}

static void without_memory_nothing_is_remembered(void **state)
{
	struct clients *c = NULL;
	struct ip4 address;
	struct facts f;

	(void)state;
	allocations_left = 1;
	assert_int_equal(clients_new(&c), -ENOMEM);
	assert_null(c);
	allocations_left = -1;
	c = new_clients();
	for (int i = 1; i <= 3; i++) { /* the memo, the hash's table, its buckets */
		allocations_left = i;
		remember(c, 1, (struct ip4){ 1 });
		assert_false(clients_find(c, mac(1), &f, &address));
	}
	allocations_left = -1;
	remember(c, 1, (struct ip4){ 1 });
	assert_true(clients_find(c, mac(1), &f, &address));
	clients_free(c);
}

/* iPXE waits for an IPv6 router before it boots: it is told that there is none,
 * once a real one would have answered. */
static void says_no_router_to_ipxe_only(void **state)
{
	static const struct {
		int64_t told_ms; /* >= 0: DHCP heard it as this */
		enum client client;
		int64_t asks_ms;
		bool wants;
	} story[] = {
		{ -1, 0, 0, false }, /* nobody knows it */
		{ 1000, CLIENT_PXE, 1100, false },
		{ 2000, CLIENT_IPXE, 2100, false }, /* its first: a router may answer yet */
		{ -1, 0, 2699, false },
		{ -1, 0, 2700, true },
		{ 3000, CLIENT_IPXE, 3100, true },  /* the REQUEST of the same exchange */
		{ 9000, CLIENT_IPXE, 9100, false }, /* another exchange begins anew */
		{ -1, 0, 9700, true },
		{ -1, 0, 39000, true },
		{ -1, 0, 39001, false }, /* it booted long ago */
		{ 50000, CLIENT_DHCP, 50700, false },
	};
	struct clients *c = new_clients();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(story); i++) {
		struct facts f = { .client = story[i].client, .has_mac = true, .mac = mac(1) };

		if (story[i].told_ms >= 0)
			clients_remember(c, &f, (struct ip4){ 1 }, story[i].told_ms);
		if (clients_wants_no_router(c, mac(1), story[i].asks_ms) != story[i].wants)
			fail_msg("row %zu", i);
	}
	clients_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_it_was_told),
		cmocka_unit_test(keeps_what_the_firmware_said),
		cmocka_unit_test(the_next_stage_replaces_it),
		cmocka_unit_test(an_address_is_the_last_ones),
		cmocka_unit_test(cuts_long_texts),
		cmocka_unit_test(without_a_mac_there_is_nothing_to_know),
		cmocka_unit_test(the_longest_silent_makes_room),
		cmocka_unit_test(says_no_router_to_ipxe_only),
		cmocka_unit_test(without_memory_nothing_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
