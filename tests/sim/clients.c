/* Commands of users: kill, reset and retry, clean, submit; and a detector of ends. */
#include <string.h>

#include "sim.h"

#include "model/publication.h"

bool client_idle(const struct sim *s, int i)
{
	return s->w.client[i].pc == PC_IDLE && s->w.client[i].call.kind == CALL_NONE;
}

static void rest(struct client_proc *p)
{
	uint8_t kind = p->kind;

	memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->pc = PC_IDLE;
}

void client_crash(struct sim *s, int i)
{
	say(s, "CRASHES");
	rest(&s->w.client[i]);
}

static struct call *call_new(struct client_proc *p, enum call_kind kind)
{
	memset(&p->call, 0, sizeof(p->call));
	p->call.kind = (uint8_t)kind;
	p->call.job = p->job;
	return &p->call;
}

/* Any job in one of these states, 0: none. */
static int pick_job(struct sim *s, unsigned states)
{
	int found[JOBS], n = 0;

	for (int j = 1; j < s->jobs; j++) {
		if (s->view.job[j].state >= 0 && states & 1U << s->view.job[j].state)
			found[n++] = j;
	}
	return n ? found[choose(s, (unsigned)n)] : 0;
}

static int highest_attempt(const struct sim *s, int job)
{
	int k = 0;

	for (int n = 1; n < s->tasks; n++)
		k = MAX(k, s->view.task[job][n].attempt);
	return k;
}

/* ---- killer ---- */

static void killer(struct sim *s, struct client_proc *p)
{
	struct call *c;

	switch ((enum pc)p->pc) {
	case PC_IDLE:
		p->job = (int8_t)pick_job(s, 1U << JOB_OPEN);
		if (!p->job || s->w.calm || !fault(s, FAULT_KILL, 60))
			return;
		s->w.suspected = true;
		if (chance(s, 2)) { /* only some of its tasks */
			p->n = (int8_t)(1 + choose(s, TASKS - 1));
			p->pc = PC_STEP2;
			return;
		}
		c = call_new(p, CALL_JOB_MOVE);
		c->ev = JOB_EV_KILL;
		return;
	case PC_STEP2:
		c = call_new(p, CALL_KILL);
		c->n = p->n;
		c->max = 3;
		return;
	case PC_STEP3:
		c = call_new(p, CALL_JOB_MOVE);
		c->ev = JOB_EV_END;
		return;
	default:
		return;
	}
}

static void killer_answer(struct client_proc *p, const struct call *c)
{
	if (c->kind == CALL_JOB_MOVE && c->ev == JOB_EV_KILL)
		p->pc = c->rc == 1 ? PC_STEP2 : PC_DONE;
	else if (c->kind == CALL_KILL)
		p->pc = c->more ? PC_STEP2 : PC_STEP3;
	else
		p->pc = PC_DONE;
}

/* ---- resetter: reset, retry, reset --owner ---- */

static void resetter(struct sim *s, struct client_proc *p)
{
	static const uint8_t masks[] = { 1U << (TASK_FAILED - 2) | 1U << (TASK_KILLED - 2),
					 1U << (TASK_SUCCEEDED - 2) | 1U << (TASK_FAILED - 2) |
					 1U << (TASK_KILLED - 2) };
	struct call *c;

	if (p->pc == PC_IDLE) {
		p->job = (int8_t)pick_job(s, 1U << JOB_OPEN | 1U << JOB_OVER);
		if (!p->job || s->w.calm || highest_attempt(s, p->job) > ATTEMPTS - 14 ||
		    !fault(s, FAULT_RESET, 40))
			return;
		s->w.suspected = true;
		p->states = masks[s->explore ? 1 : choose(s, 2)];
		if (chance(s, 3) && s->w.incarnations > 0)
			p->owner = (int8_t)(1 + choose(s, (unsigned)s->w.incarnations));
		p->pc = PC_STEP1;
	}
	c = call_new(p, CALL_RESET);
	c->states = p->states;
	c->node = p->owner;
	c->after = p->after;
	c->max = 3;
}

