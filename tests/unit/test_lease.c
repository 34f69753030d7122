/* The lease table: the order of choice, what may never happen, and that it takes
 * the same time whatever its size. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/served.h"

/* The table is compiled in here, with an allocator that can run dry. */
static int allocations_left = -1; /* -1: no end */

static bool may_allocate(void)
{
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left != 0;
}

#define calloc(n, size) (may_allocate() ? calloc(n, size) : NULL)
#define strdup(s)       (may_allocate() ? strdup(s) : NULL)
#define strndup(s, n)   (may_allocate() ? strndup(s, n) : NULL)
#include "core/lease_hash.c"
#include "core/lease.c"
#undef calloc
#undef strdup
#undef strndup

#define NET        0x0a000000u /* 10.0.0.0 */
#define LEASE_TIME 3600u

struct lab {
	struct pool pools[2];
	struct network cfg;
	struct reservation reservations[2];
	struct machine machines[2];
	struct ip4 own[1];
	struct served net;
	struct lease_table *t;
};

/* 10.0.0.0/24, pools .10 to .19 and .30 to .34; .12 and .200 are reserved, .13
 * is the router, .14 ours: 12 addresses to give. */
static void lab_init(struct lab *l)
{
	*l = (struct lab){
		.pools = { { { NET + 10 }, { NET + 19 } }, { { NET + 30 }, { NET + 34 } } },
		.cfg = { .name = "lab" },
		.machines = { { .name = "m0", .address = { NET + 12 } },
			{ .name = "m1", .address = { NET + 200 } } },
		.own = { { NET + 14 } },
	};
	for (int i = 0; i < 2; i++)
		l->reservations[i] = (struct reservation){ l->machines[i].address,
			&l->machines[i] };
	l->net = (struct served){ .cfg = &l->cfg,
		.subnet = { NET },
		.prefix_len = 24,
		.router = { NET + 13 },
		.pools = l->pools,
		.n_pools = 2,
		.reservations = l->reservations,
		.n_reservations = 2,
		.own = l->own,
		.n_own = 1,
		.fingerprint = 1 };
	assert_int_equal(lease_table_new(&l->t), 0);
}

static struct lease_client client(uint32_t n)
{
	return (struct lease_client){ .htype = 1,
		.hlen = 6,
		.chaddr = { 2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			(uint8_t)n } };
}

static uint32_t choose_for(struct lab *l, const struct lease_client *c, const struct machine *m,
	uint32_t wanted, int64_t now)
{
	struct lease *lease;
	int r = lease_choose(l->t, &l->net, c, m, (struct ip4){ wanted }, now, &lease);

	return r < 0 ? 0 : lease->address.v;
}

static uint32_t claim(struct lab *l, const struct lease_client *c, const struct machine *m,
	uint32_t wanted, int64_t now)
{
	struct lease *lease;
	int r = lease_claim(l->t, &l->net, c, m, (struct ip4){ wanted }, now, &lease);

	if (r < 0)
		return 0;
	lease_bind(l->t, lease, SPAN_NONE, LEASE_TIME, now);
	return lease->address.v;
}

static void chooses_in_order(void **state)
{
	struct lease_client a = client(1), b = client(2), c = client(3), d = client(4);
	struct lab l;

	(void)state;
	lab_init(&l);
	/* never used ones, in the pools' order; the same again for the same client */
	assert_int_equal(choose_for(&l, &a, NULL, 0, 0), NET + 10);
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), NET + 11);
	assert_int_equal(choose_for(&l, &a, NULL, NET + 33, 0), NET + 10);
	/* the wanted one, unless it is offered, reserved, the router's, ours or in no pool */
	assert_int_equal(choose_for(&l, &c, NULL, NET + 33, 0), NET + 33);
	assert_int_equal(choose_for(&l, &d, NULL, NET + 10, 0), NET + 15);
	for (uint32_t bad = 12; bad <= 14; bad++) {
		struct lease_client e = client(100 + bad);

		assert_true(choose_for(&l, &e, NULL, NET + bad, 0) != NET + bad);
	}
	/* an offer of it is no hindrance to a REQUEST */
	assert_int_equal(claim(&l, &d, NULL, NET + 15, 0), NET + 15);
	assert_int_equal(
		claim(&l, &(struct lease_client){ .hlen = 1, .chaddr = { 7 } }, NULL, NET + 10, 0),
		NET + 10);
	assert_int_equal(choose_for(&l, &a, NULL, NET + 10, 0), NET + 19);
	/* reserved ones */
	assert_int_equal(choose_for(&l, &b, &l.machines[1], 0, 0), NET + 200);
	assert_null(lease_find_address(l.t, (struct ip4){ NET + 201 }));
	lease_table_free(l.t);
	lease_table_free(NULL);
}

