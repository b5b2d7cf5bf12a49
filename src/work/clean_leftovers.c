/* What dead processes left: nodes, submissions, stages, temporary files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "cas/cas.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/signals.h"
#include "work/clean_internal.h"
#include "work/control.h"
#include "work/reaper.h"
#include "work/results.h"
#include "work/settle.h"

enum { SUBMITTING_MS = 3600 * 1000 }; /* nobody submits for so long without a sign of life */

/* One thing that cannot be removed does not keep the others. An interruption does. */
static int passed_over(const char *what, struct err *err)
{
	if (err->code == ERR_INTERRUPTED)
		return -1;
	log_warn("clean: %s: %s", what, err->text);
	*err = (struct err)ERR_INIT;
	return 0;
}

/* ---- nodes ------------------------------------------------------------------------------ */

/* Nobody holds the lock of this node: 1, 0 it lives (or cannot be known). */
static bool is_dead(int nodes_fd, const char *node)
{
	struct err err = ERR_INIT;
	char *name = xasprintf("%s.lock", node);
	int held = nodes_fd >= 0 ? lock_probe(nodes_fd, name, &err) : 0;

	free(name);
	return held == 0;
}

static int remove_work(const struct clean *c, int nodes_fd, struct err *err)
{
	char *work = c->work_dir ? xstrdup(c->work_dir) : xasprintf("%s/work", c->home);
	struct clean_names names = { 0 };
	int fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (fd < 0) {
		if (errno != ENOENT)
			ret = err_sys(err, "cannot open %s", work);
		goto out;
	}
	ret = clean_names(fd, ".", &names, err);
	for (size_t i = 0; ret == 0 && i < names.v.n; i++) {
		const char *name = names.v.p[i];

		if (strcmp(name, "kept") == 0)
			continue; /* the user asked for it */
		if (is_dead(nodes_fd, name) && file_rmtree(fd, name, err) < 0)
			ret = passed_over(work, err);
		if (ret == 0)
			ret = signals_check(err);
	}
	close(fd);
out:
	clean_names_release(&names);
	free(work);
	return ret;
}

struct known_nodes {
	struct map ids;
};

static int note_node(void *ctx, const struct node *n)
{
	struct known_nodes *k = ctx;

	map_set(&k->ids, n->id, k);
	return 0;
}

/* Locks and run files of nodes that have no row any more. Taking the lock makes sure that nobody
 * is just about to become that node. */
static int remove_locks(const struct clean *c, int nodes_fd, struct err *err)
{
	struct known_nodes known = { .ids = MAP_INIT };
	struct clean_names names = { 0 };
	int ret = queue_nodes(c->queue, NULL, note_node, &known, err);

	if (ret == 0)
		ret = clean_names(nodes_fd, ".", &names, err);
	for (size_t i = 0; ret == 0 && i < names.v.n; i++) {
		struct lock lock = LOCK_INIT;
		char *node = names.v.p[i], *run;

		if (!str_ends(node, ".lock"))
			continue;
		run = xstrndup(node, strlen(node) - strlen(".lock"));
		if (!map_get(&known.ids, run) &&
		    lock_take(&lock, nodes_fd, node, false, 0, err) > 0) {
			char *file = xasprintf("%s.run", run);

			unlinkat(nodes_fd, file, 0);
			lock_remove(&lock, nodes_fd, node);
			free(file);
		}
		free(run);
		if (err->code)
			ret = passed_over(node, err);
	}
	clean_names_release(&names);
	map_release(&known.ids);
	return ret;
}

static int clean_nodes(const struct clean *c, struct err *err)
{
	const struct reaper_options o = { .home = c->home, .policy = c->policy };
	struct reaper *reaper = reaper_new(&o);
	char *dir = xasprintf("%s/nodes", c->home);
	int nodes_fd, ret = 0;
	int64_t next;

	/* The dead are dealt with first: what they left running would go on in its directory. */
	if (reaper_look(reaper, c->queue, true, &next, err) < 0)
		ret = passed_over("nodes", err);
	reaper_free(reaper);
	nodes_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret == 0)
		ret = remove_work(c, nodes_fd, err);
	if (ret == 0 && nodes_fd >= 0)
		ret = remove_locks(c, nodes_fd, err);
	if (nodes_fd >= 0)
		close(nodes_fd);
	free(dir);
	return ret;
}

/* ---- jobs ------------------------------------------------------------------------------- */

struct staged {
	int64_t n, k;
};
struct stages {
	VEC(struct staged) v;
};

