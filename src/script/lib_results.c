/*
 * kubeque.results: where the published files of a job are. `job` is a job table.
 *   results.dir(job) -> path of the directory of the whole job
 *   results.path(job, n) -> directory of the accepted attempt of task n, or nil
 *   results.stdout(job, n[, k]) -> path of the stdout.txt of attempt k (default: the accepted, else
 *   the last, which may still run), or nil
 *   results.settle(job) -> true: what the queue accepted is published, if its node was not so far
 */
#include "work/results.h"

#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/session.h"
#include "work/salvage.h"

#define RESULTS_META "kubeque.results"
#define PATH_META "kubeque.path"

static int close_results(lua_State *L)
{
	struct results **r = luaL_checkudata(L, 1, RESULTS_META);

	if (*r)
		results_close(*r);
	*r = NULL;
	return 0;
}

static int close_path(lua_State *L)
{
	char **path = luaL_checkudata(L, 1, PATH_META);

	free(*path);
	*path = NULL;
	return 0;
}

/* [-0, +1] info.results of the job table at 1. */
static const char *check_dir(lua_State *L)
{
	const char *dir = NULL;

	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_getfield(L, 1, "info") == LUA_TTABLE) {
		lua_getfield(L, -1, "results");
		dir = lua_tostring(L, -1);
		lua_remove(L, -2);
	}
	if (!dir || dir[0] != '/')
		luaL_argerror(L, 1, "a job with a results directory expected");
	return dir;
}

static int64_t check_field(lua_State *L, const char *name)
{
	int ok;
	lua_Integer v;

	lua_getfield(L, 1, name);
	v = lua_tointegerx(L, -1, &ok);
	if (!ok || v < 1)
		luaL_error(L, "a job table expected: '%s' is missing", name);
	lua_pop(L, 1);
	return v;
}

/* [-0, +3 or more] Opens the results of the job at 1 for reading; they close when the function
 * ends. 1, 0: there is none yet, -1. */
static int find(lua_State *L, struct queue *q, struct results **out, struct err *err)
{
	const char *dir = check_dir(L);
	struct results_id id = { .queue = queue_uuid(q), .born = check_field(L, "born") };
	struct results **r;
	int found;

	lua_getfield(L, 1, "id");
	id.job = luaL_checkstring(L, -1);
	r = lua_newuserdatauv(L, sizeof(struct results *), 0);
	*r = NULL;
	luaL_setmetatable(L, RESULTS_META);
	lua_toclose(L, -1);
	found = results_find(dir, &id, r, err);
	*out = *r;
	return found;
}

/* The attempt whose files stand for task n now: 1, 0 none was made yet, -1. */
static int current_attempt(struct queue *q, int64_t born, int64_t n, int64_t *k, struct err *err)
{
	struct task t;
	int found = queue_task_get(q, born, n, &t, err);

	if (found <= 0)
		return found;
	*k = t.acc && !task_is_open(t.state) ? t.acc : t.attempt;
	return *k > 0;
}

static int results_dir_(lua_State *L)
{
	check_dir(L);
	return 1;
}

/* Common part of path and stdout. */
static int locate(lua_State *L, int64_t k,
		  int (*fn)(const struct results *r, int64_t n, int64_t k, char **path,
			    struct err *err))
{
	struct err err = ERR_INIT;
	int64_t n = script_check_i64(L, 2, 1, INT64_MAX);
	struct queue *q = session_queue(L, &err);
	char **path = lua_newuserdatauv(L, sizeof(char *), 0);
	struct results *r = NULL;
	int found;

	*path = NULL;
	luaL_setmetatable(L, PATH_META);
	lua_toclose(L, -1);
	if (!q)
		return script_fail(L, &err);
	found = k ? 1 : current_attempt(q, check_field(L, "born"), n, &k, &err);
	if (found > 0)
		found = find(L, q, &r, &err);
	if (found > 0)
		found = fn(r, n, k, path, &err);
	if (found < 0)
		return script_fail(L, &err);
	if (found == 0)
		lua_pushnil(L);
	else
		lua_pushstring(L, *path);
	return 1;
}

static int results_path_(lua_State *L)
{
	return locate(L, 0, results_locate);
}

static int results_stdout_(lua_State *L)
{
	return locate(L, lua_isnoneornil(L, 3) ? 0 : script_check_i64(L, 3, 1, INT64_MAX),
		      results_stdout);
}

static int results_settle_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct queue *q = session_queue(L, &err);
	struct results *r = NULL;
	int ret;

	if (!q)
		return script_fail(L, &err);
	ret = find(L, q, &r, &err);
	if (ret > 0)
		ret = salvage_results(q, r, check_field(L, "born"), &err);
	if (ret < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg results_functions[] = {
	{ "dir", results_dir_ },
	{ "path", results_path_ },
	{ "settle", results_settle_ },
	{ "stdout", results_stdout_ },
	{ NULL, NULL },
};

void lib_results(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, RESULTS_META, none, close_results);
	script_metatable(L, PATH_META, none, close_path);
	script_lib(L, "results", results_functions);
}
