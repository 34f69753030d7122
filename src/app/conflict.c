/* Probes for addresses: sent, waited for, heard. */
#include "app/conflict.h"

#include "app/ports.h"
#include "edge/arp_socket.h"
#include "edge/clock.h"
#include "edge/icmp_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES_MAX 3u /* addresses in use, one after the other, before the client has to ask again */
#define TURN_MAX  64 /* packets heard or fed in one turn of the loop, so that others get theirs */
#define LINES_MAX 10u /* about conflicts, a second */
#define HANDLES   3u  /* timer, ICMP, the ports as a whole */

struct conflict {
	struct site *site;
	conflict_feed feed;
	void *ctx;
	struct probing *probing;
	const struct config *cfg; /* of the last update */
	struct ports arp;
	uint64_t cookie;
	int icmp_fd;
	uv_poll_t icmp;
	uv_timer_t timer;
	unsigned open_handles;
	int64_t second_ms; /* when LINES_MAX began to count */
	unsigned lines;
};

/* Counted, and told at most once a second. */
static void say_dropped(struct conflict *c, enum drop why, const struct held *h)
{
	const struct ip4_text address = ip4_str(h->address);
	const struct mac_text mac = mac_str(h->client);
	unsigned long hidden;

	if (!log_drop_due(c->site->log, why, &hidden))
		return;

	const struct log_field fields[] = {
		FIELD_STR("drop", drop_id(why)),
		FIELD_STR("mac", mac.s),
		FIELD_STR("address", address.s),
		FIELD_SOME("hidden", hidden),
	};

	log_event(c->site->log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields), "%s: %s, %s: %s",
		mac.s, address.s, drop_id(why), drop_sentence(why));
}

/* who: NULL when ICMP does not tell. */
static void say_conflict(struct conflict *c, const struct held *h, const struct mac *who)
{
	const struct served *net = served_by_address(c->site->nets, h->address);
	const struct ip4_text address = ip4_str(h->address);
	const struct mac_text user = mac_str(who ? *who : (struct mac){ 0 }),
			      client = mac_str(h->client);
	int64_t now_ms = clock_mono_ms();

	if (now_ms - c->second_ms >= 1000) {
		c->second_ms = now_ms;
		c->lines = 0;
	}
	if (c->lines++ >= LINES_MAX)
		return;

	const struct log_field fields[] = {
		FIELD_STR("address", address.s),
		FIELD_STR("used_by", who ? user.s : NULL),
		FIELD_STR("network", net ? net->cfg->name : NULL),
		FIELD_STR("mac", client.s),
	};

	log_event(c->site->log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields),
		"%s is in use already by %s: set aside for %d minutes; %s gets another", address.s,
		who ? user.s : "a machine that answers ping", LEASE_DECLINED_S / 60, client.s);
}

static void say_proxy(struct conflict *c, const struct held *h, struct mac who)
{
	const struct served *net = served_by_address(c->site->nets, h->address);

	log_say(c->site->log, LOG_WARNING, "net",
		"%s: %s answers ARP for one address after the other: a router that does proxy ARP; addresses are offered there without asking until the next reload (`conflict_check: off` says the same)",
		net ? net->cfg->name : "?", mac_str(who).s);
}

static void on_timer(uv_timer_t *t);

/* For the oldest question; all others come after it. */
static void arm_timer(struct conflict *c)
{
	const struct held *h = probing_first(c->probing);
	int64_t left_ms;

	if (!h || uv_is_active((uv_handle_t *)&c->timer))
		return;
	left_ms = h->due_ms - clock_mono_ms();
	/* Never 0: the timer would run again before anything else. */
	(void)uv_timer_start(&c->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 1, 0);
}

/* Nobody but the client itself uses it. */
static void on_unused(struct conflict *c, struct held *h)
{
	struct lease *l = lease_find_address(c->site->leases, h->address);

	if (l)
		l->unchecked = false;
	probing_take(c->probing, h);
	c->feed(c->ctx, h);
	probing_held_free(h);
}

static void on_declined(void *ctx, int result)
{
	if (result < 0)
		log_say(ctx, LOG_WARNING, "dhcp",
			"an address that is in use could not be stored as such (%s): a restart forgets it",
			strerror(-result));
}

/* False: somebody has requested it meanwhile, and uses it by right. */
static bool decline(struct conflict *c, const struct held *h, const struct mac *who)
{
	struct lease *l = lease_find_address(c->site->leases, h->address);
	struct lease_record record;
	int r;

	if (!l || l->state != LEASE_OFFERED)
		return false;
	lease_decline(c->site->leases, l, clock_lease_s());
	lease_to_record(l, &record);
	say_conflict(c, h, who);
	r = store_commit(c->site->store, &record, on_declined, c->site->log);
	if (r < 0)
		on_declined(c->site->log, r);
	return true;
}

static void on_used(struct conflict *c, struct held *h, const struct mac *who)
{
	if (decline(c, h, who) && who &&
		probing_answered(c->probing, h->ifindex, *who, clock_mono_ms()))
		say_proxy(c, h, *who);
	probing_take(c->probing, h);
	h->tries++;
	c->feed(c->ctx, h);
	probing_held_free(h);
}

static void on_timer(uv_timer_t *t)
{
	struct conflict *c = t->data;
	int64_t now_ms = clock_mono_ms();
	struct held *h;

	for (int i = 0; i < TURN_MAX; i++) {
		h = probing_first(c->probing);
		if (!h || h->due_ms > now_ms)
			break;
		on_unused(c, h);
	}
	arm_timer(c);
}

static bool is_our_mac(const struct conflict *c, struct mac m)
{
	const struct served_set *nets = c->site->nets;

	for (size_t i = 0; i < nets->n; i++)
		if (nets->list[i].ifindex && mac_eq(nets->list[i].mac, m))
			return true;
	return false;
}

