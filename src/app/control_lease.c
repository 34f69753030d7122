/* Leases by the control socket.
 *
 * All three verbs are a walk over the lease table (core/lease.h) and then over the
 * configuration's reservations, in pieces: a reserved address is told of by the
 * second, so that each is told of once.
 */
#include "app/control_lease.h"

#include "core/lease_view.h"
#include "edge/clock.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE 256u /* leases, or machines, looked at per turn of the loop */

enum key {
	KEY_NONE,
	KEY_ADDRESS,
	KEY_MAC,
	KEY_NAME,
};

struct filter {
	char *network; /* NULL: any */
	bool has_state, all;
	enum lease_view_state state;
	enum key key;
	struct ip4 address;
	struct mac mac;
	char *text; /* the key, as it was given; or NULL */
};

struct lease_answer {
	struct control_answer base;
	struct site *site;
	struct control_conn *conn; /* NULL: went away */
	struct filter filter;
	bool release;
	bool leases_done;
	bool all_done;
	struct lease_walk walk;
	size_t machine; /* of the configuration's: the next one to look at */
	unsigned found;
	unsigned pending; /* releases that wait for the store */
	unsigned failed;  /* that it could not take */
	uid_t uid;        /* who asks */
	struct text out;  /* of this piece */
};

/* A release that waits for its commit. */
struct release {
	struct lease_answer *answer;
	struct lease_record record;
	struct text item;
};

static void answer_free(struct lease_answer *a)
{
	free(a->filter.network);
	free(a->filter.text);
	text_free(&a->out);
	free(a);
}

static bool name_fits(const struct filter *f, const struct lease_view *v)
{
	struct span name = span_str(f->text);

	return span_eq_nocase(v->hostname, name) ||
		(v->machine && span_eq_nocase(span_str(v->machine), name));
}

static bool fits(const struct filter *f, const struct lease_view *v)
{
	if (f->network && (!v->network || strcmp(f->network, v->network) != 0))
		return false;
	if (f->has_state ? v->state != f->state : v->state == LEASE_VIEW_FREE && !f->all)
		return false;
	switch (f->key) {
	case KEY_NONE:
		return true;
	case KEY_ADDRESS:
		return ip4_eq(v->address, f->address);
	case KEY_MAC:
		return v->has_mac && mac_eq(v->mac, f->mac);
	case KEY_NAME:
		return name_fits(f, v);
	}
	return false;
}

static void item_text(const struct lease_view *v, struct text *out)
{
	text_adds(out, "{\"v\": 1, \"lease\": ");
	lease_view_json(v, out);
	text_adds(out, "}\n");
}

static void finish(struct lease_answer *a)
{
	struct control_conn *c = a->conn;

	if (c && a->failed)
		control_say_error(c,
			"%u of %u leases are free now, but the store could not write that: they are back after a restart",
			a->failed, a->found);
	else if (c && a->filter.key != KEY_NONE && a->found == 0)
		control_say_error(c, "%s has no lease here", a->filter.text);
	else if (c)
		control_say_done(c);
	answer_free(a);
}

/* --- release --- */

static void on_released(void *ctx, int result)
{
	struct release *r = ctx;
	struct lease_answer *a = r->answer;
	struct lease_table *t = a->site->leases;

	if (result == 0) {
		lease_stored(t, r->record.address, r->record.state, r->record.expires_s);
		if (a->conn)
			control_write(a->conn, text_span(&r->item));
	} else {
		a->failed++;
	}
	text_free(&r->item);
	free(r);
	if (--a->pending == 0 && a->all_done)
		finish(a);
}

