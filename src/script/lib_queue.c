/*
 * kubeque.queue: reading the queue; its tasks are in lib_queue_tasks.c. Rows are tables as rows.h
 * lists them; jobs are named by `born` but in queue.job. "Not there" is nil, text, "not_found".
 */
#include <string.h>

#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/rows.h"
#include "script/session.h"
#include "sys/machine.h"

/* Pushes what was found and releases it. */
static int give_job(lua_State *L, struct job *j)
{
	int ret = script_push(L, rows_push_job, j);

	job_release(j);
	if (ret < 0)
		lua_error(L);
	return 1;
}

static int last_job(struct queue *q, struct job *out, struct err *err)
{
	struct user user;
	int ret;

	user_get(&user);
	ret = queue_job_last(q, user.name, out, err);
	user_release(&user);
	return ret;
}

/* queue.job(id | "LAST") -> job */
static int queue_job_(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *id = script_check_text(L, 1);
	struct queue *q;
	struct job j;
	int found;

	luaL_checkstack(L, 8, NULL);
	q = session_queue(L, &err);
	if (!q)
		return script_fail(L, &err);
	found = strcmp(id, "LAST") == 0 ? last_job(q, &j, &err) : queue_job_by_id(q, id, &j, &err);
	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "no job %s", id);
	return found > 0 ? give_job(L, &j) : script_fail(L, &err);
}

/* queue.job_by_born(born) -> job */
static int queue_job_by_born(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_born(L, 1);
	struct queue *q;
	struct job j;
	int found;

	luaL_checkstack(L, 8, NULL);
	q = session_queue(L, &err);
	if (!q)
		return script_fail(L, &err);
	found = queue_job_get(q, born, &j, &err);
	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "the job is gone");
	return found > 0 ? give_job(L, &j) : script_fail(L, &err);
}

static int add_job(void *ctx, const struct job *j)
{
	return script_list_add(ctx, rows_push_job, j);
}

static int add_node(void *ctx, const struct node *n)
{
	return script_list_add(ctx, rows_push_node, n);
}

static unsigned job_state_bit(const char *name)
{
	for (enum job_state s = JOB_OPEN; s <= JOB_OVER; s++)
		if (strcmp(name, job_state_name(s)) == 0)
			return 1U << s;
	return 0;
}

/* queue.jobs{pattern=, user=, cluster=, states=, before=, limit=} -> jobs, newest first. `before`
 * is `bound` of the last one of the page before. */
static int queue_jobs_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct job_filter f = { 0 };
	int states = 0;
	int64_t limit = 0;
	const struct opt opts[] = {
		{ "pattern", .str = &f.pattern },
		{ "user", .str = &f.user },
		{ "cluster", .str = &f.cluster },
		{ "states", .table = &states },
		{ "before", .i64 = &f.before },
		{ "limit", .i64 = &limit, .hi = 1000000000 },
	};
	struct script_list list;
	struct queue *q;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	f.limit = (size_t)limit;
	f.states = script_check_states(L, states, job_state_bit);
	q = session_queue(L, &err);
	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_jobs(q, &f, add_job, &list, &err), &err);
}

struct counts {
	lua_State *L;
	int table;
	const char *label;
	int64_t count;
	bool failed;
};

static int counts_body(lua_State *L)
{
	const struct counts *c = lua_touserdata(L, 2);

	lua_pushinteger(L, c->count);
	lua_setfield(L, 1, c->label);
	return 0;
}

static int add_count(void *ctx, const char *label, int64_t count)
{
	struct counts *c = ctx;

	c->label = label;
	c->count = count;
	lua_pushcfunction(c->L, counts_body);
	lua_pushvalue(c->L, c->table);
	lua_pushlightuserdata(c->L, c);
	if (lua_pcall(c->L, 2, 0, 0) == LUA_OK)
		return 0;
	c->failed = true;
	return -1;
}

/* queue.counts(born) -> {label = count} */
static int queue_counts_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct counts c = { .L = L };
	int64_t born = script_check_born(L, 1);
	struct queue *q = session_queue(L, &err);
	int ret;

	if (!q)
		return script_fail(L, &err);
	luaL_checkstack(L, 10, NULL);
	lua_newtable(L);
	c.table = lua_gettop(L);
	ret = queue_counts(q, born, add_count, &c, &err);
	if (c.failed)
		lua_error(L);
	return ret < 0 ? script_fail(L, &err) : 1;
}

/* queue.nodes([cluster]) -> nodes */
static int queue_nodes_(lua_State *L)
{
	struct err err = ERR_INIT;
	const char *cluster = script_opt_text(L, 1, NULL);
	struct queue *q = session_queue(L, &err);
	struct script_list list;

	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_nodes(q, cluster, add_node, &list, &err), &err);
}

static void push_event(lua_State *L, const void *p)
{
	const struct event *e = p;

	lua_createtable(L, 0, 6);
	script_set_i64(L, "seq", e->seq);
	script_set_i64(L, "t", e->t);
	script_set_i64(L, "job", e->job);
	script_set_i64(L, "n", e->n);
	script_set_str(L, "kind", e->kind);
	script_set_str(L, "text", e->text);
}

static int add_event(void *ctx, const struct event *e)
{
	return script_list_add(ctx, push_event, e);
}

/* queue.events(born[, after]) -> events of a job (0: of nodes, too) with seq > after */
static int queue_events_(lua_State *L)
{
	struct err err = ERR_INIT;
	int64_t born = script_check_i64(L, 1, 0, INT64_MAX);
	int64_t after = lua_isnoneornil(L, 2) ? 0 : script_check_i64(L, 2, 0, INT64_MAX);
	struct queue *q = session_queue(L, &err);
	struct script_list list;

	if (!q)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	return script_list_give(&list, queue_events(q, born, after, add_event, &list, &err), &err);
}

/* queue.event_add{job=, n=, kind=, text=} -> true */
static int queue_event_add_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct event e = { .text = "" };
	const struct opt opts[] = {
		{ "job", .i64 = &e.job },
		{ "n", .i64 = &e.n },
		{ "kind", .str = &e.kind, .required = true },
		{ "text", .str = &e.text },
	};
	struct queue *q;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	q = session_queue(L, &err);
	if (!q || queue_event_add(q, &e, &err) < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* queue.change() -> a number that moves when somebody else wrote something */
static int queue_change_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct queue *q = session_queue(L, &err);

	if (!q)
		return script_fail(L, &err);
	lua_pushinteger(L, queue_change(q));
	return 1;
}

/* queue.uuid() -> 32 hex digits */
static int queue_uuid_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct queue *q = session_queue(L, &err);

	if (!q)
		return script_fail(L, &err);
	lua_pushstring(L, queue_uuid(q));
	return 1;
}

static const luaL_Reg queue_functions[] = {
	{ "change", queue_change_ },
	{ "counts", queue_counts_ },
	{ "event_add", queue_event_add_ },
	{ "events", queue_events_ },
	{ "job", queue_job_ },
	{ "job_by_born", queue_job_by_born },
	{ "jobs", queue_jobs_ },
	{ "nodes", queue_nodes_ },
	{ "uuid", queue_uuid_ },
	{ NULL, NULL },
};

void lib_queue(lua_State *L)
{
	script_lib(L, "queue", queue_functions);
}
