/*
 * kubeque.events: the end of jobs, told to their policies (work/events.h).
 *   events.over(born) -> {job = id, env = {NAME = value}, effects = {...}}: what the policy wants;
 *     false: the job is not over, or told already. nil, text, code: its hook broke ("script"), ...
 *   events.told(born) -> true: it is marked as told
 *   events.tell(born, seconds) -> true: a process of its own is started that does all this, unless
 *     another one has done so after these seconds
 */
#include "work/events.h"

#include "base/base.h"
#include "base/id.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/session.h"
#include "work/deliver.h"

struct over {
	struct buf env, effects;
	struct job job;
};

static int over_close(lua_State *L)
{
	struct over *o = luaL_checkudata(L, 1, "kubeque.over");

	buf_release(&o->env);
	buf_release(&o->effects);
	job_release(&o->job);
	return 0;
}

static struct over *new_over(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct over *o;

	script_metatable(L, "kubeque.over", none, over_close);
	o = lua_newuserdatauv(L, sizeof(*o), 0);
	*o = (struct over){ .env = BUF_INIT, .effects = BUF_INIT };
	luaL_setmetatable(L, "kubeque.over");
	lua_toclose(L, -1);
	return o;
}

static int over_(lua_State *L)
{
	int64_t born = script_check_born(L, 1);
	struct err err = ERR_INIT;
	struct queue *q = session_queue(L, &err);
	struct policy *p = q ? session_policy(L, &err) : NULL;
	struct over *o;
	int ret;

	if (!p)
		return script_fail(L, &err);
	luaL_checkstack(L, 10, NULL);
	o = new_over(L);
	ret = queue_job_get(q, born, &o->job, &err);
	if (ret < 0)
		return script_fail(L, &err);
	if (ret == 0 || o->job.state != JOB_OVER || o->job.told) {
		lua_pushboolean(L, 0);
		return 1;
	}
	if (events_wanted(p, &o->job) &&
	    events_ask_over(p, q, &o->job, &o->env, &o->effects, &err) < 0 && !o->effects.n)
		return script_fail(L, &err);
	lua_createtable(L, 0, 3);
	script_set_str(L, "job", o->job.id);
	script_set_json(L, "env", o->env.n ? o->env.p : "{}");
	script_set_json(L, "effects", o->effects.n ? o->effects.p : "[]");
	return 1;
}

static int told_(lua_State *L)
{
	int64_t born = script_check_born(L, 1);
	struct err err = ERR_INIT;
	struct queue *q = session_queue(L, &err);

	if (!q || queue_job_told(q, born, id_u64(), &err) < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static int tell_(lua_State *L)
{
	int64_t born = script_check_born(L, 1), patience = script_check_ms(L, 2);
	struct err err = ERR_INIT;
	struct session *s = session_get(L, &err);
	struct deliver_options o = { .log_fd = -1 };
	struct deliver *d;

	if (!s)
		return script_fail(L, &err);
	o.home = s->home;
	d = deliver_new(&o);
	deliver_over(d, born, patience);
	deliver_free(d);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg events_functions[] = {
	{ "over", over_ },
	{ "tell", tell_ },
	{ "told", told_ },
	{ NULL, NULL },
};

void lib_events(lua_State *L)
{
	script_lib(L, "events", events_functions);
}
