/*
 * Exhaustive exploration: one task, two nodes, and whoever else takes part, every interleaving,
 * every choice, every fault the budget allows.
 *
 * The queue is a function of (what it holds, the call), so each different call on each different
 * content is made once on the real queue and remembered (contents.c). A state of the whole is the
 * number of the queue's content and the world beside it; visited ones are known by a hash of 128
 * bits. Depth first, with the worlds of the path on a stack.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

const struct explore_setup explore_setups[] = {
	{ .name = "small", .nodes = 2, .reapers = 1,
	  .budget = { [FAULT_SUSPECT] = 1, [FAULT_LOST_ANSWER] = 1 } },
	{ .name = "crash, two suspicions, a lost answer", .nodes = 2, .reapers = 1,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_SUSPECT] = 2, [FAULT_LOST_ANSWER] = 1,
		      [FAULT_BAD_EXIT] = 1 } },
	{ .name = "a reaper that dies", .nodes = 2, .reapers = 1,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_SUSPECT] = 1, [FAULT_LOST_ANSWER] = 1,
		      [FAULT_BAD_EXIT] = 1, [FAULT_RCRASH] = 2 } },
	{ .name = "kill", .nodes = 2, .reapers = 1, .clients = 1U << CLIENT_KILLER,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_SUSPECT] = 1, [FAULT_LOST_ANSWER] = 1,
		      [FAULT_BAD_EXIT] = 1, [FAULT_KILL] = 1 } },
	{ .name = "reset --all", .nodes = 2, .reapers = 1, .clients = 1U << CLIENT_RESETTER,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_SUSPECT] = 1, [FAULT_LOST_ANSWER] = 1,
		      [FAULT_RESET] = 1 } },
	{ .name = "clean", .nodes = 2, .reapers = 1, .clients = 1U << CLIENT_CLEANER,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_SUSPECT] = 1, [FAULT_LOST_ANSWER] = 1,
		      [FAULT_BAD_EXIT] = 1, [FAULT_CLEAN] = 1 } },
	{ .name = "two reapers", .nodes = 2, .reapers = 2,
	  .budget = { [FAULT_SUSPECT] = 1, [FAULT_BAD_EXIT] = 1, [FAULT_RCRASH] = 1 } },
	{ .name = "nodes that leave", .nodes = 2, .reapers = 1,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_SUSPECT] = 1, [FAULT_LOST_ANSWER] = 1,
		      [FAULT_LEAVE] = 2 } },
	{ .name = "nobody suspected wrongly", .nodes = 2, .reapers = 1,
	  .budget = { [FAULT_CRASH] = 1, [FAULT_LOST_ANSWER] = 2, [FAULT_BAD_EXIT] = 2,
		      [FAULT_RCRASH] = 1 } },
};
const int n_explore_setups = (int)ARRAY_SIZE(explore_setups);

/* ---- visited states ---- */

struct visited {
	struct { uint64_t a, b; } *slot;
	uint64_t cap, n;
};

/* A state on the path, and which of its successors comes next. */
struct frame {
	struct world w;
	uint32_t content;
	int process;
	bool moved; /* some successor differs from it */
	unsigned path_n, choice[32], of[32];
	/* the step that was taken to the state above it on the stack */
	int taken;
	unsigned taken_n, taken_choice[32], taken_of[32];
};

struct search {
	struct sim *s;
	const struct explore_setup *e;
	struct visited seen;
	struct frame *stack;
	size_t n, cap;
	uint64_t edges;
};

struct hash {
	uint64_t x, y;
};

static void hash_add(struct hash *h, const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t v;

	for (; n > 0; b += MIN(n, 8), n -= MIN(n, 8)) {
		v = 0;
		memcpy(&v, b, MIN(n, 8));
		h->x = (h->x ^ v) * 0x9fb21c651e98df25ULL;
		h->x ^= h->x >> 32;
		h->y = (h->y + v) * 0xd6e8feb86659fd93ULL;
		h->y ^= h->y >> 29;
	}
}

