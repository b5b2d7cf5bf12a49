/* The directory store: whatever adds objects or renews them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cas/cas.h"
#include "cas/store_files.h"
#include "sys/file.h"
#include "sys/hash.h"

/* Renews the time; the caller holds the lock. 1, 0 gone. */
static int touch_locked(struct store_files *s, const char *key, struct err *err)
{
	if (utimensat(s->fd, key, NULL, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_sys(err, "cannot renew %s/%s", s->dir, key);
}

int files_touch(struct store *base, const char *key, struct err *err)
{
	struct store_files *s = files_of(base);
	int ret;

	if (files_check_key(s, key, err) < 0 || files_lock_shared(s, err) < 0)
		return -1;
	ret = touch_locked(s, key, err);
	files_unlock_shared(s);
	return ret;
}

/* A temporary file that is ours: locked, so that sweep() of another process leaves it alone. A
 * sweep may come between the creation and the lock; then the name is gone and we take another. */
static int temp_open(struct store_files *s, char *name, struct err *err)
{
	pthread_mutex_lock(&s->mu);
	int rc = files_open_writable(s, err);

	pthread_mutex_unlock(&s->mu);
	if (rc < 0)
		return -1;
	for (;;) {
		struct stat st;
		int fd = file_temp(s->tmpfd, "o", 0400, name, err);

		if (fd < 0)
			return err_prefix(err, "%s", s->dir);
		if (files_flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0) {
			err_sys(err, "cannot lock %s/%s/%s", s->dir, STORE_TMP, name);
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

static void note_unsynced(struct store_files *s, const char *key)
{
	pthread_mutex_lock(&s->mu);
	if (s->n_unsynced < STORE_UNSYNCED_MAX)
		s->unsynced[s->n_unsynced] = xstrdup(key);
	s->n_unsynced++;
	pthread_mutex_unlock(&s->mu);
}

/* Is an object there, but not of this size (-1: any will do)? That is what a power cut left. */
static bool is_cut(struct store_files *s, const char *key, int64_t size)
{
	struct stat st;

	return size >= 0 && fstatat(s->fd, key, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_size != size;
}

/* Gives the finished temporary file its name. 1 stored, 0 another one (of `size` bytes, -1: any)
 * was there first. The temporary name is gone afterwards in any case. */
static int temp_commit(struct store_files *s, const char *name, const char *key, int64_t size,
		       struct err *err)
{
	bool made = false;
	int ret;

	if (files_lock_shared(s, err) < 0) {
		unlinkat(s->tmpfd, name, 0);
		return -1;
	}
	for (;;) {
		bool cut = is_cut(s, key, size);

		ret = cut ? 0 : touch_locked(s, key, err);
		if (ret != 0) {
			ret = ret > 0 ? 0 : -1;
			break;
		}
		ret = file_rename(s->tmpfd, name, s->fd, key, cut ? 0 : RENAME_NOREPLACE, err);
		if (ret > 0)
			break;
		if (ret == 0) /* another writer came in between: what is there now counts */
			continue;
		if (err->sys != ENOENT || made || make_parents(s, key, err) < 0)
			break;
		made = true;
		*err = (struct err)ERR_INIT;
	}
	if (ret <= 0)
		unlinkat(s->tmpfd, name, 0);
	files_unlock_shared(s);
	if (ret >= 0)
		note_unsynced(s, key);
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

int files_put(struct store *base, const char *key, const struct store_source *src,
		     struct err *err)
{
	struct store_files *s = files_of(base);
	char name[FILE_TEMP_SIZE];
	int ret, fd;

	if (files_check_key(s, key, err) < 0)
		return -1;
	ret = files_touch(base, key, err);
	if (ret > 0)
		note_unsynced(s, key); /* whoever put it may have died before it was synced */
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
	ret = temp_commit(s, name, key, -1, err);
	close(fd);
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
		if (err->code == ERR_NOSPACE) /* it was read well */
			err_set(err, ERR_NOSPACE, "no space for it in %s: make room there, or set "
				"KUBEQUE_HOME to another place", s->dir);
		break;
	}
	return -1;
}

int files_put_content(struct store *base, int fd, char *hex, int64_t *size,
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
	ret = temp_commit(s, name, key, *size, err);
	close(tmp);
	return ret;
}

/* fsync of the file and of the directory that names it. */
static int sync_object(struct store_files *s, const char *key, struct err *err)
{
	char *dir = xstrdup(key), *slash = strrchr(dir, '/');
	int fd = openat(s->fd, key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), ret = 0;

	if (fd >= 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		ret = err_sys(err, "cannot flush %s/%s", s->dir, key);
	if (fd >= 0)
		close(fd);
	if (slash && ret == 0) {
		*slash = '\0';
		fd = openat(s->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			ret = file_sync_dir(fd, err);
			close(fd);
		}
	}
	free(dir);
	return ret;
}

int files_sync(struct store *base, struct err *err)
{
	struct store_files *s = files_of(base);
	char *keys[STORE_UNSYNCED_MAX];
	size_t n, known;
	int ret = 0;

	pthread_mutex_lock(&s->mu);
	n = s->n_unsynced;
	known = MIN(n, (size_t)STORE_UNSYNCED_MAX);
	memcpy(keys, s->unsynced, known * sizeof(*keys));
	s->n_unsynced = 0;
	pthread_mutex_unlock(&s->mu);
	if (n > known && syncfs(s->fd) < 0)
		ret = err_sys(err, "cannot flush %s", s->dir);
	for (size_t i = 0; i < known; i++) {
		if (n == known && ret == 0)
			ret = sync_object(s, keys[i], err);
		free(keys[i]);
	}
	if (n == known && n && ret == 0)
		ret = file_sync_dir(s->fd, err);
	if (ret < 0) { /* nothing is known to be safe: all of it next time */
		pthread_mutex_lock(&s->mu);
		for (size_t i = 0; i < MIN(s->n_unsynced, (size_t)STORE_UNSYNCED_MAX); i++)
			free(s->unsynced[i]);
		memset(s->unsynced, 0, sizeof(s->unsynced));
		s->n_unsynced = STORE_UNSYNCED_MAX + 1;
		pthread_mutex_unlock(&s->mu);
	}
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
	if (files_flock(fd, LOCK_EX | LOCK_NB) == 0) {
		if (unlinkat(e->dirfd, e->name, 0) == 0)
			w->count++;
		else if (errno != ENOENT)
			err_sys(err, "cannot remove %s/%s/%s", w->s->dir, STORE_TMP, e->name);
	}
	close(fd);
	return err->code ? -1 : WALK_GO_ON;
}

int files_sweep(struct store *base, int64_t *count, struct err *err)
{
	struct store_files *s = files_of(base);
	struct sweep_walk w = { s, 0 };
	int ret = 0;

	if (faccessat(s->fd, STORE_TMP, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		ret = file_walk(s->fd, STORE_TMP, WALK_NO_STAT, sweep_entry, &w, err);
	*count = w.count;
	return ret;
}
