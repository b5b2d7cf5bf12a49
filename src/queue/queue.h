#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H
/*
 * The queue: all mutable state (jobs, tasks, attempts, nodes), by the law of PROTOCOL.md.
 *
 * Every write is an insert or a compare-and-swap, atomic, and signed with an `op`: a fresh
 * id_u64() made by the caller. A call that returns -1 with ERR_BUSY may or may not have happened;
 * calling it again with the same arguments and the same op is always safe and gives the answer of
 * the first time ("op mine -> it happened; version as I read it -> done now; anything else ->
 * refused"). A refusal is an answer, not an error.
 *
 * No callback may call back into the same queue. A handle belongs to one thread. Strings inside
 * rows handed to a callback are valid during the callback only.
 */
#include "base/err.h"
#include "model/ranges.h"
#include "model/state.h"
#include "model/task.h"

struct queue;

/* ---- submission ------------------------------------------------------------------------- */

struct job_new {
	const char *id, *user, *cluster, *classes, *info, *secret, *policy;
	int64_t priority, max_running, t;
};

/* A task row to insert; `kept` (NULL for new work) makes it a row that already succeeded: state
 * 7, acc = kept->k, with a copy of that attempt (--rerun). */
struct task_new {
	int class;
	const struct attempt *kept;
};

struct bind {
	int64_t born;
	int64_t n;
	const char *root;
	int64_t replace; /* born of the job that holds the id and is to be removed; 0: none */
	uint64_t op;
};

enum bind_result { BIND_DONE = 1, BIND_TAKEN = 0, BIND_HELD = 2, BIND_GONE = 3 };

/* ---- claiming --------------------------------------------------------------------------- */

/*
 * One ask of `claim`. The callbacks run inside the transaction, in this order: `others` once, then
 * for each class of each job that has claimable tasks `want` and, when tasks were found, `took`;
 * `memory` at the end, when something was claimed. They must be quick and must not touch the
 * queue. A repeated call whose tasks are claimed already calls none of them. `others` may be
 * called again: then everything begins anew and what an earlier `took` counted is void.
 */
struct claim_request {
	const char *node;
	uint64_t op;
	int64_t seq; /* how many claims of this node found something before this one, so that one
		      * that is delivered late changes nothing; -1: not checked */
	size_t max;
	int64_t now; /* wall ms */
	void *ctx;
	/* Bytes that the other nodes of this machine have set aside; NULL: do not care. */
	void (*others)(void *ctx, int64_t memory);
	/* How many tasks of this class of this job the node wants now (0: none fit). `left` is
	 * how many may be claimed. The job comes without info and secret (NULL). */
	size_t (*want)(void *ctx, const struct job *job, int class, size_t left);
	/* How many of them it could start at once: a task that was lost before may have ended its
	 * node, and is not claimed ahead, where it would be lost again for nothing. NULL: all. */
	size_t (*room)(void *ctx, const struct job *job, int class, size_t left);
	void (*took)(void *ctx, const struct job *job, int class, size_t count);
	/* Bytes this node has set aside now, for its row; NULL: as it was. */
	int64_t (*memory)(void *ctx);
};

struct claimed {
	int64_t job, n, v, attempt;
	int class, tries, free, lost;
};

struct claim_reply {
	int64_t next_due;  /* earliest due of a delayed task that was seen; INT64_MAX: none */
	bool pending_left; /* claimable tasks were seen that this node did not want, or that did
			    * not fit into max; those held back by max_running do not count */
};

/* ---- finishing -------------------------------------------------------------------------- */

enum answer { ANSWER_REFUSED = 0, ANSWER_ACCEPTED = 1 };

struct outcome {
	int64_t v;         /* in: version of the claim; out: version after acceptance */
	bool success;      /* 2 -> 7, else 2 -> 3 */
	struct attempt a;  /* borrowed */
	enum answer answer; /* out */
	bool over;          /* out: this commit ended the job (set for one row of the job) */
};

struct release {
	int64_t job, n, v;
	bool started;       /* its program had begun: an attempt is recorded */
	enum answer answer; /* out */
};