static void reuses_the_longest_free(void **state)
{
	struct lab l;
	struct lease_client c[13], late = client(99);

	(void)state;
	lab_init(&l);
	for (uint32_t i = 0; i < 13; i++) {
		c[i] = client(i);
		if (i < 12)
			assert_true(claim(&l, &c[i], NULL, 0, (int64_t)i) != 0);
	}
	assert_int_equal(choose_for(&l, &c[12], NULL, 0, 100), 0); /* full of bound leases */
	assert_int_equal(lease_count(l.t, LEASE_BOUND), 12);
	lease_release(l.t, lease_find(l.t, &l.net, &c[5]), 100);
	lease_release(l.t, lease_find(l.t, &l.net, &c[3]), 101);
	assert_int_equal(
		choose_for(&l, &c[12], NULL, 0, 102), NET + 18); /* c[5]'s, free for longer */
	assert_null(lease_find(l.t, &l.net, &c[5]));
	assert_int_equal(choose_for(&l, &c[3], NULL, 0, 103), NET + 16); /* its own again */
	/* the first expired */
	assert_int_equal(
		choose_for(&l, &late, NULL, 0, 103), NET + 18); /* the oldest offer gives way … */
	assert_int_equal(choose_for(&l, &late, NULL, 0, LEASE_TIME), NET + 18);
	assert_int_equal(choose_for(&l, &c[12], NULL, 0, LEASE_TIME), NET + 16);
	assert_int_equal(choose_for(&l, &c[5], NULL, 0, LEASE_TIME),
		NET + 10); /* … c[0]'s, at its second of expiry */
	lease_table_free(l.t);
}

static void declined_addresses_rest(void **state)
{
	struct lease_client a = client(1), b = client(2);
	struct lease *lease;
	struct lab l;

	(void)state;
	lab_init(&l);
	l.net.n_pools = 1;
	l.pools[0].last.v = NET + 10;
	assert_int_equal(claim(&l, &a, NULL, 0, 0), NET + 10);
	lease = lease_find(l.t, &l.net, &a);
	lease_decline(l.t, lease, 5);
	assert_null(lease_find(l.t, &l.net, &a));
	assert_ptr_equal(lease_find_address(l.t, (struct ip4){ NET + 10 }), lease);
	assert_int_equal(lease_count(l.t, LEASE_DECLINED), 1);
	assert_int_equal(choose_for(&l, &a, NULL, NET + 10, 5 + LEASE_DECLINED_S - 1), 0);
	assert_int_equal(claim(&l, &b, NULL, NET + 10, 5 + LEASE_DECLINED_S - 1), 0);
	/* not even by a reservation, nor for a client without hardware address */
	l.machines[0].address.v = NET + 10;
	assert_int_equal(choose_for(&l, &(struct lease_client){ .client_id = SPAN_LIT("x") },
				 &l.machines[0], 0, 6),
		0);
	l.machines[0].address.v = NET + 12;
	assert_int_equal(choose_for(&l, &b, NULL, 0, 5 + LEASE_DECLINED_S), NET + 10);
	lease_table_free(l.t);
}

