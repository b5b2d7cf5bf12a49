#include "sys/query.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "sys/signals.h"

enum { BUSY_MS = 30000, STEPS = 100000 };

struct query {
	sqlite3 *db;
	sqlite3_stmt *st;
	char *path;
};

static int query_fail(const struct query *q, struct err *err)
{
	int rc = sqlite3_errcode(q->db) & 0xff;

	if (rc == SQLITE_INTERRUPT)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return err_set(err, rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? ERR_BUSY : ERR_USAGE,
		       "%s: %s", q->path, sqlite3_errmsg(q->db));
}

static int on_progress(void *ctx)
{
	(void)ctx;
	return signals_interrupted();
}

static int prepare(struct query *q, const char *sql, struct err *err)
{
	const char *rest = "";

	if (sqlite3_prepare_v2(q->db, sql, -1, &q->st, &rest) != SQLITE_OK)
		return query_fail(q, err);
	if (!q->st || sqlite3_column_count(q->st) == 0)
		return err_set(err, ERR_USAGE, "%s: a query is needed that gives rows (SELECT ...)",
			       q->path);
	if (!sqlite3_stmt_readonly(q->st))
		return err_set(err, ERR_USAGE, "%s: the query would change the database, which is "
			       "only read", q->path);
	if (rest[strspn(rest, "; \t\r\n")])
		return err_set(err, ERR_USAGE, "%s: one query is needed, this is more: %.100s",
			       q->path, rest);
	return 0;
}

struct query *query_open(const char *path, const char *sql, struct err *err)
{
	struct query *q = xcalloc(1, sizeof(*q));
	struct stat st;

	q->path = xstrdup(path);
	if (stat(path, &st) < 0) {
		err_sys(err, "%s", path);
		err->code = ERR_USAGE;
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_USAGE, "%s is no file", path);
		goto fail;
	}
	if (sqlite3_open_v2(path, &q->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		query_fail(q, err);
		goto fail;
	}
	(void)sqlite3_busy_timeout(q->db, BUSY_MS);
	sqlite3_progress_handler(q->db, STEPS, on_progress, NULL);
	if (prepare(q, sql, err) < 0)
		goto fail;
	return q;
fail:
	query_close(q);
	return NULL;
}

void query_close(struct query *q)
{
	if (!q)
		return;
	(void)sqlite3_finalize(q->st);
	(void)sqlite3_close(q->db);
	free(q->path);
	free(q);
}

int query_columns(const struct query *q)
{
	return sqlite3_column_count(q->st);
}

const char *query_column(const struct query *q, int i)
{
	const char *name = sqlite3_column_name(q->st, i);

	return name ? name : "";
}

int query_step(struct query *q, struct err *err)
{
	int rc = sqlite3_step(q->st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : query_fail(q, err);
}

sqlite3_stmt *query_statement(const struct query *q)
{
	return q->st;
}
