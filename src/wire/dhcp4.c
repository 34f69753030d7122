/* The DHCPv4 codec.  Decides nothing: what is well-formed is returned, what is
 * not has a drop reason. */
#include "wire/dhcp4.h"

#include <errno.h>

#define MAGIC_COOKIE 0x63825363u
#define HEADER_SIZE  236u
#define SNAME_SIZE   64u
#define FILE_SIZE    128u

/* Option 52's bits (RFC 2132 9.3). */
#define OVERLOAD_FILE  1u
#define OVERLOAD_SNAME 2u
#define OVERLOAD_SIZE  3u /* the option's own octets */

/* The option areas of a message, in the order in which RFC 3396 5 joins them. */
struct areas {
	struct span list[3];
	size_t n;
};

struct walk {
	uint16_t instances[256];
	size_t length[256];
};

typedef enum drop (*on_option)(void *ctx, uint8_t code, struct span value);

/* One option area (RFC 2131 4.1).  PAD has no length octet and may stand
 * anywhere (old Raspberry Pi ROMs and NetworkManager begin with it); many ROMs
 * omit END. */
static enum drop walk_area(struct span area, on_option each, void *ctx)
{
	struct rd r = rd_of(area);

	while (rd_left(&r) > 0) {
		uint8_t code = rd_u8(&r);

		if (code == OPT_PAD)
			continue;
		if (code == OPT_END)
			break;

		struct span value = rd_span(&r, rd_u8(&r));

		if (r.bad)
			return DROP_OPTION_PAST_END;

		enum drop d = each(ctx, code, value);

		if (d != DROP_NONE)
			return d;
	}
	return DROP_NONE;
}

static enum drop walk_areas(const struct areas *areas, on_option each, void *ctx)
{
	for (size_t i = 0; i < areas->n; i++) {
		enum drop d = walk_area(areas->list[i], each, ctx);

		if (d != DROP_NONE)
			return d;
	}
	return DROP_NONE;
}

static enum drop measure_option(void *ctx, uint8_t code, struct span value)
{
	struct walk *w = ctx;

	w->instances[code]++;
	w->length[code] += value.n;
	return DROP_NONE;
}

struct joining {
	struct arena *arena;
	const struct walk *measured;
	struct dhcp4_msg *msg;
	uint8_t *room[256];
};

/* An option that occurs once is a view into the packet; a split one is copied
 * together (RFC 3396 7). */
static enum drop join_option(void *ctx, uint8_t code, struct span value)
{
	struct joining *j = ctx;
	struct span *opt = &j->msg->opt[code];

	if (!opt->p && j->msg->n_order < DHCP4_ORDER_MAX)
		j->msg->order[j->msg->n_order++] = code;
	if (j->measured->instances[code] == 1) {
		*opt = value;
		return DROP_NONE;
	}
	if (!j->room[code]) {
		j->room[code] = arena_alloc(j->arena, j->measured->length[code] + 1);
		if (!j->room[code])
			return DROP_NO_MEMORY;
		*opt = (struct span){ j->room[code], 0 };
	}
	if (value.n)
		memcpy(j->room[code] + opt->n, value.p, value.n);
	opt->n += value.n;
	return DROP_NONE;
}

/* Finds option 52 in the option field, the only place where it counts (RFC
 * 3396 5: file and sname are not searched for it). */
static enum drop find_overload(void *ctx, uint8_t code, struct span value)
{
	unsigned *bits = ctx;

	if (code == OPT_OVERLOAD && value.n == 1)
		*bits = value.p[0];
	return DROP_NONE;
}

static enum drop decode_options(struct arena *a, struct span options, struct dhcp4_msg *m)
{
	struct areas areas = { { options }, 1 };
	struct walk measured = { 0 };
	struct joining j = { .arena = a, .measured = &measured, .msg = m };
	unsigned overload = 0;
	enum drop d;

	d = walk_area(options, find_overload, &overload);
	if (d != DROP_NONE)
		return d;
	if (overload & OVERLOAD_FILE) {
		areas.list[areas.n++] = m->file;
		m->file = SPAN_NONE;
	}
	if (overload & OVERLOAD_SNAME) {
		areas.list[areas.n++] = m->sname;
		m->sname = SPAN_NONE;
	}
	d = walk_areas(&areas, measure_option, &measured);
	if (d != DROP_NONE)
		return d;
	return walk_areas(&areas, join_option, &j);
}

enum drop dhcp4_decode(struct arena *a, struct span packet, struct dhcp4_msg *ret_msg)
{
	struct rd r = rd_of(packet);
	struct dhcp4_msg *m = ret_msg;
	struct span chaddr;
	enum drop d;
	uint8_t type;