static void reserved_addresses_have_one_owner(void **state)
{
	struct lease_client a = client(1), b = client(2), a2 = a;
	struct lab l;

	(void)state;
	lab_init(&l);
	a2.client_id = SPAN_LIT("installer");
	assert_int_equal(claim(&l, &b, &l.machines[0], 0, 0), NET + 12);
	/* another card of the same machine: from the pool, and it keeps that */
	assert_int_equal(claim(&l, &a, &l.machines[0], 0, 1), NET + 10);
	assert_int_equal(claim(&l, &a, &l.machines[0], NET + 10, 2), NET + 10);
	assert_int_equal(claim(&l, &b, &l.machines[0], NET + 12, 3), NET + 12);
	/* once it has expired, the other has it, and its pool address is for others */
	assert_int_equal(claim(&l, &a, &l.machines[0], 0, 3 + LEASE_TIME), NET + 12);
	assert_int_equal(lease_find_address(l.t, (struct ip4){ NET + 10 })->state, LEASE_FREE);
	/* the same card under another client-id takes it over */
	assert_int_equal(claim(&l, &a2, &l.machines[0], 0, 4 + LEASE_TIME), NET + 12);
	assert_null(lease_find(l.t, &l.net, &a));
	/* a reservation of our own or the router's address is none */
	l.machines[1].address.v = NET + 13;
	assert_int_equal(choose_for(&l, &b, &l.machines[1], 0, 0), NET + 11);
	l.machines[1].address.v = NET + 14;
	assert_int_equal(choose_for(&l, &b, &l.machines[1], 0, 0), NET + 11);
	lease_table_free(l.t);
}

static void follows_a_reload(void **state)
{
	struct lease_client a = client(1), b = client(2), c = client(3), d = client(4);
	struct lab l;

	(void)state;
	lab_init(&l);
	l.net.n_pools = 1;
	l.pools[0].last.v = NET + 10;
	assert_int_equal(claim(&l, &a, NULL, 0, 0), NET + 10);
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), 0);
	/* the pool grew */
	l.pools[0].last.v = NET + 11;
	l.net.fingerprint++;
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), NET + 11);
	/* it moved: whoever has an address out of it gets another, and the old ones come back with it */
	l.pools[0] = (struct pool){ { NET + 50 }, { NET + 51 } };
	l.net.fingerprint++;
	assert_int_equal(choose_for(&l, &a, NULL, 0, 0), NET + 50);
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), NET + 51);
	l.pools[0] = (struct pool){ { NET + 10 }, { NET + 12 } };
	l.net.n_reservations = 0;
	l.net.fingerprint++;
	assert_int_equal(choose_for(&l, &c, NULL, 0, 0), NET + 12);
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), NET + 11);
	/* what was acknowledged is nobody else's before it expires */
	assert_int_equal(choose_for(&l, &a, NULL, NET + 10, LEASE_TIME - 1), NET + 12);
	assert_int_equal(choose_for(&l, &d, NULL, NET + 10, LEASE_TIME), NET + 10);
	lease_table_free(l.t);
}

static void networks_do_not_mix(void **state)
{
	struct lease_client a = client(1);
	struct lab l, other;
	struct lease *lease;

	(void)state;
	lab_init(&l);
	lab_init(&other);
	lease_table_free(other.t);
	other.t = l.t;
	other.cfg.name = "other";
	assert_null(lease_find(l.t, &l.net, &a));
	assert_int_equal(claim(&l, &a, NULL, 0, 0), NET + 10);
	assert_null(lease_find(l.t, &other.net, &a));
	/* the same addresses under another name, as after a reload: one client each all the same */
	assert_int_equal(choose_for(&other, &a, NULL, NET + 10, 0), NET + 11);
	assert_int_equal(choose_for(&other, &a, &other.machines[0], 0, 0), NET + 12);
	assert_int_equal(
		lease_choose(l.t, &l.net, &a, &l.machines[0], (struct ip4){ 0 }, 0, &lease), 0);
	assert_int_equal(lease->address.v, NET + 12);
	assert_ptr_equal(lease_find_address(l.t, lease->address), lease);
	assert_ptr_not_equal(lease_find(l.t, &other.net, &a), lease);
	lease_table_free(l.t);
}

