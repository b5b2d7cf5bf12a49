#include "work/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "sys/bell.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "work/jobctx.h"
#include "work/reaper_impl.h"
#include "work/salvage.h"
#include "work/settle.h"

enum {
	LEASE_MS = 10000,
	LOOK_MS = 1000,          /* locks are cheap to look at */
	LEFTOVER_GRACE_MS = 500, /* between TERM and KILL */
	LEFTOVER_LIMIT_MS = 3000,
};

/* The first node makes the directory, maybe after the looker began. */
static void open_nodes(struct reaper *r)
{
	char *nodes = xasprintf("%s/nodes", r->home);

	if (r->nodes_fd < 0)
		r->nodes_fd = open(nodes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(nodes);
}

struct reaper *reaper_new(const struct reaper_options *o)
{
	struct reaper *r = xcalloc(1, sizeof(*r));
	struct err err = ERR_INIT;
	int home_fd;

	r->opt = *o;
	r->opt.lease_ms = o->lease_ms > 0 ? o->lease_ms : LEASE_MS;
	r->home = xstrdup(o->home);
	r->cluster = o->cluster ? xstrdup(o->cluster) : NULL;
	r->self = o->self ? xstrdup(o->self) : NULL;
	r->nodes_fd = r->bells_fd = -1;
	home_fd = open(o->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home_fd >= 0) {
		r->bells_fd = bell_dir(home_fd, &err);
		close(home_fd);
	}
	r->jobs = jobctx_cache_new(o->home, JOBCTX_SETTLE);
	return r;
}

void reaper_free(struct reaper *r)
{
	if (!r)
		return;
	if (r->nodes_fd >= 0)
		close(r->nodes_fd);
	if (r->bells_fd >= 0)
		close(r->bells_fd);
	jobctx_cache_free(r->jobs);
	vec_release(&r->seen);
	free(r->home);
	free(r->cluster);
	free(r->self);
	free(r);
}

/* ---- evidence ---- */

/* Certain: the kernel says that nobody holds the node's lock. */
static bool lock_is_free(const struct reaper *r, const char *node)
{
	char name[NODE_ID_SIZE + 8];
	struct err err = ERR_INIT;

	if (r->nodes_fd < 0)
		return false;
	(void)snprintf(name, sizeof(name), "%s.lock", node);
	return lock_probe(r->nodes_fd, name, &err) == 0;
}

static struct seen *seen_of(struct reaper *r, const char *node)
{
	struct seen *s;

	for (size_t i = 0; i < r->seen.n; i++)
		if (strcmp(r->seen.p[i].id, node) == 0)
			return &r->seen.p[i];
	s = vec_push(&r->seen);
	*s = (struct seen){ .beat = -1 };
	(void)snprintf(s->id, sizeof(s->id), "%s", node);
	return s;
}

/* Can the queue be written? A node whose beats cannot be stored is not silent. */
static bool queue_writes(struct queue *q)
{
	struct err err = ERR_INIT;

	return queue_node_delete(q, "-", &err) >= 0;
}

/* Same beat over answered looks that span a lease, no gap above half of it. */
static bool is_silent(struct reaper *r, struct queue *q, const struct node *n)
{
	struct seen *s = seen_of(r, n->id);
	int64_t now = clock_mono_ns(), lease = r->opt.lease_ms * 1000000;

	s->present = true;
	if (s->beat != n->beat || !s->since_ns || now - s->last_ns > lease / 2) {
		s->beat = n->beat;
		s->since_ns = s->last_ns = now;
		return false;
	}
	if (!queue_writes(q)) {
		s->since_ns = 0;
		return false;
	}
	s->last_ns = now;
	return now - s->since_ns >= lease;
}

/* ---- one dead node, from its mark to its last trace ---- */

/* Where it worked, as it said itself: the directory of that node, wherever it is. */
static char *work_of(const struct reaper *r, const struct node *n)
{
	json_t *info = json_loads(n->info ? n->info : "", 0, NULL);
	const char *said = json_string_value(json_object_get(info, "work")), *slash;
	char *work;

	slash = said && *said == '/' ? strrchr(said, '/') : NULL;
	work = slash && strcmp(slash + 1, n->id) == 0 ? xstrdup(said) :
	       xasprintf("%s/work/%s", r->home, n->id);
	json_decref(info);
	return work;
}

static void remove_traces(struct reaper *r, const struct node *n)
{
	char name[NODE_ID_SIZE + 8];
	struct err err = ERR_INIT;
	char *work = work_of(r, n);
	const char *node = n->id;

	(void)snprintf(name, sizeof(name), "%s.lock", node);
	if (r->nodes_fd >= 0)
		(void)unlinkat(r->nodes_fd, name, 0);
	(void)snprintf(name, sizeof(name), "n.%s", node);
	if (r->bells_fd >= 0)
		(void)unlinkat(r->bells_fd, name, 0);
	if (file_rmtree(AT_FDCWD, work, &err) < 0)
		log_debug("%s: %s", work, err.text);
	free(work);
}

/* 1 dealt with, 0 not (it lives, or waits), -1. */
static int deal(struct reaper *r, struct queue *q, const struct node *n, bool dead,
		struct err *err)
{
	size_t count = 0;
	int ret;

	if (n->state != NODE_LOST) {
		ret = lose_may(r, q, n, err);
		if (ret <= 0) {
			seen_of(r, n->id)->since_ns = 0;
			return ret;
		}
		ret = queue_node_move(q, n->id, n->v, NODE_EV_LOSE, id_u64(), err);
		if (ret <= 0) /* it moved: it lives, or somebody else is at it */
			return ret;
	}
	if (dead && proc_kill_leftovers(n->id, LEFTOVER_GRACE_MS, LEFTOVER_LIMIT_MS, err) < 0)
		log_warn("Node %s: %s", n->id, err->text);
	if (lose_sweep(r, q, n, &count, err) < 0)
		return err_prefix(err, "node %s", n->id);
	if (count || n->state != NODE_LOST)
		log_info("Node %s is %s: %zu of its tasks were taken care of", n->id,
			 dead ? "dead" : "lost", count);
	salvage_stages(q, r->cluster, n->id);
	if (!dead) /* it may come back to read that it is lost, and leave by itself */
		return 1;
	if (queue_node_delete(q, n->id, err) < 0)
		return -1;
	remove_traces(r, n);
	if (count && r->bells_fd >= 0)
		(void)bell_ring_all(r->bells_fd, "n.");
	return 1;
}

/* ---- looking ---- */

struct node_copy {
	char id[NODE_ID_SIZE];
	char *cluster, *cap, *info;
	struct node n;
};
struct node_list {
	VEC(struct node_copy) v;
};

static int add_node(void *ctx, const struct node *n)
{
	struct node_list *l = ctx;
	struct node_copy *c = vec_push(&l->v);

	c->n = *n;
	c->n.cluster = xstrdup(n->cluster ? n->cluster : "");
	c->n.cap = xstrdup(n->cap ? n->cap : "{}");
	c->n.info = xstrdup(n->info ? n->info : "{}");
	return 0;
}

static int list_nodes(struct reaper *r, struct queue *q, struct node_list *l, struct err *err)
{
	*l = (struct node_list){ 0 };
	open_nodes(r);
	return queue_nodes(q, r->cluster, add_node, l, err);
}

static void free_nodes(struct node_list *l)
{
	for (size_t i = 0; i < l->v.n; i++)
		node_release(&l->v.p[i].n);
	vec_release(&l->v);
}

/* Those next after self, wrapping: nobody has to look at all of a large cluster. */
static bool is_neighbour(const struct reaper *r, const struct node_list *l, size_t i)
{
	enum { NEIGHBOURS = 3 };
	size_t after = 0;

	if (!r->self || l->v.n <= NEIGHBOURS + 1)
		return true;
	/* rank of node i among those that follow self */
	for (size_t k = 0; k < l->v.n; k++) {
		const char *id = l->v.p[k].n.id, *mine = r->self, *its = l->v.p[i].n.id;
		bool its_wraps = strcmp(its, mine) < 0, wraps = strcmp(id, mine) < 0;

		if (strcmp(id, mine) == 0 || k == i)
			continue;
		after += wraps == its_wraps ? strcmp(id, its) < 0 : its_wraps;
	}
	return after < NEIGHBOURS;
}

static void forget_absent(struct reaper *r)
{
	size_t keep = 0;

	for (size_t i = 0; i < r->seen.n; i++)
		if (r->seen.p[i].present)
			r->seen.p[keep++] = r->seen.p[i];
	r->seen.n = keep;
}

int reaper_look(struct reaper *r, struct queue *q, bool all, int64_t *next_ms, struct err *err)
{
	struct node_list l;
	int dealt = 0, ret;

	*next_ms = MIN(r->opt.lease_ms / 3, LOOK_MS);
	ret = list_nodes(r, q, &l, err);
	if (ret < 0) { /* an unanswered look: every series begins anew */
		r->seen.n = 0;
		free_nodes(&l);
		return -1;
	}
	for (size_t i = 0; i < r->seen.n; i++)
		r->seen.p[i].present = false;
	for (size_t i = 0; i < l.v.n; i++) {
		const struct node *n = &l.v.p[i].n;
		bool dead;

		if ((r->self && strcmp(n->id, r->self) == 0) ||
		    (!all && !dealt && !is_neighbour(r, &l, i)))
			continue;
		dead = lock_is_free(r, n->id);
		if (!dead && n->state != NODE_LOST && !is_silent(r, q, n))
			continue;
		if (!dead && n->state == NODE_LOST && !n->running)
			continue; /* swept; its rows go when it is dead */
		ret = deal(r, q, n, dead, err);
		if (ret < 0)
			break;
		dealt += ret;
	}
	forget_absent(r);
	free_nodes(&l);
	return ret < 0 ? -1 : dealt;
}

int reaper_node(struct reaper *r, struct queue *q, const char *node, struct err *err)
{
	struct node_list l;
	int ret = list_nodes(r, q, &l, err), dealt = 0;

	for (size_t i = 0; ret >= 0 && i < l.v.n; i++) {
		const struct node *n = &l.v.p[i].n;

		if (strcmp(n->id, node) != 0 || !lock_is_free(r, node))
			continue;
		ret = deal(r, q, n, true, err);
		dealt = ret > 0;
	}
	free_nodes(&l);
	return ret < 0 ? -1 : dealt;
}

/* ---- jobs that somebody left half-way ---- */

struct job_list {
	VEC(int64_t) born;
};

static int add_job(void *ctx, const struct job *job)
{
	struct job_list *l = ctx;

	*vec_push(&l->born) = job->born;
	return 0;
}

static int finish_job(struct reaper *r, struct queue *q, int64_t born, struct err *err)
{
	struct job job = { .born = 0 };
	int ret = queue_job_get(q, born, &job, err);

	if (ret > 0 && job.state == JOB_KILLING) {
		ret = settle_kill(q, born, err);
		job_release(&job);
		if (ret >= 0)
			ret = queue_job_get(q, born, &job, err);
	}
	if (ret > 0 && job.state == JOB_OVER && !job.told)
		ret = events_over(r->opt.events, q, &job, err);
	job_release(&job);
	return ret < 0 ? -1 : 0;
}

int reaper_finish_jobs(struct reaper *r, struct queue *q, struct err *err)
{
	const struct job_filter f = {
		.cluster = r->cluster, .states = 1 << JOB_KILLING | 1 << JOB_OVER, .untold = true,
	};
	struct job_list l = { 0 };
	int ret = queue_jobs(q, &f, add_job, &l, err);

	for (size_t i = 0; ret >= 0 && i < l.born.n; i++)
		ret = finish_job(r, q, l.born.p[i], err);
	vec_release(&l.born);
	return ret < 0 ? -1 : 0;
}
