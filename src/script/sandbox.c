#include "script/sandbox.h"

#include <string.h>
#include <time.h>

#include "base/base.h"
#include "script/call.h"
#include "script/libs.h"

enum { STEP = 1000 }; /* instructions between looks at the clock */

static char seed_key; /* registry: the original math.randomseed */

/* CPU time of this thread: a hook that waited for its turn on a busy machine is not too slow. */
static int64_t cpu_ns(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void budget(lua_State *L, lua_Debug *ar)
{
	const struct script *s = script_of(L);

	(void)ar;
	if (!s->deadline || cpu_ns() < s->deadline)
		return;
	lua_sethook(L, budget, LUA_MASKCOUNT, 1); /* so that no pcall swallows it */
	luaL_error(L, "it took too long");
}

/* setmetatable without __gc: finalizers run with hooks off and could loop for ever. */
static int safe_setmetatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "__gc is not allowed in a policy");
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

/* table.move of no more than memory could hold: it loops in C, where no hook reaches. */
static int safe_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);

	if (last >= first && (lua_Unsigned)last - (lua_Unsigned)first > SANDBOX_MEMORY / 8)
		return luaL_error(L, "too many elements to move");
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static void drop(lua_State *L, const char *table, const char *const *names)
{
	lua_getglobal(L, table);
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
	lua_pop(L, 1);
}

static void open_libraries(lua_State *L)
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

static int open_body(lua_State *L)
{
	open_libraries(L);
	lua_pushcfunction(L, safe_setmetatable);
	lua_setglobal(L, "setmetatable");
	lua_pushcfunction(L, safe_xpcall);
	lua_setglobal(L, "xpcall");
	lua_pushcfunction(L, safe_load);
	lua_setglobal(L, "load");
	lua_pushliteral(L, ""); /* the metatable of texts */
	lua_getmetatable(L, -1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_newtable(L);
	lua_newtable(L);
	lib_units(L);
	lua_getfield(L, -1, "units");
	lua_setfield(L, -3, "units");
	lua_pop(L, 1);
	lua_setglobal(L, "kubeque");
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "move");
	lua_pushcclosure(L, safe_move, 1);
	lua_setfield(L, -2, "move");
	lua_pop(L, 1);
	sandbox_seed(L, 0, 0);
	return 0;
}

struct script *sandbox_new(struct err *err)
{
	struct script *s = script_new(SANDBOX_MEMORY);

	if (!s) {
		err_set(err, ERR_SCRIPT, "not enough memory for Lua");
		return NULL;
	}
	s->sandbox = true;
	lua_sethook(s->L, budget, LUA_MASKCOUNT, STEP);
	lua_pushcfunction(s->L, open_body);
	if (script_call(s->L, 0, 0, err) < 0) {
		script_free(s);
		return NULL;
	}
	return s;
}

struct chunk {
	const char *name, *text;
	size_t n;
};

static int load_body(lua_State *L)
{
	const struct chunk *c = lua_touserdata(L, 1);
	const char *name = lua_pushfstring(L, "@%s", c->name);

	if (luaL_loadbufferx(L, c->text, c->n, name, "t") != LUA_OK)
		return lua_error(L);
	return 1;
}

int sandbox_load(struct script *s, const char *name, const char *text, size_t n, struct err *err)
{
	struct chunk c = { name, text, n };

	if (!lua_checkstack(s->L, 4))
		return err_set(err, ERR_SCRIPT, "not enough memory");
	lua_pushcfunction(s->L, load_body);
	lua_pushlightuserdata(s->L, &c);
	return script_call(s->L, 1, 1, err);
}

int sandbox_call(struct script *s, int nargs, int nresults, int64_t budget_ms, struct err *err)
{
	int64_t before = s->deadline;
	int ret;

	s->deadline = cpu_ns() + budget_ms * 1000000;
	ret = script_call(s->L, nargs, nresults, err);
	s->deadline = before;
	return ret;
}

static int no_new_global(lua_State *L)
{
	return luaL_error(L, "a policy keeps no globals ('%s')", luaL_tolstring(L, 2, NULL));
}

static int seal_body(lua_State *L)
{
	lua_pushglobaltable(L);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, no_new_global);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	return 0;
}

int sandbox_seal(struct script *s, struct err *err)
{
	lua_pushcfunction(s->L, seal_body);
	return script_call(s->L, 0, 0, err);
}

void sandbox_seed(lua_State *L, int64_t a, int64_t b)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &seed_key);
	lua_pushinteger(L, a);
	lua_pushinteger(L, b);
	lua_call(L, 2, 0);
}

/* ---- views ------------------------------------------------------------------------------ */

static int view_write(lua_State *L)
{
	return luaL_error(L, "what a hook is given cannot be changed ('%s')",
			  luaL_tolstring(L, 2, NULL));
}

static int view_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	return lua_next(L, 1) ? 2 : 0;
}

/* pairs(view) walks the table behind it. */
static int view_pairs(lua_State *L)
{
	lua_pushcfunction(L, view_next);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushnil(L);
	return 3;
}

static int view_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
	return 1;
}

static void view_closure(lua_State *L, int data, const char *name, lua_CFunction fn)
{
	lua_pushvalue(L, data);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

void sandbox_read_only(lua_State *L)
{
	int data = lua_gettop(L);

	luaL_checkstack(L, 10, NULL);
	for (lua_pushnil(L); lua_next(L, data); lua_pop(L, 1)) {
		if (!lua_istable(L, -1))
			continue;
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		sandbox_read_only(L);
		lua_rawset(L, data); /* an existing key: allowed while walking */
	}
	lua_newtable(L);
	lua_createtable(L, 0, 5);
	lua_pushvalue(L, data);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, view_write);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	view_closure(L, data, "__pairs", view_pairs);
	view_closure(L, data, "__len", view_len);
	lua_setmetatable(L, -2);
	lua_replace(L, data);
}
