#ifndef WORK_POLICY_H
#define WORK_POLICY_H
/*
 * The seam between mechanism and policy. The consumer and the reaper call these; script/
 * policy_lua.c implements them with Lua, policy_stock() here is the last resort in C. No hook
 * runs inside a transaction or under a lock; every answer is bounded by policy_clamp() and
 * applied by compare-and-swap, so a hook may be wrong, late or killed without losing a task.
 */
#include "base/err.h"
#include "model/task.h"

/* What a hook sees: copies. */
struct policy_view {
	const struct job *job;
	const struct task *task;
	const struct attempt *attempt;
	int retries;            /* what --retries allows for this task */
	const char *class;      /* JSON of the task's resource class */
	const char *parameters; /* JSON object, "" when there are none */
};

/* FAIL: the outcome stands as it is, whatever its label (complete(code=3), failed(timeout)).
 * COMPLETE: the attempt counts as a success in spite of its code. WAIT: only for a lost node. */
enum policy_action { POLICY_RETRY, POLICY_FAIL, POLICY_COMPLETE, POLICY_WAIT };

struct policy_verdict {
	enum policy_action action;
	int64_t after_ms;  /* RETRY: pause before the next attempt, <= 24 h */
	bool free;         /* RETRY: not counted against retries, at most FREE_MAX times */
	char *class;       /* RETRY: JSON of another class, owned; NULL: the same */
	char note[REASON_SIZE]; /* one sentence for `explain`: why */
};

struct policy_scale {
	int64_t pending, running; /* tasks of the cluster that fit a node of its shape */
	int64_t nodes;            /* live ones */
	int64_t wanted;           /* --nodes of the job, 0: not said */
	int64_t oldest_pending_ms;
};

struct policy;
struct policy_ops {
	const char *name;
	/* After the outcome is stored, for every attempt that did not exit 0. 0 with *out filled;
	 * -1: the hook broke (err says how): the caller uses policy_stock(). */
	int (*task_failed)(struct policy *p, const struct policy_view *v,
			   struct policy_verdict *out, struct err *err);
	/* Before a node is marked lost, for a task it was running. RETRY, FAIL or WAIT. */
	int (*task_lost)(struct policy *p, const struct policy_view *v, const struct node *node,
			 struct policy_verdict *out, struct err *err);
	/* How many nodes to have; -1 in *target: no opinion. */
	int (*scale)(struct policy *p, const struct policy_scale *s, int64_t *target,
		     struct err *err);
	void (*close)(struct policy *p);
};

struct policy {
	const struct policy_ops *ops;
};

/* The stock verdict in C: what is used when a hook broke or was asked twice. Retries up to
 * v->retries with a growing pause, never for code 126 or 127; lost tasks are retried. */
void policy_stock(const struct policy_view *v, struct policy_verdict *out);
/* Brings a verdict within the law: attempts, free ones, delay, action legal for the state. */
void policy_clamp(const struct policy_view *v, struct policy_verdict *out);

#endif
