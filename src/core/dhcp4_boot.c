/* Boot answers.  Each oddity below names the device that forced it. */
#include "core/dhcp4_boot.h"

#include <errno.h>

/* Option 175, sub-option 176 ("no-pxedhcp"): iPXE otherwise waits two seconds
 * for a ProxyDHCP server after our offer. */
static const uint8_t ipxe_no_proxy_wait[] = { 176, 1, 1 };

#define VENDOR_OPTIONS_MAX 96u

static bool has_boot_file(const struct answer *answer)
{
	return answer->kind != ANSWER_ADDRESS && answer->kind != ANSWER_LOCAL &&
		answer->kind != ANSWER_NONE;
}

void dhcp4_boot_form(struct forms *forms, const struct dhcp4_msg *request,
	const struct facts *facts, const struct answer *answer, enum forms_mode mode, int64_t now_s,
	struct form_choice *ret)
{
	*ret = (struct form_choice){ .mode = mode };
	if (facts->client == CLIENT_PXE && has_boot_file(answer))
		forms_choose(forms, request, facts, mode, now_s, ret);
}

static void put_vendor_options(
	enum form form, struct ip4 server, struct span option43, struct wr *w)
{
	switch (form) {
	case FORM_DIRECT:
		pxe_vendor_options_direct(w);
		break;
	case FORM_MENU:
		pxe_vendor_options_menu(w, server, SPAN_LIT("bootsmith"));
		break;
	case FORM_RPI:
		pxe_vendor_options_entry(w, SPAN_LIT("Raspberry Pi Boot"));
		break;
	case FORM_RPI_PADDED:
	case FORM_RPI_LATE:
		pxe_vendor_options_entry(w, SPAN_LIT("Raspberry Pi Boot   "));
		break;
	case FORM_BOOT_SERVER:
		pxe_vendor_options_item(w, option43);
		break;
	case FORM_BINL:
	case FORM_PLAIN:
		break;
	}
}

static int add_pxe(const struct dhcp4_msg *request, struct ip4 server,
	const struct form_choice *form, struct arena *a, struct dhcp4_out *out)
{
	uint8_t *buf = arena_alloc(a, VENDOR_OPTIONS_MAX);
	struct wr w = wr_of(buf, buf ? VENDOR_OPTIONS_MAX : 0);

	/* EDK2 takes an offer as PXE only with this prefix, and reads 43 only then. */
	if (form->form != FORM_PLAIN)
		dhcp4_out_add(out, OPT_VENDOR_CLASS, true, span_str(form->quirk->answer_class));
	put_vendor_options(form->form, server, request->opt[OPT_VENDOR_SPECIFIC], &w);
	if (w.full)
		return -ENOMEM;
	dhcp4_out_add(out, OPT_VENDOR_SPECIFIC, true, wr_done(&w));
	/* RFC 4578 2.3; only what was sent: no GUID, no echo (dnsmasq, rfc2131.c). */
	dhcp4_out_add(out, OPT_MACHINE_ID, true, request->opt[OPT_MACHINE_ID]);
	return 0;
}

static void add_ipxe(
	const struct dhcp4_msg *request, const struct form_choice *form, struct dhcp4_out *out)
{
	if (form->mode == FORMS_PROXY) /* iPXE takes no other offer as a proxy's (net/udp/dhcp.c) */
		dhcp4_out_add(out, OPT_VENDOR_CLASS, true, SPAN_LIT("PXEClient"));
	else
		dhcp4_out_add(out, OPT_IPXE, true,
			(struct span){ ipxe_no_proxy_wait, sizeof(ipxe_no_proxy_wait) });
	dhcp4_out_add(out, OPT_MACHINE_ID, true, request->opt[OPT_MACHINE_ID]);
}

/* Firmware goes on to its next boot option at once when it is told to boot its own disk.  Told
 * nothing, EDK2 asks four times, for 75 s by PXE and for 60 s by HTTP (seen with OVMF of Debian 12).
 * PXE: boot server type 0.  HTTP Boot has no word for it: a file that is not there (core/locate.c). */
static int add_local(const struct dhcp4_msg *request, struct arena *a, struct dhcp4_out *out)
{
	uint8_t *buf = arena_alloc(a, VENDOR_OPTIONS_MAX);
	struct wr w = wr_of(buf, buf ? VENDOR_OPTIONS_MAX : 0);

	pxe_vendor_options_local(&w, SPAN_LIT("Local disk"));
	if (w.full)
		return -ENOMEM;
	dhcp4_out_add(out, OPT_VENDOR_CLASS, true, SPAN_LIT("PXEClient"));
	dhcp4_out_add(out, OPT_VENDOR_SPECIFIC, true, wr_done(&w));
	dhcp4_out_add(out, OPT_MACHINE_ID, true, request->opt[OPT_MACHINE_ID]);
	return 0;
}

int dhcp4_boot_fill(const struct config *cfg, const struct dhcp4_msg *request,
	const struct facts *facts, const struct answer *answer, struct ip4 server,
	const struct form_choice *form, struct arena *a, struct dhcp4_out *out,
	struct span *ret_bootfile)
{
	struct text name = { 0 };
	char *file, *address;

	*ret_bootfile = SPAN_NONE;
	if (answer->kind == ANSWER_LOCAL && facts->client == CLIENT_PXE)
		return facts->arch == ARCH_BIOS ? 0 : add_local(request, a, out);
	if (!has_boot_file(answer) &&
		!(answer->kind == ANSWER_LOCAL && facts->client == CLIENT_HTTP))
		return 0;
	locate_bootfile(cfg, facts, answer, server, &name);
	file = name.failed ? NULL : arena_strdup(a, text_span(&name));
	text_free(&name);
	address = arena_strdup(a, span_str(ip4_str(server).s));
	if (!file || !address)
		return -ENOMEM;

	out->siaddr = server;
	out->sname = span_str(address);
	/* U-Boot reads the header only (siderolabs/booter#11); a URL that would be
	 * cut is left to option 67. */
	if (strlen(file) < 128)
		out->file = span_str(file);
	switch (facts->client) {
	case CLIENT_PXE:
		if (add_pxe(request, server, form, a, out) < 0)
			return -ENOMEM;
		dhcp4_out_add(out, OPT_TFTP_SERVER, true,
			(struct span){ (uint8_t *)address, strlen(address) + 1 });
		break;
	case CLIENT_HTTP:
		/* UEFI 2.10, 24.7.2.3: offers without it are thrown away. */
		dhcp4_out_add(out, OPT_VENDOR_CLASS, true, SPAN_LIT("HTTPClient"));
		dhcp4_out_add(out, OPT_MACHINE_ID, true, request->opt[OPT_MACHINE_ID]);
		break;
	case CLIENT_IPXE:
		add_ipxe(request, form, out);
		break;
	case CLIENT_DHCP:
		break;
	}
	/* With its NUL: EDK2 writes one over the octet behind the option, which
	 * would be the next option's code; some PXE ROMs need it too. */
	*ret_bootfile = (struct span){ (uint8_t *)file, strlen(file) + 1 };
	return 0;
}
