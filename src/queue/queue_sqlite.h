#ifndef QUEUE_QUEUE_SQLITE_H
#define QUEUE_QUEUE_SQLITE_H
/*
 * Private to src/queue/queue_sqlite*.c: the handle, the transaction with its tally, and the
 * functions of struct queue_ops by file.
 *
 * A task's key is `job << 32 | n`, so that a job's tasks lie together in order of n and appending
 * them is the cheapest insert SQLite has. A task that was never written since it was inserted
 * (v = 1, pending) is not in the index `ready`: table `span` holds such tasks as runs of one class.
 * Every run is exact: all its rows have v = 1 and are pending. So a million new tasks cost a
 * million rows and one span; claims and kills shorten spans; everything that comes back to pending
 * (v > 1) goes into `ready`.
 */
#include "base/base.h"
#include "base/clock.h"
#include "base/vec.h"
#include "queue/queue.h"
#include "sys/db.h"

struct tally_delta {
	int64_t job, delta;
	char label[LABEL_SIZE];
};

struct job_known {
	int64_t born;
	int state; /* -1: no such job */
};

struct holder_look {
	int64_t pid; /* 0: nobody */
	unsigned char head[48];
};

struct queue_sqlite {
	struct queue base;
	struct db *db;
	char *path;
	int64_t lease_ms, busy_ms;
	void (*notice)(void *ctx, const char *text);
	void *ctx;
	bool fast, patient;
	struct holder_look held_by;  /* who held the write lock when we last looked */
	int64_t held_since_ms;       /* monotonic: first look that saw the same */
	int64_t looked_ms;           /* the last look */
	char uuid[33];
	bool numbers;        /* temp.number holds 0 .. 9,999 */
	int64_t since_pause; /* rows added since submit_add last slept */
	/* of the running transaction */
	VEC(struct tally_delta) tally;
	VEC(struct job_known) known; /* jobs whose state was read */
	VEC(int64_t) fewer;          /* jobs of which something may have ended */
	VEC(int64_t) over;           /* jobs that ended */
};

static inline struct queue_sqlite *sq_of(struct queue *q)
{
	return container_of(q, struct queue_sqlite, base);
}
static inline int64_t task_key(int64_t job, int64_t n)
{
	return job * ((int64_t)1 << 32) + n;
}
static inline int64_t key_job(int64_t k)
{
	return k >> 32;
}
static inline int64_t key_n(int64_t k)
{
	return k & 0xffffffff;
}

/* ---- queue_sqlite_schema.c ---- */

/* SQ_READABLE: the oldest schema whose tables the reading calls understand. */
enum { SQ_APPLICATION = 0x6b756265, SQ_SCHEMA = 3, SQ_READABLE = 1 };
/* Brings the file to the newest schema; each step is one transaction. */
int sq_migrate(struct queue_sqlite *q, bool read_only, struct err *err);
struct sq_step {
	int to;
	const char *sql;
};
/* The same with given steps, for tests. */
int sq_migrate_steps(struct queue_sqlite *q, const struct sq_step *steps, size_t n,
		     bool read_only, struct err *err);

/* ---- queue_sqlite_holder.c ---- */

/* Looks for the process that holds the write lock: ends it when it is a node of this queue that
 * was inside one and the same transaction for a lease. Called while waiting. */
int sq_holder_hook(void *ctx, int64_t waited_ms);
/* Does the process live that a node's info (pid, start, boot) names? True when it does not tell. */
bool sq_node_lives(const char *info);
/* The version of kubeque that a node's info names. */
void sq_node_version(const char *info, char *out, size_t size);

/* ---- queue_sqlite_txn.c ---- */

/* One write transaction; `full` waits for the disk at commit. Between begin and commit, deltas of
 * the tally are collected. */
int sq_begin(struct queue_sqlite *q, bool full, struct err *err);
/* Writes the tally, ends jobs without an open task, commits. On failure it is rolled back. */
int sq_commit(struct queue_sqlite *q, struct err *err);
void sq_rollback(struct queue_sqlite *q);
int sq_tally(struct queue_sqlite *q, int64_t job, const char *label, int64_t delta,
	     struct err *err);
/* At commit, the job ends if nothing of it is open (a negative delta says so, too). */
void sq_may_end(struct queue_sqlite *q, int64_t job);
/* Count under a label, as of now and with what this transaction moved. */
int sq_tally_get(struct queue_sqlite *q, int64_t job, const char *label, int64_t *count,
		 struct err *err);
