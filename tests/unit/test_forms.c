/* Forms of PXE answers: the rules of the memory, and simulated firmware.
 *
 * A model accepts only what firmware-quirks.md says of its kind. It talks to the
 * whole server in memory; each must come to its boot file within a few tries,
 * and at the first one the second time, also as another machine of its kind.
 */
#include "core/config_load.h"
#include "core/dhcp4_proxy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TRIES_MAX 4u

/* What a model makes of an offer. */
enum verdict {
	REJECT,
	BOOT, /* fetches the file that it names */
	ASK,  /* asks port 4011 first */
};

struct model {
	const char *name;
	const char *class;
	int arch; /* option 93; -1: sent not at all */
	struct span machine_id, user_class;
	uint8_t oui[3];
	unsigned not_before_ms; /* what comes sooner makes it hang until it tries again */
	bool header_only;       /* reads siaddr and file, and no option */
	bool server, proxy;     /* in which networks it is tried */
	const char *file;
	enum verdict (*on_offer)(const struct model *m, const struct dhcp4_msg *offer, bool proxy);
};

static bool begins(struct span s, const char *prefix)
{
	return span_has_prefix(s, span_str(prefix));
}

static struct span vendor(const struct dhcp4_msg *m, uint8_t code)
{
	return pxe_vendor_suboption(m->opt[OPT_VENDOR_SPECIFIC], code);
}

static bool says_direct(const struct dhcp4_msg *m)
{
	struct span control = vendor(m, 6);

	return control.n == 1 && control.p[0] & 8;
}

/* A menu whose item is chosen without a key, and whose server it knows. */
static bool has_menu(const struct dhcp4_msg *m)
{
	struct span prompt = vendor(m, 10);

	return vendor(m, 8).n >= 7 && vendor(m, 9).n > 3 && prompt.n && prompt.p[0] == 0;
}

static bool names_file(const struct dhcp4_msg *m)
{
	return m->siaddr.v && (m->opt[OPT_BOOTFILE].n || m->file.p[0]);
}

/* EDK2, PxeBcParseDhcp4Packet and PxeBcSelectOffer. */
static enum verdict edk2(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	bool pxe10 = vendor(o, 6).n || vendor(o, 7).n || vendor(o, 8).n || vendor(o, 9).n ||
		vendor(o, 10).n;

	(void)m;
	assert_int_equal(o->opt[OPT_SERVER_ID].n, 4); /* it is read without a look */
	if (!begins(o->opt[OPT_VENDOR_CLASS], "PXEClient"))
		return !proxy && names_file(o) ? BOOT : REJECT;
	if (!pxe10)
		return ASK;
	if (says_direct(o))
		return names_file(o) ? BOOT : REJECT;
	return has_menu(o) ? ASK : REJECT;
}

/* Beside a router that sends a bootfile without option 60: a proxy's offer wins
 * in whatever form EDK2 takes it, else the router's file is booted. */
static enum verdict edk2_behind_router(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	enum verdict v = edk2(m, o, proxy);

	assert_int_not_equal(v, REJECT); /* it would have booted the router's file */
	return v;
}

static enum verdict bios_direct(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return begins(o->opt[OPT_VENDOR_CLASS], "PXEClient") && says_direct(o) && names_file(o)
		? BOOT
		: REJECT;
}

static enum verdict binl_only(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return begins(o->opt[OPT_VENDOR_CLASS], "PXEClient") && !dhcp4_has(o, OPT_VENDOR_SPECIFIC)
		? ASK
		: REJECT;
}

static enum verdict menu_only(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return begins(o->opt[OPT_VENDOR_CLASS], "PXEClient") && !says_direct(o) && has_menu(o)
		? ASK
		: REJECT;
}

static enum verdict oem_class(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return begins(o->opt[OPT_VENDOR_CLASS], "HW-Client") && says_direct(o) && names_file(o)
		? BOOT
		: REJECT;
}

static enum verdict raspberry(const struct dhcp4_msg *o, const char *text)
{
	struct span entry = vendor(o, 9);

