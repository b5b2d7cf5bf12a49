/* Storing outcomes in groups: PROTOCOL "Finish". */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "sys/bell.h"
#include "work/committer_impl.h"
#include "work/settle.h"

enum { RING_EVERY_MS = 100, WATCHED_MAX = 256 };

/* ---- watchers ---- */

static void ring(struct committer *c, struct watched *w)
{
	char prefix[40];

	(void)snprintf(prefix, sizeof(prefix), "w.%lld.", (long long)w->born);
	(void)bell_ring_all(c->opt.bells_fd, prefix);
	w->rung_ns = clock_mono_ns();
	w->due = false;
}

void watch_ring(struct committer *c, int64_t born, bool over)
{
	struct watched *w = NULL;

	for (size_t i = 0; i < c->watched.n && !w; i++)
		if (c->watched.p[i].born == born)
			w = &c->watched.p[i];
	if (!w) {
		if (c->watched.n >= WATCHED_MAX)
			memmove(&c->watched.p[0], &c->watched.p[1],
				--c->watched.n * sizeof(*c->watched.p));
		w = vec_push(&c->watched);
		*w = (struct watched){ .born = born };
	}
	if (over || clock_mono_ns() - w->rung_ns >= (int64_t)RING_EVERY_MS * 1000000)
		ring(c, w);
	else
		w->due = true;
}

int64_t watch_due(struct committer *c)
{
	int64_t now = clock_mono_ns(), next = INT64_MAX;

	for (size_t i = 0; i < c->watched.n; i++) {
		struct watched *w = &c->watched.p[i];
		int64_t left = w->rung_ns + (int64_t)RING_EVERY_MS * 1000000 - now;

		if (!w->due)
			continue;
		if (left <= 0)
			ring(c, w);
		else
			next = MIN(next, left / 1000000 + 1);
	}
	return next;
}

/* ---- one group ---- */

struct group {
	VEC(struct run *) runs;      /* done, in this order in `out` */
	VEC(struct outcome) out;
	VEC(struct run *) ended;     /* stored, verdict open */
	VEC(struct run *) given;     /* to be released */
	VEC(struct run *) gone;      /* taken from us, or refused */
};

static void warn(const struct run *r, const struct err *err)
{
	log_warn("Task %s.%lld: %s", r->ctx->job.id, (long long)r->c.n, err->text);
}

static void drop(struct run *r)
{
	struct err err = ERR_INIT;

	if (r->staged &&
	    results_drop(r->ctx->results, r->c.n, r->c.attempt, false, &err) < 0)
		warn(r, &err);
}

/* It counts, but lies in its stage: tried again until it is where users look. */
static void publish_later(struct committer *c, struct run *r)
{
	*vec_push(&c->unpublished) = (struct unpublished){ jobctx_ref(r->ctx), r->c.n,
							   r->c.attempt };
}

void publish_again(struct committer *c)
{
	size_t keep = 0;

	for (size_t i = 0; i < c->unpublished.n; i++) {
		struct unpublished *u = &c->unpublished.p[i];
		struct err err = ERR_INIT;

		if (settle_stage(c->q, u->ctx->results, u->ctx->job.born, u->n, u->k, &err) < 0)
			c->unpublished.p[keep++] = *u;
		else
			jobctx_unref(u->ctx);
	}
	c->unpublished.n = keep;
}

static void publish(struct committer *c, struct run *r)
{
	struct err err = ERR_INIT;

	if (r->ctx->root.common.outputs != OUTPUTS_ALL && !*r->out.a.result_sha256) {
		drop(r); /* this one leaves no results */
	} else if (results_publish(r->ctx->results, r->c.n, r->c.attempt, &err) < 0) {
		warn(r, &err);
		publish_later(c, r);
	}
}

