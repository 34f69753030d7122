/* Rows of machine. */
#include "edge/store_machines.h"

#include "edge/store_sum.h"

#include <errno.h>
#include <stdio.h>

#define COLUMNS                                                                                     \
	"mac, state, boot_once, token, token_use, given, given_at, first_seen, last_seen, client, " \
	"arch, uuid, address, vendor_class, hostname, serial, asset, manufacturer, product, network, sum"

enum column {
	COL_MAC,
	COL_STATE,
	COL_BOOT_ONCE,
	COL_TOKEN,
	COL_TOKEN_USE,
	COL_GIVEN,
	COL_GIVEN_AT,
	COL_FIRST_SEEN,
	COL_LAST_SEEN,
	COL_CLIENT,
	COL_ARCH,
	COL_UUID,
	COL_ADDRESS,
	COL_SAID, /* MACHINE_SAID_COUNT of them */
	COL_SUM = COL_SAID + MACHINE_SAID_COUNT,
};

const char store_machines_schema[] =
	"CREATE TABLE machine ("
	" mac BLOB PRIMARY KEY NOT NULL,"
	" state TEXT NOT NULL,"     /* machine_phase_name() */
	" boot_once TEXT NOT NULL," /* a profile, or empty */
	" token BLOB NOT NULL,"
	" token_use INTEGER NOT NULL," /* 0 none, 1 fresh, 2 used */
	" given TEXT NOT NULL,"        /* the profile that it had last */
	" given_at INTEGER NOT NULL,"  /* times: seconds since 1970 */
	" first_seen INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL,"
	" client TEXT,"  /* client_name() */
	" arch INTEGER," /* of option 93 */
	" uuid BLOB,"
	" address INTEGER NOT NULL," /* IPv4 as a number */
	" vendor_class BLOB NOT NULL, hostname BLOB NOT NULL, serial BLOB NOT NULL, asset BLOB NOT NULL,"
	" manufacturer BLOB NOT NULL, product BLOB NOT NULL, network BLOB NOT NULL,"
	" sum INTEGER NOT NULL) WITHOUT ROWID;"; /* sum_of(): SQLite does not notice a damaged page */

static uint32_t sum_of(const struct machine_state *s)
{
	const int64_t numbers[] = { s->phase, s->token_use, s->given_s, s->first_seen_s,
		s->last_seen_s, s->has_client ? (int64_t)s->client : -1,
		s->has_arch ? s->arch_number : -1, s->has_uuid, s->address.v };
	uint32_t h = store_sum(STORE_SUM_BEGIN, numbers, sizeof(numbers));

	h = store_sum(h, s->mac.b, sizeof(s->mac.b));
	h = store_sum(h, s->boot_once, strlen(s->boot_once));
	h = store_sum(h, s->given, strlen(s->given));
	h = store_sum(h, s->token, sizeof(s->token));
	h = store_sum(h, s->uuid.b, sizeof(s->uuid.b));
	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++)
		h = store_sum(h, s->said[i].b, s->said[i].n);
	return h;
}

/* --- reading --- */

static struct span column(sqlite3_stmt *q, int i)
{
	const void *p = sqlite3_column_blob(q, i);

	return (struct span){ p, p ? (size_t)sqlite3_column_bytes(q, i) : 0 };
}

/* Octets of a fixed length, or none of them. */
static bool read_octets(sqlite3_stmt *q, int i, uint8_t *to, size_t n)
{
	struct span s = column(q, i);

	if (s.n != n)
		return false;
	memcpy(to, s.p, n);
	return true;
}

static bool read_profile(sqlite3_stmt *q, int i, char to[static MACHINE_PROFILE_MAX])
{
	struct span s = column(q, i);

	if (s.n >= MACHINE_PROFILE_MAX)
		return false;
	if (s.n)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return true;
}

static bool read_client(sqlite3_stmt *q, struct machine_state *s)
{
	struct span name = column(q, COL_CLIENT);

	for (enum client c = CLIENT_DHCP; c <= CLIENT_IPXE; c++) {
		if (span_eq(name, span_str(client_name(c)))) {
			s->has_client = true;
			s->client = c;
		}
	}
	return name.n == 0 || s->has_client;
}

