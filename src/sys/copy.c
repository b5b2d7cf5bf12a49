/* Copying and renaming files and trees: blocks are shared where the file system can. */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/signals.h"

/* Between two calls a client may be interrupted: nobody waits for the rest of a big file. */
enum { COPY_CHUNK = 256 * 1024, RANGE_CHUNK = 64 * 1024 * 1024 };

/* By read and write from `at` to the end of the file, or for `left` bytes (-1: all). */
static int copy_by_hand(int src, int dst, off_t at, off_t left, struct err *err)
{
	char *space = xmalloc(COPY_CHUNK);
	int ret = 0;

	while (left != 0) {
		size_t want = left < 0 || left > COPY_CHUNK ? COPY_CHUNK : (size_t)left;
		ssize_t n = pread(src, space, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			ret = err_sys(err, "cannot read");
		if (n <= 0)
			break;
		for (ssize_t done = 0; done < n;) {
			ssize_t k = pwrite(dst, space + done, (size_t)(n - done), at + done);

			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0) {
				ret = err_sys(err, "cannot write");
				goto out;
			}
			done += k;
		}
		at += n;
		if (left > 0)
			left -= n;
		ret = n == COPY_CHUNK ? signals_check(err) : 0;
		if (ret < 0)
			break;
	}
out:
	free(space);
	return ret;
}

/* `left` bytes (-1: to the end) from `at` in both files. */
static int copy_range(int src, int dst, off_t at, off_t left, struct err *err)
{
	loff_t in = at, out = at;

	while (left != 0) {
		size_t want = left < 0 || left > RANGE_CHUNK ? RANGE_CHUNK : (size_t)left;
		ssize_t n = copy_file_range(src, &in, dst, &out, want, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
			return err_sys(err, "cannot copy");
		/* Some file systems answer 0 for files that read(2) can read. */
		if (n < 0 || (n == 0 && in == 0))
			return copy_by_hand(src, dst, in, left, err);
		if (n == 0)
			return 0;
		if (left > 0)
			left -= n;
		if (n == RANGE_CHUNK && signals_check(err) < 0)
			return -1;
	}
	return 0;
}

static int copy_sparse(int src, int dst, off_t size, struct err *err)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(src, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return copy_range(src, dst, at, -1, err);
		hole = lseek(src, data, SEEK_HOLE);
		if (hole < 0)
			return copy_range(src, dst, data, -1, err);
		if (copy_range(src, dst, data, hole - data, err) < 0)
			return -1;
		at = hole;
	}
	if (ftruncate(dst, size) < 0)
		return err_sys(err, "cannot write");
	return 0;
}

int file_clone_fd(int src, int dst, struct err *err)
{
	struct stat st;

	if (ioctl(dst, FICLONE, src) == 0)
		return FILE_CLONED;
	if (fstat(src, &st) < 0)
		return err_sys(err, "cannot look at file");
	if (st.st_size > 0 && (off_t)st.st_blocks * 512 < st.st_size) {
		if (copy_sparse(src, dst, st.st_size, err) < 0)
			return -1;
	} else if (copy_range(src, dst, 0, -1, err) < 0) {
		return -1;
	}
	return FILE_COPIED;
}

int file_copy(int sdir, const char *spath, int ddir, const char *dpath, int mode, bool follow,
	      struct err *err)
{
	int src, dst = -1, ret = -1;
	struct stat st;

	src = openat(sdir, spath, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	if (src < 0)
		return err_sys(err, "cannot open %s", spath);
	if (fstat(src, &st) < 0) {
		err_sys(err, "cannot look at %s", spath);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_USAGE, "%s is not a regular file", spath);
		goto out;
	}
	dst = openat(ddir, dpath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (dst < 0) {
		err_sys(err, "cannot make %s", dpath);
		goto out;
	}
	ret = file_clone_fd(src, dst, err);
	if (ret < 0) {
		err_prefix(err, "%s", spath);
	} else {
		struct timespec times[2] = { st.st_atim, st.st_mtim };

		if (fchmod(dst, mode < 0 ? st.st_mode & 0777 : (mode_t)mode) < 0 ||
		    futimens(dst, times) < 0)
			ret = err_sys(err, "cannot set attributes of %s", dpath);
	}
	if (ret < 0)
		unlinkat(ddir, dpath, 0);
out:
	if (dst >= 0)
		close(dst);
	close(src);
	return ret;
}

static int rename_by_hand(int sdir, const char *spath, int ddir, const char *dpath)
{
	struct stat st;

	if (fstatat(sdir, spath, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		if (linkat(sdir, spath, ddir, dpath, 0) < 0)
			return -1;
		return unlinkat(sdir, spath, 0);
	}
	/* rename(2) replaces an empty directory, and mkdir(2) tells who made it. */
	if (mkdirat(ddir, dpath, 0700) < 0)
		return -1;
	return renameat(sdir, spath, ddir, dpath);
}

int file_rename(int sdir, const char *spath, int ddir, const char *dpath, unsigned flags,
		struct err *err)
{
	int ret = renameat2(sdir, spath, ddir, dpath, flags);

	if (ret < 0 && flags == RENAME_NOREPLACE && (errno == EINVAL || errno == ENOSYS))
		ret = rename_by_hand(sdir, spath, ddir, dpath);
	if (ret == 0)
		return 1;
	if ((flags & RENAME_NOREPLACE) && (errno == EEXIST || errno == ENOTEMPTY))
		return 0;
	return err_sys(err, "cannot rename %s to %s", spath, dpath);
}
