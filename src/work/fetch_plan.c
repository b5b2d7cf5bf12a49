/* What is to be fetched, and whether all of it may be. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "work/fetch_internal.h"

enum { PAGE = 1000, BLOCK = 4096 };

/* ---- tasks ------------------------------------------------------------------------------ */

static int add_task(void *ctx, const struct task *t)
{
	struct fetch_page *p = ctx;

	*vec_push(&p->tasks) = *t;
	return 0;
}

int fetch_page(struct queue *q, int64_t job, struct task_filter *filter, int64_t after,
	       struct fetch_page *out, struct err *err)
{
	out->tasks.n = 0;
	filter->after = after;
	filter->limit = PAGE;
	return queue_tasks(q, job, filter, add_task, out, err);
}

int fetch_open_task(struct fetch *f, const struct fetch_task *t, struct err *err)
{
	char *path = NULL;
	int fd;

	/* Whoever was to publish it may have died: anyone may finish what anyone began. */
	if (results_publish(f->results, t->n, t->k, err) < 0)
		*err = (struct err)ERR_INIT; /* read it where it lies */
	if (results_locate(f->results, t->n, t->k, &path, err) <= 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_sys(err, "cannot open %s", path);
	free(path);
	return fd;
}

/* ---- places ----------------------------------------------------------------------------- */

int fetch_place_of(int destfd, const char *job, int64_t n, enum fetch_place *out, struct err *err)
{
	struct fetch_list old = { .arena = ARENA_INIT };
	char path[64];
	struct stat st;
	int ours;

	*out = FETCH_FRESH;
	(void)snprintf(path, sizeof(path), "%" PRId64, n);
	if (fstatat(destfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot look at %s", path);
	*out = FETCH_FOREIGN;
	if (!S_ISDIR(st.st_mode))
		return 0;
	(void)snprintf(path, sizeof(path), "%" PRId64 "/result.json", n);
	ours = fetch_list_old(destfd, path, job, n, &old, err);
	fetch_list_release(&old);
	if (ours > 0)
		*out = FETCH_OURS;
	return ours < 0 ? -1 : 0;
}

void fetch_target(const struct fetch *f, int64_t n, const char *path, struct buf *out)
{
	buf_clear(out);
	if (!f->o->flat)
		buf_addf(out, "%" PRId64 "/%s", n, path);
	else if (strcmp(path, "stdout.txt") == 0 || strcmp(path, "result.json") == 0)
		buf_addf(out, "%" PRId64 ".%s", n, path);
	else
		buf_adds(out, path);
}

static int refuse_owner(const char *dest, const char *owner, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s holds the results of job %s: choose another directory "
		       "with --dest, or --force to replace its tasks", dest, owner);
}

static int refuse_place(const char *dest, int64_t n, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s/%" PRId64 " is there and was not fetched from this job: "
		       "choose another directory with --dest, or --force to replace it whole", dest,
		       n);
}

/* Whose DIR is. */
static int check_owner(int destfd, const char *dest, const char *job, struct err *err)
{
	char *owner;
	int ret = fetch_owner(destfd, &owner, err);

	if (ret > 0 && !*owner)
		ret = err_set(err, ERR_USAGE, "%s/tasks.csv is there and was not made by kubeque: "
			      "choose another directory with --dest, or --force to replace it",
			      dest);
	else if (ret > 0 && strcmp(owner, job) != 0)
		ret = refuse_owner(dest, owner, err);
	free(owner);
	return ret < 0 ? -1 : 0;
}

/* ---- flat ------------------------------------------------------------------------------- */

static int refuse_flat(const struct fetch *f, const char *path, int64_t a, int64_t b,
		       struct err *err)
{
	if (a == b)
		return err_set(err, ERR_USAGE, "%s is an output of %s.%" PRId64 " and the name "
			       "that --flat gives to another of its files: fetch without --flat",
			       path,
			       f->ctx->job.id, a);
	return err_set(err, ERR_USAGE, "%s is an output of both %s.%" PRId64 " and %s.%" PRId64
		       ": fetch without --flat, or fewer tasks", path, f->ctx->job.id, a,
		       f->ctx->job.id, b);
}

/* One path, and the directories it needs. A directory is noted as "path/". */
static int claim_flat(struct fetch *f, const char *path, int64_t n, struct err *err)
{
	struct buf dir = BUF_INIT;
	int64_t *mine = arena_alloc(&f->flat_arena, sizeof(*mine));
	const int64_t *other = map_get(&f->flat, path);
	int ret = 0;

	*mine = n;

	if (strcmp(path, "tasks.csv") == 0)
		return err_set(err, ERR_USAGE, "%s.%" PRId64 " has an output tasks.csv, which is "
			       "the name of the table of tasks: fetch without --flat",
			       f->ctx->job.id, n);
	buf_addf(&dir, "%s/", path);
	if (!other)
		other = map_get(&f->flat, dir.p);
	if (other)
		ret = refuse_flat(f, path, *other, n, err);
	for (const char *s = path; ret == 0 && (s = strchr(s, '/')); s++) {
		buf_clear(&dir);
		buf_add(&dir, path, (size_t)(s - path));
		other = map_get(&f->flat, dir.p);
		if (other)
			ret = refuse_flat(f, dir.p, *other, n, err);
		buf_addch(&dir, '/');
		if (!map_get(&f->flat, dir.p))
			map_set(&f->flat, dir.p, mine);
	}
	if (ret == 0)
		map_set(&f->flat, path, mine);
	buf_release(&dir);
	return ret;
}

/* ---- one task --------------------------------------------------------------------------- */

/* What is there and not from us is replaced only with --force, even if it is only one file. */
static int check_flat_place(struct fetch *f, const struct fetch_file *s, const char *target,
			    const struct stat *st, const struct fetch_list *old, struct err *err)
{
	if (!st->st_mode || f->o->force || fetch_list_has(old, s->path))
		return 0;
	if (S_ISREG(st->st_mode) && st->st_size == s->size)
		return 0; /* compared when its turn comes */
	return err_set(err, ERR_USAGE, "%s/%s is there and was not fetched from this job: choose "
		       "another directory with --dest, or --force to replace it", f->o->dest,
		       target);
}

static int plan_files(struct fetch *f, int64_t n, int sdir, const struct fetch_list *l,
		      const struct fetch_list *old, struct err *err)
{
	struct buf target = BUF_INIT;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < l->files.n; i++) {
		const struct fetch_file *s = &l->files.p[i];
		struct stat st = { .st_mode = 0 };
		int same = 0;

		fetch_target(f, n, s->path, &target);
		if (f->o->flat)
			ret = claim_flat(f, target.p, n, err);
		if (ret == 0 && f->destfd >= 0)
			same = fetch_same(sdir, s, f->destfd, target.p, false, &st, err);
		if (ret == 0 && f->o->flat)
			ret = check_flat_place(f, s, target.p, &st, old, err);
		if (same < 0)
			ret = -1;
		if (same == 0) {
			f->need_bytes += (s->size + BLOCK - 1) / BLOCK * BLOCK;
			f->need_files++;
		}
	}
	buf_release(&target);
	return ret;
}

