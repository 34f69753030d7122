/* What happens to machines, and how that moves their states.
 *
 * Each change is a line of the log, and is written to the store (app/machine_change.h);
 * whoever must not be answered before it is on disk is answered then.  What a state
 * means for a boot is core/decide.c's.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

#include <sys/types.h>

/* DHCP heard of it, with this address (0: none yet).  may_add: it shall be remembered
 * even when nobody has heard of it before. */
void machines_heard(struct site *site, const struct facts *f, struct ip4 address, bool may_add);
/* What iPXE reports of its machine by the query of a URL; nothing when somebody else asks. */
void machines_reported(struct site *site, const struct question *q, struct mac mac);

/* NULL, or the reason why a machine cannot be given now what was decided: that it was
 * given this, the store must be able to take down. */
const char *machines_refuse(const struct site *site, const struct answer *a);
/* The value of {{installed_url}} for what is rendered as answer to q: a URL of the
 * machine's own, with a token that no other address learns.  "": this profile installs
 * nothing.  The answer to q leaves when the token is stored. */
#define MACHINES_URL_MAX 128
void machines_installed_url(struct site *site, struct question *q, const struct facts *f,
	const struct answer *a, char ret[static MACHINES_URL_MAX]);
/* The machine gets, as answer to q, the text by which it boots what was decided.  Nothing
 * when somebody else asks. */
void machines_given(
	struct site *site, struct question *q, const struct facts *f, const struct answer *a);
/* The same where the last octet of a file arrived by which it boots. */
void machines_fetched(
	struct site *site, struct ip4 peer, enum transport transport, struct span path);
/* Could a machine's boot be what such a file was fetched for?  From any thread. */
bool machines_may_boot_by(const struct config *cfg, enum transport transport, struct span path);
/* The same where DHCP tells it, by an ACK, a boot file that lies elsewhere: nobody sees
 * whether it is fetched.  1: the ACK must wait for done(), or for what is handed over to
 * the store in this turn of the loop; negative: it must not leave; 0: it need not wait,
 * and done (or NULL) is not called. */
int machines_told(struct site *site, const struct facts *f, const struct answer *a, store_done done,
	void *ctx);
/* machines/WHO/installed, with the token: gives the answer. */
void machines_phoned_home(struct site *site, struct question *q, struct mac mac);
/* In place of question_answer(): when what q changed is stored. */
void machines_answer(struct site *site, struct question *q);

/* An administrator's order (MACHINE_ORDER_…), done when it is stored: 0, or -errno and the
 * state is as before.  done may be called at once. */
void machines_order(struct site *site, struct mac mac, enum machine_event order,
	const char *profile, uid_t uid, store_done done, void *ctx);
