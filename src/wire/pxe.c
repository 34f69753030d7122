/* What netbooting clients say of themselves, read out of single options. */
#include "wire/pxe.h"

#include <errno.h>

/* IANA "Processor Architecture Types" (DHCPv6 parameters, option 61; the same
 * numbers in option 93).  EDK2 and iPXE send 7 for x64, RFC 4578 had 7 and 9
 * swapped: both are x64 (dnsmasq CHANGELOG 2.76). */
static const struct arch_type arch_types[] = {
	{ 0x00, ARCH_BIOS, false, "x86-bios" },
	{ 0x01, ARCH_OTHER, false, "nec-pc98" },
	{ 0x02, ARCH_OTHER, false, "itanium" },
	{ 0x03, ARCH_OTHER, false, "dec-alpha" },
	{ 0x04, ARCH_OTHER, false, "arc-x86" },
	{ 0x05, ARCH_OTHER, false, "intel-lean-client" },
	{ 0x06, ARCH_IA32, false, "x86-uefi" },
	{ 0x07, ARCH_X64, false, "x64-uefi" },
	{ 0x08, ARCH_OTHER, false, "xscale-efi" },
	{ 0x09, ARCH_X64, false, "ebc" },
	{ 0x0a, ARCH_ARM32, false, "arm32-uefi" },
	{ 0x0b, ARCH_ARM64, false, "arm64-uefi" },
	{ 0x0c, ARCH_OTHER, false, "powerpc-open-firmware" },
	{ 0x0d, ARCH_OTHER, false, "powerpc-epapr" },
	{ 0x0e, ARCH_OTHER, false, "power-opal-v3" },
	{ 0x0f, ARCH_IA32, true, "x86-uefi-http" },
	{ 0x10, ARCH_X64, true, "x64-uefi-http" },
	{ 0x11, ARCH_OTHER, true, "ebc-http" },
	{ 0x12, ARCH_ARM32, true, "arm32-uefi-http" },
	{ 0x13, ARCH_ARM64, true, "arm64-uefi-http" },
	{ 0x14, ARCH_BIOS, true, "x86-bios-http" },
	{ 0x15, ARCH_OTHER, false, "arm32-uboot" },
	{ 0x16, ARCH_OTHER, false, "arm64-uboot" },
	{ 0x17, ARCH_OTHER, true, "arm32-uboot-http" },
	{ 0x18, ARCH_OTHER, true, "arm64-uboot-http" },
	{ 0x19, ARCH_OTHER, false, "riscv32-uefi" },
	{ 0x1a, ARCH_OTHER, true, "riscv32-uefi-http" },
	{ 0x1b, ARCH_OTHER, false, "riscv64-uefi" },
	{ 0x1c, ARCH_OTHER, true, "riscv64-uefi-http" },
	{ 0x1d, ARCH_OTHER, false, "riscv128-uefi" },
	{ 0x1e, ARCH_OTHER, true, "riscv128-uefi-http" },
	{ 0x1f, ARCH_OTHER, false, "s390-basic" },
	{ 0x20, ARCH_OTHER, false, "s390-extended" },
	{ 0x21, ARCH_OTHER, false, "mips32-uefi" },
	{ 0x22, ARCH_OTHER, false, "mips64-uefi" },
	{ 0x23, ARCH_OTHER, false, "sunway32-uefi" },
	{ 0x24, ARCH_OTHER, false, "sunway64-uefi" },
	{ 0x25, ARCH_OTHER, false, "loongarch32-uefi" },
	{ 0x26, ARCH_OTHER, true, "loongarch32-uefi-http" },
	{ 0x27, ARCH_OTHER, false, "loongarch64-uefi" },
	{ 0x28, ARCH_OTHER, true, "loongarch64-uefi-http" },
	{ 0x29, ARCH_OTHER, false, "arm-rpiboot" },
};

static const char *const arch_names[ARCH_COUNT] = {
	[ARCH_UNKNOWN] = "unknown",
	[ARCH_BIOS] = "bios",
	[ARCH_IA32] = "ia32",
	[ARCH_X64] = "x64",
	[ARCH_ARM32] = "arm32",
	[ARCH_ARM64] = "arm64",
	[ARCH_OTHER] = "other",
};

const struct arch_type *arch_type_find(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(arch_types); i++)
		if (arch_types[i].number == number)
			return &arch_types[i];
	return NULL;
}

