#include "queue/queue_sqlite.h"

#include <stdio.h>
#include <string.h>

enum { KEY_LAST = 0x7fffffff, BATCH_MAX = 10000 };

static const char sql_move[] = "UPDATE job SET state=?2, v=v+1, rev=rev+1 WHERE born=?1";
static const char sql_over[] =
	"UPDATE job SET state=3, v=v+1, ended=?2, told=0, spent=" SQ_NODE_TIME("?2") "-spent "
	"WHERE born=?1";
static const char sql_reopen[] =
	"UPDATE job SET state=1, v=v+1, rev=rev+1, ended=0, told=0, stopped=NULL, "
	"spent=CASE state WHEN 3 THEN " SQ_NODE_TIME("?2") "-spent ELSE spent END WHERE born=?1";
static const char sql_told[] = "UPDATE job SET told=1, v=v+1 WHERE born=?1 AND state=3";
static const char sql_reset_rows[] =
	"SELECT k, state, node, attempt, label, class FROM task WHERE k BETWEEN ?1 AND ?2 "
	"ORDER BY k LIMIT ?3";
static const char sql_reset_row[] =
	"UPDATE task SET state=0, v=v+1, op=?2, due=0, class=?3, acc=0, tries=0, free=0, lost=0, "
	"asks=0, label=NULL, reason=NULL WHERE k=?1";
static const char sql_node_state[] = "SELECT state FROM node WHERE id=?1";
static const char sql_delete_tasks[] =
	"DELETE FROM task WHERE k IN (SELECT k FROM task WHERE k BETWEEN ?1 AND ?2 LIMIT ?3)";
static const char sql_delete_attempts[] =
	"DELETE FROM attempt WHERE (k, a) IN "
	"(SELECT k, a FROM attempt WHERE k BETWEEN ?1 AND ?2 LIMIT ?3)";
static const char sql_delete_asked[] =
	"DELETE FROM asked WHERE (k, a) IN "
	"(SELECT k, a FROM asked WHERE k BETWEEN ?1 AND ?2 LIMIT ?3)";
static const char sql_delete_spans[] =
	"DELETE FROM span WHERE (job, class, first) IN "
	"(SELECT job, class, first FROM span WHERE job=?1 LIMIT ?2)";
static const char sql_delete_tally[] = "DELETE FROM tally WHERE job=?1";
static const char sql_delete_events[] = "DELETE FROM event WHERE job=?1";
static const char sql_delete_job[] = "DELETE FROM job WHERE born=?1";

/* ---- moves ---- */

/* The law's conditions beyond the transition: 1 fine, 0 refused, -1. */
static int move_allowed(struct queue_sqlite *q, int64_t job, enum job_state state,
			enum job_event ev, bool force, struct err *err)
{
	int64_t pending, claimed;

	if (sq_tally_get(q, job, "pending", &pending, err) < 0 ||
	    sq_tally_get(q, job, "claimed", &claimed, err) < 0)
		return -1;
	switch (ev) {
	case JOB_EV_END:
		return pending + claimed == 0;
	case JOB_EV_REMOVE:
		return claimed == 0 && (force || pending == 0 || state == JOB_SUBMITTING);
	case JOB_EV_BIND: /* submit_bind alone makes a job visible */
	case JOB_EV_RESET: /* and reset alone opens it again */
		return 0;
	case JOB_EV_KILL:
		break;
	}
	return 1;
}

static int move_now(struct queue_sqlite *q, int64_t job, enum job_event ev, bool force,
		    uint64_t op, struct err *err)
{
	int state, next, rc;
	sqlite3_stmt *st;

	if (sq_job_state(q, job, &state, err) < 0)
		return -1;
	next = state < 0 ? -1 : job_next((enum job_state)state, ev);
	if (next < 0)
		return 0;
	rc = move_allowed(q, job, (enum job_state)state, ev, force, err);
	if (rc != 1)
		return rc;
	st = db_prepare(q->db, ev == JOB_EV_END ? sql_over : sql_move, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, ev == JOB_EV_END ? clock_wall_ms() : next);
	if (sq_run(q, st, err) < 0 ||
	    sq_event(q, 0, job, 0, job_state_name((enum job_state)next), NULL, err) < 0 ||
	    sq_done_put(q, op, 1, 0, err) < 0)
		return -1;
	if (ev == JOB_EV_KILL)
		sq_may_end(q, job);
	return 1;
}

int sq_job_move(struct queue *base, int64_t job, enum job_event ev, bool force, uint64_t op,
		struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t answer;
	int rc = sq_once_begin(q, true, op, &answer, err);

	if (rc != 0)
		return rc < 0 ? -1 : (int)answer;
	return sq_once_end(q, move_now(q, job, ev, force, op, err), err);
}

