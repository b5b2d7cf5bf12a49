#include "queue/queue_sqlite.h"

#include <stdio.h>

/*
 * Claiming. For every open job of the node's cluster, by priority and order of submission, and
 * every class of it that has claimable tasks: first those that came back (index ready), then new
 * ones from the job's spans.
 */

static const char sql_node[] =
	"SELECT state, claim_op, seq, cluster FROM node WHERE id=?1";
static const char sql_others[] = "SELECT coalesce(sum(memory), 0) FROM node "
				 "WHERE id<>?1 AND state<>3";
static const char sql_node_claim[] =
	"UPDATE node SET v=v+1, op=?2, claim_op=?2, seq=seq+1, memory=coalesce(?3, memory) "
	"WHERE id=?1";
static const char sql_mine[] =
	"SELECT k, v, attempt, class, tries, free, lost FROM task INDEXED BY held "
	"WHERE node=?1 AND state IN (2,3) AND state=2 AND op=?2 ORDER BY k LIMIT ?3";
static const char sql_open_jobs[] =
	"SELECT born, bound, v, rev, state, id, n, priority, max_running, t, ended, told, root, "
	"policy, user, cluster, classes FROM job INDEXED BY job_open "
	"WHERE cluster=?1 AND state=1 ORDER BY priority DESC, bound";
static const char sql_ready_class[] =
	"SELECT class, due FROM task INDEXED BY ready WHERE k>>32=?1 AND class>=?2 "
	"AND state=0 AND v>1 ORDER BY class, due LIMIT 1";
static const char sql_ready_due[] =
	"SELECT due FROM task INDEXED BY ready WHERE k>>32=?1 AND class=?2 AND due>?3 "
	"AND state=0 AND v>1 ORDER BY due LIMIT 1";
static const char sql_ready[] =
	"SELECT k, v, attempt, tries, free, lost FROM task INDEXED BY ready "
	"WHERE k>>32=?1 AND class=?2 AND due<=?3 AND state=0 AND v>1 ORDER BY due, k LIMIT ?4";
static const char sql_span_class[] =
	"SELECT class FROM span WHERE job=?1 AND class>=?2 ORDER BY class LIMIT 1";
static const char sql_span[] =
	"SELECT first, last FROM span WHERE job=?1 AND class=?2 ORDER BY first LIMIT 1";
static const char sql_span_delete[] = "DELETE FROM span WHERE job=?1 AND class=?2 AND first=?3";
static const char sql_span_cut[] =
	"UPDATE span SET first=?4 WHERE job=?1 AND class=?2 AND first=?3";
static const char sql_take[] =
	"UPDATE task SET state=2, v=v+1, op=?2, attempt=attempt+1, node=?3 WHERE k=?1";
static const char sql_take_span[] =
	"UPDATE task SET state=2, v=v+1, op=?3, attempt=attempt+1, node=?4 "
	"WHERE k BETWEEN ?1 AND ?2 AND state=0 AND v=1";

struct claiming {
	struct queue_sqlite *q;
	const struct claim_request *req;
	struct claimed *out;
	size_t n; /* claimed so far */
	struct claim_reply *reply;
};

/* What is claimable of one class of one job. */
struct offer {
	int class;
	bool ready; /* some that came back and are due */
	bool fresh; /* some new ones */
};

/* Callbacks get a `const struct job`. */
static char *borrowed(sqlite3_stmt *st, int i)
{
	union {
		const char *in;
		char *out;
	} text = { .in = db_col_text(st, i) };

	return text.out;
}

/* Borrowed texts: the row is good while the statement stands on it. */
static void job_view(sqlite3_stmt *st, struct job *j)
{
	*j = (struct job){
		.born = db_col_int(st, 0),
		.bound = db_col_int(st, 1),
		.v = db_col_int(st, 2),
		.rev = db_col_int(st, 3),
		.state = JOB_OPEN,
		.n = db_col_int(st, 6),
		.priority = db_col_int(st, 7),
		.max_running = db_col_int(st, 8),
		.t = db_col_int(st, 9),
	};
	snprintf(j->id, sizeof(j->id), "%s", db_col_text(st, 5));
	snprintf(j->root, sizeof(j->root), "%s", db_col_text(st, 12));
	snprintf(j->policy, sizeof(j->policy), "%s", db_col_text(st, 13));
	j->user = borrowed(st, 14);
	j->cluster = borrowed(st, 15);
	j->classes = borrowed(st, 16);
}

