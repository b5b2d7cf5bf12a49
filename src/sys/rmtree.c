/*
 * Removing trees that a task may have made as nasty as it could: directories without permissions,
 * 10,000 levels, a million files. Iterative; a bounded number of descriptors; what is deeper is
 * found again through "..", whose inode must be the one we came from.
 */
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "base/vec.h"

enum {
	DENTS_SIZE = 64 * 1024,
	KEEP_OPEN = 48,     /* levels whose descriptor stays open */
	RESCANS_MAX = 1000, /* directories that somebody fills while we empty them */
};

struct level {
	int fd; /* -1: closed for now */
	dev_t dev;
	ino_t ino;
	size_t first, next; /* names of its subdirectories: where they begin, what is to do */
	size_t current;     /* name of the one we are in */
};

struct rm {
	VEC(struct level) levels;
	struct buf names; /* NUL-terminated names of the levels, one region a level */
	char *dents;
	bool failed;      /* err is set; go on with the rest */
	int rescans;
	struct err *err;
};

static void note(struct rm *rm, const char *what, const char *name)
{
	if (rm->failed)
		return;
	rm->failed = true;
	err_sys(rm->err, "cannot %s %s", what, name);
}

/* Permissions of a directory we cannot open, changed without following a symlink. */
static void force_open(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[40];

	if (fd < 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, 0700) < 0)
		errno = EACCES;
	close(fd);
}

static int open_level(struct rm *rm, int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = openat(dirfd, name, flags);

	if (fd < 0 && errno == EACCES) {
		force_open(dirfd, name);
		fd = openat(dirfd, name, flags);
	}
	if (fd < 0 && errno != ENOENT)
		note(rm, "open directory", name);
	return fd;
}

static void push_level(struct rm *rm, int fd, const struct stat *st)
{
	struct level *l = vec_push(&rm->levels);

	*l = (struct level){ .fd = fd, .dev = st->st_dev, .ino = st->st_ino,
			     .first = rm->names.n, .next = rm->names.n };
	if (rm->levels.n > KEEP_OPEN) {
		struct level *up = &rm->levels.p[rm->levels.n - 2];

		close(up->fd);
		up->fd = -1;
	}
}

/* Unlinks all that is no directory, collects the names of what is. Returns how many entries there
 * were. */
static size_t scan(struct rm *rm, struct level *l)
{
	size_t seen = 0;

	(void)lseek(l->fd, 0, SEEK_SET);
	for (;;) {
		long n = syscall(SYS_getdents64, l->fd, rm->dents, DENTS_SIZE);

		if (n < 0 && errno != ENOENT)
			note(rm, "read", "a directory");
		if (n <= 0)
			return seen;
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(rm->dents + at);
			const char *name = d->d_name;

			at += d->d_reclen;
			if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
				continue;
			seen++;
			if (d->d_type != DT_DIR) {
				if (unlinkat(l->fd, name, 0) == 0 || errno == ENOENT)
					continue;
				if (errno != EISDIR) {
					note(rm, "remove", name);
					continue;
				}
			}
			buf_add(&rm->names, name, strlen(name) + 1);
		}
	}
}

