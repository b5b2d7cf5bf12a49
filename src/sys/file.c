#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"

bool file_name_is_clean(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strlen(name) <= NAME_MAX;
}

bool file_path_is_clean(const char *path)
{
	const char *p = path;

	if (*path == '\0' || *path == '/' || strlen(path) >= PATH_MAX)
		return false;
	for (;;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

/* Without openat2: one component after the other, none of them a symlink. */
static int open_by_components(int dirfd, const char *path, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	int at = dirfd;

	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		int fd, saved;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			fd = -1;
		} else {
			memcpy(name, p, n);
			name[n] = '\0';
			fd = p[n] ? openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				  : openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
		}
		saved = errno;
		if (at != dirfd)
			close(at);
		errno = saved;
		if (fd < 0 || p[n] == '\0')
			return fd;
		at = fd;
		p += n + 1;
	}
}

int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct err *err)
{
	static atomic_bool missing;
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = -1;

	if (strcmp(path, ".") != 0 && !file_path_is_clean(path)) {
		errno = strlen(path) >= PATH_MAX ? ENAMETOOLONG : EXDEV;
		return err_sys(err, "cannot open %s", path);
	}
	if (!atomic_load(&missing)) {
		do
			fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		while (fd < 0 && (errno == EAGAIN || errno == EINTR));
		if (fd < 0 && (errno == ENOSYS || errno == EPERM))
			atomic_store(&missing, true);
		else if (fd < 0)
			return err_sys(err, "cannot open %s", path);
	}
	if (fd < 0)
		fd = open_by_components(dirfd, path, flags, mode);
	if (fd < 0)
		return err_sys(err, "cannot open %s", path);
	return (int)fd;
}

int file_open_dir(int dirfd, const char *path, struct err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "cannot open directory %s", path);
	return fd;
}

