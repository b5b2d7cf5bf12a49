#include "work/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"
#include "base/vec.h"
#include "sys/bell.h"
#include "sys/file.h"
#include "sys/signals.h"

enum {
	BATCH = 2000,     /* tasks a transaction */
	NODE_TRIES = 5,   /* a node's row moves with its beat */
};

/* ---- bells ------------------------------------------------------------------------------ */

static void ring(const struct control *c, const char *prefix, bool one)
{
	struct err ignored = ERR_INIT;
	int home = file_open_dir(AT_FDCWD, c->home, &ignored), bells;

	if (home < 0)
		return;
	bells = bell_dir(home, &ignored);
	close(home);
	if (bells < 0)
		return;
	if (one)
		(void)bell_ring(bells, prefix);
	else
		(void)bell_ring_all(bells, prefix);
	close(bells);
}

void control_ring_nodes(const struct control *c)
{
	ring(c, "n.", false);
}

static void ring_node(const struct control *c, const char *node)
{
	char name[NODE_ID_SIZE + 8];

	(void)snprintf(name, sizeof(name), "n.%s", node);
	ring(c, name, true);
}

void control_ring_watchers(const struct control *c, int64_t born)
{
	char prefix[40];

	(void)snprintf(prefix, sizeof(prefix), "w.%lld.", (long long)born);
	ring(c, born ? prefix : "w.", false);
}

static void ring_all(const struct control *c, int64_t born)
{
	control_ring_nodes(c);
	control_ring_watchers(c, born);
}

/* ---- kill ------------------------------------------------------------------------------- */

/* State of the job; JOB_REMOVED also when there is no row. -1 with err. */
static int state_of(const struct control *c, int64_t born, struct err *err)
{
	struct job job = { .born = 0 };
	int ret = queue_job_get(c->queue, born, &job, err);

	if (ret == 1)
		ret = (int)job.state;
	else if (ret == 0)
		ret = JOB_REMOVED;
	job_release(&job);
	return ret;
}

static int kill_batches(const struct control *c, int64_t born, const struct ranges *r,
			int64_t *count, struct err *err)
{
	bool more = true;

	while (more) {
		int64_t n = 0;

		if (signals_check(err) < 0 ||
		    queue_kill(c->queue, born, r, BATCH, id_u64(), &n, &more, err) < 0)
			return -1;
		*count += n;
	}
	return 0;
}

int control_end(const struct control *c, int64_t born, struct err *err)
{
	int ret = queue_job_move(c->queue, born, JOB_EV_END, false, id_u64(), err);

	if (ret > 0)
		control_ring_watchers(c, born);
	return ret;
}

int control_finish_kill(const struct control *c, int64_t born, int64_t *count, struct err *err)
{
	static const struct ranges all = RANGES_INIT;
	int state = state_of(c, born, err), ret;

	*count = 0;
	if (state != JOB_KILLING)
		return state < 0 ? -1 : 0;
	ret = kill_batches(c, born, &all, count, err);
	if (ret == 0 && control_end(c, born, err) < 0)
		ret = -1;
	ring_all(c, born);
	return ret;
}

static int kill_ranges(const struct control *c, int64_t born, const struct ranges *r,
		       int64_t *count, struct err *err)
{
	int ret = kill_batches(c, born, r, count, err);

	if (ret == 0 && *count && control_end(c, born, err) < 0)
		ret = -1;
	ring_all(c, born);
	return ret;
}

int control_kill(const struct control *c, int64_t born, const struct ranges *r, int64_t *count,
		 struct err *err)
{
	*count = 0;
	for (;;) {
		int state = state_of(c, born, err), moved;

		switch (state) {
		case JOB_OPEN:
			if (r && r->n)
				return kill_ranges(c, born, r, count, err);
			moved = queue_job_move(c->queue, born, JOB_EV_KILL, false, id_u64(), err);
			if (moved < 0)
				return -1;
			break; /* moved by us or by another: look again */
		case JOB_KILLING:
			return control_finish_kill(c, born, count, err);
		case JOB_OVER:
			return 0;
		case JOB_SUBMITTING:
		case JOB_REMOVED:
			return err_set(err, ERR_NOT_FOUND, "the job is gone");
		default:
			return -1;
		}
		if (signals_check(err) < 0)
			return -1;
	}
}

/* ---- nodes ------------------------------------------------------------------------------ */

int control_drain(const struct control *c, const char *node, struct err *err)
{
	int ret = queue_node_move(c->queue, node, 0, NODE_EV_DRAIN, id_u64(), err);

	if (ret > 0)
		ring_node(c, node);
	return ret;
}

static int see_job(void *ctx, const struct job *job)
{
	(void)job;
	*(bool *)ctx = true;
	return 1;
}

/* A job that is open has an open task. */
static int has_work(const struct control *c, const char *cluster, bool *found, struct err *err)
{
	const struct job_filter f = { .cluster = cluster, .limit = 1,
				      .states = 1U << JOB_OPEN | 1U << JOB_KILLING };

	*found = false;
	return queue_jobs(c->queue, &f, see_job, found, err);
}

struct seen_node {
	char id[NODE_ID_SIZE];
	int64_t v;
};

struct seen_nodes {
	VEC(struct seen_node) idle;
	int live;
};

static int see_node(void *ctx, const struct node *n)
{
	struct seen_nodes *s = ctx;
	struct seen_node *out;

	if (n->state != NODE_LIVE)
		return 0;
	s->live++;
	if (n->running)
		return 0;
	out = vec_push(&s->idle);
	memcpy(out->id, n->id, sizeof(out->id));
	out->v = n->v;
	return 0;
}

int control_release_nodes(const struct control *c, const char *cluster, bool *woken,
			  struct err *err)
{
	struct seen_nodes s = { .live = 0 };
	int told = 0, ret = 0, moved;
	bool work;

	*woken = false;
	if (has_work(c, cluster, &work, err) < 0)
		return -1;
	/* At the version that was read: a node that claimed something meanwhile is left alone. */
	for (int i = 0; i < NODE_TRIES && !work; i++) {
		s.idle.n = 0;
		s.live = 0;
		ret = queue_nodes(c->queue, cluster, see_node, &s, err);
		if (ret < 0 || !s.idle.n)
			break;
		for (size_t k = 0; k < s.idle.n && ret == 0; k++) {
			moved = queue_node_move(c->queue, s.idle.p[k].id, s.idle.p[k].v,
						NODE_EV_DRAIN, id_u64(), err);
			ret = moved < 0 ? -1 : 0;
			if (moved > 0) {
				told++;
				ring_node(c, s.idle.p[k].id);
			}
		}
		if (ret < 0 || has_work(c, cluster, &work, err) < 0)
			break;
	}
	/* A submission writes its job first and looks for nodes then: either it has seen that they
	 * leave, or it is seen here. */
	if (ret == 0 && told && work) {
		s.live = 0;
		ret = queue_nodes(c->queue, cluster, see_node, &s, err);
		*woken = ret == 0 && s.live == 0;
	}
	vec_release(&s.idle);
	return ret < 0 ? -1 : told;
}
