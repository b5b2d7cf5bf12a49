/* Random walks: episodes of a seeded scheduler, each brought to rest and cleaned at its end. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

enum { EPISODE_STEPS = 2500, REST_STEPS = 60000 };

struct process {
	char kind; /* n, r, c */
	int index;
};

static void init_world(struct sim *s)
{
	struct world *w = &s->w;
	/* Some have no outages, some nobody who is delayed, some nobody who is suspected wrongly.
	 */
	unsigned shape = choose(s, 8);

	if (s->breaks == 5) /* what it must break is that nobody alive is lost */
		shape = 0;
	memset(w, 0, sizeof(*w));
	s->n_late = 0;
	s->n_nodes = SLOTS;
	s->n_reapers = REAPERS;
	s->n_tasks = 10;
	s->n_jobs = 2;
	s->jobs = JOBS;
	s->tasks = TASKS;
	s->nodes = NODES;
	s->liveness = shape < 2;
	memset(w->budget, -1, sizeof(w->budget));
	if (shape & 1)
		w->budget[FAULT_OUTAGE] = 0;
	if (s->liveness) { /* what would make a loss right, or a second runner legal */
		w->budget[FAULT_OUTAGE] = -1;
		w->budget[FAULT_SUSPECT] = w->budget[FAULT_FREEZE] = 0;
		w->budget[FAULT_KILL] = w->budget[FAULT_RESET] = 0;
	} else if (shape == 2 || shape == 3) {
		w->budget[FAULT_SUSPECT] = 0;
	}
	w->now = 1;
	for (int j = 0; j < JOBS; j++)
		w->job_id[j] = -1;
	for (int i = 0; i < REAPERS; i++) {
		w->reaper[i].alive = true;
		w->reaper[i].pc = PC_LOOK;
	}
	for (int i = 0; i < CLIENTS; i++) {
		w->client[i].kind = (uint8_t)i;
		w->client[i].pc = PC_IDLE;
	}
}

/* ---- one step of one process ---- */

static void set_who(struct sim *s, struct process p)
{
	s->who = p.kind == 'n' ? "node" : p.kind == 'r' ? "reaper" : "client";
	s->who_index = p.index;
}

static int32_t *frozen_of(struct sim *s, struct process p)
{
	return p.kind == 'n' ? &s->w.node[p.index].frozen :
	       p.kind == 'r' ? &s->w.reaper[p.index].frozen : &s->w.client[p.index].frozen;
}

static void crash(struct sim *s, struct process p)
{
	if (p.kind == 'n' && s->w.node[p.index].pc != PC_OFF)
		node_crash(s, p.index);
	else if (p.kind == 'r')
		reaper_crash(s, p.index);
	else if (p.kind == 'c')
		client_crash(s, p.index);
}

static void step(struct sim *s, struct process p)
{
	if (p.kind == 'n' && s->w.node[p.index].pc == PC_OFF) {
		/* a few names are kept for the end */
		if (s->w.calm || (s->w.incarnations < NODES - 10 && chance(s, 10)))
			node_start(s, p.index);
	} else if (p.kind == 'n' && node_beat_due(s, p.index)) {
		node_beat(s, p.index);
	} else if (p.kind == 'n') {
		node_step(s, p.index);
	} else if (p.kind == 'r') {
		reaper_step(s, p.index);
	} else {
		client_step(s, p.index);
	}
}

/* The queue goes away and comes back, for reading sooner than for writing. */
static void outage(struct sim *s)
{
	struct world *w = &s->w;

	if (w->down_writes && w->now >= w->up_at) {
		if (w->down_reads)
			w->up_at = w->now + (int32_t)choose(s, 60);
		else
			w->down_writes = false;
		w->down_reads = false;
		say(s, "the queue is back for %s", w->down_writes ? "reading" : "everybody");
	} else if (!w->down_writes && !w->calm && fault(s, FAULT_OUTAGE, 1500)) {
		w->down_writes = w->down_reads = true;
		w->up_at = w->now + (int32_t)choose(s, 2 * LEASE);
		say(s, "the queue is out of reach");
	}
}

static bool asks(const struct sim *s, struct process p)
{
	for (int i = 0; p.kind == 'n' && i < RUNS; i++) {
		if (s->w.node[p.index].run[i].st == RUN_ENDED)
			return true;
	}
	return false;
}