static void tell_release(const struct lease_answer *a, const struct lease_view *v)
{
	struct ip4_text address = ip4_str(v->address);
	struct mac_text mac = mac_str(v->mac);
	const struct log_field fields[] = {
		FIELD_STR("mac", v->has_mac ? mac.s : NULL),
		FIELD_STR("machine", v->machine),
		FIELD_STR("network", v->network),
		FIELD_STR("address", address.s),
		FIELD_NUMBER("uid", a->uid),
	};

	log_event(a->site->log, LOG_INFO, "control", fields, ARRAY_LEN(fields),
		"%s%s%s: released by the control socket, for user %u", v->has_mac ? mac.s : "",
		v->has_mac ? " " : "", address.s, (unsigned)a->uid);
}

static void release_lease(struct lease_answer *a, struct lease *l, const struct lease_view *v)
{
	struct release *r = calloc(1, sizeof(*r));

	a->found++;
	if (!r) {
		a->failed++;
		return;
	}
	r->answer = a;
	tell_release(a, v);
	item_text(v, &r->item);
	lease_release(a->site->leases, l, clock_lease_s());
	lease_to_record(l, &r->record);
	a->pending++;
	if (store_commit(a->site->store, &r->record, on_released, r) < 0)
		on_released(r, -EBUSY);
}

/* --- the walk --- */

static void take(struct lease_answer *a, struct lease *l, const struct lease_view *v)
{
	if (!fits(&a->filter, v))
		return;
	if (a->release) {
		if (l)
			release_lease(a, l, v);
		return;
	}
	a->found++;
	item_text(v, &a->out);
}

static void take_lease(struct lease_answer *a, struct lease *l)
{
	struct lease_view v;

	lease_view_of_lease(l, a->site->cfg, clock_lease_s(), &v);
	take(a, l, &v);
}

/* The network that serves an address now, if it is reserved in it. */
static const struct machine *reserved_for(
	const struct lease_answer *a, struct ip4 address, const struct served **ret_net)
{
	*ret_net = served_by_address(a->site->nets, address);
	return *ret_net ? served_reserved_for(*ret_net, address) : NULL;
}

static void on_lease(void *ctx, struct lease *l)
{
	struct lease_answer *a = ctx;
	const struct served *net;

	if (!reserved_for(a, l->address, &net))
		take_lease(a, l);
}

static void take_reservation(struct lease_answer *a, const struct machine *m)
{
	const struct served *net;
	bool is_served = reserved_for(a, m->address, &net) == m;
	struct lease *l = lease_find_address(a->site->leases, m->address);
	struct lease_view v;

	if (l)
		lease_view_of_lease(l, a->site->cfg, clock_lease_s(), &v);
	if (l && v.state != LEASE_VIEW_FREE) {
		if (is_served)
			take(a, l, &v);
		return; /* else it was seen among the leases */
	}
	lease_view_of_reservation(m, net, &v);
	take(a, NULL, &v);
}

/* The configuration may be another one than at the last piece. */
static bool take_reservations(struct lease_answer *a)
{
	const struct config *cfg = a->site->cfg;

	for (unsigned i = 0; i < PIECE && a->machine < cfg->n_machines; i++, a->machine++)
		if (cfg->machines[a->machine].address.v)
			take_reservation(a, &cfg->machines[a->machine]);
	return a->machine < cfg->n_machines;
}

static void piece(struct lease_answer *a)
{
	struct lease *l;

	if (!a->leases_done && a->filter.key == KEY_ADDRESS) {
		l = lease_find_address(a->site->leases, a->filter.address);
		if (l)
			on_lease(a, l);
		a->leases_done = true;
	} else if (!a->leases_done) {
		a->leases_done = !lease_walk_step(a->site->leases, &a->walk, PIECE, on_lease, a);
	} else {
		a->all_done = !take_reservations(a);
	}
}

static void on_more(struct control_answer *base, struct control_conn *c)
{
	struct lease_answer *a = (struct lease_answer *)base;

	a->pending++; /* no commit that fails at once ends it under us */
	piece(a);
	control_write(c, text_span(&a->out));
	text_reset(&a->out);
	if (a->all_done)
		control_stop_pulling(c);
	if (--a->pending == 0 && a->all_done)
		finish(a);
}

