/* Trying forms of answers, and the memory of those that worked. */
#include "core/forms.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/* Firmware of one machine that is told apart: BIOS and UEFI in turn, a boot ROM
 * and the loader that it started. */
#define STAGES_MAX 3u

/* What is being tried with one firmware of a machine. */
struct attempt {
	uint64_t fingerprint; /* 0: unused */
	enum forms_mode mode;
	enum form form;
	int64_t since_s;   /* the offer whose outcome is awaited */
	unsigned failures; /* of this form, one after the other */
	bool asked, fetched;
};

struct machine_forms {
	struct mac mac;
	struct attempt stage[STAGES_MAX];  /* the latest first */
	struct machine_forms *prev, *next; /* oldest first */
	UT_hash_handle by_mac;
};

/* No padding: it is hashed as octets. */
struct proven_key {
	uint64_t fingerprint;
	struct mac mac;
	uint16_t mode;
};

struct proven {
	struct proven_key key;
	enum form form;
	int64_t used_s;
	struct proven *prev, *next; /* least recently used first */
	UT_hash_handle by_key;
};

struct forms {
	struct machine_forms *by_mac, *queue;
	struct proven *by_key, *used;
	size_t n_machines, n_proven;
};

static const struct mac any_machine;

const char *form_name(enum form form)
{
	static const char *const names[] = {
		[FORM_DIRECT] = "direct",
		[FORM_BINL] = "binl",
		[FORM_MENU] = "menu",
		[FORM_PLAIN] = "plain",
		[FORM_RPI] = "raspberry-pi",
		[FORM_RPI_PADDED] = "raspberry-pi-padded",
		[FORM_RPI_LATE] = "raspberry-pi-late",
		[FORM_BOOT_SERVER] = "boot-server",
	};

	return names[form];
}

int form_parse(struct span name, enum form *ret)
{
	for (enum form f = FORM_DIRECT; f < FORM_COUNT; f++) {
		if (span_eq(name, span_str(form_name(f)))) {
			*ret = f;
			return 0;
		}
	}
	return -EINVAL;
}

int forms_new(struct forms **ret)
{
	struct forms *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*ret = f;
	return 0;
}

static void drop_machine(struct forms *f, struct machine_forms *m)
{
	HASH_DELETE(by_mac, f->by_mac, m);
	DL_DELETE(f->queue, m);
	f->n_machines--;
	free(m);
}

static void drop_proven(struct forms *f, struct proven *p)
{
	HASH_DELETE(by_key, f->by_key, p);
	DL_DELETE(f->used, p);
	f->n_proven--;
	free(p);
}

void forms_free(struct forms *f)
{
	if (!f)
		return;
	while (f->queue)
		drop_machine(f, f->queue);
	while (f->used)
		drop_proven(f, f->used);
	free(f);
}

/* FNV-1a. */
static uint64_t mix(uint64_t h, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3u;
	return (h ^ s.n) * 0x100000001b3u;
}

uint64_t forms_fingerprint(const struct dhcp4_msg *m)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < m->n_order; i++)
		if (m->order[i] != OPT_REQUESTED_ADDRESS) /* there when it had one before */
			h = mix(h, (struct span){ &m->order[i], 1 });
	h = mix(h, m->opt[OPT_PARAMETER_LIST]);
	h = mix(h, m->opt[OPT_VENDOR_CLASS]);
	h = mix(h, m->opt[OPT_CLIENT_ARCH]);
	h = mix(h, m->opt[OPT_CLIENT_NDI]);
	return h ? h : 1;
}

static struct proven_key key_of(struct mac mac, uint64_t fingerprint, enum forms_mode mode)
{
	return (struct proven_key){ fingerprint, mac, (uint16_t)mode };
}

static struct proven *find_proven(const struct forms *f, struct proven_key key)
{
	struct proven *p = NULL;

	HASH_FIND(by_key, f->by_key, &key, sizeof(key), p);
	return p;
}

static int put_proven(struct forms *f, struct proven_key key, enum form form, int64_t now_s)
{
	struct proven *p = find_proven(f, key), *added = NULL;

	if (p) {
		DL_DELETE(f->used, p);
	} else {
		if (f->n_proven == FORMS_PROVEN_MAX)
			drop_proven(f, f->used);
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->key = key;
		HASH_ADD(by_key, f->by_key, key, sizeof(p->key), p);
		HASH_FIND(by_key, f->by_key, &key, sizeof(key), added);
		if (!added) {
			free(p);
			return -ENOMEM;
		}
		f->n_proven++;
	}
	p->form = form;
	p->used_s = now_s;
	DL_APPEND(f->used, p);
	return 0;
}

static struct machine_forms *find_machine(const struct forms *f, struct mac mac)
{
	struct machine_forms *m = NULL;

	HASH_FIND(by_mac, f->by_mac, &mac, sizeof(mac), m);
	return m;
}

static struct machine_forms *find_or_make_machine(struct forms *f, struct mac mac)
{
	struct machine_forms *m = find_machine(f, mac), *added = NULL;

	if (m) {
		DL_DELETE(f->queue, m);
		DL_APPEND(f->queue, m);
		return m;
	}
	if (f->n_machines == FORMS_MACHINES_MAX)
		drop_machine(f, f->queue);
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->mac = mac;
	HASH_ADD(by_mac, f->by_mac, mac, sizeof(m->mac), m);
	HASH_FIND(by_mac, f->by_mac, &mac, sizeof(mac), added);
	if (!added) {
		free(m);
		return NULL;
	}
	DL_APPEND(f->queue, m);
	f->n_machines++;
	return m;
}

/* The attempt of this firmware, moved to the front; what it displaces is the
 * one that was heard of longest ago. */
