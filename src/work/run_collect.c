/* The end of an attempt: what it was, what it left, result.json. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "work/result_json.h"
#include "work/task_run.h"

enum {
	QUICK_STDOUT = 64 * 1024,     /* hashed inline up to this */
	FULL_BYTES = 64 * 1024,       /* a file system with less is full */
	OWN_BYTES = 16 * 1024 * 1024, /* who has this much filled it himself */
};

static const char empty_sha256[] =
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool run_is_quick(const struct run *r, const struct run_env *e)
{
	struct stat st;

	if (r->n_inputs || jobctx_keep_work(r->ctx, r->c.class) || !r->slot || r->slot->dir.fd < 0)
		return false;
	if (r->out_fd >= 0 && (fstat(r->out_fd, &st) < 0 || st.st_size > QUICK_STDOUT))
		return false;
	return workdir_untouched(&r->slot->dir, e->work);
}

/* ---- stdout.txt ---- */

static int cut_stdout(struct run *r, int64_t max, struct err *err)
{
	struct buf note = BUF_INIT;
	int ret;

	if (ftruncate(r->out_fd, (off_t)max) < 0)
		return err_sys(err, "cannot cut stdout.txt");
	buf_addf(&note, "\nkubeque: output was cut here, behind %lld bytes (--max-stdout)\n",
		 (long long)max);
	ret = file_write_fd(r->out_fd, note.p, note.n, err);
	r->stdout_bytes = max + (int64_t)note.n;
	buf_release(&note);
	return ret;
}

static int measure_stdout(struct run *r, struct err *err)
{
	int64_t max = r->ctx->root.common.max_stdout;
	struct stat st;

	if (fstat(r->out_fd, &st) < 0)
		return err_sys(err, "cannot stat stdout.txt");
	r->stdout_bytes = st.st_size;
	if (max > 0 && st.st_size > max && cut_stdout(r, max, err) < 0)
		return -1;
	if (!r->stdout_bytes) {
		memcpy(r->stdout_sha256, empty_sha256, sizeof(empty_sha256));
		return 0;
	}
	switch (hash_fd(r->out_fd, -1, r->stdout_sha256, NULL, err)) {
	case HASH_OK:
		return 0;
	case HASH_CHANGED: /* a process that left the group writes on: nothing can be said of it */
		r->stdout_sha256[0] = '\0';
		return 0;
	case HASH_FAILED:
		break;
	}
	return -1;
}

/* ---- what it was ---- */

static void set_failed(struct attempt *a, enum cause cause, const char *reason)
{
	a->cause = cause;
	label_failed(a->label, reason);
	(void)snprintf(a->reason, sizeof(a->reason), "%.*s", REASON_SIZE - 1, reason);
}

/* A limit that struck wins over whatever exit code there is. */
static void classify(struct run *r)
{
	struct attempt *a = &r->out.a;

	a->exit_code = r->end.exit_code;
	a->signal = r->end.signal;
	a->reason[0] = '\0';
	if (r->cause != CAUSE_NONE) {
		a->exit_code = -1;
		set_failed(a, r->cause, r->reason);
	} else if (r->stop == STOP_TAKEN) {
		a->cause = CAUSE_KILLED;
		(void)snprintf(a->label, sizeof(a->label), "killed");
	} else if (r->stop == STOP_TIMEOUT) {
		set_failed(a, CAUSE_TIMEOUT, "timeout");
	} else if (r->stop == STOP_MEMORY ||
		   (r->memory_limit > 0 && r->end.usage.max_memory > r->memory_limit)) {
		set_failed(a, CAUSE_OOM, "memory");
	} else {
		a->cause = r->end.signal ? CAUSE_SIGNAL : CAUSE_EXIT;
		label_complete(a->label, r->end.exit_code, r->end.signal);
	}
	r->out.success = a->cause == CAUSE_EXIT && a->exit_code == 0;
}

static void fill_attempt(struct run *r, const struct run_env *e)
{
	struct attempt *a = &r->out.a;

	r->out.v = r->c.v;
	a->job = r->c.job;
	a->n = r->c.n;
	a->k = r->c.attempt;
	(void)snprintf(a->node, sizeof(a->node), "%s", e->node);
	a->started = r->started_ms;
	if (!a->ended)
		a->ended = clock_wall_ms();
	a->user_us = r->end.usage.user_us;
	a->system_us = r->end.usage.system_us;
	a->max_memory = r->end.usage.max_memory;
	a->block_in = r->end.usage.block_in;
	a->block_out = r->end.usage.block_out;
	classify(r);
}

static void give_back(struct run *r, const struct err *err)
{
	(void)snprintf(r->fault, sizeof(r->fault), "%.*s", REASON_SIZE - 1, err->text);
	r->nospace = err->code == ERR_NOSPACE;
	r->state = RUN_GIVEN_BACK;
}