/* All that can differ in an exploration: job 1, task 1, the processes that take part. */
static void hash_world(const struct search *x, uint64_t *a, uint64_t *b)
{
	const struct world *w = &x->s->w;
	const struct store *t = &w->store;
	struct hash h = { x->s->content + 1, ~(uint64_t)x->s->content };

	hash_add(&h, w->budget, sizeof(w->budget));
	hash_add(&h, &w->suspected, sizeof(w->suspected));
	hash_add(&h, &w->incarnations, sizeof(w->incarnations));
	hash_add(&h, &t->part[1][1], sizeof(t->part[1][1]));
	hash_add(&h, &t->whole[1][1], sizeof(t->whole[1][1]));
	hash_add(&h, &t->accepted[1][1], sizeof(t->accepted[1][1]));
	hash_add(&h, t->owner[1][1], sizeof(t->owner[1][1]));
	hash_add(&h, &t->published[0][1], sizeof(t->published[0][1]));
	hash_add(&h, w->node, sizeof(w->node[0]) * (size_t)x->e->nodes);
	for (int i = 0; i < x->e->reapers; i++) {
		hash_add(&h, &w->reaper[i], offsetof(struct reaper_proc, seen));
		hash_add(&h, &w->reaper[i].call, sizeof(w->reaper[i].call));
	}
	for (int i = 0; i < CLIENTS; i++) {
		if (x->e->clients & 1U << i)
			hash_add(&h, &w->client[i], sizeof(w->client[i]));
	}
	*a = h.x | 1;
	*b = h.y;
}

static void grow(struct visited *v)
{
	struct visited old = *v;

	v->cap = old.cap ? old.cap * 2 : 1U << 16;
	v->slot = xcalloc(v->cap, sizeof(*v->slot));
	for (uint64_t i = 0; i < old.cap; i++) {
		uint64_t at = old.slot[i].a >> 7 & (v->cap - 1);

		if (!old.slot[i].a)
			continue;
		while (v->slot[at].a)
			at = (at + 1) & (v->cap - 1);
		v->slot[at].a = old.slot[i].a;
		v->slot[at].b = old.slot[i].b;
	}
	free(old.slot);
}

/* True when it is new. */
static bool visit(struct search *x)
{
	struct visited *v = &x->seen;
	uint64_t a, b, at;

	if (v->n * 2 >= v->cap)
		grow(v);
	hash_world(x, &a, &b);
	for (at = a >> 7 & (v->cap - 1); v->slot[at].a; at = (at + 1) & (v->cap - 1)) {
		if (v->slot[at].a == a && v->slot[at].b == b)
			return false;
	}
	v->slot[at].a = a;
	v->slot[at].b = b;
	v->n++;
	return true;
}

/* ---- the search ---- */

static int n_processes(const struct search *x)
{
	return 2 * (x->e->nodes + x->e->reapers) + CLIENTS;
}

/* Runs process `p` (or lets it crash) from the state in s; false: it has no step. */
static bool one(struct search *x, int p)
{
	struct sim *s = x->s;
	int nodes = x->e->nodes, reapers = x->e->reapers;

	s->who_index = p;
	if (p < nodes) {
		s->who = "node";
		if (s->w.node[p].pc == PC_OFF)
			return false;
		node_step(s, p);
	} else if (p < 2 * nodes) {
		s->who = "node";
		s->who_index = p - nodes;
		if (s->w.node[p - nodes].pc == PC_OFF || s->w.budget[FAULT_CRASH] == 0)
			return false;
		s->w.budget[FAULT_CRASH]--;
		node_crash(s, p - nodes);
	} else if (p < 2 * nodes + reapers) {
		s->who = "reaper";
		s->who_index = p - 2 * nodes;
		reaper_step(s, p - 2 * nodes);
	} else if (p < 2 * nodes + 2 * reapers) {
		s->who = "reaper";
		s->who_index = p - 2 * nodes - reapers;
		if (s->w.budget[FAULT_RCRASH] == 0 || reaper_idle(s, s->who_index))
			return false;
		s->w.budget[FAULT_RCRASH]--;
		reaper_crash(s, s->who_index);
	} else {
		s->who = "client";
		s->who_index = p - 2 * nodes - 2 * reapers;
		if (!(x->e->clients & 1U << s->who_index))
			return false;
		client_step(s, s->who_index);
	}
	return true;
}

/* The next sequence of choices after the one just taken: true if there is one. */
static bool next_choices(struct frame *f)
{
	while (f->path_n > 0) {
		if (f->choice[f->path_n - 1] + 1 < f->of[f->path_n - 1]) {
			f->choice[f->path_n - 1]++;
			return true;
		}
		f->path_n--;
	}
	return false;
}

static void push(struct search *x)
{
	struct frame *f;

	if (x->n == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 256;
		x->stack = xreallocarray(x->stack, x->cap, sizeof(*x->stack));
	}
	f = &x->stack[x->n++];
	memset(f, 0, sizeof(*f));
	f->w = x->s->w;
	f->content = x->s->content;
}

