/* A node: claim, run, stage, finish, ask, publish; beats; learns that it is lost; leaves. */
#include <string.h>

#include "sim.h"

#include "model/publication.h"

void node_start(struct sim *s, int slot)
{
	struct node_proc *p = &s->w.node[slot];

	if (s->w.incarnations + 1 >= NODES)
		return;
	memset(p, 0, sizeof(*p));
	p->pc = PC_REGISTER;
	p->id = ++s->w.incarnations;
	p->beat_at = s->w.now;
	say(s, "starts as n%d", p->id);
}

void node_crash(struct sim *s, int slot)
{
	say(s, "n%d CRASHES", s->w.node[slot].id);
	memset(&s->w.node[slot], 0, sizeof(s->w.node[slot]));
}

int node_slot_of(const struct sim *s, int incarnation)
{
	for (int i = 0; i < s->n_nodes; i++) {
		if (s->w.node[i].pc != PC_OFF && s->w.node[i].id == incarnation)
			return i;
	}
	return -1;
}

static struct call *call_new(struct node_proc *p, enum call_kind kind)
{
	memset(&p->call, 0, sizeof(p->call));
	p->call.kind = (uint8_t)kind;
	p->call.node = p->id;
	return &p->call;
}

static int count_runs(const struct node_proc *p, enum run_state st)
{
	int n = 0;

	for (int i = 0; i < RUNS; i++)
		n += p->run[i].st == st;
	return n;
}

/* The run whose attempt a row of a call is about. */
static struct run *run_of(struct node_proc *p, const struct row *r)
{
	for (int i = 0; i < RUNS; i++) {
		struct run *u = &p->run[i];

		if (u->st != RUN_NONE && u->job == r->job && u->n == r->n && u->k == r->k)
			return u;
	}
	return NULL;
}

/* ---- beats: the lease thread ---- */

static void lost(struct sim *s, struct node_proc *p)
{
	if (p->learned)
		return;
	say(s, "n%d learns that it is lost", p->id);
	p->learned = true;
	/* its tasks are killed; what became of them is looked up */
	for (int i = 0; i < RUNS; i++) {
		if (p->run[i].st >= RUN_CLAIMED && p->run[i].st <= RUN_ENDED)
			p->run[i].st = RUN_REFUSED;
	}
}

bool node_beat_due(const struct sim *s, int slot)
{
	const struct node_proc *p = &s->w.node[slot];

	return !s->explore && p->pc == PC_WORK && !p->learned && s->w.now - p->beat_at >= LEASE / 6;
}

void node_beat(struct sim *s, int slot)
{
	struct node_proc *p = &s->w.node[slot];
	struct call c;

	memset(&c, 0, sizeof(c));
	c.kind = CALL_BEAT;
	c.node = p->id;
	if (!perform(s, &c))
		return;
	p->beat_at = s->w.now;
	if (c.rc == 0 || c.ev == NODE_LOST)
		lost(s, p);
	else if (c.ev == NODE_DRAINING)
		p->draining = true;
}

/* An exploration does not count beats: a node looks at its own row. */
static void look_at_self(struct sim *s, struct node_proc *p)
{
	int state = s->view.node[p->id].state;

	if (state == -1 || state == NODE_LOST)
		lost(s, p);
}

/* ---- answers of calls ---- */

static void answer_claim(struct sim *s, struct node_proc *p, const struct call *c)
{
	if (c->rc == -2) {
		look_at_self(s, p);
		return;
	}
	p->seq = (int16_t)(p->seq + (c->rc > 0));
	for (int i = 0; i < c->n_rows; i++) {
		struct run *u = p->run;

		while (u->st != RUN_NONE && u < &p->run[RUNS - 1])
			u++;
		if (u->st != RUN_NONE) {
			fail(s, "n%d was given more tasks than it asked for", p->id);
			return;
		}
		*u = (struct run){ .st = RUN_CLAIMED, .job = c->rows[i].job, .n = c->rows[i].n,
				   .k = c->rows[i].k, .v = c->rows[i].v };
	}
}