/* A task that failed on a full disk which it did not fill itself is not to blame. */
static bool disk_is_full(const struct run *r, int fd, int64_t own, struct err *err)
{
	struct file_space sp;

	if (own + r->stdout_bytes >= OWN_BYTES || file_space(fd, &sp, err) < 0)
		return false;
	if (sp.bytes_free >= FULL_BYTES && sp.inodes_free > 2)
		return false;
	err_set(err, ERR_NOSPACE, "no space left on this node's disk");
	return true;
}

/* ---- outputs ---- */

static bool wants_outputs(const struct run *r)
{
	switch (r->ctx->root.common.outputs) {
	case OUTPUTS_ALL: return true;
	case OUTPUTS_FAILED: return !r->out.success;
	case OUTPUTS_NONE: return false;
	}
	return true;
}

/* 0; -1 the node's trouble, err says. */
static int collect_outputs(struct run *r, struct err *err)
{
	struct stage *s = &r->slot->stage;
	const struct common *c = &r->ctx->root.common;
	int class = r->c.class;

	stage_clear(s);
	s->work_fd = r->slot->dir.fd;
	s->stage_fd = r->stage_fd;
	s->dir_mode = results_dir_mode(r->ctx->results);
	s->results = r->spec_ok && r->spec.results.p ? r->spec.results : c->results;
	s->exclude = r->spec_ok && r->spec.exclude.p ? r->spec.exclude : c->exclude;
	s->inputs = r->inputs;
	s->n_inputs = r->n_inputs;
	s->link_inputs = c->link_inputs;
	s->disk_limit = 0;
	if (class >= 0 && class < r->ctx->n_classes &&
	    r->ctx->classes[class].limits & RESOURCE_DISK)
		s->disk_limit = r->need.disk;
	s->keep_work = jobctx_keep_work(r->ctx, r->c.class);
	switch (stage_collect(s, err)) {
	case STAGE_OK:
		return 0;
	case STAGE_NODE:
		return -1;
	case STAGE_TASK:
		break;
	}
	if (r->out.a.cause == CAUSE_EXIT || r->out.a.cause == CAUSE_SIGNAL) {
		bool disk = strcmp(err->text, "disk") == 0;

		set_failed(&r->out.a, disk ? CAUSE_DISK : CAUSE_OUTPUT, err->text);
		r->out.success = false;
	}
	return 0;
}

/* ---- result.json ---- */

static int write_result(struct run *r, bool with_outputs, struct err *err)
{
	const struct result_json j = {
		.ctx = r->ctx,
		.spec = r->spec_ok ? &r->spec : NULL,
		.attempt = &r->out.a,
		.stage = with_outputs ? &r->slot->stage : NULL,
		.stdout_bytes = r->stdout_bytes,
		.stdout_sha256 = r->stdout_sha256,
		.work_kept = r->kept,
	};
	struct buf text = BUF_INIT;
	int fd, ret;

	result_json_add(&text, &j);
	fd = openat(r->stage_fd, "result.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    results_file_mode(r->ctx->results) | 0600);
	if (fd < 0) {
		ret = err_sys(err, "cannot make result.json");
	} else {
		ret = file_write_fd(fd, text.p, text.n, err);
		close(fd);
	}
	if (ret == 0) {
		hash_mem(text.p, text.n, r->out.a.result_sha256);
		r->out.a.result_bytes = (int64_t)text.n;
	}
	buf_release(&text);
	return ret;
}

/* What the policy and `status` want to know of an attempt that did not succeed. */
static void describe_failure(struct run *r)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	if (r->out_fd >= 0 && file_tail(r->out_fd, TAIL_SIZE, &text, &err) == 0) {
		free(r->out.a.tail);
		r->out.a.tail = buf_detach(&text);
	}
	buf_release(&text);
	if (r->spec_ok && r->spec.parameters.n) {
		pairs_add_json(&text, &r->spec.parameters);
		free(r->params_json);
		r->params_json = buf_detach(&text);
	}
}

/* A run that never came to have a stage gets one, so that it leaves a result.json. */
static int late_stage(struct run *r, struct err *err)
{
	if (r->stage_fd >= 0)
		return 0;
	r->stage_fd = results_stage_make(r->ctx->results, r->c.n, r->c.attempt, err);
	if (r->stage_fd < 0)
		return -1;
	r->staged = true;
	r->out_fd = openat(r->stage_fd, "stdout.txt",
			   O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
			   results_file_mode(r->ctx->results) | 0600);
	if (r->out_fd < 0)
		return err_sys(err, "cannot make stdout.txt");
	return 0;
}

