/* boot_decide().  No packets, no I/O, no state. */
#include "core/decide.h"

#include "core/locate.h"
#include "core/rules.h"
#include "wire/pe.h"

#include <stdio.h>

static const struct profile local_disk = { .name = "local", .kind = PROFILE_LOCAL, .cmdline = "" };

/* The profile that is ordered once, or was told in this same boot; "": none. */
static struct span once(const struct facts *f)
{
	const struct machine_state *s = f->state;
	bool again = f->now_s && f->now_s < s->again_until_s;

	return span_str(s->boot_once[0] ? s->boot_once : again ? s->given : "");
}

/* What a machine has been through, and what was ordered for it, comes before what the
 * configuration says; an order for a profile that is there no longer does not. */
static bool choose_by_state(const struct config *cfg, const struct facts *f, struct answer *a)
{
	const struct machine_state *s = f->state;

	if (!s)
		return false;
	a->profile = once(f).n ? config_find_profile(cfg, once(f)) : NULL;
	if (a->profile) {
		a->rule_kind = RULE_ONCE;
		return true;
	}
	if (s->phase == MACHINE_NEW || s->phase == MACHINE_INSTALLING)
		return false;
	a->rule_kind = RULE_STATE;
	a->phase = s->phase;
	a->profile = s->phase == MACHINE_HOLD ? NULL : &local_disk;
	return true;
}

static void choose_profile(const struct config *cfg, const struct facts *f, struct answer *a)
{
	struct rule_facts texts;

	a->machine = config_find_machine(
		cfg, f->has_mac ? &f->mac : NULL, f->has_uuid ? &f->uuid : NULL);
	if (choose_by_state(cfg, f, a))
		return;
	if (a->machine && a->machine->profile) {
		a->profile = a->machine->profile;
		a->rule_kind = RULE_MACHINE;
		return;
	}
	if (cfg->boot_api.url && f->has_mac && !f->api_is_silent) {
		a->rule_kind = RULE_API;
		return;
	}
	if (!a->machine && cfg->unknown != UNKNOWN_BOOT) {
		a->rule_kind = RULE_UNKNOWN;
		a->unknown = cfg->unknown;
		return;
	}
	rule_facts_init(f, &texts);
	for (size_t i = 0; i < cfg->n_rules; i++) {
		if (rule_fits(&cfg->rules[i], &texts)) {
			a->rule = &cfg->rules[i];
			a->profile = a->rule->profile;
			a->rule_kind = RULE_RULE;
			return;
		}
	}
	a->profile = cfg->default_profile;
	a->rule_kind = a->profile ? RULE_DEFAULT : RULE_NONE;
}

#define WHY(a, ...) ((void)snprintf((a)->why, sizeof((a)->why), __VA_ARGS__))

/* Is this boot file one of our iPXE binaries?  Then it has done its work once
 * iPXE asks, and giving it again would loop for ever. */
static bool is_ipxe_itself(const struct config *cfg, const char *path)
{
	struct span name = span_str(locate_file_name(path));

	for (size_t i = 0; i < ARCH_COUNT; i++) {
		const char *ipxe = cfg->loaders.file[FAMILY_IPXE][i].path;

		if (ipxe && span_eq(name, span_str(locate_file_name(ipxe))))
			return true;
	}
	return false;
}

static bool is_http_url(const struct file_ref *f)
{
	return f->is_url && !span_has_prefix(span_str(f->path), SPAN_LIT("tftp://"));
}

