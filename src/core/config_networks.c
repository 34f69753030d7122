/* The networks of a configuration: who is served, and which addresses are whose.
 *
 * Checks what the file alone can tell.  A network on an interface without a
 * `subnet` key gets its subnet from that interface later; what depends on it is
 * checked by whoever knows the interface.
 */
#include "core/config_load_impl.h"

#include <stdlib.h>

/* Shorter leases make a storm of renewals; longer ones never come back. */
#define LEASE_TIME_MIN_S 60u
#define LEASE_TIME_MAX_S (365u * 86400u)
#define DOMAIN_MAX       253u /* RFC 1035 2.3.4, less the root's octets */
#define INTERFACE_MAX    15u  /* IFNAMSIZ - 1 */

struct reading {
	struct network net;
	struct src_pos interface_pos, subnet_pos, link_pos;
	const struct yaml *pools; /* looked at when the subnet is known */
	bool bad;                 /* interface or subnet are there but wrong */
};

static void read_interface(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	static const char expected[] = "the name of a network interface such as br0";
	struct span s;
	bool good;

	r->bad = true;
	if (!load_scalar(l, v, expected, &s))
		return;
	good = s.n <= INTERFACE_MAX && !span_eq(s, SPAN_LIT(".")) && !span_eq(s, SPAN_LIT(".."));
	for (size_t i = 0; good && i < s.n; i++)
		good = s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '/' && s.p[i] != ':';
	if (!good) {
		config_error_add(l->errs, v->pos,
			"`%.64s` cannot be the name of an interface: at most 15 characters, no "
			"blank, no / and no :",
			(const char *)s.p);
		return;
	}
	r->net.interface = load_text(l, v, expected);
	r->interface_pos = v->pos;
	r->bad = r->net.interface == NULL;
}

static void read_subnet(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct ip4 a, net;
	unsigned len;

	if (v->kind != YAML_SCALAR || ip4_parse_prefix(v->text, &a, &len) < 0) {
		load_unexpected(l, v, "a subnet such as 10.9.0.0/24");
		r->bad = true;
		return;
	}
	net = (struct ip4){ a.v & ip4_mask(len) };
	if (len < 8 || len > 30) {
		config_error_add(
			l->errs, v->pos, "a subnet of /%u cannot be served: from /8 to /30", len);
		r->bad = true;
	} else if (!ip4_is_host(a)) {
		config_error_add(l->errs, v->pos,
			"%s is no subnet of machines: it is loopback, multicast or reserved",
			ip4_str(a).s);
		r->bad = true;
	} else if (!ip4_eq(a, net)) {
		config_error_add(l->errs, v->pos,
			"%s/%u is an address in a subnet: did you mean `%s/%u`?", ip4_str(a).s, len,
			ip4_str(net).s, len);
		r->bad = true;
	}
	r->net.has_subnet = true;
	r->net.subnet = net;
	r->net.prefix_len = len;
	r->subnet_pos = v->pos;
}

static void read_link(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->net.link = load_text(
		l, v, "a name that networks on the same wire share, such as campus-3");
	r->link_pos = v->pos;
}

static void read_dhcp(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	const char *const words[] = { dhcp_mode_name(DHCP_SERVER), dhcp_mode_name(DHCP_PROXY),
		dhcp_mode_name(DHCP_OFF) };
	unsigned word;

	if (!load_word(l, v, words, ARRAY_LEN(words), &word))
		return;
	r->net.dhcp = (enum dhcp_mode)word;
}

static void read_pools(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	(void)l;
	r->pools = v;
}

static void read_router(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	(void)load_address(l, v, &r->net.router);
}

static void read_dns(struct loading *l, const struct yaml *v, void *into)
{
	static const char expected[] = "an IPv4 address, or a list [a, b] of them";
	struct reading *r = into;
	struct ip4 *list;

	if (v->kind == YAML_MAP) {
		load_unexpected(l, v, expected);
		return;
	}
	list = LOAD_ARRAY(l, struct ip4, yaml_count(v));
	if (!list)
		return;
	if (yaml_count(v) > 63) /* 255 octets of option 6 hold no more */
		config_error_add(
			l->errs, v->pos, "more than 63 name servers: one option cannot hold them");
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i)) {
		/* `a, b` without brackets is one text. */
		if (i->kind == YAML_SCALAR && i->text.n && memchr(i->text.p, ',', i->text.n))
			load_unexpected(l, i, expected);
		else if (load_address(l, i, &list[r->net.n_dns]))
			r->net.n_dns++;
	}
	r->net.dns = list;
}