/* The node's row: 1 live (nothing claimed with this op), 2 this op was done, -1. */
static int node_check(struct claiming *c, char **cluster, struct err *err)
{
	const struct claim_request *req = c->req;
	sqlite3_stmt *st = db_prepare(c->q->db, sql_node, err);
	int rc;

	if (!st)
		return -1;
	db_bind_text(st, 1, req->node);
	rc = db_step(c->q->db, st, err);
	if (rc == 0) {
		rc = err_set(err, ERR_CONFLICT, "node %s is not registered (any more)", req->node);
	} else if (rc == 1) {
		int state = (int)db_col_int(st, 0);

		*cluster = xstrdup(db_col_text(st, 3));
		if (db_col_int(st, 1) == (int64_t)req->op)
			rc = 2;
		else if (state != NODE_LIVE)
			rc = err_set(err, ERR_CONFLICT, "node %s may not claim: it is %s",
				     req->node,
				     state == NODE_LOST	      ? "given up for lost"
				     : state == NODE_DRAINING ? "draining"
							      : "leaving");
		else if (req->seq >= 0 && req->seq != db_col_int(st, 2))
			rc = err_set(err, ERR_CONFLICT, "claim %lld of node %s comes late",
				     (long long)req->seq, req->node);
	}
	db_reset(st);
	return rc;
}

/* The same call again: what it claimed and still is claimed. */
static int claim_replay(struct claiming *c, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_mine, err);
	int rc;

	if (!st)
		return -1;
	db_bind_text(st, 1, c->req->node);
	db_bind_int(st, 2, (int64_t)c->req->op);
	db_bind_int(st, 3, (int64_t)c->req->max);
	while ((rc = db_step(c->q->db, st, err)) == 1) {
		int64_t k = db_col_int(st, 0);

		c->out[c->n++] = (struct claimed){
			.job = key_job(k), .n = key_n(k), .v = db_col_int(st, 1),
			.attempt = db_col_int(st, 2), .class = (int)db_col_int(st, 3),
			.tries = (int)db_col_int(st, 4), .free = (int)db_col_int(st, 5),
			.lost = (int)db_col_int(st, 6),
		};
	}
	db_reset(st);
	return rc;
}

static void see_due(struct claiming *c, int64_t due)
{
	if (due < c->reply->next_due)
		c->reply->next_due = due;
}

/* The next class from `class` on that has claimable tasks: 1, 0 none, -1. Notes due times. */
static int next_offer(struct claiming *c, int64_t job, int class, struct offer *o, struct err *err)
{
	struct queue_sqlite *q = c->q;
	sqlite3_stmt *st;
	int64_t fresh, ready = INT64_MAX, due;
	int rc;

	st = db_prepare(q->db, sql_span_class, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, class);
	if (db_int(q->db, st, INT64_MAX, &fresh, err) < 0)
		return -1;
	while (ready == INT64_MAX) {
		st = db_prepare(q->db, sql_ready_class, err);
		if (!st)
			return -1;
		db_bind_int(st, 1, job);
		db_bind_int(st, 2, class);
		rc = db_step(q->db, st, err);
		due = rc == 1 ? db_col_int(st, 1) : 0;
		if (rc == 1 && due <= c->req->now)
			ready = db_col_int(st, 0);
		else if (rc == 1)
			class = (int)db_col_int(st, 0) + 1;
		db_reset(st);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		if (due > c->req->now)
			see_due(c, due);
	}
	if (fresh == INT64_MAX && ready == INT64_MAX)
		return 0;
	*o = (struct offer){ .class = (int)MIN(fresh, ready), .ready = ready <= fresh,
			     .fresh = fresh <= ready };
	return 1;
}

static int see_delayed(struct claiming *c, int64_t job, int class, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_ready_due, err);
	int64_t due;

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, class);
	db_bind_int(st, 3, c->req->now);
	if (db_int(c->q->db, st, INT64_MAX, &due, err) < 0)
		return -1;
	see_due(c, due);
	return 0;
}

