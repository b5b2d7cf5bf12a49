/*
 * Walking a tree without recursion. A directory is read in one go, its entries are looked at
 * relative to its descriptor. Descriptors beyond KEEP_OPEN levels are closed on the way down and
 * found again on the way up.
 */
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "base/vec.h"

enum { DENTS_SIZE = 64 * 1024, KEEP_OPEN = 48 };

struct item {
	size_t name; /* offset in walk.names */
	unsigned char type;
};

struct level {
	int fd;          /* -1: closed for now */
	struct stat st;  /* of the directory */
	bool by_link;    /* reached through a symlink */
	size_t items;    /* first of its items; they end where the next level's begin */
	size_t end, next;
	size_t names;    /* names.n before its entries were added */
	size_t path_len; /* of the directory itself */
};

struct walk {
	int dirfd;
	const char *start;
	unsigned flags;
	walk_fn fn;
	void *ctx;
	struct err *err;
	VEC(struct level) levels;
	VEC(struct item) items;
	struct buf names, path;
	char *dents;
};

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct item *x = a, *y = b;
	const char *names = ctx;

	return strcmp(names + x->name, names + y->name);
}

static int read_entries(struct walk *w, struct level *l)
{
	for (;;) {
		long n = syscall(SYS_getdents64, l->fd, w->dents, DENTS_SIZE);

		if (n < 0 && errno == ENOENT)
			n = 0;
		if (n < 0)
			return err_sys(w->err, "cannot read directory %s", w->path.p);
		if (n == 0)
			break;
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(w->dents + at);
			const char *name = d->d_name;

			at += d->d_reclen;
			if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
				continue;
			*vec_push(&w->items) = (struct item){ w->names.n, d->d_type };
			buf_add(&w->names, name, strlen(name) + 1);
		}
	}
	l->end = w->items.n;
	if ((w->flags & WALK_SORT) && l->end > l->items)
		qsort_r(w->items.p + l->items, l->end - l->items, sizeof(*w->items.p), by_name,
			w->names.p);
	return 0;
}

static int push_level(struct walk *w, int fd, const struct stat *st, bool by_link)
{
	struct level *l = vec_push(&w->levels);

	*l = (struct level){ .fd = fd, .st = *st, .by_link = by_link, .items = w->items.n,
			     .end = w->items.n, .next = w->items.n, .names = w->names.n,
			     .path_len = w->path.n };
	if (w->levels.n > KEEP_OPEN) {
		struct level *up = &w->levels.p[w->levels.n - 2];

		close(up->fd);
		up->fd = -1;
	}
	return read_entries(w, l);
}

/* Through symlinks only: is this directory one of those we are in? */
static int refuse_loop(struct walk *w, const struct stat *st)
{
	for (size_t i = 0; i < w->levels.n; i++) {
		const struct stat *a = &w->levels.p[i].st;

		if (a->st_dev == st->st_dev && a->st_ino == st->st_ino) {
			errno = ELOOP;
			return err_sys(w->err, "symlink loop at %s", w->path.p);
		}
	}
	return 0;
}

static unsigned char type_of(mode_t mode)
{
	return (unsigned char)IFTODT(mode);
}

/* Fills st and type: 1, 0: it vanished, -1. A dangling link stays a link. */
static int look(struct walk *w, int dirfd, const char *name, unsigned char *type, struct stat *st)
{
	int at_flags = AT_SYMLINK_NOFOLLOW;

	if ((w->flags & WALK_NO_STAT) && *type != DT_UNKNOWN && *type != DT_DIR &&
	    !(*type == DT_LNK && (w->flags & WALK_FOLLOW)))
		return 1;
	if ((w->flags & WALK_FOLLOW) && (*type == DT_LNK || *type == DT_UNKNOWN)) {
		if (fstatat(dirfd, name, st, 0) == 0) {
			*type = type_of(st->st_mode);
			return 1;
		}
		if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
			return err_sys(w->err, "cannot look at %s", w->path.p);
	}
	if (fstatat(dirfd, name, st, at_flags) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(w->err, "cannot look at %s", w->path.p);
	}
	*type = type_of(st->st_mode);
	return 1;
}

static int report(struct walk *w, int dirfd, const char *name, unsigned char type,
		  const struct stat *st, size_t depth, bool after)
{
	struct walk_entry e = {
		.dirfd = dirfd, .name = name, .path = w->path.p, .path_len = w->path.n,
		.depth = (int)depth, .type = type, .after = after,
		.st = w->flags & WALK_NO_STAT ? NULL : st,
	};

	return w->fn(w->ctx, &e, w->err);
}

/* Opens a directory that was reported and goes into it: 1 entered, 0 vanished, -1. */
static int enter(struct walk *w, int dirfd, const char *name, bool by_link)
{
	struct stat st;
	int fd;

	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK |
		    (by_link ? 0 : O_NOFOLLOW));
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return err_sys(w->err, "cannot open directory %s", w->path.p);
	if (fstat(fd, &st) < 0) {
		err_sys(w->err, "cannot look at %s", w->path.p);
	} else if (by_link && refuse_loop(w, &st) < 0) {
		/* err is set */
	} else if ((w->flags & WALK_ONE_DEV) && w->levels.n &&
		   st.st_dev != w->levels.p[0].st.st_dev) {
		close(fd);
		return 0;
	} else {
		return push_level(w, fd, &st, by_link) < 0 ? -1 : 1;
	}
	close(fd);
	return -1;
}