static int told_now(struct queue_sqlite *q, int64_t job, uint64_t op, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_told, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	return sq_run(q, st, err) < 0 || sq_done_put(q, op, 1, 0, err) < 0 ? -1 : 1;
}

int sq_job_told(struct queue *base, int64_t job, uint64_t op, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t answer;
	int rc = sq_once_begin(q, false, op, &answer, err);

	if (rc == 0)
		rc = sq_once_end(q, told_now(q, job, op, err), err);
	return rc < 0 ? -1 : 0;
}

/* ---- reset ---- */

struct resetting {
	struct queue_sqlite *q;
	struct reset_request *r;
	int class; /* -1: keep */
	int plain[CLASSES_MAX]; /* by class: the one without `avoid`; -1: not looked up */
	bool owner_lost;
	size_t room; /* rows that may still be looked at */
};

/* The class that the row moves to. */
static int reset_class(struct resetting *z, int64_t was, int *class, struct err *err)
{
	*class = z->class >= 0 ? z->class : (int)was;
	if (z->class >= 0 || was < 0 || was >= CLASSES_MAX)
		return 0;
	if (z->plain[was] < 0 && sq_class_plain(z->q, z->r->job, class, err) < 0)
		return -1;
	if (z->plain[was] < 0)
		z->plain[was] = *class;
	*class = z->plain[was];
	return 0;
}

