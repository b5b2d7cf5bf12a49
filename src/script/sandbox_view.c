#include "script/sandbox_view.h"

#include <lauxlib.h>

#include "base/base.h"

static char meta_key; /* registry: the metatable of views */
static char data_key; /* view[this]: the data */

bool sandbox_view_data(lua_State *L, int idx)
{
	bool yes;

	if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	yes = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	if (yes)
		lua_rawgetp(L, idx, &data_key);
	return yes;
}

void sandbox_read_only(lua_State *L)
{
	luaL_checkstack(L, 4, NULL);
	lua_createtable(L, 0, 1);
	lua_insert(L, -2);
	lua_rawsetp(L, -2, &data_key);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	lua_setmetatable(L, -2);
}

void sandbox_view_value(lua_State *L, int data)
{
	if (lua_type(L, -1) != LUA_TTABLE)
		return;
	if (sandbox_view_data(L, lua_gettop(L))) {
		lua_pop(L, 1);
		return;
	}
	sandbox_read_only(L);
	lua_pushvalue(L, -2); /* key */
	lua_pushvalue(L, -2);
	lua_rawset(L, data); /* an existing key: allowed while it is walked */
}

const char *sandbox_key_name(lua_State *L, int idx)
{
	int type = lua_type(L, idx);

	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		return luaL_typename(L, idx);
	return luaL_tolstring(L, idx, NULL);
}

static int view_index(lua_State *L)
{
	lua_settop(L, 2);
	lua_rawgetp(L, 1, &data_key);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 2);
	lua_rawget(L, 3);
	sandbox_view_value(L, 3);
	return 1;
}

static int view_write(lua_State *L)
{
	return luaL_error(L, "what a hook is given cannot be changed ('%s')",
			  sandbox_key_name(L, 2));
}

static int view_len(lua_State *L)
{
	lua_rawgetp(L, 1, &data_key);
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
	return 1;
}

void sandbox_view_open(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "__index", view_index },
		{ "__newindex", view_write },
		{ "__len", view_len },
		{ NULL, NULL },
	};

	lua_createtable(L, 0, 4);
	luaL_setfuncs(L, methods, 0);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
}
