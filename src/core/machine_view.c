/* Machines told.  RFC 3339 for times, in UTC; RFC 8259 for the object. */
#include "core/machine_view.h"

#include "base/escape.h"
#include "wire/http_date.h"

static void add(const char *key, struct span s, struct text *out)
{
	text_addf(out, "%s\"%s\": ", out->n && out->p[out->n - 1] == '{' ? "" : ", ", key);
	if (s.n == 0) {
		text_adds(out, "null");
		return;
	}
	text_addc(out, '"');
	escape_json(out, s);
	text_addc(out, '"');
}

static void add_text(const char *key, const char *value, struct text *out)
{
	add(key, span_str(value), out);
}

static void add_time(const char *key, int64_t unix_s, struct text *out)
{
	add_text(key, unix_s > 0 ? http_date_str_rfc3339(unix_s).s : NULL, out);
}

/* What it would boot if it came now, as it came the last time. */
static void add_decision(const struct config *cfg, const struct facts *f, struct text *out)
{
	char rule[RULE_TEXT_MAX];
	struct answer a;

	boot_decide(cfg, f, &a);
	answer_rule_text(&a, rule);
	add_text("profile", a.profile ? a.profile->name : NULL, out);
	add_text("rule", rule, out);
}

void machine_view_json(const struct config *cfg, const struct machine *m,
	const struct machine_state *s, struct text *out)
{
	static const struct machine_state never_seen;
	bool has_mac = s || m->has_mac;
	struct facts f;

	if (!s)
		s = &never_seen;
	machine_state_facts(s, &f);
	if (s == &never_seen && m) {
		f.has_mac = m->has_mac;
		f.mac = m->mac;
		f.has_uuid = m->has_uuid;
		f.uuid = m->uuid;
	}
	text_addc(out, '{');
	add_text("name", m ? m->name : NULL, out);
	add_text("mac", has_mac ? mac_str(f.mac).s : NULL, out);
	add_text("state", machine_phase_name(s->phase), out);
	add_text("boot_once", s->boot_once, out);
	add_decision(cfg, &f, out);
	text_addf(out, ", \"known\": %s", m ? "true" : "false");
	add_time("first_seen", s->first_seen_s, out);
	add_time("last_seen", s->last_seen_s, out);
	add_text("given", s->given, out);
	add_time("given_at", s->given_s, out);
	add_text("client", s->has_client ? client_name(s->client) : NULL, out);
	add_text("arch", f.has_arch ? facts_arch_name(&f) : NULL, out);
	add_text("uuid", f.has_uuid ? uuid_str(f.uuid).s : NULL, out);
	add_text("address", s->address.v ? ip4_str(s->address).s : NULL, out);
	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++)
		add(machine_said_name(i), machine_state_said(s, i), out);
	text_addc(out, '}');
}