static int plan_task(struct fetch *f, const struct fetch_task *t, struct err *err)
{
	struct fetch_list l = { .arena = ARENA_INIT }, old = { .arena = ARENA_INIT };
	enum fetch_place place = FETCH_FRESH;
	char path[64];
	int fd, ret = -1;

	fd = fetch_open_task(f, t, err);
	if (fd < 0)
		return -1;
	if (f->destfd >= 0 && !f->o->flat) {
		if (fetch_place_of(f->destfd, f->ctx->job.id, t->n, &place, err) < 0)
			goto out;
		if (place == FETCH_FOREIGN && !f->o->force) {
			refuse_place(f->o->dest, t->n, err);
			goto out;
		}
		f->need_files++; /* the directory */
	}
	(void)snprintf(path, sizeof(path), "%" PRId64 ".result.json", t->n);
	if (f->destfd >= 0 && f->o->flat &&
	    fetch_list_old(f->destfd, path, f->ctx->job.id, t->n, &old, err) < 0)
		goto out;
	if (fetch_list_read(fd, f->o->only, &l, err) == 0)
		ret = plan_files(f, t->n, fd, &l, &old, err);
out:
	fetch_list_release(&l);
	fetch_list_release(&old);
	close(fd);
	return ret;
}

/* Ended tasks with results join the plan; the rest is counted. */
static int take_task(struct fetch *f, const struct task *t, struct err *err)
{
	struct fetch_task ft = { t->n, t->acc ? t->acc : t->attempt };
	struct attempt a;
	char *path = NULL;
	int found = 0;

	if (task_is_open(t->state)) {
		f->out->pending++;
		return 0;
	}
	if (ft.k > 0 && f->results)
		found = results_locate(f->results, ft.n, ft.k, &path, err);
	free(path);
	if (found < 0)
		return -1;
	if (found) {
		*vec_push(&f->tasks) = ft;
		return 0;
	}
	/* None was made (--outputs, killed before it ran), or it was deleted since. */
	found = ft.k > 0 ? queue_attempt_get(f->q, f->ctx->job.born, ft.n, ft.k, &a, err) : 0;
	if (found > 0) {
		f->out->lost += a.result_bytes > 0;
		attempt_release(&a);
	}
	return found < 0 ? -1 : 0;
}