	/* Type 0 and a text; the address from 66 (raspberrypi/firmware#670). */
	return begins(o->opt[OPT_VENDOR_CLASS], "PXEClient") && vendor(o, 6).n == 1 &&
			vendor(o, 10).n && entry.n == 3 + strlen(text) &&
			entry.p[2] == strlen(text) && begins(span_skip(entry, 3), text) &&
			o->opt[OPT_TFTP_SERVER].n
		? BOOT
		: REJECT;
}

static enum verdict raspberry_4(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return raspberry(o, "Raspberry Pi Boot");
}

static enum verdict raspberry_3(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return raspberry(o, "Raspberry Pi Boot   ");
}

static enum verdict ipxe(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	if (!names_file(o))
		return REJECT;
	return !proxy || begins(o->opt[OPT_VENDOR_CLASS], "PXEClient") ? BOOT : REJECT;
}

static enum verdict uboot(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return o->siaddr.v && o->file.p[0] ? BOOT : REJECT;
}

static enum verdict edk2_http(const struct model *m, const struct dhcp4_msg *o, bool proxy)
{
	(void)m;
	(void)proxy;
	return begins(o->opt[OPT_VENDOR_CLASS], "HTTPClient") &&
			begins(o->opt[OPT_BOOTFILE], "http://")
		? BOOT
		: REJECT;
}

#define BIOS_CLASS "PXEClient:Arch:00000:UNDI:002001"
#define UEFI_CLASS "PXEClient:Arch:00007:UNDI:003000"

static const struct model models[] = {
	{ "EDK2 PXEv4", UEFI_CLASS, 7, .server = true, .proxy = true, .file = "loaders/ipxe.efi",
		.on_offer = edk2 },
	{ "EDK2 behind a router with a bootfile", UEFI_CLASS, 7, .proxy = true,
		.file = "loaders/ipxe.efi", .on_offer = edk2_behind_router },
	{ "PXE BIOS ROM, direct", BIOS_CLASS, 0, .server = true, .proxy = true,
		.file = "loaders/undionly.kpxe", .on_offer = bios_direct },
	{ "PXE BIOS ROM without option 93", "PXEClient", -1, .server = true, .proxy = true,
		.file = "loaders/undionly.kpxe", .on_offer = bios_direct },
	{ "ROM that insists on BINL", BIOS_CLASS, 0, .server = true, .proxy = true,
		.file = "loaders/undionly.kpxe", .on_offer = binl_only },
	{ "UEFI that takes BINL only", UEFI_CLASS, 7, .server = true, .proxy = true,
		.file = "loaders/ipxe.efi", .on_offer = binl_only },
	{ "old ROM that needs a menu", BIOS_CLASS, 0, .server = true, .proxy = true,
		.file = "loaders/undionly.kpxe", .on_offer = menu_only },
	{ "OEM ROM with its own class", "HW-Client:Arch:00000", 0, .server = true, .proxy = true,
		.file = "loaders/undionly.kpxe", .on_offer = oem_class },
	{ "Raspberry Pi 4", BIOS_CLASS, 0, .machine_id = { (const uint8_t *)"\0RPi4", 5 },
		.server = true, .proxy = true, .file = "loaders/undionly.kpxe",
		.on_offer = raspberry_4 },
	{ "Raspberry Pi 3 that wants blanks", BIOS_CLASS, 0, .oui = { 0xb8, 0x27, 0xeb },
		.server = true, .proxy = true, .file = "loaders/undionly.kpxe",
		.on_offer = raspberry_3 },
	{ "Raspberry Pi 3B, whose ROM must not be answered at once", BIOS_CLASS, 0,
		.oui = { 0xb8, 0x27, 0xeb }, .not_before_ms = 1000, .server = true, .proxy = true,
		.file = "loaders/undionly.kpxe", .on_offer = raspberry_3 },
	{ "iPXE", BIOS_CLASS, 0, .user_class = { (const uint8_t *)"iPXE", 4 }, .server = true,
		.proxy = true, .file = "http://172.24.0.1/boot.ipxe", .on_offer = ipxe },
	{ "U-Boot, header only", "U-Boot.armv8", 0x16, .header_only = true, .server = true,
		.proxy = true, .file = "u-boot.img", .on_offer = uboot },
	{ "EDK2 HTTPv4", "HTTPClient:Arch:00016:UNDI:003001", 16, .server = true, .proxy = true,
		.file = "http://172.24.0.1/loaders/ipxe.efi", .on_offer = edk2_http },
};

