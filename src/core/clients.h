/* What was learned of each machine by DHCP, for when it comes by TFTP or HTTP.
 *
 * A bounded table by MAC; the machine heard of longest ago makes room.  Texts
 * are copied and cut.  It decides nothing.
 */
#pragma once

#include "core/facts.h"

#define CLIENTS_MAX     16384u
#define CLIENT_TEXT_MAX 128u

struct clients;

int clients_new(struct clients **ret) WARN_UNUSED;
void clients_free(struct clients *c);
/* Remembers the facts of a machine that has a MAC, and the address that it was
 * given (0: none yet).  Facts that only iPXE reports (serial, asset) are kept from
 * before, and those of firmware (architecture, UUID) from before its system started.  Out of memory: nothing is remembered. */
void clients_remember(struct clients *c, const struct facts *f, struct ip4 address, int64_t now_ms);
/* The address that a machine was given while it booted (as PXE, HTTP Boot or
 * iPXE), at most CLIENTS_BOOT_MS ago; 0: none. */
#define CLIENTS_BOOT_MS (10 * 60 * 1000)
struct ip4 clients_boot_address(struct clients *c, struct mac mac, int64_t now_ms);
/* A machine asks for an IPv6 router at now_ms (monotonic).  True when it should
 * be told that there is none: it was given an address as iPXE within the last
 * CLIENTS_IPXE_WAIT_MS, and asked already CLIENTS_ROUTER_FIRST_MS ago, which is
 * longer than a router takes to answer (RFC 4861 10: MAX_RA_DELAY_TIME 500 ms). */
#define CLIENTS_IPXE_WAIT_MS    30000
#define CLIENTS_EXCHANGE_MS     5000 /* messages closer than that are one exchange */
#define CLIENTS_ROUTER_FIRST_MS 600
bool clients_wants_no_router(struct clients *c, struct mac mac, int64_t now_ms);
/* Adds what iPXE reported of a machine that is known. */
void clients_report(struct clients *c, struct mac mac, struct span serial, struct span asset);
/* The facts of a machine, as spans into the table: valid until it changes. */
bool clients_find(
	struct clients *c, struct mac mac, struct facts *ret_facts, struct ip4 *ret_address);
/* The machine that was last told, or heard to take, that address. */
bool clients_find_address(struct clients *c, struct ip4 a, struct facts *ret_facts);
