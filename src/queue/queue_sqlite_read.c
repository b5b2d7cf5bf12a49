#include "queue/queue_sqlite.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { KEY_LAST = 0x7fffffff }; /* greatest task number a range is cut to */

static const char sql_job_by_id[] =
	"SELECT " SQ_JOB_COLUMNS " FROM job WHERE id=?1 AND state IN (1,2,3)";
static const char sql_job_get[] = "SELECT " SQ_JOB_COLUMNS " FROM job WHERE born=?1";
static const char sql_job_last[] =
	"SELECT " SQ_JOB_COLUMNS " FROM job WHERE user=?1 AND state IN (1,2,3) "
	"ORDER BY bound DESC LIMIT 1";
static const char sql_jobs[] =
	"SELECT " SQ_JOB_COLUMNS " FROM job WHERE bound<?1 AND (state<>4 OR ?2) "
	"AND (?3 IS NULL OR user=?3) AND (?4 IS NULL OR cluster=?4) AND (?5 >> state) & 1 "
	"AND (told=0 OR NOT ?6) "
	"ORDER BY bound DESC, born DESC";
/* The open ones of a cluster: by their index, however many jobs there were. */
static const char sql_jobs_open[] =
	"SELECT " SQ_JOB_COLUMNS " FROM job WHERE bound<?1 AND state=1 AND (?2 OR 1) "
	"AND (?3 IS NULL OR user=?3) AND cluster=?4 AND ?5 AND (told=0 OR NOT ?6) "
	"ORDER BY bound DESC, born DESC";
static const char sql_task_get[] = "SELECT " SQ_TASK_COLUMNS " FROM task WHERE k=?1";
static const char sql_tasks[] =
	"SELECT " SQ_TASK_COLUMNS " FROM task WHERE k BETWEEN ?1 AND ?2 ORDER BY k";
static const char sql_attempts[] =
	"SELECT " SQ_ATTEMPT_COLUMNS " FROM attempt WHERE k=?1 ORDER BY a";
static const char sql_attempt_get[] =
	"SELECT " SQ_ATTEMPT_COLUMNS " FROM attempt WHERE k=?1 AND a=?2";
static const char sql_attempt_acc[] =
	"SELECT " SQ_ATTEMPT_COLUMNS " FROM attempt WHERE k=?1 AND "
	"a=coalesce(nullif((SELECT acc FROM task WHERE task.k=?1), 0), "
	"(SELECT max(a) FROM attempt WHERE k=?1))";
static const char sql_recent[] =
	"SELECT " SQ_ATTEMPT_COLUMNS " FROM attempt WHERE "
	"ended >= (SELECT max(ended) FROM attempt) - ?1 AND result IS NOT NULL AND "
	"a=(SELECT acc FROM task WHERE task.k=attempt.k)";
static const char sql_counts[] =
	"SELECT label, count FROM tally WHERE job=?1 AND count>0 ORDER BY label";
static const char sql_held[] =
	"SELECT " SQ_TASK_COLUMNS " FROM task INDEXED BY held WHERE node=?1 AND state IN (2,3) "
	"ORDER BY k";
static const char sql_events[] =
	"SELECT seq, t, job, n, kind, text FROM event WHERE seq>?2 AND (?1=0 OR job=?1) "
	"ORDER BY seq";

/* Running is what the tally says; one state with the row in a read transaction of one statement
 * would need a join, and a moment's difference hurts nobody. */
static int fill_running(struct queue_sqlite *q, struct job *j, struct err *err)
{
	return sq_tally_get(q, j->born, "claimed", &j->running, err);
}

static int job_one(struct queue_sqlite *q, sqlite3_stmt *st, struct job *out, struct err *err)
{
	int rc = db_step(q->db, st, err);

	if (rc == 1)
		sq_job_read(st, out);
	db_reset(st);
	if (rc == 1 && fill_running(q, out, err) < 0) {
		job_release(out);
		return -1;
	}
	return rc;
}

int sq_job_by_id(struct queue *base, const char *id, struct job *out, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_job_by_id, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, id);
	return job_one(q, st, out, err);
}

int sq_job_get(struct queue *base, int64_t born, struct job *out, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_job_get, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, born);
	return job_one(q, st, out, err);
}

int sq_job_last(struct queue *base, const char *user, struct job *out, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_job_last, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, user);
	return job_one(q, st, out, err);
}

static bool job_matches(const struct job *j, const struct job_filter *f)
{
	return !f->pattern || glob_match(f->pattern, j->id);
}

