#include "work/scale.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "sys/proc.h"

enum {
	LOOK_MS = 2000,          /* between two questions */
	HOLD_MAX_MS = 60 * 1000, /* while what was started does not come */
	YOUNG_MS = 3000,         /* whoever submitted a job asks for its first nodes */
	BROKEN_MS = 60 * 1000,   /* a policy that broke is asked again then */
	JOBS_MAX = 100,          /* of a cluster, looked at at a time */
	AT_ONCE = 10,
};

/* ---- what a policy decides by ----------------------------------------------------------- */

static int add_count(void *ctx, const char *label, int64_t count)
{
	struct policy_scale *s = ctx;

	if (strcmp(label, "pending") == 0)
		s->pending = count;
	else if (strcmp(label, "claimed") == 0)
		s->running = count;
	return 0;
}

/* A member of the job's info; the caller frees the whole. */
static json_t *info_of(const struct job *job, const char *name, json_t **whole)
{
	*whole = json_loads(job->info ? job->info : "", 0, NULL);
	return json_object_get(*whole, name);
}

int scale_state(struct queue *q, const struct job *job, int64_t live, int64_t now,
		struct policy_scale *out, struct err *err)
{
	int64_t since;
	json_t *info;

	*out = (struct policy_scale){ .job = job, .nodes = live };
	if (queue_counts(q, job->born, add_count, out, err) < 0 ||
	    queue_node_time(q, job->born, now, &out->node_ms, err) < 0 ||
	    queue_waiting_since(q, job->born, now, &since, err) < 0)
		return -1;
	out->oldest_pending_ms = since ? MAX(now - since, 0) : 0;
	out->wanted = json_integer_value(info_of(job, "nodes", &info));
	json_decref(info);
	return 0;
}

int64_t scale_clamp(const struct policy_scale *s, int64_t target)
{
	int64_t open = MIN(s->pending + s->running, SCALE_MAX);

	target = MIN(target, MAX(s->wanted, MAX(s->nodes, open)));
	return MIN(target, MAX(s->wanted, s->nodes * 2 + AT_ONCE));
}

/* ---- a node that asks ------------------------------------------------------------------- */

struct scaler {
	struct scaler_options opt;
	int64_t next_ms, hold_ms;
	int64_t live_then;   /* nodes when others were started */
	int pidfd;           /* of the child that starts nodes; -1: none */
	int64_t broken_born, broken_ms; /* a policy that broke, when */
};

struct scaler *scaler_new(const struct scaler_options *o)
{
	struct scaler *s = xcalloc(1, sizeof(*s));

	s->opt = *o;
	s->pidfd = -1;
	s->hold_ms = LOOK_MS;
	return s;
}

void scaler_free(struct scaler *s)
{
	if (s && s->pidfd >= 0)
		close(s->pidfd);
	free(s);
}

struct census {
	char oldest[NODE_ID_SIZE];
	int64_t since, live;
};

static int see_node(void *ctx, const struct node *n)
{
	struct census *c = ctx;

	if (n->state != NODE_LIVE)
		return 0;
	if (!c->live++ || n->t < c->since || (n->t == c->since && strcmp(n->id, c->oldest) < 0)) {
		(void)snprintf(c->oldest, sizeof(c->oldest), "%s", n->id);
		c->since = n->t;
	}
	return 0;
}

struct job_list {
	VEC(int64_t) born;
	int64_t now;
};

static int see_job(void *ctx, const struct job *job)
{
	struct job_list *l = ctx;

	if (*job->policy && l->now - job->t >= YOUNG_MS)
		*vec_push(&l->born) = job->born;
	return l->born.n >= JOBS_MAX;
}

/* The hook broke: nothing changes, the history says so, it is asked again later. */
static void note_broken(struct scaler *s, struct queue *q, const struct job *job,
			const struct err *why)
{
	const struct event e = { .job = job->born, .kind = "policy_error", .text = why->text };
	struct err err = ERR_INIT;

	log_warn("Job %s: the policy failed: %s", job->id, why->text);
	(void)queue_event_add(q, &e, &err);
	s->broken_born = job->born;
	s->broken_ms = clock_mono_ms();
}

