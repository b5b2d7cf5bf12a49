#include "work/policy.h"

#include <stdio.h>

#include "base/base.h"

enum { PAUSE_MS = 500, PAUSE_MAX_MS = 60000, DELAY_MAX_MS = 24 * 3600 * 1000 };

/* What --retries is for: an attempt that ended badly by itself or at a limit of time or memory,
 * but not a program that is not there. */
static bool can_improve(const struct attempt *a)
{
	switch (a->cause) {
	case CAUSE_EXIT:
		return a->exit_code != 126 && a->exit_code != 127;
	case CAUSE_SIGNAL:
	case CAUSE_TIMEOUT:
	case CAUSE_OOM:
		return true;
	default:
		return false;
	}
}

static bool is_free(enum cause c)
{
	return c == CAUSE_LOST || c == CAUSE_PREEMPTED || c == CAUSE_RELEASED;
}

void policy_stock(const struct policy_view *v, struct policy_verdict *out)
{
	const struct task *t = v->task;

	*out = (struct policy_verdict){ .action = POLICY_FAIL };
	if (t->state == TASK_CLAIMED || !v->attempt || is_free(v->attempt->cause)) {
		out->action = POLICY_RETRY;
		out->free = true;
		(void)snprintf(out->note, sizeof(out->note),
			       "again: its node went away, which is not the task's fault");
	} else if (!can_improve(v->attempt)) {
		(void)snprintf(out->note, sizeof(out->note),
			       "given up: trying again cannot change this");
	} else if (t->tries < v->retries) {
		out->action = POLICY_RETRY;
		out->after_ms = MIN((int64_t)PAUSE_MS << MIN(t->tries, 20), PAUSE_MAX_MS);
		(void)snprintf(out->note, sizeof(out->note), "again: retry %d of %d", t->tries + 1,
			       v->retries);
	} else if (v->retries > 0) {
		(void)snprintf(out->note, sizeof(out->note),
			       "given up: all retries (%d) are used up",
			       v->retries);
	} else {
		(void)snprintf(out->note, sizeof(out->note),
			       "given up: no retries were asked for (--retries)");
	}
}

static void give_up(struct policy_verdict *out, const char *why)
{
	out->action = POLICY_FAIL;
	out->stop = false;
	free(out->class);
	out->class = NULL;
	(void)snprintf(out->note, sizeof(out->note), "%s", why);
}

void policy_clamp(const struct policy_view *v, struct policy_verdict *out)
{
	const struct task *t = v->task;

	if (t->state == TASK_CLAIMED && out->action == POLICY_COMPLETE)
		out->action = POLICY_RETRY; /* there is no outcome to accept */
	if (t->state != TASK_CLAIMED && out->action == POLICY_WAIT)
		give_up(out, "given up: the policy asked to wait for an attempt that has ended");
	if (out->action == POLICY_RETRY && t->state != TASK_CLAIMED) {
		if (out->free && t->free >= FREE_MAX)
			out->free = false;
		if (!out->free && t->tries >= TRIES_MAX)
			give_up(out, "given up: a task is tried again at most 10 times");
	}
	if (out->action != POLICY_RETRY || t->state == TASK_CLAIMED)
		out->elsewhere = false; /* a lost node does not come back */
	if (out->action != POLICY_RETRY) {
		free(out->class);
		out->class = NULL;
		out->free = false;
	}
	if (out->action != POLICY_FAIL && out->action != POLICY_COMPLETE)
		out->stop = false;
	out->after_ms = out->action == POLICY_RETRY ? MAX(0, MIN(out->after_ms, DELAY_MAX_MS)) : 0;
}
