#include "script/lazy.h"

#include <string.h>

#include <lauxlib.h>

#include "base/base.h"
#include "base/str.h"
#include "script/embed.h"

/* What scripts may use of lua/kubeque: the value of kubeque.X is what kubeque/X.lua returns, or
 * its field `public` if it has one. */
static const char *const modules[] = {
	"command", "config", "job", "open", "params", "policy", "provider", "search", "shell",
	"sweep", NULL,
};

/* What is in a module of another name. */
static const struct {
	const char *name, *module;
} fields[] = {
	{ "once", "recipe" },
	{ "wait_all", "job" },
	{ "wait_any", "job" },
};

/* Tables made in C to which kubeque/X.lua adds functions, when one is asked for. */
static const char *const extended[] = { "queue", NULL };

/* Is `name` in the list, and is there a kubeque/NAME.lua? */
static bool is_module(const char *const *list, const char *name)
{
	char path[64];

	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list && snprintf(path, sizeof(path), "kubeque/%s", name) < (int)sizeof(path) &&
	       embedded_find(path);
}

/* raises, always. `table` holds the names there are; `top`: it is `kubeque` itself. */
static int unknown(lua_State *L, const char *name, const char *word, int table, bool top)
{
	struct guess g = guess_of(word);

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			guess_try(&g, lua_tostring(L, -2));
	for (size_t i = 0; top && modules[i]; i++)
		guess_try(&g, modules[i]);
	for (size_t i = 0; top && i < ARRAY_SIZE(fields); i++)
		guess_try(&g, fields[i].name);
	if (g.best)
		return luaL_error(L, "there is no %s.%s (did you mean %s.%s?)", name, word, name,
				  g.best);
	return luaL_error(L, "there is no %s.%s", name, word);
}

/* raises. [-0, +1] What kubeque/NAME.lua returns. */
static void load_module(lua_State *L, const char *name)
{
	lua_getglobal(L, "require");
	lua_pushfstring(L, "kubeque.%s", name);
	lua_call(L, 1, 1);
}

/* __index of a table below `kubeque`; upvalues: "kubeque.fs", was its script asked for? */
static int strict_index(lua_State *L)
{
	const char *name = lua_tostring(L, lua_upvalueindex(1)), *word;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	word = lua_tostring(L, 2);
	if (!lua_toboolean(L, lua_upvalueindex(2)) && strncmp(name, "kubeque.", 8) == 0 &&
	    is_module(extended, name + 8)) {
		lua_pushboolean(L, 1);
		lua_replace(L, lua_upvalueindex(2));
		load_module(L, name + 8);
		lua_settop(L, 2);
		lua_pushvalue(L, 2);
		if (lua_rawget(L, 1) != LUA_TNIL)
			return 1;
	}
	return unknown(L, name, word, 1, false);
}

/* raises. [-0, +0] Makes the table on top strict, unless it is one of its own kind. */
static void strict_once(lua_State *L, const char *word)
{
	if (lua_getmetatable(L, -1)) {
		lua_pop(L, 1);
		return;
	}
	lua_pushfstring(L, "kubeque.%s", word);
	lua_insert(L, -2);
	lazy_strict(L, lua_tostring(L, -2));
	lua_remove(L, -2);
}

/* __index of `kubeque`. */
static int lazy_index(lua_State *L)
{
	const char *word, *module = NULL, *field = "public";

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	word = lua_tostring(L, 2);
	for (size_t i = 0; i < ARRAY_SIZE(fields) && strcmp(field, "public") == 0; i++) {
		if (strcmp(fields[i].name, word) == 0) {
			module = fields[i].module;
			field = word;
		}
	}
	if (!module && !is_module(modules, word))
		return unknown(L, "kubeque", word, 1, true);
	load_module(L, module ? module : word);
	if (lua_istable(L, -1)) {
		lua_pushstring(L, field);
		if (lua_rawget(L, -2) == LUA_TNIL)
			lua_pop(L, 1);
	}
	if (lua_istable(L, -1))
		strict_once(L, word);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

void lazy_strict(lua_State *L, const char *name)
{
	lua_createtable(L, 0, 1);
	lua_pushstring(L, name);
	lua_pushboolean(L, 0);
	lua_pushcclosure(L, strict_index, 2);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

/* raises. Every table of functions in the table on top, strictly. */
static void below(lua_State *L)
{
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const char *name = lua_tostring(L, -2);

		/* `version` is data, walked by who reads it; the others are functions by name */
		if (!lua_istable(L, -1) || lua_getmetatable(L, -1) || strcmp(name, "version") == 0)
			continue;
		name = lua_pushfstring(L, "kubeque.%s", name);
		lua_insert(L, -2);
		lazy_strict(L, name);
		lua_remove(L, -2);
	}
}

void lazy_open(lua_State *L)
{
	below(L);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, lazy_index);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}
