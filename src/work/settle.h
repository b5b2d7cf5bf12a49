#ifndef WORK_SETTLE_H
#define WORK_SETTLE_H
/*
 * Verdicts: what becomes of an attempt whose outcome is stored (state 3) or whose node is lost.
 * The policy is asked outside of any transaction, its answer brought within the law and applied by
 * compare-and-swap; what the queue then holds is published. Callers: the committer of a node,
 * reapers.
 */
#include "base/err.h"
#include "queue/queue.h"
#include "work/events.h"
#include "work/jobctx.h"
#include "work/policy.h"

/* Who settles: all borrowed. */
struct settler {
	struct queue *q;
	struct policy *policy; /* NULL: stock */
	struct events *events; /* NULL: nobody is told */
};

struct settle_row {
	struct jobctx *ctx;            /* borrowed */
	struct task task;              /* ENDED, at its version */
	const struct attempt *attempt; /* borrowed */
	const char *params;            /* JSON of the parameters, NULL: none */
	/* out */
	enum task_event event;
	enum answer answer;
	bool over;                     /* this verdict ended the job, or stopped it to its end */
	bool stopped;                  /* this verdict stopped the job: nodes are to be rung */
	bool unpublished;              /* it counts, but could not be put in its place */
	int64_t due;                   /* RETRY: when, wall ms */
	bool elsewhere;                /* RETRY: other nodes are to be rung */
};

/* Asks for all rows, stores the verdicts in one commit, publishes or drops the stages of those
 * that were accepted, kills what they stopped. 0; -1: the queue was out of reach, call again
 * (hooks may be asked again). */
int settle(const struct settler *s, struct settle_row *rows, size_t n, struct err *err);

/* Goes on with a job that is being killed, until nothing of it is open; idempotent. 1: it is over
 * by this call, 0: it was not being killed, -1: whoever comes next goes on. */
int settle_kill(struct queue *q, int64_t born, struct err *err);

/* The answer of the policy (or the stock one, if it broke: then the history says so) for one
 * attempt. verdict->class is owned by the caller. When the job has a policy of its own, the record
 * of the question (work/asked.h) is appended to `asked`, unless that is NULL. */
void settle_ask(const struct settler *s, const struct policy_view *v, const struct node *lost,
		struct policy_verdict *verdict, struct buf *asked);

/*
 * What the queue says now of attempt k of task n, done to its stage: published when it counts,
 * dropped when it does not, left alone when that cannot be known (1) or when a killed attempt is
 * not whole yet (1). Idempotent; for attempts whose fate others decided. 0, 1 or -1.
 */
int settle_stage(struct queue *q, struct results *r, int64_t born, int64_t n, int64_t k,
		 struct err *err);

#endif
