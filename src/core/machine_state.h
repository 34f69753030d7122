/* What a machine has been through, and what is to become of it: new, being
 * installed, installed, or what an administrator ordered.
 *
 * A machine is known by its MAC.  Its state is a value: machine_state_apply()
 * moves it, boot_decide() reads it as one more fact, core/machine_table.h keeps
 * many of them.  Makes no tokens and reads no clock.
 */
#pragma once

#include "core/facts.h"

enum machine_phase {
	MACHINE_NEW,
	MACHINE_INSTALLING, /* it was given a profile with `install: true` */
	MACHINE_INSTALLED,  /* it phoned home since: boots its own disk */
	MACHINE_HOLD,       /* ordered: boots nothing from here */
	MACHINE_LOCAL,      /* ordered: boots its own disk */
	MACHINE_PHASE_COUNT,
};

enum machine_event {
	MACHINE_GIVEN,         /* it has what a profile boots */
	MACHINE_GIVEN_INSTALL, /* the same, of a profile with `install: true` */
	MACHINE_PHONED_HOME,   /* with its token, from its own address */
	MACHINE_ORDER_BOOT,    /* a profile once, whatever else holds */
	MACHINE_ORDER_HOLD,
	MACHINE_ORDER_LOCAL,
	MACHINE_ORDER_RESET, /* as if it had never been here */
	MACHINE_EVENT_COUNT,
};

#define MACHINE_PROFILE_MAX 64u /* a profile's name and its NUL */
#define MACHINE_AGAIN_S     30 /* an ACK that got lost, a script that says `dhcp` and then `autoboot` */
#define MACHINE_TEXT_MAX    64u /* octets of what it said of itself; the rest is cut */

/* The secret by which an installer proves which installation it speaks of. */
#define MACHINE_TOKEN_OCTETS   16u
#define MACHINE_TOKEN_TEXT_MAX (2 * MACHINE_TOKEN_OCTETS + 1)

enum machine_token_use {
	MACHINE_TOKEN_NONE,
	MACHINE_TOKEN_FRESH,
	MACHINE_TOKEN_USED, /* kept, so that an answer that got lost can be asked for again */
};

struct machine_token_text {
	char s[MACHINE_TOKEN_TEXT_MAX];
};

/* What a machine says of itself, and where it was heard. */
enum machine_said {
	MACHINE_SAID_VENDOR_CLASS,
	MACHINE_SAID_HOSTNAME,
	MACHINE_SAID_SERIAL,
	MACHINE_SAID_ASSET,
	MACHINE_SAID_MANUFACTURER,
	MACHINE_SAID_PRODUCT,
	MACHINE_SAID_NETWORK,
	MACHINE_SAID_COUNT,
};

struct machine_text {
	uint8_t n;
	uint8_t b[MACHINE_TEXT_MAX + 1]; /* and a NUL */
};

struct machine_state {
	struct mac mac;
	enum machine_phase phase;
	char boot_once[MACHINE_PROFILE_MAX]; /* ordered, and not given yet; "": nothing */
	char given[MACHINE_PROFILE_MAX];     /* the profile that it had last; "": none yet */
	int64_t given_s;                     /* times: seconds since 1970 */
	int64_t first_seen_s, last_seen_s;   /* 0: never */
	/* `given` was ordered once, and told by DHCP: until then it is told again, for firmware
	 * asks more than once in one boot.  Seconds of the leases' clock; not stored. */
	int64_t again_until_s;
	enum machine_token_use token_use;
	uint8_t token[MACHINE_TOKEN_OCTETS];
	/* Of its firmware, where that was heard, not of the iPXE that it was given. */
	bool has_client, has_arch, has_uuid;
	enum client client;
	uint16_t arch_number;
	struct uuid uuid;
	struct ip4 address; /* the last one that it had; 0: none */
	struct machine_text said[MACHINE_SAID_COUNT];
};

/* What becomes of a machine, of all that its state holds: what must be on disk before
 * anybody is told it. */
struct machine_fate {
	enum machine_phase phase;
	char boot_once[MACHINE_PROFILE_MAX];
	char given[MACHINE_PROFILE_MAX];
	int64_t given_s, again_until_s;
	enum machine_token_use token_use;
	uint8_t token[MACHINE_TOKEN_OCTETS];
};

struct machine_fate machine_state_fate(const struct machine_state *s);
void machine_state_set_fate(struct machine_state *s, const struct machine_fate *f);
/* The same phase, order and token?  What it was given last is no matter. */
bool machine_state_same_fate(const struct machine_state *a, const struct machine_state *b);

/* One event.  profile: the name of what was given or is ordered to be booted, else
 * NULL.  False: it changes nothing, such as the end of a transfer that an order
 * came before. */
bool machine_state_apply(
	struct machine_state *s, enum machine_event e, const char *profile, int64_t now_s);
/* Has it a state that must not be forgotten to make room?  An order, or a disk
 * that would be overwritten by the next installation. */
bool machine_state_is_kept(const struct machine_state *s);

/* Adds what DHCP heard of it at now_s; address 0: none yet.  True: something is
 * known now that was not, other than the time. */
bool machine_state_hear(
	struct machine_state *s, const struct facts *f, struct ip4 address, int64_t now_s);
/* Adds one thing that it said; empty: nothing.  True: it is news. */
bool machine_state_say(struct machine_state *s, enum machine_said what, struct span text);
struct span machine_state_said(const struct machine_state *s, enum machine_said what);
/* The facts that are remembered of it, for a decision now; spans point into s. */
void machine_state_facts(const struct machine_state *s, struct facts *ret);

/* Gives it a token where it has none that is fresh: random octets, made at the
 * edge.  True: it has this one now. */
bool machine_state_give_token(
	struct machine_state *s, const uint8_t random[static MACHINE_TOKEN_OCTETS]);
/* As URLs and commands carry it, in hex. */
struct machine_token_text machine_state_token_text(const struct machine_state *s);
/* Is this text its token?  NONE: no.  Takes as long for every text of the right length. */
enum machine_token_use machine_state_check_token(const struct machine_state *s, struct span text);

/* "new", "installing", "installed", "hold", "local": stable words. */
const char *machine_phase_name(enum machine_phase p);
/* -EINVAL: none of them. */
int machine_phase_parse(struct span name, enum machine_phase *ret) WARN_UNUSED;
/* "vendor_class", "hostname", "serial", …: stable words. */
const char *machine_said_name(enum machine_said what);
