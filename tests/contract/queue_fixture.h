#ifndef TESTS_CONTRACT_QUEUE_FIXTURE_H
#define TESTS_CONTRACT_QUEUE_FIXTURE_H
/*
 * What the conformance suite of queue.h needs: a factory of queues, and short words for the calls.
 * Nothing here but fix_open() knows which implementation it is; every test ends with
 * check_invariants(), which asks the public interface only.
 */
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "queue/queue.h"
#include "tap.h"

#define HELPER __attribute__((unused)) static

struct fix {
	char dir[256];
	struct queue *q, *other; /* two handles on one queue */
	struct err err;
};

HELPER struct queue *fix_handle(struct fix *f)
{
	char path[300];
	const struct queue_sqlite_options o = { .path = path, .create = true, .busy_ms = 5000 };
	struct queue *q;

	snprintf(path, sizeof(path), "%s/queue.db", f->dir);
	q = queue_sqlite_open(&o, &f->err);
	if (!q) {
		printf("Bail out! %s\n", f->err.text);
		exit(1);
	}
	return q;
}

HELPER void fix_open(struct fix *f)
{
	const char *tmp = getenv("TMPDIR");

	*f = (struct fix){ .err = ERR_INIT };
	snprintf(f->dir, sizeof(f->dir), "%s/kqqueue.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir)) {
		printf("Bail out! mkdtemp %s\n", f->dir);
		exit(1);
	}
	f->q = fix_handle(f);
	f->other = fix_handle(f);
}

HELPER int fix_remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}

/* ---- invariants that one implementation can show ---- */

struct sums {
	struct queue *q;
	const struct job *job;
	int64_t rows, open, held, total, bad;
	struct buf labels; /* of the walk, "label\n" each */
	bool tally_wrong;
};

HELPER int has_node(void *ctx, const struct node *n)
{
	struct task *t = ctx;

	if (strcmp(n->id, t->node) == 0)
		t->n = 0;
	return 0;
}

HELPER int sum_task(void *ctx, const struct task *t)
{
	struct sums *s = ctx;
	struct err err = ERR_INIT;

	s->rows++;
	s->open += task_is_open(t->state);
	s->held += task_is_held(t->state);
	if (t->n != s->rows || t->job != s->job->born)
		s->bad++;
	if (task_is_held(t->state)) { /* I4 */
		struct task probe = *t;

		(void)queue_nodes(s->q, NULL, has_node, &probe, &err);
		s->bad += probe.n != 0;
	}
	if (t->state == TASK_SUCCEEDED && t->acc == 0) /* I1 */
		s->bad++;
	buf_adds(&s->labels, t->label);
	buf_addch(&s->labels, '\n');
	return 0;
}

HELPER int64_t count_lines(const char *text, const char *line)
{
	size_t n = strlen(line);
	int64_t found = 0;

	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		if (strncmp(p, line, n) == 0 && p[n] == '\n')
			found++;
	}
	return found;
}

HELPER int sum_count(void *ctx, const char *label, int64_t count)
{
	struct sums *s = ctx;

	s->total += count;
	if (count_lines(s->labels.p, label) != count)
		s->tally_wrong = true;
	return 0;
}

struct born_list {
	int64_t born[64];
	size_t n;
};

HELPER int list_job(void *ctx, const struct job *j)
{
	struct born_list *l = ctx;

	if (l->n < 64)
		l->born[l->n++] = j->born;
	return 0;
}

