#include "sys/subdir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

void subdir_init(struct subdir *d, int top)
{
	*d = (struct subdir){ .top = top, .cur = -1, .mode = 0777 };
}

void subdir_release(struct subdir *d)
{
	if (d->cur >= 0)
		close(d->cur);
	free(d->path);
	d->cur = -1;
	d->path = NULL;
}

int subdir_enter(struct subdir *d, const char *path, size_t n, bool make, struct err *err)
{
	int fd = d->top, next;
	char *copy;

	if (n == 0)
		return fd;
	if (d->path && strlen(d->path) == n && memcmp(d->path, path, n) == 0)
		return d->cur;
	subdir_release(d);
	copy = xstrndup(path, n);
	for (char *p = copy, *save = NULL, *part; (part = strtok_r(p, "/", &save)); p = NULL) {
		if (make && mkdirat(fd, part, d->mode) < 0 && errno != EEXIST) {
			err_sys(err, "cannot make the directory %.*s", (int)n, path);
			goto fail;
		}
		next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			err_sys(err, "cannot enter the directory %.*s", (int)n, path);
			goto fail;
		}
		if (fd != d->top)
			close(fd);
		fd = next;
	}
	free(copy);
	d->cur = fd;
	d->path = xstrndup(path, n);
	return fd;
fail:
	if (fd != d->top)
		close(fd);
	free(copy);
	return -1;
}

int subdir_of(struct subdir *d, const char *path, bool make, const char **name, struct err *err)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	return subdir_enter(d, path, slash ? (size_t)(slash - path) : 0, make, err);
}
