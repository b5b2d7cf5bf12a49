/* The ends of a node's life, as its row tells them: PROTOCOL "Leave". */
#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/vec.h"
#include "work/committer_impl.h"

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
	return f->found || ++f->looked > 50;
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
	const struct task_filter tf = { .states = 1 << TASK_PENDING, .limit = 64 };
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

enum committer_leave leave_store(struct committer *c, bool drained)
{
	struct err err = ERR_INIT;
	int64_t pause = 0;
	int ret;

	while ((ret = queue_node_move(c->q, c->node, 0, NODE_EV_LEAVE, id_u64(), &err)) < 0)
		if (!committer_pause(c, &pause, &err))
			return LEAVE_FAILED;
	/* whoever submits writes the job first and reads the nodes then: one of us two sees it */
	if (ret > 0 && !drained && work_left(c) &&
	    queue_node_move(c->q, c->node, 0, NODE_EV_STAY, id_u64(), &err) > 0)
		return LEAVE_STAY;
	pause = 0;
	while ((ret = queue_node_delete(c->q, c->node, &err)) < 0)
		if (!committer_pause(c, &pause, &err))
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
