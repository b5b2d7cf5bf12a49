/* Claiming: how many of which class, by the room there is and by how long tasks take. */
#include <errno.h>
#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "work/committer_impl.h"
#include "work/settle.h"

/* ---- what one task of a class needs ---- */

static void parse_need(struct job_need *n, const struct job *job)
{
	struct err err = ERR_INIT;

	free(n->classes);
	n->classes = xstrdup(job->classes ? job->classes : "[]");
	n->n = classes_parse_json(n->classes, n->class, CLASSES_MAX, &err);
	if (n->n < 0) {
		log_warn("Job %s: %s", job->id, err.text);
		n->n = 0;
	}
}

static struct job_need *need_of(struct committer *c, const struct job *job)
{
	enum { KEEP = 64 };
	struct job_need *n = NULL;

	for (size_t i = 0; i < c->needs.n && !n; i++)
		if (c->needs.p[i]->born == job->born)
			n = c->needs.p[i];
	if (n && strcmp(n->classes, job->classes ? job->classes : "[]") == 0)
		return n;
	if (!n) {
		if (c->needs.n >= KEEP) {
			free(c->needs.p[0]->classes);
			free(c->needs.p[0]);
			memmove(&c->needs.p[0], &c->needs.p[1],
				(c->needs.n - 1) * sizeof(*c->needs.p));
			c->needs.n--;
		}
		n = xcalloc(1, sizeof(*n));
		n->born = job->born;
		*vec_push(&c->needs) = n;
	}
	parse_need(n, job);
	return n;
}

void share_cpus(struct resources *need, int64_t jobs, const struct resources *cap)
{
	if (jobs > 0)
		need->cpu = MIN(need->cpu, MAX(cap->cpu / jobs, 1));
}

/* Work of PREFETCH_MS for every slot that such tasks can have, if they are short. */
static size_t prefetch_of(struct committer *c, const struct job *job, const struct resources *need)
{
	struct jobctx *ctx = jobctx_peek(c->jobs, job->born);
	int64_t mean_us = ctx ? atomic_load(&ctx->mean_us) : 0;
	size_t slots, each;

	if (mean_us <= 0 || mean_us > PREFETCH_TASK_MS * 1000)
		return 0;
	slots = resources_count(need, &c->opt.cap, PREFETCH_MAX);
	each = (size_t)(PREFETCH_MS * 1000 / mean_us);
	return MIN(slots * MAX(each, 1), (size_t)PREFETCH_MAX);
}

static bool class_need(struct committer *c, const struct job *job, int class,
		       struct resources *out)
{
	const struct job_need *n = need_of(c, job);
	const struct jobctx *ctx = jobctx_peek(c->jobs, job->born);

	if (class < 0 || class >= n->n)
		return false;
	*out = n->class[class].r;
	if (ctx)
		share_cpus(out, ctx->jobs, &c->opt.cap);
	return resources_fit(out, &c->opt.cap);
}

/* Memory is the machine's, counted once for all its nodes. */
static void others(void *ctx, int64_t memory)
{
	struct committer *c = ctx;

	c->claim_free = c->claim_room->free;
	c->claim_unstarted = c->claim_room->unstarted;
	c->claim_memory = 0;
	c->claim_free.memory -= memory;
}

static int64_t memory_held(void *ctx)
{
	const struct committer *c = ctx;

	return c->memory_held + c->claim_memory;
}

static bool left_to_others(struct committer *c, const struct job *job, int class)
{
	const struct class *k = &need_of(c, job)->class[class];
	const struct jobctx *ctx;

	if (!*k->avoid)
		return false;
	ctx = jobctx_peek(c->jobs, job->born);
	return elsewhere_waits(c, k, ctx ? ctx->jobs : 0);
}

static size_t want(void *ctx, const struct job *job, int class, size_t left)
{
	struct committer *c = ctx;
	struct resources need;
	size_t now, ahead;

	if (!class_need(c, job, class, &need) || left_to_others(c, job, class))
		return 0;
	now = resources_count(&need, &c->claim_free, left);
	ahead = prefetch_of(c, job, &need);
	ahead = ahead > c->claim_unstarted ? ahead - c->claim_unstarted : 0;
	return MIN(now + ahead, left);
}

static size_t at_once(void *ctx, const struct job *job, int class, size_t left)
{
	struct committer *c = ctx;
	struct resources need;

	return class_need(c, job, class, &need) ? resources_count(&need, &c->claim_free, left) : 0;
}

static void took(void *ctx, const struct job *job, int class, size_t count)
{
	struct committer *c = ctx;
	struct resources need;
	size_t now;

	if (!class_need(c, job, class, &need))
		return;
	now = resources_count(&need, &c->claim_free, count);
	resources_sub(&c->claim_free, &need, (int64_t)now);
	c->claim_unstarted += count;
	c->claim_memory += need.memory * (int64_t)count;
}

/* ---- tasks of a job that cannot be loaded ---- */

/* The manifest is damaged or gone, wherever the job runs; anything that the system refused (full
 * disk, no permission, too many open files) may be well elsewhere, or later. */
static bool is_jobs_fault(const struct err *why)
{
	return (!why->sys || why->sys == ENOENT) && why->code != ERR_BUSY &&
	       why->code != ERR_NOSPACE;
}

