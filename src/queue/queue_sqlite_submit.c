#include "queue/queue_sqlite.h"

#include <stdio.h>
#include <time.h>

#include "base/id.h"

/* A transaction of this many rows holds the write lock for 10 to 20 ms. Equal rows go in faster,
 * NUMBERS of them by one statement. */
enum { BATCH_ROWS = 10000, EQUAL_ROWS = 30000, BULK_ROWS = 500, NUMBERS = 10000, PAUSE_MS = 2 };

static const char sql_job_insert[] =
	"INSERT INTO job(id, v, rev, state, bound, user, cluster, priority, max_running, n, t, "
	"ended, told, root, policy, classes, info, secret) "
	"VALUES(?1, 1, 0, 0, 0, ?2, ?3, ?4, ?5, 0, ?6, 0, 0, '', ?7, ?8, ?9, ?10)";
static const char sql_task_insert[] =
	"INSERT OR IGNORE INTO task VALUES(?1, 1, 0, 0, ?2, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL)";
/* Many equal rows at once: half the time of one statement a row. Numbers come from a temporary
 * table, because nothing else that counts is as quick. */
static const char sql_numbers[] =
	"CREATE TEMP TABLE IF NOT EXISTS number(i INTEGER PRIMARY KEY);"
	"INSERT INTO temp.number WITH RECURSIVE r(i) AS "
	"(SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 9999) SELECT i FROM r";
static const char sql_bulk_insert[] = "INSERT OR IGNORE INTO task SELECT ?1+i, 1, 0, 0, ?2, 0, 0, "
				      "0, 0, 0, 0, 0, NULL, NULL, NULL "
				      "FROM temp.number WHERE i < ?3";
static const char sql_any_between[] =
	"SELECT EXISTS (SELECT 1 FROM task WHERE k BETWEEN ?1 AND ?2)";
static const char sql_kept_insert[] =
	"INSERT OR IGNORE INTO task VALUES(?1, 1, 0, 7, ?2, 0, ?3, ?3, 0, 0, 0, 0, ?4, ?5, NULL)";
static const char sql_span_last[] =
	"SELECT first, last FROM span WHERE job=?1 AND class=?2 ORDER BY first DESC LIMIT 1";
static const char sql_span_extend[] =
	"UPDATE span SET last=?4 WHERE job=?1 AND class=?2 AND first=?3";
static const char sql_span_insert[] = "INSERT INTO span VALUES(?1, ?2, ?3, ?4)";
static const char sql_job_brief[] =
	"SELECT state, id, (SELECT sum(count) FROM tally WHERE job=born) FROM job WHERE born=?1";
static const char sql_younger[] = "SELECT count(*) FROM name WHERE id=?1 AND born>?2";
static const char sql_name[] =
	"INSERT INTO name VALUES(?1, ?2) ON CONFLICT DO UPDATE SET born=excluded.born";
static const char sql_name_trim[] =
	"DELETE FROM name WHERE born < coalesce("
	"(SELECT min(born) FROM job INDEXED BY job_submitting WHERE state=0), 0x7fffffffffffffff)";
static const char sql_id_holder[] = "SELECT born FROM job WHERE id=?1 AND state IN (1,2,3)";
static const char sql_replace[] =
	"UPDATE job SET state=4, v=v+1, rev=rev+1 WHERE born=?1 AND state IN (1,3)";
static const char sql_count_bound[] = "UPDATE meta SET value=value+1 WHERE key='bound'";
static const char sql_bind[] =
	"UPDATE job SET state=1, v=v+1, rev=rev+1, n=?2, root=?3, "
	"bound=(SELECT value FROM meta WHERE key='bound'), spent=" SQ_NODE_TIME("?4")
	" WHERE born=?1";

