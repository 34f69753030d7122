/* Machines' states: changed here, on disk before anybody relies on them. */
#include "app/machines.h"

#include "app/machine_change.h"
#include "core/url_query.h"
#include "edge/clock.h"
#include "edge/random.h"
#include "wire/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEN_STORED_S 3600 /* that it was seen is written so often, unless there is other news */
#define TEXT_TYPE     "text/plain; charset=utf-8"
#define SAME_UUID_MAX                                                                              \
	8u /* interfaces of one machine: of its UUID, anybody can have any number of MACs */

static int64_t now_s(void)
{
	return clock_wall_ms() / 1000;
}

/* --- what is heard --- */

/* Puts what was heard, and writes it down when it is news, or now and then. */
static void put_heard(
	struct site *site, const struct machine_state *s, int64_t seen_before_s, bool news)
{
	if (!news && s->last_seen_s / SEEN_STORED_S == seen_before_s / SEEN_STORED_S)
		machine_table_touch(site->machines, s->mac, s->last_seen_s);
	else
		(void)machine_change_put(site, s, false);
}

/* A UUID by which a state is found, or one of what must not be forgotten, is not replaced by
 * what anybody can say; after a reset, or when the configuration has another one, it is. */
static bool keeps_uuid(const struct site *site, const struct machine_state *s)
{
	return s->has_uuid && !machine_change_is_known(site, s) &&
		(machine_state_is_kept(s) || config_find_machine(site->cfg, NULL, &s->uuid));
}

/* Adds to the state that is kept by that MAC. */
static void hear(
	struct site *site, struct mac mac, const struct facts *f, struct ip4 address, bool may_add)
{
	struct machine_state s = machine_change_begin(site, mac);
	int64_t seen_before_s = s.last_seen_s;
	struct facts heard = *f;
	bool news;

	if (keeps_uuid(site, &s))
		heard.has_uuid = false;
	news = machine_state_hear(&s, &heard, address, now_s());
	if (machine_table_find(site->machines, mac) ||
		(may_add && (f->client != CLIENT_DHCP || machine_change_is_known(site, &s))))
		put_heard(site, &s, seen_before_s, news);
}

/* May that MAC, whose state is kept by another one, have a record of its own?  It says which
 * machine's it is, also after a restart and when it comes without its UUID. */
static bool may_be_second(const struct site *site, const struct facts *f)
{
	const struct machine_state *s = machine_table_find(site->machines, f->mac);

	if (!f->has_uuid || (s && (machine_state_is_kept(s) || s->phase != MACHINE_NEW)))
		return false;
	return (s && s->has_uuid && uuid_eq(s->uuid, f->uuid)) ||
		machine_table_count_uuid(site->machines, f->uuid) < SAME_UUID_MAX;
}

void machines_heard(struct site *site, const struct facts *f, struct ip4 address, bool may_add)
{
	struct mac key;

	if (!f->has_mac)
		return;
	key = site_state_key(site, f);
	hear(site, key, f, address, may_add);
	if (!mac_eq(key, f->mac) && may_be_second(site, f))
		hear(site, f->mac, f, address, may_add);
}

