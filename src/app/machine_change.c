/* Machines' states: in the table, on disk, in the log. */
#include "app/machine_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool machine_change_is_known(const struct site *site, const struct machine_state *s)
{
	return config_find_machine(site->cfg, &s->mac, NULL) != NULL;
}

static bool is_known(void *ctx, const struct machine_state *s)
{
	return machine_change_is_known(ctx, s);
}

/* --- the table --- */

struct machine_state machine_change_begin(const struct site *site, struct mac mac)
{
	const struct machine_state *s = machine_table_find(site->machines, mac);

	return s ? *s : (struct machine_state){ .mac = mac };
}

/* Strangers make room, here and on the disk, for so many more. */
static void make_room(struct site *site, size_t more)
{
	struct mac victim;

	while (machine_table_evict(site->machines, more, &victim))
		store_forget_machine(site->store, victim);
}

int machine_change_put(struct site *site, const struct machine_state *s, uint64_t *ret_version)
{
	bool known = is_known(site, s);
	unsigned long hidden;
	int r;

	if (!known && !machine_table_find(site->machines, s->mac))
		make_room(site, 1);
	r = machine_table_put(site->machines, s, known, ret_version);
	if (r == -ENOSPC && log_drop_due(site->log, DROP_MACHINES_FULL, &hidden))
		log_say(site->log, LOG_WARNING, "machine", "%s is not remembered, %s: %s (and %lu more like this)",
			mac_str(s->mac).s, drop_id(DROP_MACHINES_FULL), drop_sentence(DROP_MACHINES_FULL), hidden);
	return r;
}

/* --- the store --- */

/* A state on its way to the disk. */
struct storing {
	struct site *site;
	struct mac mac;
	uint64_t version;
	store_done done; /* or NULL */
	void *ctx;
};

static void on_stored(void *ctx, int result)
{
	struct storing *w = ctx;

	if (result == 0)
		machine_table_stored(w->site->machines, w->mac, w->version);
	if (w->done)
		w->done(w->ctx, result);
	free(w);
}

int machine_change_store(struct site *site, const struct machine_state *s, uint64_t version, store_done done, void *ctx)
{
	struct storing *w = malloc(sizeof(*w));
	int r = -ENOMEM;

	if (w) {
		*w = (struct storing){ site, s->mac, version, done, ctx };
		r = store_put_machine(site->store, s, on_stored, w);
	}
	if (r < 0)
		free(w);
	return r;
}

static void on_unstored(void *ctx, const struct machine_state *s, uint64_t version)
{
	(void)machine_change_store(ctx, s, version, NULL, NULL);
}

void machine_change_store_again(struct site *site)
{
	machine_table_unstored(site->machines, on_unstored, site);
}

int machine_change_restore(struct site *site, const struct machine_state *s)
{
	return machine_table_restore(site->machines, s, is_known(site, s));
}

void machine_change_sort(struct site *site)
{
	machine_table_sort(site->machines, is_known, site);
	make_room(site, 0);
}

/* --- the log --- */

static void add_state(const struct machine_state *s, struct text *out)
{
	text_adds(out, machine_phase_name(s->phase));
	if (s->boot_once[0])
		text_addf(out, ", and %s once", s->boot_once);
}

void machine_change_tell(struct site *site, const struct machine_state *before, const struct machine_state *after,
	const char *because, int64_t uid)
{
	const struct facts f = { .has_mac = true, .mac = after->mac, .has_uuid = after->has_uuid, .uuid = after->uuid };
	const struct machine *m = config_find_machine(site->cfg, &after->mac, after->has_uuid ? &after->uuid : NULL);
	struct text sentence = { 0 }, line = { 0 };
	struct mac_text mac = mac_str(after->mac);

	site_machine_text(site, &f, (struct ip4){ 0 }, &sentence);
	text_adds(&sentence, " is ");
	add_state(after, &sentence);
	text_adds(&sentence, " (was ");
	add_state(before, &sentence);
	text_addf(&sentence, "): %s", because);

	const struct log_field fields[] = {
		FIELD_STR("mac", mac.s),
		FIELD_STR("machine", m ? m->name : NULL),
		FIELD_STR("state", machine_phase_name(after->phase)),
		FIELD_STR("was", machine_phase_name(before->phase)),
		FIELD_STR("boot_once", after->boot_once),
		FIELD_STR("profile", after->given),
		{ .key = "uid", .is_number = uid >= 0, .number = uid },
		FIELD_STR("why", because),
	};

	log_compose(LOG_INFO, "machine", fields, ARRAY_LEN(fields), text_span(&sentence), &line);
	log_write(site->log, &line);
	text_free(&sentence);
	text_free(&line);
}

void machine_change_tell_refused(struct site *site, const struct facts *f, struct ip4 peer, const char *what)
{
	struct text who = { 0 };
	struct ip4_text from = ip4_str(peer);
	struct mac_text mac = mac_str(f->mac);
	const struct log_field fields[] = { FIELD_STR("mac", mac.s), FIELD_STR("peer", from.s) };

	site_machine_text(site, f, peer, &who);
	log_event(site->log, LOG_WARNING, "machine", fields, ARRAY_LEN(fields), "%s: %s", text_str(&who), what);
	text_free(&who);
}

void machine_change_tell_step(struct site *site, const struct machine_state *before, const struct machine_state *after,
	struct ip4 from)
{
	char because[MACHINE_PROFILE_MAX + 64];

	if (after->token_use == MACHINE_TOKEN_USED && before->token_use == MACHINE_TOKEN_FRESH)
		(void)snprintf(because, sizeof(because), "it phoned home from %s", ip4_str(from).s);
	else if (before->phase != after->phase || strcmp(before->boot_once, after->boot_once) != 0)
		(void)snprintf(because, sizeof(because), "it was given the profile %s", after->given);
	else
		return;
	machine_change_tell(site, before, after, because, -1);
}

void machine_change_take_back(struct site *site, const struct machine_state *before, const struct machine_state *after)
{
	struct machine_state s = machine_change_begin(site, after->mac);
	uint64_t version;

	if (s.phase != after->phase || s.token_use != after->token_use || strcmp(s.boot_once, after->boot_once) != 0)
		return;
	s.phase = before->phase;
	s.token_use = before->token_use;
	memcpy(s.token, before->token, sizeof(s.token));
	memcpy(s.boot_once, before->boot_once, sizeof(s.boot_once));
	memcpy(s.given, before->given, sizeof(s.given));
	s.given_s = before->given_s;
	if (machine_change_put(site, &s, &version) == 0)
		(void)machine_change_store(site, &s, version, NULL, NULL);
}