static void answer_ipxe(const struct config *cfg, struct answer *a)
{
	const struct profile *p = a->profile;

	if (a->rule_kind == RULE_API) {
		a->kind = ANSWER_SCRIPT;
		a->transport = TRANSPORT_HTTP;
		WHY(a, "a script of what the boot API says, which is asked when the machine fetches it");
	} else if (a->rule_kind == RULE_UNKNOWN) {
		a->kind = ANSWER_REGISTER;
		a->transport = TRANSPORT_HTTP;
		WHY(a, "it is not among the machines of the configuration: it is registered, and waits for `bootsmith machine boot`");
	} else if (!p) {
		a->kind = ANSWER_SITE_SCRIPT;
		a->transport = TRANSPORT_HTTP;
		WHY(a, "no profile applies: boot.ipxe of the HTTP root");
	} else if (p->kind == PROFILE_BOOTFILE && is_ipxe_itself(cfg, p->bootfile.path)) {
		a->kind = ANSWER_SITE_SCRIPT;
		a->transport = TRANSPORT_HTTP;
		WHY(a, "the profile's boot file is iPXE, which it runs already: boot.ipxe of the HTTP root");
	} else if (p->kind == PROFILE_BOOTFILE) {
		a->kind = ANSWER_BOOTFILE;
		a->transport = is_http_url(&p->bootfile) ? TRANSPORT_HTTP : TRANSPORT_TFTP;
		WHY(a, "the profile's own boot file");
	} else {
		a->kind = ANSWER_SCRIPT;
		a->transport = TRANSPORT_HTTP;
		WHY(a,
			p->kind == PROFILE_LOCAL ? "a script that boots the local disk"
						 : "a script rendered for this machine");
	}
}

static bool is_there(const struct config *cfg, enum loader_family family, enum arch arch)
{
	return cfg->loaders.file[family][arch].present;
}

static bool has_shim_and_grub(const struct config *cfg, enum arch arch)
{
	return is_there(cfg, FAMILY_SHIM, arch) && is_there(cfg, FAMILY_GRUB, arch);
}

static bool takes_image(const struct config *cfg, const struct facts *f)
{
	return f->transport == TRANSPORT_HTTP && is_there(cfg, FAMILY_STUB, f->arch);
}

/* What suits the firmware, and is there.  Debian has no iPXE for ia32 and ARM.  A unified
 * image is one part less than a disk with GRUB, and leaves firmware's memory. */
static enum loader_family suitable_family(const struct config *cfg, const struct facts *f)
{
	if (is_there(cfg, FAMILY_IPXE, f->arch))
		return FAMILY_IPXE;
	if (takes_image(cfg, f))
		return FAMILY_STUB;
	if (has_shim_and_grub(cfg, f->arch))
		return FAMILY_SHIM;
	if (is_there(cfg, FAMILY_GRUB, f->arch))
		return FAMILY_GRUB;
	/* Nothing is: the one that could be. */
	return cfg->loaders.file[FAMILY_IPXE][f->arch].path ? FAMILY_IPXE : FAMILY_GRUB;
}

/* For what the boot API will say: where there is no iPXE, GRUB can boot all of it but scripts. An image
 * cannot be made of what is not known yet, nor a disk, which is how GRUB comes by HTTP. */
static enum loader_family family_for_api(const struct config *cfg, const struct facts *f)
{
	if (is_there(cfg, FAMILY_IPXE, f->arch) || f->transport == TRANSPORT_HTTP)
		return FAMILY_IPXE;
	if (has_shim_and_grub(cfg, f->arch))
		return FAMILY_SHIM;
	return is_there(cfg, FAMILY_GRUB, f->arch) ? FAMILY_GRUB : FAMILY_IPXE;
}

/* The binary that this firmware is to have first.  GRUB and images boot kernels only:
 * scripts, and whatever stands where no profile applies, are iPXE's. */
static enum loader_family family_of(
	const struct config *cfg, const struct answer *a, const struct facts *f)
{
	const struct profile *p = a->profile;
	bool uefi = f->arch != ARCH_BIOS;

	if (a->rule_kind == RULE_API)
		return family_for_api(cfg, f);
	if (!p || p->kind != PROFILE_KERNEL)
		return FAMILY_IPXE;
	if (p->secure_boot && uefi)
		return FAMILY_SHIM;
	switch (p->loader) {
	case LOADER_IPXE:
		return FAMILY_IPXE;
	case LOADER_GRUB:
		return FAMILY_GRUB;
	case LOADER_SHIM:
		return uefi ? FAMILY_SHIM : suitable_family(cfg, f);
	case LOADER_UKI:
		return f->transport == TRANSPORT_HTTP ? FAMILY_STUB : suitable_family(cfg, f);
	case LOADER_AUTO:
		break;
	}
	return suitable_family(cfg, f);
}