static void on_gone(struct control_answer *base)
{
	struct lease_answer *a = (struct lease_answer *)base;

	a->conn = NULL;
	a->all_done = true; /* what is not released yet stays */
	if (a->pending == 0)
		answer_free(a);
}

static void begin(struct lease_answer *a, struct site *site, struct control_conn *c)
{
	a->base = (struct control_answer){ .more = on_more, .gone = on_gone };
	a->site = site;
	a->conn = c;
	a->uid = control_uid(c);
	control_begin(c, a, true);
}

/* --- requests --- */

static bool knows_network(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_networks; i++)
		if (strcmp(cfg->networks[i].name, name) == 0)
			return true;
	return false;
}

static void take_key(struct filter *f, const char *key)
{
	struct span s = span_str(key);

	if (ip4_parse(s, &f->address) == 0)
		f->key = KEY_ADDRESS;
	else if (mac_parse(s, &f->mac) == 0)
		f->key = KEY_MAC;
	else
		f->key = KEY_NAME;
}

static struct lease_answer *answer_new(struct control_conn *c)
{
	struct lease_answer *a = calloc(1, sizeof(*a));

	if (!a)
		control_say_error(c, "the daemon is out of memory");
	return a;
}

/* An answer about what "key" names; NULL: refused. */
static struct lease_answer *answer_for_key(
	struct control_conn *c, const json_t *request, const char *wanted)
{
	bool ok;
	const char *key = control_text(request, "key", &ok);
	struct lease_answer *a;

	if (!key || !*key) {
		control_say_error(c, "\"key\" is missing: %s", wanted);
		return NULL;
	}
	a = answer_new(c);
	if (!a)
		return NULL;
	a->filter.text = strdup(key);
	if (!a->filter.text) {
		answer_free(a);
		control_say_error(c, "the daemon is out of memory");
		return NULL;
	}
	take_key(&a->filter, key);
	return a;
}

void control_lease_list(struct site *site, struct control_conn *c, const json_t *request)
{
	bool network_ok, state_ok;
	const char *network = control_text(request, "network", &network_ok);
	const char *state = control_text(request, "state", &state_ok);
	struct filter f = { .all = json_is_true(json_object_get(request, "all")),
		.has_state = state != NULL };
	struct lease_answer *a;

	if (!network_ok || !state_ok) {
		control_say_error(c, "\"network\" and \"state\" are texts");
		return;
	}
	if (network && !knows_network(site->cfg, network)) {
		control_say_error(c, "no network is called \"%.64s\" here", network);
		return;
	}
	if (state && lease_view_state_parse(span_str(state), &f.state) < 0) {
		control_say_error(c,
			"\"%.64s\" is no state: it is offered, bound, declined, reserved or free",
			state);
		return;
	}
	a = answer_new(c);
	if (!a)
		return;
	a->filter = f;
	if (network) {
		a->filter.network = strdup(network);
		if (!a->filter.network) {
			answer_free(a);
			control_say_error(c, "the daemon is out of memory");
			return;
		}
	}
	begin(a, site, c);
}

void control_lease_show(struct site *site, struct control_conn *c, const json_t *request)
{
	struct lease_answer *a = answer_for_key(
		c, request, "an address, a MAC, a hostname or a machine's name");

	if (!a)
		return;
	a->filter.all = true;
	begin(a, site, c);
}

void control_lease_release(struct site *site, struct control_conn *c, const json_t *request)
{
	struct lease_answer *a = answer_for_key(c, request, "an address or a MAC");

	if (!a)
		return;
	if (a->filter.key == KEY_NAME) {
		control_say_error(c, "\"%.64s\" is neither an address nor a MAC", a->filter.text);
		answer_free(a);
		return;
	}
	if (store_is_failing(site->store)) {
		control_say_error(c,
			"the lease store cannot write, so nothing is released; the daemon's log says why");
		answer_free(a);
		return;
	}
	a->release = true;
	begin(a, site, c);
}
