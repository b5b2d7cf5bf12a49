/* The layer between the actors and the real queue: faults, repetitions, late duplicates. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

#include <sqlite3.h>

const char *const call_names[] = {
	"nothing", "register", "beat", "claim", "release", "finish", "verdict", "ask again",
	"node move", "node wait", "node delete", "job move", "kill", "reset", "told", "job delete",
	"begin", "add", "bind", "abort",
};

static void node_name(int node, char *out)
{
	snprintf(out, NODE_ID_SIZE, "n%d", node);
}

static const char *id_name(int id)
{
	return id == 0 ? "a" : "b";
}

void queue_start(struct sim *s)
{
	struct queue_sqlite_options o = { .path = s->path, .create = true, .fast = true };
	struct err err = ERR_INIT;
	char path[320];
	sqlite3 *db = NULL;

	(void)unlink(s->path);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s-%s", s->path, i ? "wal" : "shm");
		(void)unlink(path);
	}
	s->q = queue_sqlite_open(&o, &err);
	if (!s->q || sqlite3_open(s->path, &db) != SQLITE_OK) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	(void)sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	s->db = db;
}

void queue_stop(struct sim *s)
{
	queue_close(s->q);
	sqlite3_close_v2(s->db);
	s->q = NULL;
	s->db = NULL;
}

/* ---- the calls themselves ---- */

static size_t want_all(void *ctx, const struct job *j, int class, size_t left)
{
	(void)ctx, (void)j, (void)class;
	return left;
}

static int apply_claim(struct sim *s, struct call *c, const char *node, struct err *err)
{
	const struct claim_request r = { .node = node, .op = c->op, .seq = c->seq,
					 .max = (size_t)c->max, .now = s->w.now, .want = want_all };
	struct claimed got[RUNS];
	struct claim_reply reply;
	int n = queue_claim(s->q, &r, got, &reply, err);

	c->n_rows = n > 0 ? (uint8_t)n : 0;
	for (int i = 0; i < n; i++)
		c->rows[i] = (struct row){ .job = (int8_t)got[i].job, .n = (int8_t)got[i].n,
					   .k = (int8_t)got[i].attempt, .v = (int16_t)got[i].v,
					   .code = (int8_t)got[i].tries };
	return n;
}

static int apply_release(struct sim *s, struct call *c, const char *node, struct err *err)
{
	struct release r[RUNS] = { 0 };
	int rc;

	for (int i = 0; i < c->n_rows; i++)
		r[i] = (struct release){ .job = c->rows[i].job, .n = c->rows[i].n,
					 .v = c->rows[i].v, .started = c->rows[i].code != 0 };
	rc = queue_release(s->q, node, c->first ? CAUSE_PREEMPTED : CAUSE_RELEASED, r, c->n_rows,
			   -1, c->op, err);
	for (int i = 0; i < c->n_rows; i++)
		c->rows[i].yes = r[i].answer == ANSWER_ACCEPTED;
	return rc;
}

/* Rule 1 taken away: the state is checked, the version is not. */
static void blind_finish(struct sim *s, struct row *r, char *node)
{
	const struct view_task *t = &s->view.task[r->job][r->n];

	if (t->state != TASK_CLAIMED)
		return;
	r->v = t->v;
	r->k = t->attempt;
	node_name(t->node, node);
}

static int apply_finish(struct sim *s, struct call *c, const char *name, struct err *err)
{
	struct outcome o[RUNS] = { 0 };
	char node[NODE_ID_SIZE];
	int rc;

	snprintf(node, sizeof(node), "%s", name);
	for (int i = 0; i < c->n_rows; i++) {
		struct row r = c->rows[i];

		if (s->breaks == 1)
			blind_finish(s, &r, node);
		o[i] = (struct outcome){
			.v = r.v, .success = r.code == 0,
			.a = { .job = r.job, .n = r.n, .k = r.k, .cause = CAUSE_EXIT,
			       .exit_code = r.code, .ended = 1 },
		};
		snprintf(o[i].a.node, sizeof(o[i].a.node), "%s", node);
		label_complete(o[i].a.label, r.code, 0);
		memset(o[i].a.result_sha256, 'a', 64);
	}
	rc = queue_finish(s->q, node, o, c->n_rows, -1, c->op, err);
	for (int i = 0; i < c->n_rows; i++) {
		c->rows[i].yes = o[i].answer == ANSWER_ACCEPTED;
		if (o[i].answer)
			c->rows[i].v = (int16_t)o[i].v;
	}
	return rc;
}

