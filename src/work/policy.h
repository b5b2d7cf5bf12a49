#ifndef WORK_POLICY_H
#define WORK_POLICY_H
/*
 * The seam between mechanism and policy. The consumer, the reaper and submissions call these;
 * script/ implements them with Lua, policy_stock() here is the last resort in C. No hook runs
 * inside a transaction or under a lock; every answer is bounded by policy_clamp() and applied by
 * compare-and-swap, so a hook may be wrong, late or killed without losing a task.
 *
 * One `struct policy` stands for the policies of all jobs (a router): each call names its job, and
 * `job->policy` says which bundle decides. A policy belongs to one thread at a time.
 */
#include "base/buf.h"
#include "base/err.h"
#include "model/task.h"

/* Which hooks a job's policy has: what is absent costs nothing. */
enum {
	POLICY_FAILED = 1, /* on_task_failed */
	POLICY_LOST = 2,   /* on_task_lost */
	POLICY_SCALE = 4,  /* scale */
	POLICY_EVENT = 8,  /* on_event */
	POLICY_SUBMIT = 16, /* on_submit */
	POLICY_SAME = 32,  /* its on_task_failed reads attempt.same: fill view.same */
};

/* What a hook sees: copies. */
struct policy_view {
	const struct job *job;
	const struct task *task;
	const struct attempt *attempt;
	int retries;            /* what --retries allows for this task */
	const char *class;      /* JSON of the task's resource class */
	const char *parameters; /* JSON object, "" when there are none */
	/* How many tasks of the job failed in the same way (same label, same last line of output),
	 * this one included; 0: not counted, because POLICY_SAME was not asked for. */
	int64_t same;
};

/* FAIL: the outcome stands as it is, whatever its label (complete(code=3), failed(timeout)).
 * COMPLETE: the attempt counts as a success in spite of its code. WAIT: only for a lost node. */
enum policy_action { POLICY_RETRY, POLICY_FAIL, POLICY_COMPLETE, POLICY_WAIT };

struct policy_verdict {
	enum policy_action action;
	int64_t after_ms;  /* RETRY: pause before the next attempt, <= 24 h */
	bool free;         /* RETRY: not counted against retries, at most FREE_MAX times */
	bool elsewhere;    /* RETRY: by another node than this attempt's, while there is one that
			    * can; of a lost task it goes without saying */
	bool stop;         /* FAIL, COMPLETE: and then the rest of the job is killed, for `note` */
	char *class;       /* RETRY: JSON of another class, owned; NULL: the same */
	char note[REASON_SIZE]; /* one sentence for `explain`: why */
	/* Something that is no verdict, for the history (a policy_error): one policy of several is
	 * broken or off, another decided. "": nothing. */
	char trouble[REASON_SIZE];
};

struct policy_scale {
	const struct job *job;    /* whose policy is asked; NULL: the stock one */
	int64_t pending, running; /* tasks of the cluster that fit a node of its shape */
	int64_t nodes;            /* live ones */
	int64_t wanted;           /* --nodes of the job, 0: not said */
	int64_t oldest_pending_ms;
	int64_t node_ms;          /* ages of the cluster's nodes added up, ended ones too */
};

/* What happened; after the commit that made it so. */
struct policy_event {
	const char *kind; /* "task_succeeded", "task_failed", "task_retried", "task_lost",
			   * "job_ended", "policy_error" */
	int64_t time;     /* when, wall ms */
	const struct job *job;
	const struct policy_view *view; /* task_ kinds: task (as it is now), attempt; or NULL */
	const char *counts;             /* job_ended: JSON object label -> tasks; or NULL */
	const char *text;               /* what broke, or the verdict's note; or NULL */
};