struct world {
	struct config *cfg;
	struct served_set *nets;
	struct lease_table *leases;
	struct forms *forms;
	struct arena arena;
	int64_t now_s;
	bool proxy;
	unsigned delay_ms; /* of the last reply */
};

static void world_init(struct world *w, bool proxy)
{
	static const char yaml[] = "networks: [{interface: br0, dhcp: %s}]\n"
				   "profiles: {u-boot: {bootfile: u-boot.img}}\n"
				   "rules: [{match: {arch: arm64-uboot}, profile: u-boot}]\n";
	struct iface_view iface = { .name = "br0",
		.index = 2,
		.up = true,
		.ethernet = true,
		.mtu = 1500,
		.addrs = { { { 0xac180001 }, 16 } },
		.n_addrs = 1 };
	struct config_errors errs = { 0 };
	char text[256];

	*w = (struct world){ .now_s = 100000, .proxy = proxy };
	(void)snprintf(text, sizeof(text), yaml, proxy ? "proxy" : "server");
	assert_int_equal(config_load("yaml", span_str(text), &errs, &w->cfg), 0);
	w->cfg->loaders.file[FAMILY_IPXE][ARCH_BIOS].present =
		w->cfg->loaders.file[FAMILY_IPXE][ARCH_X64].present = true;
	assert_int_equal(served_build(w->cfg, &iface, 1, &w->nets), 0);
	assert_int_equal(lease_table_new(&w->leases), 0);
	assert_int_equal(forms_new(&w->forms), 0);
	arena_init(&w->arena, 0);
}

static void world_free(struct world *w)
{
	forms_free(w->forms);
	lease_table_free(w->leases);
	served_free(w->nets);
	config_free(w->cfg);
	arena_free(&w->arena);
}

static void put_option(struct wr *w, uint8_t code, struct span value)
{
	wr_u8(w, code);
	wr_u8(w, (uint8_t)value.n);
	wr_span(w, value);
}

/* A message of the model's, to port 67 or (with its address) to 4011, and what
 * comes back; type 0: nothing. */
static void exchange(struct world *w, const struct model *m, unsigned machine, enum dhcp4_type type,
	const struct dhcp4_msg *offer, bool on_pxe_port, struct dhcp4_msg *ret)
{
	const struct dhcp4_server srv = {
		.cfg = w->cfg, .nets = w->nets, .leases = w->leases, .forms = w->forms
	};
	struct dhcp4_rx rx = { .ifindex = 2, .on_pxe_port = on_pxe_port };
	uint8_t *buf = arena_alloc(&w->arena, 2048), *got = arena_alloc(&w->arena, 2048);
	struct ip4 address = { 0xac189000 + machine };
	struct wr out = wr_of(buf, 2048), reply = wr_of(got, 2048);
	struct dhcp4_msg msg;
	struct dhcp4_plan plan;

	assert_true(buf && got);
	wr_u32(&out, 0x01010600);
	wr_u32(&out, on_pxe_port ? 0 : 0x1234);
	wr_u32(&out, 0x00008000);
	wr_u32(&out, on_pxe_port ? address.v : 0);
	wr_fill(&out, 0, 12);
	wr_span(&out, (struct span){ m->oui, 3 });
	wr_fill(&out, (uint8_t)machine, 3);
	wr_fill(&out, 0, 10 + 64 + 128);
	wr_u32(&out, 0x63825363);
	put_option(&out, OPT_MESSAGE_TYPE, (struct span){ (const uint8_t[]){ (uint8_t)type }, 1 });
	put_option(&out, OPT_VENDOR_CLASS, span_str(m->class));
	if (m->arch >= 0)
		put_option(&out, OPT_CLIENT_ARCH,
			(struct span){ (const uint8_t[]){ 0, (uint8_t)m->arch }, 2 });
	if (m->machine_id.n)
		put_option(&out, OPT_MACHINE_ID, m->machine_id);
	if (m->user_class.n)
		put_option(&out, OPT_USER_CLASS, m->user_class);
	if (on_pxe_port && vendor(offer, 9).n) {
		struct span entry = vendor(offer, 9);
		const uint8_t item[] = { PXE_BOOT_ITEM, 4, entry.p[0], entry.p[1], 0, 0, 255 };

		put_option(&out, OPT_VENDOR_SPECIFIC, (struct span){ item, sizeof(item) });
		rx.source_port = 68;
	} else if (type == DHCP4_REQUEST && !on_pxe_port) {
		struct ip4 wants = w->proxy ? address : offer->yiaddr;
		const uint8_t b[] = { (uint8_t)(wants.v >> 24), (uint8_t)(wants.v >> 16),
			(uint8_t)(wants.v >> 8), (uint8_t)wants.v, 172, 24, 0, w->proxy ? 2 : 1 };

		put_option(&out, OPT_REQUESTED_ADDRESS, (struct span){ b, 4 });
		put_option(&out, OPT_SERVER_ID, (struct span){ b + 4, 4 });
	}
	wr_u8(&out, OPT_END);
	if (on_pxe_port)
		rx.source = address;
	assert_int_equal(dhcp4_decode(&w->arena, wr_done(&out), &msg), DROP_NONE);
	dhcp4_plan(&srv, &msg, &rx, w->now_s, &w->arena, &plan);
	*ret = (struct dhcp4_msg){ 0 };
	w->delay_ms = plan.delay_ms;
	if (plan.drop != DROP_NONE || !plan.reply_type)
		return;
	if (plan.commit)
		lease_stored(
			w->leases, plan.lease->address, plan.lease->state, plan.lease->expires_s);
	assert_int_equal(dhcp4_encode(&plan.out, plan.max_size, &reply), 0);
	assert_int_equal(dhcp4_decode(&w->arena, wr_done(&reply), ret), DROP_NONE);
	assert_int_equal(plan.dest == DHCP4_TO_SOURCE, on_pxe_port);
}

