#include "queue/queue_sqlite.h"

#include <stdio.h>

/* What becomes of ended and lost tasks: ask again, verdict. */

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
static const char sql_note[] = 
	"UPDATE attempt SET verdict=?3, vop=?4 WHERE k=?1 AND a=?2";
static const char sql_attempt_brief[] = "SELECT label, result FROM attempt WHERE k=?1 AND a=?2";
static const char sql_verdict_op[] =
	"SELECT count(*) FROM attempt WHERE k=?1 AND (vop=?2 OR op=?2)";
static const char sql_node_state[] = "SELECT state FROM node WHERE id=?1";
static const char sql_stop[] =
	"UPDATE job SET state=2, v=v+1, rev=rev+1, stopped=?2 WHERE born=?1 AND state=1";

/* A verdict's op as the attempt keeps it, the version it was given for mixed in. */
static int64_t verdict_sign(uint64_t op, int64_t v)
{
	return (int64_t)(op + (uint64_t)v * 0x9e3779b97f4a7c15ULL);
}

int sq_ask_again(struct queue *base, int64_t job, int64_t n, int64_t *v, uint64_t op,
		 struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	struct sq_row row;
	sqlite3_stmt *st;
	int64_t changed;

	if (sq_begin(q, false, err) < 0)
		return -1;
	if (sq_row_get(q, job, n, &row, err) < 0)
		goto fail;
	if (row.state == TASK_ENDED && sq_row_is_after(&row, *v, op)) {
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

/* Moves to this class: 1, 0 there is no place for it (or none is named), -1. */
static int move_to(struct queue_sqlite *q, int64_t job, const char *name, int *class,
		   struct err *err)
{
	int index, rc;

	if (!name)
		return 0;
	rc = sq_class_index(q, job, name, &index, err);
	if (rc == 0)
		*class = index;
	return rc == -1 ? -1 : rc == 0;
}

/* The class a verdict moves the task to. */
static int verdict_class(struct queue_sqlite *q, struct verdict_row *r, int *class, struct err *err)
{
	int rc = move_to(q, r->job, r->class, class, err);

	if (rc == 0 && r->class) {
		r->noted_second = r->second_note != NULL;
		rc = move_to(q, r->job, r->second, class, err);
	}
	if (rc == 0 && r->event == TASK_EV_RETRY)
		rc = sq_class_plain(q, r->job, class, err);
	return rc < 0 ? -1 : 0;
}

static const char *note_of(const struct verdict_row *r)
{
	return r->noted_second ? r->second_note : r->note;
}

static int note_verdict(struct queue_sqlite *q, const struct sq_row *row,
			const struct verdict_row *r, uint64_t op, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_note, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, row->attempt);
	db_bind_text(st, 3, note_of(r));
	db_bind_int(st, 4, verdict_sign(op, row->v));
	return sq_run(q, st, err);
}

static int apply_retry(struct queue_sqlite *q, struct sq_row *row, struct verdict_row *r,
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
	return sq_tally_move(q, r->job, "claimed", "pending", err);
}

/* COMPLETE and FAIL. */
static int apply_settle(struct queue_sqlite *q, const struct sq_row *row,
			const struct verdict_row *r, uint64_t op, struct err *err)
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
	return sq_tally_move(q, r->job, "claimed", label, err);
}

static int apply_lose(struct queue_sqlite *q, struct sq_row *row, struct verdict_row *r,
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
	    sq_attempt_note(q, row->k, row->attempt, row->node, CAUSE_LOST, "lost", note_of(r),
			    (uint64_t)verdict_sign(op, row->v), err) < 0)
		return -1;
	return sq_tally_move(q, r->job, "claimed", fail ? label : "pending", err);
}

/* Is this verdict one for the row as it stands? 1, 0, -1. */
static int verdict_legal(struct queue_sqlite *q, const struct sq_row *row,
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
static int verdict_done(struct queue_sqlite *q, const struct sq_row *row,
			const struct verdict_row *r, uint64_t op, struct err *err)
{
	sqlite3_stmt *st;
	int64_t found;

	if (row->state < 0 || row->v <= r->v)
		return 0;
	if (sq_row_is_after(row, r->v, op))
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
	struct sq_row row;
	int rc;

	r->answer = ANSWER_REFUSED;
	r->over = r->stopped = r->noted_second = false;
	if (sq_row_get(q, r->job, r->n, &row, err) < 0)
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
	if (rc == 0) {
		r->answer = ANSWER_ACCEPTED;
		r->stopped = r->stop && r->event != TASK_EV_RETRY &&
			     r->event != TASK_EV_LOSE; /* until stop_jobs() */
	}
	return rc;
}

/* The job is killed from here on, if anything of it is open. 1: it is being killed, 0: not, -1. */
static int stop_job(struct queue_sqlite *q, const struct verdict_row *r, struct err *err)
{
	int64_t pending, claimed;
	sqlite3_stmt *st;
	int state;

	if (sq_job_state(q, r->job, &state, err) < 0 ||
	    sq_tally_get(q, r->job, "pending", &pending, err) < 0 ||
	    sq_tally_get(q, r->job, "claimed", &claimed, err) < 0)
		return -1;
	if (!r->stopped || state != JOB_OPEN || pending + claimed == 0)
		return state == JOB_KILLING; /* a repetition, or nothing to stop */
	st = db_prepare(q->db, sql_stop, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, r->job);
	db_bind_text(st, 2, r->note ? r->note : "");
	if (sq_run(q, st, err) < 0)
		return -1;
	if (db_changes(q->db) == 0) /* done by another row */
		return 1;
	return sq_event(q, 0, r->job, r->n, "stopped", r->note, err) < 0 ? -1 : 1;
}

/* After all rows, which need an open job. */
static int stop_jobs(struct queue_sqlite *q, struct verdict_row *r, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int ret = 0;

		if (r[i].stop && r[i].answer == ANSWER_ACCEPTED)
			ret = stop_job(q, &r[i], err);
		if (ret < 0)
			return -1;
		r[i].stopped = ret;
	}
	return 0;
}

/* What the commit did to the jobs. */
static void note_jobs(struct queue_sqlite *q, struct verdict_row *r, size_t n)
{
	int64_t told = 0;

	for (size_t i = 0; i < n; i++) {
		r[i].over = r[i].job != told && sq_was_over(q, r[i].job);
		if (r[i].over)
			told = r[i].job;
	}
}

int sq_verdict(struct queue *base, struct verdict_row *r, size_t n, uint64_t op, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	bool full = false;
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		full = full || r[i].event == TASK_EV_COMPLETE || r[i].event == TASK_EV_FAIL;
	if (sq_begin(q, full, err) < 0)
		return -1;
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = verdict_one(q, &r[i], op, err);
	if (ret == 0)
		ret = stop_jobs(q, r, n, err);
	if (ret < 0) {
		sq_rollback(q);
		return -1;
	}
	if (sq_commit(q, err) < 0)
		return -1;
	note_jobs(q, r, n);
	return 0;
}
