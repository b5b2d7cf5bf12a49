/* From claimed to running. */
#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "work/consumer_impl.h"

/* ---- lists and slots ---- */

void run_list_init(struct run_list *l)
{
	*l = (struct run_list){ .head = NULL };
	l->tail = &l->head;
}

void run_list_add(struct run_list *l, struct run *r)
{
	r->next = NULL;
	*l->tail = r;
	l->tail = &r->next;
	l->n++;
}

static void add_first(struct run_list *l, struct run *r)
{
	r->next = l->head;
	l->head = r;
	if (!r->next)
		l->tail = &r->next;
	l->n++;
}

struct run *run_list_pop(struct run_list *l)
{
	struct run *r = l->head;

	if (!r)
		return NULL;
	l->head = r->next;
	if (!l->head)
		l->tail = &l->head;
	l->n--;
	return r;
}

static struct slot *slot_get(struct consumer *c)
{
	struct slot *s;

	if (c->slots.n)
		return c->slots.p[--c->slots.n];
	s = xcalloc(1, sizeof(*s));
	s->index = ++c->n_slots;
	workdir_init(&s->dir, &c->work, s->index);
	stage_init(&s->stage);
	return s;
}

void hand_over(struct consumer *c, struct run *r)
{
	if (r->slot)
		*vec_push(&c->slots) = r->slot;
	r->slot = NULL;
	c->n_stored++;
	committer_put(c->committer, r);
}

size_t schedule_unstarted(const struct consumer *c)
{
	return c->ready.n + c->staged.n + c->n_staging;
}

/* ---- staging ---- */

void schedule_claimed(struct consumer *c, struct run *list)
{
	for (struct run *r = list, *next; r; r = next) {
		next = r->next;
		resources_add(&c->reserved, &r->need, 1);
		/* a lost one may have ended its node: it shall not wait behind others */
		if (r->c.lost > 0)
			add_first(&c->ready, r);
		else
			run_list_add(&c->ready, r);
	}
}

/* It will not run here: whatever state says goes to the committer, the slot is cleared. */
static void abandon(struct consumer *c, struct run *r, enum run_state state)
{
	resources_sub(&c->reserved, &r->need, 1);
	if (r->slot)
		workdir_clear(&r->slot->dir, &c->work);
	r->state = state;
	hand_over(c, r);
}

/* Out of the hands of run_load() and run_stage(): 1 it can go on. */
static bool can_go_on(struct consumer *c, struct run *r)
{
	if (r->state == RUN_GIVEN_BACK) {
		abandon(c, r, RUN_GIVEN_BACK);
		return false;
	}
	if (r->state == RUN_COLLECTING) { /* it failed before it began: missing input */
		resources_sub(&c->reserved, &r->need, 1);
		resources_sub(&c->free, &r->need, 1);
		ending_collect(c, r);
		return false;
	}
	return true;
}

void schedule_staged(struct consumer *c, struct run *r)
{
	c->n_staging--;
	r->claimed_ns = clock_mono_ns();
	if (can_go_on(c, r))
		run_list_add(&c->staged, r);
}

static size_t ahead_limit(const struct consumer *c)
{
	return MAX(2, c->n_running);
}

/* True: it left the list of ready ones for a worker (or for good). */
static bool stage_ahead(struct consumer *c, struct run *r)
{
	struct err err = ERR_INIT;

	if (!r->spec_ok && run_load(r, &c->env, &err) < 0) {
		log_error("Task %s.%lld: %s", r->ctx->job.id, (long long)r->c.n, err.text);
		return !can_go_on(c, r);
	}
	if (!run_has_inputs(r) || c->n_staging + c->staged.n >= ahead_limit(c))
		return false;
	r->slot = slot_get(c);
	r->state = RUN_STAGING;
	c->n_staging++;
	workers_put(c->workers, r);
	return true;
}

/* ---- starting ---- */