static void tells_the_store(void **state)
{
	const struct lease_client c = { .client_id = SPAN_LIT("\x01id"),
		.htype = 1,
		.hlen = 6,
		.chaddr = { 2, 0, 0, 0, 0, 5 } };
	static const char long_name[] =
		"0123456789012345678901234567890123456789012345678901234567890123456789";
	struct lease_record r;
	struct lease *lease;
	struct mac mac;
	struct lab l;

	(void)state;
	lab_init(&l);
	assert_int_equal(lease_choose(l.t, &l.net, &c, NULL, (struct ip4){ 0 }, 10, &lease), 0);
	assert_false(lease_is_live(lease, 10));
	lease_bind(l.t, lease, SPAN_LIT("pc1"), 60, 10);
	assert_true(lease_is_live(lease, 69));
	assert_false(lease_is_live(lease, 70));
	lease_bind(l.t, lease, SPAN_NONE, 60, 20); /* the name stays */
	lease_to_record(lease, &r);
	assert_int_equal(r.address.v, NET + 10);
	assert_int_equal(r.state, LEASE_BOUND);
	assert_int_equal(r.expires_s, 80);
	assert_string_equal(r.network, "lab");
	assert_true(span_eq(r.client_id, c.client_id));
	assert_true(span_eq(r.chaddr, (struct span){ c.chaddr, 6 }));
	assert_true(span_eq(r.hostname, SPAN_LIT("pc1")));
	lease_bind(l.t, lease, SPAN_LIT(long_name), 60, 20);
	assert_int_equal(strlen(lease->hostname), 63);
	assert_true(lease_mac(lease, &mac));
	assert_int_equal(mac.b[5], 5);
	lease->htype = 6;
	assert_false(lease_mac(lease, &mac));
	lease->htype = 1;
	lease->hlen = 8;
	assert_false(lease_mac(lease, &mac));
	lease->hlen = 6;
	/* option 61 is the identity, where there is one (RFC 2131 4.2) */
	assert_true(lease_is_of(lease, &c));
	assert_false(lease_is_of(lease,
		&(struct lease_client){ .htype = 1, .hlen = 6, .chaddr = { 2, 0, 0, 0, 0, 5 } }));
	lease_table_free(l.t);
}

static void without_memory_nothing_is_lost(void **state)
{
	struct lease_client a = client(1), b = client(2);
	struct lease_table *t = NULL;
	struct lease *lease;
	struct lab l;

	(void)state;
	for (int i = 1; i <= 3; i++) { /* the table, its two hashes */
		allocations_left = i;
		assert_int_equal(lease_table_new(&t), -ENOMEM);
		assert_null(t);
	}
	allocations_left = -1;
	lab_init(&l);
	for (int i = 1; i <= 3; i++) { /* the network, its name, the lease */
		allocations_left = i;
		assert_int_equal(
			lease_choose(l.t, &l.net, &a, NULL, (struct ip4){ 0 }, 0, &lease), -ENOMEM);
	}
	allocations_left = -1;
	assert_int_equal(choose_for(&l, &a, NULL, 0, 0), NET + 10);
	allocations_left = 1;
	lease_bind(l.t, lease_find(l.t, &l.net, &a), SPAN_LIT("pc1"), 60,
		0); /* a name is no reason to fail */
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), 0);
	allocations_left = -1;
	assert_true(lease_is_live(lease_find(l.t, &l.net, &a), 0));
	assert_int_equal(choose_for(&l, &b, NULL, 0, 0), NET + 11);
	lease_table_free(l.t);
}

static struct lease_record record(
	uint32_t host, enum lease_state state, struct span id, int64_t expires)
{
	static const uint8_t chaddr[6] = { 2, 0, 0, 0, 0, 9 };

	return (struct lease_record){ .address = { NET + host },
		.state = state,
		.network = "lab",
		.client_id = id,
		.chaddr = { chaddr, state == LEASE_DECLINED ? 0 : 6 },
		.htype = state == LEASE_DECLINED ? 0 : 1,
		.expires_s = expires,
		.hostname = SPAN_LIT("pc9") };
}

