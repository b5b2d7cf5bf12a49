/* Files of one task into DIR. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "work/fetch_internal.h"

enum { COMPARE = 128 * 1024 };

/* ---- the same? -------------------------------------------------------------------------- */

static ssize_t read_at(int fd, char *p, int64_t at)
{
	size_t got = 0;

	while (got < COMPARE) {
		ssize_t n = pread(fd, p + got, COMPARE - got, at + (int64_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Files that cannot be read are not the same: they are replaced. */
static bool same_bytes(int sdir, const char *s, int ddir, const char *d)
{
	int x = openat(sdir, s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int y = openat(ddir, d, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *p = xmalloc((size_t)2 * COMPARE);
	bool same = x >= 0 && y >= 0;

	for (int64_t at = 0; same; at += COMPARE) {
		ssize_t n = read_at(x, p, at), m = read_at(y, p + COMPARE, at);

		same = n >= 0 && n == m && memcmp(p, p + COMPARE, (size_t)n) == 0;
		if (n < COMPARE)
			break;
	}
	free(p);
	if (x >= 0)
		close(x);
	if (y >= 0)
		close(y);
	return same;
}

int fetch_same(int sdir, const struct fetch_file *s, int ddir, const char *name, bool look,
	       struct stat *st, struct err *err)
{
	struct stat own = { .st_mode = 0 };

	st = st ? st : &own;
	if (fstatat(ddir, name, st, AT_SYMLINK_NOFOLLOW) < 0) {
		st->st_mode = 0;
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(err, "cannot look at %s", name);
	}
	if (!S_ISREG(st->st_mode) || st->st_size != s->size)
		return 0;
	if (st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec == s->mtime_ns)
		return 1;
	return look && same_bytes(sdir, s->path, ddir, name);
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Where files of one task go: straight into a hidden directory that is renamed at the end, or,
 * into a directory that is in use, by a file of the hidden one that is renamed. */
struct writer {
	struct fetch *f;
	char *shown;         /* top, for messages */
	int sdir;
	int top;             /* what paths are relative to */
	struct subdir at;    /* below top */
	int part;            /* the hidden directory */
	bool direct;         /* part == top */
};

static int told(struct fetch *f, struct err *err)
{
	if (f->o->progress && f->o->progress(f->o->ctx, f->out->files, f->out->bytes))
		return err_set(err, ERR_INTERRUPTED, "interrupted: fetch again to go on");
	return signals_check(err);
}

static int copy_file(struct writer *w, const struct fetch_file *s, int ddir, const char *name,
		     struct err *err)
{
	static const char temp[] = "f";

	if (w->direct) {
		if (file_rmtree(ddir, name, err) < 0)
			return -1;
		return file_copy(w->sdir, s->path, ddir, name, -1, false, err) < 0 ? -1 : 0;
	}
	if (file_rmtree(w->part, temp, err) < 0 ||
	    file_copy(w->sdir, s->path, w->part, temp, -1, false, err) < 0)
		return -1;
	if (renameat(w->part, temp, ddir, name) < 0)
		return err_sys(err, "cannot replace it");
	return 0;
}

static int put_file(struct writer *w, const struct fetch_file *s, const char *target,
		    struct err *err)
{
	const char *name;
	struct stat st;
	int ddir = subdir_of(&w->at, target, true, &name, err);
	int same;

	if (ddir < 0)
		return err_prefix(err, "%s", w->shown);
	same = fetch_same(w->sdir, s, ddir, name, true, &st, err);
	if (same < 0)
		return -1;
	if (same) {
		if ((st.st_mode & 0777) != s->mode && fchmodat(ddir, name, s->mode, 0) < 0)
			return err_sys(err, "cannot set the mode of %s/%s", w->shown, target);
		w->f->out->skipped++;
		return 0;
	}
	if (S_ISDIR(st.st_mode) && !w->direct && !w->f->o->force)
		return err_set(err, ERR_USAGE, "%s/%s is a directory where a file is fetched: move "
			       "it away, or --force to replace it", w->shown, target);
	if (S_ISDIR(st.st_mode) && !w->direct && file_rmtree(ddir, name, err) < 0)
		return -1;
	if (copy_file(w, s, ddir, name, err) < 0)
		return err_prefix(err, "%s/%s", w->shown, target);
	w->f->out->files++;
	w->f->out->bytes += s->size;
	return told(w->f, err);
}

/* ---- removing what an earlier attempt left ---------------------------------------------- */

/* The directories above a path that are empty now. */
static void remove_empty_dirs(int top, const char *path)
{
	char *d = xstrdup(path), *slash;

	while ((slash = strrchr(d, '/'))) {
		*slash = '\0';
		if (unlinkat(top, d, AT_REMOVEDIR) < 0)
			break;
	}
	free(d);
}

static void remove_old(struct writer *w, int64_t n, const struct fetch_list *old,
		       const struct fetch_list *now)
{
	struct err err = ERR_INIT;
	struct buf target = BUF_INIT;

	for (size_t i = 0; i < old->files.n; i++) {
		const char *path = old->files.p[i].path, *name;
		int dir;

		if (fetch_list_has(now, path))
			continue;
		fetch_target(w->f, n, path, &target);
		if (w->f->o->flat && map_get(&w->f->flat, target.p))
			continue;
		path = w->f->o->flat ? target.p : path;
		dir = subdir_of(&w->at, path, false, &name, &err);
		if (dir >= 0)
			unlinkat(dir, name, 0);
		err = (struct err)ERR_INIT;
		subdir_release(&w->at);
		remove_empty_dirs(w->top, path);
	}
	buf_release(&target);
}

/* ---- one task --------------------------------------------------------------------------- */

/* The hidden directory `name` of DIR, as it was left. */
static int open_part(struct fetch *f, const char *name, struct err *err)
{
	int fd;

	if (mkdirat(f->destfd, name, 0777) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make %s/%s", f->o->dest, name);
	fd = openat(f->destfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open %s/%s", f->o->dest, name);
	return fd;
}

static int put_files(struct writer *w, int64_t n, const struct fetch_list *l, struct err *err)
{
	struct buf target = BUF_INIT;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < l->files.n; i++) {
		const struct fetch_file *s = &l->files.p[i];

		fetch_target(w->f, n, s->path, &target);
		/* Without --flat `top` is DIR/<n> itself. */
		ret = put_file(w, s, w->f->o->flat ? target.p : s->path, err);
	}
	buf_release(&target);
	return ret;
}

/* What a stopped fetch of another attempt left in the hidden directory goes. */
static int clear_part(const struct writer *w, const struct fetch_list *l, struct err *err)
{
	struct fetch_list have = { .arena = ARENA_INIT };
	int ret = fetch_list_read(w->part, NULL, &have, err);

	for (size_t i = 0; ret == 0 && i < have.files.n; i++)
		if (!fetch_list_has(l, have.files.p[i].path)) {
			ret = file_empty_dir(w->part, err);
			break;
		}
	fetch_list_release(&have);
	return ret;
}

static int fresh_task(struct writer *w, int64_t n, const char *part, const struct fetch_list *l,
		      struct err *err)
{
	char name[32];
	int rc;

	if (clear_part(w, l, err) < 0)
		return -1;
	w->top = w->part;
	w->direct = true;
	subdir_init(&w->at, w->top);
	rc = put_files(w, n, l, err);
	subdir_release(&w->at);
	if (rc < 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%" PRId64, n);
	rc = file_rename(w->f->destfd, part, w->f->destfd, name, RENAME_NOREPLACE, err);
	if (rc == 0)
		return err_set(err, ERR_USAGE, "%s/%s appeared while it was fetched: move it away",
			       w->f->o->dest, name);
	return rc < 0 ? err_prefix(err, "%s/%s", w->f->o->dest, name) : 0;
}

static int update_task(struct writer *w, int64_t n, const char *part, const struct fetch_list *l,
		       struct err *err)
{
	struct fetch_list old = { .arena = ARENA_INIT }, all = { .arena = ARENA_INIT };
	char name[32], path[64];
	int ret = -1, top = -1;

	(void)snprintf(name, sizeof(name), "%" PRId64, n);
	(void)snprintf(path, sizeof(path), "%s%cresult.json", name, w->f->o->flat ? '.' : '/');
	if (fetch_list_old(w->f->destfd, path, w->f->ctx->job.id, n, &old, err) < 0)
		goto out;
	if (!w->f->o->flat) {
		top = openat(w->f->destfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (top < 0) {
			err_sys(err, "cannot open %s/%s", w->f->o->dest, name);
			goto out;
		}
	}
	w->top = top < 0 ? w->f->destfd : top;
	subdir_init(&w->at, w->top);
	/* Compared with the whole attempt, whatever --only lets through. */
	ret = fetch_list_read(w->sdir, NULL, &all, err);
	if (ret == 0) {
		remove_old(w, n, &old, &all);
		ret = put_files(w, n, l, err);
	}
	subdir_release(&w->at);
	if (ret == 0)
		unlinkat(w->f->destfd, part, AT_REMOVEDIR);
out:
	if (top >= 0)
		close(top);
	fetch_list_release(&old);
	fetch_list_release(&all);
	return ret;
}

int fetch_task(struct fetch *f, const struct fetch_task *t, struct err *err)
{
	struct writer w = { .f = f, .part = -1 };
	struct fetch_list l = { .arena = ARENA_INIT };
	enum fetch_place place = FETCH_OURS;
	char part[40], name[32];
	int ret = -1;

	(void)snprintf(name, sizeof(name), "%" PRId64, t->n);
	(void)snprintf(part, sizeof(part), ".%s.part", f->o->flat ? "flat" : name);
	w.sdir = fetch_open_task(f, t, err);
	if (w.sdir < 0)
		return -1;
	w.shown = f->o->flat ? xstrdup(f->o->dest) : xasprintf("%s/%s", f->o->dest, name);
	if (fetch_list_read(w.sdir, f->o->only, &l, err) < 0)
		goto out;
	if (!f->o->flat && fetch_place_of(f->destfd, f->ctx->job.id, t->n, &place, err) < 0)
		goto out;
	if (place == FETCH_FOREIGN) {
		if (!f->o->force) {
			err_set(err, ERR_USAGE, "%s/%s appeared while results were fetched: move "
				"it away", f->o->dest, name);
			goto out;
		}
		if (file_rmtree(f->destfd, name, err) < 0)
			goto out;
		place = FETCH_FRESH;
	}
	w.part = open_part(f, part, err);
	if (w.part < 0)
		goto out;
	ret = place == FETCH_FRESH ? fresh_task(&w, t->n, part, &l, err)
				   : update_task(&w, t->n, part, &l, err);
out:
	if (w.part >= 0)
		close(w.part);
	close(w.sdir);
	free(w.shown);
	fetch_list_release(&l);
	return ret;
}
