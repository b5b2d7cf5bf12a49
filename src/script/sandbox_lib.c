#include "script/sandbox_lib.h"

#include <string.h>

#include <lualib.h>

#include "base/base.h"
#include "script/libs.h"
#include "script/sandbox.h"
#include "script/sandbox_pure.h"
#include "script/sandbox_view.h"

enum { LOAD_MAX = 256 << 10 };

/* registry */
static char seed_key;      /* the original math.randomseed */
static char globals_key;   /* the table of globals; scripts see an empty one in front of it */
static char front_key;     /* the metatable of that one */
static char kubeque_key;   /* the table behind `kubeque` */
static char constants_key; /* set of tables that cannot be changed */

/* ---- functions that are other than usual -------------------------------------------------- */

/* setmetatable without __gc: finalizers run with hooks off and could loop for ever; and without
 * weak tables, which show when memory is collected. */
static int safe_setmetatable(lua_State *L)
{
	static const char *const no[] = { "__gc", "__mode" };

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
	for (size_t i = 0; lua_istable(L, 2) && i < ARRAY_SIZE(no); i++) {
		lua_pushstring(L, no[i]);
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "%s is not allowed in a policy", no[i]);
		lua_pop(L, 1);
	}
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

/* load(text[, name[, mode[, env]]]): text only, whatever the mode says. */
static int safe_load(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	const char *name = luaL_optstring(L, 2, "=(load)");
	bool env = !lua_isnone(L, 4);

	sandbox_tick(L);
	if (n > LOAD_MAX) /* no hook is called while it compiles */
		return luaL_error(L, "load: more than %d KiB", LOAD_MAX / 1024);
	if (luaL_loadbufferx(L, text, n, name, "t") != LUA_OK) {
		luaL_pushfail(L);
		lua_insert(L, -2);
		return 2;
	}
	if (env) {
		lua_pushvalue(L, 4);
		if (!lua_setupvalue(L, -2, 1))
			lua_pop(L, 1);
	}
	return 1;
}

/*
 * xpcall that calls the handler after the error was caught. The original calls it where the error
 * is raised; when that is the hook, hooks are off and a handler could loop for ever.
 */
static int safe_xpcall(lua_State *L)
{
	int n = lua_gettop(L);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 1);
	lua_insert(L, 3); /* f, handler, f, arguments */
	if (lua_pcall(L, n - 2, LUA_MULTRET, 0) == LUA_OK) {
		lua_pushboolean(L, 1);
		lua_replace(L, 2);
		return lua_gettop(L) - 1;
	}
	lua_pushvalue(L, 2);
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

/* ---- constant tables ---------------------------------------------------------------------- */

static int no_change(lua_State *L)
{
	return luaL_error(L, "libraries cannot be changed ('%s')", sandbox_key_name(L, 2));
}

/* [-1, +1] The table on top behind one that is empty and cannot be written. */
static void make_constant(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_rotate(L, -3, -1); /* front, metatable, data */
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, no_change);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	sandbox_lib_constants(L);
	lua_pushvalue(L, -2);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void sandbox_lib_constants(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &constants_key);
}

static void constant_global(lua_State *L, const char *name)
{
	lua_getglobal(L, name);
	make_constant(L);
	lua_setglobal(L, name);
}

static void constant_field(lua_State *L, const char *name)
{
	lua_getfield(L, -1, name);
	make_constant(L);
	lua_setfield(L, -2, name);
}

/* ---- the libraries ------------------------------------------------------------------------ */

static void drop(lua_State *L, const char *table, const char *const *names)
{
	lua_getglobal(L, table);
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
	lua_pop(L, 1);
}

static void open_standard(lua_State *L)
{
	static const luaL_Reg libs[] = {
		{ LUA_GNAME, luaopen_base }, { LUA_TABLIBNAME, luaopen_table },
		{ LUA_STRLIBNAME, luaopen_string }, { LUA_MATHLIBNAME, luaopen_math },
		{ LUA_UTF8LIBNAME, luaopen_utf8 },
	};
	static const char *const no_base[] = { "dofile", "loadfile", "print", "collectgarbage",
					       "rawset", "warn", "require", NULL };
	static const char *const no_string[] = { "dump", NULL };
	static const char *const no_math[] = { "randomseed", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(libs); i++) {
		luaL_requiref(L, libs[i].name, libs[i].func, 1);
		lua_pop(L, 1);
	}
	lua_getglobal(L, "math");
	lua_getfield(L, -1, "randomseed");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &seed_key);
	lua_pop(L, 1);
	drop(L, "_G", no_base);
	drop(L, "string", no_string);
	drop(L, "math", no_math);
}

