/* Sentences about DHCPv4. */
#include "app/dhcp4_line.h"

#include "base/escape.h"

static void say_boot(const struct dhcp4_plan *p, struct text *out)
{
	char rule[RULE_TEXT_MAX];

	if (p->facts.client == CLIENT_DHCP)
		return;
	if (p->bootfile.n) {
		text_adds(out, ", boot ");
		escape_log(out, p->bootfile, 256);
		if (p->answer.transport == TRANSPORT_TFTP)
			text_adds(out, " by TFTP");
		if (p->form.quirk && p->form.form != p->form.quirk->order[p->form.mode].list[0])
			text_addf(out, " (form %s)", form_name(p->form.form));
	} else {
		text_adds(out, ", nothing to boot");
	}
	text_adds(out, ": ");
	text_adds(out, p->answer.why);
	if (p->answer.profile) {
		answer_rule_text(&p->answer, rule);
		text_adds(out, " [profile ");
		text_adds(out, p->answer.profile->name);
		text_adds(out, " by ");
		text_adds(out, rule);
		text_addc(out, ']');
	}
}

static void say_reply(const struct dhcp4_plan *p, struct text *out)
{
	text_adds(out, " -> ");
	text_adds(out, dhcp4_type_name(p->reply_type));
	if (p->reply_type == DHCP4_NAK) {
		text_adds(out, ": ");
		text_adds(out, p->note);
		return;
	}
	if (p->out.yiaddr.v) {
		text_addc(out, ' ');
		text_adds(out, ip4_str(p->out.yiaddr).s);
	}
	text_adds(out, p->dest == DHCP4_TO_SOURCE ? " on port 4011 of " : " on ");
	text_adds(out, p->net->cfg->name);
	if (p->net->cfg->dhcp == DHCP_PROXY)
		text_adds(out, " as proxy");
	if (p->out.giaddr.v)
		text_addf(out, " by relay %s", ip4_str(p->out.giaddr).s);
	say_boot(p, out);
}

static void say(struct site *site, const struct dhcp4_msg *msg, const struct dhcp4_plan *p,
	unsigned long hidden, struct text *out)
{
	site_machine_text(site, &p->facts, msg->ciaddr, out);
	text_addc(out, ' ');
	text_adds(out, facts_kind_text(&p->facts));
	text_adds(out, ": ");
	text_adds(out, dhcp4_type_name(msg->type));
	if (p->drop != DROP_NONE)
		text_addf(out, " dropped, %s: %s", drop_id(p->drop), drop_sentence(p->drop));
	if (p->drop == DROP_NOTHING_TO_BOOT)
		text_addf(out, ": %s", p->answer.why);
	else if (p->drop == DROP_NONE && p->reply_type)
		say_reply(p, out);
	else if (p->drop == DROP_NONE && p->lease)
		text_addf(out, " %s: %s", ip4_str(p->lease->address).s, p->note);
	if (hidden)
		text_addf(out, " (and %lu more like this in the last second)", hidden);
}

static enum log_level level_of(const struct dhcp4_plan *p)
{
	/* Another server's client is everyday life; the rest of the drops is not. */
	switch (p->drop) {
	case DROP_NONE:
	case DROP_NOTHING_TO_BOOT:
		return p->answer.missing_loader ? LOG_WARNING : LOG_INFO;
	case DROP_OTHER_SERVER:
	case DROP_NOT_NETBOOT:
	case DROP_NOT_FOR_PROXY:
		return LOG_INFO;
	default:
		return LOG_WARNING;
	}
}

void dhcp4_line_of_plan(struct site *site, const struct dhcp4_msg *msg, const struct dhcp4_plan *p,
	struct text *ret_record)
{
	struct text sentence = { 0 };
	unsigned long hidden = 0;
	struct mac_text mac = mac_str(p->facts.mac);
	struct ip4_text address = ip4_str(p->lease ? p->lease->address : p->out.yiaddr);
	char rule[RULE_TEXT_MAX] = "";
	bool answered = p->drop == DROP_NONE && p->reply_type;