static const char *package_of(enum loader_family family, enum arch arch)
{
	switch (family) {
	case FAMILY_IPXE:
		return "ipxe";
	case FAMILY_GRUB:
		return arch == ARCH_IA32     ? "grub-efi-ia32-bin"
			: arch == ARCH_ARM64 ? "debian-installer-12-netboot-arm64"
					     : "grub-efi-amd64-signed";
	case FAMILY_SHIM:
		return arch == ARCH_ARM64 ? "debian-installer-12-netboot-arm64" : "shim-signed";
	case FAMILY_STUB:
	case FAMILY_COUNT:
		break;
	}
	return "systemd-boot-efi";
}

/* "{arm64: FILE}", "{grub: {arm64: FILE}}": what names a loader in the configuration. */
static void say_key(enum loader_family family, enum arch arch, char *buf, size_t size)
{
	static const char *const keys[] = {
		[FAMILY_GRUB] = "grub", [FAMILY_SHIM] = "shim", [FAMILY_STUB] = "stub"
	};

	if (family == FAMILY_IPXE)
		(void)snprintf(buf, size, "{%s: FILE}", arch_name(arch));
	else
		(void)snprintf(buf, size, "{%s: {%s: FILE}}", keys[family], arch_name(arch));
}

static void no_loader(const struct config *cfg, enum loader_family family, const struct facts *f,
	struct answer *a)
{
	const char *path = cfg->loaders.file[family][f->arch].path;
	char key[48];

	a->kind = ANSWER_ADDRESS;
	a->missing_loader = true;
	say_key(family, f->arch, key, sizeof(key));
	if (f->arch == ARCH_OTHER || f->arch == ARCH_UNKNOWN)
		WHY(a, "there is no loader for the architecture %s: give such machines a bootfile profile by a rule",
			facts_arch_name(f));
	else if (path)
		WHY(a, "%s for %s was not found (%.60s): install Debian's package %s, or name a file with loaders: %s",
			loader_family_name(family), arch_name(f->arch), path,
			package_of(family, f->arch), key);
	else
		WHY(a, "no %s for %s: Debian has none; name one with loaders: %s, or give such machines another loader",
			loader_family_name(family), arch_name(f->arch), key);
}

/* Debian's signed GRUB has no HTTP built in and stops at its prompt when UEFI HTTP Boot
 * brought it, on x64, ia32 and arm64 alike (seen).  But that firmware takes disks too, and
 * on one GRUB finds all that it needs without a network.  A GRUB that the configuration
 * names is perhaps one with HTTP, and goes as it is; shim loads no other than signed ones. */
static bool comes_on_disk(
	const struct config *cfg, enum loader_family family, const struct facts *f)
{
	bool is_own = family == FAMILY_GRUB && cfg->loaders.file[family][f->arch].pos.line != 0;

	return (family == FAMILY_GRUB || family == FAMILY_SHIM) && !is_own &&
		f->transport == TRANSPORT_HTTP && pe_machine_suffix(f->arch) != NULL;
}

static const char *why_family(enum loader_family family)
{
	static const char *const clauses[] = {
		[FAMILY_IPXE] = "iPXE first: this firmware cannot run its scripts",
		[FAMILY_GRUB] = "GRUB first: it loads the kernel",
		[FAMILY_SHIM] = "shim first, then GRUB: the way that Secure Boot allows",
		[FAMILY_STUB] =
			"kernel, initrd and command line in one image, which this firmware loads by itself",
	};

	return clauses[family];
}

static const char *why_disk(enum loader_family family)
{
	return family == FAMILY_SHIM
		? "a disk with shim, GRUB, kernel and initrd: the way by HTTP that Secure Boot allows"
		: "a disk with GRUB, kernel and initrd, since GRUB has no HTTP of its own";
}

static void answer_loader(const struct config *cfg, const struct facts *f, struct answer *a)
{
	enum loader_family family = family_of(cfg, a, f), missing = family;
	bool there = is_there(cfg, family, f->arch), on_disk;

	if (family == FAMILY_SHIM && there && !is_there(cfg, FAMILY_GRUB, f->arch)) {
		missing = FAMILY_GRUB;
		there = false;
	}
	if (!there) {
		no_loader(cfg, missing, f, a);
		return;
	}
	on_disk = comes_on_disk(cfg, family, f);
	a->kind = on_disk || family == FAMILY_STUB ? ANSWER_IMAGE : ANSWER_LOADER;
	a->family = family;
	a->arch = f->arch;
	WHY(a, "%s", on_disk ? why_disk(family) : why_family(family));
}

