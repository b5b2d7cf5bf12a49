#include "work/salvage.h"

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"
#include "base/log.h"
#include "base/vec.h"
#include "work/results.h"
#include "work/settle.h"

struct attempt_name {
	int64_t n, k;
};
struct staged {
	VEC(struct attempt_name) v;
};

static int add_staged(void *ctx, int64_t n, int64_t k)
{
	struct staged *s = ctx;

	*vec_push(&s->v) = (struct attempt_name){ n, k };
	return 0;
}

int salvage_results(struct queue *q, struct results *r, int64_t born, struct err *err)
{
	struct staged s = { 0 };
	int ret = results_staged(r, add_staged, &s, err);

	for (size_t i = 0; i < s.v.n && ret >= 0; i++)
		ret = settle_stage(q, r, born, s.v.p[i].n, s.v.p[i].k, err);
	vec_release(&s.v);
	return ret < 0 ? -1 : 0;
}

struct job_place {
	int64_t born;
	char id[JOB_ID_MAX + 1];
	char *dir;
};
struct places {
	VEC(struct job_place) v;
};

static int add_place(void *ctx, const struct job *job)
{
	struct places *p = ctx;
	json_error_t je;
	json_t *info = json_loads(job->info ? job->info : "", 0, &je);
	const char *dir = json_string_value(json_object_get(info, "results"));
	struct job_place *j;

	if (dir) {
		j = vec_push(&p->v);
		*j = (struct job_place){ .born = job->born, .dir = xstrdup(dir) };
		(void)snprintf(j->id, sizeof(j->id), "%s", job->id);
	}
	json_decref(info);
	return 0;
}

/* Stages of one job that were this node's, or that others have gone past. */
static void salvage_job(struct queue *q, const struct job_place *j, const char *node)
{
	const struct results_id id = { .queue = queue_uuid(q), .born = j->born, .job = j->id };
	struct results *res = NULL;
	struct staged s = { 0 };
	struct err err = ERR_INIT;
	struct task t;

	if (results_find(j->dir, &id, &res, &err) <= 0)
		return;
	if (results_staged(res, add_staged, &s, &err) < 0)
		log_debug("salvage of %s: %s", j->id, err.text);
	for (size_t i = 0; i < s.v.n; i++) {
		int64_t n = s.v.p[i].n, k = s.v.p[i].k;
		int ret = queue_task_get(q, j->born, n, &t, &err);
		bool its = ret > 0 && strcmp(t.node, node) == 0;

		if (ret > 0 && (its || t.attempt != k))
			ret = settle_stage(q, res, j->born, n, k, &err);
		/* nobody is about to write the rest of what a dead node's killed task left */
		if (ret > 0 && its && t.state == TASK_KILLED && t.attempt == k)
			ret = results_drop(res, n, k, true, &err);
		if (ret < 0)
			log_warn("Task %s.%lld: %s", j->id, (long long)n, err.text);
	}
	vec_release(&s.v);
	results_close(res);
}

void salvage_stages(struct queue *q, const char *cluster, const char *node)
{
	const struct job_filter f = { .cluster = cluster };
	struct places p = { 0 };
	struct err err = ERR_INIT;

	if (queue_jobs(q, &f, add_place, &p, &err) < 0)
		log_debug("salvage: %s", err.text);
	for (size_t i = 0; i < p.v.n; i++) {
		salvage_job(q, &p.v.p[i], node);
		free(p.v.p[i].dir);
	}
	vec_release(&p.v);
}