/* I8: what the node was told is what the queue did. */
static void check_belief(struct sim *s, const struct row *r)
{
	const struct view_task *t = &s->view.task[r->job][r->n];
	bool success = r->code == 0;

	if (r->yes && success && !(s->w.store.accepted[r->job][r->n] & 1U << r->k))
		fail(s, "I8: told that %d.%d.%d is accepted, the queue never did", r->job, r->n,
		     r->k);
	if (!r->yes && t->state >= 0 && t->acc == r->k)
		fail(s, "I8: told that %d.%d.%d is refused, the queue accepted it", r->job, r->n,
		     r->k);
}

static void answer_finish(struct sim *s, struct node_proc *p, const struct call *c)
{
	for (int i = 0; i < c->n_rows; i++) {
		const struct row *r = &c->rows[i];
		struct run *u = run_of(p, r);

		check_belief(s, r);
		if (!u || u->st != RUN_STAGED)
			continue;
		u->v = r->v;
		u->st = !r->yes ? RUN_REFUSED : r->code == 0 ? RUN_ACCEPTED : RUN_ENDED;
		if (!r->yes && s->breaks == 6) {
			store_drop(s, u->job, u->n, u->k);
			u->st = RUN_NONE;
		}
	}
}

static void answer_verdict(struct sim *s, struct node_proc *p, const struct call *c)
{
	const struct row *r = &c->rows[0];
	struct run *u = run_of(p, r);

	(void)s;
	if (!u)
		return;
	if (!r->yes)
		u->st = RUN_REFUSED;
	else
		u->st = r->ev == TASK_EV_COMPLETE ? RUN_ACCEPTED : RUN_RETRIED;
}

static void answer(struct sim *s, int slot)
{
	struct node_proc *p = &s->w.node[slot];
	struct call c = p->call;

	memset(&p->call, 0, sizeof(p->call));
	switch ((enum call_kind)c.kind) {
	case CALL_REGISTER:
		p->pc = c.rc == 1 ? PC_WORK : PC_OFF;
		p->beat_at = s->w.now;
		break;
	case CALL_CLAIM:
		answer_claim(s, p, &c);
		break;
	case CALL_FINISH:
		answer_finish(s, p, &c);
		break;
	case CALL_VERDICT:
		answer_verdict(s, p, &c);
		break;
	case CALL_RELEASE:
		for (int i = 0; i < c.n_rows; i++) {
			struct run *u = run_of(p, &c.rows[i]);

			if (u)
				u->st = RUN_REFUSED;
		}
		break;
	case CALL_NODE_MOVE:
		if (c.ev == NODE_EV_LEAVE)
			p->pc = c.rc == 1 ? PC_LEAVING : PC_WORK;
		else
			p->pc = c.rc == 1 ? PC_WORK : PC_GO;
		break;
	case CALL_NODE_DELETE:
		if (c.rc == 1)
			memset(p, 0, sizeof(*p));
		else
			p->pc = PC_WORK;
		break;
	default:
		break;
	}
}

/* ---- what it may do next ---- */

static bool claim(struct sim *s, struct node_proc *p)
{
	struct call *c;
	int room = count_runs(p, RUN_NONE);

	if (!room || p->learned || p->draining)
		return false;
	if (s->explore && s->view.task[1][1].state != TASK_PENDING &&
	    s->view.node[p->id].state == NODE_LIVE)
		return false; /* nothing would happen */
	c = call_new(p, CALL_CLAIM);
	c->max = (int8_t)room;
	c->seq = p->seq;
	return true;
}

