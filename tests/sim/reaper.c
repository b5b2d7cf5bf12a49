/* Look and lose: silence, the mark, the sweep, salvage; and what anyone may finish. */
#include <string.h>

#include "sim.h"

#include "model/publication.h"

enum { ACT_PUBLISH = 1, ACT_DROP };

void reaper_crash(struct sim *s, int i)
{
	bool alive = s->w.reaper[i].alive;

	say(s, "CRASHES and starts again");
	memset(&s->w.reaper[i], 0, sizeof(s->w.reaper[i]));
	s->w.reaper[i].alive = alive;
	s->w.reaper[i].pc = PC_LOOK;
}

bool reaper_idle(const struct sim *s, int i)
{
	return s->w.reaper[i].pc == PC_LOOK && s->w.reaper[i].call.kind == CALL_NONE;
}

static struct call *call_new(struct reaper_proc *p, enum call_kind kind)
{
	memset(&p->call, 0, sizeof(p->call));
	p->call.kind = (uint8_t)kind;
	return &p->call;
}

/* ---- looking ---- */

/* Rule 5 taken away: the age of the last beat by two clocks, one of which is wrong. */
static bool old_by_clocks(const struct sim *s, int node)
{
	int slot = node_slot_of(s, node);
	int32_t skew = (node * 7919 % 5 - 2) * LEASE;

	return slot >= 0 && s->w.now - (s->w.node[slot].beat_at + skew) > LEASE;
}

/* Own observation only: the same beat over answered looks that span a lease, no gap above half a
 * lease; a failed look forgets everything, so does a write of its own that fails. */
static bool is_silent(struct sim *s, struct reaper_proc *p, int node)
{
	struct looked *l = &p->seen[node];
	int32_t now = s->w.now;

	if (s->breaks == 5)
		return old_by_clocks(s, node);
	if (l->since == 0 || l->beat != s->view.node[node].beat || now - l->last > LEASE / 2)
		*l = (struct looked){ .beat = s->view.node[node].beat, .since = now };
	l->last = now;
	return now - l->since >= LEASE;
}

/* A node that may be marked lost now, 0: none. */
static int find_silent(struct sim *s, struct reaper_proc *p)
{
	int wrong = 0;

	if (!readable(s) || s->w.down_writes) {
		memset(p->seen, 0, sizeof(p->seen));
		return 0;
	}
	for (int i = 1; i < s->nodes; i++) {
		int state = s->view.node[i].state;

		if (state < 0 || state == NODE_LOST)
			continue;
		if (s->explore ? node_slot_of(s, i) < 0 : is_silent(s, p, i))
			return i;
		if (!wrong || choose(s, 2))
			wrong = i;
	}
	return wrong && fault(s, FAULT_SUSPECT, 150) ? wrong : 0;
}

static int find_state(const struct sim *s, enum node_state state)
{
	for (int i = 1; i < s->nodes; i++) {
		if (s->view.node[i].state == (int)state)
			return i;
	}
	return 0;
}

static int find_job(const struct sim *s, enum job_state state)
{
	for (int j = 1; j < s->jobs; j++) {
		if (s->view.job[j].state == (int)state &&
		    (state != JOB_OVER || !s->view.job[j].told))
			return j;
	}
	return 0;
}

static void look(struct sim *s, struct reaper_proc *p)
{
	int node = find_silent(s, p), job;

	if (node) {
		p->node = (int8_t)node;
		p->v = s->view.node[node].v;
		p->pc = PC_MARK;
		return;
	}
	if (!readable(s))
		return;
	if (s->breaks != 7 && (node = find_state(s, NODE_LOST)) != 0) { /* somebody began */
		p->node = (int8_t)node;
		p->pc = PC_SWEEP;
	} else if (s->breaks != 7 && (job = find_job(s, JOB_KILLING)) != 0) {
		p->job2 = (int8_t)job;
		p->pc = PC_KILLING;
		p->back = PC_LOOK;
	} else if (!s->explore && (job = find_job(s, JOB_OVER)) != 0) {
		p->job2 = (int8_t)job;
		p->pc = PC_TELL;
	}
}

/* ---- the sweep ---- */

static void sweep(struct sim *s, struct reaper_proc *p)
{
	if (!readable(s))
		return;
	for (int j = 1; j < s->jobs; j++) {
		for (int n = 1; n < s->tasks; n++) {
			const struct view_task *t = &s->view.task[j][n];
			struct call *c;

			if (t->node != p->node ||
			    (t->state != TASK_CLAIMED && t->state != TASK_ENDED))
				continue;
			p->job = (int8_t)j;
			p->n = (int8_t)n;
			p->k = t->attempt;
			if (s->view.job[j].state == JOB_KILLING) {
				p->job2 = (int8_t)j;
				p->pc = PC_KILLING;
				p->back = PC_SWEEP;
				return;
			}
			c = call_new(p, t->state == TASK_ENDED && t->asks < ASKS_MAX ? CALL_ASK :
				     CALL_VERDICT);
			c->job = p->job;
			c->n = p->n;
			c->v = t->v;
			if (c->kind == CALL_VERDICT) /* lost; or asked twice: the stock verdict */
				c->rows[c->n_rows++] = (struct row){
					.job = p->job, .n = p->n, .k = p->k, .v = t->v,
					.ev = t->state == TASK_ENDED ? TASK_EV_COMPLETE :
					      chance(s, 20) ? TASK_EV_LOSE_FAIL : TASK_EV_LOSE,
				};
			return;
		}
	}
	p->pc = PC_SALVAGE;
}

