#include "script/call.h"

#include <string.h>

#include "base/base.h"
#include "base/log.h"
#include "script/interrupt.h"
#include "script/state.h"

static int tostring_body(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TNUMBER || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
		luaL_tolstring(L, 1, NULL);
	else
		lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	return 1;
}

void script_push_place(lua_State *L)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			return;
		}
	}
	lua_pushliteral(L, "");
}

/* "file:12: ..." */
static bool names_place(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

	return digits && colon[1 + digits] == ':';
}

/* What C of a library says of a policy's values does not name the line that gave them. */
static void add_place(lua_State *L)
{
	if (!script_of(L)->sandbox || names_place(lua_tostring(L, 1)))
		return;
	script_push_place(L);
	lua_insert(L, 1);
	lua_concat(L, 2);
}

static bool is_fault(lua_State *L, int idx)
{
	bool yes;

	if (lua_type(L, idx) != LUA_TTABLE)
		return false;
	lua_pushliteral(L, "message");
	yes = lua_rawget(L, idx) == LUA_TSTRING;
	lua_pop(L, 1);
	return yes;
}

/* The message handler: whatever was raised becomes a table with a message or a string. */
static int handler(lua_State *L)
{
	if (!is_fault(L, 1) && lua_type(L, 1) != LUA_TSTRING) {
		lua_pushcfunction(L, tostring_body);
		lua_pushvalue(L, 1);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING)
			lua_pushliteral(L, "error object that cannot be shown");
		lua_replace(L, 1);
		lua_settop(L, 1);
	} else if (lua_type(L, 1) == LUA_TSTRING) {
		add_place(L);
	}
	if (log_get_level() >= LOG_LEVEL_DEBUG) {
		luaL_traceback(L, L, NULL, 1);
		log_debug("%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	return 1;
}

static void one_line(char *s)
{
	size_t n = strlen(s);

	while (n && (s[n - 1] == '\n' || s[n - 1] == ' '))
		s[--n] = '\0';
	for (; *s; s++)
		if (*s == '\n' || *s == '\r')
			*s = ' ';
}

/* Reads the error object (1) into the err (2); protected, because reading can raise. */
static int take_body(lua_State *L)
{
	struct err *err = lua_touserdata(L, 2);
	enum err_code code = ERR_SCRIPT;
	const char *name;

	if (lua_type(L, 1) == LUA_TTABLE) {
		lua_pushliteral(L, "code");
		lua_rawget(L, 1);
		name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
		if (name)
			code = err_code_of(name);
		lua_pushliteral(L, "message");
		lua_rawget(L, 1);
		lua_replace(L, 1);
	}
	name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "unknown error";
	err_set(err, code, "%s", name);
	one_line(err->text);
	return 0;
}

int script_call(lua_State *L, int nargs, int nresults, struct err *err)
{
	int base = lua_gettop(L) - nargs, status;

	if (!lua_checkstack(L, 6))
		return err_set(err, ERR_SCRIPT, SCRIPT_NO_MEMORY);
	lua_pushcfunction(L, handler);
	lua_insert(L, base);
	status = lua_pcall(L, nargs, nresults, base);
	lua_remove(L, base);
	if (status == LUA_OK)
		return 0;
	err_set(err, ERR_SCRIPT, SCRIPT_NO_MEMORY);
	lua_pushcfunction(L, take_body);
	lua_insert(L, -2);
	lua_pushlightuserdata(L, err);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		lua_pop(L, 1);
	return -1;
}

int script_fail(lua_State *L, const struct err *err)
{
	if (err->code == ERR_INTERRUPTED)
		interrupt_answered();
	luaL_pushfail(L);
	lua_pushstring(L, err->text);
	lua_pushstring(L, err_code_name(err->code));
	return 3;
}

int script_raise(lua_State *L, const struct err *err)
{
	lua_createtable(L, 0, 2);
	lua_pushstring(L, err->text);
	lua_setfield(L, -2, "message");
	lua_pushstring(L, err_code_name(err->code));
	lua_setfield(L, -2, "code");
	lua_error(L);
	__builtin_unreachable();
}

struct push {
	script_push_fn fn;
	const void *p;
};

static int push_body(lua_State *L)
{
	struct push *push = lua_touserdata(L, 1);

	luaL_checkstack(L, 10, NULL);
	push->fn(L, push->p);
	return 1;
}

int script_push(lua_State *L, script_push_fn fn, const void *p)
{
	struct push push = { fn, p };

	lua_pushcfunction(L, push_body);
	lua_pushlightuserdata(L, &push);
	return lua_pcall(L, 1, 1, 0) == LUA_OK ? 0 : -1;
}

void script_list_begin(struct script_list *l, lua_State *L)
{
	luaL_checkstack(L, 10, NULL);
	lua_newtable(L);
	*l = (struct script_list){ .L = L, .table = lua_gettop(L) };
}

struct add {
	struct script_list *list;
	struct push push;
};

/* Arguments: the table, the add. */
static int add_body(lua_State *L)
{
	struct add *add = lua_touserdata(L, 2);

	luaL_checkstack(L, 10, NULL);
	add->push.fn(L, add->push.p);
	lua_rawseti(L, 1, ++add->list->n);
	return 0;
}

int script_list_add(struct script_list *l, script_push_fn fn, const void *p)
{
	struct add add = { l, { fn, p } };

	lua_pushcfunction(l->L, add_body);
	lua_pushvalue(l->L, l->table);
	lua_pushlightuserdata(l->L, &add);
	if (lua_pcall(l->L, 2, 0, 0) == LUA_OK)
		return 0;
	l->failed = true;
	return -1;
}

void script_list_end(struct script_list *l)
{
	if (l->failed)
		lua_error(l->L);
}

int script_list_give(struct script_list *l, int ret, const struct err *err)
{
	script_list_end(l);
	return ret < 0 ? script_fail(l->L, err) : 1;
}
