/* The states of all machines, by MAC.
 *
 * Records go in and out by value: find, change a copy (core/machine_state.h), put
 * it back.  Strangers can make it grow, so those that the configuration does not
 * know have a limit: whoever was heard of longest ago makes room, machines that
 * were being installed after those that were not.  What machine_state_is_kept()
 * stays: a machine that was forgotten would be installed again.  Who makes room is
 * told one by one, since the store has to forget it too.
 */
#pragma once

#include "core/machine_state.h"

#define MACHINE_TABLE_STRANGERS_MAX 16384u

struct machine_table;

int machine_table_new(struct machine_table **ret) WARN_UNUSED;
void machine_table_free(struct machine_table *t);

/* Valid until the table changes; NULL: it is not there. */
const struct machine_state *machine_table_find(const struct machine_table *t, struct mac mac);
/* The one that has this UUID, in either octet order, of those that the configuration does
 * not know by their MACs; NULL: none.  Of several (interfaces of one machine), one whose state
 * must not be forgotten, else one that is being installed, else the one that was heard first. */
const struct machine_state *machine_table_find_uuid(
	const struct machine_table *t, struct uuid uuid);
/* How many have it. */
size_t machine_table_count_uuid(const struct machine_table *t, struct uuid uuid);
/* The MAC by which the state is kept of the machine that these facts (a MAC at least) are
 * of: the configuration's; where that has its UUID alone, that of the state with its UUID;
 * else its own.  Facts without a UUID are of the machine that the MAC came with before.  So a machine is one, by whichever of its interfaces it comes: firmware
 * that finds nothing to boot at one of them tries the next. */
struct mac machine_table_key(
	const struct machine_table *t, const struct config *cfg, const struct facts *f);

/* Removes one of those that may go: there are too many strangers, or there would be
 * with so many more.  False: there is room, or all that are here must stay. */
bool machine_table_evict(struct machine_table *t, size_t more, struct mac *ret);
/* Adds or replaces it; *ret_version is for machine_table_stored().  known: the
 * configuration has it.  -ENOSPC: there is no room for one more stranger; -ENOMEM. */
int machine_table_put(struct machine_table *t, const struct machine_state *s, bool known,
	uint64_t *ret_version) WARN_UNUSED;

/* A change of what becomes of a machine that somebody waits for: until it is stored, or
 * could not be and is taken back.  Zeroed at first; may move on while its answer is made. */
struct machine_move {
	struct machine_state before, after;
	struct machine_fate base; /* what it becomes if this is taken back */
	uint64_t since;           /* the version that base is of */
	uint64_t version;         /* of after */
};

/* As machine_table_put(), of a change that is waited for. */
int machine_table_move(struct machine_table *t, const struct machine_state *s, bool known,
	struct machine_move *m) WARN_UNUSED;
/* Is the table's state still that of this change, whatever else was heard? */
bool machine_table_is_last(const struct machine_table *t, const struct machine_move *m);
/* It could not be stored: what becomes of the machine is as it was before.  False: another
 * change, which somebody waits for too, was built on it and is on its way: when that one
 * fails it takes back both.  True: *ret_version shall be stored. */
bool machine_table_take_back(
	struct machine_table *t, const struct machine_move *m, uint64_t *ret_version);
/* What becomes of it was s as of that version, and stays so whatever fails later: it is on
 * disk and was told, or it has happened. */
void machine_table_sure(struct machine_table *t, const struct machine_state *s, uint64_t version);

/* Adds what the store has, be there room or not: that is machine_table_evict()'s when
 * all are there, and what must stay is never left out.  -ENOMEM. */
int machine_table_restore(
	struct machine_table *t, const struct machine_state *s, bool known) WARN_UNUSED;
/* The record is there: it was seen at that time, which is no news worth storing. */
void machine_table_touch(struct machine_table *t, struct mac mac, int64_t now_s);
/* What was put as that version is on its way to the disk; then: the store has it, or could
 * not take it.  Versions of one machine end in the order in which they went. */
void machine_table_sent(struct machine_table *t, struct mac mac, uint64_t version);
void machine_table_stored(struct machine_table *t, struct mac mac, uint64_t version);
void machine_table_not_stored(struct machine_table *t, struct mac mac, uint64_t version);
/* Is it stored what becomes of it: phase, order and token, as they are in the table?  True
 * too where it is not there. */
bool machine_table_is_settled(const struct machine_table *t, struct mac mac);
/* Calls each() for what was put and is neither stored nor on its way. */
void machine_table_unstored(const struct machine_table *t,
	void (*each)(void *ctx, const struct machine_state *s, uint64_t version), void *ctx);

/* Another configuration: asks anew of each record whether it is known.  Who has become
 * a stranger may be one too many. */
void machine_table_sort(struct machine_table *t,
	bool (*is_known)(void *ctx, const struct machine_state *s), void *ctx);

/* The MACs of all, in order, for a walk over a table that changes meanwhile; the
 * caller frees them.  -ENOMEM. */
int machine_table_macs(const struct machine_table *t, struct mac **ret, size_t *ret_n) WARN_UNUSED;
