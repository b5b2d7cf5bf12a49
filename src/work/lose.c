/* The tasks of a node that is gone: asked about, then given back or settled. */
#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "work/reaper_impl.h"
#include "work/settle.h"

enum { SWEEP_ROUNDS = 100 };

struct held {
	VEC(struct task) v;
};

static int add_task(void *ctx, const struct task *t)
{
	struct held *h = ctx;

	*vec_push(&h->v) = *t;
	return 0;
}

static char *params_of(struct jobctx *c, int64_t n)
{
	struct arena a = ARENA_INIT;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	struct task_spec spec;

	if (jobctx_task(c, n, &a, &spec, &err) == 0 && spec.parameters.n)
		pairs_add_json(&out, &spec.parameters);
	arena_release(&a);
	return buf_detach(&out);
}

static void lost_attempt(const struct task *t, struct attempt *a)
{
	*a = (struct attempt){
		.job = t->job, .n = t->n, .k = t->attempt, .cause = CAUSE_LOST, .exit_code = -1,
		.ended = clock_wall_ms(),
	};
	(void)snprintf(a->node, sizeof(a->node), "%s", t->node);
	(void)snprintf(a->label, sizeof(a->label), "lost");
}

static struct settler settler_of(const struct reaper *r, struct queue *q)
{
	return (struct settler){ .q = q, .policy = r->opt.policy, .events = r->opt.events };
}

/* A task that was running on a lost node, as its policy sees it. */
struct lost_view {
	struct policy_view v;
	struct attempt a;
	struct buf class;
	char *params;
};

static void lost_view_init(struct lost_view *l, struct jobctx *c, const struct task *t)
{
	*l = (struct lost_view){ .class = BUF_INIT, .params = params_of(c, t->n) };
	lost_attempt(t, &l->a);
	jobctx_class_json(c, t->class, &l->class);
	l->v = (struct policy_view){
		.job = &c->job, .task = t, .attempt = &l->a, .class = l->class.p,
		.retries = jobctx_retries(c, t->class), .parameters = l->params,
	};
}

static void lost_view_release(struct lost_view *l)
{
	buf_release(&l->class);
	free(l->params);
}

/* Before the node is marked: any "wait" gives it one more lease. 1 go on, 0 wait, -1. */
int lose_may(struct reaper *r, struct queue *q, const struct node *n, struct err *err)
{
	struct held h = { 0 };
	bool wait = false;
	int ret;

	ret = queue_held(q, n->id, add_task, &h, err);
	for (size_t i = 0; ret >= 0 && i < h.v.n && !wait; i++) {
		const struct task *t = &h.v.p[i];
		const struct settler s = settler_of(r, q);
		struct policy_verdict verdict;
		struct err why = ERR_INIT;
		struct lost_view l;
		struct jobctx *c;

		if (t->state != TASK_CLAIMED ||
		    jobctx_get(r->jobs, q, t->job, t->class, &c, &why) <= 0)
			continue;
		lost_view_init(&l, c, t);
		settle_ask(&s, &l.v, n, &verdict, NULL);
		wait = verdict.action == POLICY_WAIT;
		free(verdict.class);
		lost_view_release(&l);
	}
	vec_release(&h.v);
	if (ret >= 0 && wait)
		ret = queue_node_wait(q, n->id, n->v, id_u64(), err);
	if (ret >= 0 && wait && ret > 0)
		return 0;
	return ret < 0 ? -1 : 1;
}

/* The verdict is stored: what came of it. */
static void tell_lost(const struct settler *s, const struct verdict_row *v,
		      const struct policy_view *before)
{
	struct policy_view view = *before;
	struct err err = ERR_INIT;
	struct task now;

	if (v->stopped) {
		log_warn("Job %s is stopped after task %lld: %s", view.job->id, (long long)v->n,
			 v->note);
		(void)settle_kill(s->q, v->job, &err); /* who comes next goes on */
	}
	if (!s->events || queue_task_get(s->q, v->job, v->n, &now, &err) <= 0)
		return;
	view.task = &now;
	events_task(s->events, s->q, "task_lost", &view, v->note);
}

