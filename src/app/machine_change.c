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

/* Is it known?  Then it has room; else others make some. */
static bool make_room_for(struct site *site, const struct machine_state *s)
{
	bool known = is_known(site, s);

	if (!known && !machine_table_find(site->machines, s->mac))
		make_room(site, 1);
	return known;
}

static void tell_full(struct site *site, const struct machine_state *s)
{
	unsigned long hidden;

	if (log_drop_due(site->log, DROP_MACHINES_FULL, &hidden))
		log_say(site->log, LOG_WARNING, "machine",
			"%s is not remembered, %s: %s (and %lu more like this)", mac_str(s->mac).s,
			drop_id(DROP_MACHINES_FULL), drop_sentence(DROP_MACHINES_FULL), hidden);
}

int machine_change_move(struct site *site, const struct machine_state *s, struct machine_move *m)
{
	int r = machine_table_move(site->machines, s, make_room_for(site, s), m);

	if (r == -ENOSPC)
		tell_full(site, s);
	return r;
}

/* --- the store --- */

/* A state on its way to the disk. */
struct storing {
	struct site *site;
	struct machine_state state;
	uint64_t version;
	store_done done; /* of a change that is waited for, or NULL */
	void *ctx;
};

static void on_stored(void *ctx, int result)
{
	struct storing *w = ctx;
	struct machine_table *t = w->site->machines;

	if (result == 0)
		machine_table_stored(t, w->state.mac, w->version);
	else
		machine_table_not_stored(t, w->state.mac, w->version);
	if (result == 0 && w->done)
		machine_table_sure(t, &w->state, w->version);
	w->site->machines_wait |= result < 0;
	if (w->done)
		w->done(w->ctx, result);
	free(w);
}

static int store(struct site *site, const struct machine_state *s, uint64_t version,
	store_done done, void *ctx)
{
	struct storing *w = malloc(sizeof(*w));
	int r = -ENOMEM;

	if (w) {
		*w = (struct storing){ site, *s, version, done, ctx };
		r = store_put_machine(site->store, s, on_stored, w);
	}
	if (r < 0) {
		site->machines_wait = true;
		free(w);
	} else {
		machine_table_sent(site->machines, s->mac, version);
	}
	return r;
}

int machine_change_store(
	struct site *site, const struct machine_move *m, store_done done, void *ctx)
{
	return store(site, &m->after, m->version, done, ctx);
}

int machine_change_put(struct site *site, const struct machine_state *s, bool has_happened)
{
	uint64_t version;
	int r = machine_table_put(site->machines, s, make_room_for(site, s), &version);

	if (r == -ENOSPC)
		tell_full(site, s);
	if (r < 0)
		return r;
	if (has_happened)
		machine_table_sure(site->machines, s, version);
	(void)store(site, s, version, NULL, NULL); /* now, or some time later */
	return 0;
}

void machine_change_take_back(struct site *site, const struct machine_move *m)
{
	uint64_t version;

	if (machine_table_take_back(site->machines, m, &version))
		(void)store(site, machine_table_find(site->machines, m->after.mac), version, NULL,
			NULL);
}

static void on_unstored(void *ctx, const struct machine_state *s, uint64_t version)
{
	struct site *site = ctx;

	if (!site->machines_wait) /* it took those before */
		(void)store(site, s, version, NULL, NULL);
}

void machine_change_store_again(struct site *site)
{
	if (!site->machines_wait || store_is_failing(site->store))
		return;
	site->machines_wait = false;
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

void machine_change_tell(struct site *site, const struct machine_state *before,
	const struct machine_state *after, const char *because, int64_t uid)
{
	const struct facts f = {
		.has_mac = true, .mac = after->mac, .has_uuid = after->has_uuid, .uuid = after->uuid
	};
	const struct machine *m = config_find_machine(
		site->cfg, &after->mac, after->has_uuid ? &after->uuid : NULL);
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

void machine_change_tell_refused(
	struct site *site, const struct facts *f, struct ip4 peer, const char *what)
{
	struct text who = { 0 };
	struct ip4_text from = ip4_str(peer);
	struct mac_text mac = mac_str(f->mac);
	const struct log_field fields[] = { FIELD_STR("mac", mac.s), FIELD_STR("peer", from.s) };

	site_machine_text(site, f, peer, &who);
	log_event(site->log, LOG_WARNING, "machine", fields, ARRAY_LEN(fields), "%s: %s",
		text_str(&who), what);
	text_free(&who);
}

void machine_change_tell_step(struct site *site, const struct machine_state *before,
	const struct machine_state *after, struct ip4 from)
{
	char because[MACHINE_PROFILE_MAX + 64];

	if (after->token_use == MACHINE_TOKEN_USED && before->token_use == MACHINE_TOKEN_FRESH)
		(void)snprintf(because, sizeof(because), "it phoned home from %s", ip4_str(from).s);
	else if (before->phase != after->phase || strcmp(before->boot_once, after->boot_once) != 0)
		(void)snprintf(
			because, sizeof(because), "it was given the profile %s", after->given);
	else
		return;
	machine_change_tell(site, before, after, because, -1);
}
