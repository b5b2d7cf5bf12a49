#include "work/submit_rows.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"

enum { JOBFILE_MAX = 1 << 30 };

static int open_params(struct rows *r, struct err *err)
{
	const struct submit_spec *s = r->spec;
	struct params_options o = { .format = s->format, .name = r->source.name, .rows = &s->only };

	r->source.offset = 0;
	switch (s->rows) {
	case SUBMIT_PARAMS:
		r->params = params_open(&o, row_source_read, &r->source, err);
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

	if (lseek(r->source.fd, 0, SEEK_SET) < 0)
		return err_sys(err, "%s", r->source.name);
	ret = file_read_fd(r->source.fd, JOBFILE_MAX, &text, err);
	if (ret == 0)
		ret = jobfile_parse(r->source.name, buf_str(&text), &r->jobfile, err);
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
	*r = (struct rows){ .spec = spec, .source = ROW_SOURCE_INIT };
	if (spec->rows == SUBMIT_PARAMS && spec->spool) {
		if (row_source_share(&r->source, "params", spec->spool->fd, err) < 0)
			return -1;
	} else if ((spec->rows == SUBMIT_PARAMS || spec->rows == SUBMIT_JOBFILE) &&
		   row_source_open(&r->source, spec->path, stop, ctx, err) < 0) {
		return -1;
	}
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
	row_source_close(&r->source);
	arena_release(&r->arena);
	*r = (struct rows){ .source = ROW_SOURCE_INIT };
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
	if (same_columns(r, params_columns(r->params)))
		return 0;
	return err_set(err, ERR_USAGE, "%s changed while it was read, nothing was submitted",
		       r->source.name);
}

int rows_unchanged(const struct rows *r, struct err *err)
{
	if (row_source_unchanged(&r->source, err) == 0)
		return 0;
	return err->sys ? -1 : err_set(err, ERR_USAGE, "%s changed while it was read, nothing was "
				       "submitted", r->source.name);
}