/* How many nodes this job wants, if more than live; else 0. */
static int64_t wanted(struct scaler *s, struct queue *q, const struct job *job, int64_t live)
{
	struct policy_scale state;
	struct err err = ERR_INIT;
	int64_t target = -1;

	if (job->born == s->broken_born && clock_mono_ms() - s->broken_ms < BROKEN_MS)
		return 0;
	if (!(policy_wants(s->opt.policy, job) & POLICY_SCALE) ||
	    scale_state(q, job, live, clock_wall_ms(), &state, &err) < 0 || !state.pending)
		return 0;
	if (policy_scale(s->opt.policy, &state, &target, &err) < 0) {
		note_broken(s, q, job, &err);
		return 0;
	}
	target = scale_clamp(&state, target);
	return target > live ? target : 0;
}

/* Where the user was who submitted it: the configuration is looked for from there. 0/-1. */
static int spawn(const struct job *job, struct proc_spec *spec, pid_t *pid, struct err *err)
{
	struct proc_failure why;
	json_t *info;
	const char *cwd = json_string_value(info_of(job, "cwd", &info));
	int ret;

	spec->cwd = cwd && *cwd == '/' && access(cwd, X_OK) == 0 ? cwd : "/";
	ret = proc_daemon(spec, pid, &why, err);
	json_decref(info);
	if (ret == 0)
		return err_set(err, ERR_IO, "%s cannot be started", spec->argv[0]);
	return ret < 0 ? -1 : 0;
}

static void start_nodes(struct scaler *s, const struct job *job, int64_t target)
{
	struct proc_spec spec = PROC_SPEC_INIT;
	char binary[4096], born[24], count[24];
	const char *argv[] = { binary, "scale", "--home", s->opt.home, "--job", born, "--target",
			       count, NULL };
	const char **env = proc_own_env();
	struct err err = ERR_INIT;
	pid_t pid;

	if (s->opt.program)
		(void)snprintf(binary, sizeof(binary), "%s", s->opt.program);
	else
		proc_own_binary(binary, sizeof(binary));
	(void)snprintf(born, sizeof(born), "%lld", (long long)job->born);
	(void)snprintf(count, sizeof(count), "%lld", (long long)target);
	spec.argv = argv;
	spec.env = env;
	spec.umask = 077;
	spec.out_fd = spec.err_fd = s->opt.log_fd;
	if (spawn(job, &spec, &pid, &err) == 0)
		s->pidfd = proc_pidfd_open(pid);
	else
		log_warn("Job %s: no nodes can be added: %s", job->id, err.text);
	free(env);
}

/* Longer and longer while what was started does not come. */
static void hold(struct scaler *s, int64_t live)
{
	s->hold_ms = live > s->live_then ? LOOK_MS : MIN(s->hold_ms * 2, HOLD_MAX_MS);
	s->live_then = live;
	s->next_ms = clock_mono_ms() + s->hold_ms;
}

static void ask_jobs(struct scaler *s, struct queue *q, int64_t live)
{
	const struct job_filter f = { .cluster = s->opt.cluster, .states = 1 << JOB_OPEN };
	struct job_list l = { .now = clock_wall_ms() };
	struct err err = ERR_INIT;
	int ret = queue_jobs(q, &f, see_job, &l, &err);
	int64_t target = 0;

	for (size_t i = 0; ret >= 0 && i < l.born.n && !target; i++) {
		struct job job = { .born = 0 };

		ret = queue_job_get(q, l.born.p[i], &job, &err);
		if (ret > 0)
			target = wanted(s, q, &job, live);
		if (target) {
			start_nodes(s, &job, target);
			hold(s, live);
		}
		job_release(&job);
	}
	vec_release(&l.born);
	if (ret < 0)
		log_debug("scale: %s", err.text);
}

static bool child_runs(struct scaler *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	if (s->pidfd < 0)
		return false;
	if (poll(&p, 1, 0) <= 0)
		return true;
	close(s->pidfd);
	s->pidfd = -1;
	return false;
}

void scaler_look(struct scaler *s, struct queue *q)
{
	struct census c = { .live = 0 };
	struct err err = ERR_INIT;
	int64_t now = clock_mono_ms();

	if (!s->opt.policy || now < s->next_ms || child_runs(s))
		return;
	s->next_ms = now + LOOK_MS;
	if (queue_nodes(q, s->opt.cluster, see_node, &c, &err) < 0 || !c.live ||
	    strcmp(c.oldest, s->opt.node) != 0)
		return;
	ask_jobs(s, q, c.live);
}
