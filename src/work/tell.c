/* What the committer tells policies, and how it looks after those who deliver it. */
#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "work/committer_impl.h"

void run_as_ended(const struct committer *c, const struct run *r, struct task *t)
{
	*t = (struct task){
		.job = r->c.job, .n = r->c.n, .v = r->out.v, .state = TASK_ENDED,
		.class = r->c.class, .attempt = r->c.attempt, .tries = r->c.tries,
		.free = r->c.free, .lost = r->c.lost, .asks = 1,
	};
	(void)snprintf(t->node, sizeof(t->node), "%s", c->node);
}

void tell_success(struct committer *c, struct run *r)
{
	struct buf class = BUF_INIT, params = BUF_INIT;
	struct task t;
	struct policy_view v = {
		.job = &r->ctx->job, .task = &t, .attempt = &r->out.a,
		.retries = jobctx_retries(r->ctx, r->c.class),
	};

	if (!events_wanted(committer_policy(c), v.job))
		return;
	run_as_ended(c, r, &t);
	t.state = TASK_SUCCEEDED;
	t.acc = t.attempt;
	t.asks = 0;
	(void)snprintf(t.label, sizeof(t.label), "%s", r->out.a.label);
	jobctx_class_json(r->ctx, r->c.class, &class);
	v.class = class.p;
	if (r->spec_ok && r->spec.parameters.n)
		pairs_add_json(&params, &r->spec.parameters);
	v.parameters = params.p;
	events_task(c->events, c->q, "task_succeeded", &v, NULL);
	buf_release(&class);
	buf_release(&params);
}

void tell_over(struct committer *c, const struct run *r)
{
	const struct job *job = &r->ctx->job;
	struct err err = ERR_INIT;

	jobctx_forget(c->jobs, job->born); /* its files and descriptors are of no more use */
	if (events_over(c->events, c->q, job, &err) < 0)
		log_debug("job %s: %s", job->id, err.text);
}

void tell_step(struct committer *c)
{
	int64_t ms = events_step(c->events);

	c->events_ns = ms < 0 ? INT64_MAX : clock_mono_ns() + ms * 1000000;
	atomic_store(&c->delivers, !events_idle(c->events));
}

bool committer_delivers(struct committer *c)
{
	return atomic_load(&c->delivers);
}
