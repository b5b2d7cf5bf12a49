/*
 * insert, remove, move, concat, unpack and sort, as in the table library, with an eye on the clock:
 * with __len, a long chain of __index or texts that are long and alike, those of the library run
 * for hours over a table of nothing, and no hook reaches into them.
 */
#include "script/sandbox_pure.h"

#include <limits.h>

#include <lauxlib.h>

#include "base/base.h"
#include "script/sandbox.h"

enum { LOOK = 64 }; /* elements between looks at the clock */

static void pace(lua_State *L, unsigned *count)
{
	if (++*count % LOOK == 0)
		sandbox_tick(L);
}

/* t[to] = t[from]; the destination may be another table. */
static void copy(lua_State *L, lua_Integer from, int dest, lua_Integer to, unsigned *count)
{
	pace(L, count);
	lua_geti(L, 1, from);
	lua_seti(L, dest, to);
}

static lua_Integer length(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return luaL_len(L, 1);
}

static int table_insert(lua_State *L)
{
	lua_Integer pos, end = (lua_Integer)((lua_Unsigned)length(L) + 1);
	unsigned count = 0;

	switch (lua_gettop(L)) {
	case 2:
		pos = end;
		break;
	case 3:
		pos = luaL_checkinteger(L, 2);
		luaL_argcheck(L, (lua_Unsigned)pos - 1 < (lua_Unsigned)end, 2,
			      "position out of bounds");
		for (lua_Integer i = end; i > pos; i--)
			copy(L, i - 1, 1, i, &count);
		break;
	default:
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, pos);
	return 0;
}

static int table_remove(lua_State *L)
{
	lua_Integer n = length(L), pos = luaL_optinteger(L, 2, n);
	unsigned count = 0;

	if (pos != n)
		luaL_argcheck(L, (lua_Unsigned)pos - 1 <= (lua_Unsigned)n, 2,
			      "position out of bounds");
	lua_geti(L, 1, pos);
	for (; pos < n; pos++)
		copy(L, pos + 1, 1, pos, &count);
	lua_pushnil(L);
	lua_seti(L, 1, pos);
	return 1;
}

static int table_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
	lua_Integer to = luaL_checkinteger(L, 4), n;
	int dest = lua_isnoneornil(L, 5) ? 1 : 5;
	unsigned count = 0;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, dest, LUA_TTABLE);
	if (last >= first) {
		/* no more than memory could hold: said at once */
		luaL_argcheck(L, (lua_Unsigned)last - (lua_Unsigned)first <= SANDBOX_MEMORY / 8, 3,
			      "too many elements to move");
		n = last - first + 1;
		luaL_argcheck(L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
		if (to > last || to <= first || (dest != 1 && !lua_rawequal(L, 1, dest))) {
			for (lua_Integer i = 0; i < n; i++)
				copy(L, first + i, dest, to + i, &count);
		} else {
			for (lua_Integer i = n - 1; i >= 0; i--)
				copy(L, first + i, dest, to + i, &count);
		}
	}
	lua_pushvalue(L, dest);
	return 1;
}

static void add_field(lua_State *L, luaL_Buffer *b, lua_Integer i, unsigned *count)
{
	pace(L, count);
	lua_geti(L, 1, i);
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
			   luaL_typename(L, -1), i);
	luaL_addvalue(b);
}

static int table_concat(lua_State *L)
{
	lua_Integer last = length(L), i;
	size_t n;
	const char *between = luaL_optlstring(L, 2, "", &n);
	unsigned count = 0;
	luaL_Buffer b;

	i = luaL_optinteger(L, 3, 1);
	last = luaL_optinteger(L, 4, last);
	luaL_buffinit(L, &b);
	for (; i < last; i++) {
		add_field(L, &b, i, &count);
		luaL_addlstring(&b, between, n);
	}
	if (i == last)
		add_field(L, &b, i, &count);
	luaL_pushresult(&b);
	return 1;
}

static int table_unpack(lua_State *L)
{
	lua_Integer first = luaL_optinteger(L, 2, 1);
	lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
	lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)first;
	unsigned count = 0;

	if (first > last)
		return 0;
	if (n >= INT_MAX || !lua_checkstack(L, (int)n + 1))
		return luaL_error(L, "too many results to unpack");
	for (lua_Unsigned i = 0; i <= n; i++) {
		pace(L, &count);
		lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
	}
	return (int)n + 1;
}

/* ---- sort --------------------------------------------------------------------------------- */

enum { TABLE = 1, ORDER = 2, FIRST = 3, SECOND = 4 }; /* places on the stack */

/* Does item j of the list come before item i? Texts may be long, and an order in C is no hook's. */
static bool comes_before(lua_State *L, int list, lua_Integer j, lua_Integer i)
{
	bool yes;

	sandbox_tick(L);
	if (lua_isnil(L, ORDER)) {
		lua_rawgeti(L, list, j);
		lua_rawgeti(L, list, i);
		yes = lua_compare(L, -2, -1, LUA_OPLT);
		lua_pop(L, 2);
		return yes;
	}
	lua_pushvalue(L, ORDER);
	lua_rawgeti(L, list, j);
	lua_rawgeti(L, list, i);
	lua_call(L, 2, 1);
	yes = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return yes;
}

/* Pairs of runs of this width, each pair as one run into the other list. */
static void merge_runs(lua_State *L, int from, int to, lua_Integer n, lua_Integer width)
{
	for (lua_Integer low = 1; low <= n; low += 2 * width) {
		lua_Integer middle = MIN(low + width, n + 1), high = MIN(low + 2 * width, n + 1);
		lua_Integer left = low, right = middle;

		for (lua_Integer k = low; k < high; k++) {
			bool take = right < high &&
				    (left >= middle || comes_before(L, from, right, left));

			lua_rawgeti(L, from, take ? right++ : left++);
			lua_rawseti(L, to, k);
		}
	}
}

/* The library's picks its pivots by the time of day, so that what is equal comes out in any order;
 * this one leaves it in the order it was in. */
static int table_sort(lua_State *L)
{
	lua_Integer n = length(L);
	int from = FIRST, to = SECOND;
	unsigned count = 0;

	if (n > 1 && !lua_isnoneornil(L, ORDER))
		luaL_checktype(L, ORDER, LUA_TFUNCTION);
	luaL_argcheck(L, n <= SANDBOX_MEMORY / 16, 1, "array too big");
	lua_settop(L, ORDER);
	lua_newtable(L);
	lua_newtable(L);
	for (lua_Integer i = 1; i <= n; i++) {
		pace(L, &count);
		lua_geti(L, TABLE, i);
		lua_rawseti(L, from, i);
	}
	for (lua_Integer width = 1; width < n; width *= 2) {
		merge_runs(L, from, to, n, width);
		from = FIRST + SECOND - from;
		to = FIRST + SECOND - to;
	}
	for (lua_Integer i = 1; i <= n; i++) {
		pace(L, &count);
		lua_rawgeti(L, from, i);
		lua_seti(L, TABLE, i);
	}
	return 0;
}

void sandbox_table_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "insert", table_insert }, { "remove", table_remove }, { "move", table_move },
		{ "concat", table_concat }, { "unpack", table_unpack }, { "sort", table_sort },
		{ NULL, NULL },
	};

	lua_getglobal(L, "table");
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}