static int lose_claimed(struct reaper *r, struct queue *q, const struct task *t,
			const struct node *n, struct err *err)
{
	struct verdict_row v = { .job = t->job, .n = t->n, .v = t->v, .event = TASK_EV_LOSE,
				 .label = "failed(lost)", .reason = "lost" };
	const struct settler s = settler_of(r, q);
	struct policy_verdict verdict = { .action = POLICY_RETRY };
	struct lost_view l = { .class = BUF_INIT };
	struct buf asked = BUF_INIT;
	struct err why = ERR_INIT;
	struct jobctx *c = NULL;
	int ret;

	if (jobctx_get(r->jobs, q, t->job, t->class, &c, &why) > 0) {
		lost_view_init(&l, c, t);
		settle_ask(&s, &l.v, n, &verdict, &asked);
	}
	if (verdict.action == POLICY_FAIL || verdict.action == POLICY_COMPLETE)
		v.event = TASK_EV_LOSE_FAIL;
	v.note = verdict.note;
	v.stop = verdict.stop;
	v.class = verdict.class;
	v.asked = asked.n ? asked.p : NULL;
	v.due = verdict.after_ms ? clock_wall_ms() + verdict.after_ms : 0;
	ret = queue_verdict(q, &v, 1, id_u64(), err);
	if (ret >= 0 && v.answer == ANSWER_ACCEPTED && l.v.job)
		tell_lost(&s, &v, &l.v);
	free(verdict.class);
	buf_release(&asked);
	lost_view_release(&l);
	return ret < 0 ? -1 : v.answer == ANSWER_ACCEPTED;
}

/* Nobody can be asked (the manifest is damaged, or the record is gone): it failed as it says. */
static int fail_ended(struct queue *q, const struct task *t, const struct attempt *a,
		      const struct err *why, struct err *err)
{
	struct verdict_row v = { .job = t->job, .n = t->n, .v = t->v, .event = TASK_EV_FAIL };

	if (*a->label) {
		v.label = a->label;
		v.reason = a->reason;
		v.event = str_starts(a->label, "complete(") ? TASK_EV_COMPLETE : TASK_EV_FAIL;
	}
	v.note = why->code ? why->text : NULL;
	return queue_verdict(q, &v, 1, id_u64(), err) < 0 ? -1 : v.answer == ANSWER_ACCEPTED;
}

/* An outcome is stored and its asker is dead: asked again once, then the stock verdict. */
static int settle_ended(struct reaper *r, struct queue *q, const struct task *t, struct err *err)
{
	struct attempt a = { 0 };
	struct settle_row row = { .task = *t, .attempt = &a };
	const struct settler s = settler_of(r, q);
	struct err why = ERR_INIT;
	struct jobctx *c;
	char *params;
	int ret, known;

	known = queue_attempt_get(q, t->job, t->n, t->attempt, &a, err);
	if (known < 0)
		return -1;
	ret = jobctx_get(r->jobs, q, t->job, t->class, &c, &why);
	if (ret == 0)
		goto out;
	if (ret < 0 || !known) {
		ret = fail_ended(q, t, &a, &why, err);
		goto out;
	}
	if (t->asks < ASKS_MAX) {
		ret = queue_ask_again(q, t->job, t->n, &row.task.v, id_u64(), err);
		if (ret <= 0)
			goto out;
	} /* else settle_ask() takes the stock verdict */
	params = params_of(c, t->n);
	row.ctx = c;
	row.params = params;
	ret = settle(&s, &row, 1, err);
	free(params);
	ret = ret < 0 ? -1 : row.answer == ANSWER_ACCEPTED;
out:
	attempt_release(&a);
	return ret;
}

static int sweep_one(struct reaper *r, struct queue *q, const struct task *t,
		     const struct node *n, struct err *err)
{
	struct job job = { 0 };
	int ret = queue_job_get(q, t->job, &job, err);
	bool killing = ret > 0 && job.state == JOB_KILLING;

	job_release(&job);
	if (ret < 0)
		return -1;
	if (killing)
		return settle_kill(q, t->job, err);
	return t->state == TASK_CLAIMED ? lose_claimed(r, q, t, n, err) :
					  settle_ended(r, q, t, err);
}

/* Until the node holds nothing. */
int lose_sweep(struct reaper *r, struct queue *q, const struct node *n, size_t *count,
		 struct err *err)
{
	for (int round = 0; round < SWEEP_ROUNDS; round++) {
		struct held h = { 0 };
		size_t left;
		int ret = queue_held(q, n->id, add_task, &h, err);

		left = h.v.n;
		*count = MAX(*count, left);
		/* one that cannot be dealt with keeps none of the others */
		for (size_t i = 0; i < left; i++)
			if (sweep_one(r, q, &h.v.p[i], n, err) < 0)
				ret = -1;
		vec_release(&h.v);
		if (ret < 0)
			return -1;
		if (!left)
			return 0;
	}
	return err_set(err, ERR_BUSY, "node %s still holds tasks", n->id);
}