static int note_stage(void *ctx, int64_t n, int64_t k)
{
	struct stages *s = ctx;

	*vec_push(&s->v) = (struct staged){ n, k };
	return 0;
}

/* Stages of a job: published if they count, dropped if they do not, left if that is open. */
static int settle_job(const struct clean *c, const struct job *j, struct err *err)
{
	const struct results_id id = { queue_uuid(c->queue), j->born, j->id };
	char *dir = clean_job_info(j, "results");
	struct results *r = NULL;
	struct stages stages = { 0 };
	int ret = 0;

	if (dir && *dir == '/')
		ret = results_find(dir, &id, &r, err);
	if (ret > 0)
		ret = results_staged(r, note_stage, &stages, err);
	for (size_t i = 0; ret >= 0 && i < stages.v.n; i++) {
		ret = settle_stage(c->queue, r, j->born, stages.v.p[i].n, stages.v.p[i].k, err);
		if (ret >= 0)
			ret = signals_check(err);
	}
	results_close(r);
	vec_release(&stages.v);
	free(dir);
	return ret < 0 ? -1 : 0;
}

/* A submission whose client died, and a removal that was not brought to its end. */
static int finish_job(const struct clean *c, const struct job *j, struct err *err)
{
	const struct control control = { .queue = c->queue, .home = c->home, .policy = c->policy };

	switch (j->state) {
	case JOB_SUBMITTING:
		if (clock_wall_ms() - j->t < SUBMITTING_MS)
			return 0;
		return queue_submit_abort(c->queue, j->born, err);
	case JOB_REMOVED:
		if (control_remove(&control, j->born, true, false, err) == 0 ||
		    err->code == ERR_NOT_FOUND) {
			*err = (struct err)ERR_INIT;
			return 0;
		}
		return -1;
	case JOB_OPEN:
	case JOB_KILLING:
	case JOB_OVER:
		return settle_job(c, j, err);
	}
	return 0;
}

static int clean_all_jobs(const struct clean *c, struct err *err)
{
	struct clean_jobs jobs = { 0 };
	int ret = clean_jobs(c, ~0U, &jobs, err);

	for (size_t i = 0; ret == 0 && i < jobs.v.n; i++)
		if (finish_job(c, &jobs.v.p[i], err) < 0)
			ret = passed_over(jobs.v.p[i].id, err);
	clean_jobs_release(&jobs);
	return ret;
}

/* ---- results directories ---------------------------------------------------------------- */

/* Of a forgotten job nothing is staged that counts; a directory that was prepared for a job that
 * never came goes whole. */
static int clean_result_dir(const struct clean *c, int fd, const char *name, struct err *err)
{
	enum clean_owner owner;
	int dir, ret;

	if (str_starts(name, CLEAN_GONE_PREFIX) && str_ends(name, CLEAN_GONE_SUFFIX))
		return file_rmtree(fd, name, err) < 0 ? -1 : 0;
	/* held open: the name may be another job's in a moment */
	dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 :
		       err_sys(err, "cannot open %s/%s", c->prefix, name);
	ret = clean_owner_of(c, dir, ".", &owner, err);
	if (ret == 0 && owner == CLEAN_FORGOTTEN)
		ret = name[0] == '.' && str_ends(name, ".new") ?
		      file_rmtree(fd, name, err) : file_rmtree(dir, ".attempts", err);
	close(dir);
	return ret < 0 ? -1 : 0;
}

static int clean_prefix(const struct clean *c, struct err *err)
{
	struct clean_names names = { 0 };
	int fd = open(c->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot open %s", c->prefix);
	ret = clean_names(fd, ".", &names, err);
	for (size_t i = 0; ret == 0 && i < names.v.n; i++) {
		if (clean_result_dir(c, fd, names.v.p[i], err) < 0)
			ret = passed_over(names.v.p[i], err);
		if (ret == 0)
			ret = signals_check(err);
	}
	clean_names_release(&names);
	close(fd);
	return ret;
}

static int clean_cas_temporaries(const struct clean *c, struct err *err)
{
	struct cas *cas = cas_open_dir(c->cas, false, err);
	int64_t count;
	int ret = 0;

	if (!cas) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (store_sweep(cas_store(cas), &count, err) < 0)
		ret = passed_over(c->cas, err);
	cas_close(cas);
	return ret;
}

int clean_leftovers(const struct clean *c, struct err *err)
{
	if (clean_nodes(c, err) < 0 || clean_all_jobs(c, err) < 0 || clean_prefix(c, err) < 0)
		return -1;
	return clean_cas_temporaries(c, err);
}