/* durability=power: what the commit will promise must be on the disk before it. */
static void flush_files(struct committer *c, const struct group *g)
{
	int last = -1;

	if (!c->opt.o->power)
		return;
	for (size_t i = 0; i < g->runs.n; i++) {
		int fd = results_fd(g->runs.p[i]->ctx->results);

		if (fd != last && syncfs(fd) < 0)
			log_warn("Results of job %s could not be flushed",
				 g->runs.p[i]->ctx->job.id);
		last = fd;
	}
}

static bool store(struct committer *c, struct group *g)
{
	struct err err = ERR_INIT;
	uint64_t op = id_u64();
	int64_t pause = 0;

	if (!g->out.n)
		return true;
	flush_files(c, g);
	while (queue_finish(c->q, c->node, g->out.p, g->out.n, c->memory_held, op, &err) < 0)
		if (!committer_pause(c, &pause, &err))
			return false;
	for (size_t i = 0; i < g->out.n; i++) {
		struct run *r = g->runs.p[i];
		const struct outcome *o = &g->out.p[i];

		r->out.v = o->v;
		r->out.answer = o->answer;
		if (o->answer != ANSWER_ACCEPTED)
			*vec_push(&g->gone) = r;
		else if (!o->success)
			*vec_push(&g->ended) = r;
		else
			publish(c, r);
	}
	/* who is told finds the results in their place */
	for (size_t i = 0; i < g->out.n; i++) {
		if (g->out.p[i].answer == ANSWER_ACCEPTED && g->out.p[i].success)
			tell_success(c, g->runs.p[i]);
		if (g->out.p[i].over)
			tell_over(c, g->runs.p[i]);
		watch_ring(c, g->runs.p[i]->c.job, g->out.p[i].over);
	}
	return true;
}

static bool judge(struct committer *c, struct group *g)
{
	struct err err = ERR_INIT;
	const struct settler s = { .q = c->q, .policy = committer_policy(c), .events = c->events };
	struct settle_row *rows;
	int64_t pause = 0;
	bool done = true, others = false;

	if (!g->ended.n)
		return true;
	rows = xcalloc(g->ended.n, sizeof(*rows));
	for (size_t i = 0; i < g->ended.n; i++) {
		struct run *r = g->ended.p[i];

		rows[i] = (struct settle_row){ .ctx = r->ctx, .attempt = &r->out.a,
					       .params = r->params_json };
		run_as_ended(c, r, &rows[i].task);
	}
	while (settle(&s, rows, g->ended.n, &err) < 0) {
		if (!committer_pause(c, &pause, &err)) {
			done = false;
			break;
		}
	}
	for (size_t i = 0; done && i < g->ended.n; i++) {
		if (rows[i].unpublished)
			publish_later(c, g->ended.p[i]);
		if (rows[i].stopped) /* others run tasks of it */
			(void)bell_ring_all(c->opt.bells_fd, "n.");
		others |= rows[i].elsewhere;
		if (rows[i].over)
			tell_over(c, g->ended.p[i]);
		watch_ring(c, rows[i].task.job, rows[i].over);
		if (rows[i].answer == ANSWER_ACCEPTED && rows[i].event == TASK_EV_RETRY)
			committer_note_due(c, rows[i].due);
	}
	if (others)
		elsewhere_wanted(c);
	free(rows);
	return done;
}

static bool give_back(struct committer *c, struct group *g)
{
	struct release *rows;
	struct err err = ERR_INIT;
	uint64_t op = id_u64();
	int64_t pause = 0;
	bool done = true;

	if (!g->given.n)
		return true;
	rows = xcalloc(g->given.n, sizeof(*rows));
	for (size_t i = 0; i < g->given.n; i++) {
		const struct run *r = g->given.p[i];

		rows[i] = (struct release){ .job = r->c.job, .n = r->c.n, .v = r->c.v,
					    .started = r->started_ns != 0 };
		if (*r->fault) {
			log_warn("Task %s.%lld was given back: %s", r->ctx->job.id,
				 (long long)r->c.n, r->fault);
			jobctx_forget(c->jobs, r->c.job); /* its results may have been moved */
			err_set(&err, r->nospace ? ERR_NOSPACE : ERR_IO, "%s", r->fault);
			committer_note_trouble(c, &err);
		}
	}
	while (done && queue_release(c->q, c->node, CAUSE_RELEASED, rows, g->given.n,
				     c->memory_held, op, &err) < 0)
		done = committer_pause(c, &pause, &err);
	for (size_t i = 0; done && i < g->given.n; i++) {
		watch_ring(c, rows[i].job, false);
		if (rows[i].answer == ANSWER_ACCEPTED)
			drop(g->given.p[i]);
		else
			*vec_push(&g->gone) = g->given.p[i];
	}
	free(rows);
	/* somebody else may have room for them */
	(void)bell_ring_all(c->opt.bells_fd, "n.");
	return done;
}

