/* The table form_memory of the lease database: which form of boot answer worked
 * (core/forms.h).  Small, and of no weight beside leases: a row of it that is
 * wrong costs a machine one more try.
 */
#pragma once

#include "core/forms.h"

#include <sqlite3.h>

struct store_forms {
	sqlite3_stmt *put, *trim;
	unsigned n_put; /* since the last trim */
};

/* SQL that makes the table (schema 2). */
extern const char store_forms_schema[];

/* Calls load for each row, least recently used first.  All: 0, or -EIO with the
 * error in the connection, or what load gave back.  A database that has no such
 * table, an older one that can only be read, has no rows. */
int store_forms_load(
	sqlite3 *db, int (*load)(void *ctx, const struct forms_record *r), void *ctx) WARN_UNUSED;
int store_forms_open(sqlite3 *db, struct store_forms *ret) WARN_UNUSED;
void store_forms_close(struct store_forms *f);
/* Within a transaction.  Keeps the FORMS_PROVEN_MAX rows that were used last,
 * and as many more at the most. */
int store_forms_put(struct store_forms *f, const struct forms_record *r) WARN_UNUSED;
