/* The configuration that GRUB or PXELINUX asks for, made for the machine that asks.
 *
 * Who asks is known by the name (grub.cfg-01-<mac>, pxelinux.cfg/<uuid>), else by its
 * address.  A kernel or local profile is rendered, whatever lies in the root; with any
 * other, or none, the file of the root is given, and where there is none either, at the
 * last name that the loader tries, a text that says why on the machine's screen.  So it
 * is for a machine that waits to be ordered; one on hold is told so whatever there is.
 */
#pragma once

#include "app/boot_api.h"
#include "app/question.h"
#include "app/site.h"

/* Answers, now or later.  name: VIRTUAL_GRUB_CFG or VIRTUAL_PXELINUX_CFG. */
void loader_text_give(struct site *site, struct question *q, const struct virtual_name *name);
/* The same when the boot API was asked about this machine, and has spoken. */
void loader_text_told(struct site *site, struct question *q, const struct virtual_name *name,
	struct mac mac, const struct boot_api_word *word);