static int restore(struct lab *l, struct lease_record r)
{
	return lease_restore(l->t, &r, 1);
}

static void comes_back_from_the_store(void **state)
{
	struct lease_client nine = client(9), a = { .client_id = SPAN_LIT("a") };
	struct lease_record r;
	struct lab l;

	(void)state;
	lab_init(&l);
	assert_int_equal(restore(&l, record(10, LEASE_BOUND, SPAN_NONE, 500)), 0);
	assert_int_equal(restore(&l, record(11, LEASE_DECLINED, SPAN_NONE, 600)), 0);
	assert_int_equal(restore(&l, record(15, LEASE_DECLINED, SPAN_NONE, 600)), 0);
	assert_int_equal(restore(&l, record(16, LEASE_OFFERED, SPAN_LIT("a"), 600)), 0);
	assert_int_equal(
		restore(&l, record(17, LEASE_BOUND, SPAN_LIT("a"), 700)), 0); /* it moved */
	assert_int_equal(restore(&l, record(18, LEASE_FREE, SPAN_LIT("b"), 100)), 0);
	assert_int_equal(
		restore(&l, record(18, LEASE_BOUND, SPAN_LIT("c"), 800)), 0); /* given on */
	assert_int_equal(lease_count(l.t, LEASE_DECLINED), 2);
	assert_int_equal(lease_find(l.t, &l.net, &nine)->address.v, NET + 10);
	lease_to_record(lease_find(l.t, &l.net, &nine), &r);
	assert_true(span_eq(r.hostname, SPAN_LIT("pc9")));
	assert_int_equal(lease_find(l.t, &l.net, &a)->address.v, NET + 17);
	assert_null(lease_find(l.t, &l.net, &(struct lease_client){ .client_id = SPAN_LIT("b") }));
	/* none of it is given to another; 19 is the first that nobody has */
	for (uint32_t i = 0; i < 6; i++) {
		struct lease_client c = client(100 + i);

		assert_true(choose_for(&l, &c, NULL, 0, 100) >= NET + (i == 0 ? 19 : 16));
	}
	/* what could not be stored is as the store has it */
	lease_bind(l.t, lease_find(l.t, &l.net, &nine), SPAN_NONE, 3600, 100);
	lease_not_stored(l.t, (struct ip4){ NET + 10 }, 100);
	assert_int_equal(lease_find(l.t, &l.net, &nine)->expires_s, 500);
	lease_bind(l.t, lease_find(l.t, &l.net, &nine), SPAN_NONE, 3600, 100);
	lease_stored(l.t, (struct ip4){ NET + 10 }, LEASE_BOUND, 3700);
	lease_not_stored(l.t, (struct ip4){ NET + 10 }, 200);
	assert_int_equal(lease_find(l.t, &l.net, &nine)->expires_s, 3700);
	lease_stored(l.t, (struct ip4){ NET + 10 }, LEASE_FREE, 200);
	lease_not_stored(l.t, (struct ip4){ NET + 10 }, 200);
	assert_int_equal(lease_find(l.t, &l.net, &nine)->state, LEASE_FREE);
	lease_not_stored(l.t, (struct ip4){ NET + 10 }, 200);
	lease_stored(l.t, (struct ip4){ NET + 99 }, LEASE_BOUND, 1);
	lease_not_stored(l.t, (struct ip4){ NET + 99 }, 1);
	allocations_left = 1;
	assert_int_equal(restore(&l, record(30, LEASE_BOUND, SPAN_NONE, 1)), -ENOMEM);
	r = record(30, LEASE_BOUND, SPAN_NONE, 1);
	r.network = "new";
	allocations_left = 1;
	assert_int_equal(restore(&l, r), -ENOMEM);
	allocations_left = -1;
	lease_table_free(l.t);
}

/* --- random operations against a naive model --- */

#define MODEL_CLIENTS 40u
#define MODEL_SPAN    256u