/* Takes the step of process `p` with these choices from the state of a frame. */
static bool take(struct search *x, const struct frame *f, int p, unsigned n, const unsigned *choice,
		 const unsigned *of)
{
	struct sim *s = x->s;
	struct view before;

	s->w = f->w;
	s->content = f->content;
	s->view = *content_view(s, f->content);
	before = s->view;
	s->path_n = n;
	s->path_at = 0;
	memcpy(s->path_choice, choice, sizeof(s->path_choice));
	memcpy(s->path_of, of, sizeof(s->path_of));
	if (!one(x, p))
		return false;
	check_step(s, &before);
	return true;
}

/* Takes one successor of the state on top. */
static void advance(struct search *x)
{
	struct sim *s = x->s;
	struct frame *f = &x->stack[x->n - 1];
	bool stepped;

	f->taken = f->process;
	stepped = take(x, f, f->process, f->path_n, f->choice, f->of);
	f->taken_n = f->path_n = s->path_n;
	memcpy(f->choice, s->path_choice, sizeof(f->choice));
	memcpy(f->of, s->path_of, sizeof(f->of));
	memcpy(f->taken_choice, f->choice, sizeof(f->choice));
	memcpy(f->taken_of, f->of, sizeof(f->of));
	if (!next_choices(f)) {
		f->process++;
		f->path_n = 0;
	}
	if (!stepped || s->failure[0])
		return;
	x->edges++;
	if (s->content != f->content || memcmp(&s->w, &f->w, sizeof(s->w)) != 0)
		f->moved = true;
	if (visit(x))
		push(x);
}

/* The path to the failure once more, told step by step. */
static void report(struct search *x)
{
	struct sim *s = x->s;
	char failure[sizeof(s->failure)];

	memcpy(failure, s->failure, sizeof(failure));
	s->trace = true;
	for (size_t i = 0; i < x->n; i++) {
		const struct frame *f = &x->stack[i];

		s->failure[0] = '\0';
		(void)take(x, f, f->taken, f->taken_n, f->taken_choice, f->taken_of);
	}
	memcpy(s->failure, failure, sizeof(failure));
}

static void start(struct search *x)
{
	struct sim *s = x->s;

	s->explore = true;
	s->n_nodes = x->e->nodes;
	s->n_reapers = x->e->reapers;
	s->n_tasks = s->n_jobs = 1;
	s->jobs = s->tasks = 2;
	s->nodes = x->e->nodes + 1;
	s->clients = x->e->clients;
	queue_start(s);
	memset(&s->w, 0, sizeof(s->w));
	for (int j = 0; j < JOBS; j++)
		s->w.job_id[j] = -1;
	view_load(s, &s->view);
	contents_start(s);
	s->w.budget[FAULT_SUBMIT] = 1;
	for (int i = 0; i < CLIENTS; i++) {
		s->w.client[i].kind = (uint8_t)i;
		s->w.client[i].pc = PC_IDLE;
	}
	/* The job is submitted, without any choice, before the search begins. */
	s->who = "client";
	s->who_index = CLIENT_SUBMITTER;
	for (int i = 0; i < 3; i++) {
		struct view before = s->view;

		s->path_n = s->path_at = 0;
		s->path_choice[0] = 1;
		s->path_of[0] = 2;
		s->path_n = i == 0;
		client_step(s, CLIENT_SUBMITTER);
		check_step(s, &before);
	}
	for (int i = 0; i < FAULT_KINDS; i++)
		s->w.budget[i] = x->e->budget[i];
	for (int i = 0; i < x->e->reapers; i++) {
		s->w.reaper[i].alive = true;
		s->w.reaper[i].pc = PC_LOOK;
	}
	for (int i = 0; i < x->e->nodes; i++)
		node_start(s, i);
	(void)visit(x);
	push(x);
}

bool explore(struct sim *s, const struct explore_setup *e, uint64_t limit,
	     struct explore_result *r)
{
	struct search x = { .s = s, .e = e };
	int n;

	*r = (struct explore_result){ .finished = true };
	start(&x);
	n = n_processes(&x);
	while (x.n > 0 && !s->failure[0]) {
		struct frame *f = &x.stack[x.n - 1];

		if (f->process < n) {
			advance(&x);
			if (x.seen.n >= limit) {
				r->finished = false;
				break;
			}
			continue;
		}
		if (!f->moved) { /* the end of this story */
			s->w = f->w;
			s->view = *content_view(s, f->content);
			check_rest(s);
			if (s->failure[0])
				break;
		}
		x.n--;
	}
	if (s->failure[0])
		report(&x);
	r->states = x.seen.n;
	r->edges = x.edges;
	contents_stats(s, &r->contents, &r->calls);
	contents_stop(s);
	queue_stop(s);
	free(x.stack);
	free(x.seen.slot);
	return !s->failure[0];
}
