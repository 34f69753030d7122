/* Names that mean something else for each machine: what is behind them for the one
 * that asks.  The main thread's end of questions (app/question.h), for all protocols.
 *
 * Finds out who asks and whose file it is; each kind of content has a file of its own
 * (app/boot_text.c, …).
 */
#pragma once

#include "app/boot_api.h"
#include "app/question.h"
#include "app/site.h"

/* Answers, now or later: then it is called once more, when a file is there that the answer takes
 * (app/brought_file.h). */
void virtual_files_answer(struct site *site, struct question *q);
/* Fills q->given, when the boot API was asked for it and has spoken; or it answers later. */
void virtual_files_told(
	struct site *site, struct question *q, struct mac mac, const struct boot_api_word *word);
