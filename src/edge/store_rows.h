/* Which row of the lease log is an address's last one.
 *
 * Pages of neighbouring addresses, since those are given away and loaded one after
 * the other; the pages by open addressing, a power of two, at most half full.
 * Grows in one go: it belongs to the writer's thread, where that stops nobody.
 */
#pragma once

#include "base/bytes.h"

#define STORE_PAGE_ADDRESSES 64u

struct store_rows {
	struct store_page {
		uint32_t number; /* address / STORE_PAGE_ADDRESSES */
		int64_t *rows;   /* 0: none; NULL: no page here */
	} * list;
	size_t n_pages, cap;
	size_t n; /* addresses that have a row */
};

/* -ENOMEM. */
int store_rows_set(struct store_rows *l, uint32_t address, int64_t row) WARN_UNUSED;
/* 0: none. */
int64_t store_rows_get(const struct store_rows *l, uint32_t address);
/* Takes a store_rows_set() back; row: what it was before, or 0. */
void store_rows_reset(struct store_rows *l, uint32_t address, int64_t row);
void store_rows_free(struct store_rows *l);
