#include "sys/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/vec.h"
#include "sys/file.h"
#include "sys/signals.h"

enum {
	SHORT_PATH = 400, /* SQLite itself takes 512 bytes with its suffixes */
	BUSY_MS = 30000,
	HOOK_MS = 1000,
};

struct statement {
	const char *sql;
	sqlite3_stmt *st;
};

struct db {
	sqlite3 *handle;
	char *path;
	int dirfd; /* of the directory that holds it, -1 for short paths */
	int64_t busy_ms, hook_ms;
	int (*hook)(void *ctx, int64_t waited_ms);
	void *ctx;
	int64_t waiting_since, next_hook;
	bool was_interrupted;
	bool full_sync;
	sqlite3_stmt *begin, *commit, *version;
	VEC(struct statement) statements;
};

/* ---- errors ----------------------------------------------------------------------------- */

static enum err_code code_of(int rc, int sys)
{
	if (sys == ENOSPC || sys == EDQUOT)
		return ERR_NOSPACE;
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_FULL:
		return ERR_NOSPACE;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_CONFIG;
	case SQLITE_CONSTRAINT:
		return ERR_CONFLICT;
	case SQLITE_INTERRUPT:
		return ERR_INTERRUPTED;
	default:
		return ERR_IO;
	}
}

int db_fail(struct db *db, int rc, const char *what, struct err *err)
{
	int sys = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN ||
		  (rc & 0xff) == SQLITE_FULL ? sqlite3_system_errno(db->handle) : 0;
	const char *why = sqlite3_errmsg(db->handle);

	if ((rc & 0xff) != (sqlite3_extended_errcode(db->handle) & 0xff))
		why = sqlite3_errstr(rc);
	err_set(err, code_of(rc, sys), "%s: %s: %s%s%s", db->path, what, why,
		sys ? ": " : "", sys && strerrordesc_np(sys) ? strerrordesc_np(sys) : "");
	err->sys = sys;
	return -1;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* SQLite refuses names above 512 bytes because it makes them absolute into a buffer of that size.
 * Where the name is longer, the file is reached through its directory's descriptor, and this VFS
 * takes "/proc/self/fd/N/name" as it is. */
static int keep_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	size_t len = strlen(name);

	(void)vfs;
	if (n <= 0 || len >= (size_t)n)
		return SQLITE_CANTOPEN;
	memcpy(out, name, len + 1);
	return SQLITE_OK;
}

static sqlite3_vfs by_descriptor;
static pthread_once_t registered = PTHREAD_ONCE_INIT;

static void register_vfs(void)
{
	const sqlite3_vfs *usual = sqlite3_vfs_find(NULL);

	if (!usual)
		return;
	by_descriptor = *usual;
	by_descriptor.pNext = NULL;
	by_descriptor.zName = "kubeque-fd";
	by_descriptor.xFullPathname = keep_name;
	(void)sqlite3_vfs_register(&by_descriptor, 0);
}

static int on_busy(void *ctx, int count)
{
	struct db *db = ctx;
	int64_t now = clock_mono_ms(), waited;

	if (count == 0) {
		db->waiting_since = now;
		db->next_hook = db->hook_ms;
		db->was_interrupted = signals_interrupted();
	}
	waited = now - db->waiting_since;
	if (waited >= db->busy_ms || (!db->was_interrupted && signals_interrupted()))
		return 0;
	if (db->hook && waited >= db->next_hook) {
		db->next_hook = waited + 1000;
		if (db->hook(db->ctx, waited))
			return 0;
	}
	(void)usleep(1000);
	return 1;
}