/* Goes into the subdirectory whose name stands at l->current, unless it is empty and can go. */
static void enter(struct rm *rm, size_t depth)
{
	struct level *l = &rm->levels.p[depth];
	const char *name = rm->names.p + l->current;
	struct stat st;
	int fd;

	if (unlinkat(l->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	if (errno == ENOTDIR) { /* somebody put a file there meanwhile */
		if (unlinkat(l->fd, name, 0) < 0 && errno != ENOENT)
			note(rm, "remove", name);
		return;
	}
	fd = open_level(rm, l->fd, name);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || st.st_dev != l->dev) {
		errno = EXDEV;
		note(rm, "enter another file system at", name);
		close(fd);
		return;
	}
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	push_level(rm, fd, &st);
	(void)scan(rm, &rm->levels.p[depth + 1]);
}

/* The descriptor of the level above again, through "..". */
static int reopen(struct level *up, const struct level *l)
{
	struct stat st;
	int fd;

	if (up->fd >= 0)
		return 0;
	fd = openat(l->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || st.st_dev != up->dev || st.st_ino != up->ino) {
		close(fd);
		errno = ESTALE;
		return -1;
	}
	up->fd = fd;
	return 0;
}

/* All names of the last level are done: back to the one above, and the directory goes. -1: the
 * way back is lost. */
static int leave(struct rm *rm)
{
	struct level l = rm->levels.p[rm->levels.n - 1];
	struct level *up = &rm->levels.p[rm->levels.n - 2];
	const char *name;

	if (reopen(up, &l) < 0) {
		note(rm, "find the parent of", "a directory that was moved");
		return -1;
	}
	close(l.fd);
	rm->levels.n--;
	rm->names.n = l.first;
	name = rm->names.p + up->current;
	if (unlinkat(up->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || rm->failed)
		return 0;
	if ((errno == ENOTEMPTY || errno == EEXIST) && rm->rescans++ < RESCANS_MAX)
		up->next = up->current; /* once more */
	else
		note(rm, "remove directory", name);
	return 0;
}

/* Empties the directory `fd`, which it takes. */
static int empty_tree(int fd, struct err *err)
{
	struct rm rm = { .names = BUF_INIT, .err = err };
	struct stat st;

	if (fstat(fd, &st) < 0) {
		err_sys(err, "cannot look at directory");
		close(fd);
		return -1;
	}
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	rm.dents = xmalloc(DENTS_SIZE);
	push_level(&rm, fd, &st);
	while (rm.levels.n) {
		size_t depth = rm.levels.n - 1;
		struct level *l = &rm.levels.p[depth];

		if (l->next < rm.names.n) {
			l->current = l->next;
			l->next += strlen(rm.names.p + l->next) + 1;
			enter(&rm, depth);
		} else if (depth) {
			if (leave(&rm) < 0)
				break;
		} else {
			/* The root is looked at until there is nothing left in it. */
			rm.names.n = l->next = l->first;
			if (rm.failed || scan(&rm, l) == 0)
				break;
			if (rm.rescans++ >= RESCANS_MAX) {
				errno = ENOTEMPTY;
				note(&rm, "empty", "a directory that keeps being filled");
			}
		}
	}
	for (size_t i = 0; i < rm.levels.n; i++)
		if (rm.levels.p[i].fd >= 0)
			close(rm.levels.p[i].fd);
	vec_release(&rm.levels);
	buf_release(&rm.names);
	free(rm.dents);
	return rm.failed ? -1 : 0;
}

int file_empty_dir(int fd, struct err *err)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (own < 0 && errno == EACCES) {
		(void)fchmod(fd, 0700);
		own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (own < 0)
		return err_sys(err, "cannot open directory");
	return empty_tree(own, err);
}

int file_rmtree(int dirfd, const char *name, struct err *err)
{
	struct rm rm = { .names = BUF_INIT, .err = err };
	struct stat st;

	for (int i = 0; i < RESCANS_MAX; i++) {
		int fd;

		if (unlinkat(dirfd, name, 0) == 0)
			return 1;
		if (errno == ENOENT)
			return i > 0;
		/* A directory: EISDIR, but EPERM or EACCES where the parent is in the way. */
		if (errno != EISDIR && (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
					!S_ISDIR(st.st_mode)))
			return err_sys(err, "cannot remove %s", name);
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
			return 1;
		if (errno == EACCES || errno == EPERM || errno == EBUSY || errno == EROFS)
			return err_sys(err, "cannot remove %s", name);
		fd = open_level(&rm, dirfd, name);
		if (rm.failed)
			return -1;
		if (fd >= 0 && empty_tree(fd, err) < 0)
			return err_prefix(err, "%s", name);
	}
	errno = ENOTEMPTY;
	return err_sys(err, "cannot remove %s", name);
}

int file_dir_is_empty(int fd, struct err *err)
{
	_Alignas(struct dirent64) char space[1024];
	int empty = 1;
	long n;

	while (empty && (n = syscall(SYS_getdents64, fd, space, sizeof(space))) != 0) {
		if (n < 0)
			return err_sys(err, "cannot read directory");
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(space + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
				empty = 0;
		}
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot read directory");
	return empty;
}
