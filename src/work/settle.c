#include "work/settle.h"

#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "model/publication.h"
#include "work/asked.h"

enum { KILL_BATCH = 10000 };

static void note_broken(const struct settler *s, const struct policy_view *v,
			const struct err *why)
{
	struct err err = ERR_INIT;
	const struct event e = {
		.t = clock_wall_ms(), .job = v->task->job, .n = v->task->n,
		.kind = "policy_error", .text = why->text,
	};

	log_warn("Task %s.%lld: the policy failed: %s", v->job->id,
		 (long long)v->task->n, why->text);
	(void)queue_event_add(s->q, &e, &err);
	events_task(s->events, s->q, e.kind, v, why->text);
}

void settle_ask(const struct settler *s, const struct policy_view *v, const struct node *lost,
		struct policy_verdict *verdict, struct buf *asked)
{
	struct policy *p = s->policy;
	struct err err = ERR_INIT;
	bool bounded;
	int ret = 0;

	*verdict = (struct policy_verdict){ .action = POLICY_FAIL };
	/* asked twice already: somebody died of asking, or with it */
	if (!p || (!lost && v->task->asks >= ASKS_MAX)) {
		policy_stock(v, verdict);
	} else {
		ret = lost ? policy_task_lost(p, v, lost, verdict, &err) :
			     policy_task_failed(p, v, verdict, &err);
		if (ret < 0) {
			note_broken(s, v, &err);
			free(verdict->class);
			policy_stock(v, verdict);
		} else if (*verdict->trouble) {
			(void)err_set(&err, ERR_SCRIPT, "%s", verdict->trouble);
			note_broken(s, v, &err);
		}
	}
	policy_clamp(v, verdict);
	if (asked && *v->job->policy)
		asked_begin(asked, v, lost, verdict, ret < 0 ? err.text : NULL);
	bounded = policy_bound(s->q, v, verdict);
	if (asked && *v->job->policy)
		asked_end(asked, bounded ? verdict->note : NULL);
}

/* What one row is judged by, and the verdict. */
struct question {
	struct policy_view view;
	struct policy_verdict verdict;
	struct buf class, asked;
	struct buf elsewhere;          /* the class to move to, when it is for another node */
	char second_note[REASON_SIZE]; /* if there is no place for the class; "": as it is */
};

/* Where a class is to be made for which there is no place. */
static void second_note(struct question *q, const char *what, int most)
{
	const char *note = q->verdict.note;

	(void)snprintf(q->second_note, sizeof(q->second_note),
		       "%.*s%s%s: the job has %d classes of resources already",
		       (int)sizeof(q->second_note) - 100, note,
		       *note ? ", but " : "", what, most);
}

/* RETRY: which class the task gets. */
static void fill_class(const struct settle_row *r, struct question *q, struct verdict_row *out)
{
	struct policy_verdict *v = &q->verdict;
	struct class class;
	struct err err = ERR_INIT;

	out->class = v->class;
	if (v->class)
		second_note(q, "with what it had", CLASSES_MAX);
	if (v->elsewhere && *r->attempt->node &&
	    class_parse_json(v->class ? v->class : q->class.p, &class, &err) == 0) {
		(void)snprintf(class.avoid, sizeof(class.avoid), "%s", r->attempt->node);
		class_add_json(&q->elsewhere, &class);
		out->class = q->elsewhere.p;
		out->second = v->class;
		second_note(q, "on any node", CLASSES_AVOID_MAX);
	}
	out->second_note = *q->second_note ? q->second_note : NULL;
}

