/* How a machine's state changes: in the table, on its way to the disk, and in the log.
 *
 * What happens to machines, and what that means for them, is app/machines.c's; this is
 * the only place that changes site.machines.
 */
#pragma once

#include "app/site.h"

/* A copy to change; fresh where nobody has heard of it. */
struct machine_state machine_change_begin(const struct site *site, struct mac mac);
/* Puts it in the table, where others make room if need be, and stores it some time.
 * has_happened: what becomes of it stays so even if what is on its way fails.  -ENOSPC,
 * -ENOMEM. */
int machine_change_put(struct site *site, const struct machine_state *s, bool has_happened);

/* Puts what somebody waits for (m: zeroed, or what the same one put before).  -ENOSPC, -ENOMEM. */
int machine_change_move(
	struct site *site, const struct machine_state *s, struct machine_move *m) WARN_UNUSED;
/* Stores it.  Negative: it is not even on its way, and done is not called. */
int machine_change_store(
	struct site *site, const struct machine_move *m, store_done done, void *ctx) WARN_UNUSED;
/* It could not be stored: it is as it was before, unless others rely on it. */
void machine_change_take_back(struct site *site, const struct machine_move *m);

/* Is it one of the configuration's?  By its MAC alone: of a UUID, which everybody on the
 * wire can see, any number of MACs may come. */
bool machine_change_is_known(const struct site *site, const struct machine_state *s);

/* A state of the store, at the start; machine_change_sort() when all are there. */
int machine_change_restore(struct site *site, const struct machine_state *s) WARN_UNUSED;
/* Another configuration is in force; and: the store may take what it did not. */
void machine_change_sort(struct site *site);
void machine_change_store_again(struct site *site);

/* The lines of the log.  because: why, a clause; uid: who ordered it, or -1. */
void machine_change_tell(struct site *site, const struct machine_state *before,
	const struct machine_state *after, const char *because, int64_t uid);
/* What it did by itself: it was given something, or phoned home (from that address). */
void machine_change_tell_step(struct site *site, const struct machine_state *before,
	const struct machine_state *after, struct ip4 from);
void machine_change_tell_refused(
	struct site *site, const struct facts *f, struct ip4 peer, const char *what);
