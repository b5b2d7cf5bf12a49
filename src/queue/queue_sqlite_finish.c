#include "queue/queue_sqlite.h"

#include <stdio.h>
#include <string.h>

/* What becomes of claimed tasks: release and finish. */

static const char sql_task[] =
	"SELECT v, op, state, node, attempt, lost, class FROM task WHERE k=?1";
static const char sql_release[] =
	"UPDATE task SET state=0, v=v+1, op=?2, free=min(free+?3, ?4) WHERE k=?1";
static const char sql_succeed[] =
	"UPDATE task SET state=7, v=v+1, op=?2, acc=attempt, label=?3, reason=NULL WHERE k=?1";
static const char sql_end[] = "UPDATE task SET state=3, v=v+1, op=?2, asks=1 WHERE k=?1";
static const char sql_node_memory[] = "UPDATE node SET memory=?2 WHERE id=?1";

int sq_row_get(struct queue_sqlite *q, int64_t job, int64_t n, struct sq_row *r, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_task, err);
	int rc;

	*r = (struct sq_row){ .k = task_key(job, n), .state = -1 };
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

int sq_tally_move(struct queue_sqlite *q, int64_t job, const char *from, const char *to,
		      struct err *err)
{
	return sq_tally(q, job, from, -1, err) < 0 || sq_tally(q, job, to, 1, err) < 0 ? -1 : 0;
}

/* ---- release ---- */

static int release_one(struct queue_sqlite *q, const char *node, enum cause cause,
		       struct release *r, uint64_t op, struct err *err)
{
	struct sq_row row;
	sqlite3_stmt *st;

	r->answer = ANSWER_REFUSED;
	if (sq_row_get(q, r->job, r->n, &row, err) < 0)
		return -1;
	if (sq_row_is_after(&row, r->v, op)) {
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
	return sq_tally_move(q, r->job, "claimed", "pending", err);
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
static int finish_done(struct queue_sqlite *q, const struct sq_row *row, const struct outcome *o,
		       uint64_t op, struct err *err)
{
	if (row->state < 0)
		return 0;
	if (sq_row_is_after(row, o->v, op))
		return 1;
	/* it moved on: the attempt's own row still knows */
	return row->v > o->v ? sq_attempt_op(q, row->k, o->a.k, op, false, err) : 0;
}

static int finish_apply(struct queue_sqlite *q, const struct sq_row *row, struct outcome *o,
			uint64_t op, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, o->success ? sql_succeed : sql_end, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, row->k);
	db_bind_int(st, 2, (int64_t)op);
	if (o->success)
		db_bind_text(st, 3, o->a.label);
	if (sq_run(q, st, err) < 0 || sq_attempt_insert(q, &o->a, !o->success, op, err) < 0)
		return -1;
	return o->success ? sq_tally_move(q, o->a.job, "claimed", o->a.label, err) : 0;
}

static int finish_one(struct queue_sqlite *q, const char *node, struct outcome *o, uint64_t op,
		      struct err *err)
{
	struct sq_row row;
	int state, rc;

	o->answer = ANSWER_REFUSED;
	o->over = false;
	if (sq_row_get(q, o->a.job, o->a.n, &row, err) < 0)
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
