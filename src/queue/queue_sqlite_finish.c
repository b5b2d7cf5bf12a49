#include "queue/queue_sqlite.h"

#include <stdio.h>
#include <string.h>

/* What becomes of claimed tasks: release, finish, ask again, verdict. */

static const char sql_task[] =
	"SELECT v, op, state, node, attempt, lost, class FROM task WHERE k=?1";
static const char sql_release[] =
	"UPDATE task SET state=0, v=v+1, op=?2, free=min(free+?3, ?4) WHERE k=?1";
static const char sql_succeed[] =
	"UPDATE task SET state=7, v=v+1, op=?2, acc=attempt, label=?3, reason=NULL WHERE k=?1";
static const char sql_end[] = "UPDATE task SET state=3, v=v+1, op=?2, asks=1 WHERE k=?1";
static const char sql_ask[] =
	"UPDATE task SET v=v+1, op=?2, asks=asks+1 WHERE k=?1 AND asks<?3";
static const char sql_retry[] =
	"UPDATE task SET state=0, v=v+1, op=?2, tries=tries+?3, free=free+?4, due=?5, class=?6, "
	"asks=0 WHERE k=?1";
static const char sql_settle[] =
	"UPDATE task SET state=?3, v=v+1, op=?2, acc=?4, label=?5, reason=?6, asks=0 WHERE k=?1";
static const char sql_lose[] =
	"UPDATE task SET state=0, v=v+1, op=?2, lost=lost+1, due=?3, class=?4 "
	"WHERE k=?1";
static const char sql_lose_fail[] =
	"UPDATE task SET state=8, v=v+1, op=?2, lost=lost+1, label=?3, reason=?4 WHERE k=?1";
static const char sql_note[] = "UPDATE attempt SET verdict=?3, vop=?4 WHERE k=?1 AND a=?2";
static const char sql_attempt_brief[] = "SELECT label, result FROM attempt WHERE k=?1 AND a=?2";
static const char sql_verdict_op[] =
	"SELECT count(*) FROM attempt WHERE k=?1 AND (vop=?2 OR op=?2)";
static const char sql_node_state[] = "SELECT state FROM node WHERE id=?1";
static const char sql_node_memory[] = "UPDATE node SET memory=?2 WHERE id=?1";

struct row {
	int64_t k, v, op, attempt;
	int state; /* -1: no such task */
	int lost, class;
	char node[NODE_ID_SIZE];
};