struct verdict_row {
	int64_t job, n, v;
	enum task_event event; /* RETRY, COMPLETE, FAIL, or LOSE / LOSE_FAIL for a claimed one */
	bool free;             /* RETRY: does not count against --retries */
	bool success;          /* COMPLETE: counts as succeeded */
	int64_t due;           /* RETRY, LOSE: wall ms */
	const char *class;     /* RETRY, LOSE: JSON of the class to move to; NULL: keep */
	const char *second;    /* where there is no place for that: the class, and the note, */
	const char *second_note; /* instead; NULL: keep, `note` */
	const char *label;     /* COMPLETE, FAIL, LOSE_FAIL */
	const char *reason;
	const char *note;      /* goes into attempt.verdict */
	const char *asked;     /* kept for queue_asked(): text of the caller; NULL: nothing */
	bool stop;             /* COMPLETE, FAIL, LOSE_FAIL: the job is to be killed, for `note` */
	enum answer answer;    /* out */
	bool over;             /* out: as in struct outcome */
	bool noted_second;     /* out: by this call, not by a repetition: second_note holds */
	bool stopped;          /* out: the job is `killing` since this commit: go on with kill() */
};

/* ---- reading ---------------------------------------------------------------------------- */

struct task_filter {
	struct ranges ranges;
	unsigned states;    /* bit mask of 1 << enum task_state; 0: all */
	const char *label;  /* exact; NULL: any */
	int64_t after;      /* n > after */
	size_t limit;       /* 0: no limit */
};

struct job_filter {
	const char *pattern; /* glob over ids; NULL: all */
	const char *user;    /* NULL: any */
	const char *cluster; /* NULL: any */
	unsigned states;     /* bit mask of 1 << enum job_state; 0: open, killing, over */
	int64_t before;      /* bound < before, for paging newest first; 0: from the newest */
	bool untold;         /* only those that are not told */
	size_t limit;
};

struct reset_request {
	int64_t job;
	struct ranges ranges;
	unsigned states;   /* bit mask of ended states to take */
	const char *owner; /* also CLAIMED and ENDED ones held by this node; NULL: none */
	const char *class; /* JSON of the class to move to; NULL: keep */
	uint64_t op;
	int64_t after;     /* in: continue behind this n; out: last n looked at */
	size_t limit;      /* tasks a call, 1..10000 */
	int64_t count;     /* out: tasks moved by this call */
	bool more;         /* out: call again */
};

struct event {
	int64_t seq, t, job, n; /* n 0: of the job; job 0: of a node */
	const char *kind, *text;
};

/* Callbacks: 0 goes on, 1 stops (the call returns 0), -1 fails (err is not touched). */
typedef int (*job_fn)(void *ctx, const struct job *job);
typedef int (*task_fn)(void *ctx, const struct task *task);
typedef int (*attempt_fn)(void *ctx, const struct attempt *attempt);
typedef int (*node_fn)(void *ctx, const struct node *node);
typedef int (*count_fn)(void *ctx, const char *label, int64_t count);
typedef int (*asked_fn)(void *ctx, int64_t k, const char *text);
typedef int (*event_fn)(void *ctx, const struct event *event);

struct queue_ops {
	const char *name;

	/* Inserts a job nobody sees (`submitting`); *born is its uid. */
	int (*submit_begin)(struct queue *q, const struct job_new *j, int64_t *born,
			    struct err *err);
	/* Adds tasks first, first+1, ...; at most 50 ms of write lock at a time. Repeating a call
	 * for rows that are there is not an error. */
	int (*submit_add)(struct queue *q, int64_t born, int64_t first, const struct task_new *t,
			  size_t count, struct err *err);
	/* One conditional write makes it visible. BIND_TAKEN: another job has the id, or one that
	 * was begun later had it (attempts are ordered by born: ours could never be published);
	 * BIND_HELD: the job to replace has claimed tasks; BIND_GONE: own job was removed. */
	int (*submit_bind)(struct queue *q, const struct bind *b, struct err *err);
	/* Removes a job that is still `submitting`, rows and all. */
	int (*submit_abort)(struct queue *q, int64_t born, struct err *err);