static void check_file(const struct model *m, const struct dhcp4_msg *answer)
{
	struct span option = answer->opt[OPT_BOOTFILE], file = span_until_nul(answer->file);
	bool is_ipxe = m->user_class.n;

	/* EDK2 writes a NUL behind the option: there must be one in it. */
	assert_true(option.n && option.p[option.n - 1] == 0);
	option.n--;
	if (!m->header_only)
		assert_true(is_ipxe ? begins(option, "http://172.24.0.1/")
				    : span_eq(option, span_str(m->file)));
	assert_true(is_ipxe || span_eq(file, span_str(m->file)));
	assert_int_equal(answer->siaddr.v, 0xac180001);
}

/* One offer, and all that the model does with it.  True: it has its file. */
static bool boot_once(struct world *w, const struct model *m, unsigned machine)
{
	struct dhcp4_msg offer, ack;
	struct forms_record record;
	unsigned delay_ms;
	enum verdict v;
	struct mac mac = { { m->oui[0], m->oui[1], m->oui[2], (uint8_t)machine, (uint8_t)machine,
		(uint8_t)machine } };

	exchange(w, m, machine, DHCP4_DISCOVER, NULL, false, &offer);
	assert_int_equal(offer.type, DHCP4_OFFER);
	assert_int_equal(offer.yiaddr.v == 0, w->proxy);
	delay_ms = w->delay_ms;
	v = m->on_offer(m, &offer, w->proxy);
	/* Also who rejects the boot part takes the address. */
	exchange(w, m, machine, DHCP4_REQUEST, &offer, false, &ack);
	assert_int_equal(ack.type, w->proxy ? 0 : DHCP4_ACK);
	if (!w->proxy) /* the ACK is in the offer's form */
		assert_int_equal(m->on_offer(m, &ack, false), v);
	assert_int_equal(w->delay_ms, 0);
	if (delay_ms < m->not_before_ms)
		v = REJECT;
	if (v == REJECT)
		return false;
	if (v == ASK) {
		exchange(w, m, machine, DHCP4_REQUEST, &offer, true, &ack);
		assert_int_equal(ack.type, DHCP4_ACK);
		assert_true(begins(ack.opt[OPT_VENDOR_CLASS], "PXEClient"));
		assert_int_equal(vendor(&ack, PXE_BOOT_ITEM).n, vendor(&offer, 9).n ? 4 : 0);
		check_file(m, &ack);
	} else {
		check_file(m, &offer);
	}
	(void)forms_fetched(w->forms, mac, w->now_s, &record);
	return true;
}