/* Upvalue: the original, called in its place so that its errors name the line. It may take a second
 * of its own, in which no hook is called: the clock is looked at first. */
static int slow_call(lua_State *L)
{
	sandbox_tick(L);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void mark_slow(lua_State *L, const char *table, const char *const *names)
{
	lua_getglobal(L, table);
	for (; *names; names++) {
		lua_getfield(L, -1, *names);
		lua_pushcclosure(L, slow_call, 1);
		lua_setfield(L, -2, *names);
	}
	lua_pop(L, 1);
}

static void replace_functions(lua_State *L)
{
	static const char *const slow_texts[] = { "pack", "packsize", "unpack", "reverse",
						  "upper", "lower", "byte", NULL };
	static const char *const slow_utf8[] = { "len", "offset", "codepoint", NULL };
	static const char *const slow_base[] = { "tonumber", NULL };

	lua_pushcfunction(L, safe_setmetatable);
	lua_setglobal(L, "setmetatable");
	lua_pushcfunction(L, safe_xpcall);
	lua_setglobal(L, "xpcall");
	lua_pushcfunction(L, safe_load);
	lua_setglobal(L, "load");
	mark_slow(L, "string", slow_texts);
	mark_slow(L, "utf8", slow_utf8);
	mark_slow(L, "_G", slow_base);
	sandbox_pure_open(L);
	sandbox_string_open(L);
	sandbox_table_open(L);
	lua_pushliteral(L, ""); /* the metatable of texts */
	lua_getmetatable(L, -1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

/* Upvalue: the table behind `kubeque`. */
static int kubeque_index(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	return luaL_error(L, "policies have no kubeque.%s: they decide, kubeque acts (there are "
			  "glob, json, policy, units)", sandbox_key_name(L, 2));
}

/* The part of kubeque that only computes. */
static void open_kubeque(lua_State *L)
{
	static const char *const pure[] = { "units", "json", "glob" };

	lua_newtable(L);
	lua_newtable(L); /* all that these libraries bring */
	lib_units(L);
	lib_json(L);
	for (size_t i = 0; i < ARRAY_SIZE(pure); i++) {
		lua_getfield(L, -1, pure[i]);
		lua_setfield(L, -3, pure[i]);
	}
	lua_pop(L, 1);
	constant_field(L, "units");
	constant_field(L, "json");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &kubeque_key);
	lua_pushvalue(L, -1);
	make_constant(L);
	lua_insert(L, -2);
	lua_pushcclosure(L, kubeque_index, 1);
	(void)lua_getmetatable(L, -2);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	lua_setglobal(L, "kubeque");
}

void sandbox_lib_kubeque(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &kubeque_key);
}

/* What scripts see as the globals is an empty table, so that every write is noticed. */
static void open_front(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_pushglobaltable(L);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &globals_key);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "_G");
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "__index");
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &front_key);
	lua_setmetatable(L, -2);
	sandbox_lib_constants(L);
	lua_pushvalue(L, -2);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

void sandbox_lib_open(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &constants_key);
	sandbox_view_open(L);
	open_standard(L);
	replace_functions(L);
	open_kubeque(L);
	constant_global(L, "string");
	constant_global(L, "table");
	constant_global(L, "math");
	constant_global(L, "utf8");
	open_front(L);
	sandbox_seed(L, 0, 0);
}

static int no_global(lua_State *L)
{
	return luaL_error(L, "a policy keeps no globals ('%s')", sandbox_key_name(L, 2));
}

void sandbox_lib_seal(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &front_key);
	lua_pushcfunction(L, no_global);
	lua_setfield(L, -2, "__newindex");
	lua_pop(L, 1);
}

void sandbox_lib_globals(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key);
}

void sandbox_seed(lua_State *L, int64_t a, int64_t b)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &seed_key);
	lua_pushinteger(L, a);
	lua_pushinteger(L, b);
	lua_call(L, 2, 0);
}
