/* DIR/tasks.csv: every task of the job, a row each, written as it is read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "model/params.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "work/fetch_internal.h"
#include "work/result_json.h"

enum { FLUSH = 256 * 1024, PAGE = 1000 };

static const char temp[] = ".tasks.csv.part", final[] = "tasks.csv";
static const char header[] = "kq_job,kq_task,kq_state,kq_exit_code,kq_reason,kq_attempts,kq_node,"
			     "kq_started,kq_ended,kq_seconds,kq_user_cpu,kq_system_cpu,"
			     "kq_max_memory";

static void add_text(struct buf *out, const char *text)
{
	buf_addch(out, ',');
	csv_add_field(out, str_of(text));
}

static void add_num(struct buf *out, int64_t v)
{
	buf_addch(out, ',');
	buf_addi(out, v);
}

static void add_time(struct buf *out, int64_t wall_ms)
{
	char t[CLOCK_RFC3339_SIZE];

	if (wall_ms > 0)
		clock_format_utc(wall_ms, t);
	else
		*t = '\0';
	add_text(out, t);
}

static void add_seconds(struct buf *out, int64_t us)
{
	buf_addf(out, ",%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

/* What the accepted (else the last) attempt did; open tasks leave it empty. */
static int add_attempt(struct fetch *f, const struct task *t, struct buf *out, struct err *err)
{
	struct attempt a = { .exit_code = -1 };
	char code[40];
	int found = 0;

	if (!task_is_open(t->state) && t->attempt > 0)
		found = queue_attempt_get(f->q, t->job, t->n, 0, &a, err);
	if (found < 0)
		return -1;
	if (found)
		result_return_code(code, a.exit_code, a.signal);
	else
		*code = '\0';
	add_text(out, code);
	add_text(out, t->reason);
	add_num(out, t->attempt);
	add_text(out, found ? a.node : t->node);
	add_time(out, a.started);
	add_time(out, a.ended);
	if (found && a.started > 0) { /* what a killed one used is not known to the queue */
		add_seconds(out, a.elapsed_us);
		add_seconds(out, a.user_us);
		add_seconds(out, a.system_us);
		add_num(out, a.max_memory);
	} else {
		buf_adds(out, ",,,,");
	}
	if (found)
		attempt_release(&a);
	return 0;
}

static void add_label(struct buf *out, const struct task *t)
{
	if (task_is_open(t->state))
		add_text(out, t->state == TASK_PENDING ? "pending" : "claimed");
	else
		add_text(out, *t->label ? t->label : task_state_name(t->state));
}

static int add_row(struct fetch *f, const struct task *t, struct arena *arena, struct buf *out,
		   struct err *err)
{
	const struct strs *columns = &f->ctx->root.columns;
	struct task_spec spec;

	csv_add_field(out, str_of(f->ctx->job.id));
	add_num(out, t->n);
	add_label(out, t);
	if (add_attempt(f, t, out, err) < 0)
		return -1;
	if (columns->n) {
		arena_reset(arena);
		if (jobctx_task(f->ctx, t->n, arena, &spec, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < columns->n; i++) {
		const struct pair *p = pairs_find(&spec.parameters, columns->p[i].p);

		buf_addch(out, ',');
		if (p)
			csv_add_field(out, p->value);
	}
	buf_addch(out, '\n');
	return 0;
}

static int flush(int fd, struct buf *out, size_t above, struct err *err)
{
	if (out->n <= above)
		return 0;
	if (file_write_fd(fd, out->p, out->n, err) < 0)
		return -1;
	buf_clear(out);
	return 0;
}

static int write_rows(struct fetch *f, int fd, struct buf *out, struct err *err)
{
	struct task_filter filter = { .states = 0 };
	struct fetch_page page = { 0 };
	struct arena arena = ARENA_INIT;
	int64_t after = 0;
	int ret;

	do {
		ret = fetch_page(f->q, f->ctx->job.born, &filter, after, &page, err);
		for (size_t i = 0; ret == 0 && i < page.tasks.n; i++) {
			after = page.tasks.p[i].n;
			ret = add_row(f, &page.tasks.p[i], &arena, out, err);
			if (ret == 0)
				ret = flush(fd, out, FLUSH, err);
		}
		if (ret == 0)
			ret = signals_check(err);
	} while (ret == 0 && page.tasks.n == PAGE);
	vec_release(&page.tasks);
	arena_release(&arena);
	return ret;
}

int fetch_write_csv(struct fetch *f, struct err *err)
{
	const struct strs *columns = &f->ctx->root.columns;
	struct buf out = BUF_INIT;
	int ret = -1, fd;

	fd = openat(f->destfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return err_sys(err, "cannot write %s/%s", f->o->dest, final);
	buf_adds(&out, header);
	for (size_t i = 0; i < columns->n; i++) {
		buf_addch(&out, ',');
		csv_add_field(&out, columns->p[i]);
	}
	buf_addch(&out, '\n');
	if (write_rows(f, fd, &out, err) < 0 || flush(fd, &out, 0, err) < 0)
		err_prefix(err, "%s/%s", f->o->dest, final);
	else if (renameat(f->destfd, temp, f->destfd, final) < 0)
		err_sys(err, "cannot make %s/%s", f->o->dest, final);
	else
		ret = 0;
	if (ret < 0)
		unlinkat(f->destfd, temp, 0);
	close(fd);
	buf_release(&out);
	return ret;
}
