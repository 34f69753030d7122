/* The lease database.
 *
 * lease_log is append-only: the last row of an address counts.  Which row that is
 * stands in a hash from address to row, so that a row can be told superseded
 * without a query; cleaning walks the log from its begin, a few hundred rows a
 * step, and deletes those.
 */
#include "edge/store_db.h"

#include "edge/store_forms.h"
#include "edge/store_machines.h"
#include "edge/store_read.h"
#include "edge/store_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEMA_VERSION     3
#define SET_SCHEMA_VERSION "PRAGMA user_version = 3"
#define FILE_NAME          "leases.db"
#define CLEAN_STEP         256   /* rows looked at in one transaction */
#define CLEAN_SLACK        4096u /* superseded rows that are not worth cleaning */

/* What the transaction has changed in the hash, for when it is abandoned. */
struct undo {
	struct last_row {
		uint32_t address;
		int64_t row;
	} * list;
	size_t n, cap;
};

struct store_db {
	sqlite3 *db;
	sqlite3_stmt *begin, *append, *look, *remove, *commit;
	struct store_forms forms;
	struct store_machines machines;
	struct store_rows last;
	struct undo undo;
	int64_t next_row, rows,
		rows_before;        /* rows: how many stand in the log; before: this transaction */
	int64_t clean_at, clean_to; /* where the cleaning is, and where it ends; 0: not cleaning */
	bool read_only;
	struct file_id {
		dev_t dev;
		ino_t ino; /* 0: not yet known */
	} file, wal;
	int error; /* SQLite's extended code of the last failure */
	char path[4096];
	char text[128];
};

