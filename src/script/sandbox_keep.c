#include "script/sandbox_keep.h"

#include <lauxlib.h>

#include "base/base.h"
#include "script/sandbox_lib.h"
#include "script/sandbox_pure.h"
#include "script/sandbox_view.h"

/* registry: two flat lists, ended by false.
 * upvalues: function, number, value, ... ; tables: table, metatable or false, count, copy, ... */
static char upvalues_key, tables_key;

struct walk {
	lua_State *L;
	int seen;     /* set of tables, functions and ids of variables */
	int todo;     /* list of tables and functions */
	lua_Integer n_todo, done;
	int upvalues, tables;
	lua_Integer n_upvalues, n_tables;
};

/* [-1, +0] */
static void reach(struct walk *w)
{
	lua_State *L = w->L;

	if (lua_istable(L, -1) || lua_isfunction(L, -1)) {
		lua_pushvalue(L, -1);
		if (lua_rawget(L, w->seen) == LUA_TNIL) {
			lua_pushvalue(L, -2);
			lua_pushboolean(L, 1);
			lua_rawset(L, w->seen);
			lua_pushvalue(L, -2);
			lua_rawseti(L, w->todo, ++w->n_todo);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void add(struct walk *w, int list, lua_Integer *n)
{
	lua_rawseti(w->L, list, ++*n);
}

/* The function on top. */
static void visit_function(struct walk *w)
{
	lua_State *L = w->L;
	int f = lua_gettop(L);

	for (int i = 1; lua_getupvalue(L, f, i); i++) {
		void *id = lua_upvalueid(L, f, i);
		bool known = !id || lua_rawgetp(L, w->seen, id) != LUA_TNIL;

		lua_settop(L, f + 1);
		if (!known) { /* functions share variables */
			lua_pushboolean(L, 1);
			lua_rawsetp(L, w->seen, id);
			lua_pushvalue(L, f);
			add(w, w->upvalues, &w->n_upvalues);
			lua_pushinteger(L, i);
			add(w, w->upvalues, &w->n_upvalues);
			lua_pushvalue(L, f + 1);
			add(w, w->upvalues, &w->n_upvalues);
		}
		reach(w);
	}
}

/* The table on top. */
static void visit_table(struct walk *w)
{
	lua_State *L = w->L;
	int t = lua_gettop(L);
	lua_Integer count = 0;

	if (sandbox_view_data(L, t))
		return;
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, t); count++) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, t + 1);
		reach(w);
		lua_pushvalue(L, -1);
		reach(w);
	}
	lua_pushvalue(L, t);
	add(w, w->tables, &w->n_tables);
	if (!lua_getmetatable(L, t))
		lua_pushboolean(L, 0);
	lua_pushvalue(L, -1);
	add(w, w->tables, &w->n_tables);
	reach(w);
	lua_pushinteger(L, count);
	add(w, w->tables, &w->n_tables);
	add(w, w->tables, &w->n_tables);
}

static void walk(struct walk *w)
{
	lua_State *L = w->L;
	int top = lua_gettop(L);

	while (w->done < w->n_todo) {
		lua_rawgeti(L, w->todo, ++w->done);
		if (lua_isfunction(L, -1))
			visit_function(w);
		else
			visit_table(w);
		lua_settop(L, top);
	}
}

/* [-0, +1] What is constant counts as seen. */
static void push_seen(lua_State *L)
{
	lua_newtable(L);
	sandbox_lib_constants(L);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushboolean(L, 1);
		lua_rawset(L, -6);
	}
	lua_pop(L, 1);
}

static void end_list(struct walk *w, int list, lua_Integer *n, const char *key)
{
	lua_pushboolean(w->L, 0);
	add(w, list, n);
	lua_pushvalue(w->L, list);
	lua_rawsetp(w->L, LUA_REGISTRYINDEX, key);
}

void sandbox_keep(lua_State *L)
{
	struct walk w = { .L = L };
	int roots = lua_gettop(L);

	luaL_checkstack(L, 20, NULL);
	push_seen(L);
	w.seen = lua_gettop(L);
	lua_newtable(L);
	w.todo = lua_gettop(L);
	lua_newtable(L);
	w.upvalues = lua_gettop(L);
	lua_newtable(L);
	w.tables = lua_gettop(L);
	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, roots); i++) {
		lua_rawgeti(L, roots, i);
		reach(&w);
	}
	sandbox_lib_globals(L); /* nobody can change it, but what is in it */
	for (lua_pushnil(L); lua_next(L, -2);)
		reach(&w);
	lua_pop(L, 1);
	walk(&w);
	end_list(&w, w.upvalues, &w.n_upvalues, &upvalues_key);
	end_list(&w, w.tables, &w.n_tables, &tables_key);
	lua_settop(L, roots - 1);
}

/* ---- putting back ------------------------------------------------------------------------- */

static void restore_upvalues(lua_State *L)
{
	int list, top;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &upvalues_key);
	list = lua_gettop(L);
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TFUNCTION; i += 3) {
		int f = list + 1, number;

		lua_rawgeti(L, list, i + 1);
		number = (int)lua_tointeger(L, -1);
		lua_rawgeti(L, list, i + 2);
		if (!lua_getupvalue(L, f, number))
			luaL_error(L, "a variable is gone");
		top = lua_gettop(L);
		if (!lua_rawequal(L, top, top - 1)) {
			lua_pop(L, 1);
			lua_setupvalue(L, f, number);
		}
		lua_settop(L, list);
	}
	lua_settop(L, list - 1);
}

/* Is the table at t what its copy is? */
static bool is_same(lua_State *L, int t, int copy, lua_Integer count)
{
	for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 2)) {
		lua_pushvalue(L, -2);
		lua_rawget(L, copy);
		if (!lua_rawequal(L, -1, -2)) {
			lua_settop(L, copy);
			return false;
		}
		count--;
	}
	return count == 0;
}

static void fill_again(lua_State *L, int t, int copy)
{
	for (lua_pushnil(L); lua_next(L, t);) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, t);
	}
	for (lua_pushnil(L); lua_next(L, copy); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, t);
	}
}

static void restore_tables(lua_State *L)
{
	int list;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &tables_key);
	list = lua_gettop(L);
	for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TTABLE; i += 4) {
		int t = list + 1, copy = list + 3;
		lua_Integer count;

		lua_rawgeti(L, list, i + 1);
		lua_rawgeti(L, list, i + 2);
		count = lua_tointeger(L, -1);
		lua_pop(L, 1);
		lua_rawgeti(L, list, i + 3);
		if (!lua_getmetatable(L, t))
			lua_pushboolean(L, 0);
		if (!lua_rawequal(L, -1, t + 1)) {
			if (lua_istable(L, t + 1))
				lua_pushvalue(L, t + 1);
			else
				lua_pushnil(L);
			lua_setmetatable(L, t);
		}
		lua_settop(L, copy);
		if (!is_same(L, t, copy, count))
			fill_again(L, t, copy);
		lua_settop(L, list);
	}
	lua_settop(L, list - 1);
}

void sandbox_restore(lua_State *L)
{
	luaL_checkstack(L, 12, NULL);
	restore_upvalues(L);
	restore_tables(L);
	sandbox_pure_forget(L);
}
