/* DHCP stories: the whole server behind a fake edge with a virtual clock.
 *
 * Runs every file of tests/scenarios.  A line that begins with a blank continues
 * the one before it; '#' begins a comment line.
 *
 *   CONFIG                      YAML follows, indented; again later: a reload
 *   IFACE br0 172.24.0.1/16 index 2 [mtu 1500]   once more: a further address
 *   LOADERS bios x64            the iPXE binaries that are there (these two by default)
 *   RECV DISCOVER mac=… FIELD=VALUE… OPTION=VALUE…
 *   FLOOD 600 DISCOVER …        as RECV, from so many made-up clients; answers are not looked at
 *   EXPECT OFFER FIELD=VALUE… OPTION=VALUE… !OPTION +OPTION echo=OPTION last=OPTION order=53,54,…
 *   EXPECT none D022            dropped for this reason;  EXPECT done: taken, and no reply due
 *   LEASES bound=1 offered=0
 *   PROBED 172.24.32.1 unused|used   what asking for it on the wire found
 *   ELAPSE 30s
 *   STORE fails | works         whether the lease store takes what it is given
 *   STATE MAC new|installed|hold|local [PROFILE]   what the machine has been through; to be booted once
 *   MEMORY 100                  the next packet's answer may take so many octets
 *
 * FIELD: op htype hlen hops xid secs flags ciaddr yiaddr siaddr giaddr mac sname
 * file; of RECV also on (interface index), source, local and port (67, or 4011); of EXPECT also dest (relay,
 * address, broadcast, frame), to, server, size (octets), max (octets at
 * most) and probe (yes: its address is asked for on the wire before it leaves).
 * OPTION: a number or its IANA name.  VALUE: "text" with \0 \n \" and \xNN,
 * 172.24.0.1,172.24.0.2 or hex digits, of which ab*255 repeats an octet.
 * What is true of every reply, check_invariants() sees to.
 */
#include "core/config_load.h"
#include "core/dhcp4_server.h"
#include "wire/dhcp4_options.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORDS_MAX   64
#define IFACES_MAX  4
#define ARENA_LIMIT (64u << 10)

struct value {
	uint8_t b[1024];
	size_t n;
};

struct word {
	char *key, *value; /* value: NULL when there is no '=' */
};

struct story {
	const char *file;
	unsigned line, failures;
	int64_t now_s;
	struct iface_view ifaces[IFACES_MAX];
	size_t n_ifaces;
	bool present[FAMILY_COUNT][ARCH_COUNT];
	struct config *cfg;
	struct served_set *nets;
	struct lease_table *leases;
	struct clients *clients;
	struct machine_table *machines;
	struct rates *rates;
	struct arena arena;
	size_t memory; /* 0: enough */
	bool store_fails;
	/* the last exchange */
	struct dhcp4_msg request, reply;
	struct dhcp4_plan plan;
	uint8_t sent[2048], got[4096];
	size_t sent_n, got_n;
	uint8_t order[256]; /* the codes in the reply's option field, each once */
	size_t order_n;
	bool encoded;
};

