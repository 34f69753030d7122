/* What a machine is to run, as text: its iPXE script, and boot.ipxe of the root.
 *
 * Makes of a question the facts of its machine, asks boot_decide(), and gives a
 * rendered text or an open file.  Where there is nothing to run, that is a script
 * which says why on the machine's screen, and the log says the same.  On the main
 * thread, which knows the machines.
 */
#pragma once

#include "app/boot_api.h"
#include "app/question.h"
#include "app/site.h"

/* machines/MAC/boot.ipxe; the query is what iPXE reports of itself in the URL. */
void boot_text_of_machine(struct site *site, struct question *q, struct mac mac);
/* The same when the boot API was asked, and has spoken. */
void boot_text_told(
	struct site *site, struct question *q, struct mac mac, const struct boot_api_word *word);
/* boot.ipxe: the root's file, byte for byte, else what the machine that asks is to run. */
void boot_text_of_site(struct site *site, struct question *q);