static int mkdir_one(int dirfd, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return 1;
	if (errno != EEXIST) {
		/* A parent that we may not write to still may hold what we want. */
		int saved = errno;

		if ((saved == EROFS || saved == EACCES || saved == EPERM) &&
		    fstatat(dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
			return 0;
		errno = saved;
		return -1;
	}
	if (fstatat(dirfd, path, &st, 0) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

int file_mkdirs(int dirfd, const char *path, mode_t mode, struct err *err)
{
	int made = mkdir_one(dirfd, path, mode);
	char *copy = NULL;
	struct stat st;

	if (made < 0 && errno == ENOENT) {
		copy = xstrdup(path);
		for (char *p = copy + strspn(copy, "/"); (p = strchr(p, '/')) && p[1];
		     p += strspn(p, "/")) {
			*p = '\0';
			made = mkdir_one(dirfd, copy, mode);
			if (made < 0)
				break;
			*p = '/';
		}
		if (made >= 0)
			made = mkdir_one(dirfd, path, mode);
	}
	if (made < 0)
		err_sys(err, "cannot make directory %s", path);
	else if (made && fstatat(dirfd, path, &st, 0) == 0 && (st.st_mode & 07777) != mode &&
		 fchmodat(dirfd, path, mode, 0) < 0)
		made = err_sys(err, "cannot set permissions of %s", path);
	free(copy);
	return made;
}

int file_read_fd(int fd, size_t limit, struct buf *out, struct err *err)
{
	size_t start = out->n, chunk = 4096;
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size > 0 && (size_t)st.st_size <= limit)
		chunk = (size_t)st.st_size + 1;
	for (;;) {
		ssize_t n;

		buf_grow(out, chunk);
		n = read(fd, out->p + out->n, chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read");
		if (n == 0)
			return 0;
		out->n += (size_t)n;
		out->p[out->n] = '\0';
		if (out->n - start > limit)
			return err_set(err, ERR_USAGE, "larger than %zu bytes", limit);
		chunk = MIN(MAX(out->n - start, (size_t)4096), (size_t)1 << 20);
	}
}

int file_read(int dirfd, const char *path, size_t limit, struct buf *out, struct err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(err, "cannot open %s", path);
	ret = file_read_fd(fd, limit, out, err);
	close(fd);
	return ret < 0 ? err_prefix(err, "%s", path) : 1;
}

int file_write_fd(int fd, const void *p, size_t n, struct err *err)
{
	const char *at = p;

	while (n) {
		ssize_t k = write(fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(err, "cannot write");
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

int file_sync_dir(int dirfd, struct err *err)
{
	if (fsync(dirfd) < 0 && errno != EINVAL && errno != EROFS)
		return err_sys(err, "cannot sync directory");
	return 0;
}

int file_temp(int dirfd, const char *prefix, mode_t mode, char *name, struct err *err)
{
	size_t n = strlen(prefix);
	int fd;

	assert(n <= 40);
	(void)snprintf(name, FILE_TEMP_SIZE, "%s", prefix);
	do {
		id_hex(name + n, 8);
		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0)
		return err_sys(err, "cannot make file %s", name);
	return fd;
}

int file_unnamed(struct err *err)
{
	const char *dir = getenv("TMPDIR");
	char name[FILE_TEMP_SIZE];
	int dirfd, fd;

	if (!dir || dir[0] != '/')
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	dirfd = file_open_dir(AT_FDCWD, dir, err);
	if (dirfd < 0)
		return -1;
	fd = file_temp(dirfd, ".kubeque-", 0600, name, err);
	if (fd >= 0)
		(void)unlinkat(dirfd, name, 0);
	else
		err_prefix(err, "%s", dir);
	close(dirfd);
	return fd;
}

/* Descriptor of the directory that holds `path`; *base is the last component. */
static int open_parent(int dirfd, const char *path, const char **base, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int fd;

	*base = slash ? slash + 1 : path;
	if (!slash)
		return file_open_dir(dirfd, ".", err);
	dir = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
	fd = file_open_dir(dirfd, dir, err);
	free(dir);
	return fd;
}

int file_write(int dirfd, const char *path, const void *p, size_t n, mode_t mode, bool sync,
	       struct err *err)
{
	char temp[FILE_TEMP_SIZE] = "";
	int parent, fd = -1, ret = -1;
	const char *base;

	parent = open_parent(dirfd, path, &base, err);
	if (parent < 0)
		return -1;
	fd = file_temp(parent, ".kq-", 0600, temp, err);
	if (fd < 0) {
		temp[0] = '\0';
		goto out;
	}
	if (file_write_fd(fd, p, n, err) < 0)
		goto out;
	if (fchmod(fd, mode) < 0 || (sync && fsync(fd) < 0)) {
		err_sys(err, "cannot write");
		goto out;
	}
	if (renameat(parent, temp, parent, base) < 0) {
		err_sys(err, "cannot rename");
		goto out;
	}
	temp[0] = '\0';
	if (sync && file_sync_dir(parent, err) < 0)
		goto out;
	ret = 0;
out:
	if (temp[0])
		unlinkat(parent, temp, 0);
	if (fd >= 0)
		close(fd);
	close(parent);
	return ret < 0 ? err_prefix(err, "%s", path) : 0;
}

int file_read_part(int fd, size_t max, int64_t at, struct buf *out, struct err *err)
{
	for (size_t left = max; left;) {
		size_t want = MIN(left, (size_t)65536);
		ssize_t n;

		buf_grow(out, want);
		n = pread(fd, out->p + out->n, want, at);
		if (n < 0 && errno == ESPIPE)
			n = read(fd, out->p + out->n, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read");
		if (n == 0)
			break;
		out->n += (size_t)n;
		out->p[out->n] = '\0';
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

int file_tail(int fd, size_t max, struct buf *out, struct err *err)
{
	struct stat st;
	off_t at;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at file");
	at = st.st_size > (off_t)max ? st.st_size - (off_t)max : 0;
	return file_read_part(fd, MIN(max, (size_t)(st.st_size - at)), at, out, err);
}

static void user_label(uid_t uid, char *out, size_t n)
{
	char space[4096];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(uid, &pw, space, sizeof(space), &found) == 0 && found)
		(void)snprintf(out, n, "%s", pw.pw_name);
	else
		(void)snprintf(out, n, "uid %lu", (unsigned long)uid);
}

int file_open_private_dir(int dirfd, const char *path, uid_t uid, bool create, struct err *err)
{
	char owner[64];
	struct stat st;
	int fd;

	if (create && file_mkdirs(dirfd, path, 0700, err) < 0) {
		if (err->code != ERR_NOSPACE)
			err->code = ERR_CONFIG;
		return -1;
	}
	fd = file_open_dir(dirfd, path, err);
	if (fd < 0) {
		err->code = err->sys == ENOENT ? ERR_NOT_FOUND : ERR_CONFIG;
		return -1;
	}
	if (fstat(fd, &st) < 0) {
		err_sys(err, "cannot look at %s", path);
	} else if (st.st_uid != uid) {
		user_label(st.st_uid, owner, sizeof(owner));
		err_set(err, ERR_CONFIG, "%s belongs to %s", path, owner);
	} else if (st.st_mode & 022) {
		err_set(err, ERR_CONFIG, "others may write to %s (chmod go-w it)", path);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}
