/* The DHCPv4 codec and what is read out of its messages.
 *
 * The input is a packet.  Checked: every span of a decoded message lies in the
 * packet or in the arena and can be read; what is encoded from it decodes to
 * the same; facts and relay sub-options can be taken of anything.
 */
#include "core/facts.h"
#include "wire/dhcp4_options.h"

#include <stdlib.h>

#define CHECK(x)    ((x) ? (void)0 : abort())
#define ARENA_LIMIT 65536u
#define PACKET_MAX  131072u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads each octet, so that the sanitizer sees a span that reaches too far. */
static unsigned touch(struct span s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += s.p[i];
	return sum;
}

/* Cut where put_field() cuts, PAD behind. */
static void check_field(struct span before, struct span after, size_t size)
{
	size_t kept = before.n < size - 1 ? before.n : size - 1;

	CHECK(after.n == size && after.p[size - 1] == 0);
	CHECK(kept == 0 || memcmp(before.p, after.p, kept) == 0);
}

static void check_same(
	const struct dhcp4_msg *m, const struct dhcp4_msg *n, const struct dhcp4_out *out)
{
	CHECK(m->op == n->op && m->htype == n->htype && m->hlen == n->hlen && m->hops == n->hops);
	CHECK(m->xid == n->xid && m->secs == n->secs && m->flags == n->flags && m->type == n->type);
	CHECK(ip4_eq(m->ciaddr, n->ciaddr) && ip4_eq(m->yiaddr, n->yiaddr));
	CHECK(ip4_eq(m->siaddr, n->siaddr) && ip4_eq(m->giaddr, n->giaddr));
	CHECK(memcmp(m->chaddr, n->chaddr, sizeof(m->chaddr)) == 0);
	check_field(m->sname, n->sname, 64);
	check_field(m->file, n->file, 128);
	for (size_t i = 0; i < out->n_options; i++)
		CHECK(span_eq(m->opt[out->options[i].code], n->opt[out->options[i].code]));
}

/* Option 52 stays out: the encoder writes its own. */
static void add_options(const struct dhcp4_msg *m, struct dhcp4_out *out)
{
	dhcp4_out_add(out, OPT_MESSAGE_TYPE, true, m->opt[OPT_MESSAGE_TYPE]);
	for (unsigned code = 1; code < OPT_END; code++)
		if (code != OPT_OVERLOAD && code != OPT_MESSAGE_TYPE)
			dhcp4_out_add(out, (enum dhcp4_option)code, true, m->opt[code]);
}

static void check_comes_back(const struct dhcp4_msg *m)
{
	static uint8_t buf[PACKET_MAX];
	struct dhcp4_out out = { .op = m->op,
		.htype = m->htype,
		.hlen = m->hlen,
		.hops = m->hops,
		.xid = m->xid,
		.secs = m->secs,
		.flags = m->flags,
		.ciaddr = m->ciaddr,
		.yiaddr = m->yiaddr,
		.siaddr = m->siaddr,
		.giaddr = m->giaddr,
		.sname = m->sname,
		.file = m->file };
	struct wr w = wr_of(buf, sizeof(buf));
	struct dhcp4_msg again;
	struct arena a;

	memcpy(out.chaddr, m->chaddr, sizeof(out.chaddr));
	add_options(m, &out);
	CHECK(dhcp4_encode(&out, sizeof(buf), &w) == 0);
	CHECK(w.n >= DHCP4_REPLY_MIN);
	arena_init(&a, 2 * ARENA_LIMIT);
	CHECK(dhcp4_decode(&a, wr_done(&w), &again) == DROP_NONE);
	check_same(m, &again, &out);
	arena_free(&a);
}

/* However small the room, a reply stays in it or is refused; what it holds is
 * whole, also where header fields took some of it (option 52). */
static void check_small_room(const struct dhcp4_msg *m, size_t max_size)
{
	uint8_t buf[1500];
	struct wr w = wr_of(buf, sizeof(buf));
	struct dhcp4_out out = { .op = DHCP4_BOOTREPLY, .may_overload = m->flags & 1 };
	struct dhcp4_msg again;
	struct arena a;

	if (m->flags & 2)
		out.file = SPAN_LIT("f");
	if (m->flags & 4)
		out.sname = SPAN_LIT("s");
	dhcp4_out_add(&out, OPT_MESSAGE_TYPE, true, m->opt[OPT_MESSAGE_TYPE]);
	for (unsigned code = 1; code < OPT_END; code++)
		if (code != OPT_OVERLOAD && code != OPT_MESSAGE_TYPE)
			dhcp4_out_add(&out, (enum dhcp4_option)code, code % 3 == 0, m->opt[code]);
	if (dhcp4_encode(&out, max_size, &w) < 0)
		return;
	CHECK(w.n <= (max_size > DHCP4_REPLY_MIN ? max_size : DHCP4_REPLY_MIN));
	arena_init(&a, ARENA_LIMIT);
	CHECK(dhcp4_decode(&a, wr_done(&w), &again) == DROP_NONE);
	for (size_t i = 0; i < out.n_options; i++) {
		const struct dhcp4_out_option *o = &out.options[i];

		if (o->needed || dhcp4_has(&again, (enum dhcp4_option)o->code))
			CHECK(span_eq(o->value, again.opt[o->code]));
	}
	CHECK(out.may_overload || !dhcp4_has(&again, OPT_OVERLOAD));
	CHECK(out.file.n == 0 || again.file.p[0] == 'f');
	CHECK(out.sname.n == 0 || again.sname.p[0] == 's');
	arena_free(&a);
}

/* Any value of any type is shown as printable text. */
static void check_shown(struct span v)
{
	for (int t = OPT_T_HEX; t <= OPT_T_S32; t++) {
		struct text shown = { 0 };

		dhcp4_option_format((enum dhcp4_option_type)t, v, &shown);
		for (size_t i = 0; i < shown.n; i++)
			CHECK(shown.p[i] >= 0x20 && shown.p[i] < 0x7f);
		text_free(&shown);
	}
}

static void check_facts(const struct dhcp4_msg *m)
{
	struct facts f;

	facts_from_dhcp4(m, "lan", &f);
	CHECK(facts_kind_text(&f) != NULL && facts_arch_name(&f) != NULL);
	CHECK((f.client == CLIENT_DHCP) == (f.transport == TRANSPORT_NONE));
	CHECK(f.client != CLIENT_DHCP || !f.has_arch);
	(void)touch(f.vendor_class);
	(void)touch(f.user_class);
	(void)touch(f.hostname);
	(void)touch(f.circuit_id);
	(void)touch(f.remote_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp4_msg m;
	struct arena a;

	if (size > PACKET_MAX / 4)
		return 0;
	arena_init(&a, ARENA_LIMIT);
	if (dhcp4_decode(&a, (struct span){ data, size }, &m) == DROP_NONE) {
		for (size_t code = 0; code < 256; code++)
			(void)touch(m.opt[code]);
		check_shown(m.opt[OPT_CLIENT_ID]);
		check_shown(m.opt[OPT_PARAMETER_LIST]);
		for (unsigned code = 0; code < 256; code++)
			(void)touch(dhcp4_relay_suboption(m.opt[OPT_RELAY_AGENT], (uint8_t)code));
		CHECK(!dhcp4_has(&m, OPT_PAD) && !dhcp4_has(&m, OPT_END));
		CHECK(strcmp(dhcp4_type_name(m.type), "?") != 0);
		check_facts(&m);
		check_comes_back(&m);
		check_small_room(&m, m.xid % 1500);
	}
	arena_free(&a);
	return 0;
}
