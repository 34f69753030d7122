/* Reads the lease log at the start, on a thread of its own.
 *
 * Half of a start with a million leases is SQLite's, the other half the lease
 * table's: the two work side by side, on chunks of records that the reader copies.
 * It checks what a row says of itself, and knows nothing of what it means.
 */
#pragma once

#include "core/lease.h"

#include <sqlite3.h>

/* Every row carries it: SQLite does not notice a damaged page. */
uint32_t store_row_sum(int64_t row, const struct lease_record *r);

/* Called on the caller's thread with the next rows, oldest first, and their numbers. */
typedef int (*store_read_rows)(
	void *ctx, const struct lease_record *list, const int64_t *rows, size_t n);

/* All rows of lease_log; nobody else may use db meanwhile.  What take() gives back when that is
 * negative; -ENOMEM; -EIO: SQLite's error stands in db; -EUCLEAN: *ret_damaged is not as it was written. */
int store_read_all(sqlite3 *db, store_read_rows take, void *ctx, int64_t *ret_damaged) WARN_UNUSED;