	*m = (struct dhcp4_msg){ 0 };
	m->op = rd_u8(&r);
	m->htype = rd_u8(&r);
	m->hlen = rd_u8(&r);
	m->hops = rd_u8(&r);
	m->xid = rd_u32(&r);
	m->secs = rd_u16(&r);
	m->flags = rd_u16(&r);
	m->ciaddr.v = rd_u32(&r);
	m->yiaddr.v = rd_u32(&r);
	m->siaddr.v = rd_u32(&r);
	m->giaddr.v = rd_u32(&r);
	chaddr = rd_span(&r, sizeof(m->chaddr));
	m->sname = rd_span(&r, SNAME_SIZE);
	m->file = rd_span(&r, FILE_SIZE);
	if (r.bad)
		return DROP_SHORT;
	memcpy(m->chaddr, chaddr.p, sizeof(m->chaddr));
	if (m->op != DHCP4_BOOTREQUEST && m->op != DHCP4_BOOTREPLY)
		return DROP_NOT_REQUEST;
	if (m->hlen > sizeof(m->chaddr))
		return DROP_HLEN;
	if (rd_u32(&r) != MAGIC_COOKIE || r.bad)
		return DROP_NO_COOKIE;
	d = decode_options(a, (struct span){ r.p, rd_left(&r) }, m);
	if (d != DROP_NONE)
		return d;
	if (!dhcp4_has(m, OPT_MESSAGE_TYPE))
		return DROP_NO_MESSAGE_TYPE;
	if (!dhcp4_opt_u8(m, OPT_MESSAGE_TYPE, &type) || type < DHCP4_DISCOVER ||
		type > DHCP4_INFORM)
		return DROP_BAD_MESSAGE_TYPE;
	m->type = (enum dhcp4_type)type;
	return DROP_NONE;
}

bool dhcp4_opt_u8(const struct dhcp4_msg *m, enum dhcp4_option code, uint8_t *ret)
{
	if (m->opt[code].n != 1)
		return false;
	*ret = m->opt[code].p[0];
	return true;
}

bool dhcp4_opt_u16(const struct dhcp4_msg *m, enum dhcp4_option code, uint16_t *ret)
{
	struct rd r = rd_of(m->opt[code]);

	if (m->opt[code].n != 2)
		return false;
	*ret = rd_u16(&r);
	return true;
}

bool dhcp4_opt_ip4(const struct dhcp4_msg *m, enum dhcp4_option code, struct ip4 *ret)
{
	struct rd r = rd_of(m->opt[code]);

	if (m->opt[code].n != 4)
		return false;
	ret->v = rd_u32(&r);
	return true;
}

struct span dhcp4_relay_suboption(struct span option82, uint8_t code)
{
	struct rd r = rd_of(option82);

	while (rd_left(&r) > 0) {
		uint8_t c = rd_u8(&r);
		struct span value = rd_span(&r, rd_u8(&r));

		if (r.bad)
			break;
		if (c == code)
			return value;
	}
	return SPAN_NONE;
}

const char *dhcp4_type_name(enum dhcp4_type t)
{
	static const char *const names[] = { "BOOTP", "DISCOVER", "OFFER", "REQUEST", "DECLINE",
		"ACK", "NAK", "RELEASE", "INFORM", "BOOTP reply" };

	return (size_t)t < ARRAY_LEN(names) ? names[t] : "?";
}

void dhcp4_out_add(struct dhcp4_out *out, enum dhcp4_option code, bool needed, struct span value)
{
	if (value.n == 0 || out->n_options == DHCP4_OUT_OPTIONS_MAX)
		return;
	out->options[out->n_options++] = (struct dhcp4_out_option){
		.code = (uint8_t)code, .needed = needed, .value = value
	};
}

void dhcp4_out_add_u32(
	struct dhcp4_out *out, struct arena *a, enum dhcp4_option code, bool needed, uint32_t v)
{
	uint8_t *b = arena_alloc(a, 4);
	struct wr w = wr_of(b, b ? 4 : 0);

	wr_u32(&w, v);
	out->failed = out->failed || w.full;
	dhcp4_out_add(out, code, needed, wr_done(&w));
}

void dhcp4_out_set(struct dhcp4_out *out, enum dhcp4_option code, struct span value)
{
	for (size_t i = 0; i < out->n_options; i++) {
		if (out->options[i].code == code) {
			out->options[i].value = value;
			return;
		}
	}
	dhcp4_out_add(out, code, false, value);
}

/* Octets that an option takes on the wire, split or not. */
static size_t option_size(const struct dhcp4_out_option *o)
{
	size_t instances = (o->value.n + 254) / 255;

	return o->value.n + 2 * instances;
}

static void put_option(struct wr *w, const struct dhcp4_out_option *o)
{
	struct span left = o->value;

	while (left.n) {
		size_t n = left.n < 255 ? left.n : 255;

		wr_u8(w, o->code);
		wr_u8(w, (uint8_t)n);
		wr_span(w, (struct span){ left.p, n });
		left = span_skip(left, n);
	}
}

/* A fixed field of the header: cut so that a NUL always stays behind the text. */
static void put_field(struct wr *w, struct span text, size_t size)
{
	if (text.n > size - 1)
		text.n = size - 1;
	wr_span(w, text);
	wr_fill(w, 0, size - text.n);
}