/* Sets the row back; 1 done, 0 not one of those asked for. */
static int reset_row(struct resetting *z, sqlite3_stmt *row, struct err *err)
{
	struct queue_sqlite *q = z->q;
	int64_t k = db_col_int(row, 0), attempt = db_col_int(row, 3);
	enum task_state state = (enum task_state)db_col_int(row, 1);
	bool held = task_is_held(state);
	const char *node = db_col_text(row, 2);
	sqlite3_stmt *st;
	int class;

	if (held ? !z->r->owner || strcmp(node, z->r->owner) != 0 :
		   !(z->r->states & (1U << state)))
		return 0;
	if (task_next(state, held ? TASK_EV_RESET_CLAIM : TASK_EV_RESET, false) < 0)
		return 0;
	if (state == TASK_CLAIMED &&
	    sq_attempt_note(q, k, attempt, node, z->owner_lost ? CAUSE_LOST : CAUSE_RELEASED,
			    "reset", NULL, z->r->op, err) < 0)
		return -1;
	if (sq_tally(q, z->r->job, sq_tally_label(state, db_col_text(row, 4)), -1, err) < 0 ||
	    sq_tally(q, z->r->job, "pending", 1, err) < 0)
		return -1;
	if (reset_class(z, db_col_int(row, 5), &class, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_reset_row, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, k);
	db_bind_int(st, 2, (int64_t)z->r->op);
	db_bind_int(st, 3, class);
	return sq_run(q, st, err) < 0 || sq_failures_forget(q, k, err) < 0 ? -1 : 1;
}

static int reset_range(struct resetting *z, int64_t first, int64_t last, struct err *err)
{
	struct queue_sqlite *q = z->q;
	sqlite3_stmt *st = db_prepare(q->db, sql_reset_rows, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(z->r->job, first));
	db_bind_int(st, 2, task_key(z->r->job, last));
	db_bind_int(st, 3, (int64_t)z->room + 1);
	while ((rc = db_step(q->db, st, err)) == 1) {
		if (z->room == 0) {
			z->r->more = true;
			break;
		}
		z->room--;
		z->r->after = key_n(db_col_int(st, 0));
		rc = reset_row(z, st, err);
		if (rc < 0)
			break;
		z->r->count += rc;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

static int reset_ranges(struct resetting *z, struct err *err)
{
	const struct range all = { .first = 1, .last = KEY_LAST };
	const struct range *r = z->r->ranges.n ? z->r->ranges.p : &all;
	size_t n = z->r->ranges.n ? z->r->ranges.n : 1;
	int64_t after = z->r->after;

	for (size_t i = 0; i < n && !z->r->more; i++) {
		int64_t first = MAX(r[i].first, after + 1), last = MIN(r[i].last, KEY_LAST);

		if (first <= last && reset_range(z, first, last, err) < 0)
			return -1;
	}
	return 0;
}

/* The job may be set back; fills what the rows need. */
static int reset_prepare(struct resetting *z, struct err *err)
{
	struct queue_sqlite *q = z->q;
	sqlite3_stmt *st;
	int64_t node;
	int state, rc;

	if (sq_job_state(q, z->r->job, &state, err) < 0)
		return -1;
	if (state < 0 || job_next((enum job_state)state, JOB_EV_RESET) < 0)
		return err_set(err, ERR_CONFLICT, "the job is %s: its tasks cannot be reset",
			       state < 0 ? "gone" : state == JOB_KILLING ? "being killed" :
			       state == JOB_REMOVED ? "removed" : "not submitted yet");
	if (z->r->owner) {
		st = db_prepare(q->db, sql_node_state, err);
		if (!st)
			return -1;
		db_bind_text(st, 1, z->r->owner);
		if (db_int(q->db, st, NODE_LOST, &node, err) < 0)
			return -1;
		z->owner_lost = node == NODE_LOST;
	}
	z->class = -1;
	for (size_t i = 0; i < ARRAY_SIZE(z->plain); i++)
		z->plain[i] = -1;
	if (!z->r->class)
		return 0;
	rc = sq_class_index(q, z->r->job, z->r->class, &z->class, err);
	if (rc == -2)
		return err_set(err, ERR_USAGE, "the job has %d different resource requests "
			       "already: submit a new one", CLASSES_MAX);
	return rc;
}

static int reset_now(struct resetting *z, struct err *err)
{
	struct reset_request *r = z->r;
	sqlite3_stmt *st;
	char text[64];

	if (reset_prepare(z, err) < 0 || reset_ranges(z, err) < 0)
		return -1;
	if (r->count > 0) {
		st = db_prepare(z->q->db, sql_reopen, err);
		if (!st)
			return -1;
		db_bind_int(st, 1, r->job);
		db_bind_int(st, 2, clock_wall_ms());
		snprintf(text, sizeof(text), "%lld tasks", (long long)r->count);
		if (sq_run(z->q, st, err) < 0 ||
		    sq_event(z->q, 0, r->job, 0, "reset", text, err) < 0)
			return -1;
	}
	/* what a repetition has to answer: count, and where it stopped */
	return sq_done_put(z->q, r->op, r->count, r->more ? -r->after - 1 : r->after, err);
}

int sq_reset(struct queue *base, struct reset_request *r, struct err *err)
{
	struct resetting z = { .q = sq_of(base), .r = r };
	int64_t answer, extra, after = r->after;
	int rc;

	r->count = 0;
	r->more = false;
	z.room = MIN(MAX(r->limit, (size_t)1), (size_t)BATCH_MAX);
	if (sq_begin(z.q, true, err) < 0)
		return -1;
	rc = sq_done_get(z.q, r->op, &answer, &extra, err);
	if (rc == 1) {
		r->count = answer;
		r->more = extra < 0;
		r->after = extra < 0 ? -(extra + 1) : extra;
		sq_rollback(z.q);
		return 0;
	}
	if (rc == 0 && reset_now(&z, err) == 0 && sq_commit(z.q, err) == 0)
		return 0;
	sq_rollback(z.q);
	r->after = after;
	return -1;
}

/* ---- deletion ---- */

/* One bounded DELETE: rows deleted, -1. */
static int64_t delete_some(struct queue_sqlite *q, const char *sql, int64_t a, int64_t b,
			   size_t limit, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, a);
	if (sql == sql_delete_spans) {
		db_bind_int(st, 2, (int64_t)limit);
	} else if (sql == sql_delete_tasks || sql == sql_delete_attempts ||
		   sql == sql_delete_asked) {
		db_bind_int(st, 2, b);
		db_bind_int(st, 3, (int64_t)limit);
	}
	return sq_run(q, st, err) < 0 ? -1 : db_changes(q->db);
}

static int delete_now(struct queue_sqlite *q, int64_t job, size_t limit, bool *more,
		      struct err *err)
{
	const char *const bounded[] = { sql_delete_attempts, sql_delete_spans, sql_delete_asked,
					sql_delete_tasks };
	const char *const last[] = { sql_delete_tally, sql_delete_events, sql_delete_job };
	int64_t first = task_key(job, 0), end = task_key(job, 0xffffffff), n;

	for (size_t i = 0; i < ARRAY_SIZE(bounded); i++) {
		n = delete_some(q, bounded[i], i == 1 ? job : first, end, limit, err);
		if (n < 0)
			return -1;
		limit -= (size_t)n;
		if (limit == 0)
			return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
		if (delete_some(q, last[i], job, 0, 0, err) < 0)
			return -1;
	}
	*more = false;
	return 0;
}

int sq_job_delete(struct queue *base, int64_t job, size_t limit, bool *more, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int state;

	*more = true;
	if (sq_begin(q, false, err) < 0)
		return -1;
	if (sq_job_state(q, job, &state, err) < 0)
		goto fail;
	if (state < 0) {
		*more = false;
		sq_rollback(q);
		return 0;
	}
	if (state != JOB_REMOVED) {
		err_set(err, ERR_CONFLICT, "the job is not removed");
		goto fail;
	}
	if (delete_now(q, job, limit ? MIN(limit, (size_t)BATCH_MAX) : BATCH_MAX, more, err) < 0)
		goto fail;
	return sq_commit(q, err);
fail:
	sq_rollback(q);
	return -1;
}
