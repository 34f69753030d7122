/* One story out of options that may be missing, malformed or contradictory. */
#include "core/facts.h"

void facts_classify(struct span option60, struct span option77, struct span option93,
	struct span option175, struct facts *f)
{
	struct ipxe_features ipxe;
	struct vendor_class vendor;
	const struct arch_type *type;

	vendor_class_parse(option60, &vendor);
	ipxe_features_parse(option175, &ipxe);

	bool sent = client_arch_first_known(option93, &f->arch_number) == 0;

	f->has_arch = sent || vendor.has_arch || vendor.kind == VENDOR_PXE;
	if (!sent || (vendor.has_arch && !arch_type_find(f->arch_number)))
		f->arch_number = vendor.arch; /* 0, BIOS, when it names none */
	if (user_class_has_ipxe(option77) || ipxe.present) {
		f->client = CLIENT_IPXE;
		f->transport = TRANSPORT_HTTP;
		f->has_arch = true;
	} else if (vendor.kind == VENDOR_HTTP) {
		f->client = CLIENT_HTTP;
		f->transport = TRANSPORT_HTTP;
	} else if (vendor.kind == VENDOR_PXE) {
		f->client = CLIENT_PXE;
		f->transport = TRANSPORT_TFTP;
	} else if (f->has_arch) {
		/* No class that we know, but an architecture: U-Boot's "U-Boot.armv8". */
		type = arch_type_find(f->arch_number);
		f->client = type && type->http ? CLIENT_HTTP : CLIENT_PXE;
		f->transport = type && type->http ? TRANSPORT_HTTP : TRANSPORT_TFTP;
	} else {
		f->client = CLIENT_DHCP;
		f->transport = TRANSPORT_NONE;
	}
	type = f->has_arch ? arch_type_find(f->arch_number) : NULL;
	f->arch = type ? type->arch : ARCH_UNKNOWN;
}

void facts_from_dhcp4(const struct dhcp4_msg *m, const char *network, struct facts *ret)
{
	struct facts f = { .network = network };
	struct span relay = m->opt[OPT_RELAY_AGENT];

	facts_classify(m->opt[OPT_VENDOR_CLASS], m->opt[OPT_USER_CLASS], m->opt[OPT_CLIENT_ARCH],
		m->opt[OPT_IPXE], &f);
	f.has_mac = m->htype == DHCP4_HTYPE_ETHERNET && m->hlen == sizeof(f.mac.b);
	if (f.has_mac)
		memcpy(f.mac.b, m->chaddr, sizeof(f.mac.b));
	f.has_uuid = machine_id_parse(m->opt[OPT_MACHINE_ID], &f.uuid) == 0 &&
		!uuid_is_default(f.uuid);
	if (f.has_uuid)
		f.uuid = uuid_swap(f.uuid);
	f.vendor_class = span_until_nul(m->opt[OPT_VENDOR_CLASS]);
	f.user_class = span_until_nul(user_class_first(m->opt[OPT_USER_CLASS]));
	f.hostname = span_until_nul(m->opt[OPT_HOSTNAME]);
	f.circuit_id = dhcp4_relay_suboption(relay, RELAY_CIRCUIT_ID);
	f.remote_id = dhcp4_relay_suboption(relay, RELAY_REMOTE_ID);
	*ret = f;
}

const char *facts_arch_name(const struct facts *f)
{
	const struct arch_type *type = f->has_arch ? arch_type_find(f->arch_number) : NULL;

	return type ? type->name : arch_name(ARCH_UNKNOWN);
}

const char *facts_kind_text(const struct facts *f)
{
	static const char *const pxe[ARCH_COUNT] = {
		[ARCH_UNKNOWN] = "PXE client of an unknown architecture",
		[ARCH_BIOS] = "PXE BIOS",
		[ARCH_IA32] = "UEFI PXE ia32",
		[ARCH_X64] = "UEFI PXE x64",
		[ARCH_ARM32] = "UEFI PXE arm32",
		[ARCH_ARM64] = "UEFI PXE arm64",
		[ARCH_OTHER] = "PXE client of a rare architecture",
	};
	static const char *const http[ARCH_COUNT] = {
		[ARCH_UNKNOWN] = "HTTP Boot client of an unknown architecture",
		[ARCH_BIOS] = "HTTP Boot BIOS",
		[ARCH_IA32] = "UEFI HTTP Boot ia32",
		[ARCH_X64] = "UEFI HTTP Boot x64",
		[ARCH_ARM32] = "UEFI HTTP Boot arm32",
		[ARCH_ARM64] = "UEFI HTTP Boot arm64",
		[ARCH_OTHER] = "HTTP Boot client of a rare architecture",
	};
	static const char *const ipxe[ARCH_COUNT] = {
		[ARCH_UNKNOWN] = "iPXE",
		[ARCH_BIOS] = "iPXE on BIOS",
		[ARCH_IA32] = "iPXE on UEFI ia32",
		[ARCH_X64] = "iPXE on UEFI x64",
		[ARCH_ARM32] = "iPXE on UEFI arm32",
		[ARCH_ARM64] = "iPXE on UEFI arm64",
		[ARCH_OTHER] = "iPXE of a rare architecture",
	};

	switch (f->client) {
	case CLIENT_PXE:
		return pxe[f->arch];
	case CLIENT_HTTP:
		return http[f->arch];
	case CLIENT_IPXE:
		return ipxe[f->arch];
	case CLIENT_DHCP:
		break;
	}
	return "DHCP client";
}