static void one_step(struct sim *s)
{
	struct process p;
	unsigned n = (unsigned)(s->n_nodes + s->n_reapers + CLIENTS), pick = choose(s, n);
	struct view before = s->view;
	int32_t *frozen;

	s->w.now++;
	s->steps++;
	s->who = "world";
	s->who_index = 0;
	outage(s);
	if (pick < (unsigned)s->n_nodes)
		p = (struct process){ 'n', (int)pick };
	else if (pick < (unsigned)(s->n_nodes + s->n_reapers))
		p = (struct process){ 'r', (int)pick - s->n_nodes };
	else
		p = (struct process){ 'c', (int)pick - s->n_nodes - s->n_reapers };
	set_who(s, p);
	frozen = frozen_of(s, p);
	if (s->w.calm)
		*frozen = 0;
	if (*frozen > s->w.now)
		return;
	if (!s->w.calm && fault(s, FAULT_FREEZE, 400)) {
		*frozen = s->w.now + (int32_t)choose(s, 3 * LEASE);
		say(s, "is stopped for a while");
		return;
	}
	/* Between an outcome and its verdict a node dies more often: that is when others ask. */
	if (!s->w.calm && (fault(s, FAULT_CRASH, 200) || (asks(s, p) && fault(s, FAULT_CRASH, 15))))
		crash(s, p);
	else if (!s->w.calm && fault(s, FAULT_LATE, 60))
		deliver_late(s);
	else
		step(s, p);
	check_step(s, &before);
}

/* ---- rest ---- */

static bool at_rest(struct sim *s, bool cleaned)
{
	for (int i = 0; i < s->n_reapers; i++) {
		if (!reaper_idle(s, i))
			return false;
	}
	for (int i = 0; i < CLIENTS; i++) {
		if (!client_idle(s, i))
			return false;
	}
	for (int i = 0; i < s->n_nodes; i++) {
		const struct node_proc *p = &s->w.node[i];

		if (p->call.kind != CALL_NONE || (p->pc != PC_WORK && p->pc != PC_OFF))
			return false;
		for (int r = 0; r < RUNS; r++) {
			if (p->run[r].st != RUN_NONE)
				return false;
		}
	}
	for (int i = 1; i < NODES; i++) {
		if (s->view.node[i].state >= 0 && node_slot_of(s, i) < 0)
			return false;
	}
	for (int j = 1; j < JOBS; j++) {
		int state = s->view.job[j].state;

		if (state == JOB_OPEN || state == JOB_KILLING || state == JOB_REMOVED)
			return false;
		if (cleaned && state >= 0)
			return false;
	}
	return true;
}

/* Runs without faults until nothing is left to do. */
static void come_to_rest(struct sim *s)
{
	bool looked = false;

	s->w.calm = true;
	s->w.down_writes = s->w.down_reads = false;
	s->n_late = 0;
	s->who = "world";
	say(s, "calm: no more faults");
	for (int i = 0; i < REST_STEPS && !s->failure[0]; i++) {
		if (!looked && at_rest(s, false)) {
			check_rest(s);
			looked = true;
		}
		if (looked && at_rest(s, true)) {
			view_load(s, &s->view);
			check_cleaned(s);
			return;
		}
		one_step(s);
	}
	if (s->failure[0])
		return;
	check_rest(s);
	fail(s, "I14: the queue does not come to rest");
}

bool walk_episode(struct sim *s, uint64_t seed)
{
	s->seed = seed;
	s->rng = seed;
	s->failure[0] = '\0';
	buf_clear(&s->log);
	queue_start(s);
	init_world(s);
	view_load(s, &s->view);
	for (int i = 0; i < EPISODE_STEPS && !s->failure[0]; i++)
		one_step(s);
	if (!s->failure[0])
		come_to_rest(s);
	queue_stop(s);
	return !s->failure[0];
}

bool walk(struct sim *s, uint64_t seed, uint64_t steps, struct walk_result *r)
{
	uint64_t state = seed;

	*r = (struct walk_result){ 0 };
	s->steps = 0;
	while (s->steps < steps) {
		uint64_t one = mix(&state);

		r->episodes++;
		if (!walk_episode(s, one)) {
			r->failing_seed = one;
			r->steps = s->steps;
			return false;
		}
	}
	r->steps = s->steps;
	return true;
}