static void fill(const struct settle_row *r, struct question *q, struct verdict_row *out,
		 int64_t now)
{
	struct policy_verdict *v = &q->verdict;

	*out = (struct verdict_row){
		.job = r->task.job, .n = r->task.n, .v = r->task.v,
		.label = r->attempt->label, .reason = r->attempt->reason, .note = v->note,
	};
	out->stop = v->stop && v->action != POLICY_RETRY;
	switch (v->action) {
	case POLICY_RETRY:
		out->event = TASK_EV_RETRY;
		out->free = v->free;
		out->due = v->after_ms ? now + v->after_ms : 0;
		fill_class(r, q, out);
		return;
	case POLICY_COMPLETE:
		out->event = TASK_EV_COMPLETE;
		out->success = true;
		return;
	case POLICY_FAIL:
	case POLICY_WAIT:
		break;
	}
	out->event = str_starts(out->label, "complete(") ? TASK_EV_COMPLETE : TASK_EV_FAIL;
}

static void publish(struct queue *q, struct settle_row *r)
{
	struct err err = ERR_INIT;
	int ret;

	if (jobctx_results(r->ctx, q, &err) <= 0)
		return;
	if (r->event == TASK_EV_RETRY || !*r->attempt->result_sha256)
		ret = results_drop(r->ctx->results, r->task.n, r->task.attempt,
				   r->event == TASK_EV_RETRY, &err);
	else
		ret = results_publish(r->ctx->results, r->task.n, r->task.attempt, &err);
	r->unpublished = ret < 0;
	if (ret < 0)
		log_warn("Task %s.%lld: %s", r->ctx->job.id, (long long)r->task.n, err.text);
}

int settle_kill(struct queue *q, int64_t born, struct err *err)
{
	bool more = true;
	int64_t count;
	struct job job;
	int ret;

	while (more)
		if (queue_kill(q, born, NULL, KILL_BATCH, id_u64(), &count, &more, err) < 0)
			return -1;
	if (queue_job_move(q, born, JOB_EV_END, false, id_u64(), err) < 0)
		return -1;
	ret = queue_job_get(q, born, &job, err);
	if (ret <= 0)
		return ret;
	ret = job.state == JOB_OVER;
	job_release(&job);
	return ret;
}

/* The job of a verdict that said so: from here on anyone would go on with it. */
static void stop_job(struct queue *q, struct settle_row *r, const char *note)
{
	struct err err = ERR_INIT;
	int ret;

	r->stopped = true;
	log_warn("Job %s is stopped after task %lld: %s", r->ctx->job.id, (long long)r->task.n,
		 note);
	ret = settle_kill(q, r->task.job, &err);
	if (ret > 0)
		r->over = true;
	else if (ret < 0)
		log_warn("Job %s: %s", r->ctx->job.id, err.text);
}

/* How many tasks of the job failed as this one did, if its policy wants to know. */
static int64_t count_same(const struct settler *s, const struct settle_row *r)
{
	struct err err = ERR_INIT;
	int64_t count = 0;

	if (!*r->ctx->job.policy || !(policy_wants(s->policy, &r->ctx->job) & POLICY_SAME))
		return 0; /* the stock one does not */
	if (queue_same(s->q, r->task.job, attempt_signature(r->attempt), SAME_MAX, &count,
		       &err) < 0)
		log_warn("Task %s.%lld: %s", r->ctx->job.id, (long long)r->task.n, err.text);
	return MAX(count, 1); /* this one */
}

static void ask_row(const struct settler *s, const struct settle_row *r, struct question *q,
		    struct verdict_row *out, int64_t now)
{
	*q = (struct question){ .class = BUF_INIT, .asked = BUF_INIT, .elsewhere = BUF_INIT };
	jobctx_class_json(r->ctx, r->task.class, &q->class);
	q->view = (struct policy_view){
		.job = &r->ctx->job, .task = &r->task, .attempt = r->attempt,
		.retries = jobctx_retries(r->ctx, r->task.class), .class = q->class.p,
		.parameters = r->params ? r->params : "", .same = count_same(s, r),
	};
	settle_ask(s, &q->view, NULL, &q->verdict, &q->asked);
	fill(r, q, out, now);
	out->asked = q->asked.n ? q->asked.p : NULL;
}

