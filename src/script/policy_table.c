/* The table that a policy's file returns: what may be in it, and its options. */
#include <string.h>

#include "base/base.h"
#include "base/str.h"
#include "model/manifest.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/policy_impl.h"

/* ---- what a policy is --------------------------------------------------------------------- */

/* [-0, +1] The nearest of the names in the table at idx, or nil. */
static const char *nearest_key(lua_State *L, int idx, const char *word)
{
	const char **names;
	size_t n = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		n++;
	names = lua_newuserdatauv(L, (n + 1) * sizeof(*names), 0);
	n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			names[n++] = lua_tostring(L, -2);
	names[n] = NULL;
	lua_pushstring(L, str_nearest(word, names));
	lua_remove(L, -2);
	return lua_tostring(L, -1);
}

/* A list of texts or numbers? */
static bool is_list(lua_State *L, int idx)
{
	lua_Integer n = 0;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), n++) {
		if (!lua_isinteger(L, -2) || !lua_isstring(L, -1)) {
			lua_pop(L, 2);
			return false;
		}
	}
	return n == (lua_Integer)lua_rawlen(L, idx);
}

/* The table at idx holds defaults of options. */
static const char *options_fault(lua_State *L, int idx)
{
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		int type = lua_type(L, -1);
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

		if (!name || !env_name_valid(str_of(name)))
			return lua_pushliteral(L, "the name of an option is letters, digits and _");
		if (type == LUA_TTABLE && is_list(L, lua_gettop(L)))
			continue;
		if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
			return lua_pushfstring(L, "option '%s': its default is a text, a number, a "
					       "boolean or a list, not a %s", name,
					       luaL_typename(L, -1));
	}
	return NULL;
}

static const char *unknown_key(lua_State *L, const char *name)
{
	static const char *const keys[] = { "name", "summary", "options", "same", "on_submit",
					    "on_task_failed", "on_task_lost", "scale", "on_event",
					    NULL };
	const char *near = str_nearest(name, keys);

	if (near)
		return lua_pushfstring(L, "a policy has no '%s' (did you mean %s?)", name, near);
	return lua_pushfstring(L, "a policy has no '%s' (hooks are on_submit, on_task_failed, "
			       "on_task_lost, scale and on_event)", name);
}

/* Key and value on top. */
static const char *field_fault(lua_State *L)
{
	const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
	const char *want = NULL;
	int type = lua_type(L, -1);

	if (!name)
		return lua_pushfstring(L, "a policy is a table of names, it has a %s as a key",
				       luaL_typename(L, -2));
	for (size_t i = 0; i < HOOKS; i++) {
		if (strcmp(name, policy_hook_names[i]) != 0)
			continue;
		if (type != LUA_TFUNCTION)
			return lua_pushfstring(L, "'%s' is a function, not a %s", name,
					       luaL_typename(L, -1));
		return NULL;
	}
	if (strcmp(name, "name") == 0 || strcmp(name, "summary") == 0)
		want = type == LUA_TSTRING ? NULL : "text";
	else if (strcmp(name, "same") == 0)
		want = type == LUA_TBOOLEAN ? NULL : "boolean";
	else if (strcmp(name, "options") == 0)
		want = type == LUA_TTABLE ? NULL : "table";
	else
		return unknown_key(L, name);
	if (want)
		return lua_pushfstring(L, "'%s' is a %s, not a %s", name, want,
				       luaL_typename(L, -1));
	return type == LUA_TTABLE ? options_fault(L, lua_gettop(L)) : NULL;
}

const char *policy_table_fault(lua_State *L, int idx)
{
	const char *fault;

	luaL_checkstack(L, 12, NULL);
	if (!lua_istable(L, idx))
		return lua_pushfstring(L, "a policy file returns a table of hooks, not a %s",
				       luaL_typename(L, idx));
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		fault = field_fault(L);
		if (fault)
			return fault;
	}
	return NULL;
}

/* ---- options ------------------------------------------------------------------------------ */

static bool is_word(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* [-1, +1] The given value on top as one of the default's type; texts come from command lines. */
static void convert_option(lua_State *L, const char *name, int want)
{
	static const char *const yes[] = { "true", "yes", "on", "1", NULL };
	static const char *const no[] = { "false", "no", "off", "0", NULL };
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

	if (lua_type(L, -1) == want)
		return;
	if (want == LUA_TNUMBER && text && lua_stringtonumber(L, text)) {
		lua_remove(L, -2);
		return;
	}
	if (want == LUA_TBOOLEAN && text && (is_word(text, yes) || is_word(text, no))) {
		lua_pushboolean(L, is_word(text, yes));
		lua_remove(L, -2);
		return;
	}
	if (want == LUA_TSTRING && lua_type(L, -1) == LUA_TNUMBER) {
		lua_tostring(L, -1);
		return;
	}
	if (text)
		luaL_error(L, "option '%s' is a %s, not '%s'", name, lua_typename(L, want), text);
	luaL_error(L, "option '%s' is a %s, not a %s", name, lua_typename(L, want),
		   luaL_typename(L, -1));
}

void policy_push_options(lua_State *L, int idx, const char *given)
{
	struct err err = ERR_INIT;
	int out, in;

	lua_newtable(L);
	out = lua_gettop(L);
	if (lua_getfield(L, idx, "options") == LUA_TTABLE) {
		for (lua_pushnil(L); lua_next(L, out + 1); lua_pop(L, 1)) {
			lua_pushvalue(L, -2);
			lua_pushvalue(L, -2);
			lua_rawset(L, out);
		}
	}
	lua_settop(L, out);
	if (!given)
		return;
	if (script_push_json(L, given, strlen(given), &err) < 0)
		luaL_error(L, "%s", err.text);
	in = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, in); lua_pop(L, 1)) {
		const char *name = lua_tostring(L, -2), *near;
		int want = lua_getfield(L, out, name);

		lua_pop(L, 1);
		if (want == LUA_TNIL) {
			near = nearest_key(L, out, name);
			luaL_error(L, near ? "it has no option '%s' (did you mean %s?)" :
				   "it has no option '%s'", name, near);
		}
		convert_option(L, name, want);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, out);
	}
	lua_settop(L, out);
}