/* By address: who has it bound until when, or declined. */
struct model {
	unsigned owner[MODEL_SPAN]; /* client + 1; 0: nobody */
	int64_t until[MODEL_SPAN];
	bool declined[MODEL_SPAN];
};

static unsigned seed;

static struct lease_client model_client(unsigned n)
{
	static const uint8_t ids[MODEL_CLIENTS] = { 0 };
	struct lease_client c = client(n / 2 * 2 + 1000);

	if (n % 2) /* the same card under another name */
		c.client_id = (struct span){ ids, n };
	return c;
}

static void check_given(const struct lab *l, const struct model *m, unsigned who,
	const struct machine *reserved, struct ip4 a, int64_t now)
{
	uint32_t host = a.v - NET;
	bool is_its_reservation = reserved && a.v == reserved->address.v;

	if (!is_its_reservation && !served_may_lease(&l->net, a))
		fail_msg("seed %u: %s was given, which nobody may have", seed, ip4_str(a).s);
	assert_true(host < MODEL_SPAN);
	if (m->declined[host] && m->until[host] > now)
		fail_msg("seed %u: %s was given, which is declined", seed, ip4_str(a).s);
	/* A reservation goes over to the next stage on the same card, and only it. */
	if (m->owner[host] && m->owner[host] - 1 != who && m->until[host] > now &&
		!m->declined[host] && !(is_its_reservation && (m->owner[host] - 1) / 2 == who / 2))
		fail_msg("seed %u: %s of client %u was given to client %u", seed, ip4_str(a).s,
			m->owner[host] - 1, who);
}

/* A client has one lease only: what it had elsewhere is not its any more. */
static void model_forget(struct model *m, unsigned who)
{
	for (unsigned i = 0; i < MODEL_SPAN; i++)
		if (m->owner[i] == who + 1)
			m->owner[i] = 0;
}

static void model_bind(struct model *m, unsigned who, uint32_t host, int64_t now)
{
	model_forget(m, who);
	m->owner[host] = who + 1;
	m->until[host] = now + LEASE_TIME;
	m->declined[host] = false;
}

static void model_step(struct lab *l, struct model *m, int64_t *now)
{
	unsigned who = (unsigned)rand() % MODEL_CLIENTS;
	struct lease_client c = model_client(who);
	struct machine *reserved = who < 2 ? &l->machines[0] : who < 4 ? &l->machines[1] : NULL;
	struct ip4 wanted = { rand() % 3 ? 0 : NET + (unsigned)rand() % 64 };
	struct lease *lease = lease_find(l->t, &l->net, &c);
	bool is_claim = rand() % 2;

	switch (rand() % 8) {
	case 0:
		*now += rand() % 40;
		break;
	case 1:
		if (rand() % 8 == 0)
			*now += LEASE_TIME / 2;
		break;
	case 2:
		if (lease && lease->state == LEASE_BOUND) {
			if (m->owner[lease->address.v - NET] == who + 1)
				m->owner[lease->address.v - NET] = 0;
			lease_release(l->t, lease, *now);
		}
		break;
	case 3:
		if (lease && lease->state == LEASE_BOUND && rand() % 4 == 0) {
			uint32_t host = lease->address.v - NET;

			m->declined[host] = true;
			m->owner[host] = 0;
			m->until[host] = *now + LEASE_DECLINED_S;
			lease_decline(l->t, lease, *now);
		}
		break;
	case 4: /* a reload moves a pool */
		if (rand() % 50 == 0) {
			l->pools[1].last.v = NET + 30 + (unsigned)rand() % 6;
			l->net.fingerprint++;
		}
		break;
	default:
		if ((is_claim ? lease_claim : lease_choose)(
			    l->t, &l->net, &c, reserved, wanted, *now, &lease) < 0) {
			if (is_claim) /* a NAK */
				model_forget(m, who);
			break;
		}
		check_given(l, m, who, reserved, lease->address, *now);
		assert_ptr_equal(lease_find(l->t, &l->net, &c), lease);
		assert_ptr_equal(lease_find_address(l->t, lease->address), lease);
		if (is_claim || rand() % 2) {
			model_bind(m, who, lease->address.v - NET, *now);
			lease_bind(l->t, lease, SPAN_NONE, LEASE_TIME, *now);
		}
	}
}

