/* The last row of each address.  No database, no I/O. */
#include "edge/store_rows.h"

#include <errno.h>
#include <stdlib.h>

static struct store_page *page_slot(const struct store_rows *l, uint32_t number)
{
	uint32_t h = number * 2654435769u;
	size_t i = (h ^ h >> 16) & (l->cap - 1);

	while (l->list[i].rows && l->list[i].number != number)
		i = (i + 1) & (l->cap - 1);
	return &l->list[i];
}

/* The address's place, or NULL where its page is not there. */
static int64_t *find(const struct store_rows *l, uint32_t address)
{
	const struct store_page *page = l->cap ? page_slot(l, address / STORE_PAGE_ADDRESSES)
					       : NULL;

	return page && page->rows ? &page->rows[address % STORE_PAGE_ADDRESSES] : NULL;
}

static int grow(struct store_rows *l)
{
	struct store_rows bigger = {
		.cap = l->cap ? 2 * l->cap : 64, .n_pages = l->n_pages, .n = l->n
	};

	bigger.list = calloc(bigger.cap, sizeof(*bigger.list));
	if (!bigger.list)
		return -ENOMEM;
	for (size_t i = 0; i < l->cap; i++)
		if (l->list[i].rows)
			*page_slot(&bigger, l->list[i].number) = l->list[i];
	free(l->list);
	*l = bigger;
	return 0;
}

static int64_t *find_or_add(struct store_rows *l, uint32_t address)
{
	int64_t *at = find(l, address);
	struct store_page *page;

	if (at)
		return at;
	if (2 * (l->n_pages + 1) > l->cap && grow(l) < 0)
		return NULL;
	page = page_slot(l, address / STORE_PAGE_ADDRESSES);
	page->rows = calloc(STORE_PAGE_ADDRESSES, sizeof(*page->rows));
	if (!page->rows)
		return NULL;
	page->number = address / STORE_PAGE_ADDRESSES;
	l->n_pages++;
	return &page->rows[address % STORE_PAGE_ADDRESSES];
}

int store_rows_set(struct store_rows *l, uint32_t address, int64_t row)
{
	int64_t *at = find_or_add(l, address);

	if (!at)
		return -ENOMEM;
	l->n += *at == 0;
	*at = row;
	return 0;
}

int64_t store_rows_get(const struct store_rows *l, uint32_t address)
{
	const int64_t *at = find(l, address);

	return at ? *at : 0;
}

void store_rows_reset(struct store_rows *l, uint32_t address, int64_t row)
{
	int64_t *at = find(l, address);

	if (!at) /* its page could not be had: nothing was changed */
		return;
	l->n -= row == 0 && *at != 0;
	*at = row;
}

void store_rows_free(struct store_rows *l)
{
	for (size_t i = 0; i < l->cap; i++)
		free(l->list[i].rows);
	free(l->list);
}
