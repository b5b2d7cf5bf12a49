/* The policy that clients ask: about tasks of dead nodes, and how many nodes to have. A file of its
 * own: few need it. */
#include "base/base.h"
#include "script/libs.h"
#include "script/policy_router.h"
#include "script/session.h"

#define POLICY_META "kubeque.session.policy"

static int close_policy(lua_State *L)
{
	struct policy **p = luaL_checkudata(L, 1, POLICY_META);

	policy_close(*p);
	*p = NULL;
	return 0;
}

struct policy *session_policy(lua_State *L, struct err *err)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct policy **p;

	if (lua_getfield(L, LUA_REGISTRYINDEX, POLICY_META ".one") != LUA_TUSERDATA) {
		script_metatable(L, POLICY_META, none, close_policy);
		p = lua_newuserdatauv(L, sizeof(struct policy *), 0);
		*p = NULL;
		luaL_setmetatable(L, POLICY_META);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, POLICY_META ".one");
		lua_remove(L, -2);
	}
	p = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (!*p) {
		const struct session *s = session_get(L, err);

		*p = s ? policy_router_new(s->home) : NULL;
	}
	return *p;
}