/* Writes the deltas so far. */
int sq_tally_flush(struct queue_sqlite *q, struct err *err);
/* State of a job, -1: none; read once a transaction. */
int sq_job_state(struct queue_sqlite *q, int64_t born, int *state, struct err *err);
/* Did the transaction just committed end this job? */
bool sq_was_over(const struct queue_sqlite *q, int64_t job);
/* The label under which a task is counted. */
const char *sq_tally_label(enum task_state state, const char *label);
/* t 0: now. */
int sq_event(struct queue_sqlite *q, int64_t t, int64_t job, int64_t n, const char *kind,
	     const char *text, struct err *err);
/* Answers of calls, by op: 1 found, 0 none. */
int sq_done_get(struct queue_sqlite *q, uint64_t op, int64_t *answer, int64_t *extra,
		struct err *err);
/* The frame of a call that happens once: begins; 1 the op was done, with this answer, and nothing
 * is open any more; 0 go on; -1. Its end commits if rc is 1 (then the answer was put), else it
 * rolls back; rc, or -1 if the commit failed. */
int sq_once_begin(struct queue_sqlite *q, bool full, uint64_t op, int64_t *answer,
		  struct err *err);
int sq_once_end(struct queue_sqlite *q, int rc, struct err *err);
int sq_done_put(struct queue_sqlite *q, uint64_t op, int64_t answer, int64_t extra,
		struct err *err);

/* Runs a statement whose parameters are bound: 0/-1. */
static inline int sq_run(struct queue_sqlite *q, sqlite3_stmt *st, struct err *err)
{
	return db_run(q->db, st, err);
}

/* ---- queue_sqlite_row.c: rows to structs and back ---- */

void sq_job_read(sqlite3_stmt *st, struct job *out);  /* copies; running is not set */
void sq_task_read(sqlite3_stmt *st, struct task *out); /* columns of SQ_TASK_COLUMNS */
void sq_attempt_read(sqlite3_stmt *st, struct attempt *out); /* copies */
/* `failed`: counted among those that failed alike. */
int sq_attempt_insert(struct queue_sqlite *q, const struct attempt *a, bool failed, uint64_t op,
		      struct err *err);
/* A short record of an attempt that never ended by itself (lost, killed, released). */
int sq_attempt_note(struct queue_sqlite *q, int64_t k, int64_t attempt, const char *node,
		    enum cause cause, const char *label, const char *note, uint64_t op,
		    struct err *err);
/* What the policy was asked and said of an attempt; text NULL: nothing to keep. */
int sq_asked_put(struct queue_sqlite *q, int64_t k, int64_t attempt, const char *text,
		 struct err *err);
/* 1: the attempt's row carries this op (vop with `verdict`), 0: not. */
int sq_attempt_op(struct queue_sqlite *q, int64_t k, int64_t attempt, uint64_t op, bool verdict,
		  struct err *err);

#define SQ_JOB_COLUMNS \
	"born, bound, v, rev, state, id, n, priority, max_running, t, ended, told, root, policy, " \
	"user, cluster, classes, info, secret, stopped"
#define SQ_TASK_COLUMNS \
	"k, v, state, class, due, attempt, acc, tries, free, lost, asks, node, label, reason"
#define SQ_ATTEMPT_COLUMNS \
	"k, a, node, label, cause, exit_code, signal, started, ended, elapsed_us, user_us, " \
	"system_us, max_memory, block_in, block_out, result, result_bytes, reason, verdict, tail"

/* ---- queue_sqlite_class.c ---- */

/* Index of a class in the job's list, to which it is added when it is new (see verdict() in
 * queue.h). -1: error; -2: there is no place for it. */
int sq_class_index(struct queue_sqlite *q, int64_t job, const char *class, int *index,
		   struct err *err);
/* From a class to the same one that avoids no node, if there is place for it. */
int sq_class_plain(struct queue_sqlite *q, int64_t job, int *index, struct err *err);

/* ---- queue_sqlite_finish.c, and what queue_sqlite_verdict.c needs of it ---- */

/* What a change of a claimed or ended task needs to know of its row. */
struct sq_row {
	int64_t k, v, op, attempt;
	int state; /* -1: no such task */
	int lost, class;
	char node[NODE_ID_SIZE];
};
int sq_row_get(struct queue_sqlite *q, int64_t job, int64_t n, struct sq_row *r, struct err *err);
/* Is the row what this op made of version v? One call may name a task twice, with an attempt that
 * counts and one that does not any more: the op alone does not tell them apart. */
