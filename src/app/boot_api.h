/* The boot API: an HTTP service that is asked what a machine is to boot, in
 * Pixiecore's form (app/boot_api_answer.h).
 *
 * Asks once for all that wait for the same machine, keeps the answer for as long as
 * the configuration says, and never makes anybody else wait.  What its answer is made
 * into is the caller's affair.
 */
#pragma once

#include "app/boot_api_answer.h"
#include "app/site.h"

struct boot_api;
struct question; /* app/question.h */

enum boot_api_verdict {
	BOOT_API_BOOTS, /* an answer */
	BOOT_API_RULES, /* the rules decide: 404, the machine is not its business; or it is away, and they hold meanwhile */
	BOOT_API_WAIT, /* the machine is to ask again later */
};

struct boot_api_word {
	enum boot_api_verdict verdict;
	const struct boot_api_answer *answer; /* BOOT_API_BOOTS; until the hook returns */
	const char *why;                      /* BOOT_API_WAIT: a clause, plain ASCII */
};

/* Fills q->given, with the API's word; GIVEN_LATER where that takes more, and the question is answered then. */
typedef void (*boot_api_told)(
	struct site *site, struct question *q, struct mac mac, const struct boot_api_word *word);

/* On the main thread's loop; told is what becomes of all questions. */
int boot_api_new(
	uv_loop_t *loop, struct site *site, boot_api_told told, struct boot_api **ret) WARN_UNUSED;
/* What this machine is to boot: told() is called for the question, at once, or later with
 * machines_answer() behind it (q->given is GIVEN_LATER meanwhile).  site->cfg->boot_api has a URL. */
void boot_api_ask(struct boot_api *api, struct question *q, struct mac mac);
/* A file that the API's last word on this machine named (boot_api_answer_file()), and whether it
 * is for that machine only.  NULL: none such, or nothing is known of it.  Until the loop goes on. */
const struct file_ref *boot_api_file(
	struct boot_api *api, struct mac mac, struct span part, bool *ret_private);
/* Tells all that wait that it is over; who asks from now on is told the same. */
void boot_api_close(struct boot_api *api);
/* After that, when nobody asks any more; NULL is fine. */
void boot_api_free(struct boot_api *api);