int sq_submit_begin(struct queue *base, const struct job_new *j, int64_t *born, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st;

	if (sq_begin(q, false, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_job_insert, err);
	if (!st)
		goto fail;
	db_bind_text(st, 1, j->id);
	db_bind_text(st, 2, j->user);
	db_bind_text(st, 3, j->cluster);
	db_bind_int(st, 4, j->priority);
	db_bind_int(st, 5, j->max_running);
	db_bind_int(st, 6, j->t);
	db_bind_text(st, 7, j->policy ? j->policy : "");
	db_bind_text(st, 8, j->classes);
	db_bind_text(st, 9, j->info);
	db_bind_text(st, 10, j->secret);
	if (sq_run(q, st, err) < 0)
		goto fail;
	*born = sqlite3_last_insert_rowid(db_handle(q->db));
	return sq_commit(q, err);
fail:
	sq_rollback(q);
	return -1;
}

/* Tasks first..last of one class are new: the job's last run grows or a new one begins. */
static int span_add(struct queue_sqlite *q, int64_t born, int class, int64_t first, int64_t last,
		    struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_span_last, err);
	int64_t start = 0;
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, born);
	db_bind_int(st, 2, class);
	rc = db_step(q->db, st, err);
	if (rc == 1 && db_col_int(st, 1) == first - 1)
		start = db_col_int(st, 0);
	db_reset(st);
	if (rc < 0)
		return -1;
	st = db_prepare(q->db, start ? sql_span_extend : sql_span_insert, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, born);
	db_bind_int(st, 2, class);
	db_bind_int(st, 3, start ? start : first);
	db_bind_int(st, 4, last);
	return sq_run(q, st, err);
}

/* 1 inserted, 0 it was there. */
static int kept_add(struct queue_sqlite *q, int64_t born, int64_t n, const struct task_new *t,
		    struct err *err)
{
	struct attempt copy = *t->kept;
	sqlite3_stmt *st = db_prepare(q->db, sql_kept_insert, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(born, n));
	db_bind_int(st, 2, t->class);
	db_bind_int(st, 3, copy.k);
	db_bind_text(st, 4, copy.node);
	db_bind_text(st, 5, copy.label);
	if (sq_run(q, st, err) < 0)
		return -1;
	if (db_changes(q->db) == 0)
		return 0;
	copy.job = born;
	copy.n = n;
	if (sq_attempt_insert(q, &copy, false, 0, err) < 0 ||
	    sq_tally(q, born, copy.label, 1, err) < 0)
		return -1;
	return 1;
}

/* The hot loop of a submission: one prepared statement, nothing else. */
static int new_add(struct queue_sqlite *q, sqlite3_stmt *st, int64_t k, int class,
		   struct err *err)
{
	sqlite3_bind_int64(st, 1, k);
	sqlite3_bind_int(st, 2, class);
	if (sqlite3_step(st) != SQLITE_DONE)
		return db_fail(q->db, sqlite3_reset(st), "add task", err);
	sqlite3_reset(st);
	return (int)db_changes(q->db);
}

struct run {
	int class;
	int64_t first, last; /* last 0: no run */
};

static int run_end(struct queue_sqlite *q, int64_t born, struct run *r, struct err *err)
{
	int64_t last = r->last;

	if (last == 0)
		return 0;
	r->last = 0;
	return span_add(q, born, r->class, r->first, last, err);
}

/* Outside of a transaction, whose rollback would take it along. */
static int make_numbers(struct queue_sqlite *q, struct err *err)
{
	if (!q->numbers && db_exec(q->db, sql_numbers, err) < 0)
		return -1;
	q->numbers = true;
	return 0;
}

/* How many rows from t on are new ones of one class. */
static size_t equal_rows(const struct task_new *t, size_t count)
{
	size_t n = 0;

	while (n < count && !t[n].kept && t[n].class == t[0].class)
		n++;
	return n;
}

/* 1 all were inserted, 0 some were there already and none was, -1. */
static int bulk_add(struct queue_sqlite *q, int64_t born, int64_t first, size_t count, int class,
		    struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_any_between, err);
	int64_t any;

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(born, first));
	db_bind_int(st, 2, task_key(born, first + (int64_t)count - 1));
	if (db_int(q->db, st, 0, &any, err) < 0)
		return -1;
	if (any)
		return 0;
	st = db_prepare(q->db, sql_bulk_insert, err);
	if (!st)
		return -1;
	for (size_t done = 0; done < count; done += NUMBERS) {
		db_bind_int(st, 1, task_key(born, first + (int64_t)done));
		db_bind_int(st, 2, class);
		db_bind_int(st, 3, (int64_t)MIN(count - done, (size_t)NUMBERS));
		if (sq_run(q, st, err) < 0)
			return -1;
	}
	return span_add(q, born, class, first, first + (int64_t)count - 1, err) < 0 ? -1 : 1;
}

