/* The policy of a node behind a mark that it is being asked: the watchdog of lease.c does not wait
 * as long for a script as for a disk. */
#include "base/base.h"
#include "work/committer_impl.h"

static struct watched_policy *begin(struct policy *base)
{
	struct watched_policy *w = container_of(base, struct watched_policy, base);

	atomic_fetch_add(w->asking, 1);
	if (w->tick) /* one after the other is no standstill, however many there are */
		atomic_fetch_add(w->tick, 1);
	return w;
}

static int end(struct watched_policy *w, int ret)
{
	atomic_fetch_sub(w->asking, 1);
	return ret;
}

static unsigned ask_wants(struct policy *base, const struct job *job)
{
	struct watched_policy *w = begin(base);
	unsigned bits = policy_wants(w->inner, job);

	(void)end(w, 0);
	return bits;
}

static int ask_failed(struct policy *base, const struct policy_view *v, struct policy_verdict *out,
		      struct err *err)
{
	struct watched_policy *w = begin(base);

	return end(w, policy_task_failed(w->inner, v, out, err));
}

static int ask_lost(struct policy *base, const struct policy_view *v, const struct node *node,
		    struct policy_verdict *out, struct err *err)
{
	struct watched_policy *w = begin(base);

	return end(w, policy_task_lost(w->inner, v, node, out, err));
}

static int ask_scale(struct policy *base, const struct policy_scale *s, int64_t *target,
		     struct err *err)
{
	struct watched_policy *w = begin(base);

	return end(w, policy_scale(w->inner, s, target, err));
}

static int ask_event(struct policy *base, const struct policy_event *e, struct buf *effects,
		     struct err *err)
{
	struct watched_policy *w = begin(base);

	return end(w, policy_event(w->inner, e, effects, err));
}

void watched_policy_init(struct watched_policy *w, struct policy *inner, atomic_int *asking,
			 atomic_uint *tick)
{
	static const struct policy_ops ops = {
		.name = "watched", .wants = ask_wants, .task_failed = ask_failed,
		.task_lost = ask_lost, .scale = ask_scale, .event = ask_event,
	};

	*w = (struct watched_policy){ .base = { &ops }, .inner = inner, .asking = asking,
				      .tick = tick };
}