/* I4, I9, I10, I11 and the first half of I1, of every visible job. */
HELPER bool invariants_hold(struct fix *f)
{
	struct job_filter all = { 0 };
	struct born_list list = { 0 };
	bool fine = queue_jobs(f->q, &all, list_job, &list, &f->err) == 0;

	for (size_t i = 0; i < list.n; i++) {
		struct task_filter every = { 0 };
		struct job j;
		struct sums s = { .q = f->other, .job = &j, .labels = BUF_INIT };

		if (queue_job_get(f->q, list.born[i], &j, &f->err) != 1)
			return false;
		fine = fine && queue_tasks(f->q, j.born, &every, sum_task, &s, &f->err) == 0 &&
		       queue_counts(f->q, j.born, sum_count, &s, &f->err) == 0;
		fine = fine && s.rows == j.n && s.total == j.n && s.held == j.running &&
		       !s.tally_wrong && s.bad == 0 && (j.state != JOB_OVER || s.open == 0) &&
		       (j.state == JOB_OVER || s.open > 0) &&
		       (j.max_running == 0 || s.held <= j.max_running);
		if (!fine)
			printf("# job %s: n %lld rows %lld total %lld held %lld running %lld bad "
			       "%lld\n",
			       j.id, (long long)j.n, (long long)s.rows, (long long)s.total,
			       (long long)s.held, (long long)j.running, (long long)s.bad);
		buf_release(&s.labels);
		job_release(&j);
	}
	return fine;
}

