/* Results of forgotten jobs, and how much room everything takes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"
#include "base/map.h"
#include "sys/file.h"
#include "work/clean_internal.h"

/* ---- clean --results -------------------------------------------------------------------- */

static int remove_dir(const struct clean *c, int fd, const char *id, struct err *err)
{
	enum clean_owner owner;
	char random[17], gone[64];
	int ret;

	/* a new job of this name takes its place under this lock only */
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "cannot lock %s", c->prefix);
	if (clean_owner_of(c, fd, id, &owner, err) < 0)
		return -1;
	switch (owner) {
	case CLEAN_FORGOTTEN:
		break;
	case CLEAN_NOBODY:
		return err_set(err, ERR_CONFLICT, "%s/%s was not made by kubeque: it is left alone",
			       c->prefix, id);
	case CLEAN_JOB:
		return err_set(err, ERR_CONFLICT, "%s/%s are the results of a job that is "
			       "remembered: kubeque clean --results JOB", c->prefix, id);
	case CLEAN_OTHER:
		return err_set(err, ERR_CONFLICT, "%s/%s belongs to the queue of another store: "
			       "clean it from there", c->prefix, id);
	}
	/* Away at once, under a name that any later clean knows to be rubbish. */
	id_hex(random, 8);
	(void)snprintf(gone, sizeof(gone), CLEAN_GONE_PREFIX "%s" CLEAN_GONE_SUFFIX, random);
	ret = file_rename(fd, id, fd, gone, RENAME_NOREPLACE, err);
	(void)flock(fd, LOCK_UN);
	if (ret < 0 || file_rmtree(fd, gone, err) < 0)
		return err_prefix(err, "%s/%s", c->prefix, id);
	return 0;
}

int clean_results(const struct clean *c, const char *id, bool dry_run, struct clean_sum *out,
		  struct err *err)
{
	struct job job;
	char *dir = NULL;
	int fd, ret;

	*out = (struct clean_sum){ 0, 0 };
	if (!file_name_is_clean(id))
		return err_set(err, ERR_USAGE, "%s is no id of a job", id);
	ret = queue_job_by_id(c->queue, id, &job, err);
	if (ret < 0)
		return -1;
	if (ret > 0) {
		dir = clean_job_info(&job, "results");
		job_release(&job);
	}
	if (dir) {
		ret = dry_run ? clean_measure(AT_FDCWD, dir, out, err)
			      : err_set(err, ERR_CONFLICT, "job %s is remembered: kubeque clean "
					"--results %s forgets it with its results", id, id);
		free(dir);
		return ret;
	}
	fd = open(c->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot open %s", c->prefix);
	ret = clean_measure(fd, id, out, err);
	if (ret == 0 && !dry_run && faccessat(fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		ret = remove_dir(c, fd, id, err);
	close(fd);
	return ret;
}

/* ---- du --------------------------------------------------------------------------------- */

struct du {
	const struct clean *c;
	du_fn fn;
	void *ctx;
	struct map seen; /* results directories of jobs, by path */
	bool stopped;
};

static int give(struct du *d, const char *what, const char *kind, const char *path,
		const struct clean_sum *sum)
{
	const struct du_row row = { what, kind, path, *sum };

	d->stopped = d->fn(d->ctx, &row) != 0;
	return 0;
}

/* A place that may be missing: then there is no row. */
static int give_place(struct du *d, const char *what, const char *kind, const char *path,
		      struct err *err)
{
	struct clean_sum sum = { 0, 0 };
	struct stat st;

	if (d->stopped || stat(path, &st) < 0)
		return 0;
	if (clean_measure(AT_FDCWD, path, &sum, err) < 0)
		return -1;
	return give(d, what, kind, path, &sum);
}

static int du_jobs(struct du *d, struct err *err)
{
	struct clean_jobs jobs = { 0 };
	int ret = clean_jobs(d->c, 0, &jobs, err);

	for (size_t i = 0; ret == 0 && !d->stopped && i < jobs.v.n; i++) {
		struct clean_sum sum = { 0, 0 };
		char *dir = clean_job_info(&jobs.v.p[i], "results");

		if (dir) {
			map_set(&d->seen, dir, d);
			ret = clean_measure(AT_FDCWD, dir, &sum, err);
		}
		if (ret == 0)
			ret = give(d, jobs.v.p[i].id, "job", dir ? dir : "", &sum);
		free(dir);
	}
	clean_jobs_release(&jobs);
	return ret;
}

static int du_prefix(struct du *d, struct err *err)
{
	struct clean_names names = { 0 };
	int fd = open(d->c->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot open %s", d->c->prefix);
	ret = clean_names(fd, ".", &names, err);
	for (size_t i = 0; ret == 0 && !d->stopped && i < names.v.n; i++) {
		char *path = xasprintf("%s/%s", d->c->prefix, names.v.p[i]);
		enum clean_owner owner = CLEAN_NOBODY;

		if (!map_get(&d->seen, path))
			ret = clean_owner_of(d->c, fd, names.v.p[i], &owner, err);
		if (ret == 0 && owner != CLEAN_NOBODY)
			ret = give_place(d, names.v.p[i],
					 owner == CLEAN_OTHER ? "other" : "forgotten", path, err);
		free(path);
	}
	clean_names_release(&names);
	close(fd);
	return ret;
}

static int du_queue(struct du *d, struct err *err)
{
	static const char *const files[] = { "queue.db", "queue.db-wal", "queue.db-shm",
					     "hashes.db", "hashes.db-wal", "hashes.db-shm" };
	struct clean_sum sum = { 0, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path = xasprintf("%s/%s", d->c->home, files[i]);
		int ret = clean_measure(AT_FDCWD, path, &sum, err);

		free(path);
		if (ret < 0)
			return -1;
	}
	return d->stopped ? 0 : give(d, "queue", "queue", d->c->home, &sum);
}

int clean_du(const struct clean *c, du_fn fn, void *ctx, struct err *err)
{
	struct du d = { .c = c, .fn = fn, .ctx = ctx, .seen = MAP_INIT };
	char *work = c->work_dir ? xstrdup(c->work_dir) : xasprintf("%s/work", c->home);
	char *logs = xasprintf("%s/nodes", c->home);
	int ret = du_jobs(&d, err);

	if (ret == 0)
		ret = du_prefix(&d, err);
	if (ret == 0)
		ret = give_place(&d, "CAS", "cas", c->cas, err);
	if (ret == 0)
		ret = du_queue(&d, err);
	if (ret == 0)
		ret = give_place(&d, "work", "work", work, err);
	if (ret == 0)
		ret = give_place(&d, "logs", "logs", logs, err);
	map_release(&d.seen);
	free(work);
	free(logs);
	return ret;
}
