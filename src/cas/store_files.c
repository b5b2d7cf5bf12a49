/* A directory as an object store. */
#include "cas/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "cas/cas.h"
#include "sys/file.h"
#include "sys/hash.h"

static const char tmp_dir[] = ".tmp";
static const char lock_file[] = ".lock";

struct store_files {
	struct store base;
	char *dir; /* for messages */
	int fd;
	int tmpfd, lockfd; /* -1 until something is written; under mu */
	atomic_bool unsynced;
	atomic_bool no_clone; /* FICLONE was refused once: do not ask for each file */
	pthread_mutex_t mu;
	pthread_cond_t idle;
	size_t sharers;
	bool exclusive;
};

static struct store_files *files_of(struct store *base)
{
	return container_of(base, struct store_files, base);
}

/* ---- the lock of the store -------------------------------------------------------------- */

static int open_writable(struct store_files *s, struct err *err)
{
	if (s->lockfd >= 0)
		return 0;
	if (s->tmpfd < 0) {
		if (file_mkdirs(s->fd, tmp_dir, 0700, err) < 0)
			return err_prefix(err, "%s", s->dir);
		s->tmpfd = file_open_dir(s->fd, tmp_dir, err);
		if (s->tmpfd < 0)
			return err_prefix(err, "%s", s->dir);
	}
	s->lockfd = openat(s->fd, lock_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lockfd < 0)
		return err_sys(err, "cannot open %s/%s", s->dir, lock_file);
	return 0;
}

static int flock_retry(int fd, int op)
{
	int rc;

	do
		rc = flock(fd, op);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* flock belongs to the open file, so the threads of one handle share one lock and count. */
static int lock_shared(struct store_files *s, struct err *err)
{
	int ret = -1;

	pthread_mutex_lock(&s->mu);
	while (s->exclusive)
		pthread_cond_wait(&s->idle, &s->mu);
	if (open_writable(s, err) < 0)
		goto out;
	if (s->sharers == 0 && flock_retry(s->lockfd, LOCK_SH) < 0) {
		err_sys(err, "cannot lock %s", s->dir);
		goto out;
	}
	s->sharers++;
	ret = 0;
out:
	pthread_mutex_unlock(&s->mu);
	return ret;
}

static void unlock_shared(struct store_files *s)
{
	pthread_mutex_lock(&s->mu);
	if (--s->sharers == 0) {
		flock_retry(s->lockfd, LOCK_UN);
		pthread_cond_broadcast(&s->idle);
	}
	pthread_mutex_unlock(&s->mu);
}

static int lock_exclusive(struct store_files *s, struct err *err)
{
	int ret = -1;

	pthread_mutex_lock(&s->mu);
	while (s->exclusive || s->sharers)
		pthread_cond_wait(&s->idle, &s->mu);
	if (open_writable(s, err) < 0)
		goto out;
	if (flock_retry(s->lockfd, LOCK_EX) < 0) {
		err_sys(err, "cannot lock %s", s->dir);
		goto out;
	}
	s->exclusive = true;
	ret = 0;
out:
	pthread_mutex_unlock(&s->mu);
	return ret;
}

static void unlock_exclusive(struct store_files *s)
{
	pthread_mutex_lock(&s->mu);
	s->exclusive = false;
	flock_retry(s->lockfd, LOCK_UN);
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->mu);
}

/* ---- helpers ---------------------------------------------------------------------------- */

static bool is_reserved(const char *key)
{
	return (str_starts(key, tmp_dir) && (key[4] == '\0' || key[4] == '/')) ||
	       strcmp(key, lock_file) == 0;
}

static int check_key(const struct store_files *s, const char *key, struct err *err)
{
	if (!file_path_is_clean(key) || !utf8_valid(key, strlen(key)) || is_reserved(key))
		return err_set(err, ERR_USAGE, "%s: %s is no key of an object", s->dir, key);
	return 0;
}