/* Takes up to `want` tasks that came back, at most `lost_room` of those that were lost. *left:
 * there are more. */
static int take_ready(struct claiming *c, int64_t job, int class, size_t want, size_t lost_room,
		      bool *left, struct err *err)
{
	struct queue_sqlite *q = c->q;
	size_t first = c->n;
	sqlite3_stmt *st = db_prepare(q->db, sql_ready, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, class);
	db_bind_int(st, 3, c->req->now);
	db_bind_int(st, 4, (int64_t)want + 1);
	while ((rc = db_step(q->db, st, err)) == 1 && c->n - first < want) {
		if (db_col_int(st, 5) > 0 && lost_room-- == 0)
			break;
		c->out[c->n++] = (struct claimed){
			.job = job, .n = key_n(db_col_int(st, 0)), .v = db_col_int(st, 1) + 1,
			.attempt = db_col_int(st, 2) + 1, .class = class,
			.tries = (int)db_col_int(st, 3), .free = (int)db_col_int(st, 4),
			.lost = (int)db_col_int(st, 5),
		};
	}
	*left = rc == 1;
	db_reset(st);
	if (rc < 0)
		return -1;
	st = db_prepare(q->db, sql_take, err);
	for (size_t i = first; i < c->n; i++) {
		if (!st)
			return -1;
		db_bind_int(st, 1, task_key(job, c->out[i].n));
		db_bind_int(st, 2, (int64_t)c->req->op);
		db_bind_text(st, 3, c->req->node);
		if (sq_run(q, st, err) < 0)
			return -1;
	}
	return 0;
}

/* The run shrinks from its head: tasks first..upto are gone. */
static int span_shrink(struct queue_sqlite *q, int64_t job, int class, int64_t first,
		       int64_t last, int64_t upto, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, upto == last ? sql_span_delete : sql_span_cut, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, class);
	db_bind_int(st, 3, first);
	if (upto != last)
		db_bind_int(st, 4, upto + 1);
	return sq_run(q, st, err);
}

static int take_run(struct claiming *c, int64_t job, int class, int64_t first, int64_t upto,
		    struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_take_span, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(job, first));
	db_bind_int(st, 2, task_key(job, upto));
	db_bind_int(st, 3, (int64_t)c->req->op);
	db_bind_text(st, 4, c->req->node);
	if (sq_run(c->q, st, err) < 0)
		return -1;
	if (db_changes(c->q->db) != upto - first + 1)
		return err_set(err, ERR_IO, "%s is damaged: tasks %lld to %lld of job %lld are "
			       "not all new", c->q->path, (long long)first, (long long)upto,
			       (long long)job);
	for (int64_t n = first; n <= upto; n++)
		c->out[c->n++] = (struct claimed){ .job = job, .n = n, .v = 2, .attempt = 1,
						   .class = class };
	return 0;
}

/* Takes up to `want` new tasks. *left: there are more. */
static int take_fresh(struct claiming *c, int64_t job, int class, size_t want, bool *left,
		      struct err *err)
{
	struct queue_sqlite *q = c->q;

	for (;;) {
		sqlite3_stmt *st = db_prepare(q->db, sql_span, err);
		int64_t first = 0, last = 0, upto;
		int rc;

		if (!st)
			return -1;
		db_bind_int(st, 1, job);
		db_bind_int(st, 2, class);
		rc = db_step(q->db, st, err);
		if (rc == 1) {
			first = db_col_int(st, 0);
			last = db_col_int(st, 1);
		}
		db_reset(st);
		*left = rc == 1;
		if (rc <= 0 || want == 0)
			return rc < 0 ? -1 : 0;
		upto = MIN(last, first + (int64_t)want - 1);
		if (take_run(c, job, class, first, upto, err) < 0 ||
		    span_shrink(q, job, class, first, last, upto, err) < 0)
			return -1;
		want -= (size_t)(upto - first + 1);
	}
}

