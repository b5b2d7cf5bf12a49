#include "work/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "sys/file.h"
#include "work/fetch_internal.h"

/* mkdir -p with the umask of the user, whose directory it is. */
static int make_dest(const char *dest, struct err *err)
{
	char *path = xstrdup(dest);
	int ret = 0;

	for (char *p = path + strspn(path, "/"); ret == 0 && *p;) {
		char *slash = strchr(p, '/');

		if (slash)
			*slash = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			ret = err_sys(err, "cannot make the directory %s", path);
		if (!slash)
			break;
		*slash = '/';
		p = slash + strspn(slash, "/");
	}
	free(path);
	return ret;
}

/* DIR is ours alone from here on: flock on the directory itself. */
static int open_dest(struct fetch *f, struct err *err)
{
	if (f->destfd < 0) {
		if (make_dest(f->o->dest, err) < 0)
			return -1;
		f->destfd = open(f->o->dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (f->destfd < 0)
			return err_sys(err, "cannot open the directory %s", f->o->dest);
	}
	if (flock(f->destfd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0; /* a file system without locks has one user less to worry about */
	return err_set(err, ERR_BUSY, "another fetch writes into %s: wait for it", f->o->dest);
}

static int load(struct fetch *f, int64_t born, struct err *err)
{
	struct results_id id;
	int found = jobctx_load(f->q, f->o->home, born, JOBCTX_SETTLE, &f->ctx, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "the job is not there any more");
	id = (struct results_id){ queue_uuid(f->q), born, f->ctx->job.id };
	return results_find(f->ctx->results_dir, &id, &f->results, err) < 0 ? -1 : 0;
}

/* Tasks of an earlier job of this name, or rows that --rerun found gone: said, not removed. */
static void note_others(const struct fetch *f)
{
	enum fetch_place place;
	struct err err = ERR_INIT;
	int64_t n = f->ctx->job.n + 1;

	if (!f->o->flat && fetch_place_of(f->destfd, f->ctx->job.id, n, &place, &err) == 0 &&
	    place == FETCH_OURS)
		log_warn("%s/%" PRId64 " and what follows it is of an earlier job %s with more "
			 "tasks: remove it if you do not need it", f->o->dest, n, f->ctx->job.id);
}

int fetch_run(struct queue *q, int64_t born, const struct fetch_options *o,
	      struct fetch_result *out, struct err *err)
{
	struct fetch f = { .q = q, .o = o, .out = out, .destfd = -1 };
	int ret = -1;

	*out = (struct fetch_result){ .tasks = 0 };
	if (!*o->dest)
		return err_set(err, ERR_USAGE, "--dest needs a directory");
	if (load(&f, born, err) < 0 || fetch_plan(&f, err) < 0 || open_dest(&f, err) < 0 ||
	    fetch_write_csv(&f, err) < 0)
		goto out;
	ret = 0;
	for (size_t i = 0; ret == 0 && i < f.tasks.n; i++) {
		ret = fetch_task(&f, &f.tasks.p[i], err);
		out->tasks += ret == 0;
	}
	if (ret == 0 && o->flat)
		unlinkat(f.destfd, ".flat.part", AT_REMOVEDIR);
	if (ret == 0)
		note_others(&f);
	if (ret == 0 && out->lost)
		log_warn("The results of %" PRId64 " tasks are not in %s any more", out->lost,
			 f.ctx->results_dir);
out:
	if (f.destfd >= 0)
		close(f.destfd);
	vec_release(&f.tasks);
	map_release(&f.flat);
	arena_release(&f.flat_arena);
	results_close(f.results);
	jobctx_unref(f.ctx);
	return ret;
}
