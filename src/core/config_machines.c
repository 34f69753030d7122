/* The machines that the file knows by name. */
#include "core/config_load_impl.h"

struct machine_lists {
	struct unique_list names, macs, uuids, addresses;
};

struct reading {
	struct machine machine;
	struct machine_lists *lists;
};

static void read_name(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	const char *name = load_text(l, v, "the machine's name such as web1");

	if (!name)
		return;
	r->machine.name = name;
	if (load_check_name(l, span_str(name), v->pos, "a machine"))
		unique_add(l, &r->lists->names, span_str(name), name, v->pos);
}

static void read_mac(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	static const uint8_t zero[6];
	struct mac mac;

	r->machine.has_mac = true;
	if (v->kind != YAML_SCALAR || mac_parse(v->text, &mac) < 0) {
		load_unexpected(l, v, "a MAC address such as 52:54:00:12:34:56");
		return;
	}
	if ((mac.b[0] & 1) || memcmp(mac.b, zero, sizeof(zero)) == 0) {
		config_error_add(l->errs, v->pos,
			"%s is no machine's own address: it is zero, or a group's", mac_str(mac).s);
		return;
	}
	r->machine.mac = mac;
	unique_add(
		l, &r->lists->macs, (struct span){ mac.b, sizeof(mac.b) }, mac_str(mac).s, v->pos);
}

static void read_uuid(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct uuid uuid, swapped;
	const struct uuid *first;

	r->machine.has_uuid = true;
	if (v->kind != YAML_SCALAR || uuid_parse(v->text, &uuid) < 0) {
		load_unexpected(l, v, "a UUID such as 4c4c4544-0042-3510-8052-b4c04f4d3532");
		return;
	}
	if (uuid_is_default(uuid)) {
		config_error_add(l->errs, v->pos,
			"%s is what firmware has where nobody set a UUID, thousands of machines "
			"share it: use the MAC",
			uuid_str(uuid).s);
		return;
	}
	r->machine.uuid = uuid;
	/* Firmware sends either octet order, so both forms are one identity. */
	swapped = uuid_swap(uuid);
	first = memcmp(uuid.b, swapped.b, sizeof(uuid.b)) <= 0 ? &uuid : &swapped;
	unique_add(l, &r->lists->uuids, (struct span){ first->b, sizeof(first->b) },
		uuid_str(uuid).s, v->pos);
}

/* False where a network's subnet is its interface's, which the file does not tell. */
static bool all_subnets_known(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_networks; i++)
		if (!cfg->networks[i].has_subnet)
			return false;
	return cfg->n_networks > 0;
}

static void check_reservation(struct loading *l, struct ip4 a, struct src_pos pos)
{
	for (size_t i = 0; i < l->cfg->n_networks; i++) {
		const struct network *net = &l->cfg->networks[i];
		uint32_t hosts = ~ip4_mask(net->prefix_len);

		if (!net->has_subnet || !ip4_in(a, net->subnet, net->prefix_len))
			continue;
		if ((a.v & hosts) == 0 || (a.v & hosts) == hosts)
			config_error_add(l->errs, pos,
				"%s is the %s address of %s/%u: no machine can have it",
				ip4_str(a).s, (a.v & hosts) ? "broadcast" : "network",
				ip4_str(net->subnet).s, net->prefix_len);
		return;
	}
	if (all_subnets_known(l->cfg))
		config_error_add(l->errs, pos,
			"%s lies in no configured subnet: correct it, or add its network under "
			"`networks`",
			ip4_str(a).s);
}

static void read_address(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;
	struct ip4 a;
	uint8_t octets[4];
	struct wr w = wr_of(octets, sizeof(octets));

	if (!load_address(l, v, &a))
		return;
	r->machine.address = a;
	wr_u32(&w, a.v);
	unique_add(l, &r->lists->addresses, wr_done(&w), ip4_str(a).s, v->pos);
	check_reservation(l, a, v->pos);
}

static void read_profile(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	r->machine.profile = load_profile_ref(l, v);
}

static void read_vars(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_vars(l, v, &r->machine.vars, &r->machine.n_vars);
}

static void read_options(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	load_options(l, v, OPTIONS_OF_MACHINE, &r->machine.options);
}

static const struct load_key machine_keys[] = {
	{ "name", read_name },
	{ "mac", read_mac },
	{ "uuid", read_uuid },
	{ "address", read_address },
	{ "profile", read_profile },
	{ "vars", read_vars },
	{ "options", read_options },
};

void load_machines(struct loading *l, const struct yaml *v)
{
	struct machine_lists lists;
	struct machine *machines;
	size_t n = 0;

	if (!load_list(
		    l, v, "a list of machines, each like `- {name: web1, mac: 52:54:00:12:34:56}`"))
		return;
	machines = LOAD_ARRAY(l, struct machine, v->n);
	if (!machines || !unique_init(l, &lists.names, "the name", v->n) ||
		!unique_init(l, &lists.macs, "the MAC address", v->n) ||
		!unique_init(l, &lists.uuids, "the UUID", v->n) ||
		!unique_init(l, &lists.addresses, "the address", v->n))
		return;
	for (const struct yaml *i = v->first; i; i = i->next) {
		struct reading r = { .machine = { .pos = i->pos }, .lists = &lists };

		if (!load_map(l, i, "a machine", machine_keys, ARRAY_LEN(machine_keys), &r))
			continue;
		if (!yaml_find(i, "name"))
			config_error_add(l->errs, i->pos,
				"this machine has no name: add one such as `name: web1`");
		if (!r.machine.has_mac && !r.machine.has_uuid)
			config_error_add(l->errs, i->pos,
				"this machine has neither mac nor uuid: nothing would tell it from "
				"others");
		machines[n++] = r.machine;
	}
	unique_report(l, &lists.names);
	unique_report(l, &lists.macs);
	unique_report(l, &lists.uuids);
	unique_report(l, &lists.addresses);
	l->cfg->machines = machines;
	l->cfg->n_machines = n;
	l->no_memory = config_index_machines(l->cfg) < 0 || l->no_memory;
}
