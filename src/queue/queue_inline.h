#ifndef QUEUE_QUEUE_INLINE_H
#define QUEUE_QUEUE_INLINE_H
/* Included by queue.h only: one inline wrapper for each function of struct queue_ops. */
#include "queue/queue.h"

static inline int queue_submit_begin(struct queue *q, const struct job_new *j, int64_t *born,
	struct err *err)
{
	return q->ops->submit_begin(q, j, born, err);
}
static inline int queue_submit_add(struct queue *q, int64_t born, int64_t first, const struct
	task_new *t, size_t count, struct err *err)
{
	return q->ops->submit_add(q, born, first, t, count, err);
}
static inline int queue_submit_bind(struct queue *q, const struct bind *b, struct err *err)
{
	return q->ops->submit_bind(q, b, err);
}
static inline int queue_submit_abort(struct queue *q, int64_t born, struct err *err)
{
	return q->ops->submit_abort(q, born, err);
}
static inline int queue_job_by_id(struct queue *q, const char *id, struct job *out, struct err
	*err)
{
	return q->ops->job_by_id(q, id, out, err);
}
static inline int queue_job_get(struct queue *q, int64_t born, struct job *out, struct err
	*err)
{
	return q->ops->job_get(q, born, out, err);
}
static inline int queue_job_last(struct queue *q, const char *user, struct job *out, struct
	err *err)
{
	return q->ops->job_last(q, user, out, err);
}
static inline int queue_jobs(struct queue *q, const struct job_filter *f, job_fn fn, void
	*ctx, struct err *err)
{
	return q->ops->jobs(q, f, fn, ctx, err);
}
static inline int queue_task_get(struct queue *q, int64_t job, int64_t n, struct task *out,
	struct err *err)
{
	return q->ops->task_get(q, job, n, out, err);
}
static inline int queue_tasks(struct queue *q, int64_t job, const struct task_filter *f,
	task_fn fn, void *ctx, struct err *err)
{
	return q->ops->tasks(q, job, f, fn, ctx, err);
}
static inline int queue_attempts(struct queue *q, int64_t job, int64_t n, attempt_fn fn, void
	*ctx, struct err *err)
{
	return q->ops->attempts(q, job, n, fn, ctx, err);
}
static inline int queue_attempt_get(struct queue *q, int64_t job, int64_t n, int64_t k, struct
	attempt *out, struct err *err)
{
	return q->ops->attempt_get(q, job, n, k, out, err);
}
static inline int queue_asked(struct queue *q, int64_t job, int64_t n, asked_fn fn, void *ctx,
	struct err *err)
{
	return q->ops->asked(q, job, n, fn, ctx, err);
}
static inline int queue_recent(struct queue *q, int64_t window_ms, attempt_fn fn, void *ctx,
	struct err *err)
{
	return q->ops->recent(q, window_ms, fn, ctx, err);
}
static inline int queue_same(struct queue *q, int64_t job, int64_t signature, int64_t limit,
	int64_t *count, struct err *err)
{
	return q->ops->same(q, job, signature, limit, count, err);
}
static inline int queue_node_time(struct queue *q, int64_t job, int64_t now, int64_t *ms,
	struct err *err)
{
	return q->ops->node_time(q, job, now, ms, err);
}
static inline int queue_waiting_since(struct queue *q, int64_t job, int64_t now, int64_t *since,
	struct err *err)
{
	return q->ops->waiting_since(q, job, now, since, err);
}
static inline int queue_counts(struct queue *q, int64_t job, count_fn fn, void *ctx, struct
	err *err)
{
	return q->ops->counts(q, job, fn, ctx, err);
}
static inline int queue_nodes(struct queue *q, const char *cluster, node_fn fn, void *ctx,
	struct err *err)
{
	return q->ops->nodes(q, cluster, fn, ctx, err);
}
static inline int queue_held(struct queue *q, const char *node, task_fn fn, void *ctx, struct
	err *err)
{
	return q->ops->held(q, node, fn, ctx, err);
}
static inline int queue_events(struct queue *q, int64_t job, int64_t after, event_fn fn, void
	*ctx, struct err *err)
{
	return q->ops->events(q, job, after, fn, ctx, err);
}
static inline int queue_event_add(struct queue *q, const struct event *e, struct err *err)
{
	return q->ops->event_add(q, e, err);
}
static inline int64_t queue_change(struct queue *q)
{
	return q->ops->change(q);
}
static inline const char *queue_uuid(struct queue *q)
{
	return q->ops->uuid(q);
}
static inline int queue_node_register(struct queue *q, const struct node *n, bool first,
	uint64_t op, struct err *err)
{
	return q->ops->node_register(q, n, first, op, err);
}
static inline int queue_beat(struct queue *q, const char *node, uint64_t op, enum node_state
	*state, struct err *err)
{
	return q->ops->beat(q, node, op, state, err);
}
static inline int queue_node_move(struct queue *q, const char *node, int64_t v, enum
	node_event ev, uint64_t op, struct err *err)
{
	return q->ops->node_move(q, node, v, ev, op, err);
}
static inline int queue_node_wait(struct queue *q, const char *node, int64_t v, uint64_t op,
	struct err *err)
{
	return q->ops->node_wait(q, node, v, op, err);
}
static inline int queue_node_info(struct queue *q, const char *node, const char *info, struct
	err *err)
{
	return q->ops->node_info(q, node, info, err);
}
static inline int queue_node_delete(struct queue *q, const char *node, struct err *err)
{
	return q->ops->node_delete(q, node, err);
}
static inline int queue_claim(struct queue *q, const struct claim_request *req, struct claimed
	*out, struct claim_reply *reply, struct err *err)
{
	return q->ops->claim(q, req, out, reply, err);
}
static inline int queue_release(struct queue *q, const char *node, enum cause cause, struct
	release *r, size_t n, int64_t memory, uint64_t op, struct err *err)
{
	return q->ops->release(q, node, cause, r, n, memory, op, err);
}
static inline int queue_finish(struct queue *q, const char *node, struct outcome *o, size_t n,
	int64_t memory, uint64_t op, struct err *err)
{
	return q->ops->finish(q, node, o, n, memory, op, err);
}
static inline int queue_ask_again(struct queue *q, int64_t job, int64_t n, int64_t *v,
	uint64_t op, struct err *err)
{
	return q->ops->ask_again(q, job, n, v, op, err);
}
static inline int queue_verdict(struct queue *q, struct verdict_row *r, size_t n, uint64_t op,
	struct err *err)
{
	return q->ops->verdict(q, r, n, op, err);
}
static inline int queue_job_move(struct queue *q, int64_t job, enum job_event ev, bool force,
	uint64_t op, struct err *err)
{
	return q->ops->job_move(q, job, ev, force, op, err);
}
static inline int queue_kill(struct queue *q, int64_t job, const struct ranges *r, size_t
	limit, uint64_t op, int64_t *count, bool *more, struct err *err)
{
	return q->ops->kill(q, job, r, limit, op, count, more, err);
}
static inline int queue_reset(struct queue *q, struct reset_request *r, struct err *err)
{
	return q->ops->reset(q, r, err);
}
static inline int queue_job_told(struct queue *q, int64_t job, uint64_t op, struct err *err)
{
	return q->ops->job_told(q, job, op, err);
}
static inline int queue_job_delete(struct queue *q, int64_t job, size_t limit, bool *more,
	struct err *err)
{
	return q->ops->job_delete(q, job, limit, more, err);
}
static inline void queue_close(struct queue *q)
{
	if (q)
		q->ops->close(q);
}

#endif