/* The areas that an option may go to. */
enum area {
	AREA_OPTIONS,
	AREA_FILE,
	AREA_SNAME,
	AREA_COUNT, /* none: left out */
};

struct layout {
	uint8_t area[DHCP4_OUT_OPTIONS_MAX]; /* of each option */
	unsigned overload;                   /* option 52's bits */
	bool complete;                       /* nothing was left out */
};

/* Puts each option into the first area that has room, whole: clients that know
 * option 52 need not know how to join a value split over areas (RFC 3396).
 * spare: octets of the option field that the needed ones leave. */
static struct layout lay_out(const struct dhcp4_out *out, size_t spare, bool overload)
{
	/* Less END, with which each area closes (RFC 2131 4.1). */
	size_t room[AREA_COUNT] = { [AREA_OPTIONS] = spare,
		[AREA_FILE] = overload && out->file.n == 0 ? FILE_SIZE - 1 : 0,
		[AREA_SNAME] = overload && out->sname.n == 0 ? SNAME_SIZE - 1 : 0 };
	struct layout l = { .complete = true };

	for (size_t i = 0; i < out->n_options; i++) {
		const struct dhcp4_out_option *o = &out->options[i];
		size_t size = option_size(o);
		unsigned area = AREA_OPTIONS;

		if (o->needed)
			continue;
		while (area < AREA_COUNT && room[area] < size)
			area++;
		l.area[i] = (uint8_t)area;
		if (area == AREA_COUNT)
			l.complete = false;
		else
			room[area] -= size;
		l.overload |= area == AREA_FILE ? OVERLOAD_FILE
			: area == AREA_SNAME    ? OVERLOAD_SNAME
						: 0;
	}
	return l;
}

/* As few areas as will do. */
static struct layout choose_layout(const struct dhcp4_out *out, size_t spare)
{
	struct layout plain = lay_out(out, spare, false), over;

	if (plain.complete || !out->may_overload || spare < OVERLOAD_SIZE)
		return plain;
	over = lay_out(out, spare - OVERLOAD_SIZE, true);
	return over.overload ? over : plain;
}

/* Option 52 stands behind 53 and 54, which old clients look for at the front. */
static void put_options(
	struct wr *w, const struct dhcp4_out *out, const struct layout *l, enum area area)
{
	bool told = area != AREA_OPTIONS || l->overload == 0;

	for (size_t i = 0; i <= out->n_options; i++) {
		const struct dhcp4_out_option *o = i < out->n_options ? &out->options[i] : NULL;

		if (!told && (!o || (o->code != OPT_MESSAGE_TYPE && o->code != OPT_SERVER_ID))) {
			wr_u8(w, OPT_OVERLOAD);
			wr_u8(w, 1);
			wr_u8(w, (uint8_t)l->overload);
			told = true;
		}
		if (o && l->area[i] == area)
			put_option(w, o);
	}
	wr_u8(w, OPT_END);
}

/* sname or file: its text, or the options that it carries. */
static void put_field_or_options(
	struct wr *w, const struct dhcp4_out *out, const struct layout *l, enum area area)
{
	bool file = area == AREA_FILE;
	size_t size = file ? FILE_SIZE : SNAME_SIZE, start = w->n;

	if (!(l->overload & (file ? OVERLOAD_FILE : OVERLOAD_SNAME))) {
		put_field(w, file ? out->file : out->sname, size);
		return;
	}
	put_options(w, out, l, area);
	wr_fill(w, 0, size - (w->n - start));
}

int dhcp4_encode(const struct dhcp4_out *out, size_t max_size, struct wr *w)
{
	size_t needed = HEADER_SIZE + 4 + 1, start = w->n; /* header, cookie, END */
	struct layout l;

	for (size_t i = 0; i < out->n_options; i++)
		if (out->options[i].needed)
			needed += option_size(&out->options[i]);
	if (needed > max_size)
		return -EMSGSIZE;
	l = choose_layout(out, max_size - needed);
	wr_u8(w, out->op);
	wr_u8(w, out->htype);
	wr_u8(w, out->hlen);
	wr_u8(w, out->hops);
	wr_u32(w, out->xid);
	wr_u16(w, out->secs);
	wr_u16(w, out->flags);
	wr_u32(w, out->ciaddr.v);
	wr_u32(w, out->yiaddr.v);
	wr_u32(w, out->siaddr.v);
	wr_u32(w, out->giaddr.v);
	wr_span(w, (struct span){ out->chaddr, sizeof(out->chaddr) });
	put_field_or_options(w, out, &l, AREA_SNAME);
	put_field_or_options(w, out, &l, AREA_FILE);
	wr_u32(w, MAGIC_COOKIE);
	put_options(w, out, &l, AREA_OPTIONS);
	if (w->n - start < DHCP4_REPLY_MIN)
		wr_fill(w, 0, DHCP4_REPLY_MIN - (w->n - start));
	return w->full ? -EMSGSIZE : 0;
}