struct policy;
/* Any of these may be NULL: absent. Call them by the wrappers below. */
struct policy_ops {
	const char *name;
	/* The POLICY_ bits of what this job's policy has. Cheap after the first call for a job
	 * (that may load a bundle). A policy that cannot be loaded has FAILED, LOST and EVENT, so
	 * that the next verdict or event says so. Absent: those of FAILED, LOST, SCALE that have
	 * an op. */
	unsigned (*wants)(struct policy *p, const struct job *job);
	/* After the outcome is stored, for every attempt that did not exit 0. 0 with *out filled;
	 * -1: the hook broke (err says how, with file and line): the caller uses policy_stock() and
	 * writes a policy_error into the history. out->class is owned by the caller after 0. */
	int (*task_failed)(struct policy *p, const struct policy_view *v,
			   struct policy_verdict *out, struct err *err);
	/* Before a node is marked lost, for a task it was running. RETRY, FAIL or WAIT. */
	int (*task_lost)(struct policy *p, const struct policy_view *v, const struct node *node,
			 struct policy_verdict *out, struct err *err);
	/* How many nodes to have; -1 in *target: no opinion. */
	int (*scale)(struct policy *p, const struct policy_scale *s, int64_t *target,
		     struct err *err);
	/* Before the first write of a submission. `job` is a JSON object (see submit_hook.h); *out
	 * becomes a changed copy (owned by the caller) or NULL: as it is. -1: ERR_USAGE it refused,
	 * ERR_SCRIPT it broke. */
	int (*submit)(struct policy *p, const char *job, char **out, struct err *err);
	/* Tells of an event. Appends to `effects` what shall be done outside, a JSON array (nothing
	 * when there is nothing to do), checked and in full:
	 *   [{"policy":"NAME","webhook":"http://...","body":"text","headers":{"K":"V"},
	 *     "timeout_ms":10000},
	 *    {"policy":"NAME","command":["argv",...],"stdin":"text","timeout_ms":10000}]
	 * A body or stdin that was a table is its JSON (for a body with a Content-Type header);
	 * where none was given it is the event.
	 * -1: a hook broke; effects holds what the other policies want. */
	int (*event)(struct policy *p, const struct policy_event *e, struct buf *effects,
		     struct err *err);
	void (*close)(struct policy *p);
};

struct policy {
	const struct policy_ops *ops;
};

/* ---- callers use these; p may be NULL: no policy, the stock one decides ---- */

static inline unsigned policy_wants(struct policy *p, const struct job *job)
{
	if (!p)
		return 0;
	if (p->ops->wants)
		return p->ops->wants(p, job);
	return (p->ops->task_failed ? POLICY_FAILED : 0u) | (p->ops->task_lost ? POLICY_LOST : 0u) |
	       (p->ops->scale ? POLICY_SCALE : 0u);
}

void policy_stock(const struct policy_view *v, struct policy_verdict *out);

static inline int policy_task_failed(struct policy *p, const struct policy_view *v,
				     struct policy_verdict *out, struct err *err)
{
	if (p && p->ops->task_failed)
		return p->ops->task_failed(p, v, out, err);
	policy_stock(v, out);
	return 0;
}

static inline int policy_task_lost(struct policy *p, const struct policy_view *v,
				   const struct node *node, struct policy_verdict *out,
				   struct err *err)
{
	if (p && p->ops->task_lost)
		return p->ops->task_lost(p, v, node, out, err);
	policy_stock(v, out);
	return 0;
}

static inline int policy_scale(struct policy *p, const struct policy_scale *s, int64_t *target,
			       struct err *err)
{
	*target = -1;
	return p && p->ops->scale ? p->ops->scale(p, s, target, err) : 0;
}

static inline int policy_submit(struct policy *p, const char *job, char **out, struct err *err)
{
	*out = NULL;
	return p && p->ops->submit ? p->ops->submit(p, job, out, err) : 0;
}

static inline int policy_event(struct policy *p, const struct policy_event *e,
			       struct buf *effects, struct err *err)
{
	return p && p->ops->event ? p->ops->event(p, e, effects, err) : 0;
}

static inline void policy_close(struct policy *p)
{
	if (p && p->ops->close)
		p->ops->close(p);
}

/* The stock verdict in C: what is used when a hook broke or was asked twice. Retries up to
 * v->retries with a growing pause, never for code 126 or 127; lost tasks are retried. */
void policy_stock(const struct policy_view *v, struct policy_verdict *out);
/* Brings a verdict within the law: attempts, free ones, delay, action legal for the state. */
void policy_clamp(const struct policy_view *v, struct policy_verdict *out);
/* And its class within what the nodes of the cluster have (this machine, when there are none): a
 * task that no node can take would wait for ever. One that ran out of memory and had all there is
 * is given up. True: the verdict was changed, and its note says so. */
struct queue;
bool policy_bound(struct queue *q, const struct policy_view *v, struct policy_verdict *out);

#endif