/* Renews the time; the caller holds the lock. 1, 0 gone. */
static int touch_locked(struct store_files *s, const char *key, struct err *err)
{
	if (utimensat(s->fd, key, NULL, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_sys(err, "cannot renew %s/%s", s->dir, key);
}

static int files_touch(struct store *base, const char *key, struct err *err)
{
	struct store_files *s = files_of(base);
	int ret;

	if (check_key(s, key, err) < 0 || lock_shared(s, err) < 0)
		return -1;
	ret = touch_locked(s, key, err);
	unlock_shared(s);
	return ret;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* A temporary file that is ours: locked, so that sweep() of another process leaves it alone. A
 * sweep may come between the creation and the lock; then the name is gone and we take another. */
static int temp_open(struct store_files *s, char *name, struct err *err)
{
	pthread_mutex_lock(&s->mu);
	int rc = open_writable(s, err);

	pthread_mutex_unlock(&s->mu);
	if (rc < 0)
		return -1;
	for (;;) {
		struct stat st;
		int fd = file_temp(s->tmpfd, "o", 0400, name, err);

		if (fd < 0)
			return err_prefix(err, "%s", s->dir);
		if (flock_retry(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0) {
			err_sys(err, "cannot lock %s/%s/%s", s->dir, tmp_dir, name);
			unlinkat(s->tmpfd, name, 0);
			close(fd);
			return -1;
		}
		if (st.st_nlink > 0)
			return fd;
		close(fd);
	}
}

static int make_parents(struct store_files *s, const char *key, struct err *err)
{
	const char *slash = strrchr(key, '/');
	char *dir;
	int rc;

	if (!slash)
		return 0;
	dir = xstrndup(key, (size_t)(slash - key));
	rc = file_mkdirs(s->fd, dir, 0700, err);
	free(dir);
	return rc < 0 ? err_prefix(err, "%s", s->dir) : 0;
}

/* Gives the finished temporary file its name. 1 stored, 0 another one was there first. The
 * temporary name is gone afterwards in any case. */
static int temp_commit(struct store_files *s, const char *name, const char *key, struct err *err)
{
	int ret;

	if (lock_shared(s, err) < 0) {
		unlinkat(s->tmpfd, name, 0);
		return -1;
	}
	for (int i = 0;; i++) {
		ret = touch_locked(s, key, err);
		if (ret != 0) {
			ret = ret > 0 ? 0 : -1;
			break;
		}
		ret = file_rename(s->tmpfd, name, s->fd, key, RENAME_NOREPLACE, err);
		if (ret > 0)
			break;
		if (ret < 0) {
			if (err->sys != ENOENT || i > 0 || make_parents(s, key, err) < 0)
				break;
			*err = (struct err)ERR_INIT;
		}
	}
	if (ret <= 0)
		unlinkat(s->tmpfd, name, 0);
	unlock_shared(s);
	return ret;
}

static int write_source(struct store_files *s, const struct store_source *src, int fd,
			struct err *err)
{
	struct stat st;

	if (src->p)
		return file_write_fd(fd, src->p, src->n, err);
	if (file_clone_fd(src->fd, fd, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s", s->dir);
	if (st.st_size != src->size)
		return err_set(err, ERR_CONFLICT, "it changed while it was read");
	return 0;
}

static int files_put(struct store *base, const char *key, const struct store_source *src,
		     struct err *err)
{
	struct store_files *s = files_of(base);
	char name[FILE_TEMP_SIZE];
	int ret, fd;

	if (check_key(s, key, err) < 0)
		return -1;
	ret = files_touch(base, key, err);
	if (ret != 0)
		return ret > 0 ? 0 : -1;
	fd = temp_open(s, name, err);
	if (fd < 0)
		return -1;
	if (write_source(s, src, fd, err) < 0) {
		unlinkat(s->tmpfd, name, 0);
		close(fd);
		return err_prefix(err, "cannot store %s/%s", s->dir, key);
	}
	ret = temp_commit(s, name, key, err);
	close(fd);
	atomic_store(&s->unsynced, true);
	return ret;
}

/* Fills the temporary file with what fd holds and hashes exactly that. A clone is a snapshot; a
 * copy is hashed as it is written. */
static int fill_content(struct store_files *s, int fd, int tmp, char *hex, int64_t *size,
			struct err *err)
{
	struct stat st;

	if (!atomic_load(&s->no_clone)) {
		if (ioctl(tmp, FICLONE, fd) == 0) {
			if (hash_fd(tmp, -1, hex, &st, err) != HASH_OK)
				return err->code ? -1 : err_set(err, ERR_IO, "cannot read it");
			*size = st.st_size;
			return 0;
		}
		if (errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS)
			atomic_store(&s->no_clone, true);
	}
	switch (hash_fd(fd, tmp, hex, &st, err)) {
	case HASH_OK:
		*size = st.st_size;
		return 0;
	case HASH_CHANGED:
		return err_set(err, ERR_CONFLICT, "it changed while it was read");
	case HASH_FAILED:
		break;
	}
	return -1;
}

static int files_put_content(struct store *base, int fd, char *hex, int64_t *size,
			     struct err *err)
{
	struct store_files *s = files_of(base);
	char name[FILE_TEMP_SIZE], key[CAS_KEY_SIZE];
	int ret, tmp;

	tmp = temp_open(s, name, err);
	if (tmp < 0)
		return -1;
	if (fill_content(s, fd, tmp, hex, size, err) < 0) {
		unlinkat(s->tmpfd, name, 0);
		close(tmp);
		return -1;
	}
	cas_key(key, hex);
	ret = temp_commit(s, name, key, err);
	close(tmp);
	atomic_store(&s->unsynced, true);
	return ret;
}

static int files_sync(struct store *base, struct err *err)
{
	struct store_files *s = files_of(base);

	if (atomic_exchange(&s->unsynced, false) && syncfs(s->fd) < 0) {
		atomic_store(&s->unsynced, true);
		return err_sys(err, "cannot flush %s", s->dir);
	}
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Descriptor, or -1 with err->code ERR_NOT_FOUND when there is no such object. */
static int open_object(struct store_files *s, const char *key, struct err *err)
{
	int fd;

	if (check_key(s, key, err) < 0)
		return -1;
	fd = openat(s->fd, key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(err, ERR_NOT_FOUND, "no object %s in %s", key, s->dir);
	return err_sys(err, "cannot open %s/%s", s->dir, key);
}

/* The answer for a descriptor that was not opened: 0 (and no error) or -1. */
static int not_opened(struct err *err)
{
	if (err->code != ERR_NOT_FOUND)
		return -1;
	*err = (struct err)ERR_INIT;
	return 0;
}

static int files_get(struct store *base, const char *key, size_t limit, struct buf *out,
		     struct err *err)
{
	struct store_files *s = files_of(base);
	int fd = open_object(s, key, err);
	int rc;

	if (fd < 0)
		return not_opened(err);
	rc = file_read_fd(fd, limit, out, err);
	close(fd);
	return rc < 0 ? err_prefix(err, "%s/%s", s->dir, key) : 1;
}

static int files_get_file(struct store *base, const char *key, int dirfd, const char *path,
			  unsigned mode, struct err *err)
{
	struct store_files *s = files_of(base);
	int fd = open_object(s, key, err);
	int out, ret = -1;

	if (fd < 0)
		return not_opened(err);
	out = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		     (mode_t)(mode & 0777));
	if (out < 0) {
		err_sys(err, "cannot create %s", path);
		goto out;
	}
	if (file_clone_fd(fd, out, err) < 0)
		err_prefix(err, "cannot write %s", path);
	else if (fchmod(out, (mode_t)(mode & 0777)) < 0)
		err_sys(err, "cannot set the mode of %s", path);
	else
		ret = 1;
	close(out);
	if (ret < 0)
		unlinkat(dirfd, path, 0);
out:
	close(fd);
	return ret;
}

static int files_link(struct store *base, const char *key, int dirfd, const char *path,
		      struct err *err)
{
	struct store_files *s = files_of(base);

	if (check_key(s, key, err) < 0)
		return -1;
	if (linkat(s->fd, key, dirfd, path, 0) == 0)
		return 1;
	if (errno == ENOENT && faccessat(s->fd, key, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (errno == EXDEV || errno == EPERM || errno == EMLINK) {
		err_sys(err, "cannot link %s to an object of %s", path, s->dir);
		err->code = ERR_USAGE;
		return -1;
	}
	return err_sys(err, "cannot link %s to an object of %s", path, s->dir);
}

static void stat_of(const struct stat *st, struct store_stat *out)
{
	out->size = st->st_size;
	out->mtime = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static int files_stat(struct store *base, const char *key, struct store_stat *out, struct err *err)
{
	struct store_files *s = files_of(base);
	struct stat st;

	if (check_key(s, key, err) < 0)
		return -1;
	if (fstatat(s->fd, key, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return err_sys(err, "cannot look at %s/%s", s->dir, key);
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	stat_of(&st, out);
	return 1;
}

/* ---- listing and removing --------------------------------------------------------------- */

struct list_walk {
	const char *prefix;
	size_t prefix_len;
	store_fn fn;
	void *ctx;
};

/* Directories are entered only where the prefix can still match. */
static int list_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct list_walk *w = ctx;
	struct store_stat st;
	size_t n = MIN(e->path_len, w->prefix_len);
	int rc;

	if (e->depth == 0)
		return WALK_GO_ON;
	if (is_reserved(e->path) || memcmp(e->path, w->prefix, n) != 0)
		return WALK_SKIP;
	if (S_ISDIR(e->st->st_mode))
		return e->path_len < w->prefix_len && w->prefix[e->path_len] != '/' ? WALK_SKIP
										    : WALK_GO_ON;
	if (!S_ISREG(e->st->st_mode) || e->path_len < w->prefix_len)
		return WALK_GO_ON;
	stat_of(e->st, &st);
	rc = w->fn(w->ctx, e->path, &st);
	if (rc < 0 && !err->code)
		return err_set(err, ERR_IO, "listing was stopped");
	return rc < 0 ? -1 : rc > 0 ? WALK_STOP : WALK_GO_ON;
}

static int files_list(struct store *base, const char *prefix, store_fn fn, void *ctx,
		      struct err *err)
{
	struct store_files *s = files_of(base);
	struct list_walk w = { prefix, strlen(prefix), fn, ctx };

	if (file_walk(s->fd, ".", 0, list_entry, &w, err) < 0)
		return err_prefix(err, "cannot list %s", s->dir);
	return 0;
}

static int files_remove(struct store *base, const char *key, const struct store_stat *seen,
			struct err *err)
{
	struct store_files *s = files_of(base);
	struct store_stat now;
	int ret;

	if (check_key(s, key, err) < 0 || lock_exclusive(s, err) < 0)
		return -1;
	ret = files_stat(base, key, &now, err);
	if (ret == 0) {
		ret = 1;
	} else if (ret > 0) {
		if (seen && (now.mtime != seen->mtime || now.size != seen->size))
			ret = 0;
		else if (unlinkat(s->fd, key, 0) < 0 && errno != ENOENT)
			ret = err_sys(err, "cannot remove %s/%s", s->dir, key);
	}
	unlock_exclusive(s);
	return ret;
}

struct sweep_walk {
	struct store_files *s;
	int64_t count;
};

static int sweep_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct sweep_walk *w = ctx;
	int fd;

	if (e->depth == 0 || e->type != DT_REG)
		return e->depth == 0 ? WALK_GO_ON : WALK_SKIP;
	fd = openat(e->dirfd, e->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return WALK_GO_ON; /* its writer was quicker */
	if (flock_retry(fd, LOCK_EX | LOCK_NB) == 0) {
		if (unlinkat(e->dirfd, e->name, 0) == 0)
			w->count++;
		else if (errno != ENOENT)
			err_sys(err, "cannot remove %s/%s/%s", w->s->dir, tmp_dir, e->name);
	}
	close(fd);
	return err->code ? -1 : WALK_GO_ON;
}

static int files_sweep(struct store *base, int64_t *count, struct err *err)
{
	struct store_files *s = files_of(base);
	struct sweep_walk w = { s, 0 };
	int ret = 0;

	if (faccessat(s->fd, tmp_dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		ret = file_walk(s->fd, tmp_dir, WALK_NO_STAT, sweep_entry, &w, err);
	*count = w.count;
	return ret;
}

/* ---- open and close --------------------------------------------------------------------- */

static void files_close(struct store *base)
{
	struct store_files *s = files_of(base);

	if (s->lockfd >= 0)
		close(s->lockfd);
	if (s->tmpfd >= 0)
		close(s->tmpfd);
	close(s->fd);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->mu);
	free(s->dir);
	free(s);
}

static const struct store_ops files_ops = {
	.name = "files",
	.put = files_put,
	.get = files_get,
	.get_file = files_get_file,
	.stat = files_stat,
	.touch = files_touch,
	.list = files_list,
	.remove = files_remove,
	.put_content = files_put_content,
	.link = files_link,
	.sync = files_sync,
	.sweep = files_sweep,
	.close = files_close,
};

struct store *store_files_open(const char *dir, bool create, struct err *err)
{
	struct store_files *s;
	int fd;

	if (create && file_mkdirs(AT_FDCWD, dir, 0700, err) < 0)
		return NULL;
	fd = file_open_dir(AT_FDCWD, dir, err);
	if (fd < 0) {
		if (err->sys == ENOENT)
			err->code = ERR_NOT_FOUND;
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->base.ops = &files_ops;
	s->dir = xstrdup(dir);
	s->fd = fd;
	s->tmpfd = s->lockfd = -1;
	pthread_mutex_init(&s->mu, NULL);
	pthread_cond_init(&s->idle, NULL);
	return &s->base;
}