/* I8: a verdict that stops its job has done so, unless nothing was left to stop; and none does by
 * being refused. */
static void check_stop(struct sim *s, const struct verdict_row *v, bool fresh)
{
	struct err err = ERR_INIT;
	struct job j = { .born = 0 };

	if (queue_job_get(s->q, v->job, &j, &err) != 1)
		return;
	if (v->stopped && (v->answer != ANSWER_ACCEPTED || j.state != JOB_KILLING))
		fail(s, "I8: told that job %d is stopped, it is in state %d", (int)v->job,
		     (int)j.state);
	if (v->answer == ANSWER_ACCEPTED && !v->stopped && fresh && j.state != JOB_OVER)
		fail(s, "I8: job %d was to be stopped and is in state %d", (int)v->job,
		     (int)j.state);
	job_release(&j);
}

static int apply_verdict(struct sim *s, struct call *c, struct err *err)
{
	struct verdict_row v[RUNS];
	int rc;

	for (int i = 0; i < c->n_rows; i++) {
		const struct row *r = &c->rows[i];

		v[i] = (struct verdict_row){
			.job = r->job, .n = r->n, .v = r->v, .event = (enum task_event)r->ev,
			.free = c->first, .stop = c->force,
			.due = r->ev == TASK_EV_RETRY && !s->explore ? s->w.now + 20 : 0,
		};
		if (s->breaks == 1 && s->view.task[r->job][r->n].state >= 0)
			v[i].v = s->view.task[r->job][r->n].v;
	}
	rc = queue_verdict(s->q, v, c->n_rows, c->op, err);
	for (int i = 0; i < c->n_rows; i++)
		c->rows[i].yes = v[i].answer == ANSWER_ACCEPTED;
	if (rc == 0 && c->force)
		check_stop(s, &v[0], !c->repeated && !s->late_now);
	return rc;
}

static int apply_register(struct sim *s, struct call *c, const char *name, struct err *err)
{
	struct node n = { .t = 1 };
	int rc;

	snprintf(n.id, sizeof(n.id), "%s", name);
	n.cluster = xstrdup("local");
	n.cap = xstrdup("{}");
	n.info = xstrdup("{}");
	rc = queue_node_register(s->q, &n, c->first, c->op, err);
	node_release(&n);
	return rc;
}

static int apply_kill(struct sim *s, struct call *c, struct err *err)
{
	struct range some = { .first = c->n, .last = c->n + 3 };
	const struct ranges r = { .p = &some, .n = c->n > 0 };
	int64_t count;
	bool more;
	int rc = queue_kill(s->q, c->job, &r, (size_t)c->max, c->op, &count, &more, err);

	c->more = more;
	return rc < 0 ? -1 : (int)count;
}

static int apply_reset(struct sim *s, struct call *c, struct err *err)
{
	char owner[NODE_ID_SIZE];
	struct reset_request r = { .job = c->job, .states = (unsigned)c->states << 2, .op = c->op,
				   .after = c->after, .limit = (size_t)c->max };
	int rc;

	if (c->node > 0) {
		node_name(c->node, owner);
		r.owner = owner;
	}
	rc = queue_reset(s->q, &r, err);
	c->more = r.more;
	c->after = (int16_t)r.after;
	return rc < 0 ? -1 : (int)r.count;
}

static int apply_begin(struct sim *s, struct call *c, struct err *err)
{
	const struct job_new j = {
		.id = id_name(c->id), .user = "u", .cluster = "local", .classes = "[{}]",
		.info = "{}", .secret = "{}", .max_running = c->max, .priority = c->id, .t = 1,
	};
	int64_t born = 0;
	int rc = queue_submit_begin(s->q, &j, &born, err);

	if (rc < 0)
		return -1;
	c->job = (int8_t)born;
	return 1;
}

static int apply_add(struct sim *s, struct call *c, struct err *err)
{
	struct task_new t[TASKS] = { 0 };

	return queue_submit_add(s->q, c->job, c->n, t, (size_t)c->max, err);
}

