#include "queue/queue_sqlite.h"

/* What is counted for policies: tasks that failed alike, the time of nodes. */

static const char sql_same[] =
	"SELECT count(*) FROM (SELECT 1 FROM attempt INDEXED BY failure "
	"WHERE k>>32=?1 AND sig=?2 LIMIT ?3)";
static const char sql_forget[] = "UPDATE attempt SET sig=NULL WHERE k=?1 AND sig IS NOT NULL";
static const char sql_node_time[] =
	"SELECT CASE state WHEN 3 THEN spent WHEN 0 THEN 0 ELSE " SQ_NODE_TIME("?2") "-spent END "
	"FROM job WHERE born=?1";
/* Tasks that were never claimed wait since the submission; of the others the one that is due first,
 * since its last attempt ended or its pause was over. */
static const char sql_new[] =
	"SELECT t FROM job WHERE born=?1 AND EXISTS(SELECT 1 FROM span WHERE job=?1)";
static const char sql_ready[] =
	"SELECT max(due, coalesce((SELECT ended FROM attempt WHERE attempt.k=task.k AND "
	"attempt.a=task.attempt), 1)) FROM task INDEXED BY ready "
	"WHERE k>>32=?1 AND class=?2 AND due<=?3 AND state=0 AND v>1 ORDER BY due LIMIT 1";
static const char sql_spent[] =
	"INSERT INTO spent SELECT cluster, max(?2 - t, 0) FROM node WHERE id=?1 "
	"ON CONFLICT DO UPDATE SET ms=ms+excluded.ms";

int sq_same(struct queue *base, int64_t job, int64_t signature, int64_t limit, int64_t *count,
	    struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_same, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, signature);
	db_bind_int(st, 3, MIN(MAX(limit, 1), SAME_MAX));
	return db_int(q->db, st, 0, count, err);
}

int sq_failures_forget(struct queue_sqlite *q, int64_t k, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_forget, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, k);
	return sq_run(q, st, err);
}

int sq_node_time(struct queue *base, int64_t job, int64_t now, int64_t *ms, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_node_time, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, now);
	if (db_int(q->db, st, 0, ms, err) < 0)
		return -1;
	*ms = MAX(*ms, 0);
	return 0;
}

int sq_waiting_since(struct queue *base, int64_t job, int64_t now, int64_t *since, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_new, err);
	int64_t t;

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	if (db_int(q->db, st, 0, since, err) < 0)
		return -1;
	if (*since)
		return 0;
	for (int class = 0; class < CLASSES_MAX; class++) {
		st = db_prepare(q->db, sql_ready, err);
		if (!st)
			return -1;
		db_bind_int(st, 1, job);
		db_bind_int(st, 2, class);
		db_bind_int(st, 3, now);
		if (db_int(q->db, st, 0, &t, err) < 0)
			return -1;
		if (t && (!*since || t < *since))
			*since = t;
	}
	return 0;
}

int sq_node_spent(struct queue_sqlite *q, const char *node, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_spent, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	db_bind_int(st, 2, clock_wall_ms());
	return sq_run(q, st, err);
}
