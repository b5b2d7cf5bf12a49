#include "work/asked.h"

#include <string.h>

#include "base/base.h"

const char *policy_action_name(enum policy_action a)
{
	switch (a) {
	case POLICY_RETRY: return "retry";
	case POLICY_FAIL: return "fail";
	case POLICY_COMPLETE: return "complete";
	case POLICY_WAIT: return "wait";
	}
	return "fail";
}

static void add_text(struct buf *out, const char *key, const char *text)
{
	buf_addf(out, ",\"%s\":", key);
	buf_add_json(out, text, strlen(text));
}

/* A member that is JSON already. */
static void add_object(struct buf *out, const char *key, const char *json)
{
	buf_addf(out, ",\"%s\":%s", key, json && *json ? json : "{}");
}

static void add_node(struct buf *out, const struct node *n)
{
	buf_adds(out, ",\"node\":{\"id\":");
	buf_add_json(out, n->id, strlen(n->id));
	add_text(out, "state", node_state_name(n->state));
	add_text(out, "cluster", n->cluster ? n->cluster : "");
	add_object(out, "cap", n->cap);
	add_object(out, "info", n->info);
	buf_addf(out, ",\"waits\":%d,\"registered\":%lld,\"running\":%lld,\"memory\":%lld}",
		 n->waits, (long long)n->t, (long long)n->running, (long long)n->memory);
}

static void add_answer(struct buf *out, const struct policy_verdict *v)
{
	buf_addf(out, ",\"answer\":{\"action\":\"%s\"", policy_action_name(v->action));
	if (v->after_ms)
		buf_addf(out, ",\"after\":%lld.%03d", (long long)(v->after_ms / 1000),
			 (int)(v->after_ms % 1000));
	if (v->free)
		buf_adds(out, ",\"free\":true");
	if (v->elsewhere)
		buf_adds(out, ",\"elsewhere\":true");
	if (v->stop)
		buf_adds(out, ",\"stop\":true");
	if (v->class)
		add_object(out, "class", v->class);
	if (*v->note)
		add_text(out, "note", v->note);
	buf_addch(out, '}');
}

void asked_begin(struct buf *out, const struct policy_view *v, const struct node *lost,
		 const struct policy_verdict *verdict, const char *broke)
{
	const struct task *t = v->task;

	buf_addf(out, "{\"tries\":%d,\"free\":%d,\"lost\":%d,\"retries\":%d,\"same\":%lld",
		 t->tries, t->free, t->lost, v->retries, (long long)v->same);
	add_object(out, "class", v->class);
	if (lost)
		add_node(out, lost);
	add_answer(out, verdict);
	if (broke)
		add_text(out, "broke", broke);
}

void asked_end(struct buf *out, const char *bounded)
{
	if (bounded)
		add_text(out, "bounded", bounded);
	buf_addch(out, '}');
}