static int apply_bind(struct sim *s, struct call *c, struct err *err)
{
	const struct bind b = { .born = c->job, .n = c->n, .root = "r", .replace = c->after,
				.op = c->op };

	return queue_submit_bind(s->q, &b, err);
}

static int apply(struct sim *s, struct call *c, struct err *err)
{
	char node[NODE_ID_SIZE];
	enum node_state state = NODE_LIVE;
	int64_t v;
	int rc;

	node_name(c->node, node);
	switch ((enum call_kind)c->kind) {
	case CALL_NONE:
	case CALL_KINDS:
		break;
	case CALL_REGISTER:
		return apply_register(s, c, node, err);
	case CALL_BEAT:
		rc = queue_beat(s->q, node, c->op, &state, err);
		c->ev = rc == 1 ? (uint8_t)state : NODE_LOST;
		return rc;
	case CALL_CLAIM:
		return apply_claim(s, c, node, err);
	case CALL_RELEASE:
		return apply_release(s, c, node, err);
	case CALL_FINISH:
		return apply_finish(s, c, node, err);
	case CALL_VERDICT:
		return apply_verdict(s, c, err);
	case CALL_ASK:
		v = c->v;
		rc = queue_ask_again(s->q, c->job, c->n, &v, c->op, err);
		if (rc == 1)
			c->v = (int16_t)v;
		return rc;
	case CALL_NODE_MOVE:
		return queue_node_move(s->q, node, c->v, (enum node_event)c->ev, c->op, err);
	case CALL_NODE_WAIT:
		return queue_node_wait(s->q, node, c->v, c->op, err);
	case CALL_NODE_DELETE:
		return queue_node_delete(s->q, node, err);
	case CALL_JOB_MOVE:
		return queue_job_move(s->q, c->job, (enum job_event)c->ev, c->force, c->op, err);
	case CALL_KILL:
		return apply_kill(s, c, err);
	case CALL_RESET:
		return apply_reset(s, c, err);
	case CALL_TOLD:
		return queue_job_told(s->q, c->job, c->op, err);
	case CALL_JOB_DELETE:
		return queue_job_delete(s->q, c->job, (size_t)c->max, &c->more, err);
	case CALL_BEGIN:
		return apply_begin(s, c, err);
	case CALL_ADD:
		return apply_add(s, c, err);
	case CALL_BIND:
		return apply_bind(s, c, err);
	case CALL_ABORT:
		return queue_submit_abort(s->q, c->job, err);
	}
	return -1;
}

/* Runs it; an error other than a conflict is a failure of the queue. */
void call_run(struct sim *s, struct call *c)
{
	struct err err = ERR_INIT;
	int rc = apply(s, c, &err);

	if (rc < 0 && err.code != ERR_CONFLICT)
		fail(s, "%s: %s", call_names[c->kind], err.text);
	c->rc = (int8_t)(rc < 0 ? -2 : rc);
}

/* ---- faults ---- */

/* In an exploration an operation is named by what it is and what it saw, so that the same step
 * from the same state is the same call. */
static uint32_t make_op(struct sim *s, const struct call *c)
{
	uint64_t h;

	if (!s->explore)
		return (uint32_t)mix(&s->rng) | 1;
	h = hash_bytes(c, sizeof(*c), (uint64_t)(s->who_index + 16 * s->who[0] + 1));
	h = hash_bytes(&s->view.job[c->job > 0 ? c->job : 0].v, sizeof(int16_t), h);
	h = hash_bytes(&s->view.node[c->node > 0 ? c->node : 0].v, sizeof(int16_t), h);
	if (c->job > 0 && c->n > 0)
		h = hash_bytes(&s->view.task[c->job][c->n].v, sizeof(int16_t), h);
	return (uint32_t)(h >> 8) | 1;
}

bool readable(struct sim *s)
{
	return !s->w.down_reads;
}

