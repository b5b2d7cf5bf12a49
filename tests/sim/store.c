/* The object store in memory: what is staged, and the register of what is published. */
#include "sim.h"

#include "model/publication.h"

void store_stage(struct sim *s, int job, int n, int k, int node, bool whole)
{
	struct store *t = &s->w.store;

	t->part[job][n] |= 1U << k;
	t->owner[job][n][k] = (int8_t)node;
	if (whole)
		t->whole[job][n] |= 1U << k;
}

void store_drop(struct sim *s, int job, int n, int k)
{
	say(s, "drops the stage %d.%d.%d", job, n, k);
	s->w.store.part[job][n] &= ~(1U << k);
	s->w.store.whole[job][n] &= ~(1U << k);
}

bool store_has_stage(const struct sim *s, int job, int n, int k)
{
	return s->w.store.part[job][n] & 1U << k;
}

int store_fate(struct sim *s, int job, int n, int k)
{
	const struct view_task *v = &s->view.task[job][n];
	const struct task t = { .state = (enum task_state)v->state, .attempt = v->attempt,
				.acc = v->acc };

	if (s->breaks == 3) /* what lies there tells which one counts */
		return s->w.store.whole[job][n] & 1U << k ? STAGE_PUBLISH : STAGE_LEAVE;
	return (int)stage_fate(v->state < 0 ? NULL : &t, k);
}

/* One rename, or an exchange under the directory's lock: atomic for all who look. */
void store_publish(struct sim *s, int job, int n, int k)
{
	struct store *t = &s->w.store;
	int id = s->w.job_id[job], had_job, had_k;

	if (id < 0 || !(t->whole[job][n] & 1U << k))
		return;
	had_job = t->published[id][n].job;
	had_k = t->published[id][n].k;
	if (had_job && !attempt_before(had_job, had_k, job, k)) {
		store_drop(s, job, n, k);
		return;
	}
	say(s, "publishes %d.%d.%d over %d.%d", job, n, k, had_job, had_k);
	t->published[id][n].job = (int8_t)job;
	t->published[id][n].k = (int8_t)k;
	t->whole[job][n] &= ~(1U << k);
	t->part[job][n] &= ~(1U << k);
	if (had_job > job || (had_job == job && had_k > k))
		fail(s, "I3: what is published went back to %d.%d.%d", job, n, k);
	if (!(t->accepted[job][n] & 1U << k))
		fail(s, "I2: published an attempt that was never accepted: %d.%d.%d", job, n, k);
}
