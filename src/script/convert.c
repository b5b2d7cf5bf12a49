#include "script/convert.h"

#include <math.h>
#include <string.h>

#include "base/base.h"
#include "base/str.h"

#define YEARS_100_MS (INT64_C(100) * 366 * 86400 * 1000)

static const struct opt *find(const struct opt *opts, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(opts[i].name, name) == 0)
			return &opts[i];
	return NULL;
}

static int unknown(lua_State *L, const char *key, const struct opt *opts, size_t n)
{
	struct guess g = guess_of(key);

	for (size_t i = 0; i < n; i++)
		guess_try(&g, opts[i].name);
	if (g.best)
		return luaL_error(L, "unknown option '%s' (did you mean %s?)", key, g.best);
	return luaL_error(L, "unknown option '%s'", key);
}

static int wrong(lua_State *L, const struct opt *o, const char *want)
{
	return luaL_error(L, "option '%s': %s expected, got %s", o->name, want,
			  luaL_typename(L, -1));
}

static void read_number(lua_State *L, const struct opt *o)
{
	if (lua_type(L, -1) != LUA_TNUMBER)
		wrong(L, o, "number");
	if (o->i64) {
		int ok;
		lua_Integer v = lua_tointegerx(L, -1, &ok);

		if (!ok || v < o->lo || v > (o->hi ? o->hi : INT64_MAX))
			luaL_error(L, "option '%s' is out of range", o->name);
		*o->i64 = v;
	} else if (o->ms) {
		if (!script_seconds_to_ms(lua_tonumber(L, -1), o->ms) || *o->ms < o->lo ||
		    (o->hi && *o->ms > o->hi))
			luaL_error(L, "option '%s' is out of range", o->name);
	} else {
		double v = lua_tonumber(L, -1);

		if (!isfinite(v) || ((o->lo || o->hi) &&
				     !(v >= (double)o->lo && v <= (double)o->hi)))
			luaL_error(L, "option '%s' is out of range", o->name);
		*o->num = v;
	}
}

/* [-1, +0 or +1]: the value is on top. */
static void read_option(lua_State *L, const struct opt *o)
{
	if (o->any || o->table || o->fn) {
		if (o->table && !lua_istable(L, -1))
			wrong(L, o, "table");
		if (o->fn && !lua_isfunction(L, -1))
			wrong(L, o, "function");
		*(o->any ? o->any : o->table ? o->table : o->fn) = lua_gettop(L);
		return;
	}
	if (o->str) {
		size_t n;

		if (lua_type(L, -1) != LUA_TSTRING)
			wrong(L, o, "string");
		*o->str = lua_tolstring(L, -1, &n);
		if (strlen(*o->str) != n)
			luaL_error(L, "option '%s' holds a NUL byte", o->name);
	} else if (o->flag) {
		if (!lua_isboolean(L, -1))
			wrong(L, o, "boolean");
		*o->flag = lua_toboolean(L, -1);
	} else {
		read_number(L, o);
	}
	lua_pop(L, 1);
}

void script_options(lua_State *L, int idx, const struct opt *opts, size_t n)
{
	luaL_checkstack(L, (int)n + 8, NULL);
	if (!lua_isnoneornil(L, idx)) {
		luaL_checktype(L, idx, LUA_TTABLE);
		lua_pushnil(L);
		while (lua_next(L, idx)) {
			lua_pop(L, 1);
			if (lua_type(L, -1) != LUA_TSTRING)
				luaL_error(L, "options are names, got a %s",
					   luaL_typename(L, -1));
			if (!find(opts, n, lua_tostring(L, -1)))
				unknown(L, lua_tostring(L, -1), opts, n);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (!lua_isnoneornil(L, idx)) {
			lua_pushstring(L, opts[i].name);
			if (lua_rawget(L, idx) != LUA_TNIL) {
				read_option(L, &opts[i]);
				continue;
			}
			lua_pop(L, 1);
		}
		if (opts[i].required)
			luaL_error(L, "option '%s' is missing", opts[i].name);
	}
}

int64_t script_check_i64(lua_State *L, int idx, int64_t lo, int64_t hi)
{
	lua_Integer v = luaL_checkinteger(L, idx);

	if (v < lo || v > hi)
		luaL_argerror(L, idx, "out of range");
	return v;
}

const char *script_check_text(lua_State *L, int idx)
{
	size_t n;
	const char *s = luaL_checklstring(L, idx, &n);

	if (strlen(s) != n)
		luaL_argerror(L, idx, "holds a NUL byte");
	return s;
}

const char *script_opt_text(lua_State *L, int idx, const char *otherwise)
{
	return lua_isnoneornil(L, idx) ? otherwise : script_check_text(L, idx);
}

bool script_seconds_to_ms(double seconds, int64_t *ms)
{
	double v = seconds * 1000.0 + 0.5;

	if (!(seconds >= 0 && v <= (double)YEARS_100_MS))
		return false;
	*ms = (int64_t)v;
	return true;
}

int64_t script_check_ms(lua_State *L, int idx)
{
	int64_t ms = 0;

	if (!script_seconds_to_ms(luaL_checknumber(L, idx), &ms))
		luaL_argerror(L, idx, "seconds out of range");
	return ms;
}

const char **script_check_strings(lua_State *L, int idx, size_t *n)
{
	const char **list;
	lua_Integer count;

	idx = lua_absindex(L, idx);
	luaL_checktype(L, idx, LUA_TTABLE);
	count = (lua_Integer)lua_rawlen(L, idx);
	luaL_checkstack(L, 4, NULL);
	list = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*list), 0);
	for (lua_Integer i = 1; i <= count; i++) {
		size_t len;

		if (lua_rawgeti(L, idx, i) != LUA_TSTRING)
			luaL_error(L, "item %I of the list: string expected, got %s", i,
				   luaL_typename(L, -1));
		list[i - 1] = lua_tolstring(L, -1, &len); /* the table holds it */
		if (strlen(list[i - 1]) != len)
			luaL_error(L, "item %I of the list holds a NUL byte", i);
		lua_pop(L, 1);
	}
	list[count] = NULL;
	*n = (size_t)count;
	return list;
}

void script_set_i64(lua_State *L, const char *name, int64_t v)
{
	lua_pushinteger(L, v);
	lua_setfield(L, -2, name);
}

void script_set_num(lua_State *L, const char *name, double v)
{
	lua_pushnumber(L, v);
	lua_setfield(L, -2, name);
}

void script_set_str(lua_State *L, const char *name, const char *s)
{
	if (!s)
		return;
	lua_pushstring(L, s);
	lua_setfield(L, -2, name);
}

void script_set_bool(lua_State *L, const char *name, bool v)
{
	lua_pushboolean(L, v);
	lua_setfield(L, -2, name);
}

int64_t script_check_born(lua_State *L, int idx)
{
	return script_check_i64(L, idx, 1, INT64_MAX);
}

unsigned script_check_states(lua_State *L, int idx, unsigned (*bit)(const char *name))
{
	unsigned mask = 0;
	const char **names;
	size_t n;

	if (!idx)
		return 0;
	names = script_check_strings(L, idx, &n);
	for (size_t i = 0; i < n; i++) {
		unsigned b = bit(names[i]);

		if (!b)
			luaL_error(L, "option 'states': no state '%s' can be given here", names[i]);
		mask |= b;
	}
	lua_pop(L, 1);
	if (n == 0)
		luaL_error(L, "option 'states' is empty");
	return mask;
}
