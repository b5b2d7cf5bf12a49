#include "work/submit_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"

enum { JOBFILE_MAX = 1 << 30, SPOOL_BUFFER = 64 * 1024 };

/* An unnamed file in $TMPDIR. */
static int open_unnamed(struct err *err)
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
	fd = file_temp(dirfd, ".kubeque-rows-", 0600, name, err);
	if (fd >= 0)
		(void)unlinkat(dirfd, name, 0);
	close(dirfd);
	return fd;
}

/* Copies what can be read only once. Returns the copy; `fd` stays open. */
static int spool(struct rows *r, int fd, struct err *err)
{
	char *buffer = xmalloc(SPOOL_BUFFER);
	int copy = open_unnamed(err), ret = -1;

	if (copy < 0)
		goto out;
	for (;;) {
		ssize_t got = read(fd, buffer, SPOOL_BUFFER);

		if (r->stop && r->stop(r->ctx)) {
			err_set(err, ERR_INTERRUPTED, "interrupted");
			goto out;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_sys(err, "%s", r->name);
			goto out;
		}
		if (got == 0)
			break;
		if (file_write_fd(copy, buffer, (size_t)got, err) < 0) {
			err_prefix(err, "copying %s", r->name);
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

static int open_source(struct rows *r, struct err *err)
{
	bool is_stdin = strcmp(r->spec->path, "-") == 0;
	int fd, copy;

	r->name = is_stdin ? "stdin" : r->spec->path;
	if (is_stdin)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(r->spec->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		err_sys(err, "%s", r->name);
		err->code = err->code == ERR_IO ? ERR_USAGE : err->code;
		return -1;
	}
	r->fd = fd;
	if (fstat(fd, &r->seen) < 0)
		return err_sys(err, "%s", r->name);
	if (S_ISDIR(r->seen.st_mode))
		return err_set(err, ERR_USAGE, "%s is a directory, a file is needed", r->name);
	if (S_ISREG(r->seen.st_mode) && !is_stdin)
		return 0;
	copy = spool(r, fd, err);
	if (copy < 0)
		return -1;
	close(fd);
	r->fd = copy;
	r->spooled = true;
	return 0;
}

static ssize_t read_source(void *ctx, void *p, size_t n, struct err *err)
{
	struct rows *r = ctx;
	ssize_t got;

	do {
		got = pread(r->fd, p, n, (off_t)r->offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(err, "%s", r->name);
	r->offset += got;
	return got;
}

static int open_params(struct rows *r, struct err *err)
{
	const struct submit_spec *s = r->spec;
	struct params_options o = { .format = s->format, .name = r->name, .rows = &s->only };

	r->offset = 0;
	switch (s->rows) {
	case SUBMIT_PARAMS:
		r->params = params_open(&o, read_source, r, err);
		break;
	case SUBMIT_SEQ:
		r->params = params_seq(&s->seq, &s->only);
		break;
	case SUBMIT_EACH:
		r->params = params_each(s->each, s->n_each, &s->only);
		break;
	case SUBMIT_ONE:
	case SUBMIT_JOBFILE:
		return 0;
	}
	return r->params ? 0 : -1;
}

static int open_jobfile(struct rows *r, struct err *err)
{
	struct buf text = BUF_INIT;
	int ret;

	if (lseek(r->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "%s", r->name);
	ret = file_read_fd(r->fd, JOBFILE_MAX, &text, err);
	if (ret == 0)
		ret = jobfile_parse(r->name, buf_str(&text), &r->jobfile, err);
	buf_release(&text);
	return ret;
}

/* The names outlive the reader they came from. */
static void keep_columns(struct rows *r, const struct columns *from)
{
	struct str *name = arena_alloc(&r->arena, from->n * sizeof(*name));

	for (size_t i = 0; i < from->n; i++)
		name[i] = arena_str(&r->arena, from->name[i]);
	r->columns = (struct columns){ .name = name, .n = from->n };
	r->names = (struct strs){ name, from->n };
}

int rows_open(struct rows *r, const struct submit_spec *spec, bool (*stop)(void *), void *ctx,
	      struct err *err)
{
	*r = (struct rows){ .spec = spec, .fd = -1, .name = "", .stop = stop, .ctx = ctx };
	if ((spec->rows == SUBMIT_PARAMS || spec->rows == SUBMIT_JOBFILE) &&
	    open_source(r, err) < 0)
		return -1;
	if (spec->rows == SUBMIT_JOBFILE)
		return open_jobfile(r, err);
	if (open_params(r, err) < 0)
		return -1;
	if (r->params)
		keep_columns(r, params_columns(r->params));
	return 0;
}

void rows_close(struct rows *r)
{
	if (!r->spec)
		return;
	if (r->params)
		params_close(r->params);
	if (r->spec->rows == SUBMIT_JOBFILE)
		jobfile_release(&r->jobfile);
	if (r->fd >= 0)
		close(r->fd);
	arena_release(&r->arena);
	*r = (struct rows){ .fd = -1 };
}

static int next_of_jobfile(struct rows *r, struct row *out)
{
	const struct ranges *only = &r->spec->only;

	while (r->next < (int64_t)r->jobfile.n) {
		const struct jobfile_task *t = &r->jobfile.tasks[r->next++];

		if (!ranges_has(only, r->next))
			continue;
		*out = (struct row){ .number = r->next, .task = t };
		return 1;
	}
	return 0;
}

int rows_next(struct rows *r, struct row *out, struct err *err)
{
	int ret;

	if (r->spec->rows == SUBMIT_JOBFILE)
		return next_of_jobfile(r, out);
	if (r->spec->rows == SUBMIT_ONE) {
		*out = (struct row){ .number = 1 };
		return r->next++ == 0;
	}
	*out = (struct row){ .number = 0 };
	ret = params_next(r->params, &out->value, err);
	if (ret > 0)
		out->number = params_row(r->params);
	return ret;
}

static int same_columns(const struct rows *r, const struct columns *now)
{
	if (now->n != r->columns.n)
		return 0;
	for (size_t i = 0; i < now->n; i++) {
		if (now->name[i].n != r->columns.name[i].n ||
		    memcmp(now->name[i].p, r->columns.name[i].p, now->name[i].n) != 0)
			return 0;
	}
	return 1;
}

static int changed(const struct rows *r, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s changed while it was read, nothing was submitted",
		       r->name);
}

int rows_rewind(struct rows *r, struct err *err)
{
	r->next = 0;
	if (!r->params)
		return 0;
	params_close(r->params);
	r->params = NULL;
	if (open_params(r, err) < 0) {
		(void)rows_unchanged(r, err);
		return -1;
	}
	return same_columns(r, params_columns(r->params)) ? 0 : changed(r, err);
}

int rows_unchanged(const struct rows *r, struct err *err)
{
	const struct stat *a = &r->seen;
	struct stat b;

	if (r->fd < 0 || r->spooled)
		return 0;
	if (fstat(r->fd, &b) < 0)
		return err_sys(err, "%s", r->name);
	if (a->st_size != b.st_size || a->st_mtim.tv_sec != b.st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b.st_mtim.tv_nsec || a->st_ctim.tv_sec != b.st_ctim.tv_sec ||
	    a->st_ctim.tv_nsec != b.st_ctim.tv_nsec)
		return changed(r, err);
	return 0;
}
