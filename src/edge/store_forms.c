/* Rows of form_memory. */
#include "edge/store_forms.h"

#include <errno.h>

const char store_forms_schema[] =
	"CREATE TABLE form_memory ("
	" mac BLOB NOT NULL,"            /* all zeros: every machine of that fingerprint */
	" fingerprint INTEGER NOT NULL," /* forms_fingerprint() */
	" mode INTEGER NOT NULL,"        /* 0 server, 1 proxy */
	" form TEXT NOT NULL,"           /* form_name() */
	" used INTEGER NOT NULL,"        /* seconds since 1970 */
	" PRIMARY KEY (mac, fingerprint, mode)) WITHOUT ROWID;";

/* A form that this version does not know is tried out anew. */
static int load_row(
	sqlite3_stmt *s, int (*load)(void *ctx, const struct forms_record *r), void *ctx)
{
	struct forms_record r = {
		.fingerprint = (uint64_t)sqlite3_column_int64(s, 1),
		.mode = sqlite3_column_int(s, 2) ? FORMS_PROXY : FORMS_SERVER,
		.used_s = sqlite3_column_int64(s, 4),
	};
	struct span form = { sqlite3_column_text(s, 3), (size_t)sqlite3_column_bytes(s, 3) };

	if (sqlite3_column_bytes(s, 0) != sizeof(r.mac.b) || form_parse(form, &r.form) < 0)
		return 0;
	memcpy(r.mac.b, sqlite3_column_blob(s, 0), sizeof(r.mac.b));
	return load(ctx, &r);
}

static bool has_table(sqlite3 *db)
{
	return sqlite3_table_column_metadata(
		       db, NULL, "form_memory", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

int store_forms_load(sqlite3 *db, int (*load)(void *ctx, const struct forms_record *r), void *ctx)
{
	sqlite3_stmt *s;
	int step, r = 0;

	if (!has_table(db))
		return 0;
	if (sqlite3_prepare_v2(db,
		    "SELECT mac, fingerprint, mode, form, used FROM form_memory ORDER BY used", -1,
		    &s, NULL) != SQLITE_OK)
		return -EIO;
	while ((step = sqlite3_step(s)) == SQLITE_ROW && r == 0)
		r = load_row(s, load, ctx);
	(void)sqlite3_finalize(s);
	return r == 0 && step != SQLITE_DONE ? -EIO : r;
}

int store_forms_open(sqlite3 *db, struct store_forms *ret)
{
	*ret = (struct store_forms){ .n_put = FORMS_PROVEN_MAX }; /* trim with the first one */
	if (sqlite3_prepare_v3(db, "INSERT OR REPLACE INTO form_memory VALUES (?,?,?,?,?)", -1,
		    SQLITE_PREPARE_PERSISTENT, &ret->put, NULL) != SQLITE_OK)
		return -EIO;
	if (sqlite3_prepare_v3(db,
		    "DELETE FROM form_memory WHERE used < (SELECT used FROM form_memory ORDER BY used DESC LIMIT 1 OFFSET ?)",
		    -1, SQLITE_PREPARE_PERSISTENT, &ret->trim, NULL) != SQLITE_OK)
		return -EIO;
	return 0;
}

void store_forms_close(struct store_forms *f)
{
	(void)sqlite3_finalize(f->put);
	(void)sqlite3_finalize(f->trim);
}

static int run(sqlite3_stmt *s)
{
	int step = sqlite3_step(s);

	(void)sqlite3_reset(s);
	return step == SQLITE_DONE ? 0 : -EIO;
}

int store_forms_put(struct store_forms *f, const struct forms_record *r)
{
	sqlite3_stmt *s = f->put;

	(void)sqlite3_bind_blob(s, 1, r->mac.b, sizeof(r->mac.b), SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 2, (int64_t)r->fingerprint);
	(void)sqlite3_bind_int(s, 3, r->mode);
	(void)sqlite3_bind_text(s, 4, form_name(r->form), -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 5, r->used_s);
	if (run(s) < 0)
		return -EIO;
	if (++f->n_put <= FORMS_PROVEN_MAX)
		return 0;
	f->n_put = 0;
	(void)sqlite3_bind_int(f->trim, 1, FORMS_PROVEN_MAX - 1);
	return run(f->trim);
}