static int row_get(struct queue_sqlite *q, int64_t job, int64_t n, struct row *r, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_task, err);
	int rc;

	*r = (struct row){ .k = task_key(job, n), .state = -1 };
	if (!st)
		return -1;
	db_bind_int(st, 1, r->k);
	rc = db_step(q->db, st, err);
	if (rc == 1) {
		r->v = db_col_int(st, 0);
		r->op = db_col_int(st, 1);
		r->state = (int)db_col_int(st, 2);
		snprintf(r->node, sizeof(r->node), "%s", db_col_text(st, 3));
		r->attempt = db_col_int(st, 4);
		r->lost = (int)db_col_int(st, 5);
		r->class = (int)db_col_int(st, 6);
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

/* Is the row what this op made of version v? One call may name a task twice, with an attempt that
 * counts and one that does not any more: the op alone does not tell them apart. */
static bool row_is_after(const struct row *r, int64_t v, uint64_t op)
{
	return r->state >= 0 && r->op == (int64_t)op && r->v == v + 1;
}

/* A verdict's op as the attempt keeps it, the version it was given for mixed in. */
static int64_t verdict_sign(uint64_t op, int64_t v)
{
	return (int64_t)(op + (uint64_t)v * 0x9e3779b97f4a7c15ULL);
}

static int set_memory(struct queue_sqlite *q, const char *node, int64_t memory, struct err *err)
{
	sqlite3_stmt *st;

	if (memory < 0)
		return 0;
	st = db_prepare(q->db, sql_node_memory, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	db_bind_int(st, 2, memory);
	return sq_run(q, st, err);
}

static int tally_move(struct queue_sqlite *q, int64_t job, const char *from, const char *to,
		      struct err *err)
{
	return sq_tally(q, job, from, -1, err) < 0 || sq_tally(q, job, to, 1, err) < 0 ? -1 : 0;
}

/* ---- release ---- */

static int release_one(struct queue_sqlite *q, const char *node, enum cause cause,
		       struct release *r, uint64_t op, struct err *err)
{
	struct row row;
	sqlite3_stmt *st;

	r->answer = ANSWER_REFUSED;
	if (row_get(q, r->job, r->n, &row, err) < 0)
		return -1;
	if (row_is_after(&row, r->v, op)) {
		r->answer = ANSWER_ACCEPTED;
		return 0;
	}
	if (row.state != TASK_CLAIMED || row.v != r->v || strcmp(row.node, node) != 0)
		return 0;
	st = db_prepare(q->db, sql_release, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, row.k);
	db_bind_int(st, 2, (int64_t)op);
	db_bind_int(st, 3, cause == CAUSE_PREEMPTED);
	db_bind_int(st, 4, FREE_MAX);
	if (sq_run(q, st, err) < 0)
		return -1;
	if (r->started && sq_attempt_note(q, row.k, row.attempt, node, cause, cause_name(cause),
					  NULL, op, err) < 0)
		return -1;
	r->answer = ANSWER_ACCEPTED;
	return tally_move(q, r->job, "claimed", "pending", err);
}

int sq_release(struct queue *base, const char *node, enum cause cause, struct release *r, size_t n,
	       int64_t memory, uint64_t op, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);

	if (sq_begin(q, false, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (release_one(q, node, cause, &r[i], op, err) < 0)
			goto fail;
	}
	if (set_memory(q, node, memory, err) < 0)
		goto fail;
	return sq_commit(q, err);
fail:
	sq_rollback(q);
	return -1;
}

/* ---- finish ---- */

/* Was this outcome stored by an earlier call with the same op? */
static int finish_done(struct queue_sqlite *q, const struct row *row, const struct outcome *o,
		       uint64_t op, struct err *err)
{
	if (row->state < 0)
		return 0;
	if (row_is_after(row, o->v, op))
		return 1;
	/* it moved on: the attempt's own row still knows */
	return row->v > o->v ? sq_attempt_op(q, row->k, o->a.k, op, false, err) : 0;
}

static int finish_apply(struct queue_sqlite *q, const struct row *row, struct outcome *o,
			uint64_t op, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, o->success ? sql_succeed : sql_end, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, (int64_t)op);
	if (o->success)
		db_bind_text(st, 3, o->a.label);
	if (sq_run(q, st, err) < 0 || sq_attempt_insert(q, &o->a, op, err) < 0)
		return -1;
	return o->success ? tally_move(q, o->a.job, "claimed", o->a.label, err) : 0;
}

static int finish_one(struct queue_sqlite *q, const char *node, struct outcome *o, uint64_t op,
		      struct err *err)
{
	struct row row;
	int state, rc;

	o->answer = ANSWER_REFUSED;
	o->over = false;
	if (row_get(q, o->a.job, o->a.n, &row, err) < 0)
		return -1;
	rc = finish_done(q, &row, o, op, err);
	if (rc == 0 && row.state == TASK_CLAIMED && row.v == o->v && row.attempt == o->a.k &&
	    strcmp(row.node, node) == 0) {
		if (sq_job_state(q, o->a.job, &state, err) < 0)
			return -1;
		if (state != JOB_OPEN)
			return 0;
		if (finish_apply(q, &row, o, op, err) < 0)
			return -1;
		rc = 1;
	}
	if (rc == 1) {
		o->answer = ANSWER_ACCEPTED;
		o->v++;
	}
	return rc < 0 ? -1 : 0;
}

/* The version stays as it was when the commit failed, so that the call can be repeated. */
static void finish_undo(struct outcome *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (o[i].answer == ANSWER_ACCEPTED)
			o[i].v--;
		o[i].answer = ANSWER_REFUSED;
	}
}

int sq_finish(struct queue *base, const char *node, struct outcome *o, size_t n, int64_t memory,
	      uint64_t op, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t told = 0;
	size_t i = 0;

	if (sq_begin(q, true, err) < 0)
		return -1;
	for (; i < n; i++) {
		if (finish_one(q, node, &o[i], op, err) < 0)
			goto fail;
	}
	if (set_memory(q, node, memory, err) < 0)
		goto fail;
	if (sq_commit(q, err) < 0)
		goto fail;
	for (i = 0; i < n && q->over.n > 0; i++) {
		o[i].over = o[i].a.job != told && sq_was_over(q, o[i].a.job);
		if (o[i].over)
			told = o[i].a.job;
	}
	return 0;
fail:
	sq_rollback(q);
	finish_undo(o, i);
	return -1;
}

