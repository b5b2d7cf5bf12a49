#include "queue/queue_sqlite.h"

#include <stdio.h>

static const char sql_nodes[] =
	"SELECT id, v, state, cluster, cap, info, beat, waits, t, memory, "
	"(SELECT count(*) FROM task INDEXED BY held WHERE task.node=node.id AND state IN (2,3)) "
	"FROM node WHERE ?1 IS NULL OR cluster=?1 ORDER BY t, id";
static const char sql_first[] =
	"SELECT count(*) FROM node WHERE cluster=?1 AND first=1 AND state=0";
static const char sql_register[] =
	"INSERT INTO node VALUES(?1, 1, ?2, 0, 0, 0, 0, ?3, 0, 0, 0, ?4, ?5, ?6, ?7)";
static const char sql_node[] = "SELECT v, op, state, beat_op, cluster, first, waits FROM node "
			       "WHERE id=?1";
static const char sql_beat[] = "UPDATE node SET beat=beat+1, beat_op=?2 WHERE id=?1";
static const char sql_move[] = "UPDATE node SET v=v+1, op=?2, state=?3 WHERE id=?1";
static const char sql_wait[] = "UPDATE node SET v=v+1, op=?2, waits=waits+1 WHERE id=?1";
static const char sql_info[] = "UPDATE node SET info=?2, v=v+1 WHERE id=?1 AND state<>3";
static const char sql_holds[] =
	"SELECT count(*) FROM task INDEXED BY held WHERE node=?1 AND state IN (2,3)";
static const char sql_delete[] = "DELETE FROM node WHERE id=?1";

enum { WAITS_MAX = 3 };

struct row {
	int64_t v, op, beat_op;
	int state, waits;
	bool first;
	char *cluster; /* owned */
};

/* 1 found, 0 none, -1. */
static int row_get(struct queue_sqlite *q, const char *id, struct row *r, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_node, err);
	int rc;

	*r = (struct row){ .state = -1 };
	if (!st)
		return -1;
	db_bind_text(st, 1, id);
	rc = db_step(q->db, st, err);
	if (rc == 1) {
		r->v = db_col_int(st, 0);
		r->op = db_col_int(st, 1);
		r->state = (int)db_col_int(st, 2);
		r->beat_op = db_col_int(st, 3);
		r->cluster = xstrdup(db_col_text(st, 4));
		r->first = db_col_int(st, 5) != 0;
		r->waits = (int)db_col_int(st, 6);
	}
	db_reset(st);
	return rc;
}

static void node_read(sqlite3_stmt *st, struct node *n)
{
	*n = (struct node){
		.v = db_col_int(st, 1),
		.state = (enum node_state)db_col_int(st, 2),
		.cluster = xstrdup(db_col_text(st, 3)),
		.cap = xstrdup(db_col_text(st, 4)),
		.info = xstrdup(db_col_text(st, 5)),
		.beat = db_col_int(st, 6),
		.waits = (int)db_col_int(st, 7),
		.t = db_col_int(st, 8),
		.memory = db_col_int(st, 9),
		.running = db_col_int(st, 10),
	};
	snprintf(n->id, sizeof(n->id), "%s", db_col_text(st, 0));
}

int sq_nodes(struct queue *base, const char *cluster, node_fn fn, void *ctx, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st = db_prepare(q->db, sql_nodes, err);
	int rc;

	if (!st)
		return -1;
	db_bind_text(st, 1, cluster);
	while ((rc = db_step(q->db, st, err)) == 1) {
		struct node n;

		node_read(st, &n);
		rc = fn(ctx, &n);
		node_release(&n);
		if (rc != 0)
			break;
	}
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

/* Is there a live first node of this cluster? 1, 0, -1. */
static int has_first(struct queue_sqlite *q, const char *cluster, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_first, err);
	int64_t count;

	if (!st)
		return -1;
	db_bind_text(st, 1, cluster);
	return db_int(q->db, st, 0, &count, err) < 0 ? -1 : count > 0;
}

/* In the transaction: 2 it is there by this op, 1 inserted, 0 refused, -1. */
static int register_now(struct queue_sqlite *q, const struct node *n, bool first, uint64_t op,
			struct err *err)
{
	struct row r;
	sqlite3_stmt *st;
	int64_t answer;
	int rc = sq_done_get(q, op, &answer, NULL, err);