static struct attempt *find_or_make_attempt(
	struct machine_forms *m, uint64_t fingerprint, enum forms_mode mode)
{
	struct attempt found = { .fingerprint = fingerprint, .mode = mode, .since_s = INT64_MIN };
	size_t i;

	for (i = 0; i < STAGES_MAX - 1; i++)
		if (m->stage[i].fingerprint == fingerprint && m->stage[i].mode == mode)
			break;
	if (m->stage[i].fingerprint == fingerprint && m->stage[i].mode == mode)
		found = m->stage[i];
	memmove(&m->stage[1], &m->stage[0], i * sizeof(m->stage[0]));
	m->stage[0] = found;
	return &m->stage[0];
}

static bool is_in(const struct form_order *order, enum form form)
{
	for (size_t i = 0; i < order->n; i++)
		if (order->list[i] == form)
			return true;
	return false;
}

/* The form behind this one; the first again behind the last. */
static enum form next_form(const struct form_order *order, enum form form)
{
	for (size_t i = 0; i + 1 < order->n; i++)
		if (order->list[i] == form)
			return order->list[i + 1];
	return order->list[0];
}

static const struct proven *proven_for(
	const struct forms *f, struct mac mac, const struct attempt *at)
{
	const struct proven *p = find_proven(f, key_of(mac, at->fingerprint, at->mode));

	return p ? p : find_proven(f, key_of(any_machine, at->fingerprint, at->mode));
}

/* Does this DISCOVER say that the last answer was of no use? */
static bool comes_back(const struct attempt *at, int64_t now_s)
{
	int64_t after_s = now_s - at->since_s;

	return after_s >= (at->mode == FORMS_PROXY ? FORMS_PROXY_RETRY_S : FORMS_RETRY_S) &&
		after_s <= FORMS_FORGET_S;
}

/* One failure may be a lost packet or a finger on the reset button: a form that
 * worked before, or was understood as far as port 4011, has a second chance. */
static unsigned failures_needed(const struct attempt *at, const struct proven *known)
{
	return at->asked || (known && known->form == at->form) ? 2 : 1;
}

static void on_discover(struct forms *f, struct attempt *at, struct mac mac,
	const struct form_order *order, int64_t now_s, struct form_choice *ret)
{
	const struct proven *known = proven_for(f, mac, at);
	bool is_new = at->since_s == INT64_MIN || at->fetched;

	if (is_new) {
		at->form = known && is_in(order, known->form) ? known->form : order->list[0];
		at->failures = 0;
		at->asked = at->fetched = false;
	} else if (comes_back(at, now_s)) {
		at->failures++;
		if (at->failures >= failures_needed(at, known)) {
			ret->last = at->form;
			at->form = next_form(order, at->form);
			ret->changed = at->form != ret->last;
			at->failures = 0;
			at->asked = false;
		}
	} else if (now_s - at->since_s <= FORMS_FORGET_S) {
		return; /* one more of a burst */
	}
	at->since_s = now_s;
}

void forms_choose(struct forms *f, const struct dhcp4_msg *m, const struct facts *facts,
	enum forms_mode mode, int64_t now_s, struct form_choice *ret)
{
	const struct form_quirk *quirk = forms_quirk(m, facts);
	const struct form_order *order = &quirk->order[mode];
	struct machine_forms *machine;
	struct attempt *at;

	*ret = (struct form_choice){ .mode = mode, .form = order->list[0], .quirk = quirk };
	if (!f || !facts->has_mac)
		return;
	if (m->type == DHCP4_DISCOVER) {
		machine = find_or_make_machine(f, facts->mac);
		if (!machine)
			return;
		at = find_or_make_attempt(machine, forms_fingerprint(m), mode);
		on_discover(f, at, facts->mac, order, now_s, ret);
	} else {
		machine = find_machine(f, facts->mac);
		at = machine ? &machine->stage[0] : NULL;
	}
	if (at && at->mode == mode && is_in(order, at->form))
		ret->form = at->form;
}

void forms_asked(struct forms *f, struct mac mac)
{
	struct machine_forms *m = find_machine(f, mac);

	if (m)
		m->stage[0].asked = true;
}

bool forms_fetched(struct forms *f, struct mac mac, int64_t now_s, struct forms_record *ret)
{
	struct machine_forms *m = find_machine(f, mac);
	struct attempt *at = m ? &m->stage[0] : NULL;
	const struct proven *known;
	bool news;

	if (!at || at->fetched || now_s - at->since_s > FORMS_FORGET_S)
		return false;
	at->fetched = true;
	known = find_proven(f, key_of(mac, at->fingerprint, at->mode));
	news = !known || known->form != at->form;
	*ret = (struct forms_record){ mac, at->fingerprint, at->mode, at->form, now_s };
	/* Without memory for it, it is found out once more the next time. */
	(void)put_proven(f, key_of(any_machine, at->fingerprint, at->mode), at->form, now_s);
	(void)put_proven(f, key_of(mac, at->fingerprint, at->mode), at->form, now_s);
	return news;
}

void forms_dump(
	const struct forms *f, void (*each)(void *ctx, const struct forms_record *r), void *ctx)
{
	const struct proven *p;

	DL_FOREACH(f->used, p) {
		const struct forms_record r = { p->key.mac, p->key.fingerprint,
			(enum forms_mode)p->key.mode, p->form, p->used_s };

		each(ctx, &r);
	}
}

int forms_restore(struct forms *f, const struct forms_record *r)
{
	if ((unsigned)r->form >= FORM_COUNT || (unsigned)r->mode > FORMS_PROXY)
		return -EINVAL;
	return put_proven(f, key_of(r->mac, r->fingerprint, r->mode), r->form, r->used_s);
}
