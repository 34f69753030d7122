/* The durable store: what was committed is there after a reopen, nothing else is. */
#include "edge/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char dir[] = "/tmp/bootsmith-store-XXXXXX";

struct trial {
	uv_loop_t loop;
	struct store *store;
	char message[STORE_MESSAGE_MAX];
	char health[STORE_MESSAGE_MAX];
	size_t loaded, done, failed, forms;
	size_t refuse_at;         /* so many records are enough for on_load(); 0: all are welcome */
	struct forms_record form; /* the last one */
	size_t machines;
	struct machine_state machine; /* the last one */
	struct lease_table *leases;
};

static void on_expect(void *ctx, size_t n)
{
	struct trial *t = ctx;

	lease_table_expect(t->leases, n);
}

static int on_load(void *ctx, const struct lease_record *list, size_t n)
{
	struct trial *t = ctx;

	t->loaded += n;
	if (t->refuse_at && t->loaded >= t->refuse_at)
		return -EOVERFLOW;
	return lease_restore(t->leases, list, n);
}

static int on_load_form(void *ctx, const struct forms_record *r)
{
	struct trial *t = ctx;

	t->forms++;
	t->form = *r;
	return 0;
}

static int on_load_machine(void *ctx, const struct machine_state *s)
{
	struct trial *t = ctx;

	t->machines++;
	t->machine = *s;
	return 0;
}

static void on_health(void *ctx, const char *message)
{
	struct trial *t = ctx;

	(void)snprintf(t->health, sizeof(t->health), "%s", message ? message : "well");
}

static void on_done(void *ctx, int result)
{
	struct trial *t = ctx;

	t->done++;
	t->failed += result < 0;
}

static int begin_refusing(struct trial *t, size_t refuse_at)
{
	static const struct store_hooks hooks = { .expect = on_expect,
		.load = on_load,
		.load_form = on_load_form,
		.load_machine = on_load_machine,
		.health = on_health };

	*t = (struct trial){ .refuse_at = refuse_at };
	assert_int_equal(uv_loop_init(&t->loop), 0);
	assert_int_equal(lease_table_new(&t->leases), 0);
	return store_open(&t->loop, dir, &hooks, t, t->message, &t->store);
}

static int begin(struct trial *t)
{
	return begin_refusing(t, 0);
}

static void end(struct trial *t)
{
	store_close(t->store);
	(void)uv_run(&t->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t->loop), 0);
	lease_table_free(t->leases);
}

static void commit(struct trial *t, uint32_t address, enum lease_state state, int64_t expires_s)
{
	const uint8_t mac[6] = { 2, 0, 0, (uint8_t)(address >> 16), (uint8_t)(address >> 8),
		(uint8_t)address };
	const struct lease_record r = { .address.v = address,
		.state = state,
		.expires_s = expires_s,
		.network = "br0",
		.htype = 1,
		.chaddr = { mac, sizeof(mac) },
		.client_id = SPAN_LIT("\1id\0x"),
		.hostname = SPAN_LIT("web") };
	struct lease_record own = r;

	if (address & 1) /* as many clients as addresses */
		own.client_id = SPAN_NONE;
	else
		own.client_id = own.chaddr;
	assert_int_equal(store_commit(t->store, &own, on_done, t), 0);
}

static void wait_done(struct trial *t, size_t n)
{
	while (t->done < n)
		(void)uv_run(&t->loop, UV_RUN_ONCE);
}

