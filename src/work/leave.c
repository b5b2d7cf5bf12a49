/* The ends of a node's life, as its row tells them: PROTOCOL "Leave". */
#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/vec.h"
#include "work/committer_impl.h"

enum {
	LOOKED_MAX = 50,
	GIVE_UP_TRIES = 5, /* leaving while the queue is out of reach: others clear up then */
};

struct fitting {
	struct committer *c;
	struct queue *q;
	bool found;
	int64_t now;
	int looked;
	const struct job *job;
};

static int fits_task(void *ctx, const struct task *t)
{
	struct fitting *f = ctx;
	struct class classes[CLASSES_MAX];
	struct err err = ERR_INIT;
	int n = classes_parse_json(f->job->classes ? f->job->classes : "[]", classes, CLASSES_MAX,
				   &err);

	f->found = t->class < n && t->due <= f->now &&
		   resources_fit(&classes[t->class].r, &f->c->opt.cap);
	if (++f->looked >= LOOKED_MAX) /* who knows what comes behind them */
		f->found = true;
	return f->found;
}

struct job_list {
	VEC(int64_t) born;
};

static int list_job(void *ctx, const struct job *job)
{
	struct job_list *l = ctx;

	if (!job->max_running || job->running < job->max_running)
		*vec_push(&l->born) = job->born;
	return 0;
}

/* Is there anything this node could claim? On doubt yes. */
static bool work_left(struct committer *c)
{
	struct fitting f = { .c = c, .q = c->q, .now = clock_wall_ms() };
	const struct job_filter jf = { .cluster = c->opt.o->cluster, .states = 1 << JOB_OPEN };
	const struct task_filter tf = { .states = 1 << TASK_PENDING };
	struct job_list list = { 0 };
	struct err err = ERR_INIT;
	int ret = queue_jobs(c->q, &jf, list_job, &list, &err);

	for (size_t i = 0; ret >= 0 && i < list.born.n && !f.found; i++) {
		struct job job = { 0 };

		ret = queue_job_get(c->q, list.born.p[i], &job, &err);
		f.job = &job;
		f.looked = 0;
		if (ret > 0)
			ret = queue_tasks(c->q, job.born, &tf, fits_task, &f, &err);
		job_release(&job);
	}
	vec_release(&list.born);
	return f.found || ret < 0;
}

/* The main loop waits for this, so it ends: 1 done, 0 refused, -1 the queue is out of reach. */
static int move_self(struct committer *c, enum node_event ev)
{
	struct err err = ERR_INIT;
	uint64_t op = id_u64();
	int64_t pause = 0;
	int ret;

	for (int i = 1; (ret = queue_node_move(c->q, c->node, 0, ev, op, &err)) < 0; i++)
		if (i >= GIVE_UP_TRIES || !committer_pause(c, &pause, &err))
			return -1;
	return ret;
}

enum committer_leave leave_store(struct committer *c, bool drained)
{
	struct err err = ERR_INIT;
	int64_t pause = 0;
	int ret = move_self(c, NODE_EV_LEAVE);

	if (ret < 0) /* idle, but with work that nobody knows of: it lives on */
		return drained ? LEAVE_FAILED : LEAVE_STAY;
	/* whoever submits writes the job first and reads the nodes then: one of us two sees it */
	if (ret > 0 && !drained && work_left(c)) {
		ret = move_self(c, NODE_EV_STAY);
		if (ret != 0)
			return ret < 0 ? LEAVE_FAILED : LEAVE_STAY;
	}
	for (int i = 1; (ret = queue_node_delete(c->q, c->node, &err)) < 0; i++)
		if (i >= GIVE_UP_TRIES || !committer_pause(c, &pause, &err))
			return LEAVE_FAILED;
	return ret > 0 ? LEAVE_DONE : LEAVE_FAILED;
}

void leave_drain(struct committer *c)
{
	struct err err = ERR_INIT;
	int64_t pause = 0;

	while (queue_node_move(c->q, c->node, 0, NODE_EV_DRAIN, id_u64(), &err) < 0)
		if (!committer_pause(c, &pause, &err))
			return;
}