void call_text(const struct call *c, char *out, size_t n)
{
	int at = snprintf(out, n, "%s", call_names[c->kind]);

	if (c->node > 0)
		at += snprintf(out + at, n - (size_t)at, " node=n%d", c->node);
	if (c->job > 0)
		at += snprintf(out + at, n - (size_t)at, " job=%d", c->job);
	if (c->n > 0)
		at += snprintf(out + at, n - (size_t)at, ".%d", c->n);
	if (c->v > 0)
		at += snprintf(out + at, n - (size_t)at, " v=%d", c->v);
	if (c->kind == CALL_NODE_MOVE || c->kind == CALL_JOB_MOVE)
		at += snprintf(out + at, n - (size_t)at, " ev=%d", c->ev);
	for (int i = 0; i < c->n_rows && at < (int)n - 60; i++)
		at += snprintf(out + at, n - (size_t)at, " [%d.%d k=%d v=%d code=%d ev=%d yes=%d]",
			       c->rows[i].job, c->rows[i].n, c->rows[i].k, c->rows[i].v,
			       c->rows[i].code, c->rows[i].ev, c->rows[i].yes);
	(void)snprintf(out + at, n - (size_t)at, " -> %d%s", c->rc,
		       c->repeated ? " (repeated)" : "");
}

static void log_call(struct sim *s, const struct call *c, const char *what)
{
	char text[400];

	if (!s->trace)
		return;
	call_text(c, text, sizeof(text));
	say(s, "%s%s", text, what);
}

/* A late beat is one beat more, a late begin a job that nobody sees, a late deletion deletes what
 * is removed anyway: these carry no version and may do what they do. */
static void remember(struct sim *s, const struct call *c)
{
	if (s->explore || c->kind == CALL_BEAT || c->kind == CALL_BEGIN ||
	    c->kind == CALL_JOB_DELETE || !chance(s, 8))
		return;
	if (s->n_late < LATE)
		s->late[s->n_late++] = *c;
	else
		s->late[choose(s, LATE)] = *c;
}

/* Whatever `acc` named once, was accepted once. */
static void note_accepted(struct sim *s)
{
	for (int j = 1; j < s->jobs; j++) {
		for (int n = 1; n < s->tasks; n++) {
			if (s->view.task[j][n].state >= 0 && s->view.task[j][n].acc)
				s->w.store.accepted[j][n] |= 1U << s->view.task[j][n].acc;
		}
	}
}

/* Who marks a living node lost has suspected it wrongly. */
static void note_lost(struct sim *s, const struct view *before)
{
	for (int i = 1; i < s->nodes; i++) {
		if (before->node[i].state == s->view.node[i].state ||
		    s->view.node[i].state != NODE_LOST || node_slot_of(s, i) < 0)
			continue;
		say(s, "n%d lives and is marked lost", i);
		if (s->liveness)
			fail(s, "I17: the living node n%d was given up for lost", i);
		s->w.suspected = true;
	}
}

bool perform(struct sim *s, struct call *c)
{
	struct call sent;
	struct view before;
	bool moved;

	if (!c->op)
		c->op = make_op(s, c);
	else
		c->repeated = true;
	if (c->repeated && s->breaks == 2) /* a repetition that does not say that it is one */
		c->op = s->explore ? c->op + 2 : (uint32_t)mix(&s->rng) | 1;
	if (s->w.down_writes) {
		say(s, "%s: the queue is out of reach", call_names[c->kind]);
		return false;
	}
	sent = *c;
	before = s->view;
	if (s->explore) {
		c->repeated = false; /* the queue does not see it */
		contents_call(s, c);
	} else {
		call_run(s, c);
		view_load(s, &s->view);
	}
	moved = memcmp(&before, &s->view, sizeof(before)) != 0;
	s->repeated[c->kind] += c->repeated;
	*(moved ? &s->moved[c->kind] : &s->idle[c->kind]) += 1;
	if (moved) {
		note_accepted(s);
		note_lost(s, &before);
		remember(s, &sent);
	}
	if (fault(s, FAULT_LOST_ANSWER, 40)) {
		log_call(s, c, ": the answer is lost");
		*c = sent;
		return false;
	}
	log_call(s, c, "");
	return true;
}

void deliver_late(struct sim *s)
{
	struct call c;
	uint64_t before;
	int i;

	if (s->n_late == 0 || s->w.down_writes)
		return;
	i = (int)choose(s, (unsigned)s->n_late);
	c = s->late[i];
	s->late[i] = s->late[--s->n_late];
	before = content_hash(s);
	s->late_now = true;
	call_run(s, &c);
	s->late_now = false;
	log_call(s, &c, ": delivered once more, late");
	view_load(s, &s->view);
	if (content_hash(s) != before)
		fail(s, "I18: a late duplicate of %s changed something", call_names[c.kind]);
}
