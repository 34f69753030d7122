/* machines/WHO/FILE of a profile's `files`: a template, rendered for that machine.
 *
 * Such texts hold passwords and keys, and so may what a boot API names for a command
 * line.  Who may have them: only whoever has the machine's address.  That is decided
 * here, and anybody else gets an error (403) and a line of the log, whatever the file.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

/* name: of VIRTUAL_MACHINE_FILE, and none of our own files. */
void machine_files_give(struct site *site, struct question *q, const struct virtual_name *name);
/* May who asks have such a file?  False: it is refused, and q->given says so. */
bool machine_files_may_have(struct site *site, struct question *q, const struct virtual_name *name);
