/* Machines by the control socket.
 *
 * A list is the configuration's machines and then, of those that were heard of, the
 * ones that it does not know; in pieces, since both may be many.
 */
#include "app/control_machine.h"

#include "app/machines.h"
#include "base/suggestion.h"
#include "core/machine_view.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE 64u /* machines told per turn of the loop */

static void item_text(const struct site *site, const struct machine *m,
	const struct machine_state *s, struct text *out)
{
	text_adds(out, "{\"v\": 1, \"machine\": ");
	machine_view_json(site->cfg, m, s, out);
	text_adds(out, "}\n");
}

static const struct machine *machine_of(const struct site *site, const struct machine_state *s)
{
	return config_find_machine(site->cfg, &s->mac, s->has_uuid ? &s->uuid : NULL);
}

static const struct machine_state *state_of(const struct site *site, const struct machine *m)
{
	if (m->has_mac)
		return machine_table_find(site->machines, m->mac);
	return m->has_uuid ? machine_table_find_uuid(site->machines, m->uuid) : NULL;
}

/* --- list --- */

struct list_answer {
	struct control_answer base;
	struct site *site;
	bool has_state, unknown;
	enum machine_phase state;
	size_t machine;   /* of the configuration's: the next one to tell */
	struct mac *macs; /* of those that were heard of, when it began */
	size_t n_macs, mac;
	struct text out; /* of this piece */
};

static void list_free(struct list_answer *a)
{
	free(a->macs);
	text_free(&a->out);
	free(a);
}

static void tell(struct list_answer *a, const struct machine *m, const struct machine_state *s)
{
	enum machine_phase state = s ? s->phase : MACHINE_NEW;

	if ((!a->has_state || a->state == state) && !(a->unknown && m))
		item_text(a->site, m, s, &a->out);
}

/* The configuration may be another one than at the last piece. */
static bool tell_known(struct list_answer *a)
{
	const struct config *cfg = a->site->cfg;

	for (unsigned i = 0; i < PIECE && a->machine < cfg->n_machines; i++, a->machine++)
		tell(a, &cfg->machines[a->machine], state_of(a->site, &cfg->machines[a->machine]));
	return a->machine < cfg->n_machines;
}

static bool tell_unknown(struct list_answer *a)
{
	for (unsigned i = 0; i < PIECE && a->mac < a->n_macs; i++, a->mac++) {
		const struct machine_state *s = machine_table_find(
			a->site->machines, a->macs[a->mac]);

		if (s && !machine_of(a->site, s))
			tell(a, NULL, s);
	}
	return a->mac < a->n_macs;
}

static void on_more(struct control_answer *base, struct control_conn *c)
{
	struct list_answer *a = (struct list_answer *)base;
	bool more = tell_known(a) || tell_unknown(a);

	control_write(c, text_span(&a->out));
	text_reset(&a->out);
	if (more)
		return;
	list_free(a);
	control_say_done(c);
}

static void on_gone(struct control_answer *base)
{
	list_free((struct list_answer *)base);
}

void control_machine_list(struct site *site, struct control_conn *c, const json_t *request)
{
	bool ok;
	const char *state = control_text(request, "state", &ok);
	struct list_answer *a;
	enum machine_phase phase = MACHINE_NEW;

	if (!ok || (state && machine_phase_parse(span_str(state), &phase) < 0)) {
		control_say_error(c,
			"\"%.64s\" is no state: it is new, installing, installed, hold or local",
			state ? state : "");
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a || machine_table_macs(site->machines, &a->macs, &a->n_macs) < 0) {
		free(a);
		control_say_error(c, "the daemon is out of memory");
		return;
	}
	a->base = (struct control_answer){ .more = on_more, .gone = on_gone };
	a->site = site;
	a->has_state = state != NULL;
	a->state = phase;
	a->unknown = json_is_true(json_object_get(request, "unknown"));
	control_begin(c, a, true);
}

/* --- whom a request means --- */

struct target {
	const struct machine *machine;     /* of the configuration, or NULL */
	const struct machine_state *state; /* or NULL */
	bool has_mac;
	struct mac mac;
};

static void say_no_such_machine(const struct site *site, struct control_conn *c, const char *name)
{
	struct suggestion near = { .given = span_str(name) };

	for (size_t i = 0; i < site->cfg->n_machines; i++)
		suggestion_offer(&near, site->cfg->machines[i].name);
	if (near.best)
		control_say_error(
			c, "no machine is called \"%.64s\": did you mean \"%s\"?", name, near.best);
	else
		control_say_error(c,
			"no machine is called \"%.64s\": say a name of the configuration, or a MAC",
			name);
}

/* By its name or MAC; false: refused. */
static bool find_target(
	struct site *site, struct control_conn *c, const json_t *request, struct target *ret)
{
	bool ok;
	const char *key = control_text(request, "key", &ok);
	struct facts f;

