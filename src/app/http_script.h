/* Scripts for iPXE by HTTP: a machine's own, and boot.ipxe of the root.
 *
 * Makes of a request the facts of its machine, asks boot_decide(), and fills the
 * target with a rendered text or an open file.  Where there is nothing to run, the
 * target is a script that says why on the machine's screen, and the log says the
 * same.  Serves nothing itself.
 *
 * On the main thread, which knows the machines.
 */
#pragma once

#include "app/site.h"
#include "edge/http_server.h"

/* machines/MAC/boot.ipxe; query: what iPXE reports of itself in the URL. */
void http_script_of_machine(struct site *site, const struct http_peer *peer, struct mac mac, struct span query,
	struct http_target *target);
/* boot.ipxe: the root's file, byte for byte, else what the machine at this address
 * is to run. */
void http_script_of_site(struct site *site, const struct http_peer *peer, struct http_target *target);
