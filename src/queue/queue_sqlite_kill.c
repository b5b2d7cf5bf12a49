#include "queue/queue_sqlite.h"

#include <stdio.h>

/*
 * Killing open tasks. They are found where they are: claimed and ended ones in the index `held`,
 * pending ones that came back in `ready`, new ones in the job's spans. So a million tasks are
 * killed in batches that each cost what they move.
 */

enum { KEY_LAST = 0x7fffffff, BATCH_MAX = 10000 };

static const char sql_held[] =
	"SELECT k, state, node, attempt FROM task INDEXED BY held "
	"WHERE state IN (2,3) AND k BETWEEN ?1 AND ?2";
static const char sql_ready[] =
	"SELECT k, state, node, attempt FROM task INDEXED BY ready "
	"WHERE k>>32=?1 AND state=0 AND v>1";
static const char sql_spans[] = "SELECT class, first, last FROM span WHERE job=?1 LIMIT ?2";
static const char sql_kill[] =
	"UPDATE task SET state=9, v=v+1, op=?2, asks=0, label=NULL, reason=NULL WHERE k=?1";
static const char sql_kill_run[] =
	"UPDATE task SET state=9, v=v+1, op=?3 WHERE k BETWEEN ?1 AND ?2 AND state=0 AND v=1";
static const char sql_span_delete[] = "DELETE FROM span WHERE job=?1 AND class=?2 AND first=?3";
static const char sql_span_insert[] = "INSERT INTO span VALUES(?1, ?2, ?3, ?4)";
static const char sql_touch[] = "UPDATE job SET v=v+1, rev=rev+1 WHERE born=?1";

struct victim {
	int64_t k, attempt;
	enum task_state state;
	char node[NODE_ID_SIZE];
};

struct span {
	int class;
	int64_t first, last;
};

struct killing {
	struct queue_sqlite *q;
	int64_t job;
	const struct ranges *r; /* n == 0: all */
	uint64_t op;
	size_t room;
	int64_t count;
	bool more;
	VEC(struct victim) victims;
	VEC(struct span) spans;
};

/* Rows of one statement that are in the ranges, as many as there is room for. */
static int collect(struct killing *c, sqlite3_stmt *st, struct err *err)
{
	int rc;

	while ((rc = db_step(c->q->db, st, err)) == 1) {
		struct victim v = {
			.k = db_col_int(st, 0),
			.state = (enum task_state)db_col_int(st, 1),
			.attempt = db_col_int(st, 3),
		};

		if (!ranges_has(c->r, key_n(v.k)))
			continue;
		if (c->room == 0) {
			c->more = true;
			break;
		}
		c->room--;
		snprintf(v.node, sizeof(v.node), "%s", db_col_text(st, 2));
		*vec_push(&c->victims) = v;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

static int collect_all(struct killing *c, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_held, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(c->job, 0));
	db_bind_int(st, 2, task_key(c->job, KEY_LAST));
	if (collect(c, st, err) < 0)
		return -1;
	st = db_prepare(c->q->db, sql_ready, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, c->job);
	return collect(c, st, err);
}

static int kill_one(struct killing *c, const struct victim *v, struct err *err)
{
	struct queue_sqlite *q = c->q;
	sqlite3_stmt *st = db_prepare(q->db, sql_kill, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, v->k);
	db_bind_int(st, 2, (int64_t)c->op);
	if (sq_run(q, st, err) < 0)
		return -1;
	if (v->state == TASK_CLAIMED &&
	    sq_attempt_note(q, v->k, v->attempt, v->node, CAUSE_KILLED, "killed", NULL, c->op,
			    err) < 0)
		return -1;
	c->count++;
	return sq_tally(q, c->job, sq_tally_label(v->state, ""), -1, err);
}

static int span_put(struct killing *c, int class, int64_t first, int64_t last, struct err *err)
{
	sqlite3_stmt *st;

	if (first > last)
		return 0;
	st = db_prepare(c->q->db, sql_span_insert, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, c->job);
	db_bind_int(st, 2, class);
	db_bind_int(st, 3, first);
	db_bind_int(st, 4, last);
	return sq_run(c->q, st, err);
}

static int span_drop(struct killing *c, const struct span *s, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_span_delete, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, c->job);
	db_bind_int(st, 2, s->class);
	db_bind_int(st, 3, s->first);
	return sq_run(c->q, st, err);
}

