/* find, match, gmatch and gsub over script/sandbox_match.h, and rep. */
#include "script/sandbox_pure.h"

#include <string.h>

#include <lauxlib.h>

#include "base/base.h"
#include "script/sandbox.h"
#include "script/sandbox_match.h"

/* Where to begin: 1 and above, negative ones count from the end. */
static size_t begin_at(lua_Integer init, size_t n)
{
	if (init > 0)
		return (size_t)init;
	if (init == 0 || init < -(lua_Integer)n)
		return 1;
	return n + (size_t)init + 1;
}

static int none(lua_State *L)
{
	luaL_pushfail(L);
	return 1;
}

static bool is_plain(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] && strchr("^$*+?.([%-", p[i]))
			return false;
	return true;
}

static int find_plain(lua_State *L, const char *s, size_t n, const char *p, size_t pn,
		      size_t init)
{
	const char *at = pn ? memmem(s + init - 1, n - init + 1, p, pn) : s + init - 1;

	if (!at)
		return none(L);
	lua_pushinteger(L, at - s + 1);
	lua_pushinteger(L, at - s + (lua_Integer)pn);
	return 2;
}

static int find_or_match(lua_State *L, bool find)
{
	size_t n, pn;
	const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &pn), *at, *end;
	size_t init = begin_at(luaL_optinteger(L, 3, 1), n);
	bool anchored = *p == '^';
	struct match m;

	if (init > n + 1)
		return none(L);
	if (find && (lua_toboolean(L, 4) || is_plain(p, pn)))
		return find_plain(L, s, n, p, pn, init);
	match_init(&m, L, s, n, p, pn);
	p += anchored;
	at = s + init - 1;
	do {
		end = match_at(&m, at, p);
		if (!end)
			continue;
		if (!find)
			return match_push_captures(&m, at, end);
		lua_pushinteger(L, at - s + 1);
		lua_pushinteger(L, end - s);
		return 2 + match_push_captures(&m, NULL, NULL);
	} while (at++ < m.src_end && !anchored);
	return none(L);
}

static int string_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* ---- gmatch ------------------------------------------------------------------------------- */

/* Upvalues: text, pattern, offset to go on at, offset of the end of the last match (-1: none). */
static int gmatch_next(lua_State *L)
{
	size_t n, pn;
	const char *s = lua_tolstring(L, lua_upvalueindex(1), &n);
	const char *p = lua_tolstring(L, lua_upvalueindex(2), &pn);
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	struct match m;

	match_init(&m, L, s, n, p, pn);
	for (const char *at = s + lua_tointeger(L, lua_upvalueindex(3)); at <= m.src_end; at++) {
		const char *end = match_at(&m, at, p);

		if (!end || end - s == last)
			continue;
		lua_pushinteger(L, end - s);
		lua_pushvalue(L, -1);
		lua_replace(L, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return match_push_captures(&m, at, end);
	}
	return 0;
}

static int string_gmatch(lua_State *L)
{
	size_t n, init;

	luaL_checklstring(L, 1, &n);
	luaL_checkstring(L, 2);
	init = begin_at(luaL_optinteger(L, 3, 1), n);
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)MIN(init - 1, n + 1));
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

/* ---- gsub --------------------------------------------------------------------------------- */

/* The replacement text with its %0 to %9. */
static void add_text(struct match *m, luaL_Buffer *b, const char *s, const char *end)
{
	lua_State *L = m->L;
	size_t n;
	const char *text = lua_tolstring(L, 3, &n);

	match_spend(m, n);
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '%') {
			luaL_addchar(b, text[i]);
			continue;
		}
		i++;
		if (i < n && text[i] == '%') {
			luaL_addchar(b, '%');
		} else if (i < n && text[i] == '0') {
			luaL_addlstring(b, s, (size_t)(end - s));
		} else if (i < n && text[i] >= '1' && text[i] <= '9') {
			match_push_capture(m, text[i] - '1', s, end);
			luaL_tolstring(L, -1, NULL); /* a position is a number */
			lua_remove(L, -2);
			luaL_addvalue(b);
		} else {
			luaL_error(L, "invalid use of '%%' in replacement string");
		}
	}
}

/* What stands for a match; false: it stays. */
static bool add_replacement(struct match *m, luaL_Buffer *b, const char *s, const char *end,
			    int type)
{
	lua_State *L = m->L;

	if (type == LUA_TFUNCTION) {
		lua_pushvalue(L, 3);
		lua_call(L, match_push_captures(m, s, end), 1);
	} else if (type == LUA_TTABLE) {
		match_push_capture(m, 0, s, end);
		lua_gettable(L, 3);
	} else {
		add_text(m, b, s, end);
		return true;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(b, s, (size_t)(end - s));
		return false;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	luaL_addvalue(b);
	return true;
}

static int string_gsub(lua_State *L)
{
	size_t n, pn;
	const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &pn);
	const char *at = s, *last = NULL, *end;
	int type = lua_type(L, 3);
	lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)n + 1), count = 0;
	bool anchored = *p == '^', changed = false;
	struct match m;
	luaL_Buffer b;

	luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
			 type == LUA_TTABLE, 3, "string/function/table");
	match_init(&m, L, s, n, p, pn);
	p += anchored;
	luaL_buffinit(L, &b);
	while (count < max) {
		end = match_at(&m, at, p);
		if (end && end != last) {
			count++;
			changed |= add_replacement(&m, &b, at, end, type);
			at = last = end;
		} else if (at < m.src_end) {
			luaL_addchar(&b, *at++);
		} else {
			break;
		}
		if (anchored)
			break;
	}
	if (changed) {
		luaL_addlstring(&b, at, (size_t)(m.src_end - at));
		luaL_pushresult(&b);
	} else {
		lua_pushvalue(L, 1);
	}
	lua_pushinteger(L, count);
	return 2;
}

/* ---- rep ---------------------------------------------------------------------------------- */

/* Upvalue: the original, which counts to n even when there is nothing to repeat. */
static int string_rep(lua_State *L)
{
	size_t n, between;

	sandbox_tick(L);
	luaL_checklstring(L, 1, &n);
	luaL_checkinteger(L, 2);
	luaL_optlstring(L, 3, "", &between);
	if (n + between > 0)
		return lua_tocfunction(L, lua_upvalueindex(1))(L);
	lua_pushliteral(L, "");
	return 1;
}

void sandbox_string_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "find", string_find }, { "match", string_match }, { "gmatch", string_gmatch },
		{ "gsub", string_gsub }, { NULL, NULL },
	};

	lua_getglobal(L, "string");
	luaL_setfuncs(L, functions, 0);
	lua_getfield(L, -1, "rep");
	lua_pushcclosure(L, string_rep, 1);
	lua_setfield(L, -2, "rep");
	lua_pop(L, 1);
}
