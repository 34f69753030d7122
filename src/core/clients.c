/* The memory of machines. */
#include "core/clients.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH                                                                   \
	4u /* short chains: each link is memory that nothing has touched lately */

struct memo {
	uint8_t n;
	uint8_t b[CLIENT_TEXT_MAX];
};

enum text_index {
	T_VENDOR,
	T_USER,
	T_HOSTNAME,
	T_CIRCUIT,
	T_REMOTE,
	T_SERIAL,
	T_ASSET,
	T_COUNT,
};

/* What look-ups touch stands first, close together. */
struct client_memo {
	UT_hash_handle by_mac, by_address; /* tbl is NULL while it is not in that table */
	struct mac mac;
	struct ip4 address;
	struct client_memo *prev, *next; /* oldest first */
	struct facts facts;              /* its spans are rebuilt from texts */
	struct ip4 boot_address;         /* the last one given to it while it booted, and when */
	int64_t boot_ms;
	int64_t heard_ms;     /* by DHCP */
	int64_t solicited_ms; /* the first time since then that it asked for a router; 0: not yet */
	char network[64];
	struct memo text[T_COUNT];
};

struct clients {
	struct client_memo *by_mac, *by_address, *queue;
	size_t n;
};

int clients_new(struct clients **ret)
{
	struct clients *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*ret = c;
	return 0;
}

static struct client_memo *find_by_address(struct clients *c, struct ip4 a)
{
	struct client_memo *m = NULL;

	HASH_FIND(by_address, c->by_address, &a, sizeof(a), m);
	return m;
}

static void forget_address(struct clients *c, struct client_memo *m)
{
	if (!m || !m->by_address.tbl)
		return;
	HASH_DELETE(by_address, c->by_address, m);
	m->by_address.tbl = NULL;
}

/* Without memory for it, it is not found by its address. */
static void set_address(struct clients *c, struct client_memo *m, struct ip4 a)
{
	if (m->by_address.tbl && ip4_eq(m->address, a))
		return;
	forget_address(c, m);
	forget_address(c, find_by_address(c, a)); /* who had it before */
	m->address = a;
	HASH_ADD(by_address, c->by_address, address, sizeof(m->address), m);
}

/* Out of the tables: its memory is the caller's. */
static struct client_memo *take_out(struct clients *c, struct client_memo *m)
{
	forget_address(c, m);
	HASH_DELETE(by_mac, c->by_mac, m);
	DL_DELETE(c->queue, m);
	c->n--;
	return m;
}

void clients_free(struct clients *c)
{
	if (!c)
		return;
	while (c->queue)
		free(take_out(c, c->queue));
	free(c);
}

static void keep(struct memo *m, struct span s)
{
	m->n = (uint8_t)(s.n < sizeof(m->b) ? s.n : sizeof(m->b));
	if (m->n)
		memmove(m->b, s.p, m->n); /* it may be what is kept already */
}

static struct span kept(const struct memo *m)
{
	return (struct span){ m->b, m->n };
}

static struct client_memo *find(struct clients *c, struct mac mac)
{
	struct client_memo *m = NULL;

	HASH_FIND(by_mac, c->by_mac, &mac, sizeof(mac), m);
	return m;
}

static struct client_memo *find_or_make(struct clients *c, struct mac mac)
{
	struct client_memo *m = find(c, mac);

	if (m) {
		DL_DELETE(c->queue, m);
		DL_APPEND(c->queue, m);
		return m;
	}
	m = c->n < CLIENTS_MAX ? malloc(sizeof(*m)) : take_out(c, c->queue);
	if (!m)
		return NULL;
	*m = (struct client_memo){ .mac = mac };
	HASH_ADD(by_mac, c->by_mac, mac, sizeof(m->mac), m);
	if (!m->by_mac.tbl) {
		free(m);
		return NULL;
	}
	DL_APPEND(c->queue, m);
	c->n++;
	return m;
}

