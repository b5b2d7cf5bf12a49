#ifndef SYS_DB_H
#define SYS_DB_H
/*
 * SQLite by the rules of this project: WAL, short transactions begun IMMEDIATE, statements prepared
 * once, errors mapped to codes. A handle belongs to one thread.
 *
 * Codes: SQLITE_BUSY and LOCKED are ERR_BUSY; FULL is ERR_NOSPACE; NOTADB, CORRUPT, SCHEMA-like
 * and READONLY, CANTOPEN, PERM, AUTH are ERR_CONFIG; CONSTRAINT is ERR_CONFLICT; all else ERR_IO.
 * err->sys holds errno where SQLite knows one.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct db;

struct db_options {
	const char *path;   /* any length up to PATH_MAX */
	bool create;        /* else a missing file is ERR_NOT_FOUND */
	bool read_only;
	int64_t busy_ms;    /* how long to wait for locks; 0: 30,000 */
	bool allow_network; /* default: a network file system is ERR_CONFIG */
	/* Called while waiting for a lock, first after hook_ms (0: 1,000), then every second: says
	 * who holds it, or ends a holder that is stuck. Non-zero gives up: ERR_BUSY. */
	int64_t hook_ms;
	int (*hook)(void *ctx, int64_t waited_ms);
	void *ctx;
};

struct db *db_open(const struct db_options *o, struct err *err);
void db_close(struct db *db);
sqlite3 *db_handle(struct db *db);

/* SQL without results, one or more statements, constant text. */
int db_exec(struct db *db, const char *sql, struct err *err);
/* A statement for the life of the handle: prepared at first use, finalized by db_close. `sql` must
 * be a constant, whose address is the key. NULL with err. */
sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err);
/* 1 a row, 0 done, -1 with err. */
int db_step(struct db *db, sqlite3_stmt *st, struct err *err);
/* Steps to the end: 0/-1. Resets and unbinds in any case. */
int db_run(struct db *db, sqlite3_stmt *st, struct err *err);
/* sqlite3_reset and sqlite3_clear_bindings; NULL-safe. For `out:`. */
void db_reset(sqlite3_stmt *st);
/* First column of the first row as integer; `none` when there is no row. 0/-1. Resets. */
int db_int(struct db *db, sqlite3_stmt *st, int64_t none, int64_t *out, struct err *err);

/* BEGIN IMMEDIATE (waits for the write lock as long as options say) with synchronous=FULL or
 * NORMAL for this transaction; COMMIT (on failure rolled back); ROLLBACK (never fails). */
int db_begin(struct db *db, bool full_sync, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
bool db_in_transaction(struct db *db);
int64_t db_changes(struct db *db);
/* PRAGMA data_version: moves when another connection committed. -1 when it cannot be read. */
int64_t db_data_version(struct db *db);
int db_user_version(struct db *db, int64_t *out, struct err *err);
int db_set_user_version(struct db *db, int version, struct err *err);

/* Sets err from the handle's last error: "<what>: <message>"; returns -1. */
int db_fail(struct db *db, int rc, const char *what, struct err *err);

/* Binding never fails for a valid index; indices count from 1. Text is not copied: it must live
 * until the statement is reset. NULL binds NULL. */
void db_bind_int(sqlite3_stmt *st, int i, int64_t v);
void db_bind_text(sqlite3_stmt *st, int i, const char *s);
void db_bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n);
/* Columns count from 0. Text is valid until the next step; "" for NULL. */
int64_t db_col_int(sqlite3_stmt *st, int i);
const char *db_col_text(sqlite3_stmt *st, int i);
struct str db_col_blob(sqlite3_stmt *st, int i);
bool db_col_null(sqlite3_stmt *st, int i);

#endif