static inline bool sq_row_is_after(const struct sq_row *r, int64_t v, uint64_t op)
{
	return r->state >= 0 && r->op == (int64_t)op && r->v == v + 1;
}
int sq_tally_move(struct queue_sqlite *q, int64_t job, const char *from, const char *to,
		  struct err *err);

/* ---- queue_sqlite_count.c: what is counted for policies ---- */

/* SQL: ages of all nodes there ever were in the cluster of a row of `job`, at a time in ms. */
#define SQ_NODE_TIME(now) \
	"(coalesce((SELECT ms FROM spent WHERE spent.cluster=job.cluster), 0) + " \
	"coalesce((SELECT sum(max(" now " - node.t, 0)) FROM node " \
	"WHERE node.cluster=job.cluster), 0))"
/* A node's row goes: its age is remembered. */
int sq_node_spent(struct queue_sqlite *q, const char *node, struct err *err);
/* A task is set back: how it failed counts no more. */
int sq_failures_forget(struct queue_sqlite *q, int64_t k, struct err *err);

/* ---- the operations ---- */

int sq_submit_begin(struct queue *, const struct job_new *, int64_t *, struct err *);
int sq_submit_add(struct queue *, int64_t, int64_t, const struct task_new *, size_t, struct err *);
int sq_submit_bind(struct queue *, const struct bind *, struct err *);
int sq_submit_abort(struct queue *, int64_t, struct err *);

int sq_job_by_id(struct queue *, const char *, struct job *, struct err *);
int sq_job_get(struct queue *, int64_t, struct job *, struct err *);
int sq_job_last(struct queue *, const char *, struct job *, struct err *);
int sq_jobs(struct queue *, const struct job_filter *, job_fn, void *, struct err *);
int sq_task_get(struct queue *, int64_t, int64_t, struct task *, struct err *);
int sq_tasks(struct queue *, int64_t, const struct task_filter *, task_fn, void *, struct err *);
int sq_attempts(struct queue *, int64_t, int64_t, attempt_fn, void *, struct err *);
int sq_attempt_get(struct queue *, int64_t, int64_t, int64_t, struct attempt *, struct err *);
int sq_asked(struct queue *, int64_t, int64_t, asked_fn, void *, struct err *);
int sq_recent(struct queue *, int64_t, attempt_fn, void *, struct err *);
int sq_counts(struct queue *, int64_t, count_fn, void *, struct err *);
int sq_same(struct queue *, int64_t, int64_t, int64_t, int64_t *, struct err *);
int sq_node_time(struct queue *, int64_t, int64_t, int64_t *, struct err *);
int sq_waiting_since(struct queue *, int64_t, int64_t, int64_t *, struct err *);
int sq_held(struct queue *, const char *, task_fn, void *, struct err *);
int sq_events(struct queue *, int64_t, int64_t, event_fn, void *, struct err *);
int sq_event_add(struct queue *, const struct event *, struct err *);

int sq_nodes(struct queue *, const char *, node_fn, void *, struct err *);
int sq_node_register(struct queue *, const struct node *, bool, uint64_t, struct err *);
int sq_beat(struct queue *, const char *, uint64_t, enum node_state *, struct err *);
int sq_node_move(struct queue *, const char *, int64_t, enum node_event, uint64_t, struct err *);
int sq_node_wait(struct queue *, const char *, int64_t, uint64_t, struct err *);
int sq_node_info(struct queue *, const char *, const char *, struct err *);
int sq_node_delete(struct queue *, const char *, struct err *);

int sq_claim(struct queue *, const struct claim_request *, struct claimed *, struct claim_reply *,
	     struct err *);
int sq_release(struct queue *, const char *, enum cause, struct release *, size_t, int64_t,
	       uint64_t, struct err *);
int sq_finish(struct queue *, const char *, struct outcome *, size_t, int64_t, uint64_t,
	      struct err *);
int sq_ask_again(struct queue *, int64_t, int64_t, int64_t *, uint64_t, struct err *);
int sq_verdict(struct queue *, struct verdict_row *, size_t, uint64_t, struct err *);

int sq_job_move(struct queue *, int64_t, enum job_event, bool, uint64_t, struct err *);
int sq_kill(struct queue *, int64_t, const struct ranges *, size_t, uint64_t, int64_t *, bool *,
	    struct err *);
int sq_reset(struct queue *, struct reset_request *, struct err *);
int sq_job_told(struct queue *, int64_t, uint64_t, struct err *);
int sq_job_delete(struct queue *, int64_t, size_t, bool *, struct err *);

#endif
