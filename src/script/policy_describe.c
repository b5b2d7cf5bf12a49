/* What a bundle holds, for people and for checks. */
#include <string.h>

#include "base/base.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/policy_impl.h"
#include "script/policy_lua.h"
#include "script/sandbox_view.h"

enum { DESCRIBE_MS = 100 };

struct describe {
	const struct policy_lua *p;
	struct buf *out;
};

static void push_part(lua_State *L, const struct policy_part *part)
{
	lua_Integer n = 0;

	lua_createtable(L, 0, 6);
	script_set_str(L, "name", part->from->name);
	lua_rawgeti(L, LUA_REGISTRYINDEX, part->table);
	lua_getfield(L, -1, "summary");
	lua_remove(L, -2);
	lua_setfield(L, -2, "summary");
	lua_rawgeti(L, LUA_REGISTRYINDEX, part->options);
	lua_setfield(L, -2, "options");
	script_set_bool(L, "same", part->wants & POLICY_SAME);
	lua_newtable(L);
	for (size_t i = 0; i < HOOKS; i++) {
		if (part->hook[i] == LUA_NOREF)
			continue;
		lua_pushstring(L, policy_hook_names[i]);
		lua_rawseti(L, -2, ++n);
	}
	lua_setfield(L, -2, "hooks");
}

static int describe_body(lua_State *L)
{
	const struct describe *d = lua_touserdata(L, 1);

	luaL_checkstack(L, 10, NULL);
	lua_createtable(L, (int)d->p->n, 0);
	for (size_t i = 0; i < d->p->n; i++) {
		push_part(L, &d->p->parts[i]);
		lua_rawseti(L, 2, (lua_Integer)i + 1);
	}
	script_add_json(L, 2, d->out, BUNDLE_MAX);
	return 0;
}

int policy_lua_describe(struct policy *base, struct buf *out, struct err *err)
{
	struct policy_lua *p = container_of(base, struct policy_lua, base);
	struct describe d = { p, out };
	size_t before = out->n;

	if (!p->s && policy_state_build(p, err) < 0)
		return -1;
	lua_settop(p->s->L, 0);
	lua_pushcfunction(p->s->L, describe_body);
	lua_pushlightuserdata(p->s->L, &d);
	if (sandbox_call(p->s, 1, 0, DESCRIBE_MS, err) == 0)
		return 0;
	out->n = before;
	policy_state_close(p);
	return -1;
}
