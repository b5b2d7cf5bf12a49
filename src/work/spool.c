#include "work/spool.h"

#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/number.h"
#include "model/params.h"
#include "sys/file.h"

enum { FLUSH_AT = 256 * 1024 };

static int flush(struct spool *s, struct err *err)
{
	hasher_add(s->hasher, s->out.p, s->out.n);
	if (file_write_fd(s->fd, s->out.p, s->out.n, err) < 0) {
		err_prefix(err, "%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
		return err_prefix(err, "cannot keep the rows (TMPDIR says where)");
	}
	buf_clear(&s->out);
	return 0;
}

static int check_name(const struct spool *s, size_t i, struct err *err)
{
	const struct buf *name = &s->name[i];

	if (!name->n)
		return err_set(err, ERR_SCRIPT, "column %zu has an empty name", i + 1);
	if (memchr(name->p, '\0', name->n) || !utf8_valid(name->p, name->n))
		return err_set(err, ERR_SCRIPT, "the name of column %zu is not UTF-8 text", i + 1);
	if (str_starts(name->p, "kq_"))
		return err_set(err, ERR_SCRIPT,
			       "column \"%s\": names that begin with kq_ are kubeque's own",
			       name->p);
	for (size_t k = 0; k < i; k++)
		if (s->name[k].n == name->n && memcmp(s->name[k].p, name->p, name->n) == 0)
			return err_set(err, ERR_SCRIPT, "columns %zu and %zu are both named \"%s\"",
				       k + 1, i + 1, name->p);
	return 0;
}

int spool_begin(struct spool *s, const struct str *name, size_t n, struct err *err)
{
	*s = (struct spool)SPOOL_INIT;
	if (!n)
		return err_set(err, ERR_SCRIPT, "there are no columns");
	s->columns = n;
	s->name = xcalloc(n, sizeof(*s->name));
	for (size_t i = 0; i < n; i++) {
		buf_init(&s->name[i]);
		buf_addstr(&s->name[i], name[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (check_name(s, i, err) < 0)
			return -1;
	s->hasher = hasher_new();
	s->fd = file_unnamed(err);
	if (s->fd < 0)
		return -1;
	csv_add_row(&s->out, name, n);
	return 0;
}

int spool_too_many(struct err *err)
{
	return err_set(err, ERR_USAGE, "more than 100,000,000 rows: a job has at most that many "
		       "tasks");
}

/* Behind a value: what follows it. */
static int next(struct spool *s, struct err *err)
{
	if (++s->column < s->columns) {
		buf_addch(&s->out, ',');
		return 0;
	}
	buf_addch(&s->out, '\n');
	s->column = 0;
	if (++s->rows > SPOOL_ROWS_MAX)
		return spool_too_many(err);
	return s->out.n >= FLUSH_AT ? flush(s, err) : 0;
}

int spool_fault(const struct spool *s, struct err *err, const char *text)
{
	return err_set(err, ERR_SCRIPT, "row %lld, column \"%s\": %s", (long long)s->rows + 1,
		       s->name[s->column].p, text);
}

int spool_text(struct spool *s, struct str text, struct err *err)
{
	if (memchr(text.p, '\0', text.n))
		return spool_fault(s, err, "the text holds a NUL byte");
	if (!utf8_valid(text.p, text.n))
		return spool_fault(s, err, "the text is not UTF-8");
	if (s->columns > 1) {
		csv_add_field(&s->out, text);
		return next(s, err);
	}
	csv_add_row(&s->out, &text, 1); /* a single column has quotes of its own, and the newline */
	s->out.n--;
	return next(s, err);
}

int spool_int(struct spool *s, int64_t v, struct err *err)
{
	buf_addi(&s->out, v);
	return next(s, err);
}

int spool_number(struct spool *s, double v, struct err *err)
{
	char text[NUMBER_TEXT_SIZE];
	size_t n = number_text(v, text);

	if (!n)
		return spool_fault(s, err, "the number is not finite (a text may say so: \"inf\")");
	buf_add(&s->out, text, n);
	return next(s, err);
}

int spool_bool(struct spool *s, bool v, struct err *err)
{
	buf_adds(&s->out, v ? "true" : "false");
	return next(s, err);
}

int spool_end(struct spool *s, struct err *err)
{
	assert(s->column == 0);
	if (flush(s, err) < 0)
		return -1;
	hasher_end(s->hasher, s->sha256);
	return 0;
}

void spool_release(struct spool *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->name && i < s->columns; i++)
		buf_release(&s->name[i]);
	free(s->name);
	buf_release(&s->out);
	hasher_free(s->hasher);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct spool)SPOOL_INIT;
}