static void resetter_answer(struct client_proc *p, const struct call *c)
{
	p->after = c->after;
	p->pc = c->rc >= 0 && c->more ? PC_STEP1 : PC_DONE;
}

/* ---- cleaner ---- */

static bool next_stage(struct sim *s, struct client_proc *p)
{
	for (int n = 1; n < s->tasks; n++) {
		for (int k = 1; k < ATTEMPTS; k++) {
			int fate;

			if (!store_has_stage(s, p->job, n, k))
				continue;
			fate = store_fate(s, p->job, n, k);
			if (fate == STAGE_LEAVE)
				continue;
			p->n = (int8_t)n;
			p->k = (int8_t)k;
			p->act = fate == STAGE_PUBLISH;
			return true;
		}
	}
	return false;
}

static void cleaner(struct sim *s, struct client_proc *p)
{
	struct call *c;

	switch ((enum pc)p->pc) {
	case PC_IDLE:
		p->job = (int8_t)(s->breaks == 7 ? 0 : pick_job(s, 1U << JOB_REMOVED));
		if (p->job) { /* somebody began */
			p->pc = PC_STEP2;
			return;
		}
		p->job =
			(int8_t)pick_job(s, 1U << JOB_OVER | 1U << JOB_SUBMITTING | 1U << JOB_OPEN);
		if (!p->job || (!s->w.calm && !fault(s, FAULT_CLEAN, 60)))
			return;
		if (s->w.calm && s->view.job[p->job].state == JOB_OPEN)
			return;
		c = call_new(p, CALL_JOB_MOVE);
		c->ev = JOB_EV_REMOVE;
		c->force = chance(s, 2);
		return;
	case PC_STEP2:
		if (readable(s))
			p->pc = next_stage(s, p) ? PC_STEP3 : PC_STEP4;
		return;
	case PC_STEP3: /* acts upon what it has read */
		if (p->act)
			store_publish(s, p->job, p->n, p->k);
		else
			store_drop(s, p->job, p->n, p->k);
		p->pc = PC_STEP2;
		return;
	case PC_STEP4:
		c = call_new(p, CALL_JOB_DELETE);
		c->max = 4;
		return;
	default:
		return;
	}
}

static void cleaner_answer(struct client_proc *p, const struct call *c)
{
	if (c->kind == CALL_JOB_MOVE)
		p->pc = c->rc == 1 ? PC_STEP2 : PC_DONE;
	else
		p->pc = c->more ? PC_STEP4 : PC_DONE;
}

/* ---- submitter ---- */

static int holder_of(const struct sim *s, int id)
{
	for (int j = 1; j < s->jobs; j++) {
		int st = s->view.job[j].state;

		if (s->view.job[j].id == id &&
		    (st == JOB_OPEN || st == JOB_KILLING || st == JOB_OVER))
			return j;
	}
	return 0;
}

static int free_borns(const struct sim *s)
{
	int last = 0;

	for (int j = 1; j < s->jobs; j++) {
		if (s->w.job_id[j] >= 0 || s->view.job[j].state >= 0)
			last = j;
	}
	return JOBS - 1 - last;
}