/* The task is what the verdict made of it. */
static void tell_row(const struct settler *s, const struct verdict_row *r, const struct question *q)
{
	struct policy_view view = q->view;
	struct task now = *view.task;
	int state = task_next(TASK_ENDED, r->event, r->success);
	const char *kind;

	now.v++;
	now.state = (enum task_state)state;
	if (r->event == TASK_EV_RETRY) {
		kind = "task_retried";
		now.tries += !r->free;
		now.free += r->free;
		now.due = r->due;
		(void)snprintf(now.label, sizeof(now.label), "pending");
	} else {
		kind = state == TASK_SUCCEEDED ? "task_succeeded" : "task_failed";
		now.acc = now.attempt;
		(void)snprintf(now.label, sizeof(now.label), "%s", r->label);
		(void)snprintf(now.reason, sizeof(now.reason), "%s", r->reason ? r->reason : "");
	}
	view.task = &now;
	events_task(s->events, s->q, kind, &view, r->noted_second ? r->second_note : r->note);
}

/* Others decided. */
static void row_refused(const struct settler *s, const struct settle_row *r)
{
	struct err why = ERR_INIT;

	if (jobctx_results(r->ctx, s->q, &why) > 0 &&
	    settle_stage(s->q, r->ctx->results, r->task.job, r->task.n, r->task.attempt, &why) < 0)
		log_debug("task %lld: %s", (long long)r->task.n, why.text);
}

int settle(const struct settler *s, struct settle_row *rows, size_t n, struct err *err)
{
	struct verdict_row *out = xcalloc(n, sizeof(*out));
	struct question *asked = xcalloc(n, sizeof(*asked));
	int64_t now = clock_wall_ms(), stopped = 0;
	int ret;

	for (size_t i = 0; i < n; i++)
		ask_row(s, &rows[i], &asked[i], &out[i], now);
	ret = queue_verdict(s->q, out, n, id_u64(), err);
	for (size_t i = 0; ret >= 0 && i < n; i++) {
		rows[i].event = out[i].event;
		rows[i].answer = out[i].answer;
		rows[i].over = out[i].over;
		rows[i].due = out[i].event == TASK_EV_RETRY ? MAX(out[i].due, 1) : 0;
		rows[i].elsewhere = asked[i].verdict.elsewhere;
		if (out[i].answer != ANSWER_ACCEPTED) {
			row_refused(s, &rows[i]);
			continue;
		}
		publish(s->q, &rows[i]);
		if (out[i].stopped && rows[i].task.job != stopped) {
			stopped = rows[i].task.job;
			stop_job(s->q, &rows[i], out[i].note);
		}
		tell_row(s, &out[i], &asked[i]);
	}
	for (size_t i = 0; i < n; i++) {
		free(asked[i].verdict.class);
		buf_release(&asked[i].class);
		buf_release(&asked[i].asked);
		buf_release(&asked[i].elsewhere);
	}
	free(asked);
	free(out);
	return ret < 0 ? -1 : 0;
}

int settle_stage(struct queue *q, struct results *r, int64_t born, int64_t n, int64_t k,
		 struct err *err)
{
	struct task t;
	enum stage_fate fate;
	char *path;
	int ret;

	ret = queue_task_get(q, born, n, &t, err);
	if (ret < 0)
		return -1;
	fate = stage_fate(ret ? &t : NULL, k);
	/* nobody accepted it, but what a killed task said is worth reading */
	if (ret && t.state == TASK_KILLED && t.attempt == k)
		fate = STAGE_PUBLISH;
	if (fate == STAGE_LEAVE)
		return 1;
	if (fate == STAGE_PUBLISH) {
		/* a stage without result.json is no result: its node died before it was whole */
		int there = results_locate(r, n, k, &path, err);

		free(path);
		if (there)
			return there < 0 || results_publish(r, n, k, err) < 0 ? -1 : 0;
		if (t.state == TASK_KILLED)
			return 1; /* its node may be about to write it */
	}
	return results_drop(r, n, k, ret > 0, err);
}
