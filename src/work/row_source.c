#include "work/row_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"

enum { COPY_BUFFER = 64 * 1024 };

/* Copies what can be read only once. Returns the copy; `fd` stays open. */
static int copy_of(const struct row_source *s, int fd, bool (*stop)(void *), void *ctx,
		   struct err *err)
{
	char *buffer = xmalloc(COPY_BUFFER);
	int copy = file_unnamed(err), ret = -1;

	if (copy < 0)
		goto out;
	for (;;) {
		ssize_t got = read(fd, buffer, COPY_BUFFER);

		if (stop && stop(ctx)) {
			err_set(err, ERR_INTERRUPTED, "interrupted");
			goto out;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_sys(err, "%s", s->name);
			goto out;
		}
		if (got == 0)
			break;
		if (file_write_fd(copy, buffer, (size_t)got, err) < 0) {
			err_prefix(err, "copying %s", s->name);
			goto out;
		}
	}
	ret = copy;
	copy = -1;
out:
	if (copy >= 0)
		close(copy);
	free(buffer);
	return ret;
}

int row_source_open(struct row_source *s, const char *path, bool (*stop)(void *), void *ctx,
		    struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int copy;

	*s = (struct row_source)ROW_SOURCE_INIT;
	s->name = is_stdin ? "stdin" : path;
	if (is_stdin)
		s->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0) {
		err_sys(err, "%s", s->name);
		err->code = err->code == ERR_IO ? ERR_USAGE : err->code;
		return -1;
	}
	if (fstat(s->fd, &s->seen) < 0)
		return err_sys(err, "%s", s->name);
	if (S_ISDIR(s->seen.st_mode))
		return err_set(err, ERR_USAGE, "%s is a directory, a file is needed", s->name);
	if (S_ISREG(s->seen.st_mode) && !is_stdin)
		return 0;
	copy = copy_of(s, s->fd, stop, ctx, err);
	if (copy < 0)
		return -1;
	close(s->fd);
	s->fd = copy;
	s->own = true;
	return 0;
}

int row_source_share(struct row_source *s, const char *name, int fd, struct err *err)
{
	*s = (struct row_source){ .name = name, .own = true };
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return s->fd < 0 ? err_sys(err, "%s", name) : 0;
}

void row_source_close(struct row_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

ssize_t row_source_read(void *ctx, void *p, size_t n, struct err *err)
{
	struct row_source *s = ctx;
	ssize_t got;

	do {
		got = pread(s->fd, p, n, (off_t)s->offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(err, "%s", s->name);
	s->offset += got;
	return got;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int row_source_unchanged(const struct row_source *s, struct err *err)
{
	struct stat now;

	if (s->fd < 0 || s->own)
		return 0;
	if (fstat(s->fd, &now) < 0)
		return err_sys(err, "%s", s->name);
	if (s->seen.st_size == now.st_size && same_time(s->seen.st_mtim, now.st_mtim) &&
	    same_time(s->seen.st_ctim, now.st_ctim))
		return 0;
	return err_set(err, ERR_USAGE, "%s changed while it was read", s->name);
}