int sq_jobs(struct queue *base, const struct job_filter *f, job_fn fn, void *ctx, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	unsigned states = f->states ? f->states :
			  1U << JOB_OPEN | 1U << JOB_KILLING | 1U << JOB_OVER;
	bool open = states == 1U << JOB_OPEN && f->cluster;
	sqlite3_stmt *st = db_prepare(q->db, open ? sql_jobs_open : sql_jobs, err);
	size_t seen = 0;
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, f->before > 0 ? f->before : INT64_MAX);
	db_bind_int(st, 2, (states & (1U << JOB_REMOVED)) != 0);
	db_bind_text(st, 3, f->user);
	db_bind_text(st, 4, f->cluster);
	db_bind_int(st, 5, states);
	db_bind_int(st, 6, f->untold);
	while ((rc = db_step(q->db, st, err)) == 1) {
		struct job j;

		sq_job_read(st, &j);
		if (!job_matches(&j, f)) {
			job_release(&j);
			continue;
		}
		rc = fill_running(q, &j, err);
		if (rc == 0)
			rc = fn(ctx, &j);
		job_release(&j);
		if (rc != 0 || (f->limit && ++seen >= f->limit))
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

int sq_task_get(struct queue *base, int64_t job, int64_t n, struct task *out, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_task_get, err);
	int rc;

	if (!st)
		return -1;
	if (n < 1 || n > KEY_LAST)
		return 0;
	db_bind_int(st, 1, task_key(job, n));
	rc = db_step(q->db, st, err);
	if (rc == 1)
		sq_task_read(st, out);
	db_reset(st);
	return rc;
}

/* Tasks first..last: 0 all seen, 1 stopped, -1. */
static int tasks_range(struct queue_sqlite *q, int64_t job, int64_t first, int64_t last,
		       const struct task_filter *f, size_t *seen, task_fn fn, void *ctx,
		       struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_tasks, err);
	unsigned states = f->states ? f->states : ~0U;
	struct task t;
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(job, first));
	db_bind_int(st, 2, task_key(job, last));
	while ((rc = db_step(q->db, st, err)) == 1) {
		if (!(states & (1U << db_col_int(st, 2))))
			continue;
		sq_task_read(st, &t);
		if (f->label && strcmp(f->label, t.label) != 0)
			continue;
		rc = fn(ctx, &t);
		if (rc != 0)
			break;
		if (f->limit && ++*seen >= f->limit) {
			rc = 1;
			break;
		}
	}
	db_reset(st);
	return rc;
}

int sq_tasks(struct queue *base, int64_t job, const struct task_filter *f, task_fn fn, void *ctx,
	     struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	const struct range all = { .first = 1, .last = KEY_LAST };
	const struct range *r = f->ranges.n ? f->ranges.p : &all;
	size_t n = f->ranges.n ? f->ranges.n : 1, seen = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t first = MAX(MAX(r[i].first, f->after + 1), 1);
		int64_t last = MIN(r[i].last, KEY_LAST);
		int rc;

		if (first > last)
			continue;
		rc = tasks_range(q, job, first, last, f, &seen, fn, ctx, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return 0;
}

static int each_attempt(struct queue_sqlite *q, sqlite3_stmt *st, attempt_fn fn, void *ctx,
			struct err *err)
{
	int rc;

	while ((rc = db_step(q->db, st, err)) == 1) {
		struct attempt a;

		sq_attempt_read(st, &a);
		rc = fn(ctx, &a);
		attempt_release(&a);
		if (rc != 0)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

int sq_attempts(struct queue *base, int64_t job, int64_t n, attempt_fn fn, void *ctx,
		struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_attempts, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(job, n));
	return each_attempt(q, st, fn, ctx, err);
}

int sq_attempt_get(struct queue *base, int64_t job, int64_t n, int64_t k, struct attempt *out,
		   struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, k ? sql_attempt_get : sql_attempt_acc, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(job, n));
	if (k)
		db_bind_int(st, 2, k);
	rc = db_step(q->db, st, err);
	if (rc == 1)
		sq_attempt_read(st, out);
	db_reset(st);
	return rc;
}

int sq_recent(struct queue *base, int64_t window_ms, attempt_fn fn, void *ctx, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_recent, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, window_ms);
	return each_attempt(q, st, fn, ctx, err);
}

int sq_counts(struct queue *base, int64_t job, count_fn fn, void *ctx, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_counts, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	while ((rc = db_step(q->db, st, err)) == 1) {
		rc = fn(ctx, db_col_text(st, 0), db_col_int(st, 1));
		if (rc != 0)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

int sq_held(struct queue *base, const char *node, task_fn fn, void *ctx, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_held, err);
	struct task t;
	int rc;

	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	while ((rc = db_step(q->db, st, err)) == 1) {
		sq_task_read(st, &t);
		rc = fn(ctx, &t);
		if (rc != 0)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

int sq_events(struct queue *base, int64_t job, int64_t after, event_fn fn, void *ctx,
	      struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_events, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, after);
	while ((rc = db_step(q->db, st, err)) == 1) {
		const struct event e = {
			.seq = db_col_int(st, 0), .t = db_col_int(st, 1),
			.job = db_col_int(st, 2), .n = db_col_int(st, 3),
			.kind = db_col_text(st, 4), .text = db_col_text(st, 5),
		};

		rc = fn(ctx, &e);
		if (rc != 0)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

int sq_event_add(struct queue *base, const struct event *e, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);

	if (sq_begin(q, false, err) < 0)
		return -1;
	if (sq_event(q, e->t, e->job, e->n, e->kind, e->text, err) < 0) {
		sq_rollback(q);
		return -1;
	}
	return sq_commit(q, err);
}
