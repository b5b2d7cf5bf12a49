#include "work/task_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "cas/materialize.h"
#include "sys/file.h"

struct run *run_new(const struct claimed *c, struct jobctx *ctx)
{
	struct run *r = xcalloc(1, sizeof(*r));

	r->c = *c;
	r->ctx = jobctx_ref(ctx);
	r->stage_fd = r->out_fd = -1;
	r->deadline_ns = INT64_MAX;
	r->end.exit_code = -1;
	r->grace_ms = ctx->root.common.grace_ms;
	if (c->class >= 0 && c->class < ctx->n_classes) {
		r->need = ctx->classes[c->class].r;
		if (ctx->classes[c->class].limits & RESOURCE_MEMORY)
			r->memory_limit = r->need.memory;
	}
	return r;
}

static void close_fds(struct run *r)
{
	if (r->stage_fd >= 0)
		close(r->stage_fd);
	if (r->out_fd >= 0)
		close(r->out_fd);
	r->stage_fd = r->out_fd = -1;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	close_fds(r);
	arena_release(&r->arena);
	jobctx_unref(r->ctx);
	attempt_release(&r->out.a);
	free(r->params_json);
	free(r->kept);
	free(r);
}

/* The task's own trouble before a process ran: the outcome says so. */
static void fail(struct run *r, enum cause cause, const char *reason)
{
	r->cause = cause;
	(void)snprintf(r->reason, sizeof(r->reason), "%.*s", REASON_SIZE - 1, reason);
	r->started_ms = r->started_ms ? r->started_ms : clock_wall_ms();
	r->state = RUN_COLLECTING;
}

/* The node's trouble: somebody else, or we later, shall run it. */
static void give_back(struct run *r, const struct err *err)
{
	(void)snprintf(r->fault, sizeof(r->fault), "%.*s", REASON_SIZE - 1, err->text);
	r->nospace = err->code == ERR_NOSPACE;
	r->state = RUN_GIVEN_BACK;
}

int run_load(struct run *r, const struct run_env *e, struct err *err)
{
	int64_t grace = r->grace_ms > 0 ? r->grace_ms : e->grace_ms;

	r->grace_ms = grace;
	if (jobctx_task(r->ctx, r->c.n, &r->arena, &r->spec, err) < 0) {
		if (err->code == ERR_BUSY || err->code == ERR_NOSPACE ||
		    (err->sys && err->sys != ENOENT))
			give_back(r, err);
		else
			fail(r, CAUSE_MISSING_INPUT, "missing input (the job's manifest)");
		return -1;
	}
	r->spec_ok = true;
	return 0;
}

bool run_has_inputs(const struct run *r)
{
	return r->ctx->inputs.n || r->spec.inputs.n;
}

/* ---- inputs ---- */

static int by_dst(const void *a, const void *b)
{
	const struct input *const *x = a, *const *y = b;

	return strcmp((*x)->dst.p, (*y)->dst.p);
}

/* Common and own inputs in order of dst; for one destination the task's own counts. */
static const struct input **merge_inputs(struct run *r, size_t *n)
{
	const struct inputs *common = &r->ctx->inputs, *own = &r->spec.inputs;
	const struct input **all = arena_alloc(&r->arena,
					       (common->n + own->n + 1) * sizeof(struct input *));
	const struct input **mine = arena_alloc(&r->arena, (own->n + 1) * sizeof(struct input *));
	size_t i = 0, k = 0;

	for (size_t m = 0; m < own->n; m++)
		mine[m] = &own->p[m];
	if (own->n > 1)
		qsort(mine, own->n, sizeof(*mine), by_dst);
	*n = 0;
	while (i < common->n || k < own->n) {
		int c = i == common->n ? 1 : k == own->n ? -1 :
			strcmp(common->p[i].dst.p, mine[k]->dst.p);

		if (c < 0) {
			all[(*n)++] = &common->p[i++];
			continue;
		}
		all[(*n)++] = mine[k++];
		if (c == 0)
			i++;
	}
	return all;
}