static int64_t count_rows(void)
{
	char path[256];
	sqlite3 *db;
	sqlite3_stmt *s;
	int64_t n;

	(void)snprintf(path, sizeof(path), "%s/leases.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT count(*) FROM lease_log", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
	return n;
}

static void sql(const char *text)
{
	char path[256];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/leases.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static int empty(void **state)
{
	char path[256];
	static const char *const names[] = { "leases.db", "leases.db-wal", "leases.db-shm" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return 0;
}

static void committed_leases_come_back(void **state)
{
	const struct lease *l;
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.loaded, 0);
	for (uint32_t i = 1; i <= 500; i++)
		commit(&t, 0x0a000000 + i, LEASE_BOUND, 2000000000 + i);
	commit(&t, 0x0a000001, LEASE_FREE, 1999999999);
	assert_int_equal(t.done, 0); /* never from within store_commit() */
	wait_done(&t, 501);
	assert_int_equal(t.failed, 0);
	end(&t);

	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.loaded, 501);
	l = lease_find_address(t.leases, (struct ip4){ 0x0a000001 });
	assert_non_null(l);
	assert_int_equal(l->state, LEASE_FREE);
	l = lease_find_address(t.leases, (struct ip4){ 0x0a0001f4 });
	assert_non_null(l);
	assert_int_equal(l->state, LEASE_BOUND);
	assert_int_equal(l->expires_s, 2000000500);
	assert_int_equal(l->stored_expires_s, 2000000500);
	assert_string_equal(l->hostname, "web");
	assert_int_equal(l->client_id_len, 6);
	assert_int_equal(lease_count(t.leases, LEASE_BOUND), 499);
	end(&t);
}

/* More than the reader holds at once, with the longest identifiers; and it ends when
 * nobody wants any more. */
static void a_long_log_is_read_whole(void **state)
{
	enum { ROWS = 12000 };
	uint8_t id[255] = { 0 };
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	for (uint32_t i = 1; i <= ROWS; i++) {
		const struct lease_record r = { .address.v = 0x0a000000 + i,
			.state = LEASE_BOUND,
			.expires_s = 2000000000 + i,
			.network = i % 3 ? "br0" : "10.9.0.0/24",
			.htype = 1,
			.client_id = { id, i % 2 ? sizeof(id) : 4 },
			.hostname = SPAN_LIT("web") };

		memcpy(id, &i, sizeof(i));
		assert_int_equal(store_commit(t.store, &r, on_done, &t), 0);
	}
	wait_done(&t, ROWS);
	end(&t);

	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.loaded, ROWS);
	for (uint32_t i = 1; i <= ROWS; i++) {
		const struct lease *l = lease_find_address(
			t.leases, (struct ip4){ 0x0a000000 + i });

		assert_non_null(l);
		memcpy(id, &i, sizeof(i));
		assert_int_equal(l->expires_s, 2000000000 + i);
		assert_int_equal(l->client_id_len, i % 2 ? sizeof(id) : 4);
		assert_memory_equal(l->client_id, id, l->client_id_len);
	}
	end(&t);

	assert_int_equal(begin_refusing(&t, 2000), -EOVERFLOW);
	assert_in_range(t.loaded, 2000, ROWS / 2);
	lease_table_free(t.leases);
	assert_int_equal(uv_loop_close(&t.loop), 0);
}

/* A close right behind the commits loses none of them. */
static void close_commits_what_waits(void **state)
{
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	for (uint32_t i = 1; i <= 100; i++)
		commit(&t, 0x0a000000 + i, LEASE_BOUND, 2000000000);
	store_close(t.store);
	assert_int_equal(t.done, 100);
	assert_int_equal(t.failed, 0);
	(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	lease_table_free(t.leases);
	assert_int_equal(count_rows(), 100);
}

static void log_is_cleaned(void **state)
{
	struct trial t;
	size_t n = 0;

	(void)state;
	assert_int_equal(begin(&t), 0);
	for (int round = 0; round < 200; round++) {
		for (uint32_t i = 1; i <= 100; i++, n++)
			commit(&t, 0x0a000000 + i, LEASE_BOUND, 2000000000 + round);
		wait_done(&t, n);
	}
	/* Cleaning goes on by itself, a step after the other. */
	for (int i = 0; i < 200; i++) {
		commit(&t, 0x0a000001, LEASE_BOUND, 2000000199);
		wait_done(&t, ++n);
	}
	end(&t);
	assert_in_range(count_rows(), 100, 100 + 2 * 100 + 4096 + 256);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(lease_count(t.leases, LEASE_BOUND), 100);
	for (uint32_t i = 1; i <= 100; i++)
		assert_int_equal(
			lease_find_address(t.leases, (struct ip4){ 0x0a000000 + i })->expires_s,
			2000000199);
	end(&t);
}

static void no_database_is_refused(void **state)
{
	char path[256];
	struct trial t;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/leases.db", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 512; i++)
		assert_int_equal(write(fd, "this is no database at all", 26), 26);
	close(fd);
	assert_int_equal(begin(&t), -EUCLEAN);
	assert_non_null(strstr(t.message, "is damaged"));
	assert_non_null(strstr(t.message, "backup"));
	end(&t);
}

/* Forms ride on the same commits; the last of a machine counts. */
static void forms_last(void **state)
{
	struct forms_record r = { .mac = { { 2, 0, 0, 0, 0, 1 } },
		.fingerprint = UINT64_MAX,
		.mode = FORMS_PROXY,
		.form = FORM_BINL,
		.used_s = 1000 };
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	store_remember_form(t.store, &r);
	commit(&t, 10, LEASE_BOUND, 2000000000);
	r.form = FORM_MENU;
	r.used_s = 2000;
	store_remember_form(t.store, &r);
	r.mac = (struct mac){ 0 };
	r.used_s = 1500;
	store_remember_form(t.store, &r);
	wait_done(&t, 1);
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.forms, 2);
	assert_int_equal(t.loaded, 1);
	assert_int_equal(t.form.mac.b[5], 1); /* least recently used first */
	assert_true(t.form.fingerprint == UINT64_MAX && t.form.mode == FORMS_PROXY &&
		t.form.form == FORM_MENU);
	end(&t);
	/* A form of a newer version's, and no MAC: as if they were not there. */
	sql("UPDATE form_memory SET form = 'telepathy' WHERE used = 1500; UPDATE form_memory SET mac = x'02' WHERE used = 2000");
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.forms, 0);
	end(&t);
}