static const char *name_of_level(const struct walk *w, size_t i)
{
	const struct level *up = &w->levels.p[i - 1];

	return w->names.p + w->items.p[up->next - 1].name;
}

static bool same_dir(int fd, const struct stat *want)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == want->st_dev && st.st_ino == want->st_ino;
}

/* Descriptor of level i again, which is closed: from below by "..", else from above by name. */
static int reopen(struct walk *w, size_t i, int below_fd, bool below_by_link)
{
	struct level *l = &w->levels.p[i];
	size_t k = i;
	int fd = -1;

	if (!below_by_link && below_fd >= 0) {
		fd = openat(below_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && same_dir(fd, &l->st)) {
			l->fd = fd;
			return 0;
		}
		if (fd >= 0)
			close(fd);
	}
	while (w->levels.p[k].fd < 0)
		k--;
	fd = w->levels.p[k].fd;
	for (size_t m = k + 1; m <= i; m++) {
		int next = openat(fd, name_of_level(w, m), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (m > k + 1)
			close(fd);
		fd = next;
		if (fd < 0)
			break;
	}
	if (fd < 0 || !same_dir(fd, &l->st)) {
		if (fd >= 0)
			close(fd);
		errno = ESTALE;
		return err_sys(w->err, "a directory moved while it was read: %s", w->path.p);
	}
	l->fd = fd;
	return 0;
}

/* The next entry of level i. Returns -1, WALK_STOP, or 0. */
static int step(struct walk *w, size_t i)
{
	struct level *l = &w->levels.p[i];
	struct item *it = &w->items.p[l->next++];
	const char *name = w->names.p + it->name;
	unsigned char raw = it->type, type = raw;
	struct stat st = { 0 };
	int ret;

	w->path.n = l->path_len;
	if (w->path.n)
		buf_addch(&w->path, '/');
	buf_adds(&w->path, name);
	ret = look(w, l->fd, name, &type, &st);
	if (ret <= 0)
		return ret;
	ret = report(w, l->fd, name, type, &st, i + 1, false);
	if (ret < 0 || ret == WALK_STOP)
		return ret;
	if (type != DT_DIR || ret == WALK_SKIP)
		return 0;
	return enter(w, l->fd, name, raw == DT_LNK ||
		     (raw == DT_UNKNOWN && (w->flags & WALK_FOLLOW))) < 0 ? -1 : 0;
}

/* All of the last level was seen. */
static int leave(struct walk *w)
{
	size_t i = w->levels.n - 1;
	struct level l = w->levels.p[i];
	int ret = 0;

	if (i && w->levels.p[i - 1].fd < 0)
		ret = reopen(w, i - 1, l.fd, l.by_link);
	if (l.fd >= 0)
		close(l.fd);
	w->path.n = l.path_len;
	w->path.p[w->path.n] = '\0';
	w->items.n = l.items;
	w->names.n = l.names;
	w->levels.n--;
	if (ret < 0 || !(w->flags & WALK_AFTER))
		return ret;
	if (i)
		return report(w, w->levels.p[i - 1].fd, name_of_level(w, i), DT_DIR, &l.st, i,
			      true);
	return report(w, w->dirfd, w->start, DT_DIR, &l.st, 0, true);
}

static int run(struct walk *w)
{
	unsigned char type = DT_UNKNOWN;
	struct stat st;
	int ret;

	buf_adds(&w->path, ""); /* owns memory, so path.p[0] may be written */
	buf_grow(&w->path, 1);
	w->path.p[0] = '\0';
	if (fstatat(w->dirfd, w->start, &st, w->flags & WALK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(w->err, "cannot look at %s", w->start);
	type = type_of(st.st_mode);
	ret = report(w, w->dirfd, w->start, type, &st, 0, false);
	if (ret < 0 || ret == WALK_STOP)
		return ret;
	if (type != DT_DIR || ret == WALK_SKIP)
		return 0;
	ret = enter(w, w->dirfd, w->start, (w->flags & WALK_FOLLOW) != 0);
	while (ret >= 0 && w->levels.n) {
		size_t i = w->levels.n - 1;

		ret = w->levels.p[i].next < w->levels.p[i].end ? step(w, i) : leave(w);
		if (ret == WALK_STOP)
			return ret;
	}
	return ret;
}

int file_walk(int dirfd, const char *path, unsigned flags, walk_fn fn, void *ctx, struct err *err)
{
	struct walk w = { .dirfd = dirfd, .start = path, .flags = flags, .fn = fn, .ctx = ctx,
			  .err = err, .names = BUF_INIT, .path = BUF_INIT };
	int ret;

	w.dents = xmalloc(DENTS_SIZE);
	ret = run(&w);
	for (size_t i = 0; i < w.levels.n; i++)
		if (w.levels.p[i].fd >= 0)
			close(w.levels.p[i].fd);
	vec_release(&w.levels);
	vec_release(&w.items);
	buf_release(&w.names);
	buf_release(&w.path);
	free(w.dents);
	return ret < 0 ? -1 : 0;
}
