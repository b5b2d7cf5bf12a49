/* Small things that cleaning and counting need. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "work/clean_internal.h"

int clean_owner_of(const struct clean *c, int dirfd, const char *name, enum clean_owner *out,
		   struct err *err)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	json_t *root = NULL;
	const char *queue;
	struct job job;
	int ret;

	*out = CLEAN_NOBODY;
	buf_addf(&path, "%s/.kubeque", name);
	ret = file_read(dirfd, path.p, 4096, &text, err);
	if (ret <= 0) {
		if (ret < 0 && (err->code == ERR_USAGE || err->sys == EISDIR ||
				err->sys == ENOTDIR)) {
			*err = (struct err)ERR_INIT;
			ret = 0;
		}
		goto out;
	}
	ret = 0;
	root = json_loadb(text.p, text.n, 0, NULL);
	queue = json_string_value(json_object_get(root, "queue"));
	if (!queue)
		goto out;
	*out = CLEAN_OTHER;
	if (strcmp(queue, queue_uuid(c->queue)) != 0)
		goto out;
	*out = CLEAN_FORGOTTEN;
	ret = queue_job_get(c->queue, json_integer_value(json_object_get(root, "born")), &job, err);
	if (ret > 0) {
		*out = CLEAN_JOB;
		job_release(&job);
		ret = 0;
	}
out:
	json_decref(root);
	buf_release(&text);
	buf_release(&path);
	return ret;
}

/* ---- sums ------------------------------------------------------------------------------- */

static int measure_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct clean_sum *sum = ctx;

	if (e->type == DT_DIR)
		return signals_check(err) < 0 ? -1 : WALK_GO_ON;
	sum->files++;
	sum->bytes += e->st->st_size;
	return WALK_GO_ON;
}

int clean_measure(int dirfd, const char *path, struct clean_sum *out, struct err *err)
{
	if (file_walk(dirfd, path, 0, measure_entry, out, err) == 0)
		return 0;
	if (err->sys != ENOENT)
		return -1;
	*err = (struct err)ERR_INIT;
	return 0;
}

/* ---- jobs ------------------------------------------------------------------------------- */

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static int note_job(void *ctx, const struct job *job)
{
	struct clean_jobs *jobs = ctx;
	struct job *j = vec_push(&jobs->v);

	*j = *job;
	j->user = copy(job->user);
	j->cluster = copy(job->cluster);
	j->classes = copy(job->classes);
	j->info = copy(job->info);
	j->secret = NULL;
	return 0;
}

int clean_jobs(const struct clean *c, unsigned states, struct clean_jobs *out, struct err *err)
{
	struct job_filter filter = { .states = states };

	return queue_jobs(c->queue, &filter, note_job, out, err);
}

void clean_jobs_release(struct clean_jobs *j)
{
	for (size_t i = 0; i < j->v.n; i++)
		job_release(&j->v.p[i]);
	vec_release(&j->v);
}

char *clean_job_info(const struct job *j, const char *key)
{
	json_t *root = json_loads(j->info ? j->info : "{}", 0, NULL);
	char *value = copy(json_string_value(json_object_get(root, key)));

	json_decref(root);
	return value;
}

/* ---- names ------------------------------------------------------------------------------ */

static int note_name(void *ctx, const struct walk_entry *e, struct err *err UNUSED)
{
	struct clean_names *n = ctx;

	if (e->depth == 0)
		return WALK_GO_ON;
	*vec_push(&n->v) = xstrdup(e->name);
	return WALK_SKIP;
}

int clean_names(int dirfd, const char *path, struct clean_names *out, struct err *err)
{
	if (file_walk(dirfd, path, WALK_SORT | WALK_NO_STAT, note_name, out, err) == 0)
		return 0;
	if (err->sys != ENOENT && err->sys != ENOTDIR)
		return -1;
	*err = (struct err)ERR_INIT;
	return 0;
}

void clean_names_release(struct clean_names *n)
{
	for (size_t i = 0; i < n->v.n; i++)
		free(n->v.p[i]);
	vec_release(&n->v);
}