	if (rc != 0)
		return rc < 0 ? -1 : 2;
	rc = row_get(q, n->id, &r, err);
	free(r.cluster);
	if (rc == 1)
		return err_set(err, ERR_CONFLICT, "a node %s is registered already", n->id);
	if (rc == 0 && first)
		rc = has_first(q, n->cluster, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = db_prepare(q->db, sql_register, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, n->id);
	db_bind_int(st, 2, (int64_t)op);
	db_bind_int(st, 3, first);
	db_bind_int(st, 4, n->t ? n->t : clock_wall_ms());
	db_bind_text(st, 5, n->cluster);
	db_bind_text(st, 6, n->cap);
	db_bind_text(st, 7, n->info);
	if (sq_run(q, st, err) < 0 || sq_event(q, 0, 0, 0, "node live", n->id, err) < 0 ||
	    sq_done_put(q, op, 1, 0, err) < 0)
		return -1;
	return 1;
}

int sq_node_register(struct queue *base, const struct node *n, bool first, uint64_t op,
		     struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int rc;

	if (sq_begin(q, false, err) < 0)
		return -1;
	rc = register_now(q, n, first, op, err);
	if (rc == 1)
		return sq_commit(q, err) < 0 ? -1 : 1;
	sq_rollback(q);
	return rc == 2 ? 1 : rc;
}

int sq_beat(struct queue *base, const char *node, uint64_t op, enum node_state *state,
	    struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	struct row r;
	sqlite3_stmt *st;
	int rc;

	if (sq_begin(q, false, err) < 0)
		return -1;
	rc = row_get(q, node, &r, err);
	free(r.cluster);
	if (rc == 1)
		*state = (enum node_state)r.state;
	if (rc != 1 || r.state == NODE_LOST || r.beat_op == (int64_t)op) {
		sq_rollback(q);
		return rc;
	}
	st = db_prepare(q->db, sql_beat, err);
	if (!st) {
		sq_rollback(q);
		return -1;
	}
	db_bind_text(st, 1, node);
	db_bind_int(st, 2, (int64_t)op);
	if (sq_run(q, st, err) < 0) {
		sq_rollback(q);
		return -1;
	}
	return sq_commit(q, err) < 0 ? -1 : 1;
}

static int move_now(struct queue_sqlite *q, const char *node, int64_t v, enum node_event ev,
		    uint64_t op, struct err *err)
{
	static const char *const kinds[] = { "node live", "node draining", "node leaving",
					     "node lost" };
	struct row r;
	sqlite3_stmt *st;
	int rc = row_get(q, node, &r, err), next = -1;

	if (rc == 1)
		next = node_next((enum node_state)r.state, ev);
	if (rc == 1 && (next < 0 || (v != 0 && v != r.v)))
		rc = 0;
	if (rc == 1 && next == NODE_LIVE && r.first) {
		rc = has_first(q, r.cluster, err);
		rc = rc < 0 ? -1 : !rc;
	}
	free(r.cluster);
	if (rc != 1)
		return rc;
	st = db_prepare(q->db, sql_move, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	db_bind_int(st, 2, (int64_t)op);
	db_bind_int(st, 3, next);
	if (sq_run(q, st, err) < 0 || sq_event(q, 0, 0, 0, kinds[next], node, err) < 0 ||
	    sq_done_put(q, op, 1, 0, err) < 0)
		return -1;
	return 1;
}

static int wait_now(struct queue_sqlite *q, const char *node, int64_t v, uint64_t op,
		    struct err *err)
{
	struct row r;
	sqlite3_stmt *st;
	int rc = row_get(q, node, &r, err);

	free(r.cluster);
	if (rc == 1 && (v != r.v || r.state == NODE_LOST || r.waits >= WAITS_MAX))
		rc = 0;
	if (rc != 1)
		return rc;
	st = db_prepare(q->db, sql_wait, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	db_bind_int(st, 2, (int64_t)op);
	if (sq_run(q, st, err) < 0 || sq_done_put(q, op, 1, 0, err) < 0)
		return -1;
	return 1;
}

int sq_node_move(struct queue *base, const char *node, int64_t v, enum node_event ev, uint64_t op,
		 struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t answer;
	int rc = sq_once_begin(q, false, op, &answer, err);

	if (rc != 0)
		return rc < 0 ? -1 : (int)answer;
	return sq_once_end(q, move_now(q, node, v, ev, op, err), err);
}

int sq_node_wait(struct queue *base, const char *node, int64_t v, uint64_t op, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int64_t answer;
	int rc = sq_once_begin(q, false, op, &answer, err);

	if (rc != 0)
		return rc < 0 ? -1 : (int)answer;
	return sq_once_end(q, wait_now(q, node, v, op, err), err);
}

int sq_node_info(struct queue *base, const char *node, const char *info, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	sqlite3_stmt *st;

	if (sq_begin(q, false, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_info, err);
	if (st) {
		db_bind_text(st, 1, node);
		db_bind_text(st, 2, info);
	}
	if (!st || sq_run(q, st, err) < 0) {
		sq_rollback(q);
		return -1;
	}
	return sq_commit(q, err);
}

/* 1 deleted or gone, 0 not allowed, -1. */
static int delete_now(struct queue_sqlite *q, const char *node, struct err *err)
{
	struct row r;
	int64_t held;
	sqlite3_stmt *st;
	int rc = row_get(q, node, &r, err);

	free(r.cluster);
	if (rc <= 0)
		return rc < 0 ? -1 : 1;
	if (r.state != NODE_LEAVING && r.state != NODE_LOST)
		return 0;
	st = db_prepare(q->db, sql_holds, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	if (db_int(q->db, st, 0, &held, err) < 0)
		return -1;
	if (held > 0)
		return 0;
	if (sq_node_spent(q, node, err) < 0)
		return -1;
	st = db_prepare(q->db, sql_delete, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, node);
	if (sq_run(q, st, err) < 0 || sq_event(q, 0, 0, 0, "node gone", node, err) < 0)
		return -1;
	return 1;
}

int sq_node_delete(struct queue *base, const char *node, struct err *err)
{
	struct queue_sqlite *q = sq_of(base);
	int rc;

	if (sq_begin(q, false, err) < 0)
		return -1;
	rc = delete_now(q, node, err);
	if (rc == 1)
		return sq_commit(q, err) < 0 ? -1 : 1;
	sq_rollback(q);
	return rc;
}
