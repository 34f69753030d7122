/* The shared state of the services. */
#include "app/site.h"

#include "edge/clock.h"
#include "edge/neighbours.h"

#include <unistd.h>

int site_open(struct site *s)
{
	int r = lease_table_new(&s->leases);

	s->neighbours = -1;
	if (r == 0)
		r = clients_new(&s->clients);
	if (r == 0)
		r = forms_new(&s->forms);
	if (r == 0)
		r = machine_table_new(&s->machines);
	if (r == 0)
		r = s->neighbours = neighbours_open();
	return r < 0 ? r : 0;
}

void site_close(struct site *s)
{
	lease_table_free(s->leases);
	clients_free(s->clients);
	forms_free(s->forms);
	machine_table_free(s->machines);
	if (s->neighbours >= 0)
		close(s->neighbours);
}

void site_adopt(struct site *s, struct snapshot *next)
{
	struct snapshot *old = s->now;

	s->now = next;
	s->cfg = next ? next->cfg : NULL;
	s->nets = next ? next->nets : NULL;
	snapshot_unref(old);
}

enum site_disk site_root(enum transport t)
{
	return t == TRANSPORT_TFTP ? DISK_TFTP_ROOT : DISK_HTTP_ROOT;
}

/* We may have started since its firmware asked, and what runs on it now said less. */
static void add_remembered(const struct site *s, struct facts *f)
{
	const struct machine_state *state = f->has_mac ? machine_table_find(s->machines, f->mac)
						       : NULL;
	struct facts before;

	if (!state)
		return;
	machine_state_facts(state, &before);
	if (!f->has_uuid) {
		f->has_uuid = before.has_uuid;
		f->uuid = before.uuid;
	}
	if (!f->has_arch && f->arch == ARCH_UNKNOWN) {
		f->has_arch = before.has_arch;
		f->arch_number = before.arch_number;
		f->arch = before.arch;
	}
}

struct ip4 site_facts_of_mac(struct site *s, struct mac mac, struct ip4 asker, struct facts *ret)
{
	const struct machine_state *state;
	struct ip4 told = asker;

	if (clients_find(s->clients, mac, ret, &told)) {
		add_remembered(s, ret);
		return told.v ? told : asker;
	}
	/* An installation goes on all the same. */
	state = machine_table_find(s->machines, mac);
	if (state)
		machine_state_facts(state, ret);
	else
		*ret = (struct facts){ .client = CLIENT_DHCP, .has_mac = true, .mac = mac };
	return asker;
}

/* On a wire of ours that an address is on, whoever gave it. */
static bool neighbour_mac(struct site *s, struct ip4 a, struct mac *ret)
{
	const struct served *net = served_by_address(s->nets, a);

	return net && net->cfg->interface &&
		neighbour_find(s->neighbours, net->cfg->interface, a, ret) == 0;
}

bool site_facts_of_address(struct site *s, struct ip4 a, struct facts *ret)
{
	const struct lease *l = lease_find_address(s->leases, a);
	struct mac mac;

	*ret = (struct facts){ .client = CLIENT_DHCP };
	if (l && lease_is_live(l, clock_lease_s())) {
		if (!lease_mac(l, &mac))
			return false;
	} else {
		/* Beside another server, or where addresses are set by hand: what was heard of
		 * it, else what the kernel knows. */
		if (clients_find_address(s->clients, a, ret)) {
			add_remembered(s, ret);
			return true;
		}
		if (!neighbour_mac(s, a, &mac))
			return false;
	}
	(void)site_facts_of_mac(s, mac, a, ret);
	return true;
}

void site_add_thread(struct site *s, const struct serving_thread *t)
{
	s->threads[s->n_threads++] = t;
}

void site_remove_thread(struct site *s, const struct serving_thread *t)
{
	size_t i = 0;

	while (s->threads[i] != t)
		i++;
	memmove(&s->threads[i], &s->threads[i + 1], (--s->n_threads - i) * sizeof(s->threads[0]));
}

static const struct machine *machine_of(const struct site *s, const struct facts *f)
{
	return config_find_machine(
		s->cfg, f->has_mac ? &f->mac : NULL, f->has_uuid ? &f->uuid : NULL);
}

bool site_is_machine(struct site *s, struct ip4 a, const struct facts *who)
{
	const struct machine *m = machine_of(s, who);
	struct facts f;

	if (!site_facts_of_address(s, a, &f))
		return m && m->address.v && ip4_eq(m->address, a);
	/* Not by its MAC alone where the configuration has it: who asks may have named the UUID. */
	return m ? m == machine_of(s, &f) : f.has_mac && who->has_mac && mac_eq(f.mac, who->mac);
}

struct mac site_state_key(const struct site *s, const struct facts *f)
{
	return machine_table_key(s->machines, s->cfg, f);
}

void site_decide(const struct site *s, struct facts *f, struct answer *ret)
{
	f->state = f->has_mac ? machine_table_find(s->machines, site_state_key(s, f)) : NULL;
	f->now_s = clock_lease_s();
	boot_decide(s->cfg, f, ret);
}

void site_form_worked(struct site *s, const struct facts *f)
{
	struct forms_record r;

	if (!f->has_mac || !forms_fetched(s->forms, f->mac, clock_lease_s(), &r))
		return;
	store_remember_form(s->store, &r);
	r.mac = (struct mac){ 0 };
	store_remember_form(s->store, &r);

	const struct mac_text mac = mac_str(f->mac);
	const struct log_field fields[] = { FIELD_STR("mac", mac.s),
		FIELD_STR("form", form_name(r.form)) };

	log_event(s->log, LOG_INFO, "dhcp", fields, ARRAY_LEN(fields),
		"%s took the boot answer in the form \"%s\": it and all of the same firmware get it first from now on",
		mac.s, form_name(r.form));
}

void site_say_nothing_to_run(
	struct site *s, const char *topic, const struct facts *f, struct ip4 a, const char *reason)
{
	const struct mac_text mac = mac_str(f->mac);
	const struct log_field fields[] = { FIELD_STR("mac", f->has_mac ? mac.s : NULL) };
	struct text who = { 0 };

	site_machine_text(s, f, a, &who);
	log_event(s->log, LOG_WARNING, topic, fields, ARRAY_LEN(fields),
		"%s has nothing to run: %s", text_str(&who), reason);
	text_free(&who);
}

void site_machine_text(struct site *s, const struct facts *f, struct ip4 a, struct text *out)
{
	const struct machine *m = machine_of(s, f);

	if (f->has_mac)
		text_adds(out, mac_str(f->mac).s);
	else
		text_adds(out, a.v ? ip4_str(a).s : "a client without a MAC");
	if (m)
		text_addf(out, " (%s)", m->name);
}