void clients_remember(struct clients *c, const struct facts *f, struct ip4 address, int64_t now_ms)
{
	struct client_memo *m = f->has_mac ? find_or_make(c, f->mac) : NULL;
	struct facts before;

	if (!m)
		return;
	/* One exchange has several messages, and iPXE asks for a router beside them. */
	if (now_ms - m->heard_ms > CLIENTS_EXCHANGE_MS)
		m->solicited_ms = 0;
	before = m->facts;
	m->facts = *f;
	m->facts.state = NULL; /* moves on without us */
	/* An operating system does not tell what its machine's firmware did. */
	if (f->client == CLIENT_DHCP && !f->has_arch) {
		m->facts.has_arch = before.has_arch;
		m->facts.arch_number = before.arch_number;
		m->facts.arch = before.arch;
	}
	if (f->client == CLIENT_DHCP && !f->has_uuid) {
		m->facts.has_uuid = before.has_uuid;
		m->facts.uuid = before.uuid;
	}
	m->heard_ms = now_ms;
	if (address.v)
		set_address(c, m, address);
	if (address.v && f->client != CLIENT_DHCP) {
		m->boot_address = address;
		m->boot_ms = now_ms;
	}
	strncpy(m->network, f->network ? f->network : "", sizeof(m->network) - 1);
	keep(&m->text[T_VENDOR], f->vendor_class);
	keep(&m->text[T_USER], f->user_class);
	keep(&m->text[T_HOSTNAME], f->hostname);
	keep(&m->text[T_CIRCUIT], f->circuit_id);
	keep(&m->text[T_REMOTE], f->remote_id);
}

struct ip4 clients_boot_address(struct clients *c, struct mac mac, int64_t now_ms)
{
	const struct client_memo *m = find(c, mac);

	return m && m->boot_address.v && now_ms - m->boot_ms <= CLIENTS_BOOT_MS ? m->boot_address
										: (struct ip4){ 0 };
}

bool clients_wants_no_router(struct clients *c, struct mac mac, int64_t now_ms)
{
	struct client_memo *m = find(c, mac);

	if (!m || m->facts.client != CLIENT_IPXE || now_ms - m->heard_ms > CLIENTS_IPXE_WAIT_MS)
		return false;
	if (m->solicited_ms == 0)
		m->solicited_ms = now_ms;
	return now_ms - m->solicited_ms >= CLIENTS_ROUTER_FIRST_MS;
}

void clients_report(struct clients *c, struct mac mac, struct span serial, struct span asset)
{
	struct client_memo *m = find(c, mac);

	if (!m)
		return;
	if (serial.n)
		keep(&m->text[T_SERIAL], serial);
	if (asset.n)
		keep(&m->text[T_ASSET], asset);
}

static void give(const struct client_memo *m, struct facts *ret)
{
	*ret = m->facts;
	ret->network = m->network[0] ? m->network : NULL;
	ret->vendor_class = kept(&m->text[T_VENDOR]);
	ret->user_class = kept(&m->text[T_USER]);
	ret->hostname = kept(&m->text[T_HOSTNAME]);
	ret->circuit_id = kept(&m->text[T_CIRCUIT]);
	ret->remote_id = kept(&m->text[T_REMOTE]);
	ret->serial = kept(&m->text[T_SERIAL]);
	ret->asset = kept(&m->text[T_ASSET]);
}

bool clients_find(
	struct clients *c, struct mac mac, struct facts *ret_facts, struct ip4 *ret_address)
{
	const struct client_memo *m = find(c, mac);

	if (!m)
		return false;
	give(m, ret_facts);
	*ret_address = m->address;
	return true;
}

bool clients_find_address(struct clients *c, struct ip4 a, struct facts *ret_facts)
{
	const struct client_memo *m = find_by_address(c, a);

	if (!m)
		return false;
	give(m, ret_facts);
	return true;
}