static void keep_work(struct run *r, const struct run_env *e)
{
	struct err err = ERR_INIT;
	char name[200];

	(void)snprintf(name, sizeof(name), "%s.%lld.%lld", r->ctx->job.id, (long long)r->c.n,
		       (long long)r->c.attempt);
	if (workdir_keep(&r->slot->dir, e->work, name, &r->kept, &err) < 0)
		log_warn("Task %s.%lld: %s", r->ctx->job.id, (long long)r->c.n, err.text);
	else
		log_info("Work directory of task %s.%lld kept as %s", r->ctx->job.id,
			 (long long)r->c.n, r->kept);
}

/* What a task may have done to objects that it had as links: they go, and it failed. */
static int check_linked(struct run *r, struct err *err)
{
	for (size_t i = 0; i < r->n_inputs; i++) {
		const struct stage_input *in = &r->inputs[i];
		int ret = cas_check_linked(r->ctx->cas, in->sha256, in->size, err);
		char why[REASON_SIZE];

		if (ret < 0)
			return -1;
		if (ret > 0 || (r->out.a.cause != CAUSE_EXIT && r->out.a.cause != CAUSE_SIGNAL))
			continue;
		(void)snprintf(why, sizeof(why), "changed a linked input %s", in->dst);
		set_failed(&r->out.a, CAUSE_OUTPUT, why);
		r->out.success = false;
	}
	return 0;
}

static int collect(struct run *r, const struct run_env *e, bool quick, struct err *err)
{
	bool outputs;

	if (late_stage(r, err) < 0)
		return -1;
	if (measure_stdout(r, err) < 0)
		return -1;
	if (r->ctx->root.common.link_inputs && check_linked(r, err) < 0)
		return -1;
	outputs = !quick && r->slot && r->slot->dir.fd >= 0 && r->stop != STOP_TAKEN &&
		  wants_outputs(r);
	if (outputs && collect_outputs(r, err) < 0)
		return -1;
	if (!r->out.success && r->stop == STOP_NONE && r->cause == CAUSE_NONE &&
	    (disk_is_full(r, r->stage_fd, outputs ? r->slot->stage.bytes : 0, err) ||
	     (r->slot && r->slot->dir.fd >= 0 &&
	      disk_is_full(r, r->slot->dir.fd, outputs ? r->slot->stage.bytes : 0, err))))
		return -1;
	if (jobctx_keep_work(r->ctx, r->c.class) && r->slot && r->slot->dir.fd >= 0)
		keep_work(r, e);
	if (!r->out.success)
		describe_failure(r);
	/* of a task that leaves no results nobody reads it */
	if (!wants_outputs(r))
		return 0;
	return write_result(r, outputs, err);
}

void run_collect(struct run *r, const struct run_env *e, bool quick)
{
	struct err err = ERR_INIT;

	fill_attempt(r, e);
	if (r->state == RUN_GIVEN_BACK || r->stop == STOP_LEAVE) {
		r->state = RUN_GIVEN_BACK;
	} else if (collect(r, e, quick, &err) < 0) {
		give_back(r, &err);
		/* its stage is gone: whoever removed it knows that it counts for nothing */
		if (r->stop == STOP_TAKEN || err.sys == ENOENT)
			r->state = RUN_GONE;
	} else {
		r->state = r->stop == STOP_TAKEN ? RUN_GONE : RUN_DONE;
	}
	if (r->slot && !quick)
		workdir_clear(&r->slot->dir, e->work);
	if (r->stage_fd >= 0)
		close(r->stage_fd);
	if (r->out_fd >= 0)
		close(r->out_fd);
	r->stage_fd = r->out_fd = -1;
}

/* ---- killed after all ---- */

static int remove_outputs(void *ctx, const struct walk_entry *en, struct err *err)
{
	const int *fd = ctx;

	if (en->depth == 0 || strcmp(en->path, "stdout.txt") == 0)
		return WALK_GO_ON;
	return file_rmtree(*fd, en->path, err) < 0 ? -1 : WALK_SKIP;
}

int run_restage_killed(struct run *r, struct err *err)
{
	char name[48];
	int ret = -1;

	results_stage_name(name, r->c.n, r->c.attempt);
	r->stage_fd = openat(results_attempts_fd(r->ctx->results), name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->stage_fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot open the stage of a killed task");
	if (file_walk(r->stage_fd, ".", 0, remove_outputs, &r->stage_fd, err) < 0)
		goto out;
	r->out.a.cause = CAUSE_KILLED;
	r->out.a.reason[0] = '\0';
	(void)snprintf(r->out.a.label, sizeof(r->out.a.label), "killed");
	ret = write_result(r, false, err);
out:
	close(r->stage_fd);
	r->stage_fd = -1;
	return ret;
}
