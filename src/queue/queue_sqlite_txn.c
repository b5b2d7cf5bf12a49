#include "queue/queue_sqlite.h"

#include <string.h>

enum { DELTAS_MAX = 64, DONE_KEPT = 10000, EVENTS_KEPT = 20000 };

static const char sql_tally_get[] = "SELECT count FROM tally WHERE job=?1 AND label=?2";
static const char sql_tally_move[] =
	"INSERT INTO tally VALUES(?1, ?2, ?3) "
	"ON CONFLICT DO UPDATE SET count=count+excluded.count";
static const char sql_job_state[] = "SELECT state FROM job WHERE born=?1";
static const char sql_job_over[] =
	"UPDATE job SET state=3, v=v+1, ended=?2, told=0, spent=" SQ_NODE_TIME("?2") "-spent "
	"WHERE born=?1 AND state IN (1,2)";
static const char sql_event[] =
	"INSERT INTO event(t, job, n, kind, text) VALUES(?1, ?2, ?3, ?4, ?5)";
static const char sql_event_trim[] =
	"DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?1";
static const char sql_done_get[] = "SELECT answer, extra FROM done WHERE op=?1";
static const char sql_done_put[] =
	"INSERT INTO done VALUES(?1, coalesce((SELECT max(seq) FROM done), 0) + 1, ?2, ?3)";
static const char sql_done_trim[] =
	"DELETE FROM done WHERE seq <= (SELECT max(seq) FROM done) - ?1";

static void txn_forget(struct queue_sqlite *q)
{
	q->tally.n = 0;
	q->known.n = 0;
	q->fewer.n = 0;
}

int sq_begin(struct queue_sqlite *q, bool full, struct err *err)
{
	txn_forget(q);
	q->over.n = 0;
	if (db_begin(q->db, full && !q->fast, err) == 0) {
		q->held_by = (struct holder_look){ 0 };
		return 0;
	}
	if (err->code == ERR_BUSY && q->held_by.pid > 0)
		err_set(err, ERR_BUSY, "%s is locked by process %lld: wait for it or end it",
			q->path, (long long)q->held_by.pid);
	return -1;
}

void sq_rollback(struct queue_sqlite *q)
{
	txn_forget(q);
	q->over.n = 0;
	db_rollback(q->db);
}

const char *sq_tally_label(enum task_state state, const char *label)
{
	switch (state) {
	case TASK_PENDING:
		return "pending";
	case TASK_CLAIMED:
	case TASK_ENDED:
		return "claimed";
	case TASK_SUCCEEDED:
	case TASK_FAILED:
		break;
	case TASK_KILLED:
		return "killed";
	}
	return label;
}

void sq_may_end(struct queue_sqlite *q, int64_t job)
{
	for (size_t i = q->fewer.n; i-- > 0;) {
		if (q->fewer.p[i] == job)
			return;
	}
	*vec_push(&q->fewer) = job;
}

int sq_tally(struct queue_sqlite *q, int64_t job, const char *label, int64_t delta,
	     struct err *err)
{
	if (delta < 0)
		sq_may_end(q, job);
	for (size_t i = 0; i < q->tally.n; i++) {
		if (q->tally.p[i].job == job && strcmp(q->tally.p[i].label, label) == 0) {
			q->tally.p[i].delta += delta;
			return 0;
		}
	}
	if (q->tally.n >= DELTAS_MAX && sq_tally_flush(q, err) < 0)
		return -1;
	struct tally_delta *d = vec_push(&q->tally);
	*d = (struct tally_delta){ .job = job, .delta = delta };
	snprintf(d->label, sizeof(d->label), "%s", label);
	return 0;
}

int sq_tally_flush(struct queue_sqlite *q, struct err *err)
{
	for (size_t i = 0; i < q->tally.n; i++) {
		struct tally_delta *d = &q->tally.p[i];
		sqlite3_stmt *st;

		if (d->delta == 0)
			continue;
		st = db_prepare(q->db, sql_tally_move, err);
		if (!st)
			return -1;
		db_bind_int(st, 1, d->job);
		db_bind_text(st, 2, d->label);
		db_bind_int(st, 3, d->delta);
		if (sq_run(q, st, err) < 0)
			return -1;
	}
	q->tally.n = 0;
	return 0;
}