/* Directory descriptor and base name; makes the file with mode 0600 if it may. */
static int find_file(struct db *db, const struct db_options *o, const char **base, struct err *err)
{
	const char *slash = strrchr(o->path, '/');
	char *dir = slash ? xstrndup(o->path, (size_t)MAX(slash - o->path, 1)) : xstrdup(".");
	struct stat st;
	char kind[32];
	bool network;
	int fd;

	*base = slash ? slash + 1 : o->path;
	db->dirfd = file_open_dir(AT_FDCWD, dir, err);
	free(dir);
	if (db->dirfd < 0) {
		err->code = err->sys == ENOENT ? ERR_NOT_FOUND : ERR_CONFIG;
		return -1;
	}
	if (!o->allow_network) {
		if (file_system_of(db->dirfd, kind, &network, err) < 0)
			return -1;
		if (network)
			return err_set(err, ERR_CONFIG,
				       "%s is on a network file system (%s), where "
				       "a database cannot live", o->path, kind);
	}
	if (fstatat(db->dirfd, *base, &st, 0) == 0)
		return 0;
	if (errno != ENOENT) {
		err_sys(err, "cannot look at %s", o->path);
		err->code = ERR_CONFIG;
		return -1;
	}
	if (!o->create)
		return err_set(err, ERR_NOT_FOUND, "%s does not exist", o->path);
	fd = openat(db->dirfd, *base, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST) {
		err_sys(err, "cannot make %s", o->path);
		if (err->code != ERR_NOSPACE)
			err->code = ERR_CONFIG;
		return -1;
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static int open_handle(struct db *db, const char *name, const char *vfs, int flags)
{
	int rc = sqlite3_open_v2(name, &db->handle, flags | SQLITE_OPEN_NOMUTEX |
				 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE, vfs);

	if (rc == SQLITE_OK) {
		(void)sqlite3_busy_handler(db->handle, on_busy, db);
		/* The first thing that reads the file. */
		rc = sqlite3_exec(db->handle, "PRAGMA journal_mode", NULL, NULL, NULL);
	}
	return rc;
}

/* Two who make a database at once get SQLITE_BUSY here without the handler being asked. */
static int set_wal(struct db *db, struct err *err)
{
	int64_t end = clock_mono_ms() + db->busy_ms;
	int rc;

	while ((rc = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL)) !=
	       SQLITE_OK) {
		if ((rc & 0xff) != SQLITE_BUSY || clock_mono_ms() > end)
			return db_fail(db, rc, "cannot switch to WAL", err);
		if (!signals_sleep_ms(1))
			return signals_check(err);
	}
	return 0;
}

static int set_up(struct db *db, const struct db_options *o, struct err *err)
{
	const char *base;
	char *name = NULL;
	const char *vfs = NULL;
	int ret = -1, rc;

	if (find_file(db, o, &base, err) < 0)
		return -1;
	if (strlen(o->path) > SHORT_PATH) {
		pthread_once(&registered, register_vfs);
		vfs = "kubeque-fd";
		name = xasprintf("/proc/self/fd/%d/%s", db->dirfd, base);
	} else {
		name = xstrdup(o->path);
		close(db->dirfd);
		db->dirfd = -1;
	}
	rc = open_handle(db, name, vfs, SQLITE_OPEN_READWRITE);
	if (rc != SQLITE_OK && o->read_only &&
	    ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)) {
		(void)sqlite3_close(db->handle);
		db->handle = NULL;
		rc = open_handle(db, name, vfs, SQLITE_OPEN_READONLY);
	}
	if (rc != SQLITE_OK) {
		db_fail(db, rc, "cannot open", err);
		goto out;
	}
	if (sqlite3_db_readonly(db->handle, "main") == 1 && !o->read_only) {
		err_set(err, ERR_CONFIG, "%s cannot be written to", o->path);
		goto out;
	}
	if (!o->read_only && set_wal(db, err) < 0)
		goto out;
	if (db_exec(db, o->read_only ? "PRAGMA query_only=1" : "PRAGMA synchronous=NORMAL",
		    err) < 0)
		goto out;
	ret = 0;
out:
	free(name);
	return ret;
}

struct db *db_open(const struct db_options *o, struct err *err)
{
	struct db *db = xcalloc(1, sizeof(*db));

	db->dirfd = -1;
	db->path = xstrdup(o->path);
	db->busy_ms = o->busy_ms > 0 ? o->busy_ms : BUSY_MS;
	db->hook_ms = o->hook_ms > 0 ? o->hook_ms : HOOK_MS;
	db->hook = o->hook;
	db->ctx = o->ctx;
	if (set_up(db, o, err) < 0) {
		db_close(db);
		return NULL;
	}
	return db;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->statements.n; i++)
		(void)sqlite3_finalize(db->statements.p[i].st);
	vec_release(&db->statements);
	(void)sqlite3_finalize(db->begin);
	(void)sqlite3_finalize(db->commit);
	(void)sqlite3_finalize(db->version);
	(void)sqlite3_close(db->handle);
	if (db->dirfd >= 0)
		close(db->dirfd);
	free(db->path);
	free(db);
}