/* Nothing can be run without the manifest: the task fails for good. */
static void fail_unloadable(struct committer *c, const struct claimed *t, const struct err *why)
{
	struct outcome o = { .v = t->v };
	struct verdict_row v = { .event = TASK_EV_FAIL, .job = t->job, .n = t->n };
	struct err err = ERR_INIT;
	int64_t pause = 0;

	o.a = (struct attempt){ .job = t->job, .n = t->n, .k = t->attempt,
				.cause = CAUSE_MISSING_INPUT, .exit_code = -1,
				.started = clock_wall_ms(), .ended = clock_wall_ms() };
	(void)snprintf(o.a.node, sizeof(o.a.node), "%s", c->node);
	(void)snprintf(o.a.reason, sizeof(o.a.reason), "%.*s", REASON_SIZE - 1, why->text);
	label_failed(o.a.label, "missing input (the job's manifest)");
	for (uint64_t op = id_u64(); queue_finish(c->q, c->node, &o, 1, -1, op, &err) < 0;)
		if (!committer_pause(c, &pause, &err))
			return;
	if (o.answer != ANSWER_ACCEPTED)
		return;
	v.v = o.v;
	v.label = o.a.label;
	v.reason = o.a.reason;
	for (uint64_t op = id_u64(); queue_verdict(c->q, &v, 1, op, &err) < 0;)
		if (!committer_pause(c, &pause, &err))
			return;
	watch_ring(c, t->job, v.over);
}

static void give_back(struct committer *c, const struct claimed *t)
{
	struct release r = { .job = t->job, .n = t->n, .v = t->v };
	struct err err = ERR_INIT;
	int64_t pause = 0;

	for (uint64_t op = id_u64();
	     queue_release(c->q, c->node, CAUSE_RELEASED, &r, 1, -1, op, &err) < 0;)
		if (!committer_pause(c, &pause, &err))
			return;
}

static struct run *run_of(struct committer *c, const struct claimed *t)
{
	struct err err = ERR_INIT;
	struct jobctx *ctx;
	struct run *r;
	int ret = jobctx_get(c->jobs, c->q, t->job, t->class, &ctx, &err);

	if (ret == 0) { /* the job was removed or replaced: nobody wants it */
		give_back(c, t);
		return NULL;
	}
	if (ret < 0) {
		log_error("Task %lld of job %lld: %s", (long long)t->n, (long long)t->job,
			  err.text);
		if (is_jobs_fault(&err)) {
			fail_unloadable(c, t, &err);
		} else {
			committer_note_trouble(c, &err);
			give_back(c, t);
		}
		return NULL;
	}
	r = run_new(t, ctx);
	share_cpus(&r->need, ctx->jobs, &c->opt.cap);
	c->memory_held += r->need.memory;
	r->born_ns = r->claimed_ns = clock_mono_ns();
	return r;
}

/* ---- one claim ---- */

static void deliver(struct committer *c, struct run *list, size_t count, size_t dropped,
		    const struct claim_reply *reply, bool refused)
{
	pthread_mutex_lock(&c->lock);
	*c->claimed_tail = list;
	while (*c->claimed_tail)
		c->claimed_tail = &(*c->claimed_tail)->next;
	c->news.claim_done = true;
	c->news.claim_count = count;
	c->news.claim_dropped = dropped;
	c->news.pending_left = reply->pending_left;
	c->news.next_due = MIN(c->news.next_due, reply->next_due);
	c->news.refused |= refused;
	pthread_mutex_unlock(&c->lock);
}

void claim_none(struct committer *c)
{
	const struct claim_reply reply = { .next_due = INT64_MAX };

	deliver(c, NULL, 0, 0, &reply, false);
}

void claim_some(struct committer *c, const struct claim_room *room)
{
	struct claim_reply reply = { .next_due = INT64_MAX };
	struct claimed out[CLAIM_MAX];
	struct claim_request req = {
		.node = c->node, .op = id_u64(), .seq = c->claims, .max = CLAIM_MAX,
		.now = clock_wall_ms(), .ctx = c, .others = others, .want = want, .room = at_once,
		.took = took, .memory = memory_held,
	};
	struct run *list = NULL, **tail = &list;
	struct err err = ERR_INIT;
	size_t dropped = 0;
	int got;

	c->claim_room = room;
	others(c, 0);
	elsewhere_begin(c);
	got = queue_claim(c->q, &req, out, &reply, &err);
	if (got < 0 && err.code != ERR_CONFLICT)
		c->claims = -1; /* how many the queue counted is not known any more */
	if (got < 0 && err.code == ERR_BUSY) /* it may have happened: the same again tells */
		got = queue_claim(c->q, &req, out, &reply, &err);
	if (got < 0) {
		reply = (struct claim_reply){ .next_due = INT64_MAX };
		if (err.code != ERR_CONFLICT) {
			log_warn("Cannot claim tasks: %s", err.text);
			committer_note_trouble(c, &err);
			reply.pending_left = true;
		}
		deliver(c, NULL, 0, 0, &reply, err.code == ERR_CONFLICT);
		return;
	}
	elsewhere_end(c, &reply);
	if (got > 0 && c->claims >= 0)
		c->claims++;
	for (int i = 0; i < got; i++) {
		struct run *r = run_of(c, &out[i]);

		if (!r) {
			dropped++;
			continue;
		}
		*tail = r;
		tail = &r->next;
	}
	if (dropped) /* the memory that was set aside for them */
		(void)queue_release(c->q, c->node, CAUSE_RELEASED, NULL, 0, c->memory_held,
				    id_u64(), &err);
	deliver(c, list, (size_t)got, dropped, &reply, false);
}