static bool finish(struct sim *s, struct node_proc *p)
{
	struct call *c;

	if (!count_runs(p, RUN_STAGED))
		return false;
	c = call_new(p, CALL_FINISH);
	for (int i = 0; i < RUNS; i++) {
		const struct run *u = &p->run[i];

		if (u->st != RUN_STAGED)
			continue;
		c->rows[c->n_rows++] = (struct row){ .job = u->job, .n = u->n, .k = u->k,
						     .code = u->code, .v = u->v };
		if (s->breaks == 4)
			store_publish(s, u->job, u->n, u->k);
	}
	return true;
}

static bool release(struct sim *s, struct node_proc *p, struct run *u)
{
	struct call *c = call_new(p, CALL_RELEASE);

	c->first = chance(s, 2);
	c->rows[c->n_rows++] = (struct row){ .job = u->job, .n = u->n, .k = u->k, .v = u->v,
					     .code = u->st != RUN_CLAIMED };
	u->st = RUN_REFUSED; /* its program was stopped first */
	return true;
}

static bool ask(struct sim *s, struct node_proc *p, const struct run *u)
{
	struct call *c = call_new(p, CALL_VERDICT);
	bool retry = !s->w.calm && choose(s, 2) == 0 && u->k < ATTEMPTS - 8;

	c->first = retry && chance(s, 4);
	c->rows[c->n_rows++] = (struct row){
		.job = u->job, .n = u->n, .k = u->k, .v = u->v,
		.ev = retry ? TASK_EV_RETRY : TASK_EV_COMPLETE,
	};
	c->force = !retry && !s->w.calm && fault(s, FAULT_STOP, 6);
	return true;
}

/* I7: nobody suspected wrongly, nothing taken away: one runner at most. */
static void check_runners(struct sim *s, const struct run *u)
{
	int runners = 0;

	if (s->w.suspected)
		return;
	for (int i = 0; i < s->n_nodes; i++) {
		for (int r = 0; r < RUNS; r++) {
			const struct run *o = &s->w.node[i].run[r];

			runners += o->st == RUN_RUNNING && o->job == u->job && o->n == u->n;
		}
	}
	if (runners > 1)
		fail(s, "I7: two living nodes that nobody suspected run %d.%d", u->job, u->n);
}

static void follow(struct sim *s, struct node_proc *p, struct run *u)
{
	(void)p;
	if (!readable(s))
		return;
	switch (store_fate(s, u->job, u->n, u->k)) {
	case STAGE_PUBLISH:
		u->st = RUN_PUBLISH;
		break;
	case STAGE_DROP:
		u->st = RUN_DROP;
		break;
	default:
		u->st = RUN_NONE; /* left to others */
	}
}

/* One action of one run; true: a call was made ready. */
static bool run_step(struct sim *s, struct node_proc *p, struct run *u)
{
	switch ((enum run_state)u->st) {
	case RUN_NONE:
		return false;
	case RUN_CLAIMED:
		if (p->draining || chance(s, 20))
			return release(s, p, u);
		u->st = RUN_RUNNING;
		check_runners(s, u);
		return false;
	case RUN_RUNNING:
		if (chance(s, 40))
			return release(s, p, u);
		u->code = fault(s, FAULT_BAD_EXIT, 3) ? 3 : 0;
		store_stage(s, u->job, u->n, u->k, p->id, s->explore);
		u->st = s->explore ? RUN_STAGED : RUN_PART;
		return false;
	case RUN_PART:
		store_stage(s, u->job, u->n, u->k, p->id, true);
		u->st = RUN_STAGED;
		return false;
	case RUN_STAGED:
		return finish(s, p);
	case RUN_ENDED:
		return ask(s, p, u);
	case RUN_ACCEPTED:
		store_publish(s, u->job, u->n, u->k);
		u->st = RUN_NONE;
		return false;
	case RUN_RETRIED:
		store_drop(s, u->job, u->n, u->k);
		u->st = RUN_NONE;
		return false;
	case RUN_REFUSED:
		follow(s, p, u);
		return false;
	case RUN_PUBLISH: /* what was read is acted upon, however late */
		store_publish(s, u->job, u->n, u->k);
		u->st = RUN_NONE;
		return false;
	case RUN_DROP:
		store_drop(s, u->job, u->n, u->k);
		u->st = RUN_NONE;
		return false;
	}
	return false;
}

