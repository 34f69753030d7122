/* The states of a machine and its moves between them. */
#include "core/machine_state.h"

#include <errno.h>
#include <stdio.h>

static const char *const phase_names[] = {
	[MACHINE_NEW] = "new",
	[MACHINE_INSTALLING] = "installing",
	[MACHINE_INSTALLED] = "installed",
	[MACHINE_HOLD] = "hold",
	[MACHINE_LOCAL] = "local",
};

const char *machine_phase_name(enum machine_phase p)
{
	return phase_names[p];
}

int machine_phase_parse(struct span name, enum machine_phase *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(phase_names); i++) {
		if (span_eq(name, span_str(phase_names[i]))) {
			*ret = (enum machine_phase)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *machine_said_name(enum machine_said what)
{
	static const char *const names[] = {
		[MACHINE_SAID_VENDOR_CLASS] = "vendor_class",
		[MACHINE_SAID_HOSTNAME] = "hostname",
		[MACHINE_SAID_SERIAL] = "serial",
		[MACHINE_SAID_ASSET] = "asset",
		[MACHINE_SAID_MANUFACTURER] = "manufacturer",
		[MACHINE_SAID_PRODUCT] = "product",
		[MACHINE_SAID_NETWORK] = "network",
	};

	return names[what];
}

static void set_profile(char to[static MACHINE_PROFILE_MAX], const char *name)
{
	(void)snprintf(to, MACHINE_PROFILE_MAX, "%s", name);
}

/* A profile was given.  In a phase that boots nothing of the configuration's, only
 * what was ordered can have been: anything else was on its way when the order came. */
static bool apply_given(struct machine_state *s, const char *profile, bool install, int64_t now_s)
{
	bool ordered = s->boot_once[0] && strcmp(s->boot_once, profile) == 0;

	if (!ordered && s->phase != MACHINE_NEW && s->phase != MACHINE_INSTALLING)
		return false;
	if (ordered)
		s->boot_once[0] = '\0';
	if (install)
		s->phase = MACHINE_INSTALLING;
	set_profile(s->given, profile);
	s->given_s = now_s;
	s->again_until_s = 0;
	return true;
}

static bool order(struct machine_state *s, enum machine_phase phase)
{
	bool changes = s->phase != phase || s->boot_once[0] || s->again_until_s;

	s->phase = phase;
	s->boot_once[0] = '\0';
	s->again_until_s = 0;
	return changes;
}

static bool order_boot(struct machine_state *s, const char *profile)
{
	if (strcmp(s->boot_once, profile) == 0)
		return false;
	set_profile(s->boot_once, profile);
	s->again_until_s = 0;
	return true;
}

/* An order that came while the installer ran stays: its disk is ready, that is all. */
static bool apply_phoned_home(struct machine_state *s)
{
	if (s->token_use != MACHINE_TOKEN_FRESH)
		return false;
	s->token_use = MACHINE_TOKEN_USED;
	if (s->phase == MACHINE_NEW || s->phase == MACHINE_INSTALLING)
		s->phase = MACHINE_INSTALLED;
	return true;
}

static bool apply_reset(struct machine_state *s)
{
	bool changes = order(s, MACHINE_NEW) || s->token_use != MACHINE_TOKEN_NONE || s->given[0];

	s->token_use = MACHINE_TOKEN_NONE;
	memset(s->token, 0, sizeof(s->token));
	s->given[0] = '\0';
	s->given_s = 0;
	return changes;
}

bool machine_state_apply(
	struct machine_state *s, enum machine_event e, const char *profile, int64_t now_s)
{
	switch (e) {
	case MACHINE_GIVEN:
		return apply_given(s, profile, false, now_s);
	case MACHINE_GIVEN_INSTALL:
		return apply_given(s, profile, true, now_s);
	case MACHINE_PHONED_HOME:
		return apply_phoned_home(s);
	case MACHINE_ORDER_BOOT:
		return order_boot(s, profile);
	case MACHINE_ORDER_HOLD:
		return order(s, MACHINE_HOLD);
	case MACHINE_ORDER_LOCAL:
		return order(s, MACHINE_LOCAL);
	case MACHINE_ORDER_RESET:
		return apply_reset(s);
	case MACHINE_EVENT_COUNT:
		break;
	}
	return false;
}

bool machine_state_is_kept(const struct machine_state *s)
{
	return s->boot_once[0] || (s->phase != MACHINE_NEW && s->phase != MACHINE_INSTALLING);
}

/* --- what becomes of it --- */

struct machine_fate machine_state_fate(const struct machine_state *s)
{
	struct machine_fate f = { .phase = s->phase,
		.given_s = s->given_s,
		.again_until_s = s->again_until_s,
		.token_use = s->token_use };

	memcpy(f.boot_once, s->boot_once, sizeof(f.boot_once));
	memcpy(f.given, s->given, sizeof(f.given));
	memcpy(f.token, s->token, sizeof(f.token));
	return f;
}

void machine_state_set_fate(struct machine_state *s, const struct machine_fate *f)
{
	s->phase = f->phase;
	s->given_s = f->given_s;
	s->again_until_s = f->again_until_s;
	s->token_use = f->token_use;
	memcpy(s->boot_once, f->boot_once, sizeof(s->boot_once));
	memcpy(s->given, f->given, sizeof(s->given));
	memcpy(s->token, f->token, sizeof(s->token));
}

bool machine_state_same_fate(const struct machine_state *a, const struct machine_state *b)
{
	return a->phase == b->phase && a->token_use == b->token_use &&
		memcmp(a->token, b->token, sizeof(a->token)) == 0 &&
		strcmp(a->boot_once, b->boot_once) == 0;
}

/* --- what it says --- */

struct span machine_state_said(const struct machine_state *s, enum machine_said what)
{
	return (struct span){ s->said[what].b, s->said[what].n };
}

bool machine_state_say(struct machine_state *s, enum machine_said what, struct span text)
{
	struct machine_text *to = &s->said[what];

	if (text.n > MACHINE_TEXT_MAX)
		text.n = MACHINE_TEXT_MAX;
	if (text.n == 0 || span_eq(text, machine_state_said(s, what)))
		return false;
	memcpy(to->b, text.p, text.n);
	to->b[text.n] = 0;
	to->n = (uint8_t)text.n;
	return true;
}

/* What it is: firmware knows better than the iPXE that it was given, and the system
 * that it runs afterwards says nothing of that. */
static bool hear_kind(struct machine_state *s, const struct facts *f)
{
	struct machine_state before = *s;

	if (f->client == CLIENT_DHCP ||
		(f->client == CLIENT_IPXE && s->has_client && s->client != CLIENT_IPXE))
		return false;
	s->has_client = true;
	s->client = f->client;
	s->has_arch = f->has_arch;
	s->arch_number = f->arch_number;
	return machine_state_say(s, MACHINE_SAID_VENDOR_CLASS, f->vendor_class) ||
		!before.has_client || before.client != s->client ||
		before.has_arch != s->has_arch || before.arch_number != s->arch_number;
}

static bool hear_uuid(struct machine_state *s, const struct facts *f)
{
	if (!f->has_uuid || (s->has_uuid && uuid_eq(s->uuid, f->uuid)))
		return false;
	s->has_uuid = true;
	s->uuid = f->uuid;
	return true;
}

bool machine_state_hear(
	struct machine_state *s, const struct facts *f, struct ip4 address, int64_t now_s)
{
	bool news = s->first_seen_s == 0;

	if (news)
		s->first_seen_s = now_s;
	s->last_seen_s = now_s;
	if (address.v && !ip4_eq(s->address, address)) {
		s->address = address;
		news = true;
	}
	news |= hear_kind(s, f);
	news |= hear_uuid(s, f);
	news |= machine_state_say(s, MACHINE_SAID_HOSTNAME, f->hostname);
	news |= machine_state_say(s, MACHINE_SAID_SERIAL, f->serial);
	news |= machine_state_say(s, MACHINE_SAID_ASSET, f->asset);
	news |= machine_state_say(s, MACHINE_SAID_NETWORK, span_str(f->network));
	return news;
}

void machine_state_facts(const struct machine_state *s, struct facts *ret)
{
	const struct arch_type *type = s->has_arch ? arch_type_find(s->arch_number) : NULL;
	const struct machine_text *network = &s->said[MACHINE_SAID_NETWORK];

	*ret = (struct facts){
		.client = s->has_client ? s->client : CLIENT_DHCP,
		.transport = !s->has_client       ? TRANSPORT_NONE
			: s->client == CLIENT_PXE ? TRANSPORT_TFTP
						  : TRANSPORT_HTTP,
		.has_arch = s->has_arch,
		.arch_number = s->arch_number,
		.arch = type ? type->arch : ARCH_UNKNOWN,
		.has_mac = true,
		.mac = s->mac,
		.has_uuid = s->has_uuid,
		.uuid = s->uuid,
		.vendor_class = machine_state_said(s, MACHINE_SAID_VENDOR_CLASS),
		.hostname = machine_state_said(s, MACHINE_SAID_HOSTNAME),
		.serial = machine_state_said(s, MACHINE_SAID_SERIAL),
		.asset = machine_state_said(s, MACHINE_SAID_ASSET),
		.network = network->n ? (const char *)network->b : NULL,
		.state = s,
	};
}

/* --- its token --- */

bool machine_state_give_token(
	struct machine_state *s, const uint8_t random[static MACHINE_TOKEN_OCTETS])
{
	if (s->token_use == MACHINE_TOKEN_FRESH)
		return false;
	memcpy(s->token, random, sizeof(s->token));
	s->token_use = MACHINE_TOKEN_FRESH;
	return true;
}

struct machine_token_text machine_state_token_text(const struct machine_state *s)
{
	struct machine_token_text t;

	for (size_t i = 0; i < sizeof(s->token); i++)
		(void)snprintf(t.s + 2 * i, 3, "%02x", s->token[i]);
	return t;
}

/* Which octet differs must not show in the time: all are looked at. */
enum machine_token_use machine_state_check_token(const struct machine_state *s, struct span text)
{
	struct machine_token_text mine = machine_state_token_text(s);
	volatile uint8_t differs = 0;

	if (s->token_use == MACHINE_TOKEN_NONE || text.n != MACHINE_TOKEN_TEXT_MAX - 1)
		return MACHINE_TOKEN_NONE;
	for (size_t i = 0; i < text.n; i++)
		differs = (uint8_t)(differs | (text.p[i] ^ (uint8_t)mine.s[i]));
	return differs ? MACHINE_TOKEN_NONE : s->token_use;
}