static unsigned boot(struct world *w, const struct model *m, unsigned machine)
{
	for (unsigned try = 1; try <= TRIES_MAX; try++) {
		bool done = boot_once(w, m, machine);

		arena_reset(&w->arena);
		if (done)
			return try;
		w->now_s += 8;
	}
	return TRIES_MAX + 1;
}

static void copy_record(void *ctx, const struct forms_record *r)
{
	assert_int_equal(forms_restore(ctx, r), 0);
}

static void restart(struct world *w)
{
	struct forms *next;

	assert_int_equal(forms_new(&next), 0);
	forms_dump(w->forms, copy_record, next);
	forms_free(w->forms);
	w->forms = next;
}

static void try_model(const struct model *m, bool proxy)
{
	struct world w;
	unsigned first, again, sibling, restarted;

	world_init(&w, proxy);
	first = boot(&w, m, 1);
	w.now_s += 30;
	again = boot(&w, m, 1);
	sibling = boot(&w, m, 2);
	restart(&w);
	w.now_s += 86400;
	restarted = boot(&w, m, 1) + boot(&w, m, 3);
	world_free(&w);
	if (first > TRIES_MAX || again != 1 || sibling != 1 || restarted != 2)
		fail_msg("%s, %s: %u tries, then %u, another machine %u, after a restart %u",
			m->name, proxy ? "proxy" : "server", first, again, sibling, restarted);
}

static void each_firmware_gets_its_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		if (models[i].server)
			try_model(&models[i], false);
		if (models[i].proxy)
			try_model(&models[i], true);
	}
}

/* A BIOS DISCOVER without more than forms look at. */
static const uint8_t list[] = { 1, 3, 43 };
static const struct mac machine_a = { { 0x52, 0x54, 0, 0, 0, 1 } };

struct bench {
	struct forms *forms;
	struct dhcp4_msg m;
	struct facts facts;
	struct form_choice c;
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){ .m = { .type = DHCP4_DISCOVER, .order = { 53, 55, 60 }, .n_order = 3 },
		.facts = { .client = CLIENT_PXE, .has_mac = true, .mac = machine_a } };
	b->m.opt[OPT_VENDOR_CLASS] = SPAN_LIT("PXEClient:Arch:00000:UNDI:002001");
	b->m.opt[OPT_PARAMETER_LIST] = (struct span){ list, sizeof(list) };
	assert_int_equal(forms_new(&b->forms), 0);
}

static enum form discover(struct bench *b, enum forms_mode mode, int64_t now_s)
{
	forms_choose(b->forms, &b->m, &b->facts, mode, now_s, &b->c);
	return b->c.form;
}

static bool fetched(struct bench *b, int64_t now_s)
{
	struct forms_record r;

	return forms_fetched(b->forms, b->facts.mac, now_s, &r);
}

static void tries_one_after_the_other(void **state)
{
	static const enum form order[] = { FORM_DIRECT, FORM_PLAIN, FORM_MENU, FORM_BINL,
		FORM_DIRECT };
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		assert_int_equal(discover(&b, FORMS_SERVER, 1000 + 4 * (int64_t)i), order[i]);
		assert_int_equal(b.c.changed, i > 0);
		if (i)
			assert_int_equal(b.c.last, order[i - 1]);
	}
	/* In the same burst, and in the REQUEST: what was offered. */
	assert_int_equal(discover(&b, FORMS_SERVER, 1017), FORM_DIRECT);
	assert_int_equal(discover(&b, FORMS_SERVER, 1018), FORM_DIRECT);
	assert_false(b.c.changed);
	assert_int_equal(discover(&b, FORMS_SERVER, 1020), FORM_PLAIN);
	b.m.type = DHCP4_REQUEST;
	assert_int_equal(discover(&b, FORMS_SERVER, 1030), FORM_PLAIN);
	b.m.type = DHCP4_DISCOVER;
	/* Much later: no answer to that offer. */
	assert_int_equal(discover(&b, FORMS_SERVER, 1020 + FORMS_FORGET_S + 1), FORM_PLAIN);
	/* A proxy has more patience: the address server may be slow. */
	assert_int_equal(discover(&b, FORMS_PROXY, 5000), FORM_DIRECT);
	assert_int_equal(discover(&b, FORMS_PROXY, 5004), FORM_DIRECT);
	assert_int_equal(discover(&b, FORMS_PROXY, 5005), FORM_MENU);
	forms_free(b.forms);
}

