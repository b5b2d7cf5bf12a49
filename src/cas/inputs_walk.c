/*
 * All files below a directory. Own code instead of sys/walk: for 10,000 files the time is that of
 * the stats, and the order must be that of whole paths, so that nothing is sorted twice.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "model/path.h"

enum { DENTS_SIZE = 64 * 1024 };

struct dents { /* linux_dirent64 of getdents64(2) */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

struct child {
	size_t name; /* offset into level.names */
	bool dir;
	struct stat st; /* files only */
};

/* One directory that is being read; `up` are those above it. */
struct level {
	const struct level *up;
	dev_t dev;
	ino_t ino;
	int fd;
	struct str src, dst, abs, below; /* of the directory; dst and below "" at the top */
	struct buf names;
	VEC(struct child) children;
};

struct walk {
	struct input_set *in;
	const char *spec;
	char *dents;
	uid_t me;
};

static int walk_dir(struct walk *w, const struct level *up, int at, const char *name,
		    struct str src, struct str dst, struct str abs, struct str below,
		    struct err *err);

/* "dir/name" in the arena; just the name below "". */
static struct str joined(struct input_set *in, struct str dir, const char *name, size_t n)
{
	bool slash = dir.n && dir.p[dir.n - 1] != '/';
	char *p = arena_alloc(&in->arena, dir.n + slash + n + 1);

	if (dir.n)
		memcpy(p, dir.p, dir.n);
	if (slash)
		p[dir.n] = '/';
	memcpy(p + dir.n + slash, name, n + 1);
	return (struct str){ p, dir.n + slash + n };
}

static bool same_str(struct str a, struct str b)
{
	return a.p == b.p && a.n == b.n;
}

/* ---- reading one directory -------------------------------------------------------------- */

/* Takes one entry: looks at what it is, unless it is left out. */
static int take_entry(struct walk *w, struct level *l, const struct dents *d, struct err *err)
{
	size_t n = strlen(d->name);
	struct child *c;
	struct str src;

	if (d->name[0] == '.' && (n == 1 || (n == 2 && d->name[1] == '.')))
		return 0;
	if (w->in->o.exclude && *w->in->o.exclude) {
		struct str below = joined(w->in, l->below, d->name, n);

		src = joined(w->in, l->src, d->name, n);
		if (inputs_excluded(w->in, src.p, below.p))
			return 0;
	}
	if (!utf8_valid(d->name, n)) {
		src = joined(w->in, l->src, d->name, n);
		return inputs_refuse(err, "the file name ", src.p, " is not UTF-8: rename it, or "
				     "leave it out with --push-exclude");
	}
	c = vec_push(&l->children);
	c->name = l->names.n;
	c->dir = d->type == DT_DIR;
	buf_add(&l->names, d->name, n + 1);
	if (c->dir)
		return 0;
	if (fstatat(l->fd, d->name, &c->st, AT_NO_AUTOMOUNT) < 0) {
		src = joined(w->in, l->src, d->name, n);
		return inputs_stat_fault(l->fd, d->name, src.p, err);
	}
	c->dir = S_ISDIR(c->st.st_mode);
	if (c->dir || (S_ISREG(c->st.st_mode) && c->st.st_uid == w->me &&
		       (c->st.st_mode & 0400)))
		return 0;
	src = joined(w->in, l->src, d->name, n);
	return inputs_check_file(l->fd, d->name, src.p, &c->st, err);
}

static int read_entries(struct walk *w, struct level *l, struct err *err)
{
	for (;;) {
		long n = syscall(SYS_getdents64, l->fd, w->dents, DENTS_SIZE);

		if (n < 0) {
			char why[128];

			snprintf(why, sizeof(why), ": %s", strerror(errno));
			return inputs_refuse(err, "cannot list ", l->src.p, why);
		}
		if (n == 0)
			return 0;
		for (long at = 0; at < n;) {
			const struct dents *d = (const void *)(w->dents + at);

			if (take_entry(w, l, d, err) < 0)
				return -1;
			at += d->reclen;
		}
	}
}

