#include "work/policy.h"

#include <stdio.h>

#include "base/base.h"
#include "model/class.h"

enum { FIRST_PAUSE_MS = 1000, PAUSE_MAX_MS = 60 * 1000 };
static const int64_t delay_max_ms = (int64_t)24 * 3600 * 1000;

static void say(struct policy_verdict *out, const char *text)
{
	(void)snprintf(out->note, sizeof(out->note), "%s", text);
}

static int64_t growing_pause(int tries)
{
	int64_t ms = FIRST_PAUSE_MS;

	for (int i = 0; i < tries && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	return MIN(ms, PAUSE_MAX_MS);
}

void policy_stock(const struct policy_view *v, struct policy_verdict *out)
{
	const struct attempt *a = v->attempt;

	*out = (struct policy_verdict){ .action = POLICY_FAIL };
	if (a->cause == CAUSE_LOST) {
		out->action = POLICY_RETRY;
		out->free = true;
		say(out, "its node was lost: tried again");
	} else if (a->exit_code == 126 || a->exit_code == 127) {
		say(out, "the program cannot be run: trying again would not help");
	} else if (a->cause == CAUSE_MISSING_INPUT || a->cause == CAUSE_OUTPUT ||
		   a->cause == CAUSE_IMAGE) {
		say(out, "trying again would not help");
	} else if (v->task->tries < v->retries) {
		out->action = POLICY_RETRY;
		out->after_ms = growing_pause(v->task->tries);
		(void)snprintf(out->note, sizeof(out->note), "retry %d of %d after %lld ms",
			       v->task->tries + 1, v->retries, (long long)out->after_ms);
	} else {
		say(out, v->retries ? "no retries left" : "no retries were asked for");
	}
}

void policy_clamp(const struct policy_view *v, struct policy_verdict *out)
{
	struct err err = ERR_INIT;
	struct class class;

	if (out->after_ms < 0)
		out->after_ms = 0;
	if (out->after_ms > delay_max_ms)
		out->after_ms = delay_max_ms;
	if (out->action == POLICY_WAIT && v->attempt->cause != CAUSE_LOST)
		out->action = POLICY_FAIL;
	/* a task that is lost has a count of its own */
	if (out->action == POLICY_RETRY && v->attempt->cause != CAUSE_LOST &&
	    (out->free ? v->task->free >= FREE_MAX : v->task->tries >= TRIES_MAX)) {
		out->action = POLICY_FAIL;
		say(out, out->free ? "tried again without counting too often"
				   : "tried as often as is allowed");
	}
	if (out->action != POLICY_RETRY || (out->class && class_parse_json(out->class, &class,
									   &err) < 0)) {
		free(out->class);
		out->class = NULL;
	}
}

static int stock_failed(struct policy *p, const struct policy_view *v, struct policy_verdict *out,
			struct err *err)
{
	(void)p;
	(void)err;
	policy_stock(v, out);
	return 0;
}

static int stock_lost(struct policy *p, const struct policy_view *v, const struct node *node,
		      struct policy_verdict *out, struct err *err)
{
	(void)p;
	(void)node;
	(void)err;
	policy_stock(v, out);
	return 0;
}

static int stock_scale(struct policy *p, const struct policy_scale *s, int64_t *target,
		       struct err *err)
{
	(void)p;
	(void)err;
	*target = s->wanted ? s->wanted : s->pending + s->running > 0 ? MAX(s->nodes, 1) : -1;
	return 0;
}

static void stock_close(struct policy *p)
{
	free(p);
}

struct policy *policy_stock_new(void)
{
	static const struct policy_ops ops = {
		.name = "stock",
		.task_failed = stock_failed,
		.task_lost = stock_lost,
		.scale = stock_scale,
		.close = stock_close,
	};
	struct policy *p = xcalloc(1, sizeof(*p));

	p->ops = &ops;
	return p;
}
