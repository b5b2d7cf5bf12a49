/*
 * kubeque.submitter(born) -> {env = {"NAME=value", ...}, umask =, nice =}: what the tasks of a job
 * get of who submitted it. For showing a task's surroundings to that user; never printed.
 */
#include "base/base.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/session.h"
#include "work/secret.h"

#define SECRET_META "kubeque.secret"

static int close_secret(lua_State *L)
{
	struct secret *s = luaL_checkudata(L, 1, SECRET_META);

	secret_release(s);
	return 0;
}

/* [-0, +1] Released when the function returns or raises. */
static struct secret *new_secret(lua_State *L)
{
	struct secret *s = lua_newuserdatauv(L, sizeof(*s), 0);

	*s = (struct secret){ .umask = 022 };
	luaL_setmetatable(L, SECRET_META);
	lua_toclose(L, -1);
	return s;
}

static int read_secret(struct queue *q, int64_t born, struct secret *s, struct err *err)
{
	struct job j;
	int ret = queue_job_get(q, born, &j, err);

	if (ret == 0)
		return err_set(err, ERR_NOT_FOUND, "the job is gone");
	if (ret > 0) {
		ret = secret_parse(s, j.secret, err);
		job_release(&j);
	}
	return ret;
}

static int submitter(lua_State *L)
{
	int64_t born = script_check_born(L, 1);
	struct secret *s = new_secret(L);
	struct err err = ERR_INIT;
	struct queue *q = session_queue(L, &err);

	if (!q || read_secret(q, born, s, &err) < 0)
		return script_fail(L, &err);
	lua_createtable(L, 0, 3);
	lua_createtable(L, (int)s->nenv, 0);
	for (size_t i = 0; i < s->nenv; i++) {
		lua_pushstring(L, s->env[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "env");
	script_set_i64(L, "umask", s->umask);
	script_set_i64(L, "nice", s->nice);
	return 1;
}

void lib_submitter(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, SECRET_META, none, close_secret);
	lua_pushcfunction(L, submitter);
	lua_setfield(L, -2, "submitter");
}
