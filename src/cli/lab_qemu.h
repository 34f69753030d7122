/* A virtual machine as a QEMU command line.
 *
 * Pure: turns a description into arguments; opens and starts nothing.
 */
#pragma once

#include "base/addr.h"
#include "base/arena.h"

/* A kind of firmware, and where Debian keeps it. */
struct lab_firmware {
	const char *name;    /* as --firmware names it */
	const char *qemu;    /* the program that runs it */
	const char *machine; /* -machine */
	const char *tcg_cpu; /* -cpu without KVM */
	const char *code;    /* UEFI code image; NULL: QEMU brings the firmware itself */
	const char *vars;    /* its variable store, a template never written to */
	bool guarded; /* only its own SMM code may write variables: what Secure Boot rests on */
	const char *packages; /* what to install when one of these is missing */
	const char *host;     /* uname's machine whose KVM can run it */
};

/* How the firmware is to boot from the network. */
enum lab_boot {
	LAB_BOOT_ANY, /* as it likes */
	LAB_BOOT_PXE,
	LAB_BOOT_HTTP
};

struct lab_machine {
	const struct lab_firmware *firmware;
	enum lab_boot boot;
	bool kvm;
	unsigned memory_mb;
	const char *nic; /* a QEMU device: "virtio-net-pci", "e1000", … */
	struct mac mac;
	const char *serial;   /* SMBIOS serial number; NULL: QEMU's, none */
	const char *code;     /* UEFI code image; NULL: BIOS */
	const char *disk;     /* a raw image, booted after the network; NULL: none */
	const char *https_ca; /* EFI signature list of the CAs it trusts; NULL: none */
	int vars_fd;          /* its variable store, open read-write; -1: none */
	int tap_fd;
};

#define LAB_QEMU_ARGS_MAX 64

struct lab_qemu_args {
	char *v[LAB_QEMU_ARGS_MAX + 1]; /* ends with NULL; the texts live in the arena */
};

/* NULL: there is none of that name. */
const struct lab_firmware *lab_firmware_find(const char *name);
/* The names, separated by "|", for a help text or an error. */
extern const char lab_firmware_names[];

/* The machine's UUID: made of its MAC, so that it stays the same from start to
 * start; QEMU's own is all zero, which identifies nothing. */
struct uuid lab_machine_uuid(struct mac mac);

/* 0; -ENOMEM when the arena has no room. */
int lab_qemu_args(
	const struct lab_machine *m, struct arena *a, struct lab_qemu_args *ret_args) WARN_UNUSED;