/* ---- ask again, verdict ---- */

int sq_ask_again(struct queue *base, int64_t job, int64_t n, int64_t *v, uint64_t op,
		 struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	struct row row;
	sqlite3_stmt *st;
	int64_t changed;

	if (sq_begin(q, false, err) < 0)
		return -1;
	if (row_get(q, job, n, &row, err) < 0)
		goto fail;
	if (row.state == TASK_ENDED && row_is_after(&row, *v, op)) {
		*v = row.v;
		sq_rollback(q);
		return 1;
	}
	if (row.state != TASK_ENDED || row.v != *v) {
		sq_rollback(q);
		return 0;
	}
	st = db_prepare(q->db, sql_ask, err);
	if (!st)
		goto fail;
	db_bind_int(st, 1, row.k);
	db_bind_int(st, 2, (int64_t)op);
	db_bind_int(st, 3, ASKS_MAX);
	if (sq_run(q, st, err) < 0)
		goto fail;
	changed = db_changes(q->db);
	if (sq_commit(q, err) < 0)
		return -1;
	*v += changed;
	return changed == 1;
fail:
	sq_rollback(q);
	return -1;
}

/* The class a verdict moves the task to. */
static int verdict_class(struct queue_sqlite *q, const struct verdict_row *r, int *class,
			 struct err *err)
{
	int index, rc;

	if (!r->class)
		return 0;
	rc = sq_class_index(q, r->job, r->class, &index, err);
	if (rc == 0)
		*class = index;
	return rc == -1 ? -1 : 0;
}

static int note_verdict(struct queue_sqlite *q, const struct row *row, const struct verdict_row *r,
			uint64_t op, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_note, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, row->attempt);
	db_bind_text(st, 3, r->note);
	db_bind_int(st, 4, verdict_sign(op, row->v));
	return sq_run(q, st, err);
}