static void read_domain(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	const char *domain = load_text(l, v, "a domain such as lab.example");
	struct span s = span_str(domain);
	bool good = s.n <= DOMAIN_MAX;

	for (size_t i = 0; good && i < s.n; i++)
		good = (s.p[i] >= '0' && s.p[i] <= '9') ||
			((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') || s.p[i] == '-' ||
			s.p[i] == '_' || (s.p[i] == '.' && i > 0 && s.p[i - 1] != '.');
	if (!good)
		config_error_add(l->errs, v->pos,
			"`%.64s` is no domain: names of letters, digits and -, with one dot "
			"between, at most %u characters",
			domain, DOMAIN_MAX);
	r->net.domain = domain;
}

static void read_lease_time(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	(void)load_duration(l, v, LEASE_TIME_MIN_S, LEASE_TIME_MAX_S, &r->net.lease_time_s);
}

static void read_conflict_check(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	static const char *const words[] = { "arp", "off" };
	unsigned word;

	if (load_word(l, v, words, ARRAY_LEN(words), &word))
		r->net.conflict_check = word == 0;
}

static void read_authoritative(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	(void)load_bool(l, v, &r->net.authoritative);
}

static void read_options(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_options(l, v, OPTIONS_OF_NETWORK, &r->net.options);
}

static const struct load_key network_keys[] = {
	{ "interface", read_interface },
	{ "subnet", read_subnet },
	{ "link", read_link },
	{ "dhcp", read_dhcp },
	{ "pools", read_pools },
	{ "router", read_router },
	{ "dns", read_dns },
	{ "domain", read_domain },
	{ "lease_time", read_lease_time },
	{ "conflict_check", read_conflict_check },
	{ "authoritative", read_authoritative },
	{ "options", read_options },
};

static struct span trim(struct span s)
{
	while (s.n > 0 && s.p[0] == ' ')
		s = span_skip(s, 1);
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static bool parse_pool(struct span s, struct pool *ret)
{
	const uint8_t *dash = s.n ? memchr(s.p, '-', s.n) : NULL;
	struct ip4 first, last;

	if (!dash)
		return false;

	size_t at = (size_t)(dash - s.p);

	if (ip4_parse(trim((struct span){ s.p, at }), &first) < 0 ||
		ip4_parse(trim(span_skip(s, at + 1)), &last) < 0)
		return false;
	ret->first = first;
	ret->last = last;
	return true;
}

/* The subnet is known only where the network has that key, and wrong where that was refused. */
static bool check_pool(struct loading *l, const struct network *net, const struct pool *p)
{
	struct ip4 broadcast = { net->subnet.v | ~ip4_mask(net->prefix_len) };

	if (p->first.v > p->last.v) {
		config_error_add(l->errs, p->pos, "this pool runs backwards: did you mean `%s-%s`?",
			ip4_str(p->last).s, ip4_str(p->first).s);
		return false;
	}
	if (!ip4_is_host(p->first) || !ip4_is_host(p->last)) {
		config_error_add(l->errs, p->pos,
			"this pool holds addresses that no machine can have: loopback, multicast "
			"or reserved ones");
		return false;
	}
	if (!net->has_subnet)
		return true;
	if (!ip4_in(p->first, net->subnet, net->prefix_len) ||
		!ip4_in(p->last, net->subnet, net->prefix_len)) {
		config_error_add(l->errs, p->pos,
			"this pool leaves its network's subnet %s/%u: correct the one or the other",
			ip4_str(net->subnet).s, net->prefix_len);
		return false;
	}
	if (ip4_eq(p->first, net->subnet))
		config_error_add(l->errs, p->pos,
			"%s is the address of the subnet itself: start the pool at %s",
			ip4_str(p->first).s, ip4_str((struct ip4){ p->first.v + 1 }).s);
	if (ip4_eq(p->last, broadcast))
		config_error_add(l->errs, p->pos,
			"%s is the broadcast address of the subnet: end the pool at %s",
			ip4_str(p->last).s, ip4_str((struct ip4){ p->last.v - 1 }).s);
	return true;
}

static void finish_pools(struct loading *l, struct reading *r)
{
	static const char expected[] = "a pool such as 10.9.0.100-10.9.0.200, or a list [a-b, c-d]";
	struct pool *pools;

	if (!r->pools)
		return;
	if (r->pools->kind == YAML_MAP || yaml_count(r->pools) == 0) {
		load_unexpected(l, r->pools, expected);
		return;
	}
	pools = LOAD_ARRAY(l, struct pool, yaml_count(r->pools));
	if (!pools)
		return;
	for (const struct yaml *v = yaml_first(r->pools); v; v = yaml_after(r->pools, v)) {
		struct pool *p = &pools[r->net.n_pools];

		if (v->kind != YAML_SCALAR || !parse_pool(v->text, p)) {
			load_unexpected(l, v, expected);
			continue;
		}
		p->pos = v->pos;
		if (check_pool(l, &r->net, p))
			r->net.n_pools++;
	}
	r->net.pools = pools;
}

static void finish_network(struct loading *l, struct reading *r, const struct yaml *v)
{
	struct network *net = &r->net;

	if (!net->interface && !net->has_subnet && !r->bad)
		config_error_add(l->errs, v->pos,
			"this network has neither `interface` (for machines on our own wire) "
			"nor `subnet` (for those behind a relay agent): give one of them");
	if (r->bad)
		net->has_subnet = false;
	finish_pools(l, r);
	if (net->interface) {
		net->name = net->interface;
		return;
	}
	net->name = arena_printf(l->arena, "%s/%u", ip4_str(net->subnet).s, net->prefix_len);
	l->no_memory = l->no_memory || !net->name;
}

/* Several networks on one interface share its wire: each then has a subnet, and all
 * but the first are called by it. */
static void name_shared(struct loading *l, struct reading *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct network *net = &list[i].net;
		size_t k = 0;

		while (k < i &&
			!(net->interface && list[k].net.interface &&
				strcmp(net->interface, list[k].net.interface) == 0))
			k++;
		if (k == i)
			continue;
		if (!net->has_subnet || !list[k].net.has_subnet) {
			config_error_add(l->errs, list[i].interface_pos,
				"the interface `%s` is used twice (first in line %u): give each network on it a `subnet` of its own",
				net->interface, list[k].interface_pos.line);
			continue;
		}
		net->name = arena_printf(
			l->arena, "%s/%u", ip4_str(net->subnet).s, net->prefix_len);
		l->no_memory = l->no_memory || !net->name;
	}
}

/* A link joins two networks at least, and says what an interface says already. */
static void check_links(struct loading *l, const struct reading *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct network *net = &list[i].net;
		size_t k = 0;

		if (!net->link)
			continue;
		if (net->interface) {
			config_error_add(l->errs, list[i].link_pos,
				"`link` is for networks behind relay agents: those on one interface share its wire already");
			continue;
		}
		while (k < n &&
			(k == i || !list[k].net.link || strcmp(list[k].net.link, net->link) != 0))
			k++;
		if (k == n)
			config_error_add(l->errs, list[i].link_pos,
				"no other network has the link `%.64s`: give it to each network on that wire, or leave it out",
				net->link);
	}
}

/* Subnets or pools that overlap. */
static void check_apart(struct loading *l, const struct reading *list, size_t n)
{
	size_t n_pools = 0, n_subnets = 0, pool_count = 0;
	struct range *subnets = load_scratch(l, sizeof(*subnets) * n), *pools;

	for (size_t i = 0; i < n; i++)
		pool_count += list[i].net.n_pools;
	pools = load_scratch(l, sizeof(*pools) * pool_count);
	if (!subnets || !pools)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct network *net = &list[i].net;

		if (net->has_subnet)
			subnets[n_subnets++] = (struct range){ net->subnet,
				{ net->subnet.v | ~ip4_mask(net->prefix_len) },
				list[i].subnet_pos };
		for (size_t j = 0; j < net->n_pools; j++)
			pools[n_pools++] = (struct range){ net->pools[j].first, net->pools[j].last,
				net->pools[j].pos };
	}
	load_report_overlaps(l, subnets, n_subnets, "subnet");
	load_report_overlaps(l, pools, n_pools, "pool");
}

void load_networks(struct loading *l, const struct yaml *v)
{
	struct network *networks;
	struct reading *list;
	size_t n = 0;

	if (!load_list(l, v, "a list of networks, each like `- interface: br0`"))
		return;
	networks = LOAD_ARRAY(l, struct network, v->n);
	list = load_scratch(l, sizeof(*list) * v->n);
	if (!networks || !list)
		return;
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct reading *r = &list[n];

		*r = (struct reading){ .net = { .conflict_check = true,
					       .authoritative = true,
					       .lease_time_s = CONFIG_LEASE_TIME_DEFAULT_S,
					       .pos = i->pos } };
		if (!load_map(l, i, "a network", network_keys, ARRAY_LEN(network_keys), r))
			continue;
		finish_network(l, r, i);
		n++;
	}
	name_shared(l, list, n);
	check_links(l, list, n);
	check_apart(l, list, n);
	for (size_t i = 0; i < n; i++)
		networks[i] = list[i].net;
	l->cfg->networks = networks;
	l->cfg->n_networks = n;
}