/* Every live binding of the model is in the table, with its owner. */
static void check_all(const struct lab *l, const struct model *m, int64_t now)
{
	size_t n = 0;

	for (unsigned host = 0; host < MODEL_SPAN; host++) {
		struct lease *lease = lease_find_address(l->t, (struct ip4){ NET + host });

		n += lease != NULL;
		/* (a reservation goes over to the machine's next stage) */
		if (m->owner[host] && m->until[host] > now &&
			!served_reserved_for(&l->net, (struct ip4){ NET + host })) {
			struct lease_client c = model_client(m->owner[host] - 1);

			/* Nobody's (hlen 0): its client was offered another since, and did not take it. */
			if (!lease || (!lease_is_of(lease, &c) && lease->hlen != 0))
				fail_msg("seed %u: %s changed hands", seed,
					ip4_str(lease->address).s);
		}
	}
	for (int s = 0; s < LEASE_STATE_COUNT; s++)
		n -= lease_count(l->t, (enum lease_state)s);
	assert_int_equal(n, 0);
}

static void no_address_is_given_twice(void **state)
{
	const char *again = getenv("BOOTSMITH_SEED"); /* to repeat a run */

	(void)state;
	seed = again ? (unsigned)strtoul(again, NULL, 10)
		     : (unsigned)time(NULL) ^ (unsigned)getpid() << 8;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 60; round++) {
		struct model m = { 0 };
		int64_t now = rand() % 100;
		struct lab l;

		lab_init(&l);
		for (int i = 0; i < 3000; i++) {
			model_step(&l, &m, &now);
			if (i % 16 == 0)
				check_all(&l, &m, now);
		}
		lease_table_free(l.t);
	}
}

/* L-6: however a flood of clients that never request goes, an honest one gets
 * an address at once, and has it when it requests it. */
static void a_flood_starves_nobody(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l);
	for (uint32_t i = 0; i < 600; i++) {
		struct lease_client made_up = client(1000000 + i);
		/* an offer of a reserved address at the head of the queue is in nobody's way */
		struct machine *m = i == 0 ? &l.machines[0] : NULL;

		assert_true(choose_for(&l, &made_up, m, 0, 7) != 0);
		if (i % 100 == 99) {
			struct lease_client honest = client(i / 100);
			uint32_t offered = choose_for(&l, &honest, NULL, 0, 7);

			assert_true(offered != 0);
			for (uint32_t k = 0; k < 50; k++) {
				made_up = client(2000000 + i * 50 + k);
				assert_true(choose_for(&l, &made_up, NULL, 0, 7) != 0);
			}
			assert_int_equal(claim(&l, &honest, NULL, offered, 8), offered);
		}
	}
	assert_int_equal(lease_count(l.t, LEASE_BOUND), 6);
	lease_table_free(l.t);
}

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A million leases in a /8: seconds, not minutes, and the last as quick as the
 * first; then the table is full, which is said, and known clients keep service. */