static void schema_1_is_upgraded(void **state)
{
	struct forms_record r = { .fingerprint = 1, .form = FORM_DIRECT };
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	commit(&t, 10, LEASE_BOUND, 2000000000);
	wait_done(&t, 1);
	end(&t);
	sql("DROP TABLE form_memory; DROP TABLE machine; PRAGMA user_version = 1");
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.loaded, 1);
	store_remember_form(t.store, &r);
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.forms, 1);
	end(&t);
}

static void forms_stay_bounded(void **state)
{
	struct forms_record r = { .fingerprint = 1, .form = FORM_DIRECT };
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	for (unsigned i = 0; i < 3 * FORMS_PROVEN_MAX; i++) {
		r.fingerprint = r.used_s = i;
		store_remember_form(t.store, &r);
	}
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_in_range(t.forms, FORMS_PROVEN_MAX, 2 * FORMS_PROVEN_MAX);
	assert_int_equal(t.form.used_s, 3 * FORMS_PROVEN_MAX - 1);
	end(&t);
}

static struct machine_state some_machine(void)
{
	struct machine_state s = { .mac = { { 2, 0, 0, 0, 0, 1 } },
		.phase = MACHINE_INSTALLED,
		.boot_once = "rescue",
		.given = "debian",
		.given_s = 900,
		.first_seen_s = 100,
		.last_seen_s = 1000,
		.token_use = MACHINE_TOKEN_USED,
		.token = { 0, 1, 2, 0xff },
		.has_client = true,
		.client = CLIENT_HTTP,
		.has_arch = true,
		.arch_number = 16,
		.has_uuid = true,
		.uuid = { { 4, 0, 5 } },
		.address.v = 0xc0a80001 };

	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++)
		(void)machine_state_say(&s, i,
			(struct span){ (const uint8_t *)"\0a\xff"
							"bcdefgh",
				3 + i });
	return s;
}

static void machines_last(void **state)
{
	struct machine_state s = some_machine(), least = { .mac = { { 2, 9 } }, .last_seen_s = 5 };
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	assert_int_equal(store_put_machine(t.store, &least, on_done, &t), 0);
	assert_int_equal(store_put_machine(t.store, &s, NULL, NULL), 0);
	s.phase = MACHINE_HOLD;
	assert_int_equal(store_put_machine(t.store, &s, on_done, &t), 0);
	wait_done(&t, 2);
	assert_int_equal(t.failed, 0);
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.machines, 2);
	assert_memory_equal(&t.machine, &s, sizeof(s)); /* heard of longest ago first */
	store_forget_machine(t.store, s.mac);
	store_forget_machine(t.store, (struct mac){ { 7 } });
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.machines, 1);
	assert_memory_equal(&t.machine, &least, sizeof(least));
	end(&t);
}

/* A flood of one kind makes the store refuse no other. */
static void kinds_have_shares(void **state)
{
	struct machine_state s = some_machine();
	struct forms_record form = { .fingerprint = 1, .form = FORM_DIRECT };
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	for (unsigned i = 0; i < STORE_UNFINISHED_MAX; i++)
		assert_int_equal(store_put_machine(t.store, &s, on_done, &t), 0);
	assert_int_equal(store_put_machine(t.store, &s, on_done, &t), -EBUSY);
	commit(&t, 0x0a000001, LEASE_BOUND, 2000000000);
	store_remember_form(t.store, &form);
	wait_done(&t, STORE_UNFINISHED_MAX + 1);
	assert_int_equal(t.failed, 0);
	assert_int_equal(store_put_machine(t.store, &s, on_done, &t), 0);
	for (uint32_t i = 1; i < STORE_UNFINISHED_MAX; i++)
		commit(&t, 0x0a000000 + i % 2, LEASE_BOUND, 2000000000);
	assert_int_equal(store_put_machine(t.store, &s, on_done, &t), 0);
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.forms, 1);
	assert_int_equal(t.machines, 1);
	end(&t);
}

/* An installation that is forgotten would be done again: no row is believed that
 * is not as it was written. */
