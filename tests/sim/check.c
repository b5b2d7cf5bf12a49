/* The invariants of PROTOCOL.md, asserted from one view of the queue to the next. */
#include <string.h>

#include "sim.h"

static bool is_open(int state)
{
	return state == TASK_PENDING || state == TASK_CLAIMED || state == TASK_ENDED;
}

static bool is_held(int state)
{
	return state == TASK_CLAIMED || state == TASK_ENDED;
}

/* I12: which moves of a task's state there are, and what each must leave behind. */
static void check_move(struct sim *s, int j, int n, const struct view_task *a,
		       const struct view_task *b)
{
	bool reset = b->state == TASK_PENDING && b->acc == 0 && b->tries == 0 && b->free == 0 &&
		     b->lost == 0;
	bool legal = false;

	switch (a->state) {
	case TASK_PENDING:
		legal = (b->state == TASK_CLAIMED && b->attempt == a->attempt + 1) ||
			b->state == TASK_KILLED;
		break;
	case TASK_CLAIMED:
		legal = (b->state == TASK_PENDING && (b->free >= a->free || reset)) ||
			b->state == TASK_ENDED || b->state == TASK_KILLED ||
			(b->state == TASK_SUCCEEDED && b->acc == a->attempt) ||
			(b->state == TASK_FAILED && b->acc == 0 && b->lost == a->lost + 1);
		break;
	case TASK_ENDED:
		legal = (b->state == TASK_ENDED && b->asks == a->asks + 1) ||
			(b->state == TASK_PENDING &&
			 (b->tries + b->free == a->tries + a->free + 1 || reset)) ||
			((b->state == TASK_SUCCEEDED || b->state == TASK_FAILED) &&
			 b->acc == a->attempt) ||
			b->state == TASK_KILLED;
		break;
	default:
		legal = b->state == TASK_PENDING && reset;
		break;
	}
	if (!legal)
		fail(s, "I12: task %d.%d went from %d to %d (attempt %d, %d; asks %d, %d)", j, n,
		     a->state, b->state, a->attempt, b->attempt, a->asks, b->asks);
	if (b->asks > ASKS_MAX)
		fail(s, "I12: the hook of %d.%d was asked %d times", j, n, b->asks);
}

static void check_task(struct sim *s, const struct view *before, int j, int n)
{
	const struct view_task *a = &before->task[j][n], *b = &s->view.task[j][n];
	struct store *st = &s->w.store;

	if (memcmp(a, b, sizeof(*a)) == 0)
		return;
	if (b->state < 0)
		return;
	if (a->state >= 0 && (b->v <= a->v || b->attempt < a->attempt ||
			      b->attempt > a->attempt + 1))
		fail(s, "I6: task %d.%d: version %d to %d, attempt %d to %d", j, n, a->v, b->v,
		     a->attempt, b->attempt);
	if (a->state >= 0 && (a->state != b->state || a->asks != b->asks))
		check_move(s, j, n, a, b);
	if (b->state == TASK_CLAIMED && b->attempt != a->attempt) {
		int was = before->node[b->node].state;

		if (was != NODE_LIVE)
			fail(s, "I5: n%d claimed %d.%d while it was in state %d", b->node, j, n,
			     was);
		if (b->attempt > ATTEMPTS)
			fail(s, "the simulator knows only %d attempts", ATTEMPTS);
		if (st->owner[j][n][b->attempt])
			fail(s, "I6: attempt %d.%d.%d was given out twice", j, n, b->attempt);
		st->owner[j][n][b->attempt] = b->node;
	}
}

/* I1: what `acc` names lies somewhere, whole. */
static void check_whole(struct sim *s, int j, int n)
{
	const struct view_task *t = &s->view.task[j][n];
	const struct store *st = &s->w.store;
	int id = s->w.job_id[j], state = s->view.job[j].state;

	if (t->state < 0 || !t->acc || state == JOB_REMOVED || state < 0 || id < 0)
		return;
	if (st->whole[j][n] & 1U << t->acc)
		return;
	if (st->published[id][n].job != j || st->published[id][n].k != t->acc)
		fail(s, "I1: the accepted attempt %d.%d.%d is nowhere whole", j, n, t->acc);
}