static int keep_error(struct store_db *db)
{
	db->error = sqlite3_extended_errcode(db->db);
	(void)snprintf(db->text, sizeof(db->text), "%s", sqlite3_errmsg(db->db));
	switch (db->error & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

void store_db_explain(const struct store_db *db, char *message, size_t size)
{
	if (db->error == SQLITE_READONLY_DBMOVED) {
		(void)snprintf(message, size,
			"%.100s, or its -wal beside it, was moved or deleted: put it back, or restart bootsmith with what is there",
			db->path);
		return;
	}
	switch (db->error & 0xff) {
	case SQLITE_FULL:
		(void)snprintf(message, size, "%.100s: the disk is full: make room", db->path);
		break;
	case SQLITE_READONLY:
		(void)snprintf(message, size,
			"%.100s cannot be written: make the file and its directory writable",
			db->path);
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		(void)snprintf(message, size,
			"%.100s is damaged (%.60s): stop bootsmith, then restore it from a backup, or try sqlite3's .recover",
			db->path, db->text);
		break;
	default:
		(void)snprintf(message, size, "%.100s: %s", db->path, db->text);
		break;
	}
}

/* --- opening --- */

static const char schema[] =
	"CREATE TABLE lease_log ("
	" row INTEGER PRIMARY KEY,"  /* in the order of writing */
	" address INTEGER NOT NULL," /* IPv4 as a number: 10.0.0.1 is 167772161 */
	" state INTEGER NOT NULL,"   /* 0 free, 2 bound, 3 declined (core/lease.h) */
	" expires INTEGER NOT NULL," /* seconds since 1970 */
	" network TEXT NOT NULL,"
	" htype INTEGER NOT NULL,"
	" chaddr BLOB NOT NULL,"
	" client_id BLOB NOT NULL,"
	" hostname BLOB NOT NULL,"
	" sum INTEGER NOT NULL);"; /* store_row_sum(): SQLite does not notice a damaged page */

static int run(struct store_db *db, const char *sql)
{
	return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : keep_error(db);
}

static int one_number(struct store_db *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *s;
	int r = 0;

	if (sqlite3_prepare_v2(db->db, sql, -1, &s, NULL) != SQLITE_OK)
		return keep_error(db);
	if (sqlite3_step(s) == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		r = keep_error(db);
	(void)sqlite3_finalize(s);
	return r;
}

/* From every older version to ours, a step each, in one transaction. */
static int upgrade(struct store_db *db, char message[static STORE_MESSAGE_MAX])
{
	int64_t version = 0;
	int r = one_number(db, "PRAGMA user_version", &version);

	if (r < 0)
		return r;
	if (version > SCHEMA_VERSION) {
		(void)snprintf(message, STORE_MESSAGE_MAX,
			"%.100s was written by a newer bootsmith (schema %lld, this one knows %d): install that one, or give this one another --state-dir",
			db->path, (long long)version, SCHEMA_VERSION);
		return -EPROTO;
	}
	if (version == SCHEMA_VERSION)
		return 0;
	r = run(db, "BEGIN IMMEDIATE");
	if (r == 0 && version < 1)
		r = run(db, schema);
	if (r == 0 && version < 2)
		r = run(db, store_forms_schema);
	if (r == 0 && version < 3)
		r = run(db, store_machines_schema);
	if (r == 0)
		r = run(db, SET_SCHEMA_VERSION "; COMMIT");
	return r;
}

static int damaged(struct store_db *db, int64_t row)
{
	db->error = SQLITE_CORRUPT;
	(void)snprintf(
		db->text, sizeof(db->text), "row %lld is not as it was written", (long long)row);
	return -EUCLEAN;
}

/* Whom the records go to while the log is read. */
struct loading {
	struct store_db *db;
	const struct store_hooks *hooks;
	void *ctx;
};

static int load_rows(void *ctx, const struct lease_record *list, const int64_t *rows, size_t n)
{
	const struct loading *l = ctx;
	struct store_db *db = l->db;

	for (size_t i = 0; i < n; i++)
		if (store_rows_set(&db->last, list[i].address.v, rows[i]) < 0)
			return -ENOMEM;
	db->rows += (int64_t)n;
	if (n)
		db->next_row = rows[n - 1] + 1;
	return l->hooks->load(l->ctx, list, n);
}

static int load_all(struct store_db *db, const struct store_hooks *hooks, void *ctx)
{
	struct loading l = { db, hooks, ctx };
	int64_t n = 0, row;
	int r = one_number(db, "SELECT count(*) FROM lease_log", &n);

	if (r < 0)
		return r;
	hooks->expect(ctx, (size_t)n);
	db->next_row = 1;
	r = store_read_all(db->db, load_rows, &l, &row);
	return r == -EUCLEAN ? damaged(db, row) : r == -EIO ? keep_error(db) : r;
}

static int load_forms(struct store_db *db, const struct store_hooks *hooks, void *ctx)
{
	int r = hooks->load_form ? store_forms_load(db->db, hooks->load_form, ctx) : 0;

	return r == -EIO ? keep_error(db) : r;
}

static int load_machines(struct store_db *db, const struct store_hooks *hooks, void *ctx)
{
	struct mac_text row;
	int r = hooks->load_machine ? store_machines_load(db->db, hooks->load_machine, ctx, &row)
				    : 0;

	if (r == -EUCLEAN) {
		db->error = SQLITE_CORRUPT;
		(void)snprintf(db->text, sizeof(db->text),
			"the row of machine %s is not as it was written", row.s);
	}
	return r == -EIO ? keep_error(db) : r;
}

static int prepare(struct store_db *db, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v3(db->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) ==
			SQLITE_OK
		? 0
		: keep_error(db);
}

static int prepare_all(struct store_db *db)
{
	int r = prepare(db, "BEGIN IMMEDIATE", &db->begin);

	if (r == 0)
		r = prepare(db, "INSERT INTO lease_log VALUES (?,?,?,?,?,?,?,?,?,?)", &db->append);
	if (r == 0)
		r = prepare(db,
			"SELECT row, address FROM lease_log WHERE row >= ? AND row <= ? ORDER BY row LIMIT ?",
			&db->look);
	if (r == 0)
		r = prepare(db, "DELETE FROM lease_log WHERE row = ?", &db->remove);
	if (r == 0)
		r = prepare(db, "COMMIT", &db->commit);
	return r;
}

/* One that has no rows and nothing bound. */
static int step_once(struct store_db *db, sqlite3_stmt *s)
{
	int step = sqlite3_step(s), r = step == SQLITE_DONE ? 0 : keep_error(db);

	(void)sqlite3_reset(s);
	return r;
}

static int open_with(struct store_db *db, const char *name, int flags)
{
	const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_URI;

	if (sqlite3_open_v2(name, &db->db, flags | common, NULL) != SQLITE_OK)
		return keep_error(db);
	(void)sqlite3_extended_result_codes(db->db, 1);
	return 0;
}

/* FULL: a commit is on disk before it returns, power cut or not.  EXCLUSIVE: the
 * directory's lock is ours anyway, and no shared memory file is needed. */
static int open_to_write(struct store_db *db, char message[static STORE_MESSAGE_MAX])
{
	int r = open_with(db, db->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	/* Leases name the machines of a site: nobody else's business. */
	(void)chmod(db->path, 0640);
	if (r == 0 && sqlite3_db_readonly(db->db, "main") == 1)
		return -EROFS;
	if (r == 0)
		r = run(db,
			"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
	return r == 0 ? upgrade(db, message) : r;
}

/* A file system that became read-only: what is stored is known all the same.
 * immutable, because without writing SQLite could not even lock. */
static int open_to_read(struct store_db *db)
{
	char uri[sizeof(db->path) + 32];

	(void)sqlite3_close(db->db);
	db->db = NULL;
	(void)snprintf(uri, sizeof(uri), "file:%s?immutable=1", db->path);
	db->read_only = true;
	return open_with(db, uri, SQLITE_OPEN_READONLY);
}

static int open_database(struct store_db *db, char message[static STORE_MESSAGE_MAX])
{
	int r = open_to_write(db, message);

	if (r != -EROFS &&
		!(r == -EIO && access(db->path, R_OK) == 0 && access(db->path, W_OK) < 0))
		return r;
	r = open_to_read(db);
	if (r == 0)
		db->error = SQLITE_READONLY;
	return r;
}

int store_db_open(const char *state_dir, const struct store_hooks *hooks, void *ctx,
	char message[static STORE_MESSAGE_MAX], struct store_db **ret)
{
	struct store_db *db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return -ENOMEM;
	message[0] = '\0';
	(void)snprintf(db->path, sizeof(db->path), "%s/" FILE_NAME, state_dir);
	r = open_database(db, message);
	if (r == 0)
		r = load_all(db, hooks, ctx);
	if (r == 0)
		r = load_forms(db, hooks, ctx);
	if (r == 0)
		r = load_machines(db, hooks, ctx);
	if (r == 0 && !db->read_only)
		r = prepare_all(db);
	if (r == 0 && !db->read_only &&
		(store_forms_open(db->db, &db->forms) < 0 ||
			store_machines_open(db->db, &db->machines) < 0))
		r = keep_error(db);
	if (r < 0) {
		if (!message[0])
			store_db_explain(db, message, STORE_MESSAGE_MAX);
		store_db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

void store_db_close(struct store_db *db)
{
	if (!db)
		return;
	(void)sqlite3_finalize(db->begin);
	(void)sqlite3_finalize(db->append);
	(void)sqlite3_finalize(db->look);
	(void)sqlite3_finalize(db->remove);
	(void)sqlite3_finalize(db->commit);
	store_forms_close(&db->forms);
	store_machines_close(&db->machines);
	(void)sqlite3_close(db->db);
	store_rows_free(&db->last);
	free(db->undo.list);
	free(db);
}

bool store_db_is_read_only(const struct store_db *db)
{
	return db->read_only;
}

/* --- writing --- */

static uint8_t copy_cut(void *to, size_t size, struct span s)
{
	size_t n = s.n < size ? s.n : size;

	if (n)
		memcpy(to, s.p, n);
	return (uint8_t)n;
}

void store_row_from_record(const struct lease_record *r, struct store_row *ret)
{
	ret->address = r->address;
	ret->state = r->state;
	ret->expires_s = r->expires_s;
	ret->htype = r->htype;
	ret->n_chaddr = copy_cut(ret->chaddr, sizeof(ret->chaddr), r->chaddr);
	ret->n_client_id = copy_cut(ret->client_id, sizeof(ret->client_id), r->client_id);
	ret->n_hostname = copy_cut(ret->hostname, sizeof(ret->hostname), r->hostname);
	ret->n_network = copy_cut(ret->network, sizeof(ret->network) - 1, span_str(r->network));
	ret->network[ret->n_network] = '\0';
}

static int undo_note(struct store_db *db, struct ip4 address)
{
	struct undo *u = &db->undo;

	if (u->n == u->cap) {
		size_t cap = u->cap ? 2 * u->cap : 256;
		struct last_row *list = realloc(u->list, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		u->list = list;
		u->cap = cap;
	}
	u->list[u->n++] = (struct last_row){ address.v, store_rows_get(&db->last, address.v) };
	return 0;
}

static struct file_id id_of(const struct store_db *db, const char *suffix)
{
	char path[sizeof(db->path) + 8];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s%s", db->path, suffix);
	return stat(path, &st) < 0 ? (struct file_id){ 0 }
				   : (struct file_id){ st.st_dev, st.st_ino };
}

static bool is_moved(struct file_id known, struct file_id now)
{
	return known.ino && (known.ino != now.ino || known.dev != now.dev);
}

int store_db_begin(struct store_db *db)
{
	db->undo.n = 0;
	db->rows_before = db->rows;
	if (db->read_only)
		return -EROFS;
	/* What goes into a file that has no name any more is lost with the process. */
	if (is_moved(db->file, id_of(db, "")) || is_moved(db->wal, id_of(db, "-wal"))) {
		db->error = SQLITE_READONLY_DBMOVED;
		return -ESTALE;
	}
	return step_once(db, db->begin);
}

int store_db_append(struct store_db *db, const struct store_row *row)
{
	const struct lease_record r = {
		.address = row->address,
		.state = row->state,
		.expires_s = row->expires_s,
		.network = row->network,
		.htype = row->htype,
		.chaddr = { row->chaddr, row->n_chaddr },
		.client_id = { row->client_id, row->n_client_id },
		.hostname = { (const uint8_t *)row->hostname, row->n_hostname },
	};
	sqlite3_stmt *s = db->append;
	int step;

	(void)sqlite3_bind_int64(s, 1, db->next_row);
	(void)sqlite3_bind_int64(s, 2, row->address.v);
	(void)sqlite3_bind_int(s, 3, row->state);
	(void)sqlite3_bind_int64(s, 4, row->expires_s);
	(void)sqlite3_bind_text(s, 5, row->network, row->n_network, SQLITE_STATIC);
	(void)sqlite3_bind_int(s, 6, row->htype);
	(void)sqlite3_bind_blob(s, 7, row->chaddr, row->n_chaddr, SQLITE_STATIC);
	(void)sqlite3_bind_blob(s, 8, row->client_id, row->n_client_id, SQLITE_STATIC);
	(void)sqlite3_bind_blob(s, 9, row->hostname, row->n_hostname, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 10, store_row_sum(db->next_row, &r));
	step = sqlite3_step(s);
	(void)sqlite3_reset(s);
	if (step != SQLITE_DONE)
		return keep_error(db);
	if (undo_note(db, row->address) < 0 ||
		store_rows_set(&db->last, row->address.v, db->next_row) < 0)
		return -ENOMEM;
	db->next_row++;
	db->rows++;
	return 0;
}

int store_db_put_form(struct store_db *db, const struct forms_record *r)
{
	return store_forms_put(&db->forms, r) < 0 ? keep_error(db) : 0;
}

int store_db_put_machine(struct store_db *db, const struct machine_state *s)
{
	return store_machines_put(&db->machines, s) < 0 ? keep_error(db) : 0;
}

int store_db_forget_machine(struct store_db *db, struct mac mac)
{
	return store_machines_forget(&db->machines, mac) < 0 ? keep_error(db) : 0;
}

int store_db_try(struct store_db *db)
{
	return run(db, SET_SCHEMA_VERSION);
}

bool store_db_is_dirty(const struct store_db *db)
{
	return db->clean_to != 0;
}

static int remove_row(struct store_db *db, int64_t row)
{
	int step;

	(void)sqlite3_bind_int64(db->remove, 1, row);
	step = sqlite3_step(db->remove);
	(void)sqlite3_reset(db->remove);
	if (step != SQLITE_DONE)
		return keep_error(db);
	db->rows--;
	return 0;
}

int store_db_clean_step(struct store_db *db)
{
	int64_t superseded[CLEAN_STEP], row = 0;
	int step, n = 0, looked = 0, r = 0;

	if (!db->clean_to && (uint64_t)db->rows > 2 * db->last.n + CLEAN_SLACK) {
		db->clean_at = 0;
		db->clean_to = db->next_row - 1;
	}
	if (!db->clean_to)
		return 0;
	(void)sqlite3_bind_int64(db->look, 1, db->clean_at);
	(void)sqlite3_bind_int64(db->look, 2, db->clean_to);
	(void)sqlite3_bind_int(db->look, 3, CLEAN_STEP);
	while ((step = sqlite3_step(db->look)) == SQLITE_ROW) {
		row = sqlite3_column_int64(db->look, 0);
		if (store_rows_get(&db->last, (uint32_t)sqlite3_column_int64(db->look, 1)) != row)
			superseded[n++] = row;
		looked++;
	}
	(void)sqlite3_reset(db->look);
	if (step != SQLITE_DONE)
		return keep_error(db);
	for (int i = 0; i < n && r == 0; i++)
		r = remove_row(db, superseded[i]);
	if (r < 0)
		return r;
	db->clean_at = row + 1;
	if (looked < CLEAN_STEP)
		db->clean_to = 0;
	return 0;
}

int store_db_end(struct store_db *db)
{
	int r = step_once(db, db->commit);

	if (r < 0)
		return store_db_abandon(db, r);
	if (!db->file.ino)
		db->file = id_of(db, "");
	if (!db->wal.ino)
		db->wal = id_of(db, "-wal");
	return 0;
}

int store_db_abandon(struct store_db *db, int r)
{
	(void)sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
	while (db->undo.n > 0) {
		const struct last_row *u = &db->undo.list[--db->undo.n];

		store_rows_reset(&db->last, u->address, u->row);
	}
	db->rows = db->rows_before;
	db->clean_to = 0; /* what it removed stands again: from the begin, when it is due */
	return r;
}