static void complain(struct story *s, const char *fmt, ...) PRINTF(2, 3);
static void complain(struct story *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("%s:%u: %s\n", s->file, s->line, text);
	s->failures++;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* "text": up to the closing quote, which must be the last character. */
static bool parse_text(const char *p, struct value *ret)
{
	ret->n = 0;
	for (p++; *p && *p != '"'; p++) {
		uint8_t c = (uint8_t)*p;

		if (c == '\\') {
			p++;
			if (*p == 'x' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
				c = (uint8_t)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
				p += 2;
			} else {
				c = *p == '0' ? 0 : *p == 'n' ? '\n' : (uint8_t)*p;
			}
		}
		ret->b[ret->n++] = c;
	}
	return p[0] == '"' && p[1] == '\0';
}

static bool parse_addresses(const char *p, struct value *ret)
{
	struct wr w = wr_of(ret->b, sizeof(ret->b));

	while (*p) {
		size_t n = strcspn(p, ",");
		struct ip4 a;

		if (ip4_parse((struct span){ (const uint8_t *)p, n }, &a) < 0)
			return false;
		wr_u32(&w, a.v);
		p += n + (p[n] == ',');
	}
	ret->n = w.n;
	return true;
}

static bool parse_hex(const char *p, struct value *ret)
{
	ret->n = 0;
	while (*p) {
		int hi = hex_digit(p[0]), lo = hi < 0 ? -1 : hex_digit(p[1]);
		unsigned long times = 1;
		char *end;

		if (lo < 0)
			return false;
		p += 2;
		if (*p == '*') {
			times = strtoul(p + 1, &end, 10);
			p = end;
		}
		for (; times && ret->n < sizeof(ret->b); times--)
			ret->b[ret->n++] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static bool parse_value(const char *p, struct value *ret)
{
	return p[0] == '"'       ? parse_text(p, ret)
		: strchr(p, '.') ? parse_addresses(p, ret)
				 : parse_hex(p, ret);
}

static struct span value_span(const struct value *v)
{
	return (struct span){ v->b, v->n };
}

static int option_code(const char *key)
{
	const struct dhcp4_option_info *info;
	char *end;
	long n = strtol(key, &end, 10);

	if (end != key && *end == '\0' && n > 0 && n < 255)
		return (int)n;
	info = dhcp4_option_find_name(span_str(key));
	return info ? info->code : -1;
}

static uint32_t number(const char *p)
{
	return (uint32_t)strtoul(p, NULL, 0);
}

static struct ip4 address(struct story *s, const char *p)
{
	struct ip4 a = { 0 };

	if (ip4_parse(span_str(p), &a) < 0)
		complain(s, "`%s` is no address", p);
	return a;
}

/* Cuts a line into words, in place; quotes hold blanks together. */
static size_t cut_words(char *line, struct word words[WORDS_MAX])
{
	size_t n = 0;
	char *p = line;

	while (n < WORDS_MAX) {
		bool quoted = false;

		p += strspn(p, " \t\n");
		if (*p == '\0')
			break;
		words[n] = (struct word){ .key = p };
		for (; *p && (quoted || !strchr(" \t\n", *p)); p++) {
			if (*p == '\\' && quoted && p[1])
				p++;
			else if (*p == '"')
				quoted = !quoted;
			else if (*p == '=' && !quoted && !words[n].value) {
				*p = '\0';
				words[n].value = p + 1;
			}
		}
		if (*p)
			*p++ = '\0';
		n++;
	}
	return n;
}

static void rebuild(struct story *s)
{
	served_free(s->nets);
	s->nets = NULL;
	if (!s->cfg)
		return;
	for (size_t f = 0; f < FAMILY_COUNT; f++)
		for (size_t a = 0; a < ARCH_COUNT; a++)
			s->cfg->loaders.file[f][a].present = s->present[f][a];
	if (served_build(s->cfg, s->ifaces, s->n_ifaces, &s->nets) < 0)
		complain(s, "out of memory");
}

static void do_config(struct story *s, const char *yaml)
{
	struct config_errors errs = { 0 };
	struct config *cfg;

	if (config_load("CONFIG", span_str(yaml), &errs, &cfg) < 0) {
		for (size_t i = 0; i < errs.n; i++)
			complain(s, "CONFIG:%u:%u: %s", errs.list[i].pos.line, errs.list[i].pos.col,
				errs.list[i].message);
	} else {
		config_free(s->cfg);
		s->cfg = cfg;
		rebuild(s);
	}
	config_errors_free(&errs);
}

static void do_iface(struct story *s, struct word *w, size_t n)
{
	struct iface_view *v = &s->ifaces[s->n_ifaces];
	struct iface_addr addr;

	if (n < 5 || s->n_ifaces == IFACES_MAX ||
		ip4_parse_prefix(span_str(w[2].key), &addr.addr, &addr.prefix_len) < 0) {
		complain(s, "expected IFACE NAME ADDRESS/LENGTH index N");
		return;
	}
	for (size_t i = 0; i < s->n_ifaces; i++) {
		if (strcmp(s->ifaces[i].name, w[1].key) != 0)
			continue;
		s->ifaces[i].addrs[s->ifaces[i].n_addrs++] = addr; /* a further one */
		rebuild(s);
		return;
	}
	(void)snprintf(v->name, sizeof(v->name), "%s", w[1].key);
	v->index = number(w[4].key);
	v->mtu = n > 6 ? number(w[6].key) : 1500;
	v->up = v->ethernet = true;
	v->addrs[0] = addr;
	v->n_addrs = 1;
	s->n_ifaces++;
	rebuild(s);
}

/* "x64", "grub:arm64"; iPXE's need no family. */
static const char *take_family(const char *word, enum loader_family *ret)
{
	static const char *const families[] = { [FAMILY_IPXE] = "ipxe:",
		[FAMILY_GRUB] = "grub:",
		[FAMILY_SHIM] = "shim:",
		[FAMILY_STUB] = "stub:" };

	*ret = FAMILY_IPXE;
	for (enum loader_family f = 0; f < FAMILY_COUNT; f++)
		if (strncmp(word, families[f], 5) == 0) {
			*ret = f;
			return word + 5;
		}
	return word;
}

static void do_loaders(struct story *s, struct word *w, size_t n)
{
	enum loader_family f;
	enum arch a;

	memset(s->present, 0, sizeof(s->present));
	for (size_t i = 1; i < n; i++) {
		if (arch_parse(span_str(take_family(w[i].key, &f)), &a) < 0)
			complain(s, "`%s` is no architecture", w[i].key);
		else
			s->present[f][a] = true;
	}
	rebuild(s);
}

struct header {
	uint8_t op, htype, hlen, hops;
	uint32_t xid, secs, flags;
	struct ip4 ciaddr, yiaddr, siaddr, giaddr;
	struct value chaddr, sname, file;
	struct dhcp4_rx rx;
};

static bool take_field(struct story *s, struct header *h, const struct word *w)
{
	const char *k = w->key, *v = w->value;
	struct mac mac;

	if (strcmp(k, "op") == 0)
		h->op = (uint8_t)number(v);
	else if (strcmp(k, "htype") == 0)
		h->htype = (uint8_t)number(v);
	else if (strcmp(k, "hlen") == 0)
		h->hlen = (uint8_t)number(v);
	else if (strcmp(k, "hops") == 0)
		h->hops = (uint8_t)number(v);
	else if (strcmp(k, "xid") == 0)
		h->xid = number(v);
	else if (strcmp(k, "secs") == 0)
		h->secs = number(v);
	else if (strcmp(k, "flags") == 0)
		h->flags = number(v);
	else if (strcmp(k, "ciaddr") == 0)
		h->ciaddr = address(s, v);
	else if (strcmp(k, "yiaddr") == 0)
		h->yiaddr = address(s, v);
	else if (strcmp(k, "siaddr") == 0)
		h->siaddr = address(s, v);
	else if (strcmp(k, "giaddr") == 0)
		h->giaddr = address(s, v);
	else if (strcmp(k, "on") == 0)
		h->rx.ifindex = number(v);
	else if (strcmp(k, "local") == 0)
		h->rx.local = address(s, v);
	else if (strcmp(k, "port") == 0)
		h->rx.on_pxe_port = number(v) == 4011;
	else if (strcmp(k, "source") == 0)
		h->rx.source = address(s, v);
	else if (strcmp(k, "file") == 0)
		return parse_value(v, &h->file);
	else if (strcmp(k, "sname") == 0)
		return parse_value(v, &h->sname);
	else if (strcmp(k, "mac") == 0 && mac_parse(span_str(v), &mac) == 0)
		memcpy(h->chaddr.b, mac.b, sizeof(mac.b));
	else
		return false;
	return true;
}

static enum dhcp4_type type_of(const char *name)
{
	for (enum dhcp4_type t = DHCP4_DISCOVER; t <= DHCP4_INFORM; t++)
		if (strcmp(dhcp4_type_name(t), name) == 0)
			return t;
	return 0;
}

/* The message as octets: header, cookie, 53, the options in the order given, END. */
static void build_message(struct story *s, struct word *w, size_t n, unsigned long client)
{
	struct header h = { .op = 1, .htype = 1, .hlen = 6, .xid = 0x1234, .chaddr = { .n = 16 } };
	struct wr out = wr_of(s->sent, sizeof(s->sent)), opts;
	uint8_t options[1500];
	struct value v;

	h.rx.ifindex = s->n_ifaces ? s->ifaces[0].index : 0;
	opts = wr_of(options, sizeof(options));
	wr_u8(&opts, OPT_MESSAGE_TYPE);
	wr_u8(&opts, 1);
	wr_u8(&opts, (uint8_t)type_of(w[1].key));
	for (size_t i = 2; i < n; i++) {
		int code = option_code(w[i].key);

		if (!w[i].value ||
			(!take_field(s, &h, &w[i]) && (code < 0 || !parse_value(w[i].value, &v)))) {
			complain(s, "`%s` is no field or option, or its value is wrong", w[i].key);
		} else if (code >= 0) {
			wr_u8(&opts, (uint8_t)code);
			wr_u8(&opts, (uint8_t)v.n);
			wr_span(&opts, (struct span){ v.b, v.n & 255 });
		}
	}
	if (client) {
		h.chaddr.b[0] = 2;
		h.chaddr.b[4] = (uint8_t)(client >> 8);
		h.chaddr.b[5] = (uint8_t)client;
	}
	s->plan = (struct dhcp4_plan){ 0 };
	wr_u8(&out, h.op);
	wr_u8(&out, h.htype);
	wr_u8(&out, h.hlen);
	wr_u8(&out, h.hops);
	wr_u32(&out, h.xid);
	wr_u16(&out, (uint16_t)h.secs);
	wr_u16(&out, (uint16_t)h.flags);
	wr_u32(&out, h.ciaddr.v);
	wr_u32(&out, h.yiaddr.v);
	wr_u32(&out, h.siaddr.v);
	wr_u32(&out, h.giaddr.v);
	wr_span(&out, value_span(&h.chaddr));
	wr_span(&out, value_span(&h.sname));
	wr_fill(&out, 0, 64 - h.sname.n);
	wr_span(&out, value_span(&h.file));
	wr_fill(&out, 0, 128 - h.file.n);
	wr_u32(&out, 0x63825363);
	wr_span(&out, wr_done(&opts));
	wr_u8(&out, OPT_END);
	s->sent_n = out.n;

	const struct dhcp4_server server = { .cfg = s->cfg,
		.nets = s->nets,
		.leases = s->leases,
		.clients = s->clients,
		.machines = s->machines,
		.rates = s->rates,
		.now_ms = s->now_s * 1000,
		.store_failing = s->store_fails };

	arena_reset(&s->arena);
	s->plan.drop = dhcp4_decode(&s->arena, wr_done(&out), &s->request);
	if (s->memory)
		s->arena.limit = s->arena.used + s->memory;
	if (s->plan.drop == DROP_NONE)
		dhcp4_plan(&server, &s->request, &h.rx, s->now_s, &s->arena, &s->plan);
	if (s->plan.drop == DROP_NONE && s->plan.commit)
		lease_stored(s->leases, s->plan.lease->address, s->plan.lease->state,
			s->plan.lease->expires_s);
	if (s->plan.drop == DROP_NONE &&
		(s->plan.reply_type == DHCP4_OFFER || s->plan.reply_type == DHCP4_ACK))
		clients_remember(s->clients, &s->plan.facts,
			s->plan.reply_type == DHCP4_ACK ? s->plan.out.yiaddr : (struct ip4){ 0 },
			server.now_ms);
	s->arena.limit = ARENA_LIMIT;
	s->memory = 0;
}

/* RFC 2131 2, RFC 951 3, firmware-quirks.md, P-8, D4-2, D4-8, D4-10: what holds
 * for each reply whatever it answers. */
static void check_invariants(struct story *s)
{
	const struct dhcp4_msg *m = &s->reply, *q = &s->request;
	struct rd r = rd_of(span_skip((struct span){ s->got, s->got_n }, 240));
	bool seen[256] = { false };
	uint8_t *order = s->order;
	size_t n = 0;
	uint16_t max = 0;

	if (m->op != 2 || m->xid != q->xid || m->htype != q->htype || m->hlen != q->hlen ||
		memcmp(m->chaddr, q->chaddr, 16) != 0 || !ip4_eq(m->giaddr, q->giaddr))
		complain(s, "op, xid, giaddr or hardware address are not the request's");
	if (!dhcp4_opt_u16(q, OPT_MAX_SIZE, &max) || max < 576)
		max = 576;
	if (max > s->plan.net->mtu)
		max = (uint16_t)s->plan.net->mtu;
	if (s->got_n < 300 || s->got_n > max - 28u)
		complain(s, "a reply of %zu octets to a client that takes %u", s->got_n, max - 28u);
	for (;;) {
		uint8_t code = rd_u8(&r);

		if (code == OPT_END || r.bad)
			break;
		if (code == OPT_PAD)
			complain(s, "PAD before END");
		if (seen[code] && order[n - 1] != code) /* RFC 3396 splits stand together */
			complain(s, "option %u twice", code);
		if (!seen[code])
			order[n++] = code;
		seen[code] = true;
		(void)rd_span(&r, rd_u8(&r));
	}
	if (r.bad)
		complain(s, "no END");
	s->order_n = n;
	if (n < 2 || order[0] != OPT_MESSAGE_TYPE || order[1] != OPT_SERVER_ID)
		complain(s, "options 53 and 54 are not the first");
	if (seen[OPT_RELAY_AGENT])
		n--;
	if (seen[OPT_RELAY_AGENT] && order[n] != OPT_RELAY_AGENT)
		complain(s, "option 82 is not the last");
	if (seen[OPT_BOOTFILE] &&
		(order[n - 1] != OPT_BOOTFILE ||
			m->opt[OPT_BOOTFILE].p[m->opt[OPT_BOOTFILE].n - 1] != 0))
		complain(s, "option 67 is not the last before 82, or not NUL-terminated");
	if (seen[13])
		complain(s, "option 13 replaces EDK2's size probe");
	if (!span_eq(m->opt[OPT_CLIENT_ID], q->opt[OPT_CLIENT_ID]) ||
		!span_eq(m->opt[OPT_RELAY_AGENT], q->opt[OPT_RELAY_AGENT]))
		complain(s, "option 61 or 82 is not returned as it came");
	if (seen[OPT_MACHINE_ID] && !span_eq(m->opt[OPT_MACHINE_ID], q->opt[OPT_MACHINE_ID]))
		complain(s, "option 97 that the client did not send");
	if (m->type == DHCP4_NAK &&
		(m->yiaddr.v || m->ciaddr.v || m->siaddr.v || seen[OPT_LEASE_TIME] ||
			seen[OPT_SUBNET_MASK] || seen[OPT_BOOTFILE]))
		complain(s, "a NAK with parameters");
}

static void encode_reply(struct story *s)
{
	struct wr w = wr_of(s->got, sizeof(s->got));

	s->encoded = false;
	if (s->plan.drop != DROP_NONE || s->plan.reply_type == 0)
		return;
	if (dhcp4_encode(&s->plan.out, s->plan.max_size, &w) < 0) {
		s->plan.drop = DROP_REPLY_TOO_LARGE;
		return;
	}
	s->got_n = w.n;
	if (dhcp4_decode(&s->arena, wr_done(&w), &s->reply) != DROP_NONE)
		complain(s, "our own reply cannot be decoded");
	else
		check_invariants(s);
	s->encoded = true;
}

static void do_recv(struct story *s, struct word *w, size_t n)
{
	if (n < 2 || !s->nets) {
		complain(s, "expected RECV TYPE …, after CONFIG and IFACE");
		return;
	}
	build_message(s, w, n, 0);
	encode_reply(s);
}

static void do_flood(struct story *s, struct word *w, size_t n)
{
	unsigned long clients = n > 2 ? number(w[1].key) : 0;

	for (unsigned long i = 1; i <= clients; i++) {
		build_message(s, w + 1, n - 1, i);
		encode_reply(s);
	}
}

static const char *dest_name(enum dhcp4_dest d)
{
	static const char *const names[] = { [DHCP4_TO_RELAY] = "relay",
		[DHCP4_TO_ADDRESS] = "address",
		[DHCP4_TO_BROADCAST] = "broadcast",
		[DHCP4_TO_FRAME] = "frame",
		[DHCP4_TO_SOURCE] = "source" };

	return names[d];
}

static void hex_text(struct span v, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < v.n && n + 8 < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%02x", v.p[i]);
}

static void expect_span(struct story *s, const char *what, struct span is, struct span should)
{
	char a[160], b[160];

	if (span_eq(is, should))
		return;
	hex_text(is, a, sizeof(a));
	hex_text(should, b, sizeof(b));
	complain(s, "%s is %s (%.*s), expected %s (%.*s)", what, a, (int)is.n, (const char *)is.p,
		b, (int)should.n, (const char *)should.p);
}

static void expect_address(struct story *s, const char *what, struct ip4 is, const char *should)
{
	if (strcmp(ip4_str(is).s, should) != 0)
		complain(s, "%s is %s, expected %s", what, ip4_str(is).s, should);
}

static void expect_order(struct story *s, const char *should)
{
	char is[256 * 4 + 1];
	size_t n = 0;

	for (size_t i = 0; i < s->order_n; i++)
		n += (size_t)snprintf(is + n, sizeof(is) - n, "%s%u", i ? "," : "", s->order[i]);
	if (strcmp(is, should) != 0)
		complain(s, "the options are %s, expected %s", is, should);
}

/* False: no such field. */
static bool expect_field(struct story *s, const struct word *w)
{
	const struct dhcp4_msg *m = &s->reply;
	const char *k = w->key, *v = w->value;
	struct value should;

	if (strcmp(k, "dest") == 0) {
		if (strcmp(dest_name(s->plan.dest), v) != 0)
			complain(s, "it goes to %s, expected %s", dest_name(s->plan.dest), v);
	} else if (strcmp(k, "to") == 0) {
		expect_address(s, k, s->plan.dest_addr, v);
	} else if (strcmp(k, "server") == 0) {
		expect_address(s, k, s->plan.server, v);
	} else if (strcmp(k, "yiaddr") == 0) {
		expect_address(s, k, m->yiaddr, v);
	} else if (strcmp(k, "ciaddr") == 0) {
		expect_address(s, k, m->ciaddr, v);
	} else if (strcmp(k, "siaddr") == 0) {
		expect_address(s, k, m->siaddr, v);
	} else if (strcmp(k, "giaddr") == 0) {
		expect_address(s, k, m->giaddr, v);
	} else if (strcmp(k, "flags") == 0) {
		if (m->flags != number(v))
			complain(s, "flags are 0x%x, expected %s", m->flags, v);
	} else if (strcmp(k, "xid") == 0) {
		if (m->xid != number(v))
			complain(s, "xid is 0x%x, expected %s", m->xid, v);
	} else if (strcmp(k, "size") == 0) {
		if (s->got_n != number(v))
			complain(s, "%zu octets, expected %s", s->got_n, v);
	} else if (strcmp(k, "max") == 0) {
		if (s->plan.max_size != number(v))
			complain(s, "at most %zu octets, expected %s", s->plan.max_size, v);
	} else if (strcmp(k, "probe") == 0) {
		if (s->plan.probe != (strcmp(v, "yes") == 0))
			complain(s, "%s", s->plan.probe ? "it is probed" : "it is not probed");
	} else if (strcmp(k, "last") == 0) {
		if (s->plan.out.options[s->plan.out.n_options - 1].code != option_code(v))
			complain(s, "the last option is %u",
				s->plan.out.options[s->plan.out.n_options - 1].code);
	} else if (strcmp(k, "order") == 0) {
		expect_order(s, v);
	} else if (strcmp(k, "file") == 0 || strcmp(k, "sname") == 0) {
		if (!parse_value(v, &should))
			return false;
		expect_span(
			s, k, span_until_nul(*k == 'f' ? m->file : m->sname), value_span(&should));
	} else if (strcmp(k, "echo") == 0) {
		expect_span(
			s, v, m->opt[option_code(v) & 255], s->request.opt[option_code(v) & 255]);
	} else {
		return false;
	}
	return true;
}

static void expect_word(struct story *s, const struct word *w)
{
	bool absent = w->key[0] == '!', present = w->key[0] == '+';
	int code = option_code(w->key + (absent || present));
	struct value should;

	if (absent || present) {
		if (code < 0)
			complain(s, "`%s` is no option", w->key);
		else if (dhcp4_has(&s->reply, (enum dhcp4_option)code) != present)
			complain(s, "option %d is %s", code, present ? "missing" : "there");
	} else if (!w->value || (code < 0 && !expect_field(s, w)) ||
		(code >= 0 && !parse_value(w->value, &should))) {
		complain(s, "`%s` is no field or option, or its value is wrong", w->key);
	} else if (code >= 0) {
		expect_span(s, w->key, s->reply.opt[code], value_span(&should));
	}
}

static void do_expect(struct story *s, struct word *w, size_t n)
{
	const char *what = n > 1 ? w[1].key : "";

	if (strcmp(what, "none") == 0 || strcmp(what, "done") == 0) {
		const char *id = n > 2 ? w[2].key : "D000";

		if (s->encoded)
			complain(s, "no reply expected, but a %s was sent",
				dhcp4_type_name(s->reply.type));
		else if (strcmp(drop_id(s->plan.drop), id) != 0)
			complain(s, "dropped for %s: %s", drop_id(s->plan.drop),
				drop_sentence(s->plan.drop));
		return;
	}
	if (!s->encoded) {
		complain(s, "%s expected, but dropped for %s: %s", what, drop_id(s->plan.drop),
			drop_sentence(s->plan.drop));
		return;
	}
	if (s->reply.type != type_of(what))
		complain(s, "%s expected, but a %s was sent (%s)", what,
			dhcp4_type_name(s->reply.type), s->plan.note ? s->plan.note : "");
	for (size_t i = 2; i < n; i++)
		expect_word(s, &w[i]);
}

static void do_leases(struct story *s, struct word *w, size_t n)
{
	static const char *const names[] = { "free", "offered", "bound", "declined" };

	for (size_t i = 1; i < n; i++)
		for (unsigned k = 0; k < ARRAY_LEN(names); k++)
			if (strcmp(w[i].key, names[k]) == 0 &&
				lease_count(s->leases, (enum lease_state)k) != number(w[i].value))
				complain(s, "%zu leases are %s, expected %s",
					lease_count(s->leases, (enum lease_state)k), names[k],
					w[i].value);
}

static void do_probed(struct story *s, struct word *w, size_t n)
{
	struct lease *l = n > 2 ? lease_find_address(s->leases, address(s, w[1].key)) : NULL;

	if (!l)
		complain(s, "expected PROBED ADDRESS unused|used, of an address that is leased");
	else if (strcmp(w[2].key, "used") == 0)
		lease_decline(s->leases, l, s->now_s);
	else
		l->unchecked = false;
}

static void do_state(struct story *s, struct word *w, size_t n)
{
	struct machine_state m = { .first_seen_s = 1 };
	uint64_t version;

	if (n < 3 || mac_parse(span_str(w[1].key), &m.mac) < 0 ||
		machine_phase_parse(span_str(w[2].key), &m.phase) < 0) {
		complain(s, "expected STATE MAC PHASE [PROFILE]");
		return;
	}
	(void)snprintf(m.boot_once, sizeof(m.boot_once), "%s", n > 3 ? w[3].key : "");
	assert_int_equal(machine_table_put(s->machines, &m, false, &version), 0);
}

static void do_line(struct story *s, char *line)
{
	struct word w[WORDS_MAX];
	size_t n;

	if (strncmp(line, "CONFIG\n", 7) == 0) {
		do_config(s, line + 7);
		return;
	}
	n = cut_words(line, w);
	if (n == 0)
		return;
	if (strcmp(w[0].key, "IFACE") == 0)
		do_iface(s, w, n);
	else if (strcmp(w[0].key, "LOADERS") == 0)
		do_loaders(s, w, n);
	else if (strcmp(w[0].key, "RECV") == 0)
		do_recv(s, w, n);
	else if (strcmp(w[0].key, "FLOOD") == 0)
		do_flood(s, w, n);
	else if (strcmp(w[0].key, "EXPECT") == 0)
		do_expect(s, w, n);
	else if (strcmp(w[0].key, "LEASES") == 0)
		do_leases(s, w, n);
	else if (strcmp(w[0].key, "STORE") == 0 && n > 1)
		s->store_fails = strcmp(w[1].key, "fails") == 0;
	else if (strcmp(w[0].key, "MEMORY") == 0 && n > 1)
		s->memory = number(w[1].key);
	else if (strcmp(w[0].key, "PROBED") == 0)
		do_probed(s, w, n);
	else if (strcmp(w[0].key, "STATE") == 0)
		do_state(s, w, n);
	else if (strcmp(w[0].key, "ELAPSE") == 0 && n > 1)
		s->now_s += strtol(w[1].key, NULL, 10);
	else
		complain(s, "`%s` is no command", w[0].key);
}

static unsigned run_story(const char *path, const char *name)
{
	struct story s = { .file = name,
		.now_s = 1000,
		.present[FAMILY_IPXE] = { [ARCH_BIOS] = true, [ARCH_X64] = true } };
	struct text line = { 0 };
	unsigned at = 0;
	char buf[2048];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_int_equal(lease_table_new(&s.leases), 0);
	assert_int_equal(clients_new(&s.clients), 0);
	assert_int_equal(rates_new(&s.rates), 0);
	assert_int_equal(machine_table_new(&s.machines), 0);
	arena_init(&s.arena, ARENA_LIMIT);
	while (fgets(buf, sizeof(buf), f)) {
		at++;
		if (buf[0] != ' ' && buf[0] != '\t') {
			if (line.n)
				do_line(&s, line.p);
			text_reset(&line);
			s.line = at;
		}
		if (buf[0] != '#')
			text_adds(&line, buf);
	}
	if (line.n)
		do_line(&s, line.p);
	(void)fclose(f);
	text_free(&line);
	served_free(s.nets);
	config_free(s.cfg);
	lease_table_free(s.leases);
	clients_free(s.clients);
	machine_table_free(s.machines);
	rates_free(s.rates);
	arena_free(&s.arena);
	return s.failures;
}

static int is_story(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && strcmp(d->d_name + n - 4, ".txt") == 0;
}

static void every_story_goes_as_it_is_told(void **state)
{
	const char *dir = VECTORS_DIR "/../scenarios";
	unsigned failures = 0;
	struct dirent **list;
	char path[1024];
	int n = scandir(dir, &list, is_story, alphasort);

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		failures += run_story(path, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_story_goes_as_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
