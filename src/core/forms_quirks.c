/* The shipped table of firmware kinds: data, and its lookup.  Each row names
 * the evidence for what it says. */
#include "core/forms.h"

#define TEXT(s)                                                                                    \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
#define ANY_ARCH .arch_min = 0, .arch_max = UINT16_MAX

/* smee's list of the Raspberry Pi trading company's and foundation's prefixes. */
static const uint8_t raspberry_ouis[][3] = {
	{ 0xb8, 0x27, 0xeb },
	{ 0xdc, 0xa6, 0x32 },
	{ 0xe4, 0x5f, 0x01 },
	{ 0x28, 0xcd, 0xc1 },
	{ 0xd8, 0x3a, 0xdd },
};

#define RASPBERRY_ORDER                                                                            \
	{                                                                                          \
		{ 3, { FORM_RPI, FORM_RPI_PADDED, FORM_DIRECT } },                                 \
		{                                                                                  \
			3,                                                                         \
			{                                                                          \
				FORM_RPI, FORM_RPI_PADDED, FORM_DIRECT                             \
			}                                                                          \
		}                                                                                  \
	}
#define RASPBERRY_3_ORDER                                                                          \
	{                                                                                          \
		{ 4, { FORM_RPI, FORM_RPI_PADDED, FORM_RPI_LATE, FORM_DIRECT } },                  \
		{                                                                                  \
			4,                                                                         \
			{                                                                          \
				FORM_RPI, FORM_RPI_PADDED, FORM_RPI_LATE, FORM_DIRECT              \
			}                                                                          \
		}                                                                                  \
	}
#define BIOS_ORDER                                                                                 \
	{                                                                                          \
		{ 4, { FORM_DIRECT, FORM_PLAIN, FORM_MENU, FORM_BINL } },                          \
		{                                                                                  \
			3,                                                                         \
			{                                                                          \
				FORM_DIRECT, FORM_MENU, FORM_BINL                                  \
			}                                                                          \
		}                                                                                  \
	}

static const struct form_quirk quirks[] = {
	{
		.name = "Raspberry Pi 4 or later",
		.evidence =
			"option 97 = 00 \"RPi4\": capture in raspberrypi/cmprovision#16; a bare text in 43 "
			"is not enough: raspberrypi/documentation#1686; blanks: raspberrypi/firmware#1808",
		.class = TEXT("PXEClient"),
		ANY_ARCH,
		.machine_id = TEXT("\0RPi"),
		.order = RASPBERRY_ORDER,
		.answer_class = "PXEClient",
	},
	{
		/* The 3B's ROM is stuck by an answer that comes at once, the 3B+'s (BCM2837B0) is not;
		 * class, architecture and OUI are the same, and nothing else is sent.  So the late
		 * form is one more to try, and costs those that need none nothing. */
		.name = "Raspberry Pi 3",
		.evidence =
			"60 \"PXEClient:Arch:00000:UNDI:002001\" and OUI: capture x-rpi3-pxe; tinkerbell/smee "
			"AddRPIOpt43; 66 wins over siaddr: raspberrypi/firmware#670; late: "
			"raspberrypi/firmware#934, #862 (works with dnsmasq's dhcp-reply-delay=1), and "
			"openSUSE/netboot-rpi3b (what comes after 1 s ends the ROM's wait)",
		.class = TEXT("PXEClient:Arch:00000:UNDI:002001"),
		.arch_min = 0x00,
		.arch_max = 0x00,
		.ouis = raspberry_ouis,
		.n_ouis = ARRAY_LEN(raspberry_ouis),
		.order = RASPBERRY_3_ORDER,
		.answer_class = "PXEClient",
	},
	{
		.name = "Raspberry Pi (rpiboot)",
		.evidence = "architecture 0x29: raspberrypi/firmware#1928",
		.arch_min = 0x29,
		.arch_max = 0x29,
		.order = RASPBERRY_ORDER,
		.answer_class = "PXEClient",
	},
	{
		.name = "U-Boot",
		.evidence =
			"reads siaddr and file of the header only: net/bootp.c, siderolabs/booter#11",
		.class = TEXT("U-Boot"),
		ANY_ARCH,
		.order = { { 2, { FORM_PLAIN, FORM_DIRECT } }, { 2, { FORM_DIRECT, FORM_BINL } } },
		.answer_class = "PXEClient",
	},
	{
		.name = "OEM ROM with a class of its own",
		.evidence =
			"some vendors' ROMs take an answer only with their own class: dnsmasq --dhcp-pxe-vendor",
		.class = TEXT("HW-Client"),
		ANY_ARCH,
		.order = BIOS_ORDER,
		.answer_class = "HW-Client",
	},
	{
		.name = "UEFI",
		.evidence =
			"edk2 PxeBcDhcp4.c takes all four; beside another server dnsmasq sends every UEFI to 4011 "
			"(\"many UEFI PXE menus badly broken\"), OVMF: capture ovmf-proxydhcp-4011; "
			"VMware and Hyper-V are EDK2 too: edk2#7264, cobbler#2284",
		.arch_min = 0x06,
		.arch_max = UINT16_MAX,
		.order = { { 4, { FORM_DIRECT, FORM_BINL, FORM_PLAIN, FORM_MENU } },
			{ 3, { FORM_BINL, FORM_DIRECT, FORM_MENU } } },
		.answer_class = "PXEClient",
	},
	{
		.name = "PXE BIOS",
		.evidence = "PXE specification 2.1, 2.2.3; dnsmasq rfc2131.c (43.6 = 8, or a menu)",
		ANY_ARCH,
		.order = BIOS_ORDER,
		.answer_class = "PXEClient",
	},
};

static bool has_oui(const struct form_quirk *q, const struct facts *facts)
{
	for (size_t i = 0; facts->has_mac && i < q->n_ouis; i++)
		if (memcmp(q->ouis[i], facts->mac.b, sizeof(q->ouis[i])) == 0)
			return true;
	return q->n_ouis == 0;
}

const struct form_quirk *forms_quirk(const struct dhcp4_msg *m, const struct facts *facts)
{
	const struct form_quirk *q = quirks, *last = &quirks[ARRAY_LEN(quirks) - 1];

	for (; q < last; q++)
		if (span_has_prefix(m->opt[OPT_VENDOR_CLASS], q->class) &&
			span_has_prefix(m->opt[OPT_MACHINE_ID], q->machine_id) &&
			facts->arch_number >= q->arch_min && facts->arch_number <= q->arch_max &&
			has_oui(q, facts))
			break;
	return q;
}
