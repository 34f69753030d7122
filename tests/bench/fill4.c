/* fill4 STATE_DIR COUNT FIRST_ADDRESS NETWORK: a lease database of that many
 * bound leases, written by the daemon's own store.
 *
 * Their hardware addresses begin with 02:01; the clients of load4 with 02:00.
 */
#include "edge/store_db.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROWS_PER_COMMIT 10000u
#define LEASE_S         86400

static void expect_nothing(void *ctx, size_t n)
{
	(void)ctx;
	(void)n;
}

static int load_nothing(void *ctx, const struct lease_record *list, size_t n)
{
	(void)ctx;
	(void)list;
	(void)n;
	return 0;
}

static struct store_row row_of(uint32_t number, uint32_t first, const char *network, int64_t now_s)
{
	uint8_t chaddr[6] = { 2, 1, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number };
	const struct lease_record r = {
		.address.v = first + number,
		.state = LEASE_BOUND,
		.expires_s = now_s + LEASE_S,
		.network = network,
		.htype = 1,
		.chaddr = { chaddr, sizeof(chaddr) },
	};
	struct store_row row;

	store_row_from_record(&r, &row);
	return row;
}

static int fill(struct store_db *db, uint32_t count, uint32_t first, const char *network)
{
	int64_t now_s = time(NULL);
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		struct store_row row = row_of(i, first, network, now_s);

		if (i % ROWS_PER_COMMIT == 0)
			r = store_db_begin(db);
		if (r == 0)
			r = store_db_append(db, &row);
		if (r == 0 && (i % ROWS_PER_COMMIT == ROWS_PER_COMMIT - 1 || i == count - 1))
			r = store_db_end(db);
	}
	return r;
}

int main(int argc, char **argv)
{
	static const struct store_hooks hooks = { .expect = expect_nothing, .load = load_nothing };
	char message[STORE_MESSAGE_MAX];
	struct store_db *db;
	struct in_addr first;
	int r;

	if (argc != 5 || inet_pton(AF_INET, argv[3], &first) != 1) {
		(void)fprintf(stderr, "usage: fill4 STATE_DIR COUNT FIRST_ADDRESS NETWORK\n");
		return 2;
	}
	r = store_db_open(argv[1], &hooks, NULL, message, &db);
	if (r < 0) {
		(void)fprintf(stderr, "fill4: %s\n", message);
		return 1;
	}
	r = fill(db, (uint32_t)strtoul(argv[2], NULL, 10), ntohl(first.s_addr), argv[4]);
	if (r < 0)
		(void)fprintf(stderr, "fill4: %s\n", strerror(-r));
	store_db_close(db);
	return r < 0;
}