/* Order of whole paths: a directory counts as its name and "/". */
static int child_order(const void *a, const void *b, void *names)
{
	const struct child *x = a, *y = b;
	const char *p = (const char *)names + x->name, *q = (const char *)names + y->name;
	unsigned char c, d;

	for (; *p && *p == *q; p++)
		q++;
	c = *p ? (unsigned char)*p : x->dir ? '/' : 0;
	d = *q ? (unsigned char)*q : y->dir ? '/' : 0;
	return c < d ? -1 : c > d;
}

static int take_children(struct walk *w, const struct level *l, struct err *err)
{
	size_t dir = SIZE_MAX;
	bool same = same_str(l->src, l->dst);

	for (size_t i = 0; i < l->children.n; i++) {
		const struct child *c = &l->children.p[i];
		const char *name = l->names.p + c->name;
		size_t n = strlen(name);
		struct str src = joined(w->in, l->src, name, n);
		struct str dst = same ? src : joined(w->in, l->dst, name, n);

		if (c->dir) {
			if (walk_dir(w, l, l->fd, name, src, dst, joined(w->in, l->abs, name, n),
				     same_str(l->below, l->dst) ? dst
				     : joined(w->in, l->below, name, n), err) < 0)
				return -1;
			continue;
		}
		if (dst.n > 4000)
			return inputs_refuse(err, "the path ", dst.p, " is too long");
		if (dir == SIZE_MAX)
			dir = inputs_note_dir(w->in, l->abs.p);
		inputs_note_file(w->in, w->spec, src.p, dst.p, src.p + src.n - n, dir, &c->st);
	}
	return 0;
}

static int walk_dir(struct walk *w, const struct level *up, int at, const char *name,
		    struct str src, struct str dst, struct str abs, struct str below,
		    struct err *err)
{
	struct level l = { .up = up, .src = src, .dst = dst, .abs = abs, .below = below,
			   .names = BUF_INIT };
	struct stat st;
	int ret = -1;

	l.fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l.fd < 0 || fstat(l.fd, &st) < 0) {
		inputs_stat_fault(at, name, src.p, err);
		goto out;
	}
	l.dev = st.st_dev;
	l.ino = st.st_ino;
	for (const struct level *p = up; p; p = p->up)
		if (p->dev == l.dev && p->ino == l.ino) {
			inputs_refuse(err, "", src.p, " is a link to a directory above it: a loop "
				      "(leave it out with --push-exclude)");
			goto out;
		}
	if (read_entries(w, &l, err) < 0)
		goto out;
	if (l.children.n)
		qsort_r(l.children.p, l.children.n, sizeof(*l.children.p), child_order,
			l.names.p);
	ret = take_children(w, &l, err);
out:
	if (l.fd >= 0)
		close(l.fd);
	buf_release(&l.names);
	vec_release(&l.children);
	return ret;
}

int inputs_walk(struct input_set *in, const char *spec, const char *src, const char *dst,
		const char *abs, struct err *err)
{
	struct walk w = { in, spec, xmalloc(DENTS_SIZE), geteuid() };
	struct str s = str_of(arena_strdup(&in->arena, src)), d, a = str_of(abs);
	static const char none[1] = "";
	int ret;

	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	s.p = arena_dup(&in->arena, s.p, s.n);
	/* Where both texts are the same the files share them. */
	d = strcmp(s.p, dst) == 0 ? s : str_of(arena_strdup(&in->arena, dst));
	if (strcmp(s.p, ".") == 0 && !d.n)
		ret = walk_dir(&w, NULL, AT_FDCWD, ".", d, d, a, (struct str){ none, 0 }, err);
	else
		ret = walk_dir(&w, NULL, AT_FDCWD, s.p, s, d, a, (struct str){ none, 0 }, err);
	free(w.dents);
	return ret;
}
