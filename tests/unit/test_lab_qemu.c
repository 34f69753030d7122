/* QEMU command lines: a table of machines, and what must and must not be there.
 *
 * The command line's own layer is no library, so its source is included. */
#include "cli/lab_qemu.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
	const char *name, *firmware;
	struct lab_machine machine;
	const char *has[6], *lacks[4]; /* in the arguments, joined by spaces */
} vectors[] = {
	{ "bios", "bios", { .nic = "virtio-net-pci", .memory_mb = 512, .vars_fd = -1, .tap_fd = 7 },
		{ "qemu-system-x86_64 ", "-accel tcg -cpu max", "-m 512 ", "tap,id=net0,fd=7",
			"-device virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56,bootindex=0" },
		{ "pflash", "romfile", "fw_cfg", "smbios" } },
	{ "a BIOS NIC keeps its ROM", "bios", { .nic = "e1000", .vars_fd = -1 },
		{ "-device e1000,netdev=net0" }, { "romfile" } },
	{ "UEFI uses its own virtio driver", "uefi-x64",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = 9 },
		{ "unit=0,readonly=on,file=/c.fd", "unit=1,file=/proc/self/fd/9", "romfile=" },
		{ "fw_cfg" } },
	{ "UEFI needs the ROM of another NIC, and may have no variables", "uefi-x64",
		{ .nic = "e1000", .code = "/c.fd", .vars_fd = -1 }, { "-device e1000," },
		{ "romfile", "unit=1" } },
	{ "HTTP Boot alone", "uefi-x64",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = -1, .boot = LAB_BOOT_HTTP },
		{ "name=opt/org.tianocore/IPv4PXESupport,string=no",
			"name=opt/org.tianocore/IPv6PXESupport,string=no",
			"name=opt/org.tianocore/IPv6Support,string=no" },
		{ "IPv4Support" } },
	{ "CAs for HTTPS Boot", "uefi-x64",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = -1, .https_ca = "/a,b.esl" },
		{ "name=etc/edk2/https/cacerts,file=/a,,b.esl" }, { "org.tianocore" } },
	{ "PXE first", "uefi-x64",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = -1, .boot = LAB_BOOT_PXE },
		{ "name=opt/org.tianocore/IPv6Support,string=no" }, { "IPv4PXESupport" } },
	{ "arm64 under KVM", "uefi-arm64",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = -1, .kvm = true },
		{ "qemu-system-aarch64 ", "-machine virt", "-accel kvm -cpu host" }, { "max" } },
	{ "Secure Boot", "uefi-x64-secure",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = 9 },
		{ "-machine q35,graphics=off,smm=on ",
			"-global driver=cfi.pflash01,property=secure,value=on " },
		{ "disk0" } },
	{ "plain UEFI guards nothing", "uefi-x64",
		{ .nic = "virtio-net-pci", .code = "/c.fd", .vars_fd = 9 }, { NULL },
		{ "smm", "secure" } },
	{ "a disk comes after the network", "bios",
		{ .nic = "virtio-net-pci", .vars_fd = -1, .disk = "/a,b" },
		{ "id=disk0,format=raw,file=/a,,b ", "drive=disk0,bootindex=1", "bootindex=0" },
		{ NULL } },
	{ "a serial number, a path and a NIC with commas stay what they are", "uefi-x64",
		{ .nic = "e1000,x=y", .code = "/a,b.fd", .vars_fd = -1, .serial = "S,1" },
		{ "type=1,serial=S,,1", "file=/a,,b.fd", "-device e1000,,x=y,netdev" }, { NULL } },
};

static void join(const struct lab_qemu_args *args, char *ret_text, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; args->v[i]; i++)
		n += (size_t)snprintf(ret_text + n, room - n, "%s ", args->v[i]);
}

static void test_args(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct lab_machine m = vectors[i].machine;
		struct lab_qemu_args args;
		struct arena a;
		char text[2048];

		m.firmware = lab_firmware_find(vectors[i].firmware);
		m.mac = (struct mac){ { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } };
		assert_non_null(m.firmware);
		arena_init(&a, 0);
		assert_int_equal(lab_qemu_args(&m, &a, &args), 0);
		join(&args, text, sizeof(text));
		for (size_t k = 0; k < ARRAY_LEN(vectors[i].has) && vectors[i].has[k]; k++) {
			if (!strstr(text, vectors[i].has[k]))
				fail_msg("%s: no \"%s\" in %s", vectors[i].name, vectors[i].has[k],
					text);
		}
		for (size_t k = 0; k < ARRAY_LEN(vectors[i].lacks) && vectors[i].lacks[k]; k++) {
			if (strstr(text, vectors[i].lacks[k]))
				fail_msg("%s: \"%s\" in %s", vectors[i].name, vectors[i].lacks[k],
					text);
		}
		arena_free(&a);
	}
}

static void test_no_memory(void **state)
{
	struct lab_machine m = {
		.firmware = lab_firmware_find("bios"), .nic = "e1000", .serial = "S", .vars_fd = -1
	};
	struct lab_qemu_args args;

	(void)state;
	for (size_t limit = 1; limit < 256; limit++) {
		struct arena a;

		arena_init(&a, limit);
		assert_int_equal(lab_qemu_args(&m, &a, &args), -ENOMEM);
		arena_free(&a);
	}
}

static void test_identity(void **state)
{
	struct uuid u = lab_machine_uuid((struct mac){ { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } });

	(void)state;
	assert_string_equal(uuid_str(u).s, "626f6f74-736d-806c-8062-525400123456");
	assert_false(uuid_is_default(u));
	assert_null(lab_firmware_find("uefi"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