static bool has_bootfile(const struct profile *p)
{
	return p && p->bootfile.path;
}

/* Firmware that is not iPXE: the profile's own file, or a loader, or nothing. */
static void answer_firmware(const struct config *cfg, const struct facts *f, struct answer *a)
{
	const struct profile *p = a->profile;

	a->transport = f->transport;
	if (p && p->kind == PROFILE_LOCAL) {
		a->kind = ANSWER_LOCAL;
		WHY(a, "it is to boot its local disk: no boot file");
	} else if (has_bootfile(p) && !(p->bootfile.is_url && f->transport == TRANSPORT_TFTP)) {
		a->kind = ANSWER_BOOTFILE;
		WHY(a, "the profile's own boot file");
	} else {
		/* Also for a bootfile profile with a URL: a PXE ROM cannot follow one, iPXE can. */
		answer_loader(cfg, f, a);
	}
}

/* Nothing to boot, whatever it is that asks. */
static bool stays_away(struct answer *a)
{
	if (a->rule_kind == RULE_STATE && a->phase == MACHINE_HOLD) {
		WHY(a, "on hold: until `bootsmith machine boot`, local or reset it boots nothing from here");
		return true;
	}
	if (a->rule_kind == RULE_UNKNOWN && a->unknown == UNKNOWN_IGNORE) {
		a->kind = ANSWER_NONE;
		WHY(a, "it is not among the machines of the configuration, and unknown ones are ignored");
		return true;
	}
	return false;
}

void boot_decide(const struct config *cfg, const struct facts *facts, struct answer *ret_answer)
{
	struct answer a = { .kind = ANSWER_ADDRESS };

	choose_profile(cfg, facts, &a);
	if (facts->client != CLIENT_DHCP && stays_away(&a)) {
		*ret_answer = a;
		return;
	}
	switch (facts->client) {
	case CLIENT_DHCP:
		WHY(&a, "it asks for an address only");
		break;
	case CLIENT_IPXE:
		answer_ipxe(cfg, &a);
		break;
	case CLIENT_PXE:
	case CLIENT_HTTP:
		answer_firmware(cfg, facts, &a);
		break;
	}
	*ret_answer = a;
}

const char *answer_kind_name(enum answer_kind k)
{
	static const char *const names[] = {
		[ANSWER_ADDRESS] = "address",
		[ANSWER_LOADER] = "loader",
		[ANSWER_SCRIPT] = "script",
		[ANSWER_SITE_SCRIPT] = "site-script",
		[ANSWER_BOOTFILE] = "bootfile",
		[ANSWER_IMAGE] = "image",
		[ANSWER_LOCAL] = "local",
		[ANSWER_REGISTER] = "register",
		[ANSWER_NONE] = "none",
	};

	return names[k];
}

void answer_rule_text(const struct answer *a, char ret[static RULE_TEXT_MAX])
{
	switch (a->rule_kind) {
	case RULE_NONE:
		(void)snprintf(ret, RULE_TEXT_MAX, "none");
		break;
	case RULE_MACHINE:
		(void)snprintf(ret, RULE_TEXT_MAX, "machine %s", a->machine->name);
		break;
	case RULE_RULE:
		(void)snprintf(ret, RULE_TEXT_MAX, "rule %u (line %u)", a->rule->number,
			a->rule->pos.line);
		break;
	case RULE_DEFAULT:
		(void)snprintf(ret, RULE_TEXT_MAX, "default_profile");
		break;
	case RULE_API:
		(void)snprintf(ret, RULE_TEXT_MAX, "boot_api");
		break;
	case RULE_ONCE:
		(void)snprintf(ret, RULE_TEXT_MAX, "boot once");
		break;
	case RULE_STATE:
		(void)snprintf(ret, RULE_TEXT_MAX, "state %s", machine_phase_name(a->phase));
		break;
	case RULE_UNKNOWN:
		(void)snprintf(ret, RULE_TEXT_MAX, "unknown: %s", unknown_policy_name(a->unknown));
		break;
	}
}
