#include "script/sandbox_pure.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/base.h"
#include "script/sandbox.h"
#include "script/sandbox_view.h"

/* registry: data (weak) -> list of its keys; [0] the place of the last one that was given, [-1] the
 * first key, when a walk began after that */
static char walks_key;

/* ---- the order of keys -------------------------------------------------------------------- */

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

static struct sort_key key_of(lua_State *L, int idx, lua_Integer at)
{
	struct sort_key k = { .type = lua_type(L, idx), .at = at };

	if (k.type == LUA_TNUMBER)
		k.number = lua_tonumber(L, idx);
	else if (k.type == LUA_TSTRING)
		k.text = lua_tolstring(L, idx, &k.n);
	return k;
}

/* raises when Lua's own order of the keys seen so far is that of their addresses. */
static void count_key(lua_State *L, int idx, bool *texts, int *objects)
{
	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
		*texts = true;
		break;
	case LUA_TTABLE:
	case LUA_TFUNCTION:
	case LUA_TUSERDATA:
		if (++*objects > 1)
			luaL_error(L, "keys that are tables or functions have no order: keep a "
				   "list beside the table");
		break;
	default:
		break;
	}
}

/* [-0, +1] The keys of the table at `data` as a list; sorted when there are texts among them. */
static lua_Integer push_keys(lua_State *L, int data)
{
	struct sort_key *keys;
	lua_Integer n = 0;
	bool texts = false;
	int list, objects = 0;

	sandbox_tick(L);
	lua_newtable(L);
	list = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, data); lua_pop(L, 1)) {
		count_key(L, -2, &texts, &objects);
		lua_pushvalue(L, -2);
		lua_rawseti(L, list, ++n);
	}
	if (!texts || n < 2)
		return n;
	keys = lua_newuserdatauv(L, (size_t)n * sizeof(*keys), 0);
	for (lua_Integer i = 0; i < n; i++) {
		lua_rawgeti(L, list, i + 1);
		keys[i] = key_of(L, -1, i + 1);
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

/* [-0, +1] The first of those keys, nil when there is none. */
static void push_first(lua_State *L, int data)
{
	struct sort_key least = { .type = LUA_TNIL };
	bool texts = false;
	int objects = 0, first = lua_gettop(L) + 1;
	lua_Integer n = 0;

	sandbox_tick(L);
	lua_pushnil(L);
	lua_pushnil(L); /* the first as Lua has them, the first when sorted */
	for (lua_pushnil(L); lua_next(L, data); lua_pop(L, 1)) {
		struct sort_key k = key_of(L, -2, ++n);

		count_key(L, -2, &texts, &objects);
		if (n == 1) {
			lua_pushvalue(L, -2);
			lua_replace(L, first);
		}
		if (n == 1 || by_key(&k, &least) < 0) {
			least = k;
			lua_pushvalue(L, -2);
			lua_replace(L, first + 1);
		}
	}
	lua_remove(L, texts ? first : first + 1);
}

/* ---- pairs and next ----------------------------------------------------------------------- */

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

/* The place of the key at `key` in the list at `list`; of one that is not in it any more, that of
 * the one before where it was. */
static lua_Integer find_key(lua_State *L, int list, int key)
{
	struct sort_key k = key_of(L, key, LUA_MAXINTEGER);
	lua_Integer n = (lua_Integer)lua_rawlen(L, list), hint, before = 0;

	lua_rawgeti(L, list, 0);
	hint = lua_tointeger(L, -1);
	lua_rawgeti(L, list, hint);
	if (hint > 0 && lua_rawequal(L, -1, key)) {
		lua_pop(L, 2);
		return hint;
	}
	lua_pop(L, 2);
	for (lua_Integer i = 1; i <= n; i++) {
		struct sort_key other;

		lua_rawgeti(L, list, i);
		other = key_of(L, -1, i);
		if (lua_rawequal(L, -1, key)) {
			lua_pop(L, 1);
			return i;
		}
		if (by_key(&other, &k) < 0)
			before = i;
		lua_pop(L, 1);
	}
	return before;
}

/* [-0, +1] The list of keys of the walk over the table at `data` that has come to the key at `key`;
 * a new one when there is none, or when that was the first and a walk has just begun. */
static void push_walk(lua_State *L, int data, int key)
{
	bool fresh;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &walks_key);
	lua_pushvalue(L, data);
	fresh = lua_rawget(L, -2) == LUA_TNIL;
	if (!fresh) {
		lua_rawgeti(L, -1, -1);
		fresh = lua_rawequal(L, -1, key);
		lua_pop(L, 1);
	}
	if (fresh) {
		lua_pop(L, 1);
		(void)push_keys(L, data);
		lua_pushvalue(L, data);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

/* The first key is on top: was it given to begin a walk, or to see whether there is one? */
static void note_begin(lua_State *L, int data)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &walks_key);
	lua_pushvalue(L, data);
	if (lua_rawget(L, -2) != LUA_TNIL) {
		lua_pushvalue(L, -3);
		lua_rawseti(L, -2, -1);
	}
	lua_pop(L, 2);
}