static void check_job(struct sim *s, int j)
{
	const struct view_job *job = &s->view.job[j];
	int16_t tally[8] = { 0 };
	int rows = 0, open = 0, held = 0;

	for (int n = 1; n < s->tasks; n++) {
		const struct view_task *t = &s->view.task[j][n];

		if (t->state < 0)
			continue;
		rows++;
		open += is_open(t->state);
		held += is_held(t->state);
		tally[t->state == TASK_PENDING ? 0 : is_held(t->state) ? 1 :
		      t->state == TASK_KILLED ? 2 : t->state == TASK_SUCCEEDED ? 3 :
		      t->acc ? 4 : 5]++;
		if (is_held(t->state) && s->view.node[t->node].state < 0)
			fail(s, "I4: %d.%d is held by n%d, which has no row", j, n, t->node);
		check_whole(s, j, n);
	}
	if (job->state < 0 && rows)
		fail(s, "I10: %d rows of job %d, which is gone", rows, j);
	if (job->state == JOB_OVER && open)
		fail(s, "I9: job %d is over and has %d open tasks", j, open);
	if (job->state == JOB_OPEN || job->state == JOB_KILLING || job->state == JOB_OVER) {
		if (rows != job->n)
			fail(s, "I10: job %d has %d of its %d rows", j, rows, job->n);
		if (!open && job->state != JOB_OVER)
			fail(s, "I9: job %d has no open task and is not over", j);
	}
	if (job->max_running && held > job->max_running)
		fail(s, "I11: job %d runs %d tasks, %d are allowed", j, held, job->max_running);
	if (job->state < 0 || job->state == JOB_REMOVED)
		return;
	tally[5] = (int16_t)(tally[5] - s->view.tally[j][6]); /* two labels, one shape */
	for (int i = 0; i < 6; i++) {
		if (tally[i] != s->view.tally[j][i])
			fail(s, "I11: job %d counts %d of label %d, there are %d", j,
			     s->view.tally[j][i], i, tally[i]);
	}
}

void check_step(struct sim *s, const struct view *before)
{
	for (int j = 1; j < s->jobs; j++) {
		const struct view_job *a = &before->job[j], *b = &s->view.job[j];

		if (a->state < 0 && b->state < 0)
			continue;
		if (a->state >= 0 && b->state >= 0 && (b->v < a->v || b->rev < a->rev))
			fail(s, "I6: job %d: version %d to %d", j, a->v, b->v);
		if (s->w.bound[j] && b->state == JOB_SUBMITTING)
			fail(s, "I8: job %d was bound and is not", j);
		for (int n = 1; n < s->tasks; n++)
			check_task(s, before, j, n);
		check_job(s, j);
	}
	for (int i = 1; i < s->nodes; i++) {
		const struct view_node *a = &before->node[i], *b = &s->view.node[i];

		if (a->state == NODE_LOST && b->state >= 0 && b->state != NODE_LOST)
			fail(s, "I5: n%d came back from being lost", i);
		if (a->state >= 0 && b->state >= 0 && b->v < a->v)
			fail(s, "I6: n%d: version %d to %d", i, a->v, b->v);
	}
}

void check_rest(struct sim *s)
{
	bool live = false;

	for (int i = 1; i < s->nodes; i++) {
		live = live || s->view.node[i].state == NODE_LIVE;
		if (s->view.node[i].state == NODE_LOST)
			fail(s, "I14: n%d stays lost and is never dealt with", i);
	}
	for (int j = 1; j < s->jobs; j++) {
		int state = s->view.job[j].state, id = s->w.job_id[j];

		if (state == JOB_KILLING)
			fail(s, "I14: job %d stays half killed", j);
		if (state != JOB_OPEN && state != JOB_OVER)
			continue;
		for (int n = 1; n < s->tasks; n++) {
			const struct view_task *t = &s->view.task[j][n];

			if (is_held(t->state))
				fail(s, "I14: %d.%d rests in state %d of n%d", j, n, t->state,
				     t->node);
			if (t->state == TASK_PENDING && live)
				fail(s, "I14: %d.%d is pending and nobody claims it", j, n);
			if (t->acc && id >= 0 && (s->w.store.published[id][n].job != j ||
						  s->w.store.published[id][n].k != t->acc))
				fail(s, "I2: %d.%d.%d counts, %d.%d is published", j, n, t->acc,
				     s->w.store.published[id][n].job,
				     s->w.store.published[id][n].k);
		}
	}
}

void check_cleaned(struct sim *s)
{
	if (s->view.rows)
		fail(s, "I15: %d rows are left behind", s->view.rows);
	for (int j = 1; j < s->jobs; j++) {
		for (int n = 1; n < s->tasks; n++) {
			if (s->w.store.part[j][n])
				fail(s, "I15: a stage of %d.%d is left behind", j, n);
		}
	}
}
