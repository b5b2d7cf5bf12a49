/* What policies were asked and said: texts of the caller, kept by attempt. */
#include "queue/queue_sqlite.h"

static const char sql_put[] = "INSERT OR REPLACE INTO asked VALUES(?1,?2,?3)";
static const char sql_list[] = "SELECT a, text FROM asked WHERE k=?1 ORDER BY a";

int sq_asked_put(struct queue_sqlite *q, int64_t k, int64_t attempt, const char *text,
		 struct err *err)
{
	sqlite3_stmt *st = text ? db_prepare(q->db, sql_put, err) : NULL;

	if (!st)
		return text ? -1 : 0;
	db_bind_int(st, 1, k);
	db_bind_int(st, 2, attempt);
	db_bind_text(st, 3, text);
	return sq_run(q, st, err);
}

int sq_asked(struct queue *base, int64_t job, int64_t n, asked_fn fn, void *ctx, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_list, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(job, n));
	while ((rc = db_step(q->db, st, err)) == 1) {
		rc = fn(ctx, db_col_int(st, 0), db_col_text(st, 1));
		if (rc != 0)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}