static void forget_walk(lua_State *L, int data)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &walks_key);
	lua_pushvalue(L, data);
	lua_pushnil(L);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void sandbox_pure_forget(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &walks_key);
	for (lua_pushnil(L); lua_next(L, -2);) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
	lua_pop(L, 1);
}

/* [-0, +1] The key after the one at `key`, nil when that was the last. */
static void push_next(lua_State *L, int data, int key)
{
	int list = lua_gettop(L) + 1;
	lua_Integer i;

	push_walk(L, data, key);
	i = find_key(L, list, key);
	do { /* what was taken out meanwhile is left out */
		lua_settop(L, list);
		lua_rawgeti(L, list, ++i);
		lua_pushvalue(L, -1);
	} while (!lua_isnil(L, -1) && lua_rawget(L, data) == LUA_TNIL);
	lua_settop(L, list + 1);
	lua_pushinteger(L, i);
	lua_rawseti(L, list, 0);
	if (lua_isnil(L, -1))
		forget_walk(L, data);
	lua_remove(L, list);
}

/* next goes by the order of pairs; views are tables, too. */
static int pure_next(lua_State *L)
{
	bool view;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	view = sandbox_view_data(L, 1); /* 3 */
	if (!view)
		lua_pushvalue(L, 1);
	if (lua_isnil(L, 2)) {
		push_first(L, 3);
		note_begin(L, 3);
	} else {
		push_next(L, 3, 2);
	}
	if (lua_isnil(L, -1))
		return 1;
	lua_pushvalue(L, -1);
	lua_rawget(L, 3);
	if (view)
		sandbox_view_value(L, 3);
	return 2;
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

static bool shows_pointer(const char *p, size_t n)
{
	const char *end = p + n;

	for (; p < end; p++) {
		if (*p != '%')
			continue;
		for (p++; p < end && !isalpha((unsigned char)*p) && *p != '%'; p++)
			;
		if (p < end && *p == 'p')
			return true;
	}
	return false;
}

/* Upvalue: the original. */
static int pure_format(lua_State *L)
{
	int n = lua_gettop(L);
	size_t len;
	const char *format = luaL_checklstring(L, 1, &len);

	sandbox_tick(L);
	if (shows_pointer(format, len))
		return luaL_error(L, "a policy sees no addresses (%%p)");
	for (int i = 2; i <= n; i++) {
		if (!has_address(L, i))
			continue;
		lua_pushstring(L, luaL_typename(L, i));
		lua_replace(L, i);
	}
	return lua_tocfunction(L, lua_upvalueindex(1))(L); /* in its place: it names the line */
}

void sandbox_pure_open(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &walks_key);
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
