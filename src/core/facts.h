/* Facts about a client: everything a decision may rest on, and nothing else.
 *
 * Facts come from a DHCP message, from what was remembered of one when the
 * same machine comes by TFTP or HTTP, or from the command line of `explain`.
 * Spans are borrowed.  What is unknown at a stage is absent, never guessed.
 */
#pragma once

#include "core/config.h"
#include "wire/dhcp4.h"
#include "wire/pxe.h"

struct machine_state; /* core/machine_state.h */

enum transport {
	TRANSPORT_NONE,
	TRANSPORT_TFTP,
	TRANSPORT_HTTP,
};

struct facts {
	enum client client;
	enum transport transport; /* how its firmware fetches files; iPXE: HTTP */
	bool has_arch;
	uint16_t arch_number;
	enum arch arch;
	bool has_mac;
	struct mac mac;
	bool has_uuid;
	struct uuid uuid; /* in the order of its text form; see facts_from_dhcp4() */
	struct span vendor_class, user_class, hostname, circuit_id, remote_id;
	struct span serial, asset; /* only iPXE can tell them */
	const char *network;       /* struct network's name, or NULL */
	bool api_is_silent;        /* the boot API was asked, and has nothing to say of it */
	const struct machine_state *state; /* what it has been through; NULL: nothing is known */
	int64_t now_s;                     /* when it asks, of the leases' clock; 0: nobody asks */
};

/* Reads the facts out of a client's message (design section 4):
 * - iPXE by option 77, raw or RFC 3004, or by a well-formed option 175;
 * - else option 60's prefix, else option 93 alone, makes it PXE or HTTP;
 * - the architecture is 93's first known number, else the number in option 60,
 *   else BIOS for a PXE client that names none (old iPXE and BIOS ROMs).
 * option 97 is sent in SMBIOS order (the first three fields little-endian) by
 * PXE ROMs, EDK2 and iPXE alike, though iPXE prints ${uuid} in text order and
 * sends that in DHCPv6 (vectors/dhcp4/ovmf-to-ipxe-efi.txt): uuid is brought
 * into text order.  network may be NULL. */
void facts_from_dhcp4(const struct dhcp4_msg *m, const char *network, struct facts *ret);
/* Fills client, transport and architecture from the options alone, as above
 * (spans may be empty). */
void facts_classify(struct span option60, struct span option77, struct span option93,
	struct span option175, struct facts *f);

/* "x64-uefi", or "unknown" */
const char *facts_arch_name(const struct facts *f);
/* What the machine is, for people: "UEFI PXE x64", "iPXE", "PXE BIOS", "DHCP client". */
const char *facts_kind_text(const struct facts *f);