void machines_reported(struct site *site, const struct question *q, struct mac mac)
{
	static const enum machine_said told[] = { MACHINE_SAID_SERIAL, MACHINE_SAID_ASSET,
		MACHINE_SAID_MANUFACTURER, MACHINE_SAID_PRODUCT };
	const struct machine_state *known;
	uint8_t buf[MACHINE_TEXT_MAX];
	struct machine_state s;
	bool news = false;
	struct facts f;
	struct uuid uuid;

	(void)site_facts_of_mac(site, mac, q->peer, &f);
	known = machine_table_find(site->machines, site_state_key(site, &f));
	if (!known || q->query.n == 0 || !site_is_machine(site, q->peer, &f))
		return;
	s = *known;
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		news |= machine_state_say(&s, told[i],
			url_query_value(
				q->query, span_str(machine_said_name(told[i])), buf, sizeof(buf)));
	if (!s.has_uuid &&
		uuid_parse(url_query_value(q->query, SPAN_LIT("uuid"), buf, sizeof(buf)), &uuid) ==
			0 &&
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
	return is_change(a) && store_is_failing(site->store)
		? "the store cannot write, so that it was given this could be forgotten: it waits until the store can"
		: NULL;
}

/* What q changes is put in the table now, and stored before the answer leaves. */
static int change_with_answer(
	struct site *site, struct question *q, const struct machine_state *after)
{
	struct machine_move *m = q->move ? q->move : calloc(1, sizeof(*m));
	int r = m ? machine_change_move(site, after, m) : -ENOMEM;

	if (r < 0 && m != q->move)
		free(m);
	else
		q->move = m;
	return r;
}

/* What q's answer relies on was changed by another one, whose answer may wait yet: this
 * one waits for the disk too. */
static int wait_with_others(struct site *site, struct question *q, const struct machine_state *s)
{
	return machine_table_is_settled(site->machines, s->mac) ? 0
								: change_with_answer(site, q, s);
}

/* What was installed asks for its files once more: no new installation begins by that. */
static bool is_over(const struct machine_state *s, const struct answer *a)
{
	return s->phase == MACHINE_INSTALLED && s->token_use == MACHINE_TOKEN_USED &&
		a->rule_kind != RULE_ONCE;
}

void machines_installed_url(struct site *site, struct question *q, const struct facts *f,
	const struct answer *a, char ret[static MACHINES_URL_MAX])
{
	uint8_t octets[MACHINE_TOKEN_OCTETS];
	const char *token = "only-for-the-machine-itself";
	struct machine_token_text text;
	struct machine_state s;

	ret[0] = '\0';
	if (!f->has_mac || !a->profile || !a->profile->install)
		return;
	s = machine_change_begin(site, site_state_key(site, f));
	if (site_is_machine(site, q->peer, f) && random_octets(octets, sizeof(octets)) == 0) {
		bool fresh = !is_over(&s, a) && machine_state_give_token(&s, octets);

		/* One that is stored holds whatever the disk does now. */
		if (fresh && machines_refuse(site, a))
			return;
		if ((fresh ? change_with_answer(site, q, &s) : wait_with_others(site, q, &s)) < 0)
			return;
		text = machine_state_token_text(&s);
		token = text.s;
	}
	(void)snprintf(ret, MACHINES_URL_MAX, "%s/machines/%s/" MACHINE_PHONE_HOME "?token=%s",
		locate_base_url(site->cfg, CLIENT_IPXE, q->local).s, mac_str_dashed(s.mac).s,
		token);
}

/* The state after it was given what was decided; false: that changes nothing. */
static bool apply_given(
	struct site *site, const struct facts *f, const struct answer *a, struct machine_state *ret)
{
	enum machine_event e = a->profile->install ? MACHINE_GIVEN_INSTALL : MACHINE_GIVEN;

	*ret = machine_change_begin(site, site_state_key(site, f));
	if (ret->first_seen_s == 0)
		(void)machine_state_hear(ret, f, (struct ip4){ 0 }, now_s());
	return machine_state_apply(ret, e, a->profile->name, now_s());
}

/* One that boots by what was asked for, and would be given it anew if that were forgotten. */
static void given_now(
	struct site *site, struct question *q, const struct facts *f, const struct answer *a)
{
	struct machine_state before = machine_change_begin(site, site_state_key(site, f)), after;

	if (!apply_given(site, f, a, &after))
		return;
	if (q && is_change(a)) {
		if (change_with_answer(site, q, &after) == 0)
			return;
		given_free(&q->given);
		given_error(&q->given, -ENOMEM,
			"there is no room to remember that this machine was given this");
	} else if (machine_change_put(site, &after, true) == 0) {
		machine_change_tell_step(site, &before, &after, (struct ip4){ 0 });
	}
}

void machines_given(
	struct site *site, struct question *q, const struct facts *f, const struct answer *a)
{
	if (!f->has_mac || !a->profile)
		return;
	if (site_is_machine(site, q->peer, f))
		given_now(site, q, f, a);
	else if (a->profile->install)
		machine_change_tell_refused(site, f, q->peer,
			"asked for from an address that is not this machine's: it is not taken down as being installed");
}

/* A file that lies with somebody else, who alone sees it fetched.  With a kernel beside it,
 * a boot file asks for its configuration yet. */
static bool is_elsewhere(const struct answer *a)
{
	return a->kind == ANSWER_BOOTFILE && a->profile->kind == PROFILE_BOOTFILE &&
		a->profile->bootfile.is_url;
}

/* A machine that is being told where its boot file lies. */
struct telling {
	struct site *site;
	struct machine_move move;
	store_done done; /* or NULL */
	void *ctx;
};

static void on_told_stored(void *ctx, int result)
{
	struct telling *t = ctx;

	if (result == 0)
		machine_change_tell_step(
			t->site, &t->move.before, &t->move.after, (struct ip4){ 0 });
	else
		machine_change_take_back(t->site, &t->move);
	if (t->done)
		t->done(t->ctx, result);
	free(t);
}

static int tell_and_store(
	struct site *site, const struct machine_state *after, store_done done, void *ctx)
{
	struct telling *t = malloc(sizeof(*t));
	int r = -ENOMEM;

	if (!t)
		return r;
	*t = (struct telling){ .site = site, .done = done, .ctx = ctx };
	r = machine_change_move(site, after, &t->move);
	if (r == 0) {
		r = machine_change_store(site, &t->move, on_told_stored, t);
		if (r < 0)
			machine_change_take_back(site, &t->move);
	}
	if (r < 0)
		free(t);
	return r;
}

int machines_told(struct site *site, const struct facts *f, const struct answer *a, store_done done,
	void *ctx)
{
	struct machine_state before, after;
	int r;

	if (!f->has_mac || !is_elsewhere(a))
		return 0;
	before = machine_change_begin(site, site_state_key(site, f));
	if (a->rule_kind == RULE_ONCE && !before.boot_once[0]) /* once more, in the same boot */
		return 0;
	if (!is_change(a)) {
		given_now(site, NULL, f, a);
		return 0;
	}
	if (machines_refuse(site, a))
		return -EIO;
	if (!apply_given(site, f, a, &after))
		return 0;
	if (a->rule_kind == RULE_ONCE)
		after.again_until_s = clock_lease_s() + MACHINE_AGAIN_S;
	r = tell_and_store(site, &after, done, ctx);
	return r < 0 ? r : 1;
}

static bool is_image(const struct virtual_name *name)
{
	return name->kind == VIRTUAL_MACHINE_FILE &&
		(span_eq(name->file, SPAN_LIT(MACHINE_IMAGE)) ||
			span_eq(name->file, SPAN_LIT(MACHINE_DISK)));
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
			(a->kind == ANSWER_BOOTFILE ||
				(a->kind == ANSWER_LOADER && a->family != FAMILY_IPXE));
	return a->kind == ANSWER_BOOTFILE && a->profile->kind == PROFILE_BOOTFILE &&
		span_eq(path, span_str(a->profile->bootfile.path));
}

/* Could it be one?  Most files are not, and who fetched them need not be found out. */
static bool is_boot_file(
	const struct config *cfg, const struct virtual_name *name, struct span path)
{
	bool found = is_image(name) || is_kernel(name);

	for (size_t i = 0; i < cfg->n_profiles && !found; i++)
		found = cfg->profiles[i].kind == PROFILE_BOOTFILE &&
			span_eq(path, span_str(cfg->profiles[i].bootfile.path));
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

/* The name as site and profiles have it: relative to the root. */
static struct span path_of(
	enum transport transport, struct span path, uint8_t buf[static HTTP_PATH_MAX])
{
	if (transport == TRANSPORT_HTTP)
		path = path_of_target(path, buf);
	while (path.n && path.p[0] == '/')
		path = span_skip(path, 1);
	return path;
}

bool machines_may_boot_by(const struct config *cfg, enum transport transport, struct span path)
{
	uint8_t buf[HTTP_PATH_MAX];
	struct virtual_name name;

	path = path_of(transport, path, buf);
	locate_path(cfg, path, &name);
	return is_boot_file(cfg, &name, path);
}

void machines_fetched(
	struct site *site, struct ip4 peer, enum transport transport, struct span path)
{
	uint8_t buf[HTTP_PATH_MAX];
	struct virtual_name name;
	struct answer a;
	struct facts f;

	path = path_of(transport, path, buf);
	locate_path(site->cfg, path, &name);
	if (!is_boot_file(site->cfg, &name, path) || !site_facts_of_address(site, peer, &f) ||
		!f.has_mac)
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

/* Who has the token is the machine, or was told it by the machine: the proof is that, and
 * not the address.  What it installed may speak by another interface, or by an address
 * that was set by hand. */
void machines_phoned_home(struct site *site, struct question *q, struct mac mac)
{
	uint8_t buf[MACHINE_TOKEN_TEXT_MAX];
	struct span token = url_query_value(q->query, SPAN_LIT("token"), buf, sizeof(buf));
	const struct facts f = { .has_mac = true, .mac = mac };
	struct machine_state before = machine_change_begin(site, mac), after = before;
	int r = 0;

	switch (machine_state_check_token(&before, token)) {
	case MACHINE_TOKEN_NONE:
		given_error(&q->given, -EACCES, "this token is not that of this installation");
		machine_change_tell_refused(site, &f, q->peer,
			site_is_machine(site, q->peer, &f)
				? "it phoned home with a token that is not that of its installation: not believed"
				: "somebody else's address phoned home for it, without the token of its installation: not believed");
		return;
	case MACHINE_TOKEN_USED:
		r = wait_with_others(site, q, &before);
		break;
	case MACHINE_TOKEN_FRESH:
		(void)machine_state_apply(&after, MACHINE_PHONED_HOME, NULL, now_s());
		r = store_is_failing(site->store) ? -EIO : change_with_answer(site, q, &after);
		break;
	}
	if (r < 0)
		given_error(&q->given, -ENOMEM, "the store cannot write now: say it again");
	else
		give_done(q);
}

/* --- answers that wait for the disk --- */

struct waiting {
	struct site *site;
	struct question *question;
};

static void answer_now(struct question *q)
{
	free(q->move);
	q->move = NULL;
	question_answer(q);
}

static void answer_again_later(struct site *site, struct question *q)
{
	given_free(&q->given);
	given_error(&q->given, -ENOMEM, "the store cannot write now: try again");
	machine_change_tell_refused(site,
		&(struct facts){ .has_mac = true, .mac = q->move->after.mac }, q->peer,
		"it is told to ask again, since what it asked for could not be taken down");
	answer_now(q);
}

static void on_answer_stored(void *ctx, int result)
{
	struct waiting *w = ctx;
	struct question *q = w->question;

	if (result == 0) {
		machine_change_tell_step(w->site, &q->move->before, &q->move->after, q->peer);
		answer_now(q);
	} else {
		machine_change_take_back(w->site, q->move);
		answer_again_later(w->site, q);
	}
	free(w);
}

/* While the answer was made, others pushed the machine out of the table, made the token void
 * that is in it, or took back what it changes: it must not leave. */
static bool is_void(const struct machine_move *m, const struct machine_state *now)
{
	if (!now)
		return true;
	if (m->after.token_use != MACHINE_TOKEN_NONE &&
		(now->token_use == MACHINE_TOKEN_NONE ||
			memcmp(now->token, m->after.token, sizeof(now->token)) != 0))
		return true;
	return machine_state_same_fate(now, &m->before) && !machine_state_same_fate(now, &m->after);
}

/* On disk shall be what became of the machine meanwhile, which need not be this one's doing:
 * what others did is theirs to tell. */
static int store_answer(struct site *site, struct question *q)
{
	const struct machine_state now = machine_change_begin(site, q->move->after.mac);
	struct waiting *w = malloc(sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return r;
	*w = (struct waiting){ site, q };
	if (!machine_state_same_fate(&now, &q->move->after))
		q->move->before = now;
	r = machine_change_move(site, &now, q->move);
	if (r == 0)
		r = machine_change_store(site, q->move, on_answer_stored, w);
	if (r < 0)
		free(w);
	return r;
}

void machines_answer(struct site *site, struct question *q)
{
	if (!q->move) {
		answer_now(q);
	} else if (is_void(q->move, machine_table_find(site->machines, q->move->after.mac))) {
		answer_again_later(site, q);
	} else if (store_answer(site, q) < 0) {
		machine_change_take_back(site, q->move);
		answer_again_later(site, q);
	}
}

/* --- orders --- */

struct ordering {
	struct site *site;
	struct machine_move move;
	uid_t uid;
	store_done done;
	void *ctx;
};

static void on_order_stored(void *ctx, int result)
{
	struct ordering *o = ctx;

	if (result == 0)
		machine_change_tell(o->site, &o->move.before, &o->move.after,
			"ordered by the control socket", (int64_t)o->uid);
	else
		machine_change_take_back(o->site, &o->move);
	o->done(o->ctx, result);
	free(o);
}

void machines_order(struct site *site, struct mac mac, enum machine_event order,
	const char *profile, uid_t uid, store_done done, void *ctx)
{
	struct machine_state after = machine_change_begin(site, mac);
	struct ordering *o = malloc(sizeof(*o));
	int r = o ? 0 : -ENOMEM;

	(void)machine_state_apply(&after, order, profile, now_s());
	if (r == 0) {
		*o = (struct ordering){ .site = site, .uid = uid, .done = done, .ctx = ctx };
		r = machine_change_move(site, &after, &o->move);
	}
	if (r < 0) {
		free(o);
		done(ctx, r);
		return;
	}
	r = machine_change_store(site, &o->move, on_order_stored, o);
	if (r < 0)
		on_order_stored(o, r);
}