/* Whoever names an address as its sender's uses it, whatever it says and to whom.
 * A probe names none: it comes from somebody who does not use the address yet,
 * often another server that asks like us, and two that count each other's
 * questions would set aside one address after the other. */
static void on_arp(struct conflict *c, const struct arp *a, unsigned ifindex)
{
	struct held *h = a->sender.v ? probing_find(c->probing, a->sender) : NULL;

	/* A bridge or another interface of ours may bring back our own frames. */
	if (!h || h->ifindex != ifindex || is_our_mac(c, a->sender_mac))
		return;
	if (mac_eq(a->sender_mac, h->client))
		on_unused(c, h); /* its address of before, which it still has */
	else
		on_used(c, h, &a->sender_mac);
}

static void on_arp_readable(void *ctx, int fd)
{
	struct arp a;
	unsigned ifindex;

	for (int i = 0; i < TURN_MAX; i++) {
		int r = arp_socket_recv(fd, &a, &ifindex);

		if (r == 0)
			on_arp(ctx, &a, ifindex);
		else if (r != -EBADMSG)
			return;
	}
}

static void on_icmp_readable(uv_poll_t *p, int status, int events)
{
	struct conflict *c = p->data;
	struct held *h;
	struct ip4 source;

	(void)events;
	/* libuv watches it no more after an error, which reading takes away. */
	if (status < 0)
		(void)uv_poll_start(&c->icmp, UV_READABLE, on_icmp_readable);
	for (int i = 0; i < TURN_MAX; i++) {
		int r = icmp_socket_recv(c->icmp_fd, c->cookie, &source);

		h = r == 0 ? probing_find(c->probing, source) : NULL;
		if (h && h->ifindex == 0)
			on_used(c, h, NULL);
		else if (r == -EAGAIN)
			return;
	}
}

static int ask(struct conflict *c, const struct served *net, struct ip4 address)
{
	struct arp probe = arp_probe(net->mac, address);
	int fd;

	if (net->ifindex == 0)
		return icmp_socket_send(c->icmp_fd, address, c->cookie);
	fd = ports_find(&c->arp, net->ifindex);
	return fd < 0 ? -ENETDOWN : arp_socket_send(fd, net->ifindex, &probe);
}

bool conflict_hold(struct conflict *c, const struct dhcp4_plan *plan, const struct dhcp4_rx *rx,
	struct span packet, unsigned tries)
{
	const struct held h = { .address = plan->lease->address,
		.ifindex = plan->net->ifindex,
		.client = plan->facts.mac,
		.tries = tries,
		.rx = *rx,
		.packet = packet };
	bool asked;
	int r;

	if (h.ifindex && probing_is_useless(c->probing, h.ifindex))
		return false;
	if (tries >= TRIES_MAX) {
		say_dropped(c, DROP_ADDRESSES_IN_USE, &h);
		return true;
	}
	r = probing_hold(c->probing, &h, clock_mono_ms(), &asked);
	if (r < 0) {
		say_dropped(c, DROP_PROBES_FULL, &h);
		return false;
	}
	if (!asked && ask(c, plan->net, h.address) < 0) {
		struct held *mine = probing_find(c->probing, h.address);

		probing_take(c->probing, mine);
		probing_held_free(mine);
		say_dropped(c, DROP_PROBE_UNSENT, &h);
		return false;
	}
	arm_timer(c);
	return true;
}

static bool wants_arp(const struct network *net)
{
	return net->dhcp == DHCP_SERVER && net->conflict_check;
}

static int open_arp(void *ctx, const char *name, unsigned ifindex, bool beside, int *ret_fd)
{
	(void)ctx;
	(void)name;
	(void)beside;
	return arp_socket_open(ifindex, ret_fd);
}

static void conflict_free(struct conflict *c)
{
	close(c->icmp_fd);
	probing_free(c->probing);
	free(c);
}

static void closed_one(struct conflict *c)
{
	if (--c->open_handles == 0)
		conflict_free(c);
}

static void on_ports_closed(void *ctx)
{
	closed_one(ctx);
}

static void on_handle_closed(uv_handle_t *h)
{
	closed_one(h->data);
}

int conflict_new(
	uv_loop_t *loop, struct site *site, conflict_feed feed, void *ctx, struct conflict **ret)
{
	struct conflict *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct conflict){
		.site = site, .feed = feed, .ctx = ctx, .icmp_fd = -1, .open_handles = HANDLES
	};
	c->arp = (struct ports){ .loop = loop,
		.ctx = c,
		.open = open_arp,
		.readable = on_arp_readable,
		.closed = on_ports_closed,
		.wants = wants_arp };
	r = icmp_socket_open(&c->icmp_fd, &c->cookie);
	if (r == 0)
		r = probing_new(&c->probing);
	if (r == 0)
		r = uv_poll_init(loop, &c->icmp, c->icmp_fd);
	if (r < 0) {
		conflict_free(c);
		return r;
	}
	(void)uv_timer_init(loop, &c->timer);
	c->icmp.data = c->timer.data = c;
	(void)uv_poll_start(&c->icmp, UV_READABLE, on_icmp_readable);
	*ret = c;
	return 0;
}

void conflict_update(struct conflict *c)
{
	/* An interface without a socket is not asked on, which is said when it should be. */
	(void)ports_update(&c->arp, c->site->nets, false);
	if (c->cfg != c->site->cfg)
		probing_forget_wires(c->probing);
	c->cfg = c->site->cfg;
}

void conflict_close(struct conflict *c)
{
	if (!c)
		return;
	uv_close((uv_handle_t *)&c->icmp, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
	ports_close(&c->arp);
}
