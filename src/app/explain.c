/* The dry run behind `bootsmith explain`. */
#include "app/explain.h"

#include "app/site.h"
#include "edge/netif.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct span copy(struct explanation *e, const void *p, size_t n)
{
	struct span s = { p, n };

	return (struct span){ (uint8_t *)arena_strdup(&e->arena, s), n };
}

/* The message that such a client would send first. */
static void build_message(const struct explain_question *q, struct explanation *e)
{
	struct dhcp4_msg *m = &e->msg;
	char class[64];

	*m = (struct dhcp4_msg){ .op = DHCP4_BOOTREQUEST, .htype = DHCP4_HTYPE_ETHERNET, .hlen = 6, .xid = 1,
		.giaddr = q->giaddr, .type = DHCP4_DISCOVER };
	if (q->has_mac)
		memcpy(m->chaddr, q->mac.b, sizeof(q->mac.b));
	else
		m->chaddr[5] = 1;
	if (q->has_arch) {
		const struct arch_type *type = arch_type_find(q->arch);
		uint8_t b[2] = { (uint8_t)(q->arch >> 8), (uint8_t)q->arch };

		m->opt[OPT_CLIENT_ARCH] = copy(e, b, sizeof(b));
		(void)snprintf(class, sizeof(class), "%s:Arch:%05u:UNDI:003000",
			type && type->http ? "HTTPClient" : "PXEClient", q->arch);
		m->opt[OPT_VENDOR_CLASS] = copy(e, class, strlen(class));
	}
	if (q->vendor_class)
		m->opt[OPT_VENDOR_CLASS] = copy(e, q->vendor_class, strlen(q->vendor_class));
	if (q->user_class)
		m->opt[OPT_USER_CLASS] = copy(e, q->user_class, strlen(q->user_class));
	if (q->has_uuid) {
		struct uuid u = uuid_swap(q->uuid); /* SMBIOS order (core/facts.h) */
		uint8_t b[17] = { 0 };

		memcpy(b + 1, u.b, sizeof(u.b));
		m->opt[OPT_MACHINE_ID] = copy(e, b, sizeof(b));
	}
}

/* The interface that the message would come in on: of the first network here. */
static unsigned ifindex_of(const struct explanation *e)
{
	for (size_t i = 0; i < e->nets->n; i++)
		if (e->nets->list[i].ifindex)
			return e->nets->list[i].ifindex;
	return 0;
}

/* No network here would answer: the decision alone, for the first configured one. */
static void decide_only(struct explanation *e)
{
	const struct config *cfg = e->cfg;

	e->not_here = true;
	e->plan.drop = DROP_NONE;
	facts_from_dhcp4(&e->msg, cfg->n_networks ? cfg->networks[0].name : NULL, &e->plan.facts);
	boot_decide(cfg, &e->plan.facts, &e->plan.answer);
	locate_bootfile(cfg, &e->plan.facts, &e->plan.answer, (struct ip4){ 0 }, &e->bootfile);
}

int explain(struct config *cfg, const struct explain_question *q, struct explanation *ret)
{
	struct explanation *e = ret;
	struct site_files files;
	struct iface_view *ifaces = NULL;
	const char *missing;
	size_t n = 0;
	int r;

	*e = (struct explanation){ .cfg = cfg };
	arena_init(&e->arena, 0);
	r = site_files_open(cfg, &files, &missing);
	if (r < 0)
		return r;
	site_files_close(&files);
	r = netif_list(&ifaces, &n);
	if (r == 0)
		r = served_build(cfg, ifaces, n, &e->nets);
	free(ifaces);
	if (r == 0)
		r = lease_table_new(&e->leases);
	if (r < 0)
		return r;
	build_message(q, e);

	const struct dhcp4_server srv = { .cfg = cfg, .nets = e->nets, .leases = e->leases };
	const struct dhcp4_rx rx = { .ifindex = ifindex_of(e) };

	dhcp4_plan(&srv, &e->msg, &rx, 0, &e->arena, &e->plan);
	if (!e->plan.net && q->giaddr.v == 0)
		decide_only(e);
	else
		text_add(&e->bootfile, e->plan.bootfile);
	return e->bootfile.failed ? -ENOMEM : 0;
}

void explain_free(struct explanation *e)
{
	text_free(&e->bootfile);
	lease_table_free(e->leases);
	served_free(e->nets);
	arena_free(&e->arena);
}
