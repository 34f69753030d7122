/* Which parameters a reply carries.  What the configuration sets is sent also
 * to clients that do not ask for it: an administrator who writes it down means
 * it, and firmware that asks for too little is why.  It comes behind what the
 * client asks for, so that it is the first to go when room is short. */
#include "core/dhcp4_params.h"

#define DNS_MAX 3u /* more of them is what fragile firmware does not survive (CVE-2023-45234) */

#define OPT_STATIC_ROUTE     33
#define OPT_CLASSLESS_ROUTES 121

static bool client_asks(const struct dhcp4_msg *request, uint8_t code)
{
	struct span list = request->opt[OPT_PARAMETER_LIST];

	return list.n && memchr(list.p, code, list.n);
}

void dhcp4_params_add(const struct dhcp4_msg *request, const struct served *s,
	const struct answer *answer, struct arena *a, struct dhcp4_out *out)
{
	const struct network *net = s->cfg;

	dhcp4_out_add_u32(out, a, OPT_SUBNET_MASK, true, ip4_mask(s->prefix_len));
	if (s->router.v)
		dhcp4_out_add_u32(out, a, OPT_ROUTER, true, s->router.v);
	if (net->n_dns) {
		uint8_t *b = arena_alloc(a, DNS_MAX * 4);
		struct wr w = wr_of(b, b ? DNS_MAX * 4 : 0);

		for (size_t i = 0; i < net->n_dns && i < DNS_MAX; i++)
			wr_u32(&w, net->dns[i].v);
		out->failed = out->failed || w.full;
		dhcp4_out_add(out, OPT_DNS, true, wr_done(&w));
	}
	if (answer->machine && client_asks(request, OPT_HOSTNAME))
		dhcp4_out_add(out, OPT_HOSTNAME, false, span_str(answer->machine->name));
	if (net->domain)
		dhcp4_out_add(out, OPT_DOMAIN, false, span_str(net->domain));
	if (s->prefix_len < 31)
		dhcp4_out_add_u32(
			out, a, OPT_BROADCAST, false, s->subnet.v | ~ip4_mask(s->prefix_len));
}

static void set_options(struct dhcp4_out *out, const struct option_list *options)
{
	for (size_t i = 0; i < options->n; i++) {
		struct span value = options->list[i].value;

		if (options->list[i].code == OPT_DNS && value.n > DNS_MAX * 4)
			value.n = DNS_MAX * 4;
		dhcp4_out_set(out, options->list[i].code, value);
	}
}

static bool has_option(const struct dhcp4_out *out, uint8_t code)
{
	for (size_t i = 0; i < out->n_options; i++)
		if (out->options[i].code == code)
			return true;
	return false;
}

/* RFC 3442: a client that asks for classless routes and gets them ignores router
 * and static routes, which are not to be sent then. */
static void drop_classful_routes(const struct dhcp4_msg *request, struct dhcp4_out *out)
{
	size_t n = 0;

	if (!client_asks(request, OPT_CLASSLESS_ROUTES) || !has_option(out, OPT_CLASSLESS_ROUTES))
		return;
	for (size_t i = 0; i < out->n_options; i++)
		if (out->options[i].code != OPT_ROUTER && out->options[i].code != OPT_STATIC_ROUTE)
			out->options[n++] = out->options[i];
	out->n_options = n;
}

/* Places in the order of a reply: 53 and 54 first, where old ROMs look; then
 * what the client asks for in its order (RFC 2132 9.8), then the rest.  67 is
 * the last for the client, whose NUL may fall behind it (core/dhcp4_boot.c), and
 * 82 behind it for the relay, which cuts it off (RFC 3046 2.1). */
static void rank_codes(struct span asked, uint16_t ret[256])
{
	const uint16_t rest = UINT16_MAX - 2;

	for (size_t i = 0; i < 256; i++)
		ret[i] = rest;
	for (size_t i = asked.n < rest - 2u ? asked.n : rest - 2u; i > 0; i--)
		ret[asked.p[i - 1]] = (uint16_t)(i + 1);
	/* RFC 2132 3.3: the mask comes before the router, whatever the client's order. */
	if (ret[OPT_SUBNET_MASK] > ret[OPT_ROUTER])
		ret[OPT_SUBNET_MASK] = ret[OPT_ROUTER];
	ret[OPT_MESSAGE_TYPE] = 0;
	ret[OPT_SERVER_ID] = 1;
	ret[OPT_BOOTFILE] = UINT16_MAX - 1;
	ret[OPT_RELAY_AGENT] = UINT16_MAX;
}

/* Insertion, since it keeps what has equal places as it is; there are few. */
static void sort_options(const uint16_t rank[256], struct dhcp4_out *out)
{
	for (size_t i = 1; i < out->n_options; i++) {
		const struct dhcp4_out_option o = out->options[i];
		size_t at = i;

		for (; at > 0 && rank[out->options[at - 1].code] > rank[o.code]; at--)
			out->options[at] = out->options[at - 1];
		out->options[at] = o;
	}
}

void dhcp4_params_finish(const struct dhcp4_msg *request, const struct served *s,
	const struct answer *answer, struct dhcp4_out *out)
{
	uint16_t rank[256];

	set_options(out, &s->cfg->options);
	if (answer->profile)
		set_options(out, &answer->profile->options);
	if (answer->machine)
		set_options(out, &answer->machine->options);
	drop_classful_routes(request, out);
	rank_codes(request->opt[OPT_PARAMETER_LIST], rank);
	sort_options(rank, out);
}
