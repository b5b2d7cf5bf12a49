#include "script/sandbox_pure.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/base.h"
#include "script/sandbox_view.h"

/* ---- pairs and next ----------------------------------------------------------------------- */

struct sort_key {
	int type;
	double number;
	const char *text; /* the table holds it */
	size_t n;
	lua_Integer at;   /* in the list of keys */
};

/* Numbers, texts, then whatever else there is, as it came. */
static int rank(int type)
{
	return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : 2;
}

static int by_key(const void *pa, const void *pb)
{
	const struct sort_key *a = pa, *b = pb;
	int c;

	if (rank(a->type) != rank(b->type))
		return rank(a->type) - rank(b->type);
	if (a->type == LUA_TNUMBER && (a->number < b->number || a->number > b->number))
		return a->number < b->number ? -1 : 1;
	if (a->type == LUA_TSTRING) {
		c = memcmp(a->text, b->text, MIN(a->n, b->n));
		if (c || a->n != b->n)
			return c ? c : a->n < b->n ? -1 : 1;
	}
	return (a->at > b->at) - (a->at < b->at);
}

/* [-0, +1] The keys of the table at `data` as a list; sorted when there are texts among them. */
static lua_Integer push_keys(lua_State *L, int data)
{
	struct sort_key *keys;
	lua_Integer n = 0;
	bool texts = false;
	int list;

	lua_newtable(L);
	list = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, data); lua_pop(L, 1)) {
		texts = texts || lua_type(L, -2) == LUA_TSTRING;
		lua_pushvalue(L, -2);
		lua_rawseti(L, list, ++n);
	}
	if (!texts || n < 2)
		return n;
	keys = lua_newuserdatauv(L, (size_t)n * sizeof(*keys), 0);
	for (lua_Integer i = 0; i < n; i++) {
		struct sort_key *k = &keys[i];

		*k = (struct sort_key){ .type = lua_rawgeti(L, list, i + 1), .at = i + 1 };
		if (k->type == LUA_TNUMBER)
			k->number = lua_tonumber(L, -1);
		else if (k->type == LUA_TSTRING)
			k->text = lua_tolstring(L, -1, &k->n);
		lua_pop(L, 1);
	}
	qsort(keys, (size_t)n, sizeof(*keys), by_key);
	lua_createtable(L, (int)MIN(n, 1000000), 0);
	for (lua_Integer i = 0; i < n; i++) {
		lua_rawgeti(L, list, keys[i].at);
		lua_rawseti(L, -2, i + 1);
	}
	lua_replace(L, list);
	lua_pop(L, 1);
	return n;
}

/* Upvalues: keys, data, next place, how many. */
static int walk(lua_State *L)
{
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
	lua_Integer n = lua_tointeger(L, lua_upvalueindex(4));

	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(2));
	for (; i <= n; i++) {
		lua_settop(L, 1);
		lua_rawgeti(L, lua_upvalueindex(1), i);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, 1) == LUA_TNIL)
			continue; /* taken out meanwhile */
		if (lua_toboolean(L, lua_upvalueindex(5)))
			sandbox_view_value(L, 1);
		lua_pushinteger(L, i + 1);
		lua_replace(L, lua_upvalueindex(3));
		return 2;
	}
	lua_pushinteger(L, i);
	lua_replace(L, lua_upvalueindex(3));
	return 0;
}

static int pure_pairs(lua_State *L)
{
	bool view;
	lua_Integer n;

	luaL_checkany(L, 1);
	lua_settop(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	view = sandbox_view_data(L, 1);
	if (!view) {
		luaL_checktype(L, 1, LUA_TTABLE);
		lua_pushvalue(L, 1);
	}
	n = push_keys(L, 2); /* 3 */
	lua_pushvalue(L, 2);
	lua_pushinteger(L, 1);
	lua_pushinteger(L, n);
	lua_pushboolean(L, view);
	lua_pushcclosure(L, walk, 5);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* next knows views; its order is Lua's. */
static int pure_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (!sandbox_view_data(L, 1)) {
		if (lua_next(L, 1))
			return 2;
	} else {
		lua_insert(L, 2); /* view, data, key */
		if (lua_next(L, 2)) {
			sandbox_view_value(L, 2);
			return 2;
		}
	}
	lua_pushnil(L);
	return 1;
}

/* ---- no addresses ------------------------------------------------------------------------- */

/* True for what luaL_tolstring would show by its address. */
static bool has_address(lua_State *L, int idx)
{
	switch (lua_type(L, idx)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		return false;
	default:
		if (luaL_getmetafield(L, idx, "__tostring") == LUA_TNIL)
			return true;
		lua_pop(L, 1);
		return false;
	}
}

static int pure_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	if (has_address(L, 1))
		lua_pushstring(L, luaL_typename(L, 1));
	else
		luaL_tolstring(L, 1, NULL);
	return 1;
}

static bool shows_pointer(const char *format)
{
	for (const char *p = strchr(format, '%'); p; p = strchr(p, '%')) {
		for (p++; *p && !isalpha((unsigned char)*p) && *p != '%'; p++)
			;
		if (*p == 'p')
			return true;
		p += *p == '%';
	}
	return false;
}

/* Upvalue: the original. */
static int pure_format(lua_State *L)
{
	int n = lua_gettop(L);

	if (shows_pointer(luaL_checkstring(L, 1)))
		return luaL_error(L, "a policy sees no addresses (%%p)");
	for (int i = 2; i <= n; i++) {
		if (!has_address(L, i))
			continue;
		lua_pushstring(L, luaL_typename(L, i));
		lua_replace(L, i);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, 1);
	return 1;
}

void sandbox_pure_open(lua_State *L)
{
	lua_pushcfunction(L, pure_pairs);
	lua_setglobal(L, "pairs");
	lua_pushcfunction(L, pure_next);
	lua_setglobal(L, "next");
	lua_pushcfunction(L, pure_tostring);
	lua_setglobal(L, "tostring");
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "format");
	lua_pushcclosure(L, pure_format, 1);
	lua_setfield(L, -2, "format");
	lua_pop(L, 1);
}
