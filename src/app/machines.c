/* Machines' states: changed here, on disk before anybody relies on them. */
#include "app/machines.h"

#include "core/url_query.h"
#include "edge/clock.h"
#include "edge/random.h"
#include "wire/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEN_STORED_S 3600 /* that it was seen is written so often, unless there is other news */
#define TEXT_TYPE     "text/plain; charset=utf-8"

static int64_t now_s(void)
{
	return clock_wall_ms() / 1000;
}

static bool is_known(void *ctx, const struct machine_state *s)
{
	const struct site *site = ctx;

	/* By its MAC alone: of a UUID, which everybody on the wire can see, any number of MACs may come. */
	return config_find_machine(site->cfg, &s->mac, NULL) != NULL;
}

/* --- the table --- */

/* A copy to change; fresh where nobody has heard of it. */
static struct machine_state state_of(const struct site *site, struct mac mac)
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

static int put(struct site *site, const struct machine_state *s, uint64_t *ret_version)
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

/* done is called in any case, perhaps at once. */
static void store_state(struct site *site, const struct machine_state *s, uint64_t version, store_done done, void *ctx)
{
	struct storing *w = malloc(sizeof(*w));
	int r = -ENOMEM;

	if (w) {
		*w = (struct storing){ site, s->mac, version, done, ctx };
		r = store_put_machine(site->store, s, on_stored, w);
	}
	if (r < 0) {
		free(w);
		if (done)
			done(ctx, r);
	}
}

static void on_unstored(void *ctx, const struct machine_state *s, uint64_t version)
{
	store_state(ctx, s, version, NULL, NULL);
}

void machines_store_again(struct site *site)
{
	machine_table_unstored(site->machines, on_unstored, site);
}

int machines_restore(struct site *site, const struct machine_state *s)
{
	return machine_table_restore(site->machines, s, is_known(site, s));
}

void machines_sort(struct site *site)
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