/* What it holds by the queue: tasks that are not its own any more are killed. */
static void look_held(struct sim *s, struct node_proc *p)
{
	for (int i = 0; i < RUNS; i++) {
		struct run *u = &p->run[i];
		const struct view_task *t = &s->view.task[u->job][u->n];

		if (u->st < RUN_CLAIMED || u->st > RUN_STAGED)
			continue;
		if (t->state != TASK_CLAIMED || t->node != p->id || t->attempt != u->k)
			u->st = RUN_REFUSED;
	}
}

static bool claimable_somewhere(const struct sim *s)
{
	for (int j = 1; j < s->jobs; j++) {
		if (s->view.job[j].state == JOB_OPEN && s->view.tally[j][0] > 0)
			return true;
	}
	return false;
}

static void work(struct sim *s, int slot)
{
	struct node_proc *p = &s->w.node[slot];
	struct run *u = NULL;
	unsigned n = 0, pick;

	for (int i = 0; i < RUNS; i++)
		n += p->run[i].st != RUN_NONE;
	if (p->learned && n == 0) { /* start over under a new name */
		memset(p, 0, sizeof(*p));
		return;
	}
	if (n == 0 && !claimable_somewhere(s) && fault(s, FAULT_LEAVE, 10)) {
		struct call *c = call_new(p, CALL_NODE_MOVE);

		c->ev = NODE_EV_LEAVE;
		return;
	}
	if (chance(s, 16) && readable(s)) {
		look_held(s, p);
		return;
	}
	if (n == 0 || (count_runs(p, RUN_NONE) && chance(s, 3))) {
		if (claim(s, p))
			return;
		if (n == 0)
			return;
	}
	pick = choose(s, n);
	for (int i = 0; i < RUNS; i++) {
		if (p->run[i].st != RUN_NONE && pick-- == 0) {
			u = &p->run[i];
			break;
		}
	}
	if (u)
		(void)run_step(s, p, u);
}

/* Its finish is not answered: with rule 6 taken away it clears up at once. */
static void impatient(struct sim *s, struct node_proc *p)
{
	if (s->breaks != 6 || p->call.kind != CALL_FINISH)
		return;
	for (int i = 0; i < p->call.n_rows; i++) {
		const struct row *r = &p->call.rows[i];
		struct run *u = run_of(p, r);

		store_drop(s, r->job, r->n, r->k);
		if (u)
			u->st = RUN_NONE;
	}
	memset(&p->call, 0, sizeof(p->call));
}

void node_step(struct sim *s, int slot)
{
	struct node_proc *p = &s->w.node[slot];

	if (p->call.kind == CALL_NONE && s->explore && p->pc == PC_WORK && !p->learned &&
	    s->view.node[p->id].state != NODE_LIVE && choose(s, 2) == 0) {
		look_at_self(s, p);
		return;
	}
	if (p->call.kind == CALL_NONE) {
		struct call *c;

		switch ((enum pc)p->pc) {
		case PC_REGISTER:
			(void)call_new(p, CALL_REGISTER);
			break;
		case PC_WORK:
			work(s, slot);
			break;
		case PC_LEAVING:
			if (!readable(s))
				return;
			p->pc = claimable_somewhere(s) ? PC_STAY : PC_GO;
			return;
		case PC_STAY:
			c = call_new(p, CALL_NODE_MOVE);
			c->ev = NODE_EV_STAY;
			break;
		case PC_GO:
			(void)call_new(p, CALL_NODE_DELETE);
			break;
		default:
			return;
		}
	}
	if (p->call.kind == CALL_NONE)
		return;
	if (perform(s, &p->call))
		answer(s, slot);
	else
		impatient(s, p);
}
