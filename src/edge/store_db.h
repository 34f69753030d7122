/* The lease database: its schema, its rows, its cleaning.  One thread at a time. */
#pragma once

#include "edge/store.h"

struct store_db;

/* A record, copied: it crosses threads. */
struct store_row {
	struct ip4 address;
	enum lease_state state;
	int64_t expires_s;
	uint8_t htype, n_chaddr, n_client_id, n_hostname, n_network;
	uint8_t chaddr[16];
	uint8_t client_id[255];
	char hostname[64];
	char network[64];
};

void store_row_from_record(const struct lease_record *r, struct store_row *ret);

/* As store_open(); of the hooks it calls expect() and the load…() ones. */
int store_db_open(const char *state_dir, const struct store_hooks *hooks, void *ctx,
	char message[static STORE_MESSAGE_MAX], struct store_db **ret) WARN_UNUSED;
void store_db_close(struct store_db *db);
bool store_db_is_read_only(const struct store_db *db);
/* A sentence about the last failure: what, and what to do. */
void store_db_explain(const struct store_db *db, char *message, size_t size);

/* One transaction: begin, append… (or try), clean_step, end.  All -errno; after a failure
 * the transaction is abandoned, which gives the failure back. */
int store_db_begin(struct store_db *db) WARN_UNUSED;
int store_db_append(struct store_db *db, const struct store_row *row) WARN_UNUSED;
int store_db_put_form(struct store_db *db, const struct forms_record *r) WARN_UNUSED;
int store_db_put_machine(struct store_db *db, const struct machine_state *s) WARN_UNUSED;
int store_db_forget_machine(struct store_db *db, struct mac mac) WARN_UNUSED;
/* Writes what stands there already: can anything be written?  A transaction
 * that changes nothing succeeds on the fullest disk. */
int store_db_try(struct store_db *db) WARN_UNUSED;
int store_db_clean_step(struct store_db *db) WARN_UNUSED;
int store_db_end(struct store_db *db) WARN_UNUSED; /* on disk when it returns 0 */
int store_db_abandon(struct store_db *db, int r) WARN_UNUSED;
/* Is there so much superseded that it should be removed now? */
bool store_db_is_dirty(const struct store_db *db);
