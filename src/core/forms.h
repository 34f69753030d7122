/* Which form of PXE answer a machine is given.
 *
 * Firmware differs in the form that it accepts, and says nothing of it.  So the
 * likeliest one is sent first: the one that worked for this machine, else for
 * the same firmware (its fingerprint), else the quirk table's.  A machine that
 * comes back without having fetched anything gets the next one; the form after
 * which a file was fetched is remembered.
 * Builds no packets (core/dhcp4_boot.c) and reads no clock.
 * PXE specification 2.1; firmware-quirks.md, which the table's rows name.
 */
#pragma once

#include "core/facts.h"

enum form {
	FORM_DIRECT,      /* 60 and 43.6 = 8: boot the file named in this answer */
	FORM_BINL,        /* 60 without 43: the client asks port 4011 for the file */
	FORM_MENU,        /* 60 and a menu of one item, chosen at once; then port 4011 */
	FORM_PLAIN,       /* siaddr, file, 66 and 67, neither 60 nor 43 */
	FORM_RPI,         /* 60 and the menu entry that a Raspberry Pi looks for */
	FORM_RPI_PADDED,  /* the same, blanks behind its text */
	FORM_RPI_LATE,    /* the same, FORM_LATE_MS after the request */
	FORM_BOOT_SERVER, /* the answer on port 4011; never one of an offer */
};
#define FORM_COUNT FORM_BOOT_SERVER /* of those that are tried */

enum forms_mode {
	FORMS_SERVER, /* our offers carry an address */
	FORMS_PROXY,  /* beside another DHCP server */
};

#define FORMS_ORDER_MAX 4u
/* The ROM of a Raspberry Pi 3B looks at what it got when a second is over, and can be stuck
 * when the answer came sooner. */
#define FORM_LATE_MS 1100u

struct form_order {
	size_t n;
	enum form list[FORMS_ORDER_MAX];
};

/* One kind of firmware, and what is tried with it.  The first row that fits counts. */
struct form_quirk {
	const char *name, *evidence;
	struct span class;           /* option 60 begins so; empty: any */
	uint16_t arch_min, arch_max; /* both included */
	struct span machine_id;      /* option 97 begins so; empty: any */
	const uint8_t (*ouis)[3];    /* the hardware address begins with one of them; NULL: any */
	size_t n_ouis;
	struct form_order order[2]; /* by enum forms_mode */
	const char *answer_class;   /* option 60 of our answer */
};

struct form_choice {
	enum forms_mode mode;
	enum form form;
	const struct form_quirk *quirk;
	bool changed;   /* it came back: another form than the last time */
	enum form last; /* when changed */
};

#define FORMS_MACHINES_MAX 4096u /* machines that are being tried */
#define FORMS_PROVEN_MAX   4096u /* forms known to work */
/* A DISCOVER sooner than that is one more of the same burst (iPXE sends two, a
 * second apart); EDK2 repeats it after 3.2 s, a PXE ROM after 4 s.  Beside another
 * server it may just wait for that one, dnsmasq for example, which pings for 3 s.
 * Its secs tell nothing: Debian's iPXE counts 4 of them in one second. */
#define FORMS_RETRY_S       3
#define FORMS_PROXY_RETRY_S 5
/* One later than that is no answer to what was offered: half of the long
 * self-test of a server that boots nothing and starts anew. */
#define FORMS_FORGET_S 600

struct forms;

int forms_new(struct forms **ret) WARN_UNUSED;
void forms_free(struct forms *f);

/* The form for the answer to m, of a CLIENT_PXE.  A DISCOVER is a new try, or
 * shows that the last one failed; other messages get what was offered.  f NULL,
 * a machine without MAC, or no memory: the likeliest one. */
void forms_choose(struct forms *f, const struct dhcp4_msg *m, const struct facts *facts,
	enum forms_mode mode, int64_t now_s, struct form_choice *ret);
/* The machine asked on port 4011: it understood, though it has no file yet. */
void forms_asked(struct forms *f, struct mac mac);

/* A form that works: for one machine, or (mac all zeros) for all of a fingerprint. */
struct forms_record {
	struct mac mac;
	uint64_t fingerprint;
	enum forms_mode mode;
	enum form form;
	int64_t used_s;
};

/* The machine fetched a file, or asks as the iPXE that it fetched.  True when
 * that proves what was not known of it: *ret is the machine's record. */
bool forms_fetched(struct forms *f, struct mac mac, int64_t now_s, struct forms_record *ret);

/* Every record, least recently used first; and back, at the start. */
void forms_dump(
	const struct forms *f, void (*each)(void *ctx, const struct forms_record *r), void *ctx);
int forms_restore(struct forms *f, const struct forms_record *r) WARN_UNUSED;

/* What the firmware of a message looks like: the order of its options, what it
 * asks for, its class, architecture and network interface (55, 60, 93, 94). */
uint64_t forms_fingerprint(const struct dhcp4_msg *m);
/* The first row that fits; the table ends with one that always does. */
const struct form_quirk *forms_quirk(const struct dhcp4_msg *m, const struct facts *facts);
/* "direct", "binl", "menu", "plain", "raspberry-pi", …: stable words. */
const char *form_name(enum form form);
/* -EINVAL: none of those that are tried. */
int form_parse(struct span name, enum form *ret) WARN_UNUSED;