static void a_million_leases(void **state)
{
	struct network cfg = { .name = "big" };
	struct pool pool = { { NET + 1 }, { NET + 0xfffffe } };
	struct lab l = { .net = { .cfg = &cfg,
				 .subnet = { NET },
				 .prefix_len = 8,
				 .pools = &pool,
				 .n_pools = 1,
				 .fingerprint = 1 } };
	struct lease_client c;
	double start = seconds(), first = 0, last;

	(void)state;
	assert_int_equal(lease_table_new(&l.t), 0);
	for (uint32_t i = 0; i < LEASE_TABLE_MAX; i++) {
		if (i % 100000 == 0)
			start = seconds();
		c = client(i);
		if (claim(&l, &c, NULL, 0, i / 1000) != NET + 1 + i)
			fail_msg("lease %u", i);
		if (i == 99999)
			first = seconds() - start;
	}
	last = seconds() - start;
	print_message("first 100,000 leases %.3f s, last %.3f s\n", first, last);
	assert_true(last < 20);
	assert_true(last < 50 * first + 1);
	c = client(LEASE_TABLE_MAX);
	assert_int_equal(choose_for(&l, &c, NULL, 0, 1000), 0);
	assert_int_equal(choose_for(&l, &c, NULL, NET + 0xff0000, 1000), 0);
	assert_int_equal(
		choose_for(&l, &c, &(struct machine){ .address = { NET + 0xff0000 } }, 0, 1000), 0);
	c = client(777);
	assert_int_equal(claim(&l, &c, NULL, NET + 778, 1000), NET + 778);
	/* when leases have expired, new clients are served again */
	start = seconds();
	for (uint32_t i = 0; i < 100000; i++) {
		c = client(LEASE_TABLE_MAX + i);
		assert_true(choose_for(&l, &c, NULL, i % 2 ? NET + 0xff0000 : 0, 6000) != 0);
	}
	assert_true(seconds() - start < 20);
	assert_true(
		lease_count(l.t, LEASE_BOUND) + lease_count(l.t, LEASE_OFFERED) == LEASE_TABLE_MAX);
	lease_table_free(l.t);
}

struct seen {
	uint8_t times[1u << 16];
	size_t n;
	int64_t release_at; /* -1: do not */
};

static void see(void *ctx, struct lease *lease)
{
	struct seen *s = ctx;

	s->times[lease->address.v - NET]++;
	s->n++;
	if (s->release_at >= 0)
		lease_release(NULL, lease, s->release_at);
}

/* Whatever comes and goes in between: who is there all the time is seen once. */
static void a_walk_sees_each_once(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 63, 64, 65, 100, 127, 128, 129, 1000, 5000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct lease_walk w = { 0 };
		struct seen *s = calloc(1, sizeof(*s));
		struct lab l;
		uint32_t n = 0;
		size_t steps = 0;
		bool more;

		assert_non_null(s);
		lab_init(&l);
		l.pools[0] = l.pools[1] = (struct pool){ { NET + 20 }, { NET + 65000 } };
		l.net.prefix_len = 16;
		l.net.n_reservations = 0;
		for (n = 0; n < sizes[i]; n++) {
			struct lease_client c = client(n);

			assert_int_equal(claim(&l, &c, NULL, 0, 0), NET + 20 + n);
		}
		s->release_at = i % 2 ? 7 : -1;
		do {
			more = lease_walk_step(l.t, &w, 7, see, s);
			for (uint32_t k = 0; k < 40 && n < 64000; k++) {
				struct lease_client c = client(n);

				assert_int_equal(
					claim(&l, &c, NULL, NET + 20 + n, 0), NET + 20 + n);
				n++;
			}
			steps++;
		} while (more);
		for (uint32_t k = 0; k < n; k++)
			if (s->times[20 + k] > 1 || (k < sizes[i] && s->times[20 + k] != 1))
				fail_msg("%u leases: number %u seen %u times", sizes[i], k,
					s->times[20 + k]);
		assert_true(steps >= 64 / 7);
		assert_false(lease_walk_step(l.t, &w, 7, see, s));
		lease_table_free(l.t);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_in_order),
		cmocka_unit_test(reuses_the_longest_free),
		cmocka_unit_test(declined_addresses_rest),
		cmocka_unit_test(reserved_addresses_have_one_owner),
		cmocka_unit_test(follows_a_reload),
		cmocka_unit_test(networks_do_not_mix),
		cmocka_unit_test(tells_the_store),
		cmocka_unit_test(without_memory_nothing_is_lost),
		cmocka_unit_test(comes_back_from_the_store),
		cmocka_unit_test(no_address_is_given_twice),
		cmocka_unit_test(a_flood_starves_nobody),
		cmocka_unit_test(a_walk_sees_each_once),
		cmocka_unit_test(a_million_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
