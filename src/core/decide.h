/* The heart: what a client is to boot, why, and by which rule.
 *
 * boot_decide() is pure and total: every configuration and every set of facts
 * has an answer.  DHCP, TFTP, HTTP and `explain` all call it, so they cannot
 * disagree.  It names things; it does not build packets (core/dhcp4_boot.c),
 * scripts (core/ipxe_script.c) or URLs (core/locate.c).
 */
#pragma once

#include "core/config.h"
#include "core/machine_state.h"

enum answer_kind {
	ANSWER_ADDRESS,     /* address and network options; nothing to boot */
	ANSWER_LOADER,      /* iPXE, GRUB or shim for this architecture */
	ANSWER_SCRIPT,      /* an iPXE script rendered for this machine */
	ANSWER_SITE_SCRIPT, /* boot.ipxe of the HTTP root, as it is */
	ANSWER_BOOTFILE,    /* the profile's own file, as it is */
	ANSWER_IMAGE,       /* a unified kernel image, or a disk with GRUB, made for this machine */
	ANSWER_LOCAL,       /* its own disk, in the way that its firmware understands */
	ANSWER_REGISTER, /* an iPXE script that says what the machine is, and waits for an order */
	ANSWER_NONE,     /* no answer at all: the configuration says so */
};

enum rule_kind {
	RULE_NONE, /* nothing in the configuration applied */
	RULE_MACHINE,
	RULE_RULE,
	RULE_DEFAULT, /* default_profile */
	RULE_API,     /* the boot API is asked before the rules */
	RULE_ONCE,    /* ordered: this profile, once */
	RULE_STATE,   /* what the machine has been through, or an order that holds */
	RULE_UNKNOWN, /* it does not stand under `machines:`, and `unknown:` is not boot */
};

struct answer {
	enum answer_kind kind;
	const struct machine *machine; /* whoever it is, also when it has no profile; or NULL */
	const struct profile *profile; /* or NULL */
	enum rule_kind rule_kind;
	const struct rule *rule;     /* RULE_RULE */
	enum machine_phase phase;    /* RULE_STATE */
	enum unknown_policy unknown; /* RULE_UNKNOWN */
	enum transport transport;    /* how the file is fetched */
	enum loader_family family;   /* ANSWER_LOADER, ANSWER_IMAGE: which binary comes first */
	enum arch arch;              /* and for what */
	bool missing_loader;         /* there should have been a loader: worth a line in the log */
	char why[224];               /* one clause for people; plain ASCII, no client text */
};

void boot_decide(const struct config *cfg, const struct facts *facts, struct answer *ret_answer);

/* "address", "loader", "script", "site-script", "bootfile", "image", "local", "register", "none": stable words. */
const char *answer_kind_name(enum answer_kind k);
/* "machine web1", "rule 2 (line 31)", "default_profile", "boot_api", "boot once", "state installed",
 * "unknown: register", "none". */
#define RULE_TEXT_MAX 128
void answer_rule_text(const struct answer *a, char ret[static RULE_TEXT_MAX]);