int sq_tally_get(struct queue_sqlite *q, int64_t job, const char *label, int64_t *count,
		 struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_tally_get, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_text(st, 2, label);
	if (db_int(q->db, st, 0, count, err) < 0)
		return -1;
	for (size_t i = 0; i < q->tally.n; i++) {
		if (q->tally.p[i].job == job && strcmp(q->tally.p[i].label, label) == 0)
			*count += q->tally.p[i].delta;
	}
	return 0;
}

/* Ends the job when nothing of it is open. */
static int end_if_done(struct queue_sqlite *q, int64_t job, struct err *err)
{
	int64_t pending, claimed;
	sqlite3_stmt *st;

	if (sq_tally_get(q, job, "pending", &pending, err) < 0 ||
	    sq_tally_get(q, job, "claimed", &claimed, err) < 0)
		return -1;
	if (pending + claimed > 0)
		return 0;
	st = db_prepare(q->db, sql_job_over, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, clock_wall_ms());
	if (sq_run(q, st, err) < 0)
		return -1;
	if (db_changes(q->db) == 0)
		return 0;
	*vec_push(&q->over) = job;
	return sq_event(q, 0, job, 0, "over", NULL, err);
}

int sq_commit(struct queue_sqlite *q, struct err *err)
{
	int ret = sq_tally_flush(q, err);

	for (size_t i = 0; ret == 0 && i < q->fewer.n; i++)
		ret = end_if_done(q, q->fewer.p[i], err);
	if (ret == 0)
		ret = db_commit(q->db, err);
	if (ret < 0)
		sq_rollback(q);
	else
		txn_forget(q);
	return ret;
}

bool sq_was_over(const struct queue_sqlite *q, int64_t job)
{
	for (size_t i = 0; i < q->over.n; i++) {
		if (q->over.p[i] == job)
			return true;
	}
	return false;
}

int sq_job_state(struct queue_sqlite *q, int64_t born, int *state, struct err *err)
{
	sqlite3_stmt *st;
	int64_t v;

	for (size_t i = 0; i < q->known.n; i++) {
		if (q->known.p[i].born == born) {
			*state = q->known.p[i].state;
			return 0;
		}
	}
	st = db_prepare(q->db, sql_job_state, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, born);
	if (db_int(q->db, st, -1, &v, err) < 0)
		return -1;
	*state = (int)v;
	*vec_push(&q->known) = (struct job_known){ .born = born, .state = (int)v };
	return 0;
}

int sq_event(struct queue_sqlite *q, int64_t t, int64_t job, int64_t n, const char *kind,
	     const char *text, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_event, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, t ? t : clock_wall_ms());
	db_bind_int(st, 2, job);
	db_bind_int(st, 3, n);
	db_bind_text(st, 4, kind);
	db_bind_text(st, 5, text);
	if (sq_run(q, st, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_event_trim, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, EVENTS_KEPT);
	return sq_run(q, st, err);
}

int sq_done_get(struct queue_sqlite *q, uint64_t op, int64_t *answer, int64_t *extra,
		struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_done_get, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)op);
	rc = db_step(q->db, st, err);
	if (rc == 1) {
		*answer = db_col_int(st, 0);
		if (extra)
			*extra = db_col_int(st, 1);
	}
	db_reset(st);
	return rc;
}

int sq_once_begin(struct queue_sqlite *q, bool full, uint64_t op, int64_t *answer, struct err *err)
{
	int rc;

	if (sq_begin(q, full, err) < 0)
		return -1;
	rc = sq_done_get(q, op, answer, NULL, err);
	if (rc != 0)
		sq_rollback(q);
	return rc;
}

int sq_once_end(struct queue_sqlite *q, int rc, struct err *err)
{
	if (rc == 1)
		return sq_commit(q, err) < 0 ? -1 : 1;
	sq_rollback(q);
	return rc;
}

int sq_done_put(struct queue_sqlite *q, uint64_t op, int64_t answer, int64_t extra,
		struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_done_put, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, (int64_t)op);
	db_bind_int(st, 2, answer);
	db_bind_int(st, 3, extra);
	if (sq_run(q, st, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_done_trim, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, DONE_KEPT);
	return sq_run(q, st, err);
}