/* Ours still, but somebody removed what it left: it has to run again. */
static bool run_again(struct committer *c, const struct run *r, const struct task *t)
{
	struct release row = { .job = t->job, .n = t->n, .v = t->v, .started = true };
	struct err err = ERR_INIT;
	uint64_t op = id_u64();
	int64_t pause = 0;

	log_warn("Task %s.%lld was given back: %s", r->ctx->job.id, (long long)t->n,
		 *r->fault ? r->fault : "its files are gone");
	jobctx_forget(c->jobs, t->job);
	while (queue_release(c->q, c->node, CAUSE_RELEASED, &row, 1, c->memory_held, op, &err) < 0)
		if (!committer_pause(c, &pause, &err))
			return false;
	return true;
}

/* Others decided: what the queue says is done to the stage. */
static void follow(struct committer *c, struct run *r)
{
	struct err err = ERR_INIT;
	int64_t pause = 0;
	bool killed;
	struct task t;
	int ret;

	while ((ret = queue_task_get(c->q, r->c.job, r->c.n, &t, &err)) < 0)
		if (!committer_pause(c, &pause, &err))
			return;
	if (ret > 0 && t.state == TASK_CLAIMED && t.attempt == r->c.attempt &&
	    strcmp(t.node, c->node) == 0 && !run_again(c, r, &t))
		return;
	if (ret > 0 && t.state == TASK_KILLED && t.attempt == r->c.attempt && r->staged &&
	    run_restage_killed(r, &err) < 0)
		warn(r, &err);
	killed = ret > 0 && t.state == TASK_KILLED;
	ret = settle_stage(c->q, r->ctx->results, r->c.job, r->c.n, r->c.attempt, &err);
	if (ret > 0 && killed) /* and it leaves no results */
		drop(r);
	else if (ret < 0)
		warn(r, &err);
	watch_ring(c, r->c.job, false);
}

/* What a job's max_running held back may be claimed now, by this node as well. */
static void make_room(struct committer *c, const struct run *group)
{
	bool limited = false;

	for (const struct run *r = group; r && !limited; r = r->next)
		limited = r->ctx->job.max_running > 0;
	if (!limited)
		return;
	pthread_mutex_lock(&c->lock);
	c->news.look_again = true;
	pthread_mutex_unlock(&c->lock);
}

void commit_group(struct committer *c, struct run *group)
{
	struct group g = { 0 };
	bool done;

	for (struct run *r = group; r; r = r->next) {
		c->memory_held -= r->need.memory;
		if (r->state == RUN_DONE) {
			*vec_push(&g.runs) = r;
			*vec_push(&g.out) = r->out;
		} else if (r->state == RUN_GIVEN_BACK) {
			*vec_push(&g.given) = r;
		} else {
			*vec_push(&g.gone) = r;
		}
	}
	done = store(c, &g) && judge(c, &g) && give_back(c, &g);
	for (size_t i = 0; done && i < g.gone.n; i++)
		follow(c, g.gone.p[i]);
	vec_release(&g.runs);
	vec_release(&g.out);
	vec_release(&g.ended);
	vec_release(&g.given);
	vec_release(&g.gone);
	make_room(c, group);
	for (struct run *r = group, *next; r; r = next) {
		next = r->next;
		run_free(r);
	}
}