HELPER void fix_close(struct fix *f, const char *what)
{
	ok(invariants_hold(f), "%s: the invariants hold at the end", what);
	queue_close(f->q);
	queue_close(f->other);
	(void)nftw(f->dir, fix_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- short words ---- */

struct spec {
	const char *id;
	int64_t n, priority, max_running;
	const char *cluster, *user;
	int classes; /* task i has class i % classes */
	int64_t replace;
	uint64_t op;
};

HELPER int64_t begin(struct fix *f, const struct spec *s)
{
	const struct job_new j = {
		.id = s->id, .user = s->user ? s->user : "user",
		.cluster = s->cluster ? s->cluster : "local",
		.classes = "[{\"cpu\":1},{\"cpu\":2},{\"cpu\":3}]", .info = "{\"results\":\"r\"}",
		.secret = "{\"env\":[]}", .policy = "", .priority = s->priority,
		.max_running = s->max_running, .t = 1000,
	};
	int64_t born = 0;

	return queue_submit_begin(f->q, &j, &born, &f->err) < 0 ? -1 : born;
}

HELPER int add(struct fix *f, int64_t born, int64_t first, int64_t n, int classes)
{
	struct task_new *t = xcalloc((size_t)n, sizeof(*t));
	int rc;

	for (int64_t i = 0; i < n; i++)
		t[i].class = classes > 1 ? (int)((first + i - 1) % classes) : 0;
	rc = queue_submit_add(f->q, born, first, t, (size_t)n, &f->err);
	free(t);
	return rc;
}

HELPER int bind_job(struct fix *f, int64_t born, const struct spec *s)
{
	const struct bind b = { .born = born, .n = s->n, .root = "00", .replace = s->replace,
				.op = s->op ? s->op : id_u64() };

	return queue_submit_bind(f->q, &b, &f->err);
}

/* A whole submission; its uid. */
HELPER int64_t submit(struct fix *f, struct spec s)
{
	int64_t born = begin(f, &s);

	if (born < 0 || add(f, born, 1, s.n, s.classes) < 0 || bind_job(f, born, &s) != BIND_DONE) {
		printf("# submit %s: %s\n", s.id, f->err.text);
		return -1;
	}
	return born;
}

HELPER int node(struct fix *f, const char *id)
{
	struct node n = { .cluster = xstrdup("local"), .cap = xstrdup("{}"),
			  .info = xstrdup("{}") };
	int rc;

	snprintf(n.id, sizeof(n.id), "%s", id);
	rc = queue_node_register(f->q, &n, false, id_u64(), &f->err);
	node_release(&n);
	return rc;
}

HELPER size_t want_all(void *ctx, const struct job *j, int class, size_t left)
{
	(void)ctx, (void)j, (void)class;
	return left;
}

HELPER int claim_op(struct fix *f, const char *node_id, size_t max, uint64_t op,
		    struct claimed *out)
{
	const struct claim_request r = { .node = node_id, .op = op, .seq = -1, .max = max,
					 .now = 1000, .want = want_all };
	struct claim_reply reply;

	return queue_claim(f->q, &r, out, &reply, &f->err);
}

HELPER int claim(struct fix *f, const char *node_id, size_t max, struct claimed *out)
{
	return claim_op(f, node_id, max, id_u64(), out);
}

HELPER struct outcome outcome_of(const char *node_id, const struct claimed *c, int code)
{
	struct outcome o = {
		.v = c->v, .success = code == 0,
		.a = { .job = c->job, .n = c->n, .k = c->attempt, .cause = CAUSE_EXIT,
		       .exit_code = code, .started = 2000, .ended = 3000, .elapsed_us = 1000,
		       .user_us = 7, .system_us = 8, .max_memory = 9, .block_in = 10,
		       .block_out = 11, .result_bytes = 12 },
	};

	snprintf(o.a.node, sizeof(o.a.node), "%s", node_id);
	label_complete(o.a.label, code, 0);
	memset(o.a.result_sha256, 'a', 64);
	return o;
}

/* Stores one outcome: the answer, or -1. The claim's version moves along. */
HELPER int finish(struct fix *f, const char *node_id, struct claimed *c, int code)
{
	struct outcome o = outcome_of(node_id, c, code);
	int rc = queue_finish(f->q, node_id, &o, 1, -1, id_u64(), &f->err);

	c->v = o.v;
	return rc < 0 ? -1 : (int)o.answer;
}

HELPER struct verdict_row verdict_of(const struct claimed *c, enum task_event ev)
{
	return (struct verdict_row){ .job = c->job, .n = c->n, .v = c->v, .event = ev };
}

HELPER int verdict(struct fix *f, struct verdict_row r)
{
	return queue_verdict(f->q, &r, 1, id_u64(), &f->err) < 0 ? -1 : (int)r.answer;
}

HELPER int add_count(void *ctx, const char *label, int64_t count)
{
	struct buf *b = ctx;

	buf_addf(b, "%s%s: %lld", b->n ? ", " : "", label, (long long)count);
	return 0;
}

/* "claimed: 1, pending: 2"; good until the next call. */
HELPER const char *counts(struct fix *f, int64_t born)
{
	static char text[1000];
	struct buf b = BUF_INIT;

	if (queue_counts(f->other, born, add_count, &b, &f->err) < 0)
		buf_adds(&b, f->err.text);
	snprintf(text, sizeof(text), "%s", b.p);
	buf_release(&b);
	return text;
}

HELPER struct task task(struct fix *f, int64_t born, int64_t n)
{
	struct task t = { .state = (enum task_state)-1 };

	(void)queue_task_get(f->other, born, n, &t, &f->err);
	return t;
}

HELPER int job_state(struct fix *f, int64_t born)
{
	struct job j;
	int state;

	if (queue_job_get(f->other, born, &j, &f->err) != 1)
		return -1;
	state = (int)j.state;
	job_release(&j);
	return state;
}

HELPER int move(struct fix *f, int64_t born, enum job_event ev, bool force)
{
	return queue_job_move(f->q, born, ev, force, id_u64(), &f->err);
}

HELPER int64_t kill_all(struct fix *f, int64_t born)
{
	int64_t count, total = 0;
	bool more = true;

	if (move(f, born, JOB_EV_KILL, false) != 1)
		return -1;
	while (more) {
		if (queue_kill(f->q, born, NULL, 1000, id_u64(), &count, &more, &f->err) < 0)
			return -1;
		total += count;
	}
	return total;
}

#define ENDED_STATES (1U << TASK_SUCCEEDED | 1U << TASK_FAILED | 1U << TASK_KILLED)

HELPER int64_t reset_states(struct fix *f, int64_t born, unsigned states, const char *owner)
{
	struct reset_request r = { .job = born, .states = states, .owner = owner, .op = id_u64(),
				   .limit = 1000 };

	return queue_reset(f->q, &r, &f->err) < 0 ? -1 : r.count;
}

#endif