static int apply_retry(struct queue_sqlite *q, struct row *row, const struct verdict_row *r,
		       uint64_t op, struct err *err)
{
	sqlite3_stmt *st;

	if (verdict_class(q, r, &row->class, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_retry, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, (int64_t)op);
	db_bind_int(st, 3, !r->free);
	db_bind_int(st, 4, r->free);
	db_bind_int(st, 5, r->due);
	db_bind_int(st, 6, row->class);
	if (sq_run(q, st, err) < 0)
		return -1;
	return tally_move(q, r->job, "claimed", "pending", err);
}

/* COMPLETE and FAIL. */
static int apply_settle(struct queue_sqlite *q, const struct row *row, const struct verdict_row *r,
			uint64_t op, struct err *err)
{
	int next = task_next(TASK_ENDED, r->event, r->success);
	char label[LABEL_SIZE] = "failed(policy)";
	bool staged = false;
	sqlite3_stmt *st = db_prepare(q->db, sql_attempt_brief, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, row->attempt);
	rc = db_step(q->db, st, err);
	if (rc == 1) {
		snprintf(label, sizeof(label), "%s", db_col_text(st, 0));
		staged = !db_col_null(st, 1);
	}
	db_reset(st);
	if (rc < 0)
		return -1;
	if (r->label)
		snprintf(label, sizeof(label), "%s", r->label);
	st = db_prepare(q->db, sql_settle, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, (int64_t)op);
	db_bind_int(st, 3, next);
	db_bind_int(st, 4, r->event == TASK_EV_COMPLETE || staged ? row->attempt : 0);
	db_bind_text(st, 5, label);
	db_bind_text(st, 6, r->reason);
	if (sq_run(q, st, err) < 0)
		return -1;
	return tally_move(q, r->job, "claimed", label, err);
}

static int apply_lose(struct queue_sqlite *q, struct row *row, const struct verdict_row *r,
		      uint64_t op, struct err *err)
{
	bool fail = r->event == TASK_EV_LOSE_FAIL || row->lost + 1 >= LOST_MAX;
	const char *label = r->event == TASK_EV_LOSE_FAIL && r->label ? r->label : "failed(lost)";
	sqlite3_stmt *st;

	if (!fail && verdict_class(q, r, &row->class, err) < 0)
		return -1;
	st = db_prepare(q->db, fail ? sql_lose_fail : sql_lose, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, (int64_t)op);
	if (fail) {
		db_bind_text(st, 3, label);
		db_bind_text(st, 4, r->reason);
	} else {
		db_bind_int(st, 3, r->due);
		db_bind_int(st, 4, row->class);
	}
	if (sq_run(q, st, err) < 0 ||
	    sq_attempt_note(q, row->k, row->attempt, row->node, CAUSE_LOST, "lost", r->note,
			    (uint64_t)verdict_sign(op, row->v), err) < 0)
		return -1;
	return tally_move(q, r->job, "claimed", fail ? label : "pending", err);
}

/* Is this verdict one for the row as it stands? 1, 0, -1. */
static int verdict_legal(struct queue_sqlite *q, const struct row *row,
			 const struct verdict_row *r, struct err *err)
{
	int64_t node;
	sqlite3_stmt *st;
	int state;

	if (row->state < 0 || row->v != r->v)
		return 0;
	if (task_next((enum task_state)row->state, r->event, r->success) < 0)
		return 0;
	if (sq_job_state(q, r->job, &state, err) < 0)
		return -1;
	if (state != JOB_OPEN)
		return 0;
	if (r->event != TASK_EV_LOSE && r->event != TASK_EV_LOSE_FAIL)
		return r->event == TASK_EV_RETRY || r->event == TASK_EV_COMPLETE ||
		       r->event == TASK_EV_FAIL;
	st = db_prepare(q->db, sql_node_state, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, row->node);
	if (db_int(q->db, st, NODE_LOST, &node, err) < 0)
		return -1;
	return node == NODE_LOST;
}

/* Was this verdict applied by an earlier call with the same op? 1, 0, -1. */
static int verdict_done(struct queue_sqlite *q, const struct row *row,
			const struct verdict_row *r, uint64_t op, struct err *err)
{
	sqlite3_stmt *st;
	int64_t found;

	if (row->state < 0 || row->v <= r->v)
		return 0;
	if (row_is_after(row, r->v, op))
		return 1;
	st = db_prepare(q->db, sql_verdict_op, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, verdict_sign(op, r->v));
	return db_int(q->db, st, 0, &found, err) < 0 ? -1 : found > 0;
}

static int verdict_one(struct queue_sqlite *q, struct verdict_row *r, uint64_t op,
		       struct err *err)
{
	struct row row;
	int rc;

	r->answer = ANSWER_REFUSED;
	r->over = false;
	if (row_get(q, r->job, r->n, &row, err) < 0)
		return -1;
	rc = verdict_done(q, &row, r, op, err);
	if (rc == 1)
		r->answer = ANSWER_ACCEPTED;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = verdict_legal(q, &row, r, err);
	if (rc <= 0)
		return rc;
	if (r->event == TASK_EV_LOSE || r->event == TASK_EV_LOSE_FAIL)
		rc = apply_lose(q, &row, r, op, err);
	else if (r->event == TASK_EV_RETRY)
		rc = apply_retry(q, &row, r, op, err);
	else
		rc = apply_settle(q, &row, r, op, err);
	if (rc == 0 && row.state == TASK_ENDED)
		rc = note_verdict(q, &row, r, op, err);
	if (rc == 0)
		rc = sq_asked_put(q, row.k, row.attempt, r->asked, err);
	if (rc == 0)
		r->answer = ANSWER_ACCEPTED;
	return rc;
}

int sq_verdict(struct queue *base, struct verdict_row *r, size_t n, uint64_t op, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t told = 0;
	bool full = false;

	for (size_t i = 0; i < n; i++)
		full = full || r[i].event == TASK_EV_COMPLETE || r[i].event == TASK_EV_FAIL;
	if (sq_begin(q, full, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (verdict_one(q, &r[i], op, err) < 0) {
			sq_rollback(q);
			return -1;
		}
	}
	if (sq_commit(q, err) < 0)
		return -1;
	for (size_t i = 0; i < n && q->over.n > 0; i++) {
		r[i].over = r[i].job != told && sq_was_over(q, r[i].job);
		if (r[i].over)
			told = r[i].job;
	}
	return 0;
}
