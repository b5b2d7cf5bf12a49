#include "queue/queue_sqlite.h"

#include <stdio.h>

static const char sql_attempt_insert[] =
	"INSERT INTO attempt VALUES(?1,?2,?3,0,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,"
	"?17,?18,?19,?20,?21,?22)";
static const char sql_failed_so[] = "SELECT count(*) FROM attempt WHERE k=?1 AND sig=?2";
static const char sql_attempt_ops[] = "SELECT op, vop FROM attempt WHERE k=?1 AND a=?2";

static char *col_dup(sqlite3_stmt *st, int i)
{
	return db_col_null(st, i) ? NULL : xstrdup(db_col_text(st, i));
}

void sq_job_read(sqlite3_stmt *st, struct job *out)
{
	*out = (struct job){
		.born = db_col_int(st, 0),
		.bound = db_col_int(st, 1),
		.v = db_col_int(st, 2),
		.rev = db_col_int(st, 3),
		.state = (enum job_state)db_col_int(st, 4),
		.n = db_col_int(st, 6),
		.priority = db_col_int(st, 7),
		.max_running = db_col_int(st, 8),
		.t = db_col_int(st, 9),
		.ended = db_col_int(st, 10),
		.told = db_col_int(st, 11) != 0,
	};
	snprintf(out->id, sizeof(out->id), "%s", db_col_text(st, 5));
	snprintf(out->root, sizeof(out->root), "%s", db_col_text(st, 12));
	snprintf(out->policy, sizeof(out->policy), "%s", db_col_text(st, 13));
	out->user = col_dup(st, 14);
	out->cluster = col_dup(st, 15);
	out->classes = col_dup(st, 16);
	out->info = col_dup(st, 17);
	out->secret = col_dup(st, 18);
	out->stopped = col_dup(st, 19);
}

void sq_task_read(sqlite3_stmt *st, struct task *out)
{
	int64_t k = db_col_int(st, 0);

	*out = (struct task){
		.job = key_job(k),
		.n = key_n(k),
		.v = db_col_int(st, 1),
		.state = (enum task_state)db_col_int(st, 2),
		.class = (int)db_col_int(st, 3),
		.due = db_col_int(st, 4),
		.attempt = db_col_int(st, 5),
		.acc = db_col_int(st, 6),
		.tries = (int)db_col_int(st, 7),
		.free = (int)db_col_int(st, 8),
		.lost = (int)db_col_int(st, 9),
		.asks = (int)db_col_int(st, 10),
	};
	snprintf(out->node, sizeof(out->node), "%s", db_col_text(st, 11));
	snprintf(out->label, sizeof(out->label), "%s",
		 sq_tally_label(out->state, db_col_text(st, 12)));
	snprintf(out->reason, sizeof(out->reason), "%s", db_col_text(st, 13));
}

void sq_attempt_read(sqlite3_stmt *st, struct attempt *out)
{
	int64_t k = db_col_int(st, 0);

	*out = (struct attempt){
		.job = key_job(k),
		.n = key_n(k),
		.k = db_col_int(st, 1),
		.cause = (enum cause)db_col_int(st, 4),
		.exit_code = (int)db_col_int(st, 5),
		.signal = (int)db_col_int(st, 6),
		.started = db_col_int(st, 7),
		.ended = db_col_int(st, 8),
		.elapsed_us = db_col_int(st, 9),
		.user_us = db_col_int(st, 10),
		.system_us = db_col_int(st, 11),
		.max_memory = db_col_int(st, 12),
		.block_in = db_col_int(st, 13),
		.block_out = db_col_int(st, 14),
		.result_bytes = db_col_int(st, 16),
	};
	snprintf(out->node, sizeof(out->node), "%s", db_col_text(st, 2));
	snprintf(out->label, sizeof(out->label), "%s", db_col_text(st, 3));
	snprintf(out->result_sha256, sizeof(out->result_sha256), "%s", db_col_text(st, 15));
	snprintf(out->reason, sizeof(out->reason), "%s", db_col_text(st, 17));
	snprintf(out->verdict, sizeof(out->verdict), "%s", db_col_text(st, 18));
	out->tail = col_dup(st, 19);
}

/* NULL instead of "", which saves a byte in millions of rows. */
static void bind_some(sqlite3_stmt *st, int i, const char *s)
{
	db_bind_text(st, i, s && *s ? s : NULL);
}

/* The signature under which an attempt is counted: 0 when its task failed so before, so that the
 * index `failure` holds each task once. */
static int new_signature(struct queue_sqlite *q, const struct attempt *a, int64_t *sig,
			 struct err *err)
{
	sqlite3_stmt *st;
	int64_t before = 0;

	*sig = attempt_signature(a);
	if (a->k <= 1)
		return 0;
	st = db_prepare(q->db, sql_failed_so, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(a->job, a->n));
	db_bind_int(st, 2, *sig);
	if (db_int(q->db, st, 0, &before, err) < 0)
		return -1;
	if (before)
		*sig = 0;
	return 0;
}

int sq_attempt_insert(struct queue_sqlite *q, const struct attempt *a, bool failed, uint64_t op,
		      struct err *err)
{
	sqlite3_stmt *st;
	int64_t sig = 0;

	if (failed && new_signature(q, a, &sig, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_attempt_insert, err);
	if (!st)
		return -1;
	db_bind_int(st, 1, task_key(a->job, a->n));
	db_bind_int(st, 2, a->k);
	db_bind_int(st, 3, (int64_t)op);
	bind_some(st, 4, a->node);
	bind_some(st, 5, a->label);
	db_bind_int(st, 6, a->cause);
	db_bind_int(st, 7, a->exit_code);
	db_bind_int(st, 8, a->signal);
	db_bind_int(st, 9, a->started);
	db_bind_int(st, 10, a->ended);
	db_bind_int(st, 11, a->elapsed_us);
	db_bind_int(st, 12, a->user_us);
	db_bind_int(st, 13, a->system_us);
	db_bind_int(st, 14, a->max_memory);
	db_bind_int(st, 15, a->block_in);
	db_bind_int(st, 16, a->block_out);
	bind_some(st, 17, a->result_sha256);
	db_bind_int(st, 18, a->result_bytes);
	bind_some(st, 19, a->reason);
	bind_some(st, 20, a->verdict);
	bind_some(st, 21, a->tail);
	if (sig)
		db_bind_int(st, 22, sig);
	return sq_run(q, st, err);
}

int sq_attempt_note(struct queue_sqlite *q, int64_t k, int64_t attempt, const char *node,
		    enum cause cause, const char *label, const char *note, uint64_t op,
		    struct err *err)
{
	struct attempt a = {
		.job = key_job(k),
		.n = key_n(k),
		.k = attempt,
		.cause = cause,
		.exit_code = -1,
		.ended = clock_wall_ms(),
	};

	snprintf(a.node, sizeof(a.node), "%s", node);
	snprintf(a.label, sizeof(a.label), "%s", label);
	snprintf(a.verdict, sizeof(a.verdict), "%s", note ? note : "");
	return sq_attempt_insert(q, &a, false, op, err);
}

int sq_attempt_op(struct queue_sqlite *q, int64_t k, int64_t attempt, uint64_t op, bool verdict,
		  struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_attempt_ops, err);
	int rc;

	if (!st)
		return -1;
	db_bind_int(st, 1, k);
	db_bind_int(st, 2, attempt);
	rc = db_step(q->db, st, err);
	if (rc == 1)
		rc = db_col_int(st, verdict ? 1 : 0) == (int64_t)op;
	db_reset(st);
	return rc;
}
