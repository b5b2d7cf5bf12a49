#include "work/events.h"

#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "work/deliver.h"

struct events {
	struct policy *policy;
	struct deliver *deliver;
};

struct events *events_new(const struct events_options *o)
{
	const struct deliver_options d = { .home = o->home, .program = o->program,
					   .log_fd = o->log_fd };
	struct events *e = xcalloc(1, sizeof(*e));

	e->policy = o->policy;
	e->deliver = deliver_new(&d);
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	deliver_free(e->deliver);
	free(e);
}

int64_t events_step(struct events *e)
{
	return e ? deliver_step(e->deliver) : -1;
}

bool events_idle(const struct events *e)
{
	return !e || deliver_idle(e->deliver);
}

/* ---- what commands find in their environment ---- */

static void add_text(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	if (out->n > 1)
		buf_addch(out, ',');
	buf_addf(out, "\"KQ_%s\":", name);
	buf_add_json(out, value, strlen(value));
}

static void add_number(struct buf *out, const char *name, int64_t value)
{
	if (out->n > 1)
		buf_addch(out, ',');
	buf_addf(out, "\"KQ_%s\":\"%lld\"", name, (long long)value);
}

static void env_add_json(const struct policy_event *e, struct buf *out)
{
	const struct policy_view *v = e->view;

	buf_addch(out, '{');
	add_text(out, "EVENT", e->kind);
	add_number(out, "EVENT_TIME", e->time);
	add_text(out, "JOB", e->job->id);
	add_text(out, "EVENT_TEXT", e->text);
	if (v) {
		add_number(out, "TASK", v->task->n);
		add_text(out, "LABEL", v->task->label);
	}
	if (v && v->attempt) {
		add_number(out, "ATTEMPT", v->attempt->k);
		add_text(out, "NODE", v->attempt->node);
		if (v->attempt->exit_code >= 0)
			add_number(out, "EXIT_CODE", v->attempt->exit_code);
	}
	buf_addch(out, '}');
}

/* ---- asking ---- */

bool events_wanted(struct policy *p, const struct job *job)
{
	return *job->policy && (policy_wants(p, job) & POLICY_EVENT);
}

/* on_event broke: noted, and not told to on_event. */
static void note_broken(struct queue *q, const struct policy_event *e, const struct err *why)
{
	const struct event row = {
		.t = e->time, .job = e->job->born, .n = e->view ? e->view->task->n : 0,
		.kind = "policy_error", .text = why->text,
	};
	struct err err = ERR_INIT;

	log_warn("Job %s: the policy failed at %s: %s", e->job->id, e->kind, why->text);
	if (queue_event_add(q, &row, &err) < 0)
		log_debug("history: %s", err.text);
}

static int ask(struct policy *p, struct queue *q, const struct policy_event *e, struct buf *env,
	       struct buf *effects, struct err *err)
{
	int ret = policy_event(p, e, effects, err);

	if (ret < 0)
		note_broken(q, e, err);
	if (effects->n)
		env_add_json(e, env);
	return ret;
}

void events_task(struct events *e, struct queue *q, const char *kind, const struct policy_view *v,
		 const char *text)
{
	const struct policy_event event = {
		.kind = kind, .time = clock_wall_ms(), .job = v->job, .view = v,
		.text = text && *text ? text : NULL,
	};
	struct buf env = BUF_INIT, effects = BUF_INIT;
	struct err err = ERR_INIT;

	if (!e || !events_wanted(e->policy, v->job))
		return;
	(void)ask(e->policy, q, &event, &env, &effects, &err);
	if (effects.n)
		deliver_add(e->deliver, v->job->born, v->job->id, env.p, effects.p);
	buf_release(&env);
	buf_release(&effects);
}

int events_over(struct events *e, struct queue *q, const struct job *job, struct err *err)
{
	if (!e || !events_wanted(e->policy, job))
		return queue_job_told(q, job->born, id_u64(), err);
	deliver_over(e->deliver, job->born, 0);
	return 0;
}

static int add_count(void *ctx, const char *label, int64_t count)
{
	struct buf *out = ctx;

	if (out->n > 1)
		buf_addch(out, ',');
	buf_add_json(out, label, strlen(label));
	buf_addf(out, ":%lld", (long long)count);
	return 0;
}

int events_ask_over(struct policy *p, struct queue *q, const struct job *job, struct buf *env,
		    struct buf *effects, struct err *err)
{
	struct policy_event event = { .kind = "job_ended", .time = job->ended, .job = job,
				      .text = job->stopped };
	struct buf counts = BUF_INIT;
	int ret;

	buf_addch(&counts, '{');
	ret = queue_counts(q, job->born, add_count, &counts, err);
	buf_addch(&counts, '}');
	event.counts = counts.p;
	if (ret >= 0)
		ret = ask(p, q, &event, env, effects, err);
	buf_release(&counts);
	return ret;
}
