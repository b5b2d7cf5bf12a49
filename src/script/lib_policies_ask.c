/*
 * kubeque.policies.ask{bundle=, job=, n=, k=, ...}: what the policies of a bundle would say of an
 * attempt that is over, with nothing done about it.
 *   bundle (JSON text), job (born), n (task), k (attempt)
 *   tries, free, lost, retries, same, class (JSON), parameters (JSON): as they were then
 *   node = {id=, state=, cluster=, cap= (JSON), info= (JSON), waits=, registered=, running=,
 *   memory=}: asks on_task_lost for this node, not on_task_failed
 * -> {action=, after= (seconds), free=, elsewhere=, stop=, class=, note=} within the law of C, but
 *    for what the nodes of the moment have; what is false, 0 or absent is left out; or nil, text,
 *    code
 */
#include "work/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/policy_lua.h"
#include "script/session.h"
#include "work/asked.h"

#define ASK_META "kubeque.question"

/* All that one question owns. */
struct question {
	struct policy *policy;
	struct job job;
	struct attempt attempt;
	struct node node;
	struct policy_verdict verdict;
};

static int close_question(lua_State *L)
{
	struct question *q = luaL_checkudata(L, 1, ASK_META);

	policy_close(q->policy);
	job_release(&q->job);
	attempt_release(&q->attempt);
	node_release(&q->node);
	free(q->verdict.class);
	*q = (struct question){ .policy = NULL };
	return 0;
}

/* [-0, +1] raises. */
static struct question *new_question(lua_State *L)
{
	struct question *q = lua_newuserdatauv(L, sizeof(*q), 0);

	*q = (struct question){ .policy = NULL };
	luaL_setmetatable(L, ASK_META);
	lua_toclose(L, -1);
	return q;
}

struct asked {
	const char *bundle;
	int64_t job, n, k, tries, free, lost, retries, same;
	const char *class, *parameters;
	struct task task;
	struct node *node; /* of the question */
	bool is_lost;
};

static enum node_state state_of(const char *name)
{
	static const enum node_state states[] = { NODE_LIVE, NODE_DRAINING, NODE_LEAVING };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(node_state_name(states[i]), name) == 0)
			return states[i];
	return NODE_LOST;
}

/* raises. */
static void read_node(lua_State *L, int idx, struct asked *a)
{
	const char *id = "", *state = "", *cluster = "", *cap = "{}", *info = "{}";
	int64_t waits = 0;
	const struct opt opts[] = {
		{ "id", .str = &id, .required = true }, { "state", .str = &state },
		{ "cluster", .str = &cluster }, { "cap", .str = &cap }, { "info", .str = &info },
		{ "waits", .i64 = &waits, .hi = 1000 },
		{ "registered", .i64 = &a->node->t, .hi = INT64_MAX },
		{ "running", .i64 = &a->node->running, .hi = INT64_MAX },
		{ "memory", .i64 = &a->node->memory, .hi = INT64_MAX },
	};

	script_options(L, idx, opts, ARRAY_SIZE(opts));
	(void)snprintf(a->node->id, sizeof(a->node->id), "%s", id);
	a->node->state = state_of(state);
	a->node->waits = (int)waits;
	a->node->cluster = xstrdup(cluster);
	a->node->cap = xstrdup(cap);
	a->node->info = xstrdup(info);
	a->is_lost = true;
}

/* raises. */
static void read_asked(lua_State *L, struct asked *a)
{
	int node = 0;
	const struct opt opts[] = {
		{ "bundle", .str = &a->bundle, .required = true },
		{ "job", .i64 = &a->job, .lo = 1, .hi = INT64_MAX, .required = true },
		{ "n", .i64 = &a->n, .lo = 1, .hi = INT32_MAX, .required = true },
		{ "k", .i64 = &a->k, .lo = 1, .hi = INT32_MAX, .required = true },
		{ "tries", .i64 = &a->tries, .hi = INT32_MAX },
		{ "free", .i64 = &a->free, .hi = INT32_MAX },
		{ "lost", .i64 = &a->lost, .hi = INT32_MAX },
		{ "retries", .i64 = &a->retries, .hi = INT32_MAX },
		{ "same", .i64 = &a->same, .hi = INT64_MAX },
		{ "class", .str = &a->class },
		{ "parameters", .str = &a->parameters },
		{ "node", .table = &node },
	};

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	if (node)
		read_node(L, node, a);
}

/* The task as it was when its policy was asked. */
static void fill_task(struct asked *a, const struct attempt *attempt)
{
	a->task = (struct task){
		.job = a->job, .n = a->n, .state = a->is_lost ? TASK_CLAIMED : TASK_ENDED,
		.attempt = a->k, .tries = (int)a->tries, .free = (int)a->free,
		.lost = (int)a->lost, .asks = 1,
	};
	(void)snprintf(a->task.node, sizeof(a->task.node), "%s", attempt->node);
}

static int ask(lua_State *L, struct question *q, struct asked *a, struct err *err)
{
	struct policy_view v = { .job = &q->job, .task = &a->task, .attempt = &q->attempt,
				 .retries = (int)a->retries, .class = a->class,
				 .parameters = a->parameters, .same = a->same };
	struct queue *queue = session_queue(L, err);
	int ret = queue ? queue_job_get(queue, a->job, &q->job, err) : -1;

	if (ret == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such job");
	if (ret > 0)
		ret = queue_attempt_get(queue, a->job, a->n, a->k, &q->attempt, err);
	if (ret == 0)
		return err_set(err, ERR_NOT_FOUND, "the task has no such attempt");
	if (ret < 0)
		return -1;
	fill_task(a, &q->attempt);
	q->policy = policy_lua_bundle(a->bundle, strlen(a->bundle), err);
	if (!q->policy)
		return -1;
	ret = a->is_lost ? policy_task_lost(q->policy, &v, a->node, &q->verdict, err) :
			   policy_task_failed(q->policy, &v, &q->verdict, err);
	if (ret == 0)
		policy_clamp(&v, &q->verdict);
	return ret;
}

static void push_verdict(lua_State *L, const struct policy_verdict *v)
{
	lua_createtable(L, 0, 6);
	script_set_str(L, "action", policy_action_name(v->action));
	if (v->after_ms)
		script_set_num(L, "after", (double)v->after_ms / 1000);
	if (v->free)
		script_set_bool(L, "free", true);
	if (v->elsewhere)
		script_set_bool(L, "elsewhere", true);
	if (v->stop)
		script_set_bool(L, "stop", true);
	if (v->class)
		script_set_json(L, "class", v->class);
	if (*v->note)
		script_set_str(L, "note", v->note);
}

static int policies_ask(lua_State *L)
{
	struct asked a = { .class = "{}", .parameters = "{}" };
	struct err err = ERR_INIT;
	struct question *q;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	q = new_question(L);
	a.node = &q->node;
	read_asked(L, &a);
	luaL_checkstack(L, 20, NULL);
	if (ask(L, q, &a, &err) < 0)
		return script_fail(L, &err);
	push_verdict(L, &q->verdict);
	return 1;
}

void lib_policies_ask(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	static const luaL_Reg functions[] = { { "ask", policies_ask }, { NULL, NULL } };

	script_metatable(L, ASK_META, none, close_question);
	script_lib(L, "policies", functions);
}