static int find_tasks(struct fetch *f, struct err *err)
{
	struct task_filter filter = { .ranges = f->o->ranges };
	struct fetch_page page = { 0 };
	int64_t after = 0;
	int ret;

	do {
		ret = fetch_page(f->q, f->ctx->job.born, &filter, after, &page, err);
		for (size_t i = 0; ret == 0 && i < page.tasks.n; i++) {
			after = page.tasks.p[i].n;
			ret = take_task(f, &page.tasks.p[i], err);
		}
		if (ret == 0)
			ret = signals_check(err);
	} while (ret == 0 && page.tasks.n == PAGE);
	vec_release(&page.tasks);
	return ret;
}

/* ---- space ------------------------------------------------------------------------------ */

/* The directory that is there, upwards from DIR. */
static int existing_dir(const char *dest)
{
	char *path = xstrdup(dest);
	int fd;

	while ((fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		char *slash = strrchr(path, '/');

		if (slash == path && path[1])
			slash[1] = '\0';
		else if (slash && slash != path)
			*slash = '\0';
		else if (*path && !slash)
			*path = '\0';
		else
			break;
	}
	free(path);
	return fd;
}

static bool can_clone(const struct fetch *f, int dest)
{
	int src, dst = -1;
	bool yes = false;

	src = f->results ? openat(results_fd(f->results), ".kubeque", O_RDONLY | O_CLOEXEC) : -1;
	if (src >= 0)
		dst = openat(dest, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (dst >= 0) {
		yes = ioctl(dst, FICLONE, src) == 0;
		close(dst);
	}
	if (src >= 0)
		close(src);
	return yes;
}

static int check_space(struct fetch *f, struct err *err)
{
	struct file_space space;
	int fd = existing_dir(f->o->dest), ret = 0;

	if (fd < 0)
		return err_sys(err, "cannot look at %s", f->o->dest);
	if (f->need_bytes && !can_clone(f, fd)) {
		ret = file_space(fd, &space, err);
		if (ret == 0 && space.bytes_free < f->need_bytes)
			ret = err_set(err, ERR_NOSPACE, "%s needs %" PRId64 " bytes and %" PRId64
				      " are free: make room, or fetch less (--only GLOB, %s.1-100)",
				      f->o->dest, f->need_bytes, space.bytes_free, f->ctx->job.id);
		else if (ret == 0 && space.inodes_free < f->need_files)
			ret = err_set(err, ERR_NOSPACE, "%s needs %" PRId64 " files and %" PRId64
				      " are free: make room, or fetch less (--only GLOB, %s.1-100)",
				      f->o->dest, f->need_files, space.inodes_free,
				      f->ctx->job.id);
	}
	close(fd);
	return ret;
}

/* ---- the plan --------------------------------------------------------------------------- */

int fetch_plan(struct fetch *f, struct err *err)
{
	if (find_tasks(f, err) < 0)
		return -1;
	f->destfd = open(f->o->dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->destfd < 0 && errno == ENOTDIR)
		return err_set(err, ERR_USAGE, "%s is no directory: choose another name with "
			       "--dest", f->o->dest);
	if (f->destfd < 0 && errno != ENOENT)
		return err_sys(err, "cannot open the directory %s", f->o->dest);
	if (f->destfd >= 0 && !f->o->force &&
	    check_owner(f->destfd, f->o->dest, f->ctx->job.id, err) < 0)
		return -1;
	for (size_t i = 0; i < f->tasks.n; i++)
		if (plan_task(f, &f->tasks.p[i], err) < 0 || signals_check(err) < 0)
			return -1;
	return check_space(f, err);
}