	/* 1 found, 0 none. The caller releases *out. By id: open, killing or over ones. By uid:
	 * any. Last: the one this user bound last, of those in sight. */
	int (*job_by_id)(struct queue *q, const char *id, struct job *out, struct err *err);
	int (*job_get)(struct queue *q, int64_t born, struct job *out, struct err *err);
	int (*job_last)(struct queue *q, const char *user, struct job *out, struct err *err);
	int (*jobs)(struct queue *q, const struct job_filter *f, job_fn fn, void *ctx,
		    struct err *err);
	int (*task_get)(struct queue *q, int64_t job, int64_t n, struct task *out, struct err *err);
	/* In order of n; a row written during the walk may be seen before or after. */
	int (*tasks)(struct queue *q, int64_t job, const struct task_filter *f, task_fn fn,
		     void *ctx, struct err *err);
	int (*attempts)(struct queue *q, int64_t job, int64_t n, attempt_fn fn, void *ctx,
			struct err *err);
	/* Attempt k; k == 0: the accepted one, or else the last one there is: 1 found, 0 none. */
	int (*attempt_get)(struct queue *q, int64_t job, int64_t n, int64_t k, struct attempt *out,
			   struct err *err);
	/* The `asked` texts of accepted verdicts on this task, by attempt. */
	int (*asked)(struct queue *q, int64_t job, int64_t n, asked_fn fn, void *ctx,
		     struct err *err);
	/* How many tasks of this job have failed with this attempt_signature() since they were
	 * submitted or last reset, up to `limit` (<= SAME_MAX): O(that). */
	int (*same)(struct queue *q, int64_t job, int64_t signature, int64_t limit, int64_t *count,
		    struct err *err);
	/* Ages of all nodes of the job's cluster, those that are gone included, added up over the
	 * time in which the job was open. Lost nodes count until their rows go. */
	int (*node_time)(struct queue *q, int64_t job, int64_t now, int64_t *ms, struct err *err);
	/* Since when (wall ms, about) the task waits that has waited longest, of those whose pause
	 * is over; 0: none waits. O(1). */
	int (*waiting_since)(struct queue *q, int64_t job, int64_t now, int64_t *since,
			     struct err *err);
	/* Accepted attempts that ended within `window_ms` before the newest end of all. */
	int (*recent)(struct queue *q, int64_t window_ms, attempt_fn fn, void *ctx,
		      struct err *err);
	/* Count by label, O(labels); open tasks count as "pending" and "claimed". */
	int (*counts)(struct queue *q, int64_t job, count_fn fn, void *ctx, struct err *err);
	int (*nodes)(struct queue *q, const char *cluster, node_fn fn, void *ctx, struct err *err);
	/* Tasks in CLAIMED or ENDED of a node, over all jobs. */
	int (*held)(struct queue *q, const char *node, task_fn fn, void *ctx, struct err *err);
	int (*events)(struct queue *q, int64_t job, int64_t after, event_fn fn, void *ctx,
		      struct err *err);
	/* e->seq is given by the queue; e->t 0: now. The last 20,000 events are kept. */
	int (*event_add)(struct queue *q, const struct event *e, struct err *err);
	/* A number that moves when another handle or process committed something. */
	int64_t (*change)(struct queue *q);
	/* Random name of this queue, for ever the same: 32 hex digits. */
	const char *(*uuid)(struct queue *q);

	/* ---- nodes ---- */

	/* Inserts a live node. With `first` it is refused (returns 0) while another
	 * first node of this cluster is live; 1 when it stands. */
	int (*node_register)(struct queue *q, const struct node *n, bool first, uint64_t op,
			     struct err *err);
	/* beat + 1. 1: *state is the node's state as stored; 0: the row is gone. A lost node's
	 * beat does not move. */
	int (*beat)(struct queue *q, const char *node, uint64_t op, enum node_state *state,
		    struct err *err);
	/* CAS of the state at version v (0: whatever it is, as long as the transition is legal).
	 * 1 done, 0 refused. */
	int (*node_move)(struct queue *q, const char *node, int64_t v, enum node_event ev,
			 uint64_t op, struct err *err);
	/* A reaper's policy asked for one more lease: waits + 1 at version v; refused at 3. */
	int (*node_wait)(struct queue *q, const char *node, int64_t v, uint64_t op,
			 struct err *err);
	/* Replaces info of a live node (a message, say). */
	int (*node_info)(struct queue *q, const char *node, const char *info, struct err *err);
	/* Deletes a leaving or lost node that holds nothing. 1 done (or gone), 0 it holds tasks or
	 * is neither. */
	int (*node_delete)(struct queue *q, const char *node, struct err *err);

	/* ---- tasks ---- */