/* False: no row of ours, whatever its sum says. */
static bool read_row(sqlite3_stmt *q, struct machine_state *s)
{
	int64_t token_use = sqlite3_column_int64(q, COL_TOKEN_USE);

	*s = (struct machine_state){
		.given_s = sqlite3_column_int64(q, COL_GIVEN_AT),
		.first_seen_s = sqlite3_column_int64(q, COL_FIRST_SEEN),
		.last_seen_s = sqlite3_column_int64(q, COL_LAST_SEEN),
		.token_use = (enum machine_token_use)token_use,
		.has_arch = sqlite3_column_type(q, COL_ARCH) != SQLITE_NULL,
		.arch_number = (uint16_t)sqlite3_column_int64(q, COL_ARCH),
		.has_uuid = sqlite3_column_type(q, COL_UUID) != SQLITE_NULL,
		.address.v = (uint32_t)sqlite3_column_int64(q, COL_ADDRESS),
	};
	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++)
		(void)machine_state_say(s, i, column(q, COL_SAID + (int)i));
	return read_octets(q, COL_MAC, s->mac.b, sizeof(s->mac.b)) &&
		machine_phase_parse(column(q, COL_STATE), &s->phase) == 0 &&
		token_use >= MACHINE_TOKEN_NONE && token_use <= MACHINE_TOKEN_USED &&
		read_profile(q, COL_BOOT_ONCE, s->boot_once) &&
		read_profile(q, COL_GIVEN, s->given) &&
		read_octets(q, COL_TOKEN, s->token, sizeof(s->token)) && read_client(q, s) &&
		(!s->has_uuid || read_octets(q, COL_UUID, s->uuid.b, sizeof(s->uuid.b))) &&
		sqlite3_column_int64(q, COL_SUM) == sum_of(s);
}

static bool has_table(sqlite3 *db)
{
	return sqlite3_table_column_metadata(
		       db, NULL, "machine", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

int store_machines_load(sqlite3 *db, int (*load)(void *ctx, const struct machine_state *s),
	void *ctx, struct mac_text *ret_damaged)
{
	struct machine_state s;
	sqlite3_stmt *q;
	int step, r = 0;

	if (!has_table(db))
		return 0;
	if (sqlite3_prepare_v2(db, "SELECT " COLUMNS " FROM machine ORDER BY last_seen", -1, &q,
		    NULL) != SQLITE_OK)
		return -EIO;
	while ((step = sqlite3_step(q)) == SQLITE_ROW && r == 0) {
		r = read_row(q, &s) ? load(ctx, &s) : -EUCLEAN;
		if (r == -EUCLEAN)
			*ret_damaged = mac_str(s.mac);
	}
	(void)sqlite3_finalize(q);
	return r == 0 && step != SQLITE_DONE ? -EIO : r;
}

/* --- writing --- */

int store_machines_open(sqlite3 *db, struct store_machines *ret)
{
	*ret = (struct store_machines){ .put = NULL };
	if (sqlite3_prepare_v3(db,
		    "INSERT OR REPLACE INTO machine (" COLUMNS
		    ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		    -1, SQLITE_PREPARE_PERSISTENT, &ret->put, NULL) != SQLITE_OK)
		return -EIO;
	if (sqlite3_prepare_v3(db, "DELETE FROM machine WHERE mac = ?", -1,
		    SQLITE_PREPARE_PERSISTENT, &ret->forget, NULL) != SQLITE_OK)
		return -EIO;
	return 0;
}

void store_machines_close(struct store_machines *m)
{
	(void)sqlite3_finalize(m->put);
	(void)sqlite3_finalize(m->forget);
}

static int run(sqlite3_stmt *q)
{
	int step = sqlite3_step(q);

	(void)sqlite3_reset(q);
	(void)sqlite3_clear_bindings(q);
	return step == SQLITE_DONE ? 0 : -EIO;
}

/* An empty octet string, not NULL, where there is nothing. */
static void bind_octets(sqlite3_stmt *q, enum column i, const void *p, size_t n)
{
	(void)sqlite3_bind_blob(q, (int)i + 1, n ? p : "", (int)n, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *q, enum column i, const char *text)
{
	(void)sqlite3_bind_text(q, (int)i + 1, text, -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *q, enum column i, int64_t number)
{
	(void)sqlite3_bind_int64(q, (int)i + 1, number);
}

int store_machines_put(struct store_machines *m, const struct machine_state *s)
{
	sqlite3_stmt *q = m->put;

	bind_octets(q, COL_MAC, s->mac.b, sizeof(s->mac.b));
	bind_text(q, COL_STATE, machine_phase_name(s->phase));
	bind_text(q, COL_BOOT_ONCE, s->boot_once);
	bind_octets(q, COL_TOKEN, s->token, sizeof(s->token));
	bind_number(q, COL_TOKEN_USE, s->token_use);
	bind_text(q, COL_GIVEN, s->given);
	bind_number(q, COL_GIVEN_AT, s->given_s);
	bind_number(q, COL_FIRST_SEEN, s->first_seen_s);
	bind_number(q, COL_LAST_SEEN, s->last_seen_s);
	if (s->has_client)
		bind_text(q, COL_CLIENT, client_name(s->client));
	if (s->has_arch)
		bind_number(q, COL_ARCH, s->arch_number);
	if (s->has_uuid)
		bind_octets(q, COL_UUID, s->uuid.b, sizeof(s->uuid.b));
	bind_number(q, COL_ADDRESS, s->address.v);
	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++)
		bind_octets(q, (enum column)(COL_SAID + i), s->said[i].b, s->said[i].n);
	bind_number(q, COL_SUM, sum_of(s));
	return run(q);
}

int store_machines_forget(struct store_machines *m, struct mac mac)
{
	bind_octets(m->forget, COL_MAC, mac.b, sizeof(mac.b));
	return run(m->forget);
}