static void remembers_what_worked(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_false(fetched(&b, 990)); /* nothing was offered */
	assert_int_equal(discover(&b, FORMS_SERVER, 1000), FORM_DIRECT);
	assert_int_equal(discover(&b, FORMS_SERVER, 1004), FORM_PLAIN);
	assert_true(fetched(&b, 1005));
	assert_false(fetched(&b, 1006)); /* no news */
	/* The next boot, a second after the last one. */
	assert_int_equal(discover(&b, FORMS_SERVER, 1007), FORM_PLAIN);
	assert_false(b.c.changed);
	/* One failure may be chance, two are not. */
	assert_int_equal(discover(&b, FORMS_SERVER, 1011), FORM_PLAIN);
	assert_int_equal(discover(&b, FORMS_SERVER, 1015), FORM_MENU);
	assert_true(fetched(&b, 1016));
	/* Another machine of that firmware, at the first try; its own record is news. */
	b.facts.mac.b[5] = 2;
	assert_int_equal(discover(&b, FORMS_SERVER, 2000), FORM_MENU);
	assert_true(fetched(&b, 2001));
	/* Other firmware, and the other mode, know nothing of it. */
	b.m.order[2] = 61;
	assert_int_equal(discover(&b, FORMS_SERVER, 2002), FORM_DIRECT);
	b.m.order[2] = 60;
	assert_int_equal(discover(&b, FORMS_PROXY, 2002), FORM_DIRECT);
	/* A fetch long after the offer proves nothing. */
	assert_false(fetched(&b, 2002 + FORMS_FORGET_S + 1));
	forms_free(b.forms);
}

static void port_4011_is_half_a_success(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	forms_asked(b.forms, machine_a); /* unknown: nothing */
	assert_int_equal(discover(&b, FORMS_PROXY, 1000), FORM_DIRECT);
	forms_asked(b.forms, machine_a);
	assert_int_equal(discover(&b, FORMS_PROXY, 1010), FORM_DIRECT);
	assert_int_equal(discover(&b, FORMS_PROXY, 1020), FORM_MENU);
	assert_int_equal(discover(&b, FORMS_PROXY, 1030), FORM_BINL);
	forms_free(b.forms);
}

/* BIOS, then UEFI, then the loader, of one machine: each has its own attempt. */
static void tells_firmware_of_one_machine_apart(void **state)
{
	static const enum form bios[] = { FORM_DIRECT, FORM_MENU, FORM_BINL };
	static const enum form uefi[] = { FORM_BINL, FORM_DIRECT, FORM_MENU };
	struct bench b;

	(void)state;
	bench_init(&b);
	for (int round = 0; round < 3; round++) {
		b.m.opt[OPT_VENDOR_CLASS] = SPAN_LIT("PXEClient:Arch:00000:UNDI:002001");
		b.facts.arch_number = 0;
		assert_int_equal(discover(&b, FORMS_PROXY, 1000 + 20 * round), bios[round]);
		b.m.opt[OPT_VENDOR_CLASS] = SPAN_LIT("PXEClient:Arch:00007:UNDI:003000");
		b.facts.arch_number = 7;
		assert_int_equal(discover(&b, FORMS_PROXY, 1010 + 20 * round), uefi[round]);
	}
	forms_free(b.forms);
}

static void count_record(void *ctx, const struct forms_record *r)
{
	size_t *n = ctx;

	(void)r;
	(*n)++;
}

static void its_tables_stay_bounded(void **state)
{
	struct bench b;
	size_t n = 0;

	(void)state;
	bench_init(&b);
	for (unsigned i = 0; i < 3 * FORMS_MACHINES_MAX; i++) {
		const uint8_t own[] = { (uint8_t)(i >> 8), (uint8_t)i };

		b.facts.mac = (struct mac){ { 2, 0, 0, 0, own[0], own[1] } };
		b.m.opt[OPT_PARAMETER_LIST] = (struct span){ own, sizeof(own) };
		assert_int_equal(discover(&b, FORMS_SERVER, 1000), FORM_DIRECT);
		assert_true(fetched(&b, 1000));
	}
	forms_dump(b.forms, count_record, &n);
	assert_int_equal(n, FORMS_PROVEN_MAX);
	forms_free(b.forms);
}

