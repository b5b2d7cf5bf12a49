#include "work/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "sys/file.h"

int workroot_open(struct workroot *w, const char *work_dir, const char *node, struct err *err)
{
	*w = (struct workroot){ .fd = -1, .kept_fd = -1 };
	if (file_mkdirs(AT_FDCWD, work_dir, 0700, err) < 0)
		return -1;
	w->path = xasprintf("%s/%s", work_dir, node);
	w->kept = xasprintf("%s/kept", work_dir);
	(void)snprintf(w->name, sizeof(w->name), "%s", node);
	w->kept_fd = open(work_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->kept_fd < 0 || (mkdirat(w->kept_fd, node, 0700) < 0 && errno != EEXIST) ||
	    (w->fd = openat(w->kept_fd, node, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		err_sys(err, "cannot make the work directory %s", w->path);
		workroot_close(w);
		return -1;
	}
	return 0;
}

void workroot_close(struct workroot *w)
{
	struct err err = ERR_INIT;

	if (w->fd >= 0) {
		close(w->fd);
		if (file_rmtree(w->kept_fd, w->name, &err) < 0)
			log_warn("Work directory %s could not be removed: %s", w->path, err.text);
	}
	if (w->kept_fd >= 0)
		close(w->kept_fd);
	free(w->path);
	free(w->kept);
	*w = (struct workroot){ .fd = -1, .kept_fd = -1 };
}

void workdir_init(struct workdir *d, const struct workroot *w, int slot)
{
	*d = (struct workdir){ .fd = -1, .params_fd = -1 };
	(void)snprintf(d->name, sizeof(d->name), "%d", slot);
	d->path = xasprintf("%s/%d", w->path, slot);
	d->params_path = xasprintf("%s/%d.params", w->path, slot);
}

static void forget(struct workdir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static bool in_place(const struct workdir *d, const struct workroot *w)
{
	struct stat st;

	return fstatat(w->fd, d->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_mode & 07777) == 0700 && st.st_dev == d->dev && st.st_ino == d->ino;
}

int workdir_untouched(const struct workdir *d, const struct workroot *w)
{
	struct err err = ERR_INIT;

	return in_place(d, w) && file_dir_is_empty(d->fd, &err) == 1;
}

int workdir_prepare(struct workdir *d, const struct workroot *w, struct err *err)
{
	struct stat st;

	if (d->fd >= 0)
		return 0; /* whoever had it left it proven empty */
	if (file_rmtree(w->fd, d->name, err) < 0)
		return -1;
	if (mkdirat(w->fd, d->name, 0700) < 0 || fchmodat(w->fd, d->name, 0700, 0) < 0)
		return err_sys(err, "cannot make the work directory %s", d->path);
	d->fd = openat(w->fd, d->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st) < 0) {
		forget(d);
		return err_sys(err, "cannot open the work directory %s", d->path);
	}
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	return 0;
}

void workdir_clear(struct workdir *d, const struct workroot *w)
{
	struct err err = ERR_INIT;

	if (d->fd < 0)
		return;
	if (fchmod(d->fd, 0700) < 0 || file_empty_dir(d->fd, &err) < 0 || !in_place(d, w))
		forget(d);
}

int workdir_keep(struct workdir *d, const struct workroot *w, const char *name, char **path,
		 struct err *err)
{
	char to[320];

	*path = NULL;
	if (mkdirat(w->kept_fd, "kept", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make %s", w->kept);
	(void)snprintf(to, sizeof(to), "kept/%s", name);
	if (file_rmtree(w->kept_fd, to, err) < 0)
		return -1;
	if (renameat(w->fd, d->name, w->kept_fd, to) < 0)
		return err_sys(err, "cannot keep the work directory %s", d->path);
	*path = xasprintf("%s/%s", w->kept, name);
	forget(d);
	return 0;
}

int workdir_params(struct workdir *d, const struct workroot *w, const void *p, size_t n,
		   struct err *err)
{
	char name[32];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%s.params", d->name);
	/* the last task may have moved or removed it */
	if (d->params_fd >= 0 && (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
				  st.st_ino != d->params_ino || (st.st_mode & 07777) != 0600)) {
		close(d->params_fd);
		d->params_fd = -1;
	}
	if (d->params_fd < 0) {
		if (file_rmtree(w->fd, name, err) < 0)
			return -1;
		d->params_fd = openat(w->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (d->params_fd < 0 || fchmod(d->params_fd, 0600) < 0 ||
		    fstat(d->params_fd, &st) < 0)
			return err_sys(err, "cannot make %s", d->params_path);
		d->params_ino = st.st_ino;
		d->params_n = 0;
	} else {
		d->params_n = (size_t)st.st_size;
	}
	if (d->params_n > n && ftruncate(d->params_fd, (off_t)n) < 0)
		return err_sys(err, "cannot write %s", d->params_path);
	if (lseek(d->params_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot write %s", d->params_path);
	d->params_n = n;
	return file_write_fd(d->params_fd, p, n, err);
}

void workdir_release(struct workdir *d)
{
	forget(d);
	if (d->params_fd >= 0)
		close(d->params_fd);
	d->params_fd = -1;
	free(d->path);
	free(d->params_path);
	d->path = d->params_path = NULL;
}
