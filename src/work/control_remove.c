/* Forgetting a job: results that count are published, the rest goes, then the rows. */
#include "work/control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"
#include "base/str.h"
#include "base/vec.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "work/results.h"

enum { BATCH = 5000 };

static const char marker[] = ".kubeque";

struct open_count {
	int64_t pending, claimed;
};

static int see_count(void *ctx, const char *label, int64_t count)
{
	struct open_count *o = ctx;

	if (strcmp(label, "pending") == 0)
		o->pending = count;
	else if (strcmp(label, "claimed") == 0)
		o->claimed = count;
	return 0;
}

static int refuse(const struct control *c, const struct job *job, struct err *err)
{
	struct open_count o = { .pending = 0 };

	if (queue_counts(c->queue, job->born, see_count, &o, err) < 0)
		return -1;
	if (o.claimed)
		return err_set(err, ERR_CONFLICT, "job %s has %lld running task%s: kill it first "
			       "(kubeque kill %s)", job->id, (long long)o.claimed,
			       o.claimed == 1 ? "" : "s", job->id);
	if (o.pending)
		return err_set(err, ERR_CONFLICT, "job %s has %lld task%s that still wait%s: "
			       "--force forgets it nevertheless", job->id, (long long)o.pending,
			       o.pending == 1 ? "" : "s", o.pending == 1 ? "s" : "");
	return err_set(err, ERR_CONFLICT, "job %s is being changed by another command: try again",
		       job->id);
}

/* Makes the job `removed`, or finds it so. 1, 0: no such job, -1. */
static int mark(const struct control *c, int64_t born, bool force, struct job *job,
		struct err *err)
{
	for (int i = 0;; i++) {
		int ret = queue_job_get(c->queue, born, job, err);

		if (ret <= 0 || job->state == JOB_REMOVED)
			return ret;
		ret = queue_job_move(c->queue, born, JOB_EV_REMOVE, force, id_u64(), err);
		if (ret != 0)
			return ret;
		if (i == 3)
			return refuse(c, job, err);
		job_release(job);
		*job = (struct job){ .born = 0 };
	}
}

/* ---- results ---------------------------------------------------------------------------- */

struct stage {
	int64_t n, k;
};
struct stages {
	VEC(struct stage) v;
};

static int see_stage(void *ctx, int64_t n, int64_t k)
{
	struct stages *s = ctx;

	*vec_push(&s->v) = (struct stage){ n, k };
	return 0;
}

/* What the queue accepted is published; everything else that is staged counts for nothing. */
static int settle_stages(const struct control *c, int64_t born, struct results *r, struct err *err)
{
	struct stages s = { .v = { 0 } };
	int ret = results_staged(r, see_stage, &s, err);

	for (size_t i = 0; i < s.v.n && ret == 0; i++) {
		struct stage *g = &s.v.p[i];
		struct task t;
		int found;

		found = signals_check(err) < 0 ? -1 :
			queue_task_get(c->queue, born, g->n, &t, err);
		if (found < 0)
			ret = -1;
		else if (found && t.acc == g->k)
			ret = results_publish(r, g->n, g->k, err) < 0 ? -1 : 0;
		else
			ret = results_drop(r, g->n, g->k, false, err) < 0 ? -1 : 0;
	}
	vec_release(&s.v);
	return ret;
}

static int remove_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	(void)ctx;
	if (e->depth == 0)
		return WALK_GO_ON;
	if (strcmp(e->name, marker) != 0 && file_rmtree(e->dirfd, e->name, err) < 0)
		return -1;
	return WALK_SKIP;
}

/* The marker goes last: as long as it is there, whoever goes on knows whose directory it is. A new
 * job of this name may have moved the directory aside meanwhile and have its own in the old place,
 * so nothing is removed by path but an empty directory. */
static int remove_results(const struct results *r, struct err *err)
{
	char self[40], path[PATH_MAX];
	ssize_t n;

	if (file_walk(results_fd(r), ".", WALK_NO_STAT, remove_entry, NULL, err) < 0)
		return -1;
	if (unlinkat(results_fd(r), marker, 0) < 0 && errno != ENOENT)
		return err_sys(err, "cannot remove %s/%s", results_dir(r), marker);
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", results_fd(r));
	n = readlink(self, path, sizeof(path) - 1);
	if (n < 0)
		return err_sys(err, "cannot find %s", results_dir(r));
	path[n] = '\0';
	if (rmdir(path) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, "cannot remove %s", results_dir(r));
	return 0;
}

static int settle_results(const struct control *c, const struct job *job, bool results,
			  struct err *err)
{
	const struct results_id id = { queue_uuid(c->queue), job->born, job->id };
	json_t *info = json_loads(job->info ? job->info : "{}", 0, NULL);
	const char *dir = json_string_value(json_object_get(info, "results"));
	struct results *r = NULL;
	int ret = 0, found = 0;

	if (dir && dir[0] == '/')
		found = results_find(dir, &id, &r, err);
	if (found > 0 && results)
		ret = remove_results(r, err);
	else if (found > 0 && (ret = settle_stages(c, job->born, r, err)) == 0)
		ret = file_rmtree(results_fd(r), ".attempts", err) < 0 ? -1 : 0;
	results_close(r);
	json_decref(info);
	return found < 0 ? -1 : ret;
}

int control_remove(const struct control *c, int64_t born, bool force, bool results,
		   struct err *err)
{
	struct job job = { .born = 0 };
	int ret = mark(c, born, force, &job, err);
	bool more = true;

	if (ret == 0)
		ret = err_set(err, ERR_NOT_FOUND, "the job is gone");
	if (ret < 0)
		goto out;
	control_ring_nodes(c);
	ret = settle_results(c, &job, results, err);
	while (ret == 0 && more)
		ret = signals_check(err) < 0 ? -1 :
		      queue_job_delete(c->queue, born, BATCH, &more, err);
	control_ring_watchers(c, born);
out:
	job_release(&job);
	return ret;
}
