/* The table machine of the lease database: what each machine has been through
 * (core/machine_state.h), a row each.
 *
 * An installation that is over and forgotten would be done again, so each row
 * carries a sum, as leases do: a damaged one is told, and not believed.
 */
#pragma once

#include "core/machine_state.h"

#include <sqlite3.h>

struct store_machines {
	sqlite3_stmt *put, *forget;
};

/* SQL that makes the table (schema 3). */
extern const char store_machines_schema[];

/* Calls load for each row, heard of longest ago first.  All: 0, or -EIO with the
 * error in the connection, -EUCLEAN with the MAC of the damaged row, or what load
 * gave back.  A database that has no such table, an older one that can only be
 * read, has no rows. */
int store_machines_load(sqlite3 *db, int (*load)(void *ctx, const struct machine_state *s),
	void *ctx, struct mac_text *ret_damaged) WARN_UNUSED;
int store_machines_open(sqlite3 *db, struct store_machines *ret) WARN_UNUSED;
void store_machines_close(struct store_machines *m);
/* Within a transaction. */
int store_machines_put(struct store_machines *m, const struct machine_state *s) WARN_UNUSED;
int store_machines_forget(struct store_machines *m, struct mac mac) WARN_UNUSED;