/* Kills new tasks first..last (or as many as there is room for): *end is the last one killed. */
static int kill_run(struct killing *c, int64_t first, int64_t last, int64_t *end, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_kill_run, err);
	int64_t killed;

	if (!st)
		return -1;
	*end = last;
	if (last - first >= (int64_t)c->room) {
		*end = first + (int64_t)c->room - 1;
		c->more = true;
	}
	db_bind_int(st, 1, task_key(c->job, first));
	db_bind_int(st, 2, task_key(c->job, *end));
	db_bind_int(st, 3, (int64_t)c->op);
	if (sq_run(c->q, st, err) < 0)
		return -1;
	killed = db_changes(c->q->db);
	c->room -= (size_t)killed;
	c->count += killed;
	return sq_tally(c->q, c->job, "pending", -killed, err);
}

/* Cuts what the ranges name out of one span and puts back the rest. */
static int kill_span(struct killing *c, const struct span *s, struct err *err)
{
	const struct range all = { .first = s->first, .last = s->last };
	const struct range *r = c->r->n ? c->r->p : &all;
	size_t n = c->r->n ? c->r->n : 1;
	int64_t next = s->first; /* first task not yet dealt with */
	bool dropped = false;

	for (size_t i = 0; i < n; i++) {
		int64_t first = MAX(r[i].first, next), last = MIN(r[i].last, s->last), end;

		if (first > last)
			continue;
		if (c->room == 0) {
			c->more = true;
			break;
		}
		if (!dropped && span_drop(c, s, err) < 0)
			return -1;
		dropped = true;
		if (span_put(c, s->class, next, first - 1, err) < 0 ||
		    kill_run(c, first, last, &end, err) < 0)
			return -1;
		next = end + 1;
	}
	return dropped ? span_put(c, s->class, next, s->last, err) : 0;
}

static int kill_spans(struct killing *c, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_spans, err);
	int rc;

	if (!st)
		return -1;
	/* With ranges, every span may be one that they leave alone. */
	db_bind_int(st, 1, c->job);
	db_bind_int(st, 2, c->r->n ? -1 : (int64_t)c->room + 1);
	while ((rc = db_step(c->q->db, st, err)) == 1)
		*vec_push(&c->spans) = (struct span){ .class = (int)db_col_int(st, 0),
						      .first = db_col_int(st, 1),
						      .last = db_col_int(st, 2) };
	db_reset(st);
	for (size_t i = 0; rc == 0 && i < c->spans.n; i++)
		rc = kill_span(c, &c->spans.p[i], err);
	return rc;
}

static int kill_now(struct killing *c, struct err *err)
{
	struct queue_sqlite *q = c->q;
	int state;
	sqlite3_stmt *st;

	if (sq_job_state(q, c->job, &state, err) < 0)
		return -1;
	if (c->r->n ? state != JOB_OPEN && state != JOB_KILLING : state != JOB_KILLING)
		return 0;
	if (collect_all(c, err) < 0)
		return -1;
	for (size_t i = 0; i < c->victims.n; i++) {
		if (kill_one(c, &c->victims.p[i], err) < 0)
			return -1;
	}
	if (kill_spans(c, err) < 0)
		return -1;
	sq_may_end(q, c->job);
	if (c->count == 0)
		return 0;
	st = db_prepare(q->db, sql_touch, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, c->job);
	if (sq_run(q, st, err) < 0 || sq_tally(q, c->job, "killed", c->count, err) < 0)
		return -1;
	return 0;
}

int sq_kill(struct queue *base, int64_t job, const struct ranges *r, size_t limit, uint64_t op,
	    int64_t *count, bool *more, struct err *err)
{
	static const struct ranges all = { .n = 0 };
	struct killing c = { .q = sq_of(base), .job = job, .r = r ? r : &all, .op = op };
	int64_t extra;
	int rc;

	c.room = limit ? MIN(limit, (size_t)BATCH_MAX) : BATCH_MAX;
	if (sq_begin(c.q, true, err) < 0)
		return -1;
	rc = sq_done_get(c.q, op, count, &extra, err);
	if (rc == 1) {
		*more = extra != 0;
		sq_rollback(c.q);
		return 0;
	}
	if (rc == 0)
		rc = kill_now(&c, err);
	if (rc == 0)
		rc = sq_done_put(c.q, op, c.count, c.more, err);
	if (rc == 0) {
		rc = sq_commit(c.q, err);
	} else {
		sq_rollback(c.q);
	}
	*count = c.count;
	*more = c.more;
	vec_release(&c.victims);
	vec_release(&c.spans);
	return rc;
}