/* because: why, a clause; uid: who ordered it, or -1. */
static void tell(struct site *site, const struct machine_state *before, const struct machine_state *after,
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

static void tell_refused(struct site *site, const struct facts *f, struct ip4 peer, const char *what)
{
	struct text who = { 0 };
	struct ip4_text from = ip4_str(peer);
	struct mac_text mac = mac_str(f->mac);
	const struct log_field fields[] = { FIELD_STR("mac", mac.s), FIELD_STR("peer", from.s) };

	site_machine_text(site, f, peer, &who);
	log_event(site->log, LOG_WARNING, "machine", fields, ARRAY_LEN(fields), "%s: %s", text_str(&who), what);
	text_free(&who);
}

/* What a machine did by itself: it was given something, or phoned home. */
static void tell_step(struct site *site, const struct machine_state *before, const struct machine_state *after)
{
	char because[MACHINE_PROFILE_MAX + 64];

	if (after->token_use == MACHINE_TOKEN_USED && before->token_use == MACHINE_TOKEN_FRESH)
		(void)snprintf(because, sizeof(because), "it phoned home");
	else if (before->phase != after->phase || strcmp(before->boot_once, after->boot_once) != 0)
		(void)snprintf(because, sizeof(because), "it was given the profile %s", after->given);
	else
		return;
	tell(site, before, after, because, -1);
}

/* --- what is heard --- */

/* Puts what was heard, and writes it down when it is news, or now and then. */
static void put_heard(struct site *site, const struct machine_state *s, int64_t seen_before_s, bool news)
{
	uint64_t version;

	if (!news && s->last_seen_s / SEEN_STORED_S == seen_before_s / SEEN_STORED_S)
		machine_table_touch(site->machines, s->mac, s->last_seen_s);
	else if (put(site, s, &version) == 0)
		store_state(site, s, version, NULL, NULL);
}

void machines_heard(struct site *site, const struct facts *f, struct ip4 address, bool may_add)
{
	struct machine_state s;
	int64_t seen_before_s;
	bool news;

	if (!f->has_mac)
		return;
	s = state_of(site, f->mac);
	seen_before_s = s.last_seen_s;
	news = machine_state_hear(&s, f, address, now_s());
	if (machine_table_find(site->machines, f->mac) || (may_add && (f->client != CLIENT_DHCP || is_known(site, &s))))
		put_heard(site, &s, seen_before_s, news);
}

void machines_reported(struct site *site, const struct question *q, struct mac mac)
{
	static const enum machine_said told[] = { MACHINE_SAID_SERIAL, MACHINE_SAID_ASSET, MACHINE_SAID_MANUFACTURER,
		MACHINE_SAID_PRODUCT };
	const struct machine_state *known = machine_table_find(site->machines, mac);
	uint8_t buf[MACHINE_TEXT_MAX];
	struct machine_state s;
	bool news = false;
	struct uuid uuid;

	if (!known || q->query.n == 0 || !site_is_machine(site, q->peer, mac))
		return;
	s = *known;
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		news |= machine_state_say(&s, told[i],
			url_query_value(q->query, span_str(machine_said_name(told[i])), buf, sizeof(buf)));
	if (!s.has_uuid && uuid_parse(url_query_value(q->query, SPAN_LIT("uuid"), buf, sizeof(buf)), &uuid) == 0 &&
		!uuid_is_default(uuid)) {
		s.has_uuid = true;
		s.uuid = uuid;
		news = true;
	}
	s.last_seen_s = now_s();
	put_heard(site, &s, known->last_seen_s, news);
}

/* --- what is given --- */

static bool is_change(const struct answer *a)
{
	return a->rule_kind == RULE_ONCE || (a->profile && a->profile->install);
}

const char *machines_refuse(const struct site *site, const struct answer *a)
{
	return is_change(a) && store_is_failing(site->store) ?
		"the store cannot write, so that it was given this could be forgotten: it waits until the store can" : NULL;
}

/* What q changes is put in the table now, and stored before the answer leaves. */
static int change_with_answer(struct site *site, struct question *q, const struct machine_state *after)
{
	struct machine_state before = state_of(site, after->mac);
	uint64_t version;
	int r = put(site, after, &version);

	if (r < 0)
		return r;
	if (q->before)
		return 0;
	q->before = malloc(sizeof(*q->before));
	if (!q->before)
		return -ENOMEM;
	*q->before = before;
	return 0;
}

/* What was installed asks for its files once more: no new installation begins by that. */
static bool is_over(const struct machine_state *s, const struct answer *a)
{
	return s->phase == MACHINE_INSTALLED && s->token_use == MACHINE_TOKEN_USED && a->rule_kind != RULE_ONCE;
}

void machines_installed_url(struct site *site, struct question *q, const struct facts *f, const struct answer *a,
	char ret[static MACHINES_URL_MAX])
{
	uint8_t octets[MACHINE_TOKEN_OCTETS];
	const char *token = "only-for-the-machine-itself";
	struct machine_token_text text;
	struct machine_state s;

	ret[0] = '\0';
	if (!f->has_mac || !a->profile || !a->profile->install)
		return;
	s = state_of(site, f->mac);
	if (site_is_machine(site, q->peer, f->mac) && random_octets(octets, sizeof(octets)) == 0) {
		/* One that is stored holds whatever the disk does now. */
		if (!is_over(&s, a) && machine_state_give_token(&s, octets) &&
			(machines_refuse(site, a) || change_with_answer(site, q, &s) < 0))
			return;
		text = machine_state_token_text(&s);
		token = text.s;
	}
	(void)snprintf(ret, MACHINES_URL_MAX, "%s/machines/%s/" MACHINE_PHONE_HOME "?token=%s",
		locate_base_url(site->cfg, CLIENT_IPXE, q->local).s, mac_str_dashed(f->mac).s, token);
}

/* The state after it was given what was decided; false: that changes nothing. */
static bool apply_given(struct site *site, const struct facts *f, const struct answer *a, struct machine_state *ret)
{
	enum machine_event e = a->profile->install ? MACHINE_GIVEN_INSTALL : MACHINE_GIVEN;

	*ret = state_of(site, f->mac);
	if (ret->first_seen_s == 0)
		(void)machine_state_hear(ret, f, (struct ip4){ 0 }, now_s());
	return machine_state_apply(ret, e, a->profile->name, now_s());
}

/* One that boots by what was asked for, and would be given it anew if that were forgotten. */
static void given_now(struct site *site, struct question *q, const struct facts *f, const struct answer *a)
{
	struct machine_state before = state_of(site, f->mac), after;
	uint64_t version;

	if (!apply_given(site, f, a, &after))
		return;
	if (q && is_change(a)) {
		if (change_with_answer(site, q, &after) == 0)
			return;
		given_free(&q->given);
		given_error(&q->given, -ENOMEM, "there is no room to remember that this machine was given this");
	} else if (put(site, &after, &version) == 0) {
		store_state(site, &after, version, NULL, NULL);
		tell_step(site, &before, &after);
	}
}

void machines_given(struct site *site, struct question *q, const struct facts *f, const struct answer *a)
{
	if (!f->has_mac || !a->profile)
		return;
	if (site_is_machine(site, q->peer, f->mac))
		given_now(site, q, f, a);
	else if (a->profile->install)
		tell_refused(site, f, q->peer,
			"asked for from an address that is not this machine's: it is not taken down as being installed");
}

static bool is_image(const struct virtual_name *name)
{
	return name->kind == VIRTUAL_MACHINE_FILE && span_eq(name->file, SPAN_LIT(MACHINE_IMAGE));
}

/* As GRUB and PXELINUX fetch it: their configuration they may read as often as they like,
 * and GRUB reads it twice. */
static bool is_kernel(const struct virtual_name *name)
{
	return name->kind == VIRTUAL_PROFILE_FILE && name->ref == &name->profile->kernel;
}

/* Is this the file by which that answer boots?  With a kernel beside it, a boot file asks
 * for its configuration yet; of iPXE the script counts. */
static bool is_file_of(const struct answer *a, const struct virtual_name *name, struct span path)
{
	if (is_image(name))
		return a->kind == ANSWER_IMAGE;
	if (is_kernel(name))
		return a->profile == name->profile &&
			(a->kind == ANSWER_BOOTFILE || (a->kind == ANSWER_LOADER && a->family != FAMILY_IPXE));
	return a->kind == ANSWER_BOOTFILE && a->profile->kind == PROFILE_BOOTFILE &&
		span_eq(path, span_str(a->profile->bootfile.path));
}

/* Could it be one?  Most files are not, and who fetched them need not be found out. */
static bool is_boot_file(const struct config *cfg, const struct virtual_name *name, struct span path)
{
	bool found = is_image(name) || is_kernel(name);

	for (size_t i = 0; i < cfg->n_profiles && !found; i++)
		found = cfg->profiles[i].kind == PROFILE_BOOTFILE && span_eq(path, span_str(cfg->profiles[i].bootfile.path));
	return found;
}

static struct span path_of_target(struct span target, uint8_t buf[static HTTP_PATH_MAX])
{
	const uint8_t *query = target.n ? memchr(target.p, '?', target.n) : NULL;
	struct span path = SPAN_NONE;

	if (query)
		target.n = (size_t)(query - target.p);
	return http_decode_path(target, buf, HTTP_PATH_MAX, &path) == DROP_NONE ? path : SPAN_NONE;
}

void machines_fetched(struct site *site, struct ip4 peer, enum transport transport, struct span path)
{
	uint8_t buf[HTTP_PATH_MAX];
	struct virtual_name name;
	struct answer a;
	struct facts f;

	if (transport == TRANSPORT_HTTP)
		path = path_of_target(path, buf);
	while (path.n && path.p[0] == '/')
		path = span_skip(path, 1);
	locate_path(site->cfg, path, &name);
	if (!is_boot_file(site->cfg, &name, path) || !site_facts_of_address(site, peer, &f) || !f.has_mac)
		return;
	if (f.client == CLIENT_DHCP) /* GRUB's own DHCP says nothing */
		f.client = CLIENT_PXE;
	site_decide(site, &f, &a);
	if (is_file_of(&a, &name, path))
		given_now(site, NULL, &f, &a);
}

/* --- phoning home --- */

static void give_done(struct question *q)
{
	struct text text = { 0 };

	text_adds(&text, "installed\n");
	given_text(&q->given, &text, TEXT_TYPE);
}

void machines_phoned_home(struct site *site, struct question *q, struct mac mac)
{
	const struct facts f = { .has_mac = true, .mac = mac };
	struct machine_state before = state_of(site, mac), after = before;
	uint8_t buf[MACHINE_TOKEN_TEXT_MAX];
	struct span token = url_query_value(q->query, SPAN_LIT("token"), buf, sizeof(buf));

	if (!site_is_machine(site, q->peer, mac)) {
		given_error(&q->given, -EACCES, "only the machine itself can say so, from the address that it was given");
		tell_refused(site, &f, q->peer, "somebody else's address phoned home for it: not believed");
		return;
	}
	switch (machine_state_check_token(&before, token)) {
	case MACHINE_TOKEN_NONE:
		given_error(&q->given, -EACCES, "this token is not that of this installation");
		tell_refused(site, &f, q->peer, "it phoned home with a token that is not that of its installation: not believed");
		return;
	case MACHINE_TOKEN_USED:
		give_done(q);
		return;
	case MACHINE_TOKEN_FRESH:
		break;
	}
	(void)machine_state_apply(&after, MACHINE_PHONED_HOME, NULL, now_s());
	if (store_is_failing(site->store) || change_with_answer(site, q, &after) < 0) {
		given_error(&q->given, -ENOMEM, "the store cannot write now: say it again");
		return;
	}
	give_done(q);
}

/* --- answers that wait for the disk --- */

/* What could not be stored is as it was before, unless something else happened meanwhile. */
static void take_back(struct site *site, const struct machine_state *before, const struct machine_state *after)
{
	struct machine_state s = state_of(site, after->mac);
	uint64_t version;

	if (s.phase != after->phase || s.token_use != after->token_use || strcmp(s.boot_once, after->boot_once) != 0)
		return;
	s.phase = before->phase;
	s.token_use = before->token_use;
	memcpy(s.token, before->token, sizeof(s.token));
	memcpy(s.boot_once, before->boot_once, sizeof(s.boot_once));
	if (put(site, &s, &version) == 0)
		store_state(site, &s, version, NULL, NULL);
}

struct waiting {
	struct site *site;
	struct question *question;
	struct machine_state after;
};

static void on_answer_stored(void *ctx, int result)
{
	struct waiting *w = ctx;
	struct question *q = w->question;

	if (result == 0) {
		tell_step(w->site, q->before, &w->after);
	} else {
		take_back(w->site, q->before, &w->after);
		given_free(&q->given);
		given_error(&q->given, -ENOMEM, "the store cannot write now: try again");
		tell_refused(w->site, &(struct facts){ .has_mac = true, .mac = w->after.mac }, q->peer,
			"it is told to ask again, since what it asked for could not be taken down");
	}
	free(q->before);
	q->before = NULL;
	question_answer(q);
	free(w);
}

void machines_answer(struct site *site, struct question *q)
{
	const struct machine_state *now = q->before ? machine_table_find(site->machines, q->before->mac) : NULL;
	struct waiting *w = now ? malloc(sizeof(*w)) : NULL;
	uint64_t version;

	if (!w) {
		free(q->before);
		q->before = NULL;
		question_answer(q);
		return;
	}
	*w = (struct waiting){ site, q, *now };
	if (put(site, &w->after, &version) < 0)
		on_answer_stored(w, -ENOMEM);
	else
		store_state(site, &w->after, version, on_answer_stored, w);
}

/* --- orders --- */

struct ordering {
	struct site *site;
	struct machine_state before, after;
	uid_t uid;
	store_done done;
	void *ctx;
};

static void on_order_stored(void *ctx, int result)
{
	struct ordering *o = ctx;

	if (result == 0)
		tell(o->site, &o->before, &o->after, "ordered by the control socket", (int64_t)o->uid);
	else
		take_back(o->site, &o->before, &o->after);
	o->done(o->ctx, result);
	free(o);
}

void machines_order(struct site *site, struct mac mac, enum machine_event order, const char *profile, uid_t uid,
	store_done done, void *ctx)
{
	struct ordering *o = malloc(sizeof(*o));
	uint64_t version;
	int r = o ? 0 : -ENOMEM;

	if (r == 0) {
		*o = (struct ordering){ .site = site, .before = state_of(site, mac), .uid = uid, .done = done, .ctx = ctx };
		o->after = o->before;
		(void)machine_state_apply(&o->after, order, profile, now_s());
		r = put(site, &o->after, &version);
	}
	if (r < 0) {
		free(o);
		done(ctx, r);
		return;
	}
	store_state(site, &o->after, version, on_order_stored, o);
}
