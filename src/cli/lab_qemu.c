/* Builds the QEMU command line of a lab machine; see lab_qemu.h.
 *
 * The switches that choose a way to boot are OVMF's own, read by the firmware
 * from QEMU's fw_cfg (edk2, OvmfPkg/RUNTIME_CONFIG.md).
 */
#include "cli/lab_qemu.h"

#include <errno.h>

static const struct lab_firmware firmwares[] = {
	{ .name = "bios",
		.qemu = "qemu-system-x86_64",
		/* graphics=off: SeaBIOS, and through it iPXE, speaks on the serial port. */
		.machine = "pc,graphics=off",
		.tcg_cpu = "max",
		.packages = "qemu-system-x86 seabios ipxe-qemu",
		.host = "x86_64" },
	{ .name = "uefi-x64",
		.qemu = "qemu-system-x86_64",
		.machine = "q35,graphics=off",
		.tcg_cpu = "max",
		.code = "/usr/share/OVMF/OVMF_CODE_4M.fd",
		.vars = "/usr/share/OVMF/OVMF_VARS_4M.fd",
		.packages = "qemu-system-x86 ovmf",
		.host = "x86_64" },
	{ .name = "uefi-x64-secure",
		.qemu = "qemu-system-x86_64",
		.machine = "q35,graphics=off,smm=on",
		.tcg_cpu = "max",
		/* Microsoft's keys are in the variables, so Secure Boot is on. */
		.code = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
		.vars = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
		.guarded = true,
		.packages = "qemu-system-x86 ovmf",
		.host = "x86_64" },
	{ .name = "uefi-ia32",
		.qemu = "qemu-system-x86_64",
		.machine = "q35,graphics=off,smm=on",
		.tcg_cpu = "max",
		.code = "/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd",
		.vars = "/usr/share/OVMF/OVMF32_VARS_4M.fd",
		.guarded = true,
		.packages = "qemu-system-x86 ovmf-ia32",
		.host = "x86_64" },
	{ .name = "uefi-arm64",
		.qemu = "qemu-system-aarch64",
		.machine = "virt",
		.tcg_cpu = "cortex-a57",
		.code = "/usr/share/AAVMF/AAVMF_CODE.fd",
		.vars = "/usr/share/AAVMF/AAVMF_VARS.fd",
		.packages = "qemu-system-arm qemu-efi-aarch64",
		.host = "aarch64" },
};

const char lab_firmware_names[] = "bios|uefi-x64|uefi-x64-secure|uefi-ia32|uefi-arm64";

const struct lab_firmware *lab_firmware_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(firmwares); i++) {
		if (strcmp(firmwares[i].name, name) == 0)
			return &firmwares[i];
	}
	return NULL;
}

struct uuid lab_machine_uuid(struct mac mac)
{
	/* RFC 9562 5.8: version 8 leaves the rest to us; the variant is 10. */
	struct uuid u = { "bootsm\x80lab" };

	u.b[8] = 0x80;
	memcpy(&u.b[10], mac.b, sizeof(mac.b));
	return u;
}

struct builder {
	struct arena *a;
	struct lab_qemu_args *args;
	size_t n;
	bool failed;
};

static void add(struct builder *b, char *arg)
{
	if (!arg || b->n == LAB_QEMU_ARGS_MAX)
		b->failed = true;
	else
		b->args->v[b->n++] = arg;
}

/* "-option", "value" */
static void add_option(struct builder *b, const char *option, char *value)
{
	add(b, arena_strdup(b->a, span_str(option)));
	add(b, value);
}

static void add_text(struct builder *b, const char *option, const char *value)
{
	add_option(b, option, arena_strdup(b->a, span_str(value)));
}

/* A value inside QEMU's comma-separated syntax: commas are doubled. */
static const char *quote(struct builder *b, const char *s)
{
	char *out = arena_alloc(b->a, 2 * strlen(s) + 1), *to = out;

	if (!out) {
		b->failed = true;
		return "";
	}
	for (; *s; s++) {
		*to++ = *s;
		if (*s == ',')
			*to++ = ',';
	}
	return out;
}