/* What it looks like now, to tell later whether the task changed it. */
static void remember(struct run *r, const struct input *in)
{
	struct stage_input *s = &r->inputs[r->n_inputs];
	struct stat st;

	if (fstatat(r->slot->dir.fd, in->dst.p, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	*s = (struct stage_input){
		.dst = in->dst.p, .sha256 = in->sha256.p, .size = st.st_size, .ino = st.st_ino,
		.mtim = st.st_mtim, .ctim = st.st_ctim,
	};
	r->n_inputs++;
}

static enum materialize_result lay_one(struct run *r, struct materialize *m,
				       const struct input *in, struct err *err)
{
	const struct materialize_file f = {
		.dst = in->dst.p, .sha256 = in->sha256.p, .size = in->size, .mode = in->mode,
		.mtime_ns = in->mtime_ns,
	};
	enum materialize_result ret;

	if (!in->sha256.n) {
		err_set(err, ERR_IO, "missing input %s", in->url.p ? in->url.p : in->dst.p);
		return MATERIALIZE_MISSING;
	}
	ret = materialize_file(m, &f, err);
	if (ret == MATERIALIZE_OK)
		remember(r, in);
	return ret;
}

static enum materialize_result lay_all(struct run *r, struct err *err)
{
	const char *cd = r->spec.cd.p ? r->spec.cd.p : r->ctx->root.common.cd.p;
	enum materialize_result ret = MATERIALIZE_OK;
	const struct input **in;
	struct materialize m;
	size_t n;

	in = merge_inputs(r, &n);
	r->inputs = arena_alloc(&r->arena, (n + 1) * sizeof(*r->inputs));
	materialize_init(&m, r->ctx->cas, r->slot->dir.fd);
	m.link = r->ctx->root.common.link_inputs;
	m.at.mode = results_dir_mode(r->ctx->results) | 0700;
	for (size_t i = 0; i < n && ret == MATERIALIZE_OK; i++)
		ret = lay_one(r, &m, in[i], err);
	if (ret == MATERIALIZE_OK && cd && *cd)
		ret = materialize_dir(&m, cd, err);
	materialize_release(&m);
	return ret;
}

void run_stage(struct run *r, const struct run_env *e)
{
	const char *cd = r->spec.cd.p ? r->spec.cd.p : r->ctx->root.common.cd.p;
	struct err err = ERR_INIT;

	if (workdir_prepare(&r->slot->dir, e->work, &err) < 0) {
		give_back(r, &err);
		return;
	}
	if (run_has_inputs(r) || (cd && *cd)) {
		switch (lay_all(r, &err)) {
		case MATERIALIZE_OK:
			break;
		case MATERIALIZE_ERROR:
			give_back(r, &err);
			return;
		case MATERIALIZE_MISSING:
		case MATERIALIZE_UNSAFE:
			fail(r, CAUSE_MISSING_INPUT, err.text);
			return;
		}
	}
	r->state = RUN_STAGED;
}

/* ---- the process ---- */

/* stage directory and stdout.txt */
static int open_stage(struct run *r, struct err *err)
{
	struct results *to = r->ctx->results;

	r->stage_fd = results_stage_make(to, r->c.n, r->c.attempt, err);
	if (r->stage_fd < 0)
		return -1;
	r->staged = true;
	r->out_fd = openat(r->stage_fd, "stdout.txt",
			   O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
			   results_file_mode(to) | 0600);
	if (r->out_fd < 0)
		return err_sys(err, "cannot make stdout.txt of task %s.%lld", r->ctx->job.id,
			       (long long)r->c.n);
	return 0;
}

static const char *const *run_argv(struct run *r)
{
	const struct task_spec *s = &r->spec;
	size_t n = s->shell ? 3 : s->argv.n;
	const char **argv = arena_alloc(&r->arena, (n + 1) * sizeof(*argv));

	if (s->shell) {
		argv[0] = "/bin/sh";
		argv[1] = "-c";
		argv[2] = s->command.p;
	} else {
		for (size_t i = 0; i < n; i++)
			argv[i] = s->argv.p[i].p;
	}
	argv[n] = NULL;
	return argv;
}

static int spawn(struct run *r, const struct run_env *e, struct proc_failure *f, struct err *err)
{
	const char *cd = r->spec.cd.p ? r->spec.cd.p : r->ctx->root.common.cd.p;
	struct proc_spec p = PROC_SPEC_INIT;
	int cwd = -1, ret;

	p.argv = run_argv(r);
	p.env = run_environ(r, e, err);
	if (!p.env)
		return -1;
	p.cwd_fd = r->slot->dir.fd;
	if (cd && *cd) {
		cwd = file_open_beneath(r->slot->dir.fd, cd, O_RDONLY | O_DIRECTORY, 0, err);
		if (cwd < 0)
			return -1;
		p.cwd_fd = cwd;
	}
	p.in_fd = e->null_fd;
	p.out_fd = r->out_fd;
	p.umask = (int)r->ctx->secret.umask;
	p.nice = r->ctx->nice;
	p.limits = r->ctx->limits;
	p.n_limits = r->ctx->n_limits;
	ret = proc_spawn(&p, &r->pid, f, err);
	if (cwd >= 0)
		close(cwd);
	return ret;
}

/* 127 and 126 are an ending like any other, with one line in stdout.txt. */
static void not_started(struct run *r, const struct proc_failure *f)
{
	const char *program = r->spec.shell ? "/bin/sh" : r->spec.argv.n ? r->spec.argv.p[0].p : "";
	struct buf line = BUF_INIT;
	struct err err = ERR_INIT;

	proc_failure_text(f, program, &line);
	buf_addch(&line, '\n');
	if (file_write_fd(r->out_fd, line.p, line.n, &err) < 0 && err.code == ERR_NOSPACE) {
		give_back(r, &err);
	} else {
		r->end = (struct proc_end){ .exit_code = f->code ? f->code : 126 };
		r->state = RUN_COLLECTING;
	}
	buf_release(&line);
}

void run_start(struct run *r, const struct run_env *e)
{
	int64_t timeout = jobctx_timeout_ms(r->ctx, r->c.class);
	struct proc_failure f = { .fault = PROC_FINE };
	struct err err = ERR_INIT;
	int ret;

	if (open_stage(r, &err) < 0) {
		give_back(r, &err);
		return;
	}
	r->started_ms = clock_wall_ms();
	r->started_ns = clock_mono_ns();
	ret = spawn(r, e, &f, &err);
	if (ret < 0) {
		give_back(r, &err);
	} else if (ret == 0) {
		not_started(r, &f);
	} else {
		r->state = RUN_RUNNING;
		r->deadline_ns = timeout > 0 ? r->started_ns + timeout * 1000000 : INT64_MAX;
	}
}

void run_stop(struct run *r, enum run_stop why, bool hard)
{
	if (r->stop == STOP_NONE)
		r->stop = why;
	if (!r->pid || r->killed)
		return;
	if (hard || r->termed) {
		(void)proc_group_kill(r->pid, SIGKILL);
		r->killed = true;
		r->deadline_ns = INT64_MAX;
		return;
	}
	(void)proc_group_kill(r->pid, SIGTERM);
	(void)proc_group_kill(r->pid, SIGCONT);
	r->termed = true;
	r->deadline_ns = clock_mono_ns() + r->grace_ms * 1000000;
}

bool run_ended(struct run *r, const struct proc_end *end)
{
	r->end = *end;
	r->out.a.elapsed_us = (clock_mono_ns() - r->started_ns) / 1000;
	r->out.a.ended = clock_wall_ms();
	if (!proc_group_kill(r->pid, 0)) {
		r->state = RUN_COLLECTING;
		return false;
	}
	r->state = RUN_LEFTOVERS;
	if (r->killed)
		(void)proc_group_kill(r->pid, SIGKILL);
	else if (!r->termed)
		run_stop(r, STOP_NONE, false);
	return true;
}
