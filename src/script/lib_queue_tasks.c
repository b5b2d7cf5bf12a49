/*
 * kubeque.queue, tasks: reading tasks and their attempts (lib_queue.c has the rest).
 */
#include <inttypes.h>
#include <string.h>

#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/ranges.h"
#include "script/rows.h"
#include "script/session.h"

static int64_t check_n(lua_State *L, int idx)
{
	return script_check_i64(L, idx, 0, INT64_MAX);
}

static int add_task(void *ctx, const struct task *t)
{
	return script_list_add(ctx, rows_push_task, t);
}

static int add_attempt(void *ctx, const struct attempt *a)
{
	return script_list_add(ctx, rows_push_attempt, a);
}

/* "claimed" is what users see of claimed and ended ones. */
static unsigned task_state_bit(const char *name)
{
	static const enum task_state states[] = { TASK_PENDING, TASK_ENDED, TASK_SUCCEEDED,
						  TASK_FAILED, TASK_KILLED };

	if (strcmp(name, "claimed") == 0)
		return 1U << TASK_CLAIMED | 1U << TASK_ENDED;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(name, task_state_name(states[i])) == 0)
			return 1U << states[i];
	return 0;
}

/* queue.tasks(born, {ranges=, states=, label=, after=, limit=}) -> tasks in order of n */
static int queue_tasks_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct task_filter f = { .ranges = RANGES_INIT };
	const char *ranges = NULL;
	int states = 0;
	int64_t limit = 0, born = script_check_born(L, 1);
	const struct opt opts[] = {
		{ "ranges", .str = &ranges },
		{ "states", .table = &states },
		{ "label", .str = &f.label },
		{ "after", .i64 = &f.after },
		{ "limit", .i64 = &limit, .hi = 1000000000 },
	};
	struct script_list list;
	struct queue *q;

	script_options(L, 2, opts, ARRAY_SIZE(opts));
	f.limit = (size_t)limit;
	f.states = script_check_states(L, states, task_state_bit);
	if (ranges && script_ranges(L, ranges, &f.ranges, &err) < 0)
		return script_fail(L, &err);
	q = session_queue(L, &err);
	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_tasks(q, born, &f, add_task, &list, &err), &err);
}

/* queue.task(born, n) -> task */
static int queue_task_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_born(L, 1), n = check_n(L, 2);
	struct queue *q = session_queue(L, &err);
	struct task t;
	int found = q ? queue_task_get(q, born, n, &t, &err) : -1;

	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "no task %" PRId64, n);
	if (found <= 0)
		return script_fail(L, &err);
	rows_push_task(L, &t);
	return 1;
}

/* queue.attempts(born, n) -> attempts, oldest first */
static int queue_attempts_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_born(L, 1), n = check_n(L, 2);
	struct queue *q = session_queue(L, &err);
	struct script_list list;

	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_attempts(q, born, n, add_attempt, &list, &err), &err);
}

/* queue.attempt(born, n[, k]) -> attempt k, or the accepted one, or else the last one */
static int queue_attempt_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_born(L, 1), n = check_n(L, 2);
	int64_t k = lua_isnoneornil(L, 3) ? 0 : check_n(L, 3);
	struct queue *q = session_queue(L, &err);
	struct attempt a;
	int found, ret;

	luaL_checkstack(L, 8, NULL);
	found = q ? queue_attempt_get(q, born, n, k, &a, &err) : -1;
	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "task %" PRId64 " has no such attempt", n);
	if (found <= 0)
		return script_fail(L, &err);
	ret = script_push(L, rows_push_attempt, &a);
	attempt_release(&a);
	if (ret < 0)
		lua_error(L);
	return 1;
}

struct asked {
	int64_t k;
	const char *text;
};
static void push_asked(lua_State *L, const void *p)
{
	const struct asked *a = p;

	lua_createtable(L, 0, 2);
	script_set_i64(L, "k", a->k);
	script_set_str(L, "text", a->text);
}

static int add_asked(void *ctx, int64_t k, const char *text)
{
	const struct asked a = { k, text };

	return script_list_add(ctx, push_asked, &a);
}

/* queue.asked(born, n) -> {{k =, text =}}: what the job's policy was asked about each attempt and
 * answered (JSON, see work/asked.h); none for a job without a policy of its own */
static int queue_asked_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_born(L, 1), n = check_n(L, 2);
	struct queue *q = session_queue(L, &err);
	struct script_list list;

	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_asked(q, born, n, add_asked, &list, &err), &err);
}

/* queue.held(node) -> the tasks it holds, over all jobs */
static int queue_held_(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *node = script_check_text(L, 1);
	struct queue *q = session_queue(L, &err);
	struct script_list list;

	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_held(q, node, add_task, &list, &err), &err);
}

void lib_queue_tasks(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "asked", queue_asked_ },
		{ "attempt", queue_attempt_ },
		{ "attempts", queue_attempts_ },
		{ "held", queue_held_ },
		{ "task", queue_task_ },
		{ "tasks", queue_tasks_ },
		{ NULL, NULL },
	};

	script_lib(L, "queue", functions);
}
