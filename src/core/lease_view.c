/* Leases told.  RFC 3339 for times, in UTC; RFC 8259 for the object. */
#include "core/lease_view.h"

#include "base/escape.h"
#include "wire/http_date.h"

#include <errno.h>

static const char *const state_names[] = {
	[LEASE_VIEW_FREE] = "free",
	[LEASE_VIEW_OFFERED] = "offered",
	[LEASE_VIEW_BOUND] = "bound",
	[LEASE_VIEW_DECLINED] = "declined",
	[LEASE_VIEW_RESERVED] = "reserved",
};

const char *lease_view_state_name(enum lease_view_state s)
{
	return state_names[s];
}

int lease_view_state_parse(struct span s, enum lease_view_state *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
		if (span_eq(s, span_str(state_names[i]))) {
			*ret = (enum lease_view_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

static enum lease_view_state state_of(const struct lease *l, int64_t now_s)
{
	static const enum lease_view_state states[] = {
		[LEASE_FREE] = LEASE_VIEW_FREE,
		[LEASE_OFFERED] = LEASE_VIEW_OFFERED,
		[LEASE_BOUND] = LEASE_VIEW_BOUND,
		[LEASE_DECLINED] = LEASE_VIEW_DECLINED,
	};

	return l->expires_s <= now_s ? LEASE_VIEW_FREE : states[l->state];
}

void lease_view_of_lease(
	const struct lease *l, const struct config *cfg, int64_t now_s, struct lease_view *ret)
{
	const struct machine *m;
	struct lease_record r;

	lease_to_record(l, &r);
	*ret = (struct lease_view){
		.address = r.address,
		.client_id = r.client_id,
		.network = r.network,
		.state = state_of(l, now_s),
		.expires_s = r.expires_s,
		.hostname = r.hostname,
	};
	ret->has_mac = lease_mac(l, &ret->mac);
	m = ret->has_mac ? config_find_machine(cfg, &ret->mac, NULL) : NULL;
	ret->machine = m ? m->name : NULL;
}

void lease_view_of_reservation(
	const struct machine *m, const struct served *s, struct lease_view *ret)
{
	*ret = (struct lease_view){
		.address = m->address,
		.has_mac = m->has_mac,
		.mac = m->mac,
		.network = s ? s->cfg->name : NULL,
		.state = LEASE_VIEW_RESERVED,
		.machine = m->name,
	};
}

static void add_text(const char *key, struct span s, struct text *out)
{
	text_addf(out, ", \"%s\": ", key);
	if (s.n == 0) {
		text_adds(out, "null");
		return;
	}
	text_addc(out, '"');
	escape_json(out, s);
	text_addc(out, '"');
}

static void add_hex(const char *key, struct span s, struct text *out)
{
	text_addf(out, ", \"%s\": ", key);
	if (s.n == 0)
		text_adds(out, "null");
	for (size_t i = 0; i < s.n; i++)
		text_addf(out, "%s%02x", i ? ":" : "\"", s.p[i]);
	if (s.n)
		text_addc(out, '"');
}

void lease_view_json(const struct lease_view *v, struct text *out)
{
	text_addf(out, "{\"address\": \"%s\"", ip4_str(v->address).s);
	add_text("mac", v->has_mac ? span_str(mac_str(v->mac).s) : SPAN_NONE, out);
	add_hex("client_id", v->client_id, out);
	add_text("network", span_str(v->network), out);
	add_text("state", span_str(state_names[v->state]), out);
	add_text("expires",
		v->expires_s > 0 ? span_str(http_date_str_rfc3339(v->expires_s).s) : SPAN_NONE,
		out);
	add_text("hostname", v->hostname, out);
	add_text("machine", span_str(v->machine), out);
	text_addc(out, '}');
}