static void add_uefi(struct builder *b, const struct lab_machine *m)
{
	/* EDK2 has no switch for HTTP; with IPv4 PXE first in its order and IPv6
	 * off, PXE is what it tries, and HTTP only after PXE failed. */
	static const char *const switches[][3] = {
		[LAB_BOOT_ANY] = { NULL },
		[LAB_BOOT_PXE] = { "IPv6Support", "IPv6PXESupport", NULL },
		[LAB_BOOT_HTTP] = { "IPv4PXESupport", "IPv6PXESupport", "IPv6Support" },
	};

	add_option(b, "-drive",
		arena_printf(b->a, "if=pflash,format=raw,unit=0,readonly=on,file=%s",
			quote(b, m->code)));
	if (m->firmware->guarded)
		add_text(b, "-global", "driver=cfi.pflash01,property=secure,value=on");
	if (m->vars_fd >= 0)
		add_option(b, "-drive",
			arena_printf(b->a, "if=pflash,format=raw,unit=1,file=/proc/self/fd/%d",
				m->vars_fd));
	for (size_t i = 0; i < ARRAY_LEN(switches[0]) && switches[m->boot][i]; i++)
		add_option(b, "-fw_cfg",
			arena_printf(
				b->a, "name=opt/org.tianocore/%s,string=no", switches[m->boot][i]));
	if (m->https_ca)
		add_option(b, "-fw_cfg",
			arena_printf(b->a, "name=etc/edk2/https/cacerts,file=%s",
				quote(b, m->https_ca)));
}

static void add_network(struct builder *b, const struct lab_machine *m)
{
	/* QEMU gives each NIC an iPXE ROM. BIOS needs it; EDK2 has a virtio driver
	 * of its own, which is the one to test, and for other NICs has none. */
	bool own_driver = m->code && strncmp(m->nic, "virtio-", 7) == 0;

	add_option(b, "-netdev", arena_printf(b->a, "tap,id=net0,fd=%d", m->tap_fd));
	add_option(b, "-device",
		arena_printf(b->a, "%s,netdev=net0,mac=%s,bootindex=0%s", quote(b, m->nic),
			mac_str(m->mac).s, own_driver ? ",romfile=" : ""));
}

static void add_disk(struct builder *b, const struct lab_machine *m)
{
	add_option(b, "-drive",
		arena_printf(b->a, "if=none,id=disk0,format=raw,file=%s", quote(b, m->disk)));
	add_text(b, "-device", "virtio-blk-pci,drive=disk0,bootindex=1");
}

int lab_qemu_args(const struct lab_machine *m, struct arena *a, struct lab_qemu_args *ret_args)
{
	struct lab_qemu_args args = { 0 };
	struct builder b = { .a = a, .args = &args };

	add(&b, arena_strdup(a, span_str(m->firmware->qemu)));
	add_text(&b, "-machine", m->firmware->machine);
	add_text(&b, "-accel", m->kvm ? "kvm" : "tcg");
	add_text(&b, "-cpu", m->kvm ? "host" : m->firmware->tcg_cpu);
	add_option(&b, "-m", arena_printf(a, "%u", m->memory_mb));
	add_text(&b, "-uuid", uuid_str(lab_machine_uuid(m->mac)).s);
	if (m->serial)
		add_option(
			&b, "-smbios", arena_printf(a, "type=1,serial=%s", quote(&b, m->serial)));

	add(&b, arena_strdup(a, SPAN_LIT("-nodefaults")));
	add(&b, arena_strdup(a, SPAN_LIT("-no-user-config")));
	add(&b, arena_strdup(a, SPAN_LIT("-no-reboot")));
	add_text(&b, "-display", "none");
	/* signal=on: Ctrl-C stays Ctrl-C, and ends the machine. */
	add_text(&b, "-chardev", "stdio,id=console,signal=on");
	add_text(&b, "-serial", "chardev:console");
	/* Newer EDK2 boots from no network without a source of random numbers. */
	add_text(&b, "-device", "virtio-rng-pci");

	if (m->code)
		add_uefi(&b, m);
	add_network(&b, m);
	if (m->disk)
		add_disk(&b, m);
	if (b.failed)
		return -ENOMEM;
	*ret_args = args;
	return 0;
}
