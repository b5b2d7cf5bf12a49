/* Inputs into a work directory. */
#include "cas/materialize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "model/path.h"
#include "sys/file.h"

void materialize_init(struct materialize *m, struct cas *cas, int dirfd)
{
	*m = (struct materialize){ .cas = cas };
	subdir_init(&m->at, dirfd);
}

void materialize_release(struct materialize *m)
{
	subdir_release(&m->at);
}

static enum materialize_result unsafe(const char *dst, const char *why, struct err *err)
{
	struct buf shown = BUF_INIT;

	path_add_escaped(&shown, str_of(dst));
	err_set(err, ERR_USAGE, "input %.1000s %s", shown.p, why);
	buf_release(&shown);
	return MATERIALIZE_UNSAFE;
}

static enum materialize_result missing(const char *dst, struct err *err)
{
	struct buf shown = BUF_INIT;

	path_add_escaped(&shown, str_of(dst));
	err_set(err, ERR_NOT_FOUND, "missing input %.1000s", shown.p);
	buf_release(&shown);
	return MATERIALIZE_MISSING;
}

/* What lies in the way of a directory is the list's fault; all else is this machine's. */
static enum materialize_result not_entered(const char *dst, struct err *err)
{
	if (err->sys == ENOTDIR || err->sys == ELOOP)
		return unsafe(dst, "lies below what is no directory", err);
	return MATERIALIZE_ERROR;
}

/* Lays the object down as dir/name: 1, 0 no such object, -1. */
static int lay_down(struct materialize *m, const struct materialize_file *f, int dir,
		    const char *name, struct err *err)
{
	char key[CAS_KEY_SIZE];

	if (!m->link)
		return cas_get_file(m->cas, f->sha256, dir, name, (f->mode & 0777) | 0600,
				    m->verify, err);
	cas_key(key, f->sha256);
	return store_link(cas_store(m->cas), key, dir, name, err);
}

/* Size as promised, mtime as it was. A wrong size means a damaged object: it goes. */
static enum materialize_result finish_file(struct materialize *m, const struct materialize_file *f,
					   int dir, const char *name, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 0 } };
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		err_sys(err, "cannot look at the input %s", f->dst);
		return MATERIALIZE_ERROR;
	}
	if (f->size >= 0 && st.st_size != f->size) {
		char key[CAS_KEY_SIZE];

		cas_key(key, f->sha256);
		unlinkat(dir, name, 0);
		store_remove(cas_store(m->cas), key, NULL, &ignored);
		cas_unpin_all(m->cas, &ignored);
		return missing(f->dst, err);
	}
	if (m->link)
		return MATERIALIZE_OK; /* the inode is the CAS's */
	ts[1].tv_sec = f->mtime_ns / 1000000000;
	ts[1].tv_nsec = f->mtime_ns % 1000000000;
	if (ts[1].tv_nsec < 0) {
		ts[1].tv_sec--;
		ts[1].tv_nsec += 1000000000;
	}
	if (utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0) {
		err_sys(err, "cannot set the time of the input %s", f->dst);
		return MATERIALIZE_ERROR;
	}
	return MATERIALIZE_OK;
}

enum materialize_result materialize_file(struct materialize *m, const struct materialize_file *f,
					 struct err *err)
{
	struct err ignored = ERR_INIT;
	const char *name;
	int dir, rc;

	if (!path_is_destination(str_of(f->dst)))
		return unsafe(f->dst, "would lie outside the work directory", err);
	if (!cas_hash_valid(f->sha256))
		return missing(f->dst, err);
	dir = subdir_of(&m->at, f->dst, true, &name, err);
	if (dir < 0)
		return not_entered(f->dst, err);
	rc = lay_down(m, f, dir, name, err);
	if (rc > 0)
		return finish_file(m, f, dir, name, err);
	if (rc == 0) {
		cas_unpin_all(m->cas, &ignored);
		return missing(f->dst, err);
	}
	if (err->sys == EEXIST)
		return unsafe(f->dst, "is there twice", err);
	if (err->code == ERR_IO && !err->sys) /* it was read and is not what its name says */
		return missing(f->dst, err);
	err_prefix(err, "input %s", f->dst);
	return MATERIALIZE_ERROR;
}

enum materialize_result materialize_dir(struct materialize *m, const char *path, struct err *err)
{
	if (!path_is_destination(str_of(path)))
		return unsafe(path, "would lie outside the work directory", err);
	if (subdir_enter(&m->at, path, strlen(path), true, err) < 0)
		return not_entered(path, err);
	return MATERIALIZE_OK;
}
