/* Reset and retry: ended tasks, and those of dead nodes, become pending again. */
#include "work/control.h"

#include <string.h>

#include "base/base.h"
#include "base/id.h"
#include "base/str.h"
#include "base/vec.h"
#include "sys/signals.h"
#include "work/reaper.h"

enum {
	BATCH = 2000, /* tasks a transaction */
	PAGE = 10000, /* tasks read at a time */
};

unsigned control_reset_word(const char *word)
{
	static const struct {
		const char *word;
		unsigned what;
	} words[] = {
		{ "failed", CONTROL_FAILED },
		{ "complete", CONTROL_COMPLETE },
		{ "killed", CONTROL_KILLED },
		{ "succeeded", CONTROL_SUCCEEDED },
		{ "claimed", CONTROL_CLAIMED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].what;
	return 0;
}

static int reset_batches(const struct control *c, const struct control_reset *r,
			 const struct ranges *ranges, unsigned states, const char *owner,
			 int64_t *count, struct err *err)
{
	struct reset_request q = { .job = r->born, .ranges = *ranges, .states = states,
				   .owner = owner, .class = r->class, .limit = BATCH };

	do {
		q.op = id_u64();
		q.count = 0;
		q.more = false;
		if (signals_check(err) < 0 || queue_reset(c->queue, &q, err) < 0)
			return -1;
		*count += q.count;
	} while (q.more);
	return 0;
}

/* ---- tasks of dead nodes ---------------------------------------------------------------- */

struct held {
	int64_t n;
	size_t node; /* index */
};

struct holders {
	VEC(struct held) tasks;
	VEC(char *) nodes;
};

static int see_held(void *ctx, const struct task *t)
{
	struct holders *h = ctx;
	size_t i = 0;

	while (i < h->nodes.n && strcmp(h->nodes.p[i], t->node) != 0)
		i++;
	if (i == h->nodes.n)
		*vec_push(&h->nodes) = xstrdup(t->node);
	*vec_push(&h->tasks) = (struct held){ t->n, i };
	return 0;
}

/* Counts those of the node's tasks that are pending now. */
static int count_pending(const struct control *c, int64_t born, const struct holders *h,
			 size_t node, int64_t *count, struct err *err)
{
	for (size_t i = 0; i < h->tasks.n; i++) {
		struct task t;
		int found;

		if (h->tasks.p[i].node != node)
			continue;
		found = queue_task_get(c->queue, born, h->tasks.p[i].n, &t, err);
		if (found < 0)
			return -1;
		*count += found && t.state == TASK_PENDING;
	}
	return 0;
}

/* Whoever holds tasks of the job and is dead for certain is dealt with as a lost node. */
static int reap_holders(const struct control *c, const struct control_reset *r, int64_t *count,
			struct err *err)
{
	const struct task_filter f = { .ranges = r->ranges,
				       .states = 1U << TASK_CLAIMED | 1U << TASK_ENDED };
	const struct reaper_options o = { .home = c->home, .policy = c->policy };
	struct holders h = { .tasks = { 0 } };
	struct reaper *reaper = NULL;
	int ret = queue_tasks(c->queue, r->born, &f, see_held, &h, err);

	if (ret == 0 && h.nodes.n)
		reaper = reaper_new(&o);
	for (size_t i = 0; i < h.nodes.n && ret == 0; i++) {
		ret = reaper_node(reaper, c->queue, h.nodes.p[i], err);
		if (ret > 0)
			ret = count_pending(c, r->born, &h, i, count, err);
	}
	reaper_free(reaper);
	for (size_t i = 0; i < h.nodes.n; i++)
		free(h.nodes.p[i]);
	vec_release(&h.nodes);
	vec_release(&h.tasks);
	return ret;
}

/* ---- some of the failed ones ------------------------------------------------------------ */

struct page {
	const char *prefix; /* of the labels wanted */
	VEC(struct range) ranges;
	int64_t last;
	size_t seen;
};

static int see_failed(void *ctx, const struct task *t)
{
	struct page *p = ctx;

	p->seen++;
	p->last = t->n;
	if (!str_starts(t->label, p->prefix))
		return 0;
	if (p->ranges.n && p->ranges.p[p->ranges.n - 1].last == t->n - 1)
		p->ranges.p[p->ranges.n - 1].last = t->n;
	else
		*vec_push(&p->ranges) = (struct range){ t->n, t->n };
	return 0;
}

/* The queue has one state for failed(...) and complete(code != 0); the label tells them apart. */
static int reset_by_label(const struct control *c, const struct control_reset *r,
			  const char *prefix, int64_t *count, struct err *err)
{
	struct task_filter f = { .ranges = r->ranges, .states = 1U << TASK_FAILED, .limit = PAGE };
	struct page p = { .prefix = prefix };
	int ret;

	do {
		struct ranges some;

		p.seen = p.ranges.n = 0;
		ret = queue_tasks(c->queue, r->born, &f, see_failed, &p, err);
		some = (struct ranges){ .p = p.ranges.p, .n = p.ranges.n };
		if (ret == 0 && some.n)
			ret = reset_batches(c, r, &some, 1U << TASK_FAILED, NULL, count, err);
		f.after = p.last;
	} while (ret == 0 && p.seen == PAGE);
	vec_release(&p.ranges);
	return ret;
}

/* ---- all of it -------------------------------------------------------------------------- */

static int reset_steps(const struct control *c, const struct control_reset *r, int64_t *count,
		       struct err *err)
{
	const unsigned both = CONTROL_FAILED | CONTROL_COMPLETE;
	unsigned states = (r->what & CONTROL_KILLED ? 1U << TASK_KILLED : 0) |
			  (r->what & CONTROL_SUCCEEDED ? 1U << TASK_SUCCEEDED : 0) |
			  ((r->what & both) == both ? 1U << TASK_FAILED : 0);

	if ((states || r->owner) &&
	    reset_batches(c, r, &r->ranges, states, r->owner, count, err) < 0)
		return -1;
	if ((r->what & both) == CONTROL_FAILED &&
	    reset_by_label(c, r, "failed(", count, err) < 0)
		return -1;
	if ((r->what & both) == CONTROL_COMPLETE &&
	    reset_by_label(c, r, "complete(", count, err) < 0)
		return -1;
	/* Last, so that a task that is lost for good now is not counted and reset once more. */
	if (r->what & CONTROL_CLAIMED)
		return reap_holders(c, r, count, err);
	return 0;
}

int control_reset(const struct control *c, const struct control_reset *r, int64_t *count,
		  struct err *err)
{
	int ret;

	*count = 0;
	ret = reset_steps(c, r, count, err);
	if (*count) {
		control_ring_nodes(c);
		control_ring_watchers(c, r->born);
	}
	return ret;
}