static int add_rows(struct queue_sqlite *q, int64_t born, int64_t first, const struct task_new *t,
		    size_t count, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_task_insert, err);
	struct run run = { 0 };
	int64_t added = 0;
	bool bulk = q->numbers;

	if (!st)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int64_t n = first + (int64_t)i;
		size_t equal = bulk && run.last == 0 ? equal_rows(t + i, count - i) : 0;
		int rc;

		if (equal >= BULK_ROWS) {
			rc = bulk_add(q, born, n, equal, t[i].class, err);
			if (rc < 0)
				return -1;
			if (rc > 0) {
				added += (int64_t)equal;
				i += equal - 1;
				continue;
			}
			bulk = false; /* a call that is repeated: row by row */
		}
		if (t[i].kept) {
			if (run_end(q, born, &run, err) < 0 || kept_add(q, born, n, &t[i], err) < 0)
				return -1;
			continue;
		}
		rc = new_add(q, st, task_key(born, n), t[i].class, err);
		if (rc < 0)
			return -1;
		if ((rc == 0 || t[i].class != run.class) && run_end(q, born, &run, err) < 0)
			return -1;
		if (rc == 0)
			continue;
		if (run.last == 0)
			run = (struct run){ .class = t[i].class, .first = n };
		run.last = n;
		added++;
	}
	if (run_end(q, born, &run, err) < 0)
		return -1;
	return added ? sq_tally(q, born, "pending", added, err) : 0;
}

/* Lets others have the write lock: a busy handler looks once a millisecond. */
static void pause_after(struct queue_sqlite *q, size_t rows)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	q->since_pause += (int64_t)rows;
	if (q->since_pause < BATCH_ROWS || q->fast)
		return;
	q->since_pause = 0;
	nanosleep(&pause, NULL);
}

static int add_batch(struct queue_sqlite *q, int64_t born, int64_t first,
		     const struct task_new *t, size_t count, struct err *err)
{
	int state;

	if (sq_begin(q, false, err) < 0)
		return -1;
	if (sq_job_state(q, born, &state, err) < 0)
		goto fail;
	if (state != JOB_SUBMITTING) {
		err_set(err, ERR_CONFLICT, "the submission was removed or is complete");
		goto fail;
	}
	if (add_rows(q, born, first, t, count, err) < 0)
		goto fail;
	return sq_commit(q, err);
fail:
	sq_rollback(q);
	return -1;
}

int sq_submit_add(struct queue *base, int64_t born, int64_t first, const struct task_new *t,
		  size_t count, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);

	if (count >= BULK_ROWS && make_numbers(q, err) < 0)
		return -1;
	for (size_t done = 0; done < count;) {
		size_t left = count - done;
		size_t part = MIN(left, (size_t)BATCH_ROWS);

		if (q->numbers)
			part = MAX(part, MIN(equal_rows(t + done, left), (size_t)EQUAL_ROWS));
		if (add_batch(q, born, first + (int64_t)done, t + done, part, err) < 0)
			return -1;
		done += part;
		pause_after(q, part);
	}
	return 0;
}

static int id_holder(struct queue_sqlite *q, const char *id, int64_t *born, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_id_holder, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, id);
	return db_int(q->db, st, 0, born, err);
}

/* Takes the id from the job that holds it: a bind_result, BIND_DONE when the id is free now. */
static int take_id(struct queue_sqlite *q, const char *id, int64_t replace, struct err *err)
{
	int64_t holder, claimed;
	sqlite3_stmt *st;

	if (id_holder(q, id, &holder, err) < 0)
		return -1;
	if (holder == 0)
		return BIND_DONE;
	if (holder != replace)
		return BIND_TAKEN;
	if (sq_tally_get(q, holder, "claimed", &claimed, err) < 0)
		return -1;
	if (claimed > 0)
		return BIND_HELD;
	st = db_prepare(q->db, sql_replace, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, holder);
	if (sq_run(q, st, err) < 0)
		return -1;
	if (db_changes(q->db) == 0) /* it is being killed */
		return BIND_HELD;
	return sq_event(q, 0, holder, 0, "removed", "replaced", err) < 0 ? -1 : BIND_DONE;
}