	if (p->drop != DROP_NONE && !log_drop_due(site->log, p->drop, &hidden))
		return;
	say(site, msg, p, hidden, &sentence);
	if (p->answer.profile)
		answer_rule_text(&p->answer, rule);

	const struct log_field fields[] = {
		FIELD_STR("mac", p->facts.has_mac ? mac.s : NULL),
		FIELD_STR("machine", p->answer.machine ? p->answer.machine->name : NULL),
		FIELD_STR("client", client_name(p->facts.client)),
		FIELD_STR("arch", p->facts.has_arch ? facts_arch_name(&p->facts) : NULL),
		FIELD_STR("network", p->net ? p->net->cfg->name : NULL),
		FIELD_STR("request", dhcp4_type_name(msg->type)),
		FIELD_STR("reply", answered ? dhcp4_type_name(p->reply_type) : NULL),
		FIELD_STR("address", p->lease || answered ? address.s : NULL),
		FIELD_TEXT("bootfile", p->bootfile),
		FIELD_STR("form", answered && p->form.quirk ? form_name(p->form.form) : NULL),
		FIELD_STR("profile", p->answer.profile ? p->answer.profile->name : NULL),
		FIELD_STR("rule", p->answer.profile ? rule : NULL),
		FIELD_STR("why", p->answer.why),
		FIELD_STR("drop", p->drop != DROP_NONE ? drop_id(p->drop) : NULL),
		FIELD_SOME("hidden", hidden),
		FIELD_TEXT("hostname", p->facts.hostname),
		FIELD_TEXT("vendor_class", p->facts.vendor_class),
	};

	log_compose(
		level_of(p), "dhcp", fields, ARRAY_LEN(fields), text_span(&sentence), ret_record);
	text_free(&sentence);
}

void dhcp4_say_plan(struct site *site, const struct dhcp4_msg *msg, const struct dhcp4_plan *plan)
{
	struct text line = { 0 };

	dhcp4_line_of_plan(site, msg, plan, &line);
	log_write(site->log, &line);
	text_free(&line);
}

void dhcp4_say_undecoded(
	struct log *log, const struct dhcp4_packet *p, const struct dhcp4_msg *msg, enum drop why)
{
	unsigned long hidden;
	struct ip4_text source = ip4_str(p->source);
	struct mac mac;

	if (!log_drop_due(log, why, &hidden))
		return;
	memcpy(mac.b, msg->chaddr, sizeof(mac.b));

	const struct log_field fields[] = {
		FIELD_STR("drop", drop_id(why)),
		FIELD_STR("source", source.s),
		FIELD_STR("mac", mac_str(mac).s),
		FIELD_NUMBER("octets", p->data.n),
		FIELD_NUMBER("hidden", hidden),
	};

	log_event(log, LOG_WARNING, "dhcp", fields, ARRAY_LEN(fields),
		"%s: a packet of %zu octets from %s dropped, %s: %s", mac_str(mac).s, p->data.n,
		source.s, drop_id(why), drop_sentence(why));
}

void dhcp4_say_form_changed(struct log *log, const struct dhcp4_plan *p)
{
	const struct mac_text mac = mac_str(p->facts.mac);
	const struct log_field fields[] = { FIELD_STR("mac", mac.s),
		FIELD_STR("form", form_name(p->form.form)) };

	log_event(log, LOG_INFO, "dhcp", fields, ARRAY_LEN(fields),
		"%s came back without having fetched anything: its firmware (%s) gets the form \"%s\" now instead of \"%s\"",
		mac.s, p->form.quirk->name, form_name(p->form.form), form_name(p->form.last));
}

void dhcp4_say_overflow(struct log *log, uint32_t n)
{
	log_say(log, LOG_WARNING, "dhcp",
		"the kernel dropped %u requests that came faster than they were read; their clients will ask again",
		n);
}

void dhcp4_say_clock_step(struct log *log, int64_t by_s)
{
	log_say(log, LOG_WARNING, "dhcp",
		"the clock was set %s by %lld s: leases last as long as they were promised to",
		by_s > 0 ? "forward" : "back", (long long)(by_s > 0 ? by_s : -by_s));
}