const struct arch_type *arch_type_find_name(struct span name)
{
	enum arch class;
	bool is_class = arch_parse(name, &class) == 0;

	for (size_t i = 0; i < ARRAY_LEN(arch_types); i++)
		if (span_eq_nocase(span_str(arch_types[i].name), name) ||
			(is_class && arch_types[i].arch == class))
			return &arch_types[i];
	return NULL;
}

const char *arch_name(enum arch a)
{
	return arch_names[a];
}

int arch_parse(struct span name, enum arch *ret)
{
	for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++) {
		if (span_eq_nocase(span_str(arch_names[a]), name)) {
			*ret = a;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_decimal(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* "NNNNN" after ":Arch:".  Decimal by RFC 4578 2.1; U-Boot on VisionFive 2
 * writes hexadecimal ("0001b"), which shows in its letters only. */
static bool arch_digits_parse(struct span digits, uint16_t *ret)
{
	unsigned base = is_decimal(digits) ? 10 : 16, v = 0;

	if (digits.n == 0 || digits.n > 5)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		int d = hex_digit_value(digits.p[i]);

		if (d < 0)
			return false;
		v = v * base + (unsigned)d;
	}
	if (v > UINT16_MAX)
		return false;
	*ret = (uint16_t)v;
	return true;
}

void vendor_class_parse(struct span option60, struct vendor_class *ret)
{
	static const struct span pxe = { (const uint8_t *)"PXEClient", 9 };
	static const struct span http = { (const uint8_t *)"HTTPClient", 10 };
	static const struct span arch = { (const uint8_t *)":Arch:", 6 };
	struct span rest;

	*ret = (struct vendor_class){ 0 };
	if (span_has_prefix(option60, pxe)) {
		ret->kind = VENDOR_PXE;
		rest = span_skip(option60, pxe.n);
	} else if (span_has_prefix(option60, http)) {
		ret->kind = VENDOR_HTTP;
		rest = span_skip(option60, http.n);
	} else {
		return;
	}
	if (!span_has_prefix(rest, arch))
		return;
	rest = span_until_nul(span_skip(rest, arch.n));

	const uint8_t *colon = rest.n ? memchr(rest.p, ':', rest.n) : NULL;

	if (colon)
		rest.n = (size_t)(colon - rest.p);
	ret->has_arch = arch_digits_parse(rest, &ret->arch);
}

/* The next class of a list in RFC 3004's form; false at its end or when it is
 * not of that form. */
static bool user_class_next(struct rd *r, struct span *ret)
{
	if (rd_left(r) == 0)
		return false;

	struct span s = rd_span(r, rd_u8(r));

	if (r->bad || s.n == 0)
		return false;
	*ret = s;
	return true;
}

bool user_class_has_ipxe(struct span option77)
{
	const struct span ipxe = SPAN_LIT("iPXE");
	struct rd r = rd_of(option77);
	struct span class;

	if (span_eq(span_until_nul(option77), ipxe))
		return true;
	while (user_class_next(&r, &class))
		if (span_eq(class, ipxe))
			return true;
	return false;
}

struct span user_class_first(struct span option77)
{
	struct rd r = rd_of(option77);
	struct span class, first = option77;
	bool any = false;

	while (user_class_next(&r, &class)) {
		if (!any)
			first = class;
		any = true;
	}
	return any && !r.bad && rd_left(&r) == 0 ? first : option77;
}

int client_arch_first_known(struct span option93, uint16_t *ret)
{
	struct rd r = rd_of(option93);
	uint16_t first;

	if (option93.n < 2)
		return -ENOENT;
	first = (uint16_t)(option93.p[0] << 8 | option93.p[1]);
	while (rd_left(&r) >= 2) {
		uint16_t number = rd_u16(&r);

		if (arch_type_find(number)) {
			*ret = number;
			return 0;
		}
	}
	*ret = first;
	return 0;
}

int machine_id_parse(struct span option97, struct uuid *ret)
{
	if (option97.n != 1 + sizeof(ret->b) || option97.p[0] != 0)
		return -EINVAL;
	memcpy(ret->b, option97.p + 1, sizeof(ret->b));
	return 0;
}

/* Feature numbers of iPXE's encapsulated options (ipxe: src/include/ipxe/features.h). */
enum ipxe_feature {
	IPXE_HTTP = 0x13,
	IPXE_HTTPS = 0x14,
	IPXE_BZIMAGE = 0x18,
	IPXE_EFI = 0x24,
	IPXE_MENU = 0x27,
};

void ipxe_features_parse(struct span option175, struct ipxe_features *ret)
{
	struct rd r = rd_of(option175);
	struct ipxe_features f = { 0 };

	*ret = f;
	if (option175.n == 0)
		return;
	while (rd_left(&r) > 0) {
		uint8_t code = rd_u8(&r);

		if (code == 0)
			continue;
		if (code == 255)
			break;

		struct span value = rd_span(&r, rd_u8(&r));

		if (r.bad)
			return;

		bool on = value.n > 0 && value.p[0] != 0;

		f.present = true;
		f.http = f.http || (code == IPXE_HTTP && on);
		f.https = f.https || (code == IPXE_HTTPS && on);
		f.bzimage = f.bzimage || (code == IPXE_BZIMAGE && on);
		f.efi = f.efi || (code == IPXE_EFI && on);
		f.menu = f.menu || (code == IPXE_MENU && on);
	}
	*ret = f;
}

/* Sub-options of option 43 (PXE 2.1 table 2-1), and values of theirs. */
enum pxe_suboption {
	PXE_DISCOVERY_CONTROL = 6,
	PXE_BOOT_SERVERS = 8,
	PXE_BOOT_MENU = 9,
	PXE_MENU_PROMPT = 10,
	PXE_END = 255,
};
#define PXE_UNICAST_ONLY 3u      /* bits 0 and 1: neither broadcast nor multicast discovery */
#define PXE_BOOT_FILE    8u      /* bit 3: boot the file named, ask nobody */
#define PXE_OUR_SERVER   0x8002u /* a type of our own; 0 would be the local disk */
#define PXE_TYPE_LOCAL   0u

static void put_control(struct wr *w, uint8_t bits)
{
	wr_u8(w, PXE_DISCOVERY_CONTROL);
	wr_u8(w, 1);
	wr_u8(w, bits);
}

static void put_menu_item(struct wr *w, uint16_t type, struct span text)
{
	wr_u8(w, PXE_BOOT_MENU);
	wr_u8(w, (uint8_t)(3 + text.n));
	wr_u16(w, type);
	wr_u8(w, (uint8_t)text.n);
	wr_span(w, text);
}

static void put_prompt(struct wr *w, uint8_t timeout_s, struct span text)
{
	wr_u8(w, PXE_MENU_PROMPT);
	wr_u8(w, (uint8_t)(1 + text.n));
	wr_u8(w, timeout_s);
	wr_span(w, text);
}

void pxe_vendor_options_direct(struct wr *w)
{
	put_control(w, PXE_BOOT_FILE);
	wr_u8(w, PXE_END);
}

void pxe_vendor_options_menu(struct wr *w, struct ip4 server, struct span text)
{
	put_control(w, PXE_UNICAST_ONLY);
	wr_u8(w, PXE_BOOT_SERVERS);
	wr_u8(w, 7);
	wr_u16(w, PXE_OUR_SERVER);
	wr_u8(w, 1);
	wr_u32(w, server.v);
	put_menu_item(w, PXE_OUR_SERVER, text);
	put_prompt(w, 0, text);
	wr_u8(w, PXE_END);
}

void pxe_vendor_options_local(struct wr *w, struct span text)
{
	put_control(w, PXE_UNICAST_ONLY);
	put_menu_item(w, PXE_TYPE_LOCAL, text);
	put_prompt(w, 0, text);
	wr_u8(w, PXE_END);
}

void pxe_vendor_options_entry(struct wr *w, struct span text)
{
	put_control(w, PXE_BOOT_FILE);
	put_menu_item(w, PXE_TYPE_LOCAL, text);
	put_prompt(w, 0, SPAN_LIT("PXE"));
	wr_u8(w, PXE_END);
}

void pxe_vendor_options_item(struct wr *w, struct span option43)
{
	struct span item = pxe_vendor_suboption(option43, PXE_BOOT_ITEM);

	if (item.n != 4) /* type and layer */
		return;
	wr_u8(w, PXE_BOOT_ITEM);
	wr_u8(w, (uint8_t)item.n);
	wr_span(w, item);
	wr_u8(w, PXE_END);
}

struct span pxe_vendor_suboption(struct span option43, uint8_t code)
{
	struct rd r = rd_of(option43);

	while (rd_left(&r) > 0) {
		uint8_t c = rd_u8(&r);

		if (c == 0)
			continue;
		if (c == PXE_END)
			break;

		struct span value = rd_span(&r, rd_u8(&r));

		if (r.bad)
			break;
		if (c == code)
			return value;
	}
	return SPAN_NONE;
}