	*ret = (struct target){ 0 };
	if (!key || !*key) {
		control_say_error(c, "\"key\" is missing: a machine's name or its MAC");
		return false;
	}
	ret->machine = config_find_machine_named(site->cfg, span_str(key));
	if (ret->machine) {
		ret->state = state_of(site, ret->machine);
		ret->has_mac = ret->machine->has_mac || ret->state;
		ret->mac = ret->machine->has_mac ? ret->machine->mac
			: ret->state             ? ret->state->mac
						 : ret->mac;
		return true;
	}
	if (mac_parse(span_str(key), &ret->mac) < 0) {
		say_no_such_machine(site, c, key);
		return false;
	}
	(void)site_facts_of_mac(site, ret->mac, (struct ip4){ 0 }, &f);
	ret->has_mac = true;
	ret->mac = site_state_key(site, &f);
	ret->state = machine_table_find(site->machines, ret->mac);
	ret->machine = ret->state ? machine_of(site, ret->state)
				  : config_find_machine(site->cfg, &ret->mac, NULL);
	return true;
}

void control_machine_show(struct site *site, struct control_conn *c, const json_t *request)
{
	struct target t;
	struct text item = { 0 };

	if (!find_target(site, c, request, &t))
		return;
	if (!t.machine && !t.state) {
		control_say_error(c, "%s was not heard of here", mac_str(t.mac).s);
		return;
	}
	item_text(site, t.machine, t.state, &item);
	control_write(c, text_span(&item));
	text_free(&item);
	control_say_done(c);
}

/* --- orders --- */

struct order_answer {
	struct control_answer base;
	struct site *site;
	struct control_conn *conn; /* NULL: went away */
	struct mac mac;
};

static void on_order_more(struct control_answer *base, struct control_conn *c)
{
	(void)base;
	(void)c;
}

static void on_order_gone(struct control_answer *base)
{
	((struct order_answer *)base)->conn = NULL;
}

static void tell_ordered(const struct order_answer *a)
{
	const struct machine_state *s = machine_table_find(a->site->machines, a->mac);
	struct text item = { 0 };

	if (s)
		item_text(a->site, machine_of(a->site, s), s, &item);
	control_write(a->conn, text_span(&item));
	text_free(&item);
	control_say_done(a->conn);
}

static void on_ordered(void *ctx, int result)
{
	struct order_answer *a = ctx;

	if (a->conn && result == 0)
		tell_ordered(a);
	else if (a->conn && result == -ENOSPC)
		control_say_error(a->conn,
			"%s: there are as many unknown machines as there is room for: put it under `machines:` of the configuration",
			mac_str(a->mac).s);
	else if (a->conn)
		control_say_error(a->conn,
			"the store could not write it, so nothing has changed; the daemon's log says why");
	free(a);
}

static void order(struct site *site, struct control_conn *c, const json_t *request,
	enum machine_event event, const char *profile)
{
	struct order_answer *a;
	struct target t;

	if (!find_target(site, c, request, &t))
		return;
	if (!t.has_mac) {
		control_say_error(c,
			"%s has no MAC in the configuration and was not heard of yet: say its MAC",
			t.machine->name);
		return;
	}
	if (t.mac.b[0] & 1) {
		control_say_error(
			c, "%s is the address of a group, not of a machine", mac_str(t.mac).s);
		return;
	}
	if (store_is_failing(site->store)) {
		control_say_error(c,
			"the store cannot write, so nothing is changed; the daemon's log says why");
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		control_say_error(c, "the daemon is out of memory");
		return;
	}
	*a = (struct order_answer){ .base = { .more = on_order_more, .gone = on_order_gone },
		.site = site,
		.conn = c,
		.mac = t.mac };
	control_begin(c, a, false);
	machines_order(site, t.mac, event, profile, control_uid(c), on_ordered, a);
}

static void say_no_such_profile(const struct site *site, struct control_conn *c, const char *name)
{
	struct suggestion near = { .given = span_str(name) };

	for (size_t i = 0; i < site->cfg->n_profiles; i++)
		suggestion_offer(&near, site->cfg->profiles[i].name);
	if (near.best)
		control_say_error(
			c, "no profile is called \"%.64s\": did you mean \"%s\"?", name, near.best);
	else
		control_say_error(
			c, "no profile is called \"%.64s\" in the daemon's configuration", name);
}

void control_machine_boot(struct site *site, struct control_conn *c, const json_t *request)
{
	bool ok;
	const char *name = control_text(request, "profile", &ok);
	const struct profile *p = name ? config_find_profile(site->cfg, span_str(name)) : NULL;

	if (!name || !*name)
		control_say_error(c, "\"profile\" is missing: what it is to boot once");
	else if (!p)
		say_no_such_profile(site, c, name);
	else if (p->kind == PROFILE_LOCAL)
		control_say_error(c,
			"the profile %s boots the machine's own disk, of which nobody sees when it is done: say `bootsmith machine local`",
			p->name);
	else
		order(site, c, request, MACHINE_ORDER_BOOT, p->name);
}

void control_machine_hold(struct site *site, struct control_conn *c, const json_t *request)
{
	order(site, c, request, MACHINE_ORDER_HOLD, NULL);
}

void control_machine_local(struct site *site, struct control_conn *c, const json_t *request)
{
	order(site, c, request, MACHINE_ORDER_LOCAL, NULL);
}

void control_machine_reset(struct site *site, struct control_conn *c, const json_t *request)
{
	order(site, c, request, MACHINE_ORDER_RESET, NULL);
}