/* One class of one job. `room`: what max_running allows; lowered. */
static int claim_class(struct claiming *c, const struct job *job, const struct offer *o,
		       size_t *room, struct err *err)
{
	size_t left = MIN(c->req->max - c->n, *room), before = c->n, want, lost, got;
	bool more = true, back = false;

	want = c->req->want(c->req->ctx, job, o->class, left);
	want = MIN(want, left);
	if (want > 0) {
		more = false;
		lost = c->req->room ? c->req->room(c->req->ctx, job, o->class, want) : want;
		if (o->ready && take_ready(c, job->born, o->class, want, lost, &back, err) < 0)
			return -1;
		got = c->n - before;
		if (o->fresh && take_fresh(c, job->born, o->class, want - got, &more, err) < 0)
			return -1;
		more |= back;
		got = c->n - before;
		*room -= got;
		if (got > 0 && c->req->took)
			c->req->took(c->req->ctx, job, o->class, got);
		if (got > 0 && (sq_tally(c->q, job->born, "pending", -(int64_t)got, err) < 0 ||
				sq_tally(c->q, job->born, "claimed", (int64_t)got, err) < 0))
			return -1;
	}
	if (more && *room > 0)
		c->reply->pending_left = true;
	return 0;
}

static int claim_job(struct claiming *c, const struct job *job, struct err *err)
{
	size_t room = SIZE_MAX;
	struct offer o;
	int class = 0, rc;

	if (job->max_running > 0) {
		int64_t running;

		if (sq_tally_get(c->q, job->born, "claimed", &running, err) < 0)
			return -1;
		room = running < job->max_running ? (size_t)(job->max_running - running) : 0;
	}
	while ((rc = next_offer(c, job->born, class, &o, err)) == 1) {
		if (room == 0)
			return 0;
		if (c->n >= c->req->max) {
			c->reply->pending_left = true;
			return 0;
		}
		if (claim_class(c, job, &o, &room, err) < 0 ||
		    see_delayed(c, job->born, o.class, err) < 0)
			return -1;
		class = o.class + 1;
	}
	return rc;
}

static int claim_jobs(struct claiming *c, const char *cluster, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_open_jobs, err);
	struct job job;
	int rc;

	if (!st)
		return -1;
	db_bind_text(st, 1, cluster);
	while ((rc = db_step(c->q->db, st, err)) == 1) {
		job_view(st, &job);
		if (claim_job(c, &job, err) < 0) {
			rc = -1;
			break;
		}
		if (c->n >= c->req->max && c->reply->pending_left)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

static int tell_others(struct claiming *c, struct err *err)
{
	sqlite3_stmt *st;
	int64_t memory;

	if (!c->req->others)
		return 0;
	st = db_prepare(c->q->db, sql_others, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, c->req->node);
	if (db_int(c->q->db, st, 0, &memory, err) < 0)
		return -1;
	c->req->others(c->req->ctx, memory);
	return 0;
}

static int sign_node(struct claiming *c, struct err *err)
{
	sqlite3_stmt *st = db_prepare(c->q->db, sql_node_claim, err);

	if (!st)
		return -1;
	db_bind_text(st, 1, c->req->node);
	db_bind_int(st, 2, (int64_t)c->req->op);
	if (c->req->memory)
		db_bind_int(st, 3, c->req->memory(c->req->ctx));
	return sq_run(c->q, st, err);
}

int sq_claim(struct queue *base, const struct claim_request *req, struct claimed *out,
	     struct claim_reply *reply, struct err *err)
{
	struct claiming c = { .q = sq_of(base), .req = req, .out = out, .reply = reply };
	char *cluster = NULL;
	int rc;

	*reply = (struct claim_reply){ .next_due = INT64_MAX };
	if (sq_begin(c.q, false, err) < 0)
		return -1;
	rc = node_check(&c, &cluster, err);
	if (rc == 2) {
		rc = claim_replay(&c, err);
	} else if (rc == 1) {
		rc = tell_others(&c, err) < 0 || claim_jobs(&c, cluster, err) < 0 ? -1 : 0;
		if (rc == 0 && c.n > 0) {
			rc = sign_node(&c, err) < 0 || sq_commit(c.q, err) < 0 ? -1 : 0;
			goto out;
		}
	}
	sq_rollback(c.q);
out:
	if (rc < 0)
		sq_rollback(c.q);
	free(cluster);
	return rc < 0 ? -1 : (int)c.n;
}
