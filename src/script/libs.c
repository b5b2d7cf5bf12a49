#include "script/libs.h"

#include <lua-cjson.h>

#include "base/base.h"
#include "script/lazy.h"

static const struct {
	const char *name;
	void (*open)(lua_State *L);
} libs[] = {
#define LIB_ENTRY(name) { #name, lib_##name },
	LIBS(LIB_ENTRY)
};

void libs_open(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(L, luaopen_cjson);
	lua_setfield(L, -2, "cjson");
	lua_pop(L, 1);

	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_newtable(L);
	for (size_t i = 0; i < ARRAY_SIZE(libs); i++)
		libs[i].open(L);
	lazy_open(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "kubeque");
	lua_setglobal(L, "kubeque");
	lua_pop(L, 1);
}

void script_lib(lua_State *L, const char *name, const luaL_Reg *reg)
{
	luaL_getsubtable(L, -1, name);
	luaL_setfuncs(L, reg, 0);
	lua_pop(L, 1);
}

void script_metatable(lua_State *L, const char *name, const luaL_Reg *methods,
		      lua_CFunction close)
{
	int top = lua_gettop(L);

	/* Registered when it is whole: memory may end on the way. */
	if (luaL_getmetatable(L, name) == LUA_TNIL) {
		lua_createtable(L, 0, 6);
		lua_pushstring(L, name);
		lua_setfield(L, -2, "__name");
		lua_newtable(L);
		luaL_setfuncs(L, methods, 0);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, close);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, close);
		lua_setfield(L, -2, "__close");
		lua_pushliteral(L, "kubeque");
		lua_setfield(L, -2, "__metatable");
		lua_setfield(L, LUA_REGISTRYINDEX, name);
	}
	lua_settop(L, top);
}