static void refuses_records_of_no_form(void **state)
{
	struct forms_record r = { .fingerprint = 1, .form = FORM_BOOT_SERVER };
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(forms_restore(b.forms, &r), -EINVAL);
	r = (struct forms_record){ .fingerprint = 1, .mode = 2 };
	assert_int_equal(forms_restore(b.forms, &r), -EINVAL);
	/* A form that this firmware's row does not name (an older version's): the first one. */
	r = (struct forms_record){ .fingerprint = forms_fingerprint(&b.m), .form = FORM_RPI };
	assert_int_equal(forms_restore(b.forms, &r), 0);
	assert_int_equal(discover(&b, FORMS_SERVER, 1000), FORM_DIRECT);
	/* Without a MAC or a memory: the likeliest. */
	b.facts.has_mac = false;
	assert_int_equal(discover(&b, FORMS_SERVER, 1000), FORM_DIRECT);
	forms_choose(NULL, &b.m, &b.facts, FORMS_PROXY, 1000, &b.c);
	assert_int_equal(b.c.form, FORM_DIRECT);
	forms_free(b.forms);
}

static void rows_are_told_apart(void **state)
{
	static const struct {
		const char *class, *machine_id;
		size_t n_machine_id;
		uint16_t arch;
		uint8_t oui[3];
		const char *row;
	} vectors[] = {
		{ "PXEClient:Arch:00000:UNDI:002001", "\0RPi4", 5, 0, { 0x52, 0x54, 0 },
			"Raspberry Pi 4 or later" },
		{ "PXEClient:Arch:00000:UNDI:002001", "", 0, 0, { 0xdc, 0xa6, 0x32 },
			"Raspberry Pi 3" },
		{ "PXEClient:Arch:00011:UNDI:003000", "", 0, 11, { 0xdc, 0xa6, 0x32 },
			"UEFI" }, /* a Pi with UEFI */
		{ "PXEClient", "", 0, 0x29, { 0 }, "Raspberry Pi (rpiboot)" },
		{ "U-Boot.armv8", "", 0, 0x16, { 0 }, "U-Boot" },
		{ "HW-Client:Arch:00000", "", 0, 0, { 0 }, "OEM ROM with a class of its own" },
		{ "PXEClient:Arch:00006", "", 0, 6, { 0 }, "UEFI" },
		{ "PXEClient", "", 0, 0, { 0 }, "PXE BIOS" },
		{ "", "", 0, 2, { 0 }, "PXE BIOS" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct facts facts = { .has_mac = true, .arch_number = vectors[i].arch };
		struct dhcp4_msg m = { 0 };
		const struct form_quirk *q;

		memcpy(facts.mac.b, vectors[i].oui, 3);
		m.opt[OPT_VENDOR_CLASS] = span_str(vectors[i].class);
		m.opt[OPT_MACHINE_ID] = (struct span){ (const uint8_t *)vectors[i].machine_id,
			vectors[i].n_machine_id };
		q = forms_quirk(&m, &facts);
		assert_string_equal(q->name, vectors[i].row);
		assert_true(strlen(q->evidence) > 20 && q->order[0].n && q->order[1].n);
	}
	for (enum form f = FORM_DIRECT; f <= FORM_BOOT_SERVER; f++) {
		enum form back = FORM_COUNT;

		assert_int_equal(form_parse(span_str(form_name(f)), &back),
			f == FORM_BOOT_SERVER ? -EINVAL : 0);
		assert_int_equal(back, f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_firmware_gets_its_file),
		cmocka_unit_test(tries_one_after_the_other),
		cmocka_unit_test(remembers_what_worked),
		cmocka_unit_test(port_4011_is_half_a_success),
		cmocka_unit_test(tells_firmware_of_one_machine_apart),
		cmocka_unit_test(its_tables_stay_bounded),
		cmocka_unit_test(refuses_records_of_no_form),
		cmocka_unit_test(rows_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