/* The next stage of the lost node of which the queue says what becomes of it. */
static void salvage(struct sim *s, struct reaper_proc *p)
{
	if (!readable(s))
		return;
	for (int j = 1; j < s->jobs; j++) {
		for (int n = 1; n < s->tasks; n++) {
			for (int k = 1; k < ATTEMPTS; k++) {
				int fate;

				if (!store_has_stage(s, j, n, k) ||
				    s->w.store.owner[j][n][k] != p->node)
					continue;
				fate = store_fate(s, j, n, k);
				if (fate == STAGE_LEAVE)
					continue;
				p->job = (int8_t)j;
				p->n = (int8_t)n;
				p->k = (int8_t)k;
				p->act = fate == STAGE_PUBLISH ? ACT_PUBLISH : ACT_DROP;
				p->pc = PC_ACT;
				p->back = PC_SALVAGE;
				return;
			}
		}
	}
	p->pc = PC_FORGET;
}

static void act(struct sim *s, struct reaper_proc *p)
{
	if (p->act == ACT_PUBLISH)
		store_publish(s, p->job, p->n, p->k);
	else
		store_drop(s, p->job, p->n, p->k);
	p->pc = p->back;
}

/* The hook of a task that is asked again. */
static void ask(struct sim *s, struct reaper_proc *p)
{
	struct call *c = call_new(p, CALL_VERDICT);
	bool retry = !s->w.calm && choose(s, 2) == 0 && p->k < ATTEMPTS - 8;

	c->job = p->job;
	c->n = p->n;
	c->rows[c->n_rows++] = (struct row){ .job = p->job, .n = p->n, .k = p->k, .v = p->v,
					     .ev = retry ? TASK_EV_RETRY : TASK_EV_COMPLETE };
	c->force = !retry && !s->w.calm && fault(s, FAULT_STOP, 6);
}

/* ---- answers ---- */

static void answer(struct reaper_proc *p)
{
	struct call c = p->call;

	memset(&p->call, 0, sizeof(p->call));
	switch ((enum call_kind)c.kind) {
	case CALL_NODE_WAIT:
		p->pc = PC_LOOK;
		memset(&p->seen[p->node], 0, sizeof(p->seen[0]));
		break;
	case CALL_NODE_MOVE:
		p->pc = c.rc == 1 ? PC_SWEEP : PC_LOOK;
		break;
	case CALL_ASK:
		p->pc = c.rc == 1 ? PC_ASKED : PC_SWEEP;
		p->v = c.v;
		break;
	case CALL_VERDICT:
		p->pc = PC_SWEEP;
		if (c.rows[0].yes && c.rows[0].ev == TASK_EV_COMPLETE) {
			p->pc = PC_ACT;
			p->back = PC_SWEEP;
			p->act = ACT_PUBLISH;
		}
		break;
	case CALL_KILL:
		if (!c.more)
			p->pc = PC_END;
		break;
	case CALL_JOB_MOVE:
		p->pc = p->back;
		break;
	case CALL_NODE_DELETE:
		p->pc = c.rc == 1 ? PC_LOOK : PC_SWEEP;
		break;
	default:
		p->pc = PC_LOOK;
		break;
	}
}

/* What the process does without the queue, or the call it makes ready. */
static void prepare(struct sim *s, struct reaper_proc *p)
{
	struct call *c;

	switch ((enum pc)p->pc) {
	case PC_MARK:
		if (fault(s, FAULT_WAIT, 4)) {
			c = call_new(p, CALL_NODE_WAIT);
		} else {
			c = call_new(p, CALL_NODE_MOVE);
			c->ev = NODE_EV_LOSE;
		}
		c->node = p->node;
		c->v = p->v;
		break;
	case PC_SWEEP:
		sweep(s, p);
		break;
	case PC_ASKED:
		ask(s, p);
		break;
	case PC_SALVAGE:
		salvage(s, p);
		break;
	case PC_ACT:
		act(s, p);
		break;
	case PC_FORGET:
		c = call_new(p, CALL_NODE_DELETE);
		c->node = p->node;
		break;
	case PC_KILLING:
		c = call_new(p, CALL_KILL);
		c->job = p->job2;
		c->max = 3;
		break;
	case PC_END:
		c = call_new(p, CALL_JOB_MOVE);
		c->job = p->job2;
		c->ev = JOB_EV_END;
		break;
	case PC_TELL:
		c = call_new(p, CALL_TOLD);
		c->job = p->job2;
		break;
	default:
		look(s, p);
		break;
	}
}

void reaper_step(struct sim *s, int i)
{
	struct reaper_proc *p = &s->w.reaper[i];

	if (p->call.kind == CALL_NONE)
		prepare(s, p);
	if (p->call.kind != CALL_NONE && perform(s, &p->call))
		answer(p);
}
