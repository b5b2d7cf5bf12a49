/*
 * kubeque.spool(params) -> spool: pulls every row of a params object once and keeps them
 * (work/spool.h) for kubeque.submit{rows = "params", spool = spool}.
 *
 *   spool.count, spool.sha256 (of the rows as CSV), spool.columns (list of names), spool:close()
 *
 * Errors of the script's own functions are raised as they are; nil, text, code when the rows cannot
 * be kept. `params` is a table with `columns` and open(): see lua/kubeque/params/core.lua.
 */
#include "script/spool.h"

#include <string.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "sys/signals.h"

#define SPOOL_META "kubeque.spool"

enum { LOOK_UP_EVERY = 4096 }; /* rows between two looks at signals */

static int close_spool(lua_State *L)
{
	spool_release(luaL_checkudata(L, 1, SPOOL_META));
	return 0;
}

const struct spool *script_check_spool(lua_State *L, int idx)
{
	const struct spool *s = luaL_testudata(L, idx, SPOOL_META);

	if (!s)
		luaL_error(L, "option 'spool': kubeque.spool expected, got %s",
			   luaL_typename(L, idx));
	else if (s->fd < 0)
		luaL_error(L, "option 'spool': it is closed");
	return s;
}

/* raises. The columns at idx as borrowed texts, in a userdata that is pushed. */
static const struct str *read_columns(lua_State *L, int idx, size_t *n)
{
	struct str *name;

	*n = lua_rawlen(L, idx);
	luaL_argcheck(L, *n > 0 && *n < 100000, 1, "params without columns");
	name = lua_newuserdatauv(L, *n * sizeof(*name), 0);
	for (size_t i = 0; i < *n; i++) {
		if (lua_rawgeti(L, idx, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_error(L, "column %d has no name", (int)i + 1);
		name[i].p = lua_tolstring(L, -1, &name[i].n); /* the table keeps it */
		lua_pop(L, 1);
	}
	return name;
}

/* The value on top, which stays. */
static int add_value(lua_State *L, struct spool *s, struct err *err)
{
	struct str text;
	char why[80];

	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
		text.p = lua_tolstring(L, -1, &text.n);
		return spool_text(s, text, err);
	case LUA_TNUMBER:
		return lua_isinteger(L, -1) ? spool_int(s, lua_tointeger(L, -1), err)
					    : spool_number(s, lua_tonumber(L, -1), err);
	case LUA_TBOOLEAN:
		return spool_bool(s, lua_toboolean(L, -1), err);
	default:
		(void)snprintf(why, sizeof(why), "a text, number or boolean is needed, not %s%s",
			       lua_isnil(L, -1) ? "" : "a ", luaL_typename(L, -1));
		return spool_fault(s, err, why);
	}
}

/* raises what the script raises. Stack: advance at `at`, the row behind it. */
static int pull(lua_State *L, struct spool *s, int at, struct err *err)
{
	for (int64_t n = 1;; n++) {
		lua_pushvalue(L, at);
		lua_pushvalue(L, at + 1);
		lua_call(L, 1, 1);
		if (!lua_toboolean(L, -1))
			return spool_end(s, err);
		lua_pop(L, 1);
		for (size_t i = 1; i <= s->columns; i++) {
			(void)lua_rawgeti(L, at + 1, (lua_Integer)i);
			if (add_value(L, s, err) < 0)
				return -1;
			lua_pop(L, 1);
		}
		if (n % LOOK_UP_EVERY == 0 && signals_check(err) < 0)
			return -1;
	}
}

static int spool_(lua_State *L)
{
	struct err err = ERR_INIT;
	const struct str *name;
	struct spool *s;
	size_t n;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (lua_getfield(L, 1, "columns") != LUA_TTABLE ||
	    lua_getfield(L, 1, "open") != LUA_TFUNCTION)
		return luaL_argerror(L, 1, "params expected");
	if (lua_getfield(L, 1, "n") == LUA_TNUMBER && lua_tonumber(L, -1) > SPOOL_ROWS_MAX) {
		(void)spool_too_many(&err);
		return script_fail(L, &err);
	}
	lua_settop(L, 3);
	name = read_columns(L, 2, &n);
	s = lua_newuserdatauv(L, sizeof(*s), 1); /* 5 */
	*s = (struct spool)SPOOL_INIT;
	luaL_setmetatable(L, SPOOL_META);
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, 5, 1);
	lua_pushvalue(L, 3);
	lua_call(L, 0, 1);
	luaL_checktype(L, 6, LUA_TFUNCTION);
	lua_createtable(L, (int)n, 0);
	if (spool_begin(s, name, n, &err) < 0 || pull(L, s, 6, &err) < 0) {
		spool_release(s);
		return script_fail(L, &err);
	}
	lua_settop(L, 5);
	return 1;
}

/* Methods, and what is known of the rows. */
static int index_(lua_State *L)
{
	const struct spool *s = luaL_checkudata(L, 1, SPOOL_META);
	const char *key = luaL_checkstring(L, 2);

	if (strcmp(key, "count") == 0)
		lua_pushinteger(L, s->rows);
	else if (strcmp(key, "sha256") == 0)
		lua_pushstring(L, s->sha256);
	else if (strcmp(key, "columns") == 0)
		lua_getiuservalue(L, 1, 1);
	else if (strcmp(key, "close") == 0)
		lua_pushcfunction(L, close_spool);
	else
		return luaL_error(L, "a spool has no '%s': count, sha256, columns, close", key);
	return 1;
}

void lib_spool(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	int top = lua_gettop(L);

	script_metatable(L, SPOOL_META, none, close_spool);
	luaL_getmetatable(L, SPOOL_META);
	lua_pushcfunction(L, index_);
	lua_setfield(L, -2, "__index");
	lua_settop(L, top);
	lua_pushcfunction(L, spool_);
	lua_setfield(L, -2, "spool");
}