static void start(struct consumer *c, struct run *r)
{
	if (!r->slot)
		r->slot = slot_get(c);
	if (r->state == RUN_CLAIMED)
		run_stage(r, &c->env);
	if (!can_go_on(c, r))
		return;
	run_start(r, &c->env);
	if (r->state == RUN_GIVEN_BACK) {
		abandon(c, r, RUN_GIVEN_BACK);
		return;
	}
	resources_sub(&c->reserved, &r->need, 1);
	resources_sub(&c->free, &r->need, 1);
	c->room_moved = true;
	if (r->state == RUN_RUNNING)
		ending_running(c, r);
	else
		ending_collect(c, r);
}

static bool fits(const struct consumer *c, const struct run *r)
{
	return c->n_running + c->n_collecting < RUNNING_MAX && resources_fit(&r->need, &c->free);
}

static void start_staged(struct consumer *c)
{
	struct run_list rest;
	struct run *r;

	run_list_init(&rest);
	while ((r = run_list_pop(&c->staged))) {
		if (fits(c, r))
			start(c, r);
		else
			run_list_add(&rest, r);
	}
	while ((r = run_list_pop(&rest)))
		run_list_add(&c->staged, r);
}

static void start_ready(struct consumer *c)
{
	struct run_list rest;
	struct run *r;

	if (!c->ready.n)
		return;
	run_list_init(&rest);
	while ((r = run_list_pop(&c->ready))) {
		bool now = fits(c, r);

		/* short tasks wait in a row: none behind the first that waits would fit better */
		if (!now && c->n_staging + c->staged.n >= ahead_limit(c) && !rest.n) {
			add_first(&c->ready, r);
			break;
		}
		if (stage_ahead(c, r))
			continue;
		if (now && !run_has_inputs(r))
			start(c, r);
		else
			run_list_add(&rest, r);
		if (!now && !run_has_inputs(r) && rest.n > 8)
			break;
	}
	while (rest.n) { /* back to the front, in order */
		*rest.tail = c->ready.head;
		if (!c->ready.head)
			c->ready.tail = rest.tail;
		c->ready.head = rest.head;
		c->ready.n += rest.n;
		rest.n = 0;
	}
}

/* ---- giving back ---- */

static void give_back(struct consumer *c)
{
	struct run *r;

	while ((r = run_list_pop(&c->ready)))
		abandon(c, r, RUN_GIVEN_BACK);
	while ((r = run_list_pop(&c->staged)))
		abandon(c, r, RUN_GIVEN_BACK);
}

static void release_stale(struct consumer *c, struct run_list *l, int64_t now)
{
	struct run_list rest;
	struct run *r;

	run_list_init(&rest);
	while ((r = run_list_pop(l))) {
		if (now - r->claimed_ns > (int64_t)UNSTARTED_MS * 1000000)
			abandon(c, r, RUN_GIVEN_BACK);
		else
			run_list_add(&rest, r);
	}
	while ((r = run_list_pop(&rest)))
		run_list_add(l, r);
}

/* ---- claiming ---- */

static void claim(struct consumer *c, int64_t now)
{
	struct claim_room room;

	if (c->claiming || !c->hint || !c->room_moved || now < c->hold_ns ||
	    schedule_unstarted(c) > c->low_water)
		return;
	room.free = c->free;
	resources_sub(&room.free, &c->reserved, 1);
	room.unstarted = schedule_unstarted(c);
	c->claiming = true;
	c->room_moved = false;
	committer_claim(c->committer, &room);
}

void schedule(struct consumer *c)
{
	int64_t now = clock_mono_ns();

	if (c->phase != PHASE_RUN) {
		give_back(c);
		return;
	}
	if (schedule_unstarted(c) && now >= c->stale_ns) {
		release_stale(c, &c->ready, now);
		release_stale(c, &c->staged, now);
		c->stale_ns = now + 1000 * 1000000LL;
	}
	/* never run what may be somebody else's by now */
	if ((c->ready.n || c->staged.n) && lease_is_fresh(c->lease)) {
		start_staged(c);
		start_ready(c);
	}
	claim(c, now);
}