sqlite3 *db_handle(struct db *db)
{
	return db->handle;
}

/* ---- statements ------------------------------------------------------------------------- */

int db_exec(struct db *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc, "database", err);
}

static sqlite3_stmt *prepare(struct db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);

	if (rc != SQLITE_OK) {
		db_fail(db, rc, "cannot prepare", err);
		return NULL;
	}
	return st;
}

sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *st;

	for (size_t i = 0; i < db->statements.n; i++)
		if (db->statements.p[i].sql == sql)
			return db->statements.p[i].st;
	st = prepare(db, sql, err);
	if (st)
		*vec_push(&db->statements) = (struct statement){ sql, st };
	return st;
}

int db_step(struct db *db, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_fail(db, rc, "database", err);
}

int db_run(struct db *db, sqlite3_stmt *st, struct err *err)
{
	int ret;

	while ((ret = db_step(db, st, err)) == 1)
		;
	db_reset(st);
	return ret;
}

void db_reset(sqlite3_stmt *st)
{
	if (!st)
		return;
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
}

int db_int(struct db *db, sqlite3_stmt *st, int64_t none, int64_t *out, struct err *err)
{
	int ret = db_step(db, st, err);

	if (ret >= 0)
		*out = ret ? sqlite3_column_int64(st, 0) : none;
	db_reset(st);
	return ret < 0 ? -1 : 0;
}

/* ---- transactions ----------------------------------------------------------------------- */

int db_begin(struct db *db, bool full_sync, struct err *err)
{
	assert(!db_in_transaction(db));
	if (full_sync != db->full_sync) {
		if (db_exec(db, full_sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
			    err) < 0)
			return -1;
		db->full_sync = full_sync;
	}
	if (!db->begin)
		db->begin = prepare(db, "BEGIN IMMEDIATE", err);
	return db->begin ? db_run(db, db->begin, err) : -1;
}

int db_commit(struct db *db, struct err *err)
{
	if (!db->commit)
		db->commit = prepare(db, "COMMIT", err);
	if (db->commit && db_run(db, db->commit, err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

void db_rollback(struct db *db)
{
	/* SQLite may have rolled back by itself (disk full, for one). */
	if (db_in_transaction(db))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(struct db *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int64_t db_data_version(struct db *db)
{
	struct err ignored = ERR_INIT;
	int64_t v = -1;

	if (!db->version)
		db->version = prepare(db, "PRAGMA data_version", &ignored);
	if (!db->version || db_int(db, db->version, -1, &v, &ignored) < 0)
		return -1;
	return v;
}

int db_user_version(struct db *db, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = prepare(db, "PRAGMA user_version", err);
	int ret = st ? db_int(db, st, 0, out, err) : -1;

	(void)sqlite3_finalize(st);
	return ret;
}

int db_set_user_version(struct db *db, int version, struct err *err)
{
	char sql[64]; /* a pragma takes no bound value */

	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", version);
	return db_exec(db, sql, err);
}

/* ---- values ----------------------------------------------------------------------------- */

static void bound(int rc)
{
	if (rc != SQLITE_OK) /* a wrong index or a statement that still runs: our bug */
		abort();
}

void db_bind_int(sqlite3_stmt *st, int i, int64_t v)
{
	bound(sqlite3_bind_int64(st, i, v));
}

void db_bind_text(sqlite3_stmt *st, int i, const char *s)
{
	bound(s ? sqlite3_bind_text64(st, i, s, strlen(s), SQLITE_STATIC, SQLITE_UTF8)
		: sqlite3_bind_null(st, i));
}

void db_bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n)
{
	bound(p ? sqlite3_bind_blob64(st, i, p, n, SQLITE_STATIC) : sqlite3_bind_null(st, i));
}

int64_t db_col_int(sqlite3_stmt *st, int i)
{
	return sqlite3_column_int64(st, i);
}

const char *db_col_text(sqlite3_stmt *st, int i)
{
	const unsigned char *s = sqlite3_column_text(st, i);

	return s ? (const char *)s : "";
}

struct str db_col_blob(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i);

	return (struct str){ p ? p : "", p ? (size_t)sqlite3_column_bytes(st, i) : 0 };
}

bool db_col_null(sqlite3_stmt *st, int i)
{
	return sqlite3_column_type(st, i) == SQLITE_NULL;
}