static void damaged_machine_is_refused(void **state)
{
	static const char *const damages[] = { "state = 'new'", "state = 'newer'", "boot_once = ''",
		"token = zeroblob(16)", "token = x'00'", "token_use = 7", "given_at = 7",
		"client = 'pxe'", "client = 'pigeon'", "arch = NULL", "uuid = NULL",
		"uuid = x'0405'", "address = 1", "serial = x''", "network = 'other'",
		"mac = x'0203'", "mac = x'020000000002'", "sum = sum + 1" };

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct machine_state s = some_machine();
		char update[128];
		struct trial t;

		(void)empty(state);
		assert_int_equal(begin(&t), 0);
		assert_int_equal(store_put_machine(t.store, &s, NULL, NULL), 0);
		end(&t);
		(void)snprintf(update, sizeof(update), "UPDATE machine SET %s", damages[i]);
		sql(update);
		assert_true(begin(&t) < 0);
		if (!strstr(t.message, "damaged"))
			fail_msg("%s: \"%s\"", damages[i], t.message);
		(void)uv_run(&t.loop, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&t.loop), 0);
		lease_table_free(t.leases);
	}
}

static void schema_2_is_upgraded(void **state)
{
	struct machine_state s = some_machine();
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	commit(&t, 0x0a000001, LEASE_BOUND, 1000);
	wait_done(&t, 1);
	end(&t);
	sql("DROP TABLE machine; PRAGMA user_version = 2");
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.loaded, 1);
	assert_int_equal(store_put_machine(t.store, &s, NULL, NULL), 0);
	end(&t);
	assert_int_equal(begin(&t), 0);
	assert_int_equal(t.machines, 1);
	end(&t);
}

static void newer_schema_is_refused(void **state)
{
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	end(&t);
	sql("PRAGMA user_version = 99");
	assert_true(begin(&t) < 0);
	assert_non_null(strstr(t.message, "newer bootsmith"));
	end(&t);
}

/* A row that is not as it was written: refused, not skipped in silence. */
static void damaged_row_is_refused(void **state)
{
	static const char *const damage[] = {
		"UPDATE lease_log SET address = address + 1",
		"UPDATE lease_log SET expires = expires + 1",
		"UPDATE lease_log SET state = 77",
		"UPDATE lease_log SET client_id = x'00'",
		"UPDATE lease_log SET chaddr = zeroblob(4000)",
		"UPDATE lease_log SET network = 'br1'",
		"UPDATE lease_log SET hostname = x''",
		"UPDATE lease_log SET row = 7",
	};
	struct trial t;

	for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
		(void)empty(state);
		assert_int_equal(begin(&t), 0);
		commit(&t, 0x0a000001, LEASE_BOUND, 2000000000);
		end(&t);
		sql(damage[i]);
		if (begin(&t) != -EUCLEAN || !strstr(t.message, "is not as it was written"))
			fail_msg("%s: %s", damage[i], t.message);
		end(&t);
	}
}

/* A truncated file: every whole lease, or a clear refusal; never an empty pool in silence. */
static void truncated_at_any_page(void **state)
{
	char path[256];
	struct stat st;
	struct trial t;

	(void)state;
	assert_int_equal(begin(&t), 0);
	for (uint32_t i = 1; i <= 300; i++)
		commit(&t, 0x0a000000 + i, LEASE_BOUND, 2000000000);
	wait_done(&t, 300);
	end(&t);
	(void)snprintf(path, sizeof(path), "%s/leases.db", dir);
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = st.st_size - 1; size > 0; size -= 1777) {
		assert_int_equal(truncate(path, size), 0);
		if (begin(&t) < 0) {
			assert_true(t.message[0] != '\0');
			assert_non_null(strstr(t.message, "leases.db"));
		} else {
			assert_int_equal(lease_count(t.leases, LEASE_BOUND), 300);
		}
		end(&t);
	}
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)empty(state);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(committed_leases_come_back, empty),
		cmocka_unit_test_setup(a_long_log_is_read_whole, empty),
		cmocka_unit_test_setup(close_commits_what_waits, empty),
		cmocka_unit_test_setup(log_is_cleaned, empty),
		cmocka_unit_test_setup(no_database_is_refused, empty),
		cmocka_unit_test_setup(newer_schema_is_refused, empty),
		cmocka_unit_test_setup(forms_last, empty),
		cmocka_unit_test_setup(schema_1_is_upgraded, empty),
		cmocka_unit_test_setup(forms_stay_bounded, empty),
		cmocka_unit_test_setup(machines_last, empty),
		cmocka_unit_test_setup(kinds_have_shares, empty),
		cmocka_unit_test_setup(damaged_machine_is_refused, empty),
		cmocka_unit_test_setup(schema_2_is_upgraded, empty),
		cmocka_unit_test_setup(damaged_row_is_refused, empty),
		cmocka_unit_test_setup(truncated_at_any_page, empty),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