/* Did a job that was begun after this one hold the id? 1, 0, -1. What it published would be taken
 * for newer than anything of ours. */
static int was_younger(struct queue_sqlite *q, const char *id, int64_t born, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_younger, err);
	int64_t count;

	if (!st)
		return -1;
	db_bind_text(st, 1, id);
	db_bind_int(st, 2, born);
	return db_int(q->db, st, 0, &count, err) < 0 ? -1 : count > 0;
}

/* Remembers who has the id; forgets what no submission under way can run into. */
static int note_name(struct queue_sqlite *q, const char *id, int64_t born, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_name, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, id);
	db_bind_int(st, 2, born);
	if (sq_run(q, st, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_name_trim, err);
	return st ? sq_run(q, st, err) : -1;
}

static int set_bound(struct queue_sqlite *q, const struct bind *b, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_count_bound, err);

	if (!st || sq_run(q, st, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_bind, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, b->born);
	db_bind_int(st, 2, b->n);
	db_bind_text(st, 3, b->root ? b->root : "");
	db_bind_int(st, 4, clock_wall_ms());
	if (sq_run(q, st, err) < 0)
		return -1;
	sq_may_end(q, b->born);
	return sq_event(q, 0, b->born, 0, "submitted", NULL, err);
}

/* In the transaction. A bind_result or -1. */
static int bind_now(struct queue_sqlite *q, const struct bind *b, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_job_brief, err);
	char id[JOB_ID_MAX + 1] = "";
	int64_t rows = 0;
	int rc, state = -1;

	if (!st)
		return -1;
	db_bind_int(st, 1, b->born);
	rc = db_step(q->db, st, err);
	if (rc == 1) {
		state = (int)db_col_int(st, 0);
		snprintf(id, sizeof(id), "%s", db_col_text(st, 1));
		rows = db_col_int(st, 2);
	}
	db_reset(st);
	if (rc < 0)
		return -1;
	if (state != JOB_SUBMITTING)
		return BIND_GONE;
	if (rows != b->n)
		return err_set(err, ERR_CONFLICT, "job %s has %lld of its %lld tasks", id,
			       (long long)rows, (long long)b->n);
	rc = was_younger(q, id, b->born, err);
	if (rc != 0)
		return rc < 0 ? -1 : BIND_TAKEN;
	rc = take_id(q, id, b->replace, err);
	if (rc == BIND_DONE && (set_bound(q, b, err) < 0 || note_name(q, id, b->born, err) < 0))
		return -1;
	return rc;
}

int sq_submit_bind(struct queue *base, const struct bind *b, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t answer;
	int rc;

	if (sq_begin(q, true, err) < 0)
		return -1;
	rc = sq_done_get(q, b->op, &answer, NULL, err);
	if (rc == 1) {
		sq_rollback(q);
		return (int)answer;
	}
	rc = rc < 0 ? -1 : bind_now(q, b, err);
	if (rc != BIND_DONE) {
		sq_rollback(q);
		return rc;
	}
	if (sq_done_put(q, b->op, rc, 0, err) < 0) {
		sq_rollback(q);
		return -1;
	}
	return sq_commit(q, err) < 0 ? -1 : BIND_DONE;
}

int sq_submit_abort(struct queue *base, int64_t born, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	bool more = true;
	int state;

	if (sq_begin(q, false, err) < 0)
		return -1;
	if (sq_job_state(q, born, &state, err) < 0) {
		sq_rollback(q);
		return -1;
	}
	sq_rollback(q);
	if (state != JOB_SUBMITTING && state != JOB_REMOVED)
		return state < 0 ? 0 : err_set(err, ERR_CONFLICT, "the job is submitted already");
	if (state == JOB_SUBMITTING && sq_job_move(base, born, JOB_EV_REMOVE, true, id_u64(),
						   err) < 0)
		return -1;
	while (more) {
		if (sq_job_delete(base, born, BATCH_ROWS, &more, err) < 0)
			return -1;
	}
	return 0;
}
