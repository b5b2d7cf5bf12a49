#include "queue/queue_sqlite.h"

#include <string.h>
#include <sys/stat.h>

enum { LEASE_MS = 10000, BUSY_MS = 30000 };

static int64_t sq_change(struct queue *base)
{
	return db_data_version(sq_of(base)->db);
}

static const char *sq_uuid(struct queue *base)
{
	return sq_of(base)->uuid;
}

static void sq_close(struct queue *base)
{
	struct queue_sqlite *q = sq_of(base);

	db_close(q->db);
	vec_release(&q->tally);
	vec_release(&q->known);
	vec_release(&q->fewer);
	vec_release(&q->over);
	free(q->path);
	free(q);
}

static const struct queue_ops sqlite_ops = {
	.name = "sqlite",
	.submit_begin = sq_submit_begin,
	.submit_add = sq_submit_add,
	.submit_bind = sq_submit_bind,
	.submit_abort = sq_submit_abort,
	.job_by_id = sq_job_by_id,
	.job_get = sq_job_get,
	.job_last = sq_job_last,
	.jobs = sq_jobs,
	.task_get = sq_task_get,
	.tasks = sq_tasks,
	.attempts = sq_attempts,
	.attempt_get = sq_attempt_get,
	.asked = sq_asked,
	.recent = sq_recent,
	.same = sq_same,
	.node_time = sq_node_time,
	.waiting_since = sq_waiting_since,
	.counts = sq_counts,
	.nodes = sq_nodes,
	.held = sq_held,
	.events = sq_events,
	.event_add = sq_event_add,
	.change = sq_change,
	.uuid = sq_uuid,
	.node_register = sq_node_register,
	.beat = sq_beat,
	.node_move = sq_node_move,
	.node_wait = sq_node_wait,
	.node_info = sq_node_info,
	.node_delete = sq_node_delete,
	.claim = sq_claim,
	.release = sq_release,
	.finish = sq_finish,
	.ask_again = sq_ask_again,
	.verdict = sq_verdict,
	.job_move = sq_job_move,
	.kill = sq_kill,
	.reset = sq_reset,
	.job_told = sq_job_told,
	.job_delete = sq_job_delete,
	.close = sq_close,
};

static struct queue *open_once(const struct queue_sqlite_options *o, struct err *err)
{
	struct queue_sqlite *q = xcalloc(1, sizeof(*q));
	const struct db_options d = {
		.path = o->path,
		.create = o->create,
		.read_only = o->read_only,
		.busy_ms = o->busy_ms,
		.hook = sq_holder_hook,
		.ctx = q,
	};

	q->base.ops = &sqlite_ops;
	q->path = xstrdup(o->path);
	q->lease_ms = o->lease_ms > 0 ? o->lease_ms : LEASE_MS;
	q->busy_ms = o->busy_ms > 0 ? o->busy_ms : BUSY_MS;
	q->notice = o->notice;
	q->patient = o->patient;
	q->ctx = o->ctx;
	q->fast = o->fast;
	q->db = db_open(&d, err);
	if (!q->db || sq_migrate(q, o->read_only, err) < 0) {
		sq_close(&q->base);
		return NULL;
	}
	return &q->base;
}

struct queue *queue_sqlite_open(const struct queue_sqlite_options *o, struct err *err)
{
	struct queue_sqlite_options make = *o;
	struct queue *q = open_once(o, err);
	struct stat st;

	/* Not there is one thing; there and still without tables is another: the first command
	 * makes it right now, or died while it did. */
	if (q || !o->read_only || err->code != ERR_NOT_FOUND || stat(o->path, &st) < 0)
		return q;
	*err = (struct err)ERR_INIT;
	make.read_only = false;
	q = open_once(&make, err);
	if (!q)
		return NULL;
	queue_close(q);
	return open_once(o, err);
}