	/* Claims up to req->max tasks in order of (priority, submission, n); the node's own row is
	 * rewritten in the same commit, and must be live: ERR_CONFLICT when it is not (draining,
	 * lost, gone). Returns how many. */
	int (*claim)(struct queue *q, const struct claim_request *req, struct claimed *out,
		     struct claim_reply *reply, struct err *err);
	/* CLAIMED -> PENDING for tasks that were not run to an end; `cause` is RELEASED (counts
	 * for nothing) or PREEMPTED (counts as free). `memory`: bytes the node still has set aside
	 * afterwards, for its row; -1: as it was. */
	int (*release)(struct queue *q, const char *node, enum cause cause, struct release *r,
		       size_t n, int64_t memory, uint64_t op, struct err *err);
	/* Stores outcomes: each at its version, each accepted or refused by itself, in one commit.
	 * The task of a job that is being killed is refused. `memory` as above. */
	int (*finish)(struct queue *q, const char *node, struct outcome *o, size_t n,
		      int64_t memory, uint64_t op, struct err *err);
	/* asks + 1 of an ENDED task before its hook is asked again; 1, or 0: moved on or at 2. */
	int (*ask_again)(struct queue *q, int64_t job, int64_t n, int64_t *v, uint64_t op,
			 struct err *err);
	/* Applies verdicts, each at its version, in one commit. COMPLETE accepts the attempt; FAIL
	 * does, too, when a result was staged (result_sha256), so that its output is published.
	 * LOSE and LOSE_FAIL need the task's node to be lost; LOSE becomes LOSE_FAIL with label
	 * failed(lost) at the LOST_MAX-th time. Everything is refused unless the job is open.
	 *
	 * Classes are JSON objects in a list of the job's row, of at most CLASSES_MAX; where there
	 * is no place for `class` the task gets `second` and `second_note`, and where there is none
	 * for that either, or nothing is said, it keeps the class it has. One with a member `avoid`
	 * (the id of the node that shall not make the next attempt: it is for those who claim to
	 * respect that, this side does not) is added while there are fewer than CLASSES_AVOID_MAX,
	 * so that they leave room for others, and then takes the place of one that differs only
	 * in having a node to avoid that is lost or gone. `avoid` is for one attempt: RETRY and
	 * reset, keeping the class, move a task to the same class without it.
	 *
	 * An accepted row with `stop` moves the job to `killing` in the same commit, after all
	 * rows: who dies then leaves a job that anyone goes on to kill. A job that this commit
	 * ends is not stopped. */
	int (*verdict)(struct queue *q, struct verdict_row *r, size_t n, uint64_t op,
		       struct err *err);

	/* ---- jobs ---- */

	/* CAS of the job's state; rev + 1. 1 done, 0 refused. JOB_EV_END checks that no task is
	 * open, JOB_EV_REMOVE that none is held (and, unless force, none pending). */
	int (*job_move)(struct queue *q, int64_t job, enum job_event ev, bool force, uint64_t op,
			struct err *err);
	/* Up to `limit` open tasks become killed; *count how many. With no ranges the job must be
	 * `killing`; with ranges it stays as it is and rev moves. *more: call again. */
	int (*kill)(struct queue *q, int64_t job, const struct ranges *r, size_t limit, uint64_t op,
		    int64_t *count, bool *more, struct err *err);
	int (*reset)(struct queue *q, struct reset_request *r, struct err *err);
	int (*job_told)(struct queue *q, int64_t job, uint64_t op, struct err *err);
	/* Deletes the rows of a `removed` job in batches; *more: call again. */
	int (*job_delete)(struct queue *q, int64_t job, size_t limit, bool *more, struct err *err);

	void (*close)(struct queue *q);
};

struct queue {
	const struct queue_ops *ops;
};

/* Thin wrappers, so that nobody writes q->ops->x(q, ...): see queue_inline.h. */
#include "queue/queue_inline.h"

/*
 * The SQLite implementation: one file on a local file system (ERR_CONFIG for a network one), WAL,
 * schema versioned and migrated. A newer schema is ERR_CONFIG naming both versions; a file that
 * is no database is ERR_CONFIG; locked for more than `busy_ms` is ERR_BUSY.
 *
 * A queue of an older schema is migrated when no node of it lives. Living ones are told to drain,
 * `notice` says for whom it waits; when they have not left after `busy_ms` it is ERR_BUSY, unless
 * `patient`.
 * Readers do not wait: they read what is there.
 */
struct queue_sqlite_options {
	const char *path;
	int64_t busy_ms;  /* how long to wait for the write lock; 0: 30,000 */
	bool create;
	bool read_only;   /* reading commands; no migration */
	int64_t lease_ms; /* a registered node that holds the write lock so long is killed; 0:
			     10,000 */
	/* One line for the user while opening takes long; NULL: nobody to tell. */
	void (*notice)(void *ctx, const char *text);
	void *ctx;
	bool patient;     /* waits for nodes of an older schema as long as it takes */
	bool fast;        /* never waits for the disk (tests, simulators): no durability at all */
};
struct queue *queue_sqlite_open(const struct queue_sqlite_options *o, struct err *err);

#endif
