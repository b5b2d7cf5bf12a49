/*
 * kubeque.reap{lease = seconds} -> nodes dealt with, seconds until the next look: one look at all
 * nodes of the session's store, as waiting clients, reset and clean take. The series of looks is
 * kept between calls. Policies are told what became of tasks (work/events.h).
 */
#include "work/reaper.h"

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/session.h"

#define LOOKER_META "kubeque.looker"

struct looker {
	struct reaper *reaper;
	struct events *events;
};

static int close_looker(lua_State *L)
{
	struct looker *l = luaL_checkudata(L, 1, LOOKER_META);

	reaper_free(l->reaper);
	events_free(l->events);
	*l = (struct looker){ .reaper = NULL };
	return 0;
}

/* [-0, +1] The looker of this state, made on first use; NULL with err. */
static struct looker *get_looker(lua_State *L, const char *home, int64_t lease_ms,
				 struct err *err)
{
	struct reaper_options o = { .home = home, .lease_ms = lease_ms,
				    .policy = session_policy(L, err) };
	const struct events_options eo = { .home = home, .policy = o.policy, .log_fd = -1 };
	struct looker *l;

	if (!o.policy)
		return NULL;
	if (lua_getfield(L, LUA_REGISTRYINDEX, LOOKER_META ".one") == LUA_TUSERDATA)
		return lua_touserdata(L, -1);
	lua_pop(L, 1);
	l = lua_newuserdatauv(L, sizeof(*l), 0);
	*l = (struct looker){ .reaper = NULL };
	luaL_setmetatable(L, LOOKER_META);
	l->events = o.events = events_new(&eo);
	l->reaper = reaper_new(&o);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, LOOKER_META ".one");
	return l;
}

static int reap_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct session *s = session_get(L, &err);
	struct queue *q = s ? session_queue(L, &err) : NULL;
	int64_t lease_ms = 20000, next_ms = 0;
	const struct opt opts[] = { { "lease", .ms = &lease_ms, .lo = 100 } };
	struct looker *l;
	int n;

	if (!q)
		return script_fail(L, &err);
	script_options(L, 1, opts, ARRAY_SIZE(opts));
	l = get_looker(L, s->home, lease_ms, &err);
	if (!l)
		return script_fail(L, &err);
	n = reaper_look(l->reaper, q, true, &next_ms, &err);
	(void)events_step(l->events);
	if (n < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, n);
	lua_pushnumber(L, (double)next_ms / 1000);
	return 2;
}

void lib_reap(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, LOOKER_META, none, close_looker);
	lua_pushcfunction(L, reap_);
	lua_setfield(L, -2, "reap");
}
