/* A directory as an object store: opening, reading, listing, removing. */
#include "cas/store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/file.h"

static bool is_reserved(const char *key)
{
	return (str_starts(key, STORE_TMP) && (key[4] == '\0' || key[4] == '/')) ||
	       strcmp(key, STORE_LOCK) == 0;
}

int files_check_key(const struct store_files *s, const char *key, struct err *err)
{
	if (!file_path_is_clean(key) || !utf8_valid(key, strlen(key)) || is_reserved(key))
		return err_set(err, ERR_USAGE, "%s: %s is no key of an object", s->dir, key);
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Descriptor, or -1 with err->code ERR_NOT_FOUND when there is no such object. */
static int open_object(struct store_files *s, const char *key, struct err *err)
{
	int fd;

	if (files_check_key(s, key, err) < 0)
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

	if (files_check_key(s, key, err) < 0)
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
	out->writable = st->st_mode & 0222;
}

static int files_stat(struct store *base, const char *key, struct store_stat *out, struct err *err)
{
	struct store_files *s = files_of(base);
	struct stat st;

	if (files_check_key(s, key, err) < 0)
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
	struct store_stat now = { .size = 0 };
	int ret;

	if (files_check_key(s, key, err) < 0 || files_lock_exclusive(s, err) < 0)
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
	files_unlock_exclusive(s);
	return ret;
}

/* ---- open and close --------------------------------------------------------------------- */

static void files_close(struct store *base)
{
	struct store_files *s = files_of(base);

	for (size_t i = 0; i < MIN(s->n_unsynced, (size_t)STORE_UNSYNCED_MAX); i++)
		free(s->unsynced[i]);
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