static void submitter(struct sim *s, struct client_proc *p)
{
	struct call *c;
	int half = s->n_tasks > 1 ? s->n_tasks / 2 : 1, holder;

	switch ((enum pc)p->pc) {
	case PC_IDLE:
		p->k = (int8_t)choose(s, (unsigned)s->n_jobs); /* the id */
		holder = holder_of(s, p->k);
		if (s->w.calm || free_borns(s) < 3 || !fault(s, FAULT_SUBMIT, 12))
			return;
		if (holder && chance(s, 2))
			p->replace = (int8_t)holder; /* --clean */
		c = call_new(p, CALL_BEGIN);
		c->id = p->k;
		c->max = (int8_t)(p->k == 1 ? 2 + choose(s, 3) : 0); /* max_running */
		return;
	case PC_STEP1:
	case PC_STEP2:
		c = call_new(p, CALL_ADD);
		c->n = (int8_t)(p->pc == PC_STEP1 ? 1 : 1 + half);
		c->max = (int8_t)(p->pc == PC_STEP1 ? half : s->n_tasks - half);
		return;
	case PC_STEP3:
		c = call_new(p, CALL_BIND);
		c->n = (int8_t)s->n_tasks;
		c->after = p->replace;
		return;
	case PC_STEP4:
		(void)call_new(p, CALL_ABORT);
		return;
	default:
		return;
	}
}

static void submitter_answer(struct sim *s, struct client_proc *p, const struct call *c)
{
	switch ((enum call_kind)c->kind) {
	case CALL_BEGIN:
		p->job = c->job;
		s->w.job_id[p->job] = p->k;
		p->pc = PC_STEP1;
		return;
	case CALL_ADD:
		if (c->rc == -2)
			p->pc = PC_DONE; /* it was removed meanwhile */
		else
			p->pc = p->pc == PC_STEP1 && s->n_tasks > 1 ? PC_STEP2 : PC_STEP3;
		return;
	case CALL_BIND:
		if (c->rc == BIND_DONE) {
			s->w.bound[p->job] = true;
			if (s->view.job[p->job].state == JOB_SUBMITTING)
				fail(s, "I8: told that job %d is submitted, the queue says no",
				     p->job);
		}
		p->pc = c->rc == BIND_TAKEN || c->rc == BIND_HELD ? PC_STEP4 : PC_DONE;
		return;
	default:
		p->pc = PC_DONE;
		return;
	}
}

/* ---- detector ---- */

static void detector(struct sim *s, struct client_proc *p)
{
	struct call *c;

	p->job = (int8_t)pick_job(s, 1U << JOB_OPEN | 1U << JOB_KILLING);
	if (!p->job || (!s->explore && !chance(s, 20)))
		return;
	c = call_new(p, CALL_JOB_MOVE);
	c->ev = JOB_EV_END;
}

/* ---- all of them ---- */

static void prepare(struct sim *s, struct client_proc *p)
{
	if (p->pc == PC_IDLE && !readable(s))
		return;
	switch ((enum client_kind)p->kind) {
	case CLIENT_KILLER:
		killer(s, p);
		break;
	case CLIENT_RESETTER:
		resetter(s, p);
		break;
	case CLIENT_CLEANER:
		cleaner(s, p);
		break;
	case CLIENT_SUBMITTER:
	case CLIENT_SUBMITTER2:
		submitter(s, p);
		break;
	case CLIENT_DETECTOR:
		detector(s, p);
		break;
	}
}

static void answer(struct sim *s, struct client_proc *p)
{
	struct call c = p->call;

	memset(&p->call, 0, sizeof(p->call));
	switch ((enum client_kind)p->kind) {
	case CLIENT_KILLER:
		killer_answer(p, &c);
		break;
	case CLIENT_RESETTER:
		resetter_answer(p, &c);
		break;
	case CLIENT_CLEANER:
		cleaner_answer(p, &c);
		break;
	case CLIENT_SUBMITTER:
	case CLIENT_SUBMITTER2:
		submitter_answer(s, p, &c);
		break;
	case CLIENT_DETECTOR:
		p->pc = PC_DONE;
		break;
	}
	if (p->pc == PC_DONE)
		rest(p);
}

void client_step(struct sim *s, int i)
{
	struct client_proc *p = &s->w.client[i];

	if (p->call.kind == CALL_NONE)
		prepare(s, p);
	if (p->call.kind == CALL_NONE) {
		if (p->pc == PC_IDLE)
			rest(p);
		return;
	}
	if (perform(s, &p->call))
		answer(s, p);
}
