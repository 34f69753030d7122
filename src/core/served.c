/* Networks joined with interfaces. */
#include "core/served.h"

#include <errno.h>
#include <stdlib.h>

static const struct iface_view *find_iface(
	const struct iface_view *ifaces, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ifaces[i].name, name) == 0)
			return &ifaces[i];
	return NULL;
}

/* Our address on the interface: the first one in the configured subnet, or
 * the first of all. */
static const struct iface_addr *own_address(
	const struct network *net, const struct iface_view *iface)
{
	for (size_t i = 0; i < iface->n_addrs; i++)
		if (!net->has_subnet || ip4_in(iface->addrs[i].addr, net->subnet, net->prefix_len))
			return &iface->addrs[i];
	return NULL;
}

/* The upper half of the subnet, without network and broadcast address. */
static int default_pool(struct arena *a, struct served *s)
{
	uint32_t first = s->subnet.v, last = s->subnet.v | ~ip4_mask(s->prefix_len);
	struct pool *p;

	if (s->prefix_len >= 31)
		return 0; /* nobody to give an address to */
	p = arena_new(a, struct pool);
	if (!p)
		return -ENOMEM;
	p->first.v = first + (last - first) / 2 + 1;
	p->last.v = last - 1;
	s->pools = p;
	s->n_pools = 1;
	return 0;
}

static int by_address(const void *x, const void *y)
{
	const struct reservation *a = x, *b = y;

	return (a->address.v > b->address.v) - (a->address.v < b->address.v);
}

static int collect_reservations(struct arena *a, const struct config *cfg, struct served *s)
{
	struct reservation *list;
	size_t n = 0;

	for (size_t i = 0; i < cfg->n_machines; i++)
		n += cfg->machines[i].address.v &&
			ip4_in(cfg->machines[i].address, s->subnet, s->prefix_len);
	if (n == 0)
		return 0;
	list = arena_array(a, struct reservation, n);
	if (!list)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < cfg->n_machines; i++) {
		const struct machine *m = &cfg->machines[i];

		if (m->address.v && ip4_in(m->address, s->subnet, s->prefix_len))
			list[n++] = (struct reservation){ m->address, m };
	}
	qsort(list, n, sizeof(*list), by_address);
	s->reservations = list;
	s->n_reservations = n;
	return 0;
}

/* Fills one served network; 1: it cannot be served now. */
static int join(struct arena *a, const struct config *cfg, const struct network *net,
	const struct iface_view *ifaces, size_t n_ifaces, struct served *s)
{
	*s = (struct served){ .cfg = net,
		.mtu = 1500,
		.subnet = net->subnet,
		.prefix_len = net->prefix_len,
		.router = net->router,
		.pools = net->pools,
		.n_pools = net->n_pools };
	if (net->interface) {
		const struct iface_view *iface = find_iface(ifaces, n_ifaces, net->interface);
		const struct iface_addr *own = iface && iface->up ? own_address(net, iface) : NULL;

		if (!own)
			return 1;
		s->ifindex = iface->index;
		s->mac = iface->mac;
		s->mtu = iface->mtu;
		s->server = own->addr;
		if (!net->has_subnet) {
			s->prefix_len = own->prefix_len;
			s->subnet.v = own->addr.v & ip4_mask(own->prefix_len);
		}
		if (s->router.v == 0)
			s->router = own->addr;
	}
	if (s->n_pools == 0 && default_pool(a, s) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_pools; i++)
		s->pool_size += (uint64_t)s->pools[i].last.v - s->pools[i].first.v + 1;
	return collect_reservations(a, cfg, s);
}

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) /* FNV-1a */
		h = (h ^ b[i]) * 1099511628211u;
	return h;
}

static uint64_t fingerprint(const struct served *s)
{
	uint64_t h = mix(14695981039346656037u, &s->subnet, sizeof(s->subnet));

	h = mix(h, &s->prefix_len, sizeof(s->prefix_len));
	h = mix(h, &s->router, sizeof(s->router));
	for (size_t i = 0; i < s->n_pools; i++) {
		h = mix(h, &s->pools[i].first, sizeof(struct ip4));
		h = mix(h, &s->pools[i].last, sizeof(struct ip4));
	}
	for (size_t i = 0; i < s->n_reservations; i++)
		h = mix(h, &s->reservations[i].address, sizeof(struct ip4));
	for (size_t i = 0; i < s->n_own; i++)
		h = mix(h, &s->own[i], sizeof(struct ip4));
	return h;
}

static int collect_own(
	struct arena *a, const struct iface_view *ifaces, size_t n_ifaces, struct served_set *set)
{
	struct ip4 *own = arena_array(a, struct ip4, n_ifaces * IFACE_ADDRS_MAX + 1);
	size_t n = 0;

	if (!own)
		return -ENOMEM;
	for (size_t i = 0; i < n_ifaces; i++)
		for (size_t k = 0; k < ifaces[i].n_addrs; k++)
			own[n++] = ifaces[i].addrs[k].addr;
	for (size_t i = 0; i < set->n; i++) {
		set->list[i].own = own;
		set->list[i].n_own = n;
		set->list[i].fingerprint = fingerprint(&set->list[i]);
	}
	return 0;
}

int served_build(const struct config *cfg, const struct iface_view *ifaces, size_t n_ifaces,
	struct served_set **ret_set)
{
	struct served_set *set = calloc(1, sizeof(*set));
	int r = -ENOMEM;

	if (!set)
		return -ENOMEM;
	arena_init(&set->arena, 0);
	set->list = arena_array(&set->arena, struct served, cfg->n_networks + 1);
	if (!set->list)
		goto fail;
	for (size_t i = 0; i < cfg->n_networks; i++) {
		r = join(&set->arena, cfg, &cfg->networks[i], ifaces, n_ifaces, &set->list[set->n]);
		if (r < 0)
			goto fail;
		set->n += r == 0;
	}
	r = collect_own(&set->arena, ifaces, n_ifaces, set);
	if (r < 0)
		goto fail;
	*ret_set = set;
	return 0;
fail:
	served_free(set);
	return r;
}

void served_free(struct served_set *set)
{
	if (!set)
		return;
	arena_free(&set->arena);
	free(set);
}

const struct served *served_by_ifindex(const struct served_set *set, unsigned ifindex)
{
	for (size_t i = 0; i < set->n; i++)
		if (ifindex != 0 && set->list[i].ifindex == ifindex)
			return &set->list[i];
	return NULL;
}

const struct served *served_by_address(const struct served_set *set, struct ip4 a)
{
	for (size_t i = 0; i < set->n; i++)
		if (ip4_in(a, set->list[i].subnet, set->list[i].prefix_len))
			return &set->list[i];
	return NULL;
}

bool served_on_one_wire(const struct served *a, const struct served *b)
{
	if (a == b || (a->ifindex && a->ifindex == b->ifindex))
		return true;
	return a->cfg->link && b->cfg->link && strcmp(a->cfg->link, b->cfg->link) == 0;
}

const struct machine *served_reserved_for(const struct served *s, struct ip4 a)
{
	struct reservation key = { .address = a };
	const struct reservation *r = s->n_reservations == 0
		? NULL
		: bsearch(&key, s->reservations, s->n_reservations, sizeof(key), by_address);

	return r ? r->machine : NULL;
}

bool served_in_pools(const struct served *s, struct ip4 a)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (a.v >= s->pools[i].first.v && a.v <= s->pools[i].last.v)
			return true;
	return false;
}

bool served_is_usable(const struct served *s, struct ip4 a)
{
	uint32_t host = a.v & ~ip4_mask(s->prefix_len);

	if (!ip4_in(a, s->subnet, s->prefix_len) || ip4_eq(a, s->router))
		return false;
	if (s->prefix_len < 31 && (host == 0 || host == ~ip4_mask(s->prefix_len)))
		return false;
	for (size_t i = 0; i < s->n_own; i++)
		if (ip4_eq(a, s->own[i]))
			return false;
	return true;
}

bool served_may_lease(const struct served *s, struct ip4 a)
{
	return served_in_pools(s, a) && served_is_usable(s, a) && !served_reserved_for(s, a);
}
